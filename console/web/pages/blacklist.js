// Numbers that may not call in, or not be called.

import { html, useState } from "../vendor/preact-htm.js";
import { send } from "../api.js";
import { addTexts, said, t } from "../i18n.js";
import { Dialog, Failure, Field } from "../ui.js";
import { Choice, Confirm, ListEnd, SearchForm, Table, clock, useList, withQuery } from "../list.js";

export const title = "page.blacklist";

addTexts({
  en: {
    "black.number": "Number", "black.direction": "Shut out of", "black.note": "Note", "black.created": "Since", "black.text": "Number or note", "black.any": "Any calls",
    "black.inbound": "Calls from it", "black.outbound": "Calls to it", "black.both": "Calls from and to it", "black.add": "Add", "black.new": "Shut a number out",
    "black.hint": "As the trunk shows it: 0-9, +, *, #", "black.remove": "Remove", "black.removeOf": "Remove {number}", "black.sure": "Let {number} in again?",
    "black.change": "Change the note", "black.noteOf": "Change the note of {number}", "black.noted": "The note of {number} is changed.",
    "black.added": "{number} is on the list.", "black.removed": "{number} is off the list.", "black.all": "Numbers in all: {n}",
    "black.pending": "Asterisk has not taken {n} changes yet; its dialplan goes by the list of before.", "black.trouble": "Asterisk could not be asked: {why}.",
    "black.compared": "compared with Asterisk at {at}", "black.action": "Action",
  },
  zh: {
    "black.number": "号码", "black.direction": "禁止", "black.note": "备注", "black.created": "加入时间", "black.text": "号码或备注", "black.any": "不限",
    "black.inbound": "该号码呼入", "black.outbound": "呼叫该号码", "black.both": "呼入和呼出", "black.add": "加入", "black.new": "加入黑名单",
    "black.hint": "与中继显示一致：0-9、+、*、#", "black.remove": "移除", "black.removeOf": "移除 {number}", "black.sure": "将 {number} 移出黑名单？",
    "black.change": "修改备注", "black.noteOf": "修改备注：{number}", "black.noted": "{number} 的备注已修改。",
    "black.added": "{number} 已加入黑名单。", "black.removed": "{number} 已移出黑名单。", "black.all": "共 {n} 个号码",
    "black.pending": "Asterisk 尚未接受 {n} 处改动，拨号方案仍按旧名单执行。", "black.trouble": "无法查询 Asterisk：{why}。",
    "black.compared": "与 Asterisk 核对于 {at}", "black.action": "操作",
    "error.number: must be 1 to 32 of the characters 0-9 + * #": "号码须为 1 至 32 个字符：0-9、+、*、#", "error.there is none": "该号码不在名单中",
    "error.note: must be UTF-8 of at most 255 characters without control characters": "备注最多 255 个字符",
  },
});

const Ways = ({ any, value }) => html`<${Choice} name="direction" value=${value} any=${any} options=${["inbound", "outbound", "both"].map((w) => [w, t(`black.${w}`)])} />`;

function Add({ onDone }) {
  const [state, set] = useState({});
  const add = async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    set({ busy: true });
    try {
      const entry = await send("POST", "blacklist", Object.fromEntries(new FormData(form)));
      form.reset();
      set({});
      onDone(t("black.added", { number: entry.number }));
    } catch (error) {
      set({ error });
    }
  };
  return html`<form class="card" onSubmit=${add}><h2>${t("black.new")}</h2>
    <div class="bar"><${Field} label=${t("black.number")} hint=${t("black.hint")}><input name="number" required maxlength="32" inputmode="tel" autocomplete="off" /><//>
      <${Field} label=${t("black.direction")}><${Ways} value="inbound" /><//>
      <${Field} label=${t("black.note")}><input name="note" maxlength="255" autocomplete="off" /><//>
      <button class="primary" type="submit" disabled=${state.busy}>${t("black.add")}</button></div>
    <${Failure} error=${state.error} /></form>`;
}

/** Changes the note of a number, which may be emptied. */
function Note({ of, onClose, onDone }) {
  const [state, set] = useState({});
  const save = async (event) => {
    event.preventDefault();
    set({ busy: true });
    try {
      await send("PUT", "blacklist", { number: of.number, note: new FormData(event.target).get("note") });
      onDone();
    } catch (error) {
      set({ error });
    }
  };
  return html`<${Dialog} title=${t("black.noteOf", of)} onClose=${onClose}>
    <form onSubmit=${save}><${Field} label=${t("black.note")}><input name="note" defaultValue=${of.note} maxlength="255" autocomplete="off" /><//>
      <${Failure} error=${state.error} />
      <div class="buttons"><button class="primary" disabled=${state.busy}>${t("ui.save")}</button><button type="button" onClick=${onClose}>${t("ui.cancel")}</button></div></form><//>`;
}

/** How far Asterisk knows the list. */
function State({ data }) {
  if (!data) return null;
  return html`${data.pending > 0 && html`<p class="notice warn">${t("black.pending", { n: data.pending })}</p>`}
    ${data.trouble && html`<p class="notice warn">${t("black.trouble", { why: said(data.trouble) })}</p>`}
    <p class="quiet">${t("black.all", { n: data.entries })}${data.compared && `, ${t("black.compared", { at: clock(data.compared) })}`}</p>`;
}

export default function BlackList({ query }) {
  const list = useList("blacklist", query, "numbers", "after");
  const [done, tell] = useState("");
  const [leaving, leave] = useState(null);
  const [editing, edit] = useState(null);
  const remove = async () => {
    await send("DELETE", withQuery("blacklist", { number: leaving }));
    tell(t("black.removed", { number: leaving }));
    list.reload();
  };
  const th = (name) => html`<th scope="col">${t(`black.${name}`)}</th>`;
  return html`<h1>${t(title)}</h1>
    <${Add} onDone=${(text) => { tell(text); list.reload(); }} />
    <div role="status">${done && html`<p class="notice good">${done}</p>`}</div>
    <${SearchForm} page="blacklist" query=${query} reload=${list.reload}>
      <${Field} label=${t("black.text")}><input name="text" type="search" defaultValue=${query.text ?? ""} maxlength="100" /><//>
      <${Field} label=${t("black.direction")}><${Ways} any=${t("black.any")} value=${query.direction} /><//>
      <button type="submit">${t("ui.search")}</button><//>
    <${State} data=${list.data} />
    ${list.rows.length > 0 && html`<${Table} caption=${t(title)}>
      <thead><tr>${th("number")}${th("direction")}${th("note")}${th("created")}${th("action")}</tr></thead>
      <tbody>${list.rows.map((n) => html`<tr key=${n.number}><td>${n.number}</td><td>${t(`black.${n.direction}`)}</td><td>${n.note}</td><td class="when">${clock(n.created)}</td>
        <td><div class="buttons"><button type="button" aria-label=${t("black.noteOf", n)} onClick=${() => edit(n)}>${t("black.change")}</button>
          <button type="button" class="danger" aria-label=${t("black.removeOf", { number: n.number })} onClick=${() => leave(n.number)}>${t("black.remove")}</button></div></td></tr>`)}
      </tbody><//>`}
    <${ListEnd} list=${list} />
    ${leaving && html`<${Confirm} title=${t("black.remove")} text=${t("black.sure", { number: leaving })} action=${t("black.remove")} danger
      act=${remove} onClose=${() => leave(null)} />`}
    ${editing && html`<${Note} of=${editing} onClose=${() => edit(null)} onDone=${() => { tell(t("black.noted", editing)); edit(null); list.reload(); }} />`}`;
}
