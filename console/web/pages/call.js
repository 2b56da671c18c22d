import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { urlOf } from "../api.js";
import { addTexts, locale, said, t } from "../i18n.js";
import { Failure, lasted, span, useLoad } from "../ui.js";
import { clock } from "../list.js";
import { addStyle } from "../sheet.js";

addStyle(new URL("call.css", import.meta.url));

export const title = "page.call";

addTexts({
  en: {
    "call.heading": "Call from {caller} to {called}", "call.withheld": "unknown", "call.none": "There is no such call.",
    "call.live": "goes on", "call.afterwork": "ended, an agent works on it", "call.ended": "ended",
    "call.facts": "The call", "call.state": "State", "call.direction": "Direction", "call.inbound": "inbound", "call.outbound": "outbound", "call.internal": "internal",
    "call.start": "Began", "call.end": "Ended", "call.duration": "Length", "call.did": "Number called", "call.queue": "Queue", "call.agent": "Agent", "call.id": "Id",
    "call.answered": "Answered", "call.endedby": "Ended by", "call.by.caller": "the caller", "call.by.called": "the called party", "call.by.system": "the system",
    "call.cause": "Cause", "call.miss": "Not answered because", "call.talk": "Talk", "call.wait": "Waiting", "call.ring": "Ringing", "call.hold": "Hold", "call.score": "Rating",
    "miss.nobody": "nobody was signed in", "miss.gave-up": "the caller gave up early", "miss.unanswered": "agents were rung", "miss.unassigned": "no agent could be rung",
    "call.remark": "Kept with it", "call.linklost": "Asterisk was not heard from when it ended: the end is the last moment at which the call was known to live.",
    "call.truncated": "The call had more stretches than are kept.",
    "call.timeline": "Timeline", "call.picture": "Timeline of the call as bars, one line for each party. The table below says the same.", "call.empty": "Nothing was noted of this call.",
    "call.table": "The timeline as a table", "call.what": "What", "call.who": "Who", "call.where": "Where", "call.outcome": "Outcome", "call.from": "From", "call.after": "After", "call.length": "Length",
    "call.lasts": "goes on", "call.agents": "Extensions in the call", "call.rings": "Rung", "call.after_work": "After-call work", "call.extension": "Extension",
    "call.recording": "Recording", "call.norecording": "The call was not recorded.", "call.gone": "The recording is not there: {name}",
    "call.elsewhere": "The recording lies outside of the recordings directory.", "call.unplayable": "The browser cannot play this file. It can be downloaded.",
    "call.growing": "The call goes on: what is heard is what was written when the player was opened.", "call.download": "Download", "call.play": "Recording of the call", "call.reopen": "Open anew",
    "kind.ivr": "Menu", "kind.feedback": "Survey", "kind.queue": "Queue", "kind.ring": "Rings", "kind.talk": "Talks", "kind.hold": "Hold", "kind.park": "Parked",
    "kind.voicemail": "Voicemail", "kind.afterwork": "After-call work", "kind.transfer": "Transfer", "kind.pickup": "Pickup", "kind.forward": "Forward",
    "out.ANSWER": "answered", "out.BUSY": "busy", "out.NOANSWER": "not answered", "out.CANCEL": "given up", "out.CONGESTION": "refused", "out.CHANUNAVAIL": "not reachable",
    "out.connected": "put through", "out.nobody": "nobody was signed in", "out.gave-up": "given up early", "out.unanswered": "not answered", "out.unassigned": "no agent could be rung",
    "out.blind": "without asking", "out.attended": "after asking",
    "call.keys": "keys {digits}", "call.legend": "What the bars mean", "call.system": "System",
  },
  zh: {
    "call.heading": "{caller} 呼叫 {called}", "call.withheld": "未知", "call.none": "没有这通通话。",
    "call.live": "进行中", "call.afterwork": "已结束，坐席话后处理中", "call.ended": "已结束",
    "call.facts": "通话信息", "call.state": "状态", "call.direction": "方向", "call.inbound": "呼入", "call.outbound": "呼出", "call.internal": "内部",
    "call.start": "开始", "call.end": "结束", "call.duration": "时长", "call.did": "被叫号码", "call.queue": "队列", "call.agent": "坐席", "call.id": "编号",
    "call.answered": "已接听", "call.endedby": "挂断方", "call.by.caller": "主叫", "call.by.called": "被叫", "call.by.system": "系统",
    "call.cause": "原因", "call.miss": "未接原因", "call.talk": "通话", "call.wait": "排队", "call.ring": "振铃", "call.hold": "保持", "call.score": "评价",
    "miss.nobody": "无人签入", "miss.gave-up": "主叫过早挂断", "miss.unanswered": "已振铃未接", "miss.unassigned": "无法分配坐席",
    "call.remark": "附加信息", "call.linklost": "通话结束时与 Asterisk 失去联系：结束时间为最后一次确认通话存在的时间。",
    "call.truncated": "通话经历过多，部分未保留。",
    "call.timeline": "时间轴", "call.picture": "通话时间轴，每行为一方。下方表格内容相同。", "call.empty": "没有记录这通通话的经过。",
    "call.table": "时间轴表格", "call.what": "阶段", "call.who": "对象", "call.where": "位置", "call.outcome": "结果", "call.from": "时间", "call.after": "起始", "call.length": "时长",
    "call.lasts": "进行中", "call.agents": "参与分机", "call.rings": "振铃次数", "call.after_work": "话后处理", "call.extension": "分机",
    "call.recording": "录音", "call.norecording": "此通话没有录音。", "call.gone": "录音文件不存在：{name}",
    "call.elsewhere": "录音文件不在录音目录中。", "call.unplayable": "浏览器无法播放此文件，可以下载。",
    "call.growing": "通话仍在进行：播放的是打开播放器时已写入的内容。", "call.download": "下载", "call.play": "通话录音", "call.reopen": "重新打开",
    "kind.ivr": "语音菜单", "kind.feedback": "满意度评价", "kind.queue": "排队", "kind.ring": "振铃", "kind.talk": "通话", "kind.hold": "保持", "kind.park": "驻留",
    "kind.voicemail": "留言", "kind.afterwork": "话后处理", "kind.transfer": "转接", "kind.pickup": "代答", "kind.forward": "前转",
    "out.ANSWER": "已接听", "out.BUSY": "忙", "out.NOANSWER": "无人接听", "out.CANCEL": "主叫放弃", "out.CONGESTION": "被拒绝", "out.CHANUNAVAIL": "不可用",
    "out.connected": "已接通", "out.nobody": "无人签入", "out.gave-up": "过早放弃", "out.unanswered": "无人接听", "out.unassigned": "无法分配坐席",
    "out.blind": "盲转", "out.attended": "咨询转接",
    "call.keys": "按键 {digits}", "call.legend": "图例", "call.system": "系统",
  },
});

const moments = new Set(["transfer", "pickup", "forward"]);

/** Where a stretch took place, in words. */
function place(sp) {
  const parts = [sp.name ? `${sp.place} ${sp.name}`.trim() : sp.place, sp.digits && t("call.keys", { digits: sp.digits })];
  return parts.filter(Boolean).join(", ");
}

/** How a stretch ended, in words where there are some. */
function outcome(sp) {
  const key = `out.${sp.outcome}`, words = sp.outcome ? t(key) : "";
  return words === key ? sp.outcome : words;
}

/** How long a stretch was: short ones with a tenth of a second. */
const length = (seconds) => (seconds < 10 ? `${seconds.toLocaleString(locale(), { minimumFractionDigits: 1, maximumFractionDigits: 1 })} s` : lasted(seconds));

/** The parties of a timeline in the order of their coming, each with its stretches. Those of one channel are one party. */
export function lanes(timeline) {
  const list = new Map();
  for (const sp of timeline) {
    const key = sp.channel || sp.party || "";
    if (!list.has(key)) list.set(key, { key, party: "", spans: [] });
    const lane = list.get(key);
    lane.party ||= sp.party;
    lane.spans.push(sp);
  }
  return [...list.values()];
}

/** Round lengths in seconds at which a scale has its marks: about five of them. */
export function marks(total) {
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200].find((s) => total / s <= 6) ?? 86400;
  return Array.from({ length: Math.floor(total / step) + 1 }, (_, i) => i * step);
}

/** The time that a picture covers, in ms: all of the call, and an agent's work after it. */
function extent(call) {
  const from = Math.min(Date.parse(call.start), ...call.timeline.map((sp) => Date.parse(sp.start)));
  const ends = call.timeline.map((sp) => Date.parse(sp.start) + sp.seconds * 1000);
  const to = Math.max(Date.parse(call.end ?? call.now), ...ends);
  return { from, total: Math.max(1000, to - from) };
}

function Bar({ sp, from, total }) {
  const left = (100 * (Date.parse(sp.start) - from)) / total, width = (100 * sp.seconds * 1000) / total;
  const what = t(`kind.${sp.kind}`), where = place(sp);
  const text = [what, where, outcome(sp), moments.has(sp.kind) ? "" : length(sp.seconds)].filter(Boolean).join(" · ");
  return moments.has(sp.kind)
    ? html`<span class=${`mark ${sp.kind}`} style=${{ left: `${left}%` }} title=${text}>◆</span>`
    : html`<span class=${`stretch ${sp.kind}`} style=${{ left: `${left}%`, width: `${width}%` }} title=${text}>${what}${where ? ` ${where}` : ""}</span>`;
}

function Picture({ call }) {
  const { from, total } = extent(call);
  const kinds = [...new Set(call.timeline.map((sp) => sp.kind))];
  return html`<div class="timeline" role="img" aria-label=${t("call.picture")}>
    <div class="scale"><span class="who"></span><div class="track">${marks(total / 1000).map((s) => html`
      <span class=${s > total / 1250 ? "tick late" : "tick"} key=${s} style=${{ left: `${(100000 * s) / total}%` }}>${span(s)}</span>`)}</div></div>
    ${lanes(call.timeline).map((lane) => html`<div class="lane" key=${lane.key}><span class="who">${lane.party || t("call.system")}</span>
      <div class="track">${lane.spans.map((sp, i) => html`<${Bar} key=${i} sp=${sp} from=${from} total=${total} />`)}</div></div>`)}
  </div>
  <ul class="legend" aria-label=${t("call.legend")}>${kinds.map((k) => html`<li key=${k}><span class=${moments.has(k) ? "mark" : `sample ${k}`} aria-hidden="true">${moments.has(k) ? "◆" : ""}</span>
    ${t(`kind.${k}`)}</li>`)}</ul>`;
}

/** A table that can be scrolled by keyboard where it is too wide. */
const Wide = ({ label, children }) => html`<div class="scroll" tabindex="0" role="region" aria-label=${label}>${children}</div>`;

function Story({ call }) {
  const { from } = extent(call);
  return html`<${Wide} label=${t("call.table")}><table><caption>${t("call.table")}</caption>
    <thead><tr>${["what", "who", "where", "outcome", "from"].map((k) => html`<th scope="col" key=${k}>${t(`call.${k}`)}</th>`)}
      <th scope="col" class="number">${t("call.after")}</th><th scope="col" class="number">${t("call.length")}</th></tr></thead>
    <tbody>${call.timeline.map((sp, i) => html`<tr key=${i}><td>${t(`kind.${sp.kind}`)}</td><td>${sp.party || ""}</td><td>${place(sp)}</td><td>${outcome(sp)}</td>
      <td>${clock(sp.start).slice(11)}</td><td class="number">${length((Date.parse(sp.start) - from) / 1000)}</td>
      <td class="number">${moments.has(sp.kind) ? "" : length(sp.seconds)}${sp.end ? "" : ` ${t("call.lasts")}`}</td></tr>`)}</tbody></table><//>`;
}

function Shares({ call }) {
  if (!call.agents.length) return null;
  const lengths = ["ring", "talk", "hold", "after_work"];
  return html`<section class="card"><${Wide} label=${t("call.agents")}><table><caption>${t("call.agents")}</caption>
    <thead><tr><th scope="col">${t("call.extension")}</th><th scope="col">${t("call.queue")}</th><th scope="col" class="number">${t("call.rings")}</th>
      ${lengths.map((k) => html`<th scope="col" class="number" key=${k}>${t(`call.${k}`)}</th>`)}</tr></thead>
    <tbody>${call.agents.map((a) => html`<tr key=${a.extension}><th scope="row">${a.extension}</th><td>${a.queue ?? ""}</td><td class="number">${a.rings}</td>
      ${lengths.map((k) => html`<td class="number" key=${k}>${lasted(a[k])}</td>`)}</tr>`)}</tbody></table><//></section>`;
}

function Player({ call }) {
  const [unplayable, fail] = useState(false);
  const [turn, again] = useState(0);
  const r = call.recording, address = urlOf(`calls/${encodeURIComponent(call.id)}/recording`);
  let content;
  if (!r) content = html`<p class="quiet">${t("call.norecording")}</p>`;
  else if (!r.name) content = html`<p class="notice warn">${t("call.elsewhere")}</p>`;
  else if (!r.there) content = html`<p class="notice warn">${t("call.gone", { name: r.name })}</p>`;
  else {
    content = html`<audio key=${turn} controls preload="none" src=${address} aria-label=${t("call.play")} onError=${() => fail(true)}></audio>
      ${unplayable && html`<p class="notice warn" role="status">${t("call.unplayable")}</p>`}
      ${call.state === "live" && html`<p class="quiet">${t("call.growing")} <button type="button" class="link" onClick=${() => { fail(false); again((n) => n + 1); }}>${t("call.reopen")}</button></p>`}
      <p><a href=${address} download=${r.name.split("/").pop()}>${t("call.download")}</a> <span class="quiet">${r.name}</span></p>`;
  }
  return html`<section class="card" aria-labelledby="call-recording"><h2 id="call-recording">${t("call.recording")}</h2>${content}</section>`;
}

function Facts({ call }) {
  const rows = [
    ["state", t(`call.${call.state}`)], ["direction", t(`call.${call.direction}`)], ["start", clock(call.start)], ["end", clock(call.end)], ["duration", lasted(call.duration)],
    ["did", call.did], ["queue", call.queue], ["agent", call.agent], ["answered", t(call.answered ? "ui.yes" : "ui.no")], ["miss", call.miss && t(`miss.${call.miss}`)],
    ["wait", call.waiting > 0 && lasted(call.waiting)], ["ring", call.ring > 0 && lasted(call.ring)], ["talk", call.talk > 0 && lasted(call.talk)],
    ["hold", call.hold > 0 && lasted(call.hold)], ["score", call.score], ["endedby", call.ended_by && t(`call.by.${call.ended_by}`)],
    ["cause", call.cause && `${call.cause} ${said(call.cause_text ?? "")}`], ["remark", call.remark], ["id", call.id],
  ];
  return html`<section class="card" aria-labelledby="call-facts"><h2 id="call-facts">${t("call.facts")}</h2>
    <dl class="callfacts">${rows.filter(([, v]) => v).map(([k, v]) => html`<div key=${k}><dt>${t(`call.${k}`)}</dt><dd>${v}</dd></div>`)}</dl></section>`;
}

const soon = 2000; // ms until a call that is not over is asked for once more

/** One call; of another one nothing is kept. */
export default ({ args }) => html`<${Call} key=${args?.[0]} id=${args?.[0] ?? ""} />`;

function Call({ id }) {
  const { data: call, error, loading, reload } = useLoad(`calls/${encodeURIComponent(id)}`);
  useEffect(() => {
    if (!call || call.state === "ended" || loading) return undefined;
    const timer = setTimeout(reload, soon);
    return () => clearTimeout(timer);
  }, [call, loading, error]);
  if (!call) {
    if (error?.status === 404) return html`<h1>${t(title)}</h1><p class="notice bad" role="alert">${t("call.none")}</p>`;
    return html`<h1>${t(title)}</h1>${error ? html`<${Failure} error=${error} retry=${reload} />` : html`<p class="quiet">${t("ui.loading")}</p>`}`;
  }
  return html`<h1>${t("call.heading", { caller: call.caller || t("call.withheld"), called: call.called || "–" })}</h1>
    <${Failure} error=${error} retry=${reload} />
    <div class=${error ? "stale" : ""}>
      ${call.link_lost && html`<p class="notice warn">${t("call.linklost")}</p>`}
      ${call.truncated && html`<p class="notice warn">${t("call.truncated")}</p>`}
      <section class="card" aria-labelledby="call-timeline"><h2 id="call-timeline">${t("call.timeline")}</h2>
        ${call.timeline.length ? html`<${Picture} call=${call} /><${Story} call=${call} />` : html`<p class="quiet">${t("call.empty")}</p>`}</section>
      <${Player} call=${call} />
      <${Facts} call=${call} />
      <${Shares} call=${call} />
    </div>`;
}
