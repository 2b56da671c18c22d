// Calls of which there is a recording, to be found and heard.

import { html, useState } from "../vendor/preact-htm.js";
import { urlOf } from "../api.js";
import { addTexts, t } from "../i18n.js";
import { lasted } from "../ui.js";
import { ListEnd, Table, clock, useList } from "../list.js";
import { CallForm, Party, asked } from "./history.js";

export const title = "page.recordings";

addTexts({
  en: {
    "rec.play": "Play", "rec.playOf": "Play the call of {start}", "rec.hide": "Hide", "rec.player": "Recording of the call of {start}", "rec.download": "Download",
    "rec.failed": "This recording cannot be played here: it is gone, or of a kind that the browser does not know.",
  },
  zh: {
    "rec.play": "播放", "rec.playOf": "播放 {start} 的通话", "rec.hide": "收起", "rec.player": "{start} 的通话录音", "rec.download": "下载",
    "rec.failed": "无法在此播放：录音已不存在，或浏览器不支持该格式。",
  },
});

function Player({ call }) {
  const [failed, fail] = useState(false);
  const source = urlOf(`calls/${encodeURIComponent(call.id)}/recording`);
  return html`<audio controls autoplay src=${source} aria-label=${t("rec.player", { start: clock(call.start) })} onError=${() => fail(true)}></audio>
    ${failed && html`<p class="notice bad" role="alert">${t("rec.failed")}</p>`}
    <p><a href=${source} download>${t("rec.download")}</a></p>`;
}

function Row({ call }) {
  const [open, toggle] = useState(false);
  return html`<tr>
      <td class="when"><a href=${`#/call/${encodeURIComponent(call.id)}`} aria-label=${t("calls.open", { start: clock(call.start) })}>${clock(call.start)}</a></td>
      <td>${t(`direction.${call.direction}`)}</td>
      <td><${Party} number=${call.caller} name=${call.caller_name} /></td><td><${Party} number=${call.called} name=${call.called_name} /></td>
      <td>${call.queue}</td><td>${call.agent}</td><td class="number">${lasted(call.talk)}</td>
      <td><button type="button" aria-expanded=${open} aria-label=${open ? undefined : t("rec.playOf", { start: clock(call.start) })} onClick=${() => toggle(!open)}>
        ${t(open ? "rec.hide" : "rec.play")}</button></td></tr>
    ${open && html`<tr><td colspan="8"><${Player} call=${call} /></td></tr>`}`;
}

export default function Recordings({ query }) {
  const list = useList("calls", { ...asked(query), recorded: "yes" }, "calls");
  const th = (name, number) => html`<th scope="col" class=${number && "number"}>${t(`calls.${name}`)}</th>`;
  return html`<h1>${t(title)}</h1>
    <${CallForm} page="recordings" query=${query} reload=${list.reload} />
    ${list.rows.length > 0 && html`<${Table} caption=${t(title)}>
      <thead><tr>${th("start")}${th("direction")}${th("caller")}${th("called")}${th("queue")}${th("agent")}${th("talk", true)}${th("recording")}</tr></thead>
      <tbody>${list.rows.map((call) => html`<${Row} key=${call.id} call=${call} />`)}</tbody><//>`}
    <${ListEnd} list=${list} />`;
}
