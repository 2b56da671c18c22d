// The queue of pushed events: receivers, what waits, what failed, sending again.

import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { get, may, send } from "../api.js";
import { addTexts, said, t } from "../i18n.js";
import { Failure, Field, span, useLoad, when } from "../ui.js";
import { Choice, Confirm, ListEnd, SearchForm, Table, moment, useList, withQuery } from "../list.js";

export const title = "page.delivery";

addTexts({
  en: {
    "out.receivers": "Receivers", "out.receiver": "Receiver", "out.state": "State", "out.since": "Since", "out.pending": "Waiting", "out.oldest": "Oldest waits", "out.dead": "Dead letters",
    "out.failures": "Failed in a row", "out.last": "Last failure", "out.delivered": "Delivered", "out.action": "Action", "out.test": "Send a test", "out.testOf": "Send a test to {name}",
    "out.up": "Up", "out.down": "Down, only probed", "out.unknown": "Nothing sent yet", "out.unconfigured": "No longer configured", "out.probe": "next try {at}",
    "out.tested": "{name}: the test was taken, answer {status} after {took} ms.", "out.untested": "{name}: the test was not taken: {error}", "out.asOf": "As of {at}",
    "out.events": "Events", "out.event": "Event", "out.call": "Call", "out.id": "Id", "out.at": "Happened", "out.attempts": "Attempts", "out.error": "Last answer", "out.any": "Any",
    "out.from": "From", "out.until": "Before", "out.choose": "Choose {id}", "out.chooseAll": "Choose all that are shown", "out.choose.head": "Choose", "out.open": "Event {id}",
    "state.pending": "Waiting", "state.delivered": "Delivered", "state.dead": "Dead letter", "state.expired": "Expired", "state.dropped": "Given up",
    "out.replay": "Send again", "out.replayChosen": "Send {n} chosen again", "out.replayDead": "Send all dead letters again", "out.replayDeadOf": "Send all dead letters again ({n})?",
    "out.sure": "They are sent under their old ids: a receiver that has taken one already can know it by its id.", "out.replayOne": "Send {id} again?", "out.replayNow": "Send the chosen events again ({n})?",
    "out.replayed": "Events that are sent again: {n}.", "out.back": "All events", "out.body": "What is sent", "out.answer": "The receiver's answer", "out.tries": "Failed attempts",
    "out.try": "Attempt", "out.took": "Took", "out.also": "Also for", "out.status": "Status", "out.none": "None", "out.what": "What happened",
    "out.gaps": "Events may be missing for good: {n} gaps.", "out.gap": "until {until}: {reason}", "out.gapSince": "{since} until {until}: {reason}", "out.file": "The file holds {used} of {all} MiB.",
    "out.mixed": "Events of several receivers are chosen: choose those of one.",
  },
  zh: {
    "out.receivers": "接收方", "out.receiver": "接收方", "out.state": "状态", "out.since": "自", "out.pending": "待发送", "out.oldest": "最久等待", "out.dead": "死信",
    "out.failures": "连续失败", "out.last": "最近失败", "out.delivered": "已送达", "out.action": "操作", "out.test": "发送测试", "out.testOf": "向 {name} 发送测试",
    "out.up": "正常", "out.down": "故障，仅探测", "out.unknown": "尚未发送", "out.unconfigured": "已不在配置中", "out.probe": "下次尝试 {at}",
    "out.tested": "{name}：测试已被接收，{took} 毫秒后应答 {status}。", "out.untested": "{name}：测试未被接收：{error}", "out.asOf": "截至 {at}",
    "out.events": "事件", "out.event": "事件", "out.call": "通话", "out.id": "编号", "out.at": "发生时间", "out.attempts": "尝试次数", "out.error": "最近应答", "out.any": "不限",
    "out.from": "从", "out.until": "早于", "out.choose": "选择 {id}", "out.chooseAll": "选择所有已显示的事件", "out.choose.head": "选择", "out.open": "事件 {id}",
    "state.pending": "待发送", "state.delivered": "已送达", "state.dead": "死信", "state.expired": "已过期", "state.dropped": "已放弃",
    "out.replay": "重新发送", "out.replayChosen": "重新发送所选 {n} 个", "out.replayDead": "重新发送全部死信", "out.replayDeadOf": "重新发送全部 {n} 封死信？",
    "out.sure": "事件以原编号发送，已收到过的接收方可凭编号识别。", "out.replayOne": "重新发送 {id}？", "out.replayNow": "重新发送 {n} 个事件？",
    "out.replayed": "将重新发送 {n} 个事件。", "out.back": "全部事件", "out.body": "发送内容", "out.answer": "接收方应答", "out.tries": "失败的尝试",
    "out.try": "次序", "out.took": "耗时", "out.also": "另发往", "out.status": "状态码", "out.none": "无", "out.what": "情况",
    "out.gaps": "可能有事件永久丢失：{n} 处缺口。", "out.gap": "至 {until}：{reason}", "out.gapSince": "{since} 至 {until}：{reason}", "out.file": "文件已用 {used} / {all} MiB。",
    "out.mixed": "所选事件属于多个接收方，请只选其中一个。",
  },
});

const every = 5000; // milliseconds between two looks at the state

const th = (name, number) => html`<th scope="col" class=${number && "number"}>${t(`out.${name}`)}</th>`;

const colours = { up: "good", down: "bad", delivered: "good", dead: "bad", pending: "warn", expired: "bad" };

const State = ({ of, prefix }) => html`<span class=${`tag ${colours[of] ?? ""}`}>${t(`${prefix}.${of}`)}</span>`;

/** The state of the queue, looked at again and again. */
function useStatus() {
  const [state, set] = useState({});
  const [turn, again] = useState(0);
  useEffect(() => {
    const control = new AbortController();
    let timer;
    const look = () => get("outbox", { signal: control.signal }).then(
      (data) => set({ data }),
      (error) => { if (error.name !== "AbortError") set((old) => ({ ...old, error })); },
    ).finally(() => { if (!control.signal.aborted) timer = setTimeout(look, every); });
    look();
    return () => { control.abort(); clearTimeout(timer); };
  }, [turn]);
  return { ...state, reload: () => again((n) => n + 1) };
}

function Receiver({ of, onTest, busy }) {
  const { receiver: r, total } = of;
  return html`<tr><th scope="row">${of.name}</th>
    <td><${State} of=${of.configured ? r.state : "unconfigured"} prefix="out" /></td><td class="when">${when(r.since)}</td>
    <td class="number">${total.pending}</td><td class="number">${of.oldest_pending && span(of.oldest_pending_seconds)}</td>
    <td class="number">${r.failures}</td><td>${said(r.last_error)}${r.next_probe && html` <small>${t("out.probe", { at: when(r.next_probe) })}</small>`}</td>
    <td class="number">${total.dead}</td><td class="number">${total.delivered}</td>
    <td>${may("admin") && of.configured && html`<button type="button" disabled=${busy} aria-label=${t("out.testOf", { name: of.name })} onClick=${() => onTest(of.name)}>${t("out.test")}</button>`}</td></tr>`;
}

function Gaps({ data }) {
  if (!data.gaps_total) return null;
  return html`<div class="notice warn"><div><p>${t("out.gaps", { n: data.gaps_total })}</p><ul>${data.gaps.map((g) => html`<li key=${g.until}>
    ${g.since ? t("out.gapSince", { since: when(g.since), until: when(g.until), reason: said(g.reason) }) : t("out.gap", { until: when(g.until), reason: said(g.reason) })}</li>`)}</ul></div></div>`;
}

function Receivers({ status, tell }) {
  const [busy, set] = useState(false);
  const { data, error } = status;
  const test = async (name) => {
    set(true);
    try {
      const got = await send("POST", "outbox/test", { receiver: name });
      tell(got.delivered ? { good: t("out.tested", { name, status: got.status, took: got.took_ms }) } : { bad: t("out.untested", { name, error: said(got.error) }) });
    } catch (error) {
      tell({ error });
    }
    set(false);
  };
  const mib = (n) => Math.round(n / 1048576);
  return html`<${Failure} error=${error} retry=${status.reload} />
    ${data && html`<div class=${error ? "old" : undefined}><${Gaps} data=${data} />
      <${Table} caption=${t("out.receivers")}><thead><tr>${th("receiver")}${th("state")}${th("since")}${th("pending", true)}${th("oldest", true)}${th("failures", true)}${th("last")}
        ${th("dead", true)}${th("delivered", true)}${th("action")}</tr></thead>
        <tbody>${data.receivers.map((r) => html`<${Receiver} key=${r.name} of=${r} busy=${busy} onTest=${test} />`)}</tbody><//>
      <p class="quiet">${t("out.asOf", { at: when(data.now).slice(11) })}. ${t("out.file", { used: mib(data.file_bytes), all: mib(data.file_bytes_max) })}</p></div>`}`;
}

function Filter({ query, receivers, reload }) {
  const input = (name, type = "text") => html`<${Field} label=${t(`out.${name}`)}><input name=${name} type=${type} defaultValue=${query[name] ?? ""} maxlength="200" /><//>`;
  const choice = (name, options) => html`<${Field} label=${t(`out.${name}`)}>
    <${Choice} name=${name} value=${query[name]} any=${t("out.any")} options=${options} /><//>`;
  return html`<${SearchForm} page="delivery" query=${query} reload=${reload}>
    ${choice("receiver", receivers.map((r) => [r, r]))}${choice("state", ["pending", "delivered", "dead", "expired", "dropped"].map((s) => [s, t(`state.${s}`)]))}
    ${input("event")}${input("call")}${input("from", "datetime-local")}${input("until", "datetime-local")}
    <button class="primary" type="submit">${t("ui.search")}</button><//>`;
}

const keyOf = (e) => `${e.receiver} ${e.id}`;

function Events({ query, receivers, tell, onChange }) {
  const { from, until, ...rest } = query;
  const list = useList("outbox/events", { ...rest, since: moment(from), until: moment(until) }, "events");
  const [chosen, choose] = useState(new Map());
  const [asking, ask] = useState(null); // what is to be sent again: {title, body}
  const all = list.rows.length > 0 && list.rows.every((e) => chosen.has(keyOf(e)));
  const flip = (e) => choose((old) => { const next = new Map(old); if (!next.delete(keyOf(e))) next.set(keyOf(e), e); return next; });
  const replayChosen = () => {
    const events = [...chosen.values()];
    if (events.some((e) => e.receiver !== events[0].receiver)) return tell({ bad: t("out.mixed") });
    return ask({ title: t("out.replayNow", { n: events.length }), body: { receiver: events[0].receiver, id: events.map((e) => e.id).join(",") } });
  };
  const replay = async () => {
    const { replayed } = await send("POST", "outbox/replay", asking.body);
    tell({ good: t("out.replayed", { n: replayed }) });
    choose(new Map());
    list.reload();
    onChange();
  };
  return html`<${Filter} query=${query} receivers=${receivers} reload=${list.reload} />
    ${may("admin") && html`<p class="buttons"><button type="button" disabled=${chosen.size === 0} onClick=${replayChosen}>${t("out.replayChosen", { n: chosen.size })}</button></p>`}
    ${list.rows.length > 0 && html`<${Table} caption=${t("out.events")}>
      <thead><tr>${may("admin") && html`<th scope="col"><span class="sr">${t("out.choose.head")}</span>
          <input type="checkbox" checked=${all} aria-label=${t("out.chooseAll")} onChange=${() => choose(new Map(all ? [] : list.rows.map((e) => [keyOf(e), e])))} /></th>`}
        ${th("at")}${th("event")}${th("state")}${th("attempts", true)}${th("id")}${th("call")}${th("receiver")}${th("error")}</tr></thead>
      <tbody>${list.rows.map((e) => html`<tr key=${e.seq}>
        ${may("admin") && html`<td><input type="checkbox" checked=${chosen.has(keyOf(e))} aria-label=${t("out.choose", { id: e.id })} onChange=${() => flip(e)} /></td>`}
        <td class="when">${when(e.at)}</td><td>${e.event}</td>
        <td><${State} of=${e.state} prefix="state" /></td><td class="number">${e.attempts}</td>
        <td><a href=${`#/${withQuery(`delivery/${encodeURIComponent(e.id)}`, { receiver: e.receiver })}`} aria-label=${t("out.open", { id: e.id })}>${e.id.slice(0, 16)}</a></td>
        <td>${e.call}</td><td>${e.receiver}</td><td>${said(e.last_error)}</td></tr>`)}</tbody><//>`}
    <${ListEnd} list=${list} />
    ${asking && html`<${Confirm} title=${asking.title} text=${t("out.sure")} action=${t("out.replay")} act=${replay} onClose=${() => ask(null)} />`}`;
}

/** The last thing that was done, and how it went. */
const Told = ({ what }) => html`<div role="status">${what?.good && html`<p class="notice good">${what.good}</p>`}${what?.bad && html`<p class="notice bad">${what.bad}</p>`}</div>
  <${Failure} error=${what?.error} />`;

function Queue({ query }) {
  const status = useStatus();
  const [told, tell] = useState(null);
  const [asking, ask] = useState(false);
  const [turn, again] = useState(0);
  const changed = () => { status.reload(); };
  const dead = status.data?.total.dead ?? 0;
  const replayDead = async () => {
    const { replayed } = await send("POST", "outbox/replay", {});
    tell({ good: t("out.replayed", { n: replayed }) });
    changed();
    again((n) => n + 1);
  };
  return html`<h1>${t(title)}</h1><${Told} what=${told} />
    <${Receivers} status=${status} tell=${tell} />
    ${may("admin") && dead > 0 && html`<p><button type="button" onClick=${() => ask(true)}>${t("out.replayDead")}</button></p>`}
    <h2>${t("out.events")}</h2>
    <${Events} key=${turn} query=${query} receivers=${(status.data?.receivers ?? []).map((r) => r.name)} tell=${tell} onChange=${changed} />
    ${asking && html`<${Confirm} title=${t("out.replayDeadOf", { n: dead })} text=${t("out.sure")} action=${t("out.replayDead")} act=${replayDead} onClose=${() => ask(false)} />`}`;
}

function Event({ id, receiver }) {
  const { data: e, error, reload } = useLoad(withQuery(`outbox/events/${encodeURIComponent(id)}`, { receiver }));
  const [told, tell] = useState(null);
  const [asking, ask] = useState(false);
  const replay = async () => {
    const { replayed } = await send("POST", "outbox/replay", { id: e.id, receiver: e.receiver });
    tell({ good: t("out.replayed", { n: replayed }) });
    reload();
  };
  const fact = (name, value) => value !== undefined && value !== "" && html`<dt>${t(`out.${name}`)}</dt><dd>${value}</dd>`;
  const others = (e?.also ?? []).map((name) => html`<a key=${name} href=${`#/${withQuery(`delivery/${encodeURIComponent(id)}`, { receiver: name })}`}>${name}</a> `);
  return html`<p><a href="#/delivery">${t("out.back")}</a></p><h1>${t("out.open", { id })}</h1><${Told} what=${told} /><${Failure} error=${error} retry=${reload} />
    ${e && html`<dl class="facts">${fact("event", e.event)}${fact("receiver", e.receiver)}${e.also && fact("also", others)}${fact("call", e.call)}
        ${fact("state", html`<${State} of=${e.state} prefix="state" />`)}${fact("at", when(e.at))}${fact("attempts", e.attempts)}${fact("error", said(e.last_error))}</dl>
      ${may("admin") && e.state !== "pending" && html`<p><button type="button" onClick=${() => ask(true)}>${t("out.replay")}</button></p>`}
      <h2>${t("out.body")}</h2><pre tabindex="0">${typeof e.body === "string" ? e.body : JSON.stringify(e.body, null, 2)}</pre>
      ${e.answer && html`<h2>${t("out.answer")}</h2><pre tabindex="0">${e.answer}</pre>`}
      ${e.failed && html`<h2>${t("out.tries")}</h2><${Table} caption=${t("out.tries")}><thead><tr>${th("try", true)}${th("at")}${th("took", true)}${th("status", true)}${th("what")}</tr></thead>
        <tbody>${e.failed.map((a) => html`<tr key=${a.n}><td class="number">${a.n}</td><td>${when(a.at)}</td><td class="number">${a.took_ms} ms</td><td class="number">${a.status ?? t("out.none")}</td>
          <td>${said(a.error)}</td></tr>`)}</tbody><//>`}`}
    ${asking && html`<${Confirm} title=${t("out.replayOne", { id })} text=${t("out.sure")} action=${t("out.replay")} act=${replay} onClose=${() => ask(false)} />`}`;
}

export default function Delivery({ args, query }) {
  return args[0] ? html`<${Event} key=${`${args[0]} ${query.receiver}`} id=${args[0]} receiver=${query.receiver} />` : html`<${Queue} query=${query} />`;
}
