/*
 * toolbar.js puts the agent toolbar into a page of a CRM:
 *
 *   <script src="//PBX:8000/console/toolbar.js" data-target="#phone"></script>
 *
 * It makes an iframe, in the element that data-target names or where the script stands, and the global "dialbridge": dialbridge.on(event, f),
 * dialbridge.ready(), dialbridge.dial("02112345678") and others. docs/toolbar.md of dialbridge lists them. The page's address must stand in
 * [toolbar] origins of api.conf.
 */
(function () {
  "use strict";
  const script = document.currentScript;
  const page = new URL("toolbar/", script.src);
  const frame = document.createElement("iframe");
  const listeners = {};
  const waiting = new Map();
  let last = 0;
  let loaded = false;

  function tell(event, detail) {
    (listeners[event] || []).concat(listeners["*"] || []).forEach(function (f) {
      try {
        f(detail, event);
      } catch (error) {
        setTimeout(function () { throw error; }, 0); // the page's own affair
      }
    });
  }

  function post(message) {
    frame.contentWindow.postMessage(Object.assign({ dialbridge: 1 }, message), page.origin);
  }

  window.addEventListener("message", function (event) {
    const m = event.data;
    if (event.source !== frame.contentWindow || event.origin !== page.origin || !m || m.dialbridge !== 1) {
      return;
    }
    if (m.event === "loaded") {
      loaded = true;
      post({ command: "hello" });
    } else if (m.event === "height") {
      if (script.dataset.height === undefined) {
        frame.style.height = Math.max(60, Math.min(2000, Number(m.height) || 0)) + "px";
      }
    } else if (m.event === "reply") {
      const w = waiting.get(m.id);
      waiting.delete(m.id);
      if (w && m.ok) {
        w.resolve();
      } else if (w) {
        w.reject(new Error(m.command + ": " + m.error));
      }
    } else {
      tell(m.event, m);
    }
  });

  // command asks the toolbar for something; the promise tells whether it was done.
  function command(name, args) {
    const promise = new Promise(function (resolve, reject) {
      if (!loaded) {
        reject(new Error(name + ": the toolbar is not loaded"));
        return;
      }
      const id = ++last;
      waiting.set(id, { resolve: resolve, reject: reject });
      post(Object.assign({}, args, { command: name, id: id }));
    });
    promise.catch(function () {}); // a page need not look
    return promise;
  }

  window.dialbridge = {
    frame: frame,
    on: function (event, f) { (listeners[event] = listeners[event] || []).push(f); },
    off: function (event, f) { listeners[event] = (listeners[event] || []).filter(function (g) { return g !== f; }); },
    ready: function () { return command("ready"); },
    break: function (reason) { return command("break", { reason: reason }); },
    dial: function (number, remark) { return command("dial", { number: number, remark: remark }); },
    answer: function () { return command("answer"); },
    hangup: function () { return command("hangup"); },
    hold: function () { return command("hold"); },
    unhold: function () { return command("unhold"); },
    transfer: function (number) { return command("transfer", { number: number }); },
    consult: function (number) { return command("consult", { number: number }); },
    complete: function () { return command("complete"); },
    cancel: function () { return command("cancel"); },
    threeway: function (number) { return command("threeway", { number: number }); },
    signout: function () { return command("signout"); },
  };

  frame.src = page.href;
  frame.title = script.dataset.title || "dialbridge";
  frame.style.border = "0";
  frame.style.width = "100%";
  frame.style.height = script.dataset.height || "220px";
  const target = script.dataset.target ? document.querySelector(script.dataset.target) : null;
  if (target) {
    target.append(frame);
  } else {
    script.after(frame);
  }
})();
