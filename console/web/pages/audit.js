import { html } from "../vendor/preact-htm.js";
import { addTexts, t } from "../i18n.js";
import { ListEnd, SearchForm, Table, moment, useList } from "../list.js";
import { Field, when } from "../ui.js";

export const title = "page.audit";

addTexts({
  en: {
    "audit.at": "When", "audit.who": "Who", "audit.remote": "Address", "audit.action": "What", "audit.params": "With", "audit.status": "Result", "audit.id": "Request",
    "audit.failed": "Refused, failed or broken off alone", "audit.since": "From", "audit.until": "Until", "audit.nobody": "nobody known", "audit.done": "done", "audit.refused": "refused",
    "audit.broken": "failed", "audit.hint": "Each command, each attempt to log in, each export of calls, and each recording and list of calls that was taken, by all interfaces. Entries are kept for up to 180 days.",
    "audit.off.client": "broke off: the client went away", "audit.off.session": "broke off: the session had ended", "audit.off.stop": "broke off: the daemon stopped", "audit.off.error": "broke off: a fault of the daemon",
  },
  zh: {
    "audit.at": "时间", "audit.who": "用户", "audit.remote": "地址", "audit.action": "操作", "audit.params": "参数", "audit.status": "结果", "audit.id": "请求编号",
    "audit.failed": "仅显示被拒绝、失败或中断的", "audit.since": "从", "audit.until": "到", "audit.nobody": "未知用户", "audit.done": "成功", "audit.refused": "被拒绝",
    "audit.broken": "失败", "audit.hint": "所有接口的每条命令、每次登录尝试、每次导出通话记录，以及每次获取录音和通话列表。记录最多保留 180 天。",
    "audit.off.client": "中断：客户端已断开", "audit.off.session": "中断：会话已结束", "audit.off.stop": "中断：守护进程已停止", "audit.off.error": "中断：守护进程出错",
  },
});

function Result({ status, off }) {
  if (off) return html`<span class=${`tag ${off === "error" ? "bad" : "warn"}`}>${t(`audit.off.${off}`)}</span>`;
  const [kind, text] = status < 400 ? ["good", "audit.done"] : status < 500 ? ["warn", "audit.refused"] : ["bad", "audit.broken"];
  return html`<span class=${`tag ${kind}`}>${status} ${t(text)}</span>`;
}

const Row = ({ entry }) => html`<tr><td class="when">${when(entry.at)}</td><td>${entry.who || html`<span class="quiet">${t("audit.nobody")}</span>`}</td><td>${entry.remote}</td>
  <td class="code">${entry.action}</td><td class="code">${Object.entries(entry.params || {}).map(([k, v]) => html`<div>${k} = ${v}</div>`)}</td>
  <td><${Result} status=${entry.status} off=${entry.broke_off} /></td><td class="code quiet">${entry.request_id}</td></tr>`;

function Search({ query, reload }) {
  const input = (name, type = "text") => html`<${Field} label=${t(`audit.${name}`)}><input name=${name} type=${type} defaultValue=${query[name] ?? ""} maxlength="200" autocomplete="off" /><//>`;
  return html`<${SearchForm} page="audit" query=${query} reload=${reload}>
    ${input("who")}${input("remote")}${input("action")}${input("since", "datetime-local")}${input("until", "datetime-local")}
    <label class="field check"><span>${t("audit.failed")}</span><input name="failed" type="checkbox" value="true" defaultChecked=${query.failed === "true"} /></label>
    <button class="primary" type="submit">${t("ui.search")}</button><//>`;
}

/** Who has ordered and taken what. */
export default function Audit({ query }) {
  const list = useList("audit", { ...query, since: moment(query.since), until: moment(query.until) }, "entries");
  return html`<h1>${t(title)}</h1><p class="quiet">${t("audit.hint")}</p>
    <${Search} query=${query} reload=${list.reload} />
    ${list.rows.length > 0 && html`<${Table} caption=${t(title)}>
      <thead><tr>${["at", "who", "remote", "action", "params", "status", "id"].map((k) => html`<th scope="col">${t(`audit.${k}`)}</th>`)}</tr></thead>
      <tbody>${list.rows.map((e) => html`<${Row} key=${e.seq} entry=${e} />`)}</tbody><//>`}
    <${ListEnd} list=${list} />`;
}
