// What the pages ask of the daemon. Addresses are relative to this file, so that they hold below a proxy's prefix.

const base = new URL("./api/", import.meta.url);

/** An answer that is no success: status is that of HTTP, 0 when none came; message is the daemon's own. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.name = "ApiError";
    this.status = status;
  }
}

/** Who has logged in: {name, login, role, csrf, ...}; null = nobody, undefined = not known yet. `turn` counts who was asked for or has logged in: the last one holds. */
let session, turn = 0, ended = "";
const listeners = new Set();

/** The tabs of one browser have one session: where somebody logs in or out, the others ask anew who he is. */
const tabs = typeof BroadcastChannel === "function" ? new BroadcastChannel("dialbridge.session") : undefined;
tabs?.addEventListener("message", () => { ended = ""; resume().catch(() => {}); });

export const currentSession = () => session;

/** How a session has ended by itself: "" not at all, "ended", or "undone" when it took with it what was to be changed. */
export const hasEnded = () => ended;

/** Calls f when somebody has logged in or out; returns what ends that. */
export function onSession(f) {
  listeners.add(f);
  return () => listeners.delete(f);
}

function setSession(next) {
  session = next;
  for (const f of listeners) f(next);
}

/** What the PBX's clock shows at a moment, in ms, whatever the zone of who looks: "2026-11-21 23:04:05". */
export function pbxTime(ms) {
  const { offset } = (session?.clock ?? []).findLast((s) => !s.from || Date.parse(s.from) <= ms) ?? { offset: 0 };
  return new Date(ms + offset * 1000).toISOString().slice(0, 19).replace("T", " ");
}

const roles = ["agent", "supervisor", "admin"];

/** Whether the one who has logged in has at least a role. */
export const may = (role) => Boolean(session) && roles.indexOf(session.role) >= roles.indexOf(role);

/** The address of something below /console/api/, for links and players: urlOf("history.csv?from=..."). */
export const urlOf = (path) => new URL(path.replace(/^\//, ""), base).href;

async function request(method, path, body, signal, opened) {
  const headers = { Accept: "application/json" };
  if (method !== "GET" && method !== "HEAD" && session?.csrf) headers["X-CSRF-Token"] = session.csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer, data;
  try {
    answer = await fetch(urlOf(path), {
      method, headers, signal, credentials: "same-origin", cache: "no-store", body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (answer.ok) opened?.();
    const text = await answer.text();
    data = (answer.headers.get("Content-Type") || "").includes("json") && text ? JSON.parse(text) : text;
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw new ApiError(0, "");
  }
  if (answer.ok) return data;
  throw new ApiError(answer.status, data?.message || answer.statusText);
}

async function ask(method, path, body, signal, opened) {
  const csrf = session?.csrf;
  try {
    return await request(method, path, body, signal, opened);
  } catch (e) {
    if (e.status === 401 && session?.csrf === csrf) { // not of a session that another tab has ended since
      if (session) ended = method === "GET" || method === "HEAD" ? "ended" : "undone";
      setSession(null);
    }
    throw e;
  }
}

/** Asks for something below /console/api/: get("outbox/events?limit=10"). A 401 shows the log-in. Throws ApiError. */
export const get = (path, { signal } = {}) => ask("GET", path, undefined, signal);

/** Whether get would be answered with a success. A 401 shows the log-in. Throws ApiError, of which the status alone tells something. */
export const head = (path) => ask("HEAD", path);

/** Changes something: send("POST", "outbox/replay", {id: "evt_1"}). A 401 shows the log-in. Throws ApiError. */
export const send = (method, path, body) => ask(method, path, body);

/** Whether something would be sent, without taking it: what the browser loads by itself fails without a word. A 401 shows the log-in. Throws ApiError. */
export async function probe(path) {
  const control = new AbortController();
  try {
    await ask("GET", path, undefined, control.signal, () => control.abort());
  } catch (e) {
    if (e.name !== "AbortError") throw e;
  }
}

/** Finds out who has logged in. */
export async function resume() {
  const mine = ++turn;
  let found = null;
  try {
    found = await request("GET", "session");
  } catch (e) {
    if (e.status !== 401 && e.status !== 403) throw e;
  }
  if (mine === turn) setSession(found);
}

/** Logs in. Throws ApiError. */
export async function logIn(login, password) {
  const found = await request("POST", "session", { login, password });
  turn++;
  setSession(found);
  ended = "";
  tabs?.postMessage("");
}

/** Logs out, where the session has not ended already. Throws ApiError. */
export async function logOut() {
  try {
    await request("DELETE", "session");
  } catch (e) {
    if (e.status !== 401) throw e;
  }
  ended = "";
  tabs?.postMessage("");
  await resume();
}
