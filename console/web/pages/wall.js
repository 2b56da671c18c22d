import { html, Component, useState } from "../vendor/preact-htm.js";
import { pbxTime } from "../api.js";
import { addTexts, lang, said, t } from "../i18n.js";
import { asOf, isLive, useLive, useSeconds } from "../live.js";
import { span } from "../ui.js";
import { addStyle } from "../sheet.js";

addStyle(new URL("wall.css", import.meta.url));

export const title = "page.wall";

addTexts({
  en: {
    "wall.opening": "Connecting…", "wall.live": "Live",
    "wall.lost": "The link to the daemon is lost. The numbers are as of {time}. Trying again…",
    "wall.refused": "This page is not kept up to date: {reason}. Trying again…",
    "wall.down": "Asterisk cannot be followed. The numbers are as of {time}. {reason}",
    "wall.never": "Asterisk has not been reached yet. {reason}",
    "wall.lack": "Something is missing: {reason}", "wall.asof": "as of {time}",
    "wall.queues": "Queues", "wall.extensions": "Extensions", "wall.calls": "Calls", "wall.receivers": "Receivers of events",
    "wall.noqueues": "There is no queue.", "wall.nocalls": "Nobody is talking.", "wall.noextensions": "No extension fits.",
    "wall.waiting": "waiting", "wall.oldest": "longest wait", "wall.level": "answered in {n} s", "wall.answered": "answered today", "wall.abandoned": "abandoned today",
    "wall.agents": "Agents", "wall.noagents": "nobody signed in",
    "agent.ready": "ready", "agent.busy": "busy", "agent.acw": "after-call work", "agent.unready": "break", "agent.login": "signed in", "agent.away": "not reachable",
    "agent.logout": "signed out",
    "exten.idle": "free", "exten.inuse": "in a call", "exten.busy": "busy", "exten.ringing": "rings", "exten.hold": "on hold", "exten.unavailable": "not reachable",
    "wall.search": "Search number, name, queue", "wall.show": "Show", "wall.all": "all", "wall.agentsonly": "agents", "wall.count": "{n} of {all}",
    "dir.inbound": "inbound", "dir.outbound": "outbound", "dir.internal": "internal",
    "span.dial": "dials", "span.up": "answered", "span.ring": "rings", "span.talk": "talks", "span.hold": "hold", "span.queue": "waits", "span.ivr": "menu",
    "span.park": "parked", "span.voicemail": "voicemail", "span.feedback": "survey",
    "wall.withheld": "unknown", "wall.legs": "Legs of the call", "wall.more": "and {n} more", "wall.to": "calls", "wall.callsout": "calls", "wall.calledby": "called by",
    "recv.up": "takes events", "recv.down": "down", "recv.unknown": "not tried yet", "recv.pending": "{n} waiting", "recv.dead": "{n} refused", "recv.not": "cannot be read now",
  },
  zh: {
    "wall.opening": "正在连接…", "wall.live": "实时",
    "wall.lost": "与服务的连接已断开。数据截至 {time}，正在重连…",
    "wall.refused": "此页面未能实时更新：{reason}。正在重试…",
    "wall.down": "无法跟踪 Asterisk。数据截至 {time}。{reason}",
    "wall.never": "尚未连接到 Asterisk。{reason}",
    "wall.lack": "缺少部分权限或功能：{reason}", "wall.asof": "截至 {time}",
    "wall.queues": "队列", "wall.extensions": "分机", "wall.calls": "通话", "wall.receivers": "事件接收方",
    "wall.noqueues": "没有队列。", "wall.nocalls": "当前没有通话。", "wall.noextensions": "没有符合条件的分机。",
    "wall.waiting": "排队", "wall.oldest": "最长等待", "wall.level": "{n} 秒接通率", "wall.answered": "今日接听", "wall.abandoned": "今日放弃",
    "wall.agents": "坐席", "wall.noagents": "无人签入",
    "agent.ready": "示闲", "agent.busy": "通话", "agent.acw": "话后", "agent.unready": "示忙", "agent.login": "已签入", "agent.away": "不可用",
    "agent.logout": "已签出",
    "exten.idle": "空闲", "exten.inuse": "通话中", "exten.busy": "忙", "exten.ringing": "振铃", "exten.hold": "保持", "exten.unavailable": "不可用",
    "wall.search": "搜索号码、姓名、队列", "wall.show": "显示", "wall.all": "全部", "wall.agentsonly": "坐席", "wall.count": "{n} / {all}",
    "dir.inbound": "呼入", "dir.outbound": "呼出", "dir.internal": "内部",
    "span.dial": "呼叫中", "span.up": "已接通", "span.ring": "振铃", "span.talk": "通话", "span.hold": "保持", "span.queue": "排队", "span.ivr": "语音菜单",
    "span.park": "驻留", "span.voicemail": "留言", "span.feedback": "满意度评价",
    "wall.withheld": "未知", "wall.legs": "通话各方", "wall.more": "另有 {n} 方", "wall.to": "呼叫", "wall.callsout": "呼叫", "wall.calledby": "来自",
    "recv.up": "接收正常", "recv.down": "无法送达", "recv.unknown": "尚未发送", "recv.pending": "{n} 条待发", "recv.dead": "{n} 条被拒", "recv.not": "暂时无法读取",
  },
});

const clockTime = (ms) => pbxTime(ms).slice(11);

/** A running time; it stands still at stop, in ms, where that is given. */
function Running({ since, stop }) {
  return span(useSeconds(since, stop));
}

/** Redraws only when its row, the language, whether it is stale, or more has changed. */
class Row extends Component {
  shouldComponentUpdate(next) {
    return ["row", "stop", "lang", "more"].some((name) => next[name] !== this.props[name]);
  }
  render({ row, stop, more, as }) { return as({ row, stop, more }); }
}

const agentOrder = ["ready", "busy", "acw", "unready", "login", "away"];
const agentTone = { ready: "good", busy: "warn", acw: "warn", away: "bad" };

function Queue({ row, stop, more: within }) {
  const agents = agentOrder.filter((k) => row.agents[k] > 0);
  return html`<article class="card desk" aria-labelledby=${`queue-${row.id}`}>
    <h3 id=${`queue-${row.id}`}>${row.id}</h3>
    <dl class="figures">
      <div class=${row.waiting ? "alarm" : ""}><dt>${t("wall.waiting")}</dt><dd>${row.waiting}</dd></div>
      <div><dt>${t("wall.oldest")}</dt><dd>${row.oldest ? html`<${Running} since=${row.oldest} stop=${stop} />` : "–"}</dd></div>
      <div><dt>${t("wall.answered")}</dt><dd>${row.answered}</dd></div>
      <div><dt>${t("wall.abandoned")}</dt><dd>${row.abandoned}</dd></div>
      <div><dt>${t("wall.level", { n: within })}</dt><dd>${row.level === null ? "–" : `${Math.floor(row.level * 100)} %`}</dd></div>
    </dl>
    <p class="tags"><span class="sr">${t("wall.agents")}: </span>${agents.length
      ? agents.map((k) => html`<span class=${`tag ${agentTone[k] ?? ""}`} key=${k}>${row.agents[k]} ${t(`agent.${k}`)}</span> `)
      : html`<span class="quiet">${t("wall.noagents")}</span>`}</p>
  </article>`;
}

const extenTone = { idle: "good", inuse: "warn", busy: "warn", ringing: "warn", hold: "warn", unavailable: "" };

/** A sign for those who see it, a word for those who hear it. */
const Arrow = ({ sign, word }) => html`<span aria-hidden="true">${sign}</span><span class="sr">${word}</span>`;

/** What an agent is to a queue: one who is ready without a phone is not. */
const does = (row) => (row.agent === "ready" && row.state === "unavailable" ? "away" : row.agent);

function Exten({ row, stop }) {
  return html`<li class="exten">
    <span class="number">${row.id}</span>${row.name && html` <span class="name">${row.name}</span>`}
    <span class=${`tag ${does(row) === "away" ? agentTone.away : extenTone[row.state] ?? ""}`}>${t(`exten.${row.state}`)}${row.since && row.state !== "idle" && row.state !== "unavailable"
      && html` <${Running} since=${row.since} stop=${stop} />`}</span>
    ${row.agent && row.agent !== "logout" && does(row) !== "away" && html`<span class=${`tag ${agentTone[row.agent] ?? ""}`}>${t(`agent.${row.agent}`)}${row.reason ? ` (${row.reason})` : ""}${row.agent_since
      && html` <${Running} since=${row.agent_since} stop=${stop} />`}</span>`}
    ${row.call && html`<a href=${`#/call/${encodeURIComponent(row.call)}`}><${Arrow} sign=${row.outbound ? "→" : "←"} word=${t(row.outbound ? "wall.callsout" : "wall.calledby")} />${" "}
      ${row.party || t("wall.withheld")}</a>`}
    ${row.queues && html`<span class="quiet queues">${row.queues.join(" ")}</span>`}
  </li>`;
}

const stateTone = { talk: "good", hold: "warn", queue: "warn", ring: "warn", dial: "" };

function Call({ row, stop }) {
  const caller = row.caller || t("wall.withheld"), called = row.called || "–";
  return html`<li class="call">
    <a class="parties" href=${`#/call/${encodeURIComponent(row.id)}`}>
      ${caller}${row.caller_name && row.caller_name !== caller ? ` ${row.caller_name}` : ""} <${Arrow} sign="→" word=${t("wall.to")} /> ${called}</a>
    <span class=${`tag ${stateTone[row.state] ?? ""}`}>${t(`span.${row.state}`)} <${Running} since=${row.state_since} stop=${stop} /></span>
    <span class="quiet">${t(`dir.${row.direction}`)}${row.queue ? `, ${row.queue}` : ""}, <${Running} since=${row.since} stop=${stop} /></span>
    <ul class="legs" aria-label=${t("wall.legs")}>${row.legs.map((leg) => html`<li key=${leg.id}>
      ${leg.number || leg.name || t("wall.withheld")}: ${t(`span.${leg.state}`)} <${Running} since=${leg.since} stop=${stop} /></li>`)}
      ${row.more_legs && html`<li>${t("wall.more", { n: row.more_legs })}</li>`}</ul>
  </li>`;
}

function Receiver({ row }) {
  return html`<li><strong>${row.id}</strong> <span class=${`tag ${row.state === "up" ? "good" : row.state === "down" ? "bad" : ""}`}>${t(`recv.${row.state}`)}</span>
    ${row.pending > 0 && html` <span class="tag">${t("recv.pending", { n: row.pending })}</span>`}
    ${row.dead > 0 && html` <span class="tag bad">${t("recv.dead", { n: row.dead })}</span>`}</li>`;
}

const filters = ["all", "agents", "idle", "inuse", "ringing", "hold", "unavailable"];

/** Whether an extension is to be shown. */
export function fits(row, filter, words) {
  if (filter === "agents" ? !row.agent || row.agent === "logout" : filter !== "all" && row.state !== filter && !(filter === "inuse" && row.state === "busy")) return false;
  const text = [row.id, row.name, row.party, row.reason, ...(row.queues ?? [])].join(" ").toLowerCase();
  return words.every((w) => text.includes(w));
}

const order = new Intl.Collator(undefined, { numeric: true });

const byNumber = (a, b) => order.compare(a.id, b.id);

function Extensions({ rows, stop, stale }) {
  const [filter, setFilter] = useState("all");
  const [search, setSearch] = useState("");
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = [...rows.values()].filter((row) => fits(row, filter, words)).sort(byNumber);
  return html`<section aria-labelledby="wall-extensions">
    <${Heading} id="wall-extensions" text=${t("wall.extensions")} stale=${stale} stop=${stop} />
    <div class="bar">
      <label class="field"><span>${t("wall.search")}</span><input type="search" value=${search} onInput=${(e) => setSearch(e.target.value)} maxlength="80" /></label>
      <label class="field"><span>${t("wall.show")}</span><select value=${filter} onChange=${(e) => setFilter(e.target.value)}>${filters.map((f) => html`
        <option value=${f} selected=${f === filter}>${f === "all" ? t("wall.all") : f === "agents" ? t("wall.agentsonly") : t(`exten.${f}`)}</option>`)}</select></label>
      <output class="quiet">${t("wall.count", { n: shown.length, all: rows.size })}</output>
    </div>
    ${shown.length ? html`<ul class="extens">${shown.map((row) => html`<${Row} key=${row.id} row=${row} stop=${stop} lang=${lang()} as=${Exten} />`)}</ul>`
      : html`<p class="quiet">${t("wall.noextensions")}</p>`}
  </section>`;
}

const Heading = ({ id, text, stale, stop }) => html`<h2 id=${id}>${text}${stale && html` <small>${t("wall.asof", { time: clockTime(stop) })}</small>`}</h2>`;

/** What is to be said of the link, and how loud. */
function Banner({ feed }) {
  const time = asOf(feed) ? clockTime(asOf(feed)) : "";
  if (feed.refused) return html`<p class="notice bad" role="alert">${t("wall.refused", { reason: said(feed.refused) })}</p>`;
  if (feed.link === "opening") return html`<p class="notice" role="status">${t("wall.opening")}</p>`;
  if (feed.link === "lost") return html`<p class="notice bad" role="alert">${t("wall.lost", { time })}</p>`;
  const reason = said(feed.head.reason ?? "");
  if (!feed.head.live) return html`<p class="notice bad" role="alert">${t("wall.down", { time, reason })}</p>`;
  if (reason) return html`<p class="notice warn" role="status">${t("wall.lack", { reason })}</p>`;
  return html`<p class="notice good" role="status">${t("wall.live")}</p>`;
}

/** The wallboard. */
export default function Wall() {
  const feed = useLive();
  if (!feed.head) return html`<h1>${t(title)}</h1><${Banner} feed=${feed} />`;
  const stale = !isLive(feed);
  const stop = stale ? asOf(feed) : 0;
  const { queues, extensions, calls, receivers } = feed.rows;
  const within = feed.head.within_seconds;
  const row = (as, more) => (x) => html`<${Row} key=${x.id} row=${x} stop=${stop} lang=${lang()} more=${more} as=${as} />`;
  const unheard = feed.link !== "up";
  return html`<h1>${t(title)}</h1><${Banner} feed=${feed} />
    <div class=${stale ? "wall stale" : "wall"}>
      <section aria-labelledby="wall-queues"><${Heading} id="wall-queues" text=${t("wall.queues")} stale=${stale} stop=${stop} />
        ${queues.size ? html`<div class="queues">${[...queues.values()].sort(byNumber).map(row(Queue, within))}</div>`
          : html`<p class="quiet">${t("wall.noqueues")}</p>`}</section>
      <section aria-labelledby="wall-calls"><${Heading} id="wall-calls" text=${`${t("wall.calls")} (${calls.size})`} stale=${stale} stop=${stop} />
        ${calls.size ? html`<ul class="calls">${[...calls.values()].sort((a, b) => Date.parse(a.since) - Date.parse(b.since)).map(row(Call))}</ul>`
          : html`<p class="quiet">${t("wall.nocalls")}</p>`}</section>
      <${Extensions} rows=${extensions} stop=${stop} stale=${stale} />
    </div>
    <section class=${unheard ? "stale" : ""} aria-labelledby="wall-receivers">
      <${Heading} id="wall-receivers" text=${t("wall.receivers")} stale=${unheard} stop=${feed.seen} />
      ${feed.head.receivers_known ? html`<ul class="receivers">${[...receivers.values()].map(row(Receiver))}</ul>` : html`<p class="quiet">${t("recv.not")}</p>`}
    </section>`;
}
