// Ended calls: search, list, export.

import { html, useState } from "../vendor/preact-htm.js";
import { head, urlOf } from "../api.js";
import { addTexts, t } from "../i18n.js";
import { Failure, Field, lasted } from "../ui.js";
import { Choice, ListEnd, SearchForm, Table, clock, moment, useList, withQuery } from "../list.js";

export const title = "page.history";

addTexts({
  en: {
    "calls.text": "Number or name", "calls.from": "From", "calls.to": "Before", "calls.extension": "Extension", "calls.queue": "Queue", "calls.direction": "Direction",
    "calls.answered": "Answered", "calls.any": "Any", "calls.csv": "Download CSV", "calls.start": "Begin", "calls.caller": "Caller", "calls.called": "Called",
    "calls.agent": "Agent", "calls.outcome": "Outcome", "calls.waiting": "Waited", "calls.talk": "Talked", "calls.duration": "Length", "calls.details": "Details",
    "calls.recording": "Recording", "calls.open": "Details of the call of {start}",
    "direction.inbound": "Inbound", "direction.outbound": "Outbound", "direction.internal": "Internal", "direction.both": "Both",
    "outcome.yes": "Answered", "outcome.no": "Not answered", "outcome.nobody": "Nobody in the queue", "outcome.gave-up": "Gave up",
    "outcome.unanswered": "No agent answered", "outcome.unassigned": "No agent free", "outcome.lost": "End not seen",
    "calls.mine": "Another export of yours is under way. Try again when it is done.", "calls.busy": "Others are exporting. Try again in a moment.",
  },
  zh: {
    "calls.text": "号码或姓名", "calls.from": "从", "calls.to": "早于", "calls.extension": "分机", "calls.queue": "队列", "calls.direction": "方向",
    "calls.answered": "是否接听", "calls.any": "不限", "calls.csv": "下载 CSV", "calls.start": "开始时间", "calls.caller": "主叫", "calls.called": "被叫",
    "calls.agent": "坐席", "calls.outcome": "结果", "calls.waiting": "排队", "calls.talk": "通话", "calls.duration": "总时长", "calls.details": "详情",
    "calls.recording": "录音", "calls.open": "{start} 的通话详情",
    "direction.inbound": "呼入", "direction.outbound": "呼出", "direction.internal": "内部", "direction.both": "双向",
    "outcome.yes": "已接听", "outcome.no": "未接听", "outcome.nobody": "队列无人", "outcome.gave-up": "主动放弃",
    "outcome.unanswered": "坐席未接", "outcome.unassigned": "无空闲坐席", "outcome.lost": "未见结束",
    "calls.mine": "您的另一个导出正在进行，请在完成后重试。", "calls.busy": "其他人正在导出，请稍后重试。",
  },
});

/** The filter of the address as the daemon takes it. */
export const asked = ({ from, to, ...query }) => ({ ...query, from: moment(from), to: moment(to) });

/** The form that filters calls. */
export function CallForm({ page, query, reload, children }) {
  const input = (name, type = "text") => html`<${Field} label=${t(`calls.${name}`)}>
    <input name=${name} type=${type} defaultValue=${query[name] ?? ""} maxlength=${name === "text" ? 100 : 80} /><//>`;
  const choice = (name, options) => html`<${Field} label=${t(`calls.${name}`)}><${Choice} name=${name} value=${query[name]} any=${t("calls.any")} options=${options} /><//>`;
  return html`<${SearchForm} page=${page} query=${query} reload=${reload}>
    ${input("text", "search")}${input("from", "datetime-local")}${input("to", "datetime-local")}${input("extension")}${input("queue")}
    ${choice("direction", ["inbound", "outbound", "internal"].map((d) => [d, t(`direction.${d}`)]))}
    ${choice("answered", [["yes", t("ui.yes")], ["no", t("ui.no")]])}
    <button class="primary" type="submit">${t("ui.search")}</button>${children}<//>`;
}

/** A number with its name. */
export const Party = ({ number, name }) => html`${number || "–"}${name && name !== number && html` <small>${name}</small>`}`;

const colours = { yes: "good", no: "", lost: "warn" };

function Outcome({ call }) {
  const word = call.link_lost ? "lost" : call.answered ? "yes" : call.miss || "no";
  return html`<span class=${`tag ${colours[word] ?? "bad"}`}>${t(`outcome.${word}`)}</span>`;
}

const Row = ({ call }) => html`<tr>
  <td class="when"><a href=${`#/call/${encodeURIComponent(call.id)}`} aria-label=${t("calls.open", { start: clock(call.start) })}>${clock(call.start)}</a></td>
  <td>${t(`direction.${call.direction}`)}</td>
  <td><${Party} number=${call.caller} name=${call.caller_name} /></td><td><${Party} number=${call.called} name=${call.called_name} /></td>
  <td>${call.queue}</td><td>${call.agent}</td><td><${Outcome} call=${call} /></td>
  <td class="number">${call.queue && lasted(call.waiting)}</td><td class="number">${call.answered && lasted(call.talk)}</td><td class="number">${lasted(call.duration)}</td>
  <td>${call.recording ? t("ui.yes") : ""}</td></tr>`;

/** The way to the file, and why there is none now, of which a browser tells nothing where a page did not ask before. */
function Export({ query }) {
  const [error, set] = useState(null);
  const path = withQuery("calls.csv", asked(query));
  const load = async (event) => {
    event.preventDefault();
    const { href } = event.currentTarget;
    set(null);
    try {
      await head(path);
      location.assign(href);
    } catch (failure) {
      set(failure);
    }
  };
  const words = error && { 429: "calls.mine", 503: "calls.busy" }[error.status];
  return html`<a href=${urlOf(path)} download onClick=${load}>${t("calls.csv")}</a>
    ${words ? html`<p class="notice bad" role="alert">${t(words)}</p>` : html`<${Failure} error=${error} />`}`;
}

export default function History({ query }) {
  const list = useList("calls", asked(query), "calls");
  const th = (name, number) => html`<th scope="col" class=${number && "number"}>${t(`calls.${name}`)}</th>`;
  return html`<h1>${t(title)}</h1>
    <${CallForm} page="history" query=${query} reload=${list.reload}><${Export} query=${query} /><//>
    ${list.rows.length > 0 && html`<${Table} caption=${t(title)}>
      <thead><tr>${th("start")}${th("direction")}${th("caller")}${th("called")}${th("queue")}${th("agent")}${th("outcome")}
        ${th("waiting", true)}${th("talk", true)}${th("duration", true)}${th("recording")}</tr></thead>
      <tbody>${list.rows.map((call) => html`<${Row} key=${call.id} call=${call} />`)}</tbody><//>`}
    <${ListEnd} list=${list} />`;
}
