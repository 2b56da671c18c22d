// The agent as the page knows him: the socket of the daemon, kept up, and what it has told. Views are told of each change.

const link = { tick: 500, quiet: 900, lost: 2200, deep: 2, again: 3000, pong: 4000 }; // milliseconds; each so-manieth look asks for Asterisk, too
const kept = "dialbridge.toolbar";
const times = { again: 500, againMost: 5000, open: 5000, heartbeat: 5000, pong: link.pong };
const quietCall = { held: "", asking: "", question: "", thirds: [] };
const nobody = { agent: null, call: null, callers: [], away: false, ...quietCall, listening: "", afterCallEnds: 0, talkingSince: 0, popUrl: "", blocked: false };

const beside = (path) => new URL(path, location.href).href;

/** The address of a screen pop; values that no placeholder takes are appended as a query. */
export function popAddress(template, values) {
  if (!template) return "";
  let used = false;
  const filled = template.replace(/\{(caller|called|uniqueid)\}|%7B(caller|called|uniqueid)%7D/gi, (all, a, b) => {
    used = true;
    return encodeURIComponent(values[(a || b).toLowerCase()] || "");
  });
  if (used) return filled;
  const [address, ...rest] = filled.split("#");
  const query = new URLSearchParams(values).toString();
  return address + (address.includes("?") ? "&" : "?") + query + (rest.length > 0 ? `#${rest.join("#")}` : "");
}

/** Remembers the log-in for this tab, so that a page of a CRM that loads anew does not ask for it again. */
const memory = {
  read() { try { return JSON.parse(sessionStorage.getItem(kept)); } catch { return null; } },
  write(value) {
    try {
      if (value) sessionStorage.setItem(kept, JSON.stringify(value)); else sessionStorage.removeItem(kept);
    } catch { /* storage may be forbidden: then he signs in again */ }
  },
};

export class Agent {
  constructor() {
    this.state = { ...nobody, signedIn: false, busy: false, link: "none", asterisk: true, status: null, error: null, extension: "" };
    this.views = new Set();
    this.events = new Set();
    this.login = null;
    this.ola = null;
    this.pending = 0;
    this.heard = 0;
    this.looks = 0;
    this.looking = false;
    this.looked = 0;
    this.ticked = Date.now();
    this.popped = "";
    this.asks = ""; // whom he has asked last: until that one answers, nobody tells who it is
    this.queues = new Map(); // of callers, by the id of their channel
    setInterval(() => this.look(), link.tick);
    for (const event of ["visibilitychange", "resume"]) document.addEventListener(event, () => this.look());
    addEventListener("offline", () => this.set({ link: this.state.signedIn ? "lost" : "none" }));
  }

  set(change) {
    this.state = { ...this.state, ...change };
    for (const view of this.views) view(this.state);
  }

  tell(event, detail) {
    for (const f of this.events) f(event, detail);
  }

  /** Signs in again with what this tab remembers. */
  async resume() {
    const login = memory.read();
    if (!login || !login.username || this.state.signedIn || this.state.busy) return;
    await this.signIn(login);
    if (this.state.error && this.state.error.code === 503) setTimeout(() => this.resume(), link.again); // the daemon, or Asterisk, comes back
  }

  /** Logs in, watches oneself, and signs in to queues where one is in none. */
  async signIn(login) {
    this.set({ busy: true, error: null });
    try {
      this.login = login;
      const status = await this.ask();
      if (!status.extension) {
        this.set({ status, busy: false });
        return;
      }
      this.set({ ...nobody, ...this.took(status), status, extension: status.extension, asterisk: true });
      const ola = new window.ola.Ola({ times });
      this.ola = ola;
      ola._extn = status.extension;
      ola.onMessage = (_, message) => { if (ola === this.ola) this.receive(message); };
      ola.onClose = () => { if (ola === this.ola && this.state.signedIn) this.set({ link: "lost", callers: [] }); }; // who goes meanwhile is not told
      ola.onConnect = ola.onReconnect = () => { if (ola === this.ola) this.hear(); };
      ola.onError = (error) => { if (ola === this.ola) this.leave(error); };
      await ola.connect(beside("../../ola_socket"), login.username, login.password);
      await ola.subscribe(`ola.agent.${status.extension}`);
      await ola.subscribe(`ola.caller.${status.extension}`);
      memory.write({ username: login.username, password: login.password, extn: login.extn }); // queues are joined when he says so
      this.hear();
      this.set({ signedIn: true, busy: false, link: "up" });
      if (this.state.agent && this.state.agent.state === "logout" && login.queues) await this.joinQueues(login.queues);
    } catch (error) {
      this.leave(error);
    }
  }

  joinQueues(queues) {
    const list = queues.split(/[,，、\s]+/).filter(Boolean);
    return this.command(() => this.ola.login(list, this.state.extension, { type: "onhook" }));
  }

  /** Leaves the queues and forgets the log-in. A call goes on. */
  async signOut() {
    if (!(await this.command(() => this.ola.logout(), [404]))) return false; // 404: he was in no queue
    this.leave(null);
    return true;
  }

  leave(error) {
    const ola = this.ola;
    this.ola = this.login = null;
    this.queues.clear();
    if (!error || error.code === 401 || error.code === 403) memory.write(null);
    if (ola) ola.close();
    this.set({ ...nobody, signedIn: false, busy: false, link: "none", status: null, error, extension: "" });
    this.tell("state", { state: "logout" });
  }

  /** What the socket does not tell. */
  async ask() {
    let answer, body;
    try {
      const { username, password, extn = "" } = this.login;
      answer = await fetch(beside("status"), {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ username, password, extn }), signal: AbortSignal.timeout(15000),
      });
      body = await answer.json();
    } catch {
      throw Object.assign(new Error("the server does not answer"), { code: 503 });
    }
    if (!answer.ok) throw Object.assign(new Error(body.message || answer.statusText), { code: answer.status });
    return body;
  }

  /** Asks for what a state needs besides, as soon as it is told. */
  async refresh() {
    const { login } = this;
    try {
      const status = await this.ask();
      if (login === this.login) this.set({ status, ...this.took(status) });
    } catch { /* the link is watched elsewhere; without it no number is shown */ }
  }

  took(status) {
    const now = performance.now();
    return {
      afterCallEnds: status.after_call_ms > 0 ? now + status.after_call_ms : 0,
      talkingSince: status.talking_ms > 0 ? now - status.talking_ms : 0,
    };
  }

  /** Does a command and shows its refusal; tells whether it was done. */
  async command(send, fine = []) {
    if (!this.ola) return false;
    this.pending++;
    this.set({ error: null });
    try {
      await send();
      return true;
    } catch (error) {
      if (fine.includes(error.code)) return true;
      if (this.ola) this.set({ error });
      surface(error);
      return false;
    } finally {
      this.pending--;
    }
  }

  ready() { return this.command(() => this.ola.go_ready()); }
  pause(reason) { return this.command(() => this.ola.go_break(reason)); }
  dial(number, remark) { return this.command(() => this.ola.dial(number, remark)); }
  answer() { return this.command(() => this.ola.send({ action: "api", cmd: "answer", args: { extn: this.state.extension } })); }
  hangup() { return this.command(() => this.ola.hangup()); }
  transfer(number) { return this.command(() => this.ola.transfer(number)); }
  take(uuid) { return this.command(() => this.ola.take_call(uuid)); }

  hold() { return this.command(() => this.ola.hold()); }
  unhold() { return this.command(() => this.ola.unhold()); }

  async consult(number) {
    this.asks = number;
    const done = await this.command(() => this.ola.consult(number));
    if (!done) this.asks = ""; // who is asked now was asked by another page
    return done;
  }

  /** Connects the two others, of the very consultation that is shown: when it is over meanwhile, nothing is done. */
  complete() {
    return this.command(async () => {
      const over = Object.assign(new Error("nobody is asked any more"), { code: 409 });
      if (!this.state.question) throw over;
      await this.ola.complete(this.state.question).catch((error) => { throw error.code === 409 ? over : error; });
    });
  }

  cancel() { return this.command(() => this.ola.unconsult()); }

  three(number) { return this.command(() => this.ola.three_way(number)); }
  leaveThird(number) { return this.command(() => this.ola.exit_three_way(number), [404]); }

  async listen(extension) { return (await this.command(() => this.ola.monitor(this.state.extension, extension))) && this.now({ listening: extension }); }
  async unlisten() { return (await this.command(() => this.ola.unmonitor(this.state.extension), [404])) && this.now({ listening: "" }); }

  /** Notes the outcome of a command that the socket does not tell. */
  now(change) {
    this.set(change);
    return true;
  }

  hear() {
    this.heard = performance.now();
    if (this.state.link !== "lost") return;
    this.set({ link: "up" });
    this.refresh(); // times that ran meanwhile, or stood still with the machine
  }

  /** Looks whether the server still answers: a dead link tells nothing by itself. */
  look() {
    const now = performance.now(), slept = Date.now() - this.ticked > link.lost; // performance.now() stands still while a machine sleeps
    this.ticked = Date.now();
    if (!this.state.signedIn || !this.ola) return;
    const quiet = slept ? Infinity : now - this.heard;
    // Browsers wake a hidden page once a minute: it is silent because nobody has asked.
    const unanswered = !document.hidden || this.looking && now - this.looked > link.lost - link.quiet;
    if ((!this.ola.connected || quiet > link.lost && unanswered) && this.state.link !== "lost") this.set({ link: "lost" });
    if (this.looking || quiet < link.quiet || !this.ola.connected) return;
    this.looking = true;
    this.looked = now;
    this.inquire().finally(() => { this.looking = false; });
  }

  async inquire() {
    const ola = this.ola;
    try {
      if (this.pending > 0) { // the answer would wait behind that of a command
        const answer = await fetch(beside("../../healthz"), { cache: "no-store", signal: AbortSignal.timeout(link.lost) });
        if (answer.ok && ola === this.ola && ola.connected) this.hear();
        return;
      }
      this.looks++;
      const deep = this.looks % link.deep === 0 || !this.state.asterisk;
      // Given up early, so that a connection that is dead without a word is made anew.
      await ola._send(deep ? { action: "api", cmd: "get_agent_state", args: { extn: this.state.extension } } : { cmd: "ping" }, link.pong, true);
      if (ola !== this.ola) return;
      if (deep && !this.state.asterisk) this.set({ asterisk: true });
      this.hear();
    } catch (error) {
      if (ola !== this.ola || error.code === 504 || !error.cmd) return; // nothing was heard
      if (ola.connected) this.hear();
      if (error.code === 503 && ola.connected) this.set({ asterisk: false });
    }
  }

  receive(message) {
    this.hear();
    if (!message) return;
    if (message.event_type === "agent_caller_state") this.waits(message);
    if (message.event_type === "agent_state" && message.agent_extn === this.ola._extn) this.does(message);
  }

  waits({ action, queue_id: queue, caller }) {
    const callers = this.state.callers.filter((c) => c.uuid !== caller.uuid);
    if (action === "in") {
      callers.push({ uuid: caller.uuid, number: caller.cid_number, queue });
      this.queues.set(caller.uuid, queue);
      if (this.queues.size > 200) this.queues.delete(this.queues.keys().next().value);
    }
    this.set({ callers });
  }

  /** Takes what the agent does now. The same is told again after an interruption, and when it is asked for. */
  does(m) {
    const before = this.state.agent, had = this.state.call;
    const call = m.state === "busy" ? this.callOf(m) : null;
    const same = had && call && had.own === call.own;
    const change = { agent: m, call, asterisk: true, away: m.app_data.sip_state === "false", ...(call ? this.besides(m) : quietCall) };
    if (!same) {
      change.talkingSince = 0;
      this.asks = "";
    }
    if (!same && call) Object.assign(change, { popUrl: "", blocked: false });
    if (had && !call) change.listening = "";
    if (m.state !== "acw") change.afterCallEnds = 0;
    this.set(change);
    if (had && !same) this.tell("ended", had);
    const moved = !before || before.state !== m.state;
    if (moved) this.tell("state", { state: m.state, queues: m.queue_id });
    if (call && !same && call.direction === "inbound") {
      if (!call.answered) this.tell("ringing", call);
      this.pop(call);
    }
    if (call && call.answered && !(same && had.answered)) {
      this.tell("answered", call);
      this.refresh();
    }
    if (m.state === "acw" && moved) this.refresh();
  }

  /** What goes on in his call besides talking, whoever has brought that about. */
  besides({ app_data: d }) {
    const thirds = d.third ? d.third.split(",") : [];
    if (!("consult" in d)) {
      if (this.state.question) this.asks = "";
      return { held: d.hold || "", asking: "", question: "", thirds };
    }
    return { held: d.hold || "", asking: d.consult || this.asks || "…", question: d.consult_id, thirds };
  }

  callOf(m) {
    const direction = m.call_direction, id = direction === "inbound" ? m.other_accept || m.call_accept : m.call_accept;
    const had = this.state.call && this.state.call.own === m.call_accept ? this.state.call : null;
    return {
      own: m.call_accept, id: had ? had.id : id, direction, number: m.other_dn, called: m.dnis, answered: m.other_answered,
      queue: (had && had.queue) || this.queues.get(m.other_accept) || "", remark: m.app_data.other_str || "",
    };
  }

  /** Opens the caller's page, once for each call. The tab is used again for the next one. */
  async pop(call) {
    const key = `${kept}.popped`;
    let last = this.popped;
    try { last = sessionStorage.getItem(key) || last; } catch { /* storage may be forbidden */ }
    const status = this.state.status;
    const url = status ? popAddress(status.pop_url, { caller: call.number, called: call.called, uniqueid: call.id }) : "";
    if (!url) return;
    this.set({ popUrl: url });
    if (last === call.own) return; // before the page was loaded anew
    this.popped = call.own;
    try { sessionStorage.setItem(key, call.own); } catch { /* storage may be forbidden */ }
    if (status.pop === "tab") {
      const tab = window.open(url, "dialbridge-pop");
      this.set({ blocked: !tab });
    }
    this.tell("pop", { ...call, url });
  }
}

// surface leaves a fault of this page to the browser's console; a refusal of the server is shown.
function surface(error) {
  if (error instanceof TypeError || error instanceof ReferenceError) setTimeout(() => { throw error; });
}
