// The live feed of the daemon as a store that pages share: one stream for all of them, open while somebody looks. A tab that is not seen has none: a
// browser opens six connections to one address, and streams of tabs in the background would keep them from the pages in front.

import { useEffect, useState } from "./vendor/preact-htm.js";
import { get, probe, urlOf } from "./api.js";

const sections = ["queues", "extensions", "calls", "receivers"];
const silence = 2500; // ms without a beat, of which one comes each second, after which the link is lost
const longestWait = 10000; // ms between two tries

/** How often, in ms, a page that is not seen asks for something, so that its session does not end for want of a feed. */
export const pace = { awake: 600000 };

/**
 * What is known. link: "opening" until a snapshot comes, "up", or "lost"; refused: why the daemon lets this page have no feed, "" where it does;
 * head: that of the feed, undefined before the first snapshot; rows: by section a Map from id to row, a new Map with each change; seen: when the
 * daemon was last heard of, by its own clock, in ms.
 */
let state = { link: "opening", refused: "", head: undefined, rows: empty(), seen: 0 };
const listeners = new Set();
let stream, heard = 0, offset = 0, wait = 0, watchdog, retry, awake;

function empty() {
  return Object.fromEntries(sections.map((name) => [name, new Map()]));
}

function update(change) {
  state = { ...state, ...change };
  for (const f of listeners) f(state);
}

/** What time it is by the clock of the daemon, in ms. */
export const serverNow = () => Date.now() + offset;

/** Whether the numbers follow Asterisk now. */
export const isLive = (s) => s.link === "up" && s.head.live;

/** Of when the numbers are that do not follow Asterisk, in ms by the daemon's clock; 0 when there are none. */
export function asOf(s) {
  if (!s.head) return 0;
  return s.head.live ? s.seen : Date.parse(s.head.since) || s.seen;
}

function hear(event) {
  const data = JSON.parse(event.data);
  heard = performance.now();
  if (data.now) offset = data.now - Date.now();
  return data;
}

function open() {
  clearTimeout(retry);
  if (document.hidden) return;
  heard = performance.now();
  stream = new EventSource(urlOf("live"));
  stream.addEventListener("snapshot", (e) => {
    const data = hear(e);
    wait = 0;
    const rows = Object.fromEntries(sections.map((name) => [name, new Map(data[name].map((row) => [row.id, row]))]));
    update({ link: "up", refused: "", head: data.head, rows, seen: data.now });
  });
  stream.addEventListener("change", (e) => {
    const data = hear(e);
    const rows = { ...state.rows };
    for (const name of sections) {
      if (!data[name]) continue;
      rows[name] = new Map(rows[name]);
      for (const row of data[name].set ?? []) rows[name].set(row.id, row);
      for (const id of data[name].gone ?? []) rows[name].delete(id);
    }
    update({ head: data.head ?? state.head, rows, seen: data.now });
  });
  stream.addEventListener("beat", (e) => update({ seen: hear(e).now }));
  stream.addEventListener("bye", (e) => lose(hear(e).reason));
  stream.onerror = () => lose("error");
}

function close() {
  clearTimeout(retry);
  stream?.close();
  stream = undefined;
}

/** Gives the stream up, tells it, and tries again. */
function lose(reason) {
  close();
  update({ link: state.head ? "lost" : "opening" });
  if (reason === "session" || reason === "error") ask();
  wait = Math.min(longestWait, wait ? wait * 2 : 500);
  retry = setTimeout(() => { if (listeners.size) open(); }, wait * (0.75 + Math.random() / 2));
}

/** Finds out why there is no stream, of which a browser tells nothing: who is not known any more is shown the log-in. */
async function ask() {
  try {
    await probe("live");
  } catch (error) {
    if (!stream) update({ refused: error.status ? error.message : "" });
  }
}

function watch() {
  if (stream && performance.now() - heard > silence) lose("silence");
}

/** Ends the stream of a page that is not seen, or not any more, whose numbers are old from now on, and opens one for a page that is. */
function turn() {
  clearInterval(awake);
  if (document.hidden) {
    close();
    awake = setInterval(() => get("session").catch(() => {}), pace.awake);
    update({ link: state.link === "up" ? "opening" : state.link });
  } else if (!stream) {
    wait = 0;
    open();
  }
}

function enter(f) {
  listeners.add(f);
  if (listeners.size > 1) return;
  watchdog = setInterval(watch, 250);
  document.addEventListener("visibilitychange", turn);
  turn();
}

function leave(f) {
  listeners.delete(f);
  if (listeners.size) return;
  clearInterval(watchdog);
  clearInterval(awake);
  document.removeEventListener("visibilitychange", turn);
  close();
  wait = 0;
  state = { link: "opening", refused: "", head: undefined, rows: empty(), seen: 0 };
}

/** Looks at the feed for as long as the component lives. */
export function useLive() {
  const [now, set] = useState(state);
  useEffect(() => {
    enter(set);
    set(state);
    return () => leave(set);
  }, []);
  return now;
}

const tickers = new Set();
let clock;

/** Calls f each second; returns what ends that. */
function onTick(f) {
  tickers.add(f);
  clock ??= setInterval(() => { for (const g of tickers) g(); }, 1000);
  return () => {
    tickers.delete(f);
    if (!tickers.size) {
      clearInterval(clock);
      clock = undefined;
    }
  };
}

/** The seconds since a moment, each second anew; until stands still there, in ms by the daemon's clock. */
export function useSeconds(since, until) {
  const [, tick] = useState(0);
  useEffect(() => (until ? undefined : onTick(() => tick((n) => n + 1))), [Boolean(until)]);
  return Math.max(0, ((until || serverNow()) - Date.parse(since)) / 1000);
}
