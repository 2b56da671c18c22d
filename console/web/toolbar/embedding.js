// The toolbar in a frame of another page: what happens is told to that page, and what it asks for is done. Both only where the page's
// address is one of those that may embed it.

const mark = "dialbridge";

const commands = {
  ready: (agent) => agent.ready(),
  break: (agent, m) => agent.pause(text(m.reason)),
  dial: (agent, m) => agent.dial(text(m.number), text(m.remark)),
  answer: (agent) => agent.answer(),
  hangup: (agent) => agent.hangup(),
  hold: (agent) => agent.hold(),
  unhold: (agent) => agent.unhold(),
  transfer: (agent, m) => agent.transfer(text(m.number)),
  consult: (agent, m) => agent.consult(text(m.number)),
  complete: (agent) => agent.complete(),
  cancel: (agent) => agent.cancel(),
  threeway: (agent, m) => agent.three(text(m.number)),
  signout: (agent) => agent.signOut(),
};

const text = (value) => (value === undefined || value === null ? "" : String(value));

/** Talks to the page around the frame, if there is one. */
export async function embed(agent) {
  if (window.parent === window) return;
  document.body.classList.add("embedded");
  const answer = await fetch("origins", { cache: "no-store" });
  const allowed = new Set([location.origin, ...(await answer.json()).origins]);
  let origin = ""; // of the page around, once it has spoken

  const app = document.getElementById("app");
  const tall = () => post({ event: "height", height: Math.ceil(app.getBoundingClientRect().height) + 2 });
  const post = (message) => { if (origin) window.parent.postMessage({ [mark]: 1, ...message }, origin); };
  const snapshot = () => ({
    extension: agent.state.extension, state: agent.state.agent ? agent.state.agent.state : "logout", call: agent.state.call, connected: agent.state.link === "up",
  });

  addEventListener("message", async (event) => {
    const m = event.data;
    if (event.source !== window.parent || !allowed.has(event.origin) || !m || m[mark] !== 1) return;
    origin = event.origin;
    if (m.command === "hello") {
      post({ event: "state", ...snapshot() });
      tall();
      return;
    }
    const does = Object.hasOwn(commands, m.command) ? commands[m.command] : null;
    const done = does && agent.state.signedIn ? await does(agent, m) : false;
    const error = done ? "" : !does ? "unknown command" : !agent.state.signedIn ? "not signed in" : text(agent.state.error && (agent.state.error.result || agent.state.error.message));
    post({ event: "reply", command: text(m.command), id: m.id, ok: Boolean(done), error });
  });

  let linked = agent.state.link;
  agent.views.add((state) => {
    if (state.link === linked) return;
    linked = state.link;
    post({ event: "state", ...snapshot() });
  });
  agent.events.add((event, detail) => post({ event, ...(event === "state" ? snapshot() : detail) }));

  // Nothing is told yet: who embeds it is asked to say so.
  window.parent.postMessage({ [mark]: 1, event: "loaded" }, "*");
  new ResizeObserver(tall).observe(app);
}
