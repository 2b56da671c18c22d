import { html, useState } from "../vendor/preact-htm.js";
import { currentSession, send } from "../api.js";
import { addTexts, t } from "../i18n.js";
import { Failure, Field, when } from "../ui.js";

export const title = "page.account";

addTexts({
  en: {
    "account.role": "Role: {role}", "account.until": "This session ends at {time} at the latest.", "account.password": "Change the password", "account.old": "Password now",
    "account.new": "New password", "account.hint": "At least 8 characters. You must log in again afterwards.",
    "account.phone": "You have logged in with the password of your phone, which is not changed here.", "account.local": "You have not logged in: this machine may do everything.",
    "account.login": "Log in", "account.toolbar": "Agent toolbar", "account.toolbarHint": "Your calls and breaks: sign in there with your extension and the password of its phone.",
  },
  zh: {
    "account.role": "角色：{role}", "account.until": "本次会话最迟于 {time} 结束。", "account.password": "修改密码", "account.old": "当前密码",
    "account.new": "新密码", "account.hint": "至少 8 个字符。修改后须重新登录。",
    "account.phone": "您使用话机密码登录，此密码不能在这里修改。", "account.local": "您尚未登录：本机可以执行所有操作。",
    "account.login": "登录", "account.toolbar": "话务条", "account.toolbarHint": "接听来电、示忙示闲：请在那里用分机号和话机密码登录。",
  },
});

function Password() {
  const [state, set] = useState({ busy: false, error: null });
  async function submit(e) {
    e.preventDefault();
    const form = new FormData(e.target);
    set({ busy: true, error: null });
    try {
      await send("PUT", "session/password", { password: form.get("old"), new_password: form.get("new") });
      location.reload();
    } catch (error) {
      set({ busy: false, error });
    }
  }
  return html`<form class="card login" onSubmit=${submit}><h2>${t("account.password")}</h2>
    <${Field} label=${t("account.old")}><input name="old" type="password" required autocomplete="current-password" /><//>
    <${Field} label=${t("account.new")} hint=${t("account.hint")}><input name="new" type="password" required minlength="8" autocomplete="new-password" /><//>
    <${Failure} error=${state.error} /><button class="primary" disabled=${state.busy}>${t("ui.save")}</button></form>`;
}

/** Who one is, and one's password. */
export default function Account() {
  const { kind, login, name, role, expires } = currentSession();
  return html`<h1>${name || t("shell.local")}</h1><p>${t("account.role", { role: t(`role.${role}`) })}</p>
    <p><a href="toolbar/">${t("account.toolbar")}</a>: ${t("account.toolbarHint")}</p>
    ${kind === "local" && html`<p>${t("account.local")}</p><p><a href="#/login">${t("account.login")}</a></p>`}
    ${expires && html`<p class="quiet">${t("account.until", { time: when(expires) })}</p>`}
    ${kind === "cookie" && (login ? html`<${Password} />` : html`<p>${t("account.phone")}</p>`)}`;
}
