import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { get } from "../api.js";
import { addTexts, t } from "../i18n.js";
import { moment } from "../list.js";
import { Failure, Field, when } from "../ui.js";

export const title = "page.audit";

addTexts({
  en: {
    "audit.at": "When", "audit.who": "Who", "audit.remote": "Address", "audit.action": "What", "audit.params": "With", "audit.status": "Result", "audit.id": "Request",
    "audit.failed": "Refused or failed alone", "audit.since": "From", "audit.until": "Until", "audit.nobody": "nobody known", "audit.done": "done", "audit.refused": "refused",
    "audit.broken": "failed", "audit.hint": "Each command of all interfaces, each attempt to log in, and on these pages each export and each recording that was heard. Entries are kept for 180 days.",
  },
  zh: {
    "audit.at": "时间", "audit.who": "用户", "audit.remote": "地址", "audit.action": "操作", "audit.params": "参数", "audit.status": "结果", "audit.id": "请求编号",
    "audit.failed": "仅显示被拒绝或失败的", "audit.since": "从", "audit.until": "到", "audit.nobody": "未知用户", "audit.done": "成功", "audit.refused": "被拒绝",
    "audit.broken": "失败", "audit.hint": "所有接口的每条命令和每次登录尝试，以及在这些页面上的每次导出和每次收听录音。记录保留 180 天。",
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

function Result({ status }) {
  const [kind, text] = status < 400 ? ["good", "audit.done"] : status < 500 ? ["warn", "audit.refused"] : ["bad", "audit.broken"];
  return html`<span class=${`tag ${kind}`}>${status} ${t(text)}</span>`;
}

const Row = ({ entry }) => html`<tr><td>${when(entry.at)}</td><td>${entry.who || html`<span class="quiet">${t("audit.nobody")}</span>`}</td><td>${entry.remote}</td>
  <td class="code">${entry.action}</td><td class="code">${Object.entries(entry.params || {}).map(([k, v]) => html`<div>${k} = ${v}</div>`)}</td>
  <td><${Result} status=${entry.status} /></td><td class="code quiet">${entry.request_id}</td></tr>`;

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
