import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { get } from "../api.js";
import { addTexts, t } from "../i18n.js";
import { moment } from "../list.js";
import { Failure, Field, when } from "../ui.js";

export const title = "page.audit";

addTexts({
  en: {
    "audit.at": "When", "audit.who": "Who", "audit.remote": "Address", "audit.action": "What", "audit.params": "With", "audit.status": "Result", "audit.id": "Request",
    "audit.failed": "Refused, failed or broken off alone", "audit.since": "From", "audit.until": "Until", "audit.nobody": "nobody known", "audit.done": "done", "audit.refused": "refused",
    "audit.broken": "failed", "audit.hint": "Each command, each attempt to log in, each export of calls and each recording that was taken, by all interfaces. Entries are kept for up to 180 days.",
    "audit.off.client": "broke off: the client went away", "audit.off.session": "broke off: the session had ended", "audit.off.stop": "broke off: the daemon stopped", "audit.off.error": "broke off: a fault of the daemon",
  },
  zh: {
    "audit.at": "时间", "audit.who": "用户", "audit.remote": "地址", "audit.action": "操作", "audit.params": "参数", "audit.status": "结果", "audit.id": "请求编号",
    "audit.failed": "仅显示被拒绝、失败或中断的", "audit.since": "从", "audit.until": "到", "audit.nobody": "未知用户", "audit.done": "成功", "audit.refused": "被拒绝",
    "audit.broken": "失败", "audit.hint": "所有接口的每条命令、每次登录尝试、每次导出通话记录和每次获取录音。记录最多保留 180 天。",
    "audit.off.client": "中断：客户端已断开", "audit.off.session": "中断：会话已结束", "audit.off.stop": "中断：守护进程已停止", "audit.off.error": "中断：守护进程出错",
  },
});

/** The query of a filter. */
function queryOf(filter, before) {
  const q = new URLSearchParams({ limit: "100" });
  for (const [name, value] of Object.entries(filter)) {
    if (value) q.set(name, name === "since" || name === "until" ? moment(value) : value);
  }
  if (before) q.set("before", before);
  return `audit?${q}`;
}

function Result({ status, off }) {
  if (off) return html`<span class=${`tag ${off === "error" ? "bad" : "warn"}`}>${t(`audit.off.${off}`)}</span>`;
  const [kind, text] = status < 400 ? ["good", "audit.done"] : status < 500 ? ["warn", "audit.refused"] : ["bad", "audit.broken"];
  return html`<span class=${`tag ${kind}`}>${status} ${t(text)}</span>`;
}

const Row = ({ entry }) => html`<tr><td>${when(entry.at)}</td><td>${entry.who || html`<span class="quiet">${t("audit.nobody")}</span>`}</td><td>${entry.remote}</td>
  <td class="code">${entry.action}</td><td class="code">${Object.entries(entry.params || {}).map(([k, v]) => html`<div>${k} = ${v}</div>`)}</td>
  <td><${Result} status=${entry.status} off=${entry.broke_off} /></td><td class="code quiet">${entry.request_id}</td></tr>`;

function Search({ onSearch }) {
  const submit = (e) => {
    e.preventDefault();
    onSearch(Object.fromEntries(new FormData(e.target)));
  };
  return html`<form class="bar" onSubmit=${submit}>
    <${Field} label=${t("audit.who")}><input name="who" autocomplete="off" /><//>
    <${Field} label=${t("audit.remote")}><input name="remote" autocomplete="off" /><//>
    <${Field} label=${t("audit.action")}><input name="action" autocomplete="off" /><//>
    <${Field} label=${t("audit.since")}><input name="since" type="datetime-local" /><//>
    <${Field} label=${t("audit.until")}><input name="until" type="datetime-local" /><//>
    <label class="field check"><span>${t("audit.failed")}</span><input name="failed" type="checkbox" value="true" /></label>
    <button class="primary">${t("ui.search")}</button></form>`;
}

/** Who has ordered what. */
export default function Audit() {
  const [filter, setFilter] = useState({});
  const [state, set] = useState({ entries: null, next: 0, error: null, busy: false });
  const turn = useRef(0);
  async function load(before) {
    const mine = ++turn.current;
    set((old) => ({ ...old, busy: true, error: null }));
    try {
      const page = await get(queryOf(filter, before));
      if (mine === turn.current) set((old) => ({ entries: before ? [...old.entries, ...page.entries] : page.entries, next: page.next, error: null, busy: false }));
    } catch (error) {
      if (mine === turn.current) set((old) => ({ ...old, error, busy: false }));
    }
  }
  useEffect(() => { load(0); return () => { turn.current++; }; }, [filter]);
  const { entries, next, error, busy } = state;
  return html`<h1>${t("page.audit")}</h1><p class="quiet">${t("audit.hint")}</p>
    <${Search} onSearch=${setFilter} />
    <${Failure} error=${error} retry=${() => load(0)} />
    ${entries && html`<div class="scroll" tabindex="0" role="region" aria-label=${t("page.audit")} aria-busy=${busy}><table>
      <thead><tr>${["at", "who", "remote", "action", "params", "status", "id"].map((k) => html`<th scope="col">${t(`audit.${k}`)}</th>`)}</tr></thead>
      <tbody>${entries.map((e) => html`<${Row} key=${e.seq} entry=${e} />`)}</tbody></table></div>
      ${entries.length === 0 && html`<p role="status">${t("ui.none")}</p>`}
      ${next > 0 && html`<p><button type="button" disabled=${busy} onClick=${() => load(next)}>${t("ui.more")}</button></p>`}`}`;
}
