// The agent toolbar: what he sees and presses.

import { html, render, useEffect, useState } from "../vendor/preact-htm.js";
import { t, lang, setLang, onLang } from "../i18n.js";
import { theme, setTheme } from "../theme.js";
import { Agent } from "./agent.js";
import { embed } from "./embedding.js";
import { refusal } from "./texts.js";

const agent = new Agent();

/** 75 -> "1:15". */
const clock = (ms) => {
  const n = Math.max(0, Math.floor(ms / 1000)), two = (x) => String(x).padStart(2, "0");
  return n < 3600 ? `${Math.floor(n / 60)}:${two(n % 60)}` : `${Math.floor(n / 3600)}:${two(Math.floor(n / 60) % 60)}:${two(n % 60)}`;
};

/** Draws anew each second while it is on. */
function useSeconds(on) {
  const [, again] = useState(0);
  useEffect(() => {
    if (!on) return undefined;
    const timer = setInterval(() => again((n) => n + 1), 500);
    return () => clearInterval(timer);
  }, [on]);
}

/** A form of one field with buttons; what does it is told the number. */
function NumberForm({ id, label, disabled, actions }) {
  const [value, set] = useState("");
  const run = async (does) => { if (value.trim() && await does(value.trim())) set(""); };
  return html`<form class="line" onSubmit=${(e) => { e.preventDefault(); run(actions[0].does); }}>
    <label for=${id} class="sr">${label}</label>
    <input id=${id} type="tel" autocomplete="off" placeholder=${label} value=${value} disabled=${disabled} onInput=${(e) => set(e.target.value)} />
    ${actions.map((a, i) => html`<button key=${a.id} id=${a.id} type=${i === 0 ? "submit" : "button"} disabled=${disabled} onClick=${i === 0 ? undefined : () => run(a.does)}>${a.label}</button>`)}
  </form>`;
}

function SignIn({ state }) {
  const user = Boolean(state.status && state.status.user);
  const submit = (e) => {
    e.preventDefault();
    const value = (name) => (e.target.elements[name] ? e.target.elements[name].value.trim() : "");
    agent.signIn({ username: value("username"), password: e.target.elements.password.value, queues: value("queues"), extn: value("extn") });
  };
  return html`<form class="signin" onSubmit=${submit}>
    <label class="field"><span>${t("bar.extension")}</span><input id="username" name="username" autocomplete="username" required /></label>
    <label class="field"><span>${t("bar.password")}</span><input id="password" name="password" type="password" autocomplete="current-password" required /></label>
    ${user && html`<label class="field"><span>${t("bar.own")}</span><input id="extn" name="extn" inputmode="numeric" required /></label>`}
    <label class="field"><span>${t("bar.queues")}</span><input id="queues" name="queues" autocomplete="off" aria-describedby="queues-hint" /><small id="queues-hint">${t("bar.queuesHint")}</small></label>
    <button id="signin" class="primary" disabled=${state.busy}>${state.busy ? t("bar.connecting") : t("bar.signIn")}</button>
  </form>`;
}

const looks = { ready: "good", unready: "warn", busy: "bad", acw: "warn", login: "", logout: "" };

/** What he does, in words, and what may be done about it. */
function Presence({ state, off }) {
  const [reason, setReason] = useState("");
  const does = state.agent ? state.agent.state : "logout";
  const counting = does === "acw" && state.afterCallEnds > 0;
  useSeconds(counting && !off);
  const left = Math.max(0, Math.ceil((state.afterCallEnds - performance.now()) / 1000));
  const key = does === "ready" ? "bar.ready" : `bar.${does}`;
  return html`<section class="line" aria-label=${t("bar.stateOf")}>
    <span id="state" class=${`tag ${looks[does] || ""}`} data-state=${does} role="status">${t(key)}</span>
    ${counting && html`<span id="countdown" role="timer">${t("bar.left", { seconds: left })}</span>`}
    ${does === "logout" ? html`<${NumberForm} id="join" label=${t("bar.queues")} disabled=${off} actions=${[{ id: "do-join", label: t("bar.joinQueues"), does: (q) => agent.joinQueues(q) }]} />` : html`
      <button id="ready" class="primary" disabled=${off || does === "ready"} onClick=${() => agent.ready()}>${t("bar.ready")}</button>
      <form class="line" onSubmit=${(e) => { e.preventDefault(); agent.pause(reason.trim()); }}>
        <label for="reason" class="sr">${t("bar.reason")}</label>
        <input id="reason" list="reasons" autocomplete="off" maxlength="26" placeholder=${t("bar.reason")} value=${reason} disabled=${off} onInput=${(e) => setReason(e.target.value)} />
        <datalist id="reasons">${["lunch", "rest", "meeting", "training"].map((r) => html`<option value=${t(`reason.${r}`)}></option>`)}</datalist>
        <button id="break" disabled=${off}>${t("bar.break")}</button>
      </form>`}
  </section>`;
}

/** The call that he has. */
function Call({ state, off }) {
  const { call } = state;
  useSeconds(Boolean(call && state.talkingSince) && !off);
  if (!call) return null;
  const inbound = call.direction === "inbound", canAnswer = inbound && state.status && state.status.answer;
  const title = !call.answered ? t(inbound ? "bar.incoming" : "bar.outgoing") : state.asking ? t("bar.asking", { number: state.asking }) : state.held ? t("bar.onHold") : t("bar.talking");
  return html`<section id="call" class=${`card call ${call.answered ? "" : "rings"}`} aria-label=${t("bar.call")}>
    <h2><span id="call-state" role="status">${title}</span></h2>
    <p id="caller" class="caller">${call.number || t("bar.unknown")}</p>
    <dl>
      ${call.queue && html`<div><dt>${t("bar.queue")}</dt><dd id="call-queue">${call.queue}</dd></div>`}
      ${inbound && call.called && html`<div><dt>${t("bar.called")}</dt><dd id="call-called">${call.called}</dd></div>`}
      ${state.talkingSince > 0 && html`<div><dt>${t("bar.since")}</dt><dd id="call-time">${clock(performance.now() - state.talkingSince)}</dd></div>`}
    </dl>
    ${state.held === "phone" && html`<p id="at-phone" class="quiet">${t("bar.holdAtPhone")}</p>`}
    ${state.blocked && html`<p class="notice warn" role="alert">${t("bar.blocked")}</p>`}
    ${state.popUrl && state.status && state.status.pop === "tab" && html`<p><a id="pop" href=${state.popUrl} target="dialbridge-pop" rel="opener" onClick=${() => agent.set({ blocked: false })}>${t("bar.pop")}</a></p>`}
    ${inbound && !call.answered && !canAnswer && html`<p class="quiet">${t("bar.atPhone")}</p>`}
    <div class="line">
      ${!call.answered && canAnswer && html`<button id="answer" class="primary" disabled=${off} onClick=${() => agent.answer()}>${t("bar.answer")}</button>`}
      <button id="hangup" class="danger" disabled=${off} onClick=${() => agent.hangup()}>${t("bar.hangup")}</button>
      ${call.answered && !state.held && html`<button id="hold" disabled=${off} onClick=${() => agent.hold()}>${t("bar.hold")}</button>`}
      ${call.answered && state.held === "server" && html`<button id="unhold" disabled=${off} onClick=${() => agent.unhold()}>${t("bar.unhold")}</button>`}
      ${state.asking && html`<button id="complete" class="primary" disabled=${off} onClick=${() => agent.complete()}>${t("bar.complete")}</button>
        <button id="cancel" disabled=${off} onClick=${() => agent.cancel()}>${t("bar.cancel")}</button>`}
      ${state.thirds.map((number) => html`<button key=${number} class="leave" disabled=${off} onClick=${() => agent.leaveThird(number)}>${t("bar.leave", { number })}</button>`)}
    </div>
    ${call.answered && !state.asking && html`<${NumberForm} id="target" label=${t("bar.target")} disabled=${off} actions=${[
      { id: "transfer", label: t("bar.transfer"), does: (n) => agent.transfer(n) },
      { id: "consult", label: t("bar.consult"), does: (n) => agent.consult(n) },
      { id: "three", label: t("bar.three"), does: (n) => agent.three(n) },
    ]} />`}
  </section>`;
}

/** Who waits in his queues. */
function Waiting({ state, off }) {
  if (state.callers.length === 0) return null;
  return html`<section aria-label=${t("bar.waiting")}>
    <h2>${t("bar.waiting")}</h2>
    <ul id="waiting" class="waiting">${state.callers.slice(0, 10).map((c) => html`<li key=${c.uuid}><span>${c.number || t("bar.unknown")} · ${c.queue}</span>
      <button disabled=${off || Boolean(state.call)} onClick=${() => agent.take(c.uuid)}>${t("bar.take", { number: c.number })}</button></li>`)}</ul>
  </section>`;
}

function Listen({ state, off }) {
  if (!state.status || !state.status.user) return null;
  return html`<section aria-label=${t("bar.more")}>${state.listening
    ? html`<button id="unlisten" disabled=${off} onClick=${() => agent.unlisten()}>${t("bar.unlisten")} (${state.listening})</button>`
    : html`<${NumberForm} id="colleague" label=${t("bar.listenTo")} disabled=${off} actions=${[{ id: "listen", label: t("bar.listen"), does: (n) => agent.listen(n) }]} />`}
  </section>`;
}

function Head({ state }) {
  return html`<header>
    <h1>${t("bar.title")}</h1>
    ${state.signedIn && html`<span id="extension">${state.extension}</span>`}
    <div class="tools">
      <button id="language" lang=${lang() === "zh" ? "en" : "zh-CN"} onClick=${() => setLang(lang() === "zh" ? "en" : "zh")}>${lang() === "zh" ? "English" : "中文"}</button>
      <label for="theme" class="sr">${t("shell.theme")}</label>
      <select id="theme" value=${theme()} onChange=${(e) => setTheme(e.target.value)}>${["auto", "light", "dark"].map((x) => html`<option key=${x} value=${x}>${t(`theme.${x}`)}</option>`)}</select>
      ${state.signedIn && html`<button id="signout" disabled=${state.link !== "up"} onClick=${() => agent.signOut()}>${t("bar.signOut")}</button>`}
    </div>
  </header>`;
}

function Toolbar() {
  const [state, set] = useState(agent.state);
  const [, again] = useState(lang());
  useEffect(() => {
    agent.views.add(set);
    const silent = onLang(again);
    return () => { agent.views.delete(set); silent(); };
  }, []);
  useEffect(() => { document.title = `dialbridge: ${t("bar.title")}`; });
  const lost = state.signedIn && state.link === "lost", away = state.signedIn && !lost && !state.asterisk;
  const off = lost || away;
  return html`<${Head} state=${state} />
    <main id="main">
      <div role="alert">${lost && html`<p id="lost" class="notice bad">${t("bar.lost")}</p>`}${away && html`<p id="away" class="notice bad">${t("bar.asterisk")}</p>`}</div>
      <div role="alert">${state.error && html`<p id="error" class="notice bad">${refusal(state.error)}</p>`}</div>
      ${!state.signedIn ? html`<${SignIn} state=${state} />` : html`<div class=${off ? "stale" : ""}>
        <div role="alert">${state.away && html`<p id="phone-away" class="notice warn">${t("bar.phoneAway")}</p>`}</div>
        <${Presence} state=${state} off=${off} />
        <${Call} state=${state} off=${off} />
        ${!state.call && state.agent && state.agent.state !== "logout" && html`<${NumberForm} id="number" label=${t("bar.number")} disabled=${off} actions=${[{ id: "dial", label: t("bar.dial"), does: (n) => agent.dial(n) }]} />`}
        <${Waiting} state=${state} off=${off} />
        <${Listen} state=${state} off=${off} />
        ${state.popUrl && state.status && state.status.pop === "frame" && html`<iframe id="popframe" class="pop" title=${t("bar.popFrame")} src=${state.popUrl}></iframe>`}
      </div>`}
    </main>`;
}

render(html`<${Toolbar} />`, document.getElementById("app"));
embed(agent).finally(() => agent.resume());
