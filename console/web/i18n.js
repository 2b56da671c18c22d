// Texts in English and Chinese. A page brings its own by addTexts; t returns the one of the language that is chosen.

import { inChinese } from "./messages.js";

const texts = { en: {}, zh: {} };
const listeners = new Set();
const kept = "dialbridge.language";

const read = (name) => {
  try { return localStorage.getItem(name); } catch { return null; } // storage may be forbidden
};

let language = read(kept);
if (language !== "en" && language !== "zh") language = (navigator.language || "").toLowerCase().startsWith("zh") ? "zh" : "en";
document.documentElement.lang = language === "zh" ? "zh-CN" : "en";

/** The language that is shown: "en" or "zh". */
export const lang = () => language;

/** For toLocaleString and Intl. */
export const locale = () => (language === "zh" ? "zh-CN" : navigator.language.startsWith("en") ? navigator.language : "en-GB");

/** Shows everything in another language and remembers it. */
export function setLang(next) {
  language = next === "zh" ? "zh" : "en";
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  try { localStorage.setItem(kept, language); } catch { /* for this visit then */ }
  for (const f of listeners) f(language);
}

/** Calls f when another language is chosen; returns what ends that. */
export function onLang(f) {
  listeners.add(f);
  return () => listeners.delete(f);
}

/** Adds texts: {en: {key: "..."}, zh: {key: "..."}}. */
export function addTexts(more) {
  for (const l of ["en", "zh"]) Object.assign(texts[l], more[l]);
}

/** The text of a key; {name} in it is replaced by values.name. A key without a text is shown as it is. */
export function t(key, values) {
  const text = texts[language][key] ?? texts.en[key] ?? key;
  return values ? text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? String(values[name]) : all)) : text;
}

/** What the daemon says, in the language that is shown: a page may have words of its own, texts "error.MESSAGE". */
export const said = (message) => (message && (texts[language][`error.${message}`] ?? (language === "zh" ? inChinese(message) : undefined))) ?? message;

addTexts({
  en: {
    "page.wall": "Wallboard", "page.call": "Call", "page.history": "Calls", "page.charts": "Charts", "page.recordings": "Recordings",
    "page.blacklist": "Black list", "page.delivery": "Delivery", "page.users": "Users", "page.audit": "Audit log", "page.login": "Log in", "page.account": "Your account",
    "shell.skip": "Skip to the content", "shell.pages": "Pages", "shell.language": "Language", "shell.theme": "Colours",
    "theme.auto": "As the system", "theme.light": "Light", "theme.dark": "Dark",
    "shell.logout": "Log out", "shell.local": "this machine", "shell.missing": "There is no such page.",
    "shell.forbidden": "Your role may not see this page.", "shell.broken": "This page has failed: {error}",
    "login.name": "User or extension", "login.password": "Password", "login.submit": "Log in", "login.ended": "Your session has ended. Please log in again.", "login.undone": "Your session had ended: the last change was not made. Please log in and make it again.",
    "role.admin": "Administrator", "role.supervisor": "Supervisor", "role.agent": "Agent",
    "ui.loading": "Loading…", "ui.offline": "The daemon does not answer.", "ui.retry": "Try again", "ui.save": "Save", "ui.cancel": "Cancel",
    "ui.delete": "Delete", "ui.edit": "Change", "ui.close": "Close", "ui.more": "Show more", "ui.none": "There is nothing here.", "ui.search": "Search",
    "ui.yes": "Yes", "ui.no": "No",
  },
  zh: {
    "page.wall": "监控大屏", "page.call": "通话", "page.history": "通话记录", "page.charts": "图表", "page.recordings": "录音",
    "page.blacklist": "黑名单", "page.delivery": "事件推送", "page.users": "用户", "page.audit": "审计日志", "page.login": "登录", "page.account": "我的账户",
    "shell.skip": "跳到正文", "shell.pages": "页面", "shell.language": "语言", "shell.theme": "配色",
    "theme.auto": "跟随系统", "theme.light": "浅色", "theme.dark": "深色",
    "shell.logout": "退出登录", "shell.local": "本机", "shell.missing": "没有这个页面。",
    "shell.forbidden": "您的角色无权查看此页面。", "shell.broken": "此页面出错：{error}",
    "login.name": "用户名或分机号", "login.password": "密码", "login.submit": "登录", "login.ended": "会话已结束，请重新登录。", "login.undone": "会话已结束，刚才的修改未执行。请重新登录后再次操作。",
    "role.admin": "管理员", "role.supervisor": "班长", "role.agent": "坐席",
    "ui.loading": "正在加载…", "ui.offline": "服务没有响应。", "ui.retry": "重试", "ui.save": "保存", "ui.cancel": "取消",
    "ui.delete": "删除", "ui.edit": "修改", "ui.close": "关闭", "ui.more": "显示更多", "ui.none": "暂无数据。", "ui.search": "搜索",
    "ui.yes": "是", "ui.no": "否",
  },
});
