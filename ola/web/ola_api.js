/*
 * ola_api.js: the client of /ola_socket, for pages that are written after the document of the Tianrun IPPBX ("ola").
 *
 * A classic script that makes the global "ola", or a CommonJS module. It needs no other library. Every method returns a promise of the
 * server's answer; what a page does not look at does no harm. Types and what each method does: ola_api.d.ts.
 */
(function (root) {
  'use strict';

  // What a command of the server may take at the most (30 s), and a little for the way. Milliseconds.
  const times = {
    reply: 35000, // until a command that is not answered is given up
    open: 15000, // until an attempt to connect is given up
    heartbeat: 25000, // between two looks whether the server is still there
    pong: 10000, // until a heartbeat that is not answered means that it is not
    again: 1000, // before the first new attempt; it doubles
    againMost: 30000,
  };

  const maxFrame = 20000; // characters; the server ends a socket that sends more than 64 KiB at once

  // Codes of errors that this client makes itself: those that the server has for the same over HTTP.
  const notSent = 503;
  const unknown = 504;

  // Passwords are kept apart from the object that a page can print.
  const logins = new WeakMap();

  /** OlaError is an answer that is no success. Its message holds no argument of the command, and so no password. */
  class OlaError extends Error {
    constructor(code, result, cmd) {
      super((cmd || 'ola') + ': ' + code + ' ' + result);
      this.name = 'OlaError';
      this.code = code;
      this.result = result;
      this.cmd = cmd || '';
    }
  }

  function ignore() {}

  // quiet returns a promise whose failure nobody has to look at.
  function quiet(promise) {
    promise.catch(ignore);
    return promise;
  }

  function promised() {
    const p = { settled: false };
    p.promise = quiet(new Promise(function (resolve, reject) {
      p.resolve = function (value) { p.settled = true; resolve(value); };
      p.reject = function (err) { p.settled = true; reject(err); };
    }));
    return p;
  }

  // passes tells whether the same may succeed later, without anybody doing anything about it.
  function passes(err) {
    return err.code === 429 || err.code >= 500;
  }

  // address makes a full address of what a page gives; nothing at all is the server that the page comes from.
  function address(url) {
    const here = root.location || { protocol: '', host: '' };
    const secure = here.protocol === 'https:';
    let full = String(url || '/ola_socket');
    if (full.charAt(0) === '/') {
      full = (secure ? 'wss://' : 'ws://') + here.host + full;
    }
    full = full.replace(/^http/i, 'ws');
    return secure ? full.replace(/^ws:/i, 'wss:') : full; // browsers refuse ws: to such a page
  }

  class Ola {
    constructor(options) {
      this.times = Object.assign({}, times, options && options.times);
      this.WebSocket = options && options.WebSocket; // where there is none of the platform
      this.reconnect = true;
      this.onConnect = this.onReconnect = this.onMessage = this.onClose = this.onError = undefined;
      this.ws = undefined;
      this._extn = undefined;
      this._url = ''; // where to stay connected to
      this._link = promised(); // settles when the connection can be used
      this._link.reject(new OlaError(notSent, 'not connected'));
      this._keys = new Set(); // what the page has subscribed to
      this._asked = new Map(); // the last subscribe of a key, unless it has been taken back
      this._waiting = new Map(); // commands without an answer, by uuid
      this._last = 0; // uuid of the last command
      this._heard = 0; // frames received
      this._attempt = 0; // attempts to connect in a row that failed
      this._before = false; // it has been connected before
      this._welcomed = false; // the page knows that this socket can be used
      this._refused = false; // the log-in that the page gave is wrong
      this._timer = undefined; // the next attempt, or the end of this one
      this._beats = undefined;
    }

    /** connected tells whether a command would be sent. */
    get connected() {
      return Boolean(this.ws) && this.ws.readyState === 1;
    }

    connect(url, username, password, success, error) {
      this._leave();
      this._url = address(url);
      if (username) {
        logins.set(this, { username: username, password: password });
      }
      this._link = promised();
      const promise = this._link.promise;
      if (typeof success === 'function' || typeof error === 'function') {
        quiet(promise.then(success, error));
      }
      this._open();
      return promise;
    }

    close() {
      const ws = this._leave();
      if (ws) {
        this._tell('onClose', { type: 'close', code: 1000, reason: '', wasClean: true });
      }
      return Promise.resolve();
    }

    auth(extn, extnPwd) {
      const login = { username: extn, password: extnPwd };
      if (this._url && !this.connected) { // it is the first thing to be sent
        this._changeLogin(login);
        return this._link.promise;
      }
      return quiet(this._authenticate(this.ws, login));
    }

    subscribe(routeKey) {
      const self = this;
      if (this._url && !this.connected) { // not late, and not lost, whenever it comes to it
        return quiet(this._link.promise.then(function () { return self.subscribe(routeKey); }));
      }
      const mark = {};
      this._asked.set(routeKey, mark);
      return quiet(this.send({ cmd: 'subscribe', args: { key: routeKey } }).then(function (reply) {
        if (self._asked.get(routeKey) === mark) {
          self._keys.add(routeKey);
        }
        return reply;
      }));
    }

    unsubscribe(routeKey) {
      this._asked.delete(routeKey);
      this._keys.delete(routeKey);
      return this.send({ cmd: 'unsubscribe', args: { key: routeKey } });
    }

    login(queue, extn, params) {
      this._extn = extn;
      return this._command('login', Object.assign({ queue: queue, extn: extn }, params));
    }

    logout() {
      return this._command('logout', { extn: this._extn });
    }

    go_ready() {
      return this._command('go_ready', { extn: this._extn });
    }

    go_break(reason) {
      return this._command('go_break', { extn: this._extn, reason: reason });
    }

    toggle_ready() {
      return this._command('toggle_ready', { extn: this._extn });
    }

    get_agent_state(extn) {
      return this._command('get_agent_state', { extn: extn || this._extn });
    }

    dial(destNum, otherStr, gateway) {
      return this._command('dial', { extn: this._extn, dest: destNum, gateway: gateway, otherStr: otherStr });
    }

    hangup() {
      return this._command('hangup_other', { extn: this._extn });
    }

    hold() {
      return this._command('hold', { extn: this._extn });
    }

    unhold() {
      return this._command('unhold', { extn: this._extn });
    }

    ping() {
      return this.send({ cmd: 'ping' });
    }

    collect_dtmf(extn, soundFile) {
      return this._command('collect_dtmf', { extn: extn, soundfile: soundFile });
    }

    transfer(transNum, extn) {
      return this._command('transfer', { extn: extn || this._extn, dest: transNum });
    }

    consult(destNum) {
      return this._command('consult', { extn: this._extn, dest: destNum });
    }

    unconsult() {
      return this._command('unconsult', { extn: this._extn });
    }

    complete(consultId) {
      return this._command('complete', { extn: this._extn, consult_id: consultId });
    }

    intercept(destNum, extn) {
      return this._command('intercept', { extn: extn || this._extn, dest: destNum });
    }

    monitor(extn, beMonExtn) {
      if (beMonExtn === undefined) { // the vendor's client has but the one to listen to
        return this._command('monitor', { extn: this._extn, dest: extn });
      }
      return this._command('monitor', { extn: extn, dest: beMonExtn });
    }

    unmonitor(extn) {
      return this._command('unmonitor', { extn: extn || this._extn });
    }

    three_way(threeExtn, extn, gw) {
      return this._command('monitor', { extn: extn || this._extn, dest: threeExtn, three_way: 'true', goip_gateway: gw });
    }

    exit_three_way(threeExtn) {
      return this._command('unmonitor', { extn: threeExtn, three_way: 'true' });
    }

    take_call(uuid) {
      return this._command('take_call', { extn: this._extn, channel_uuid: uuid });
    }

    kill(uuid, extn) {
      return this._command('kill', { channel_uuid: uuid, extn: extn });
    }

    /** send sends any command, and never later than now. */
    send(frame) {
      return this._send(frame, this.times.reply, false);
    }

    _command(cmd, args) {
      return this.send({ action: 'api', cmd: cmd, args: args });
    }

    _send(frame, limit, hidden) {
      const self = this;
      return quiet(new Promise(function (resolve, reject) {
        if (!self.connected) {
          throw new OlaError(notSent, 'not connected, nothing was sent', frame.cmd);
        }
        const uuid = String(++self._last);
        const text = JSON.stringify(Object.assign({}, frame, { uuid: uuid }));
        if (text.length > maxFrame) {
          throw new OlaError(413, 'too long, nothing was sent', frame.cmd);
        }
        self.ws.send(text);
        self._waiting.set(uuid, {
          cmd: frame.cmd,
          hidden: hidden,
          heard: self._heard,
          resolve: resolve,
          reject: reject,
          timer: setTimeout(function () { self._expire(uuid); }, limit),
        });
      }));
    }

    // _expire gives a command up. When nothing at all has come since it was sent, the connection is taken for dead.
    _expire(uuid) {
      const w = this._waiting.get(uuid);
      this._waiting.delete(uuid);
      w.reject(new OlaError(unknown, 'no answer, the outcome is unknown, do not repeat blindly', w.cmd));
      if (w.heard === this._heard) {
        this._lose(this.ws, { type: 'close', code: 1006, reason: 'no answer', wasClean: false });
      }
    }

    _open() {
      const self = this;
      const Socket = this.WebSocket || root.WebSocket;
      let ws;
      try {
        ws = new Socket(this._url);
      } catch (err) { // no address, or no WebSocket here
        this._url = '';
        this._link.reject(new OlaError(notSent, 'cannot connect: ' + err.message));
        return;
      }
      this.ws = ws;
      this._welcomed = false;
      ws.onopen = function () { self._opened(ws); };
      ws.onmessage = function (evt) { self._receive(evt); };
      ws.onclose = function (evt) { self._lose(ws, evt); };
      this._timer = setTimeout(function () {
        self._lose(ws, { type: 'close', code: 1006, reason: 'no answer', wasClean: false });
      }, this.times.open);
    }

    _opened(ws) {
      const self = this;
      clearTimeout(this._timer);
      this._beats = setInterval(function () { self._beat(); }, this.times.heartbeat);
      const login = logins.get(this);
      if (!login) { // the page logs in later
        this._welcome(undefined);
        return;
      }
      quiet(this._authenticate(ws, login).catch(function (err) {
        if (passes(err)) { // where the connection broke it is lost already
          self._lose(ws, { type: 'close', code: 1006, reason: err.message, wasClean: false });
          return;
        }
        if (logins.get(self) === login) {
          logins.delete(self);
        }
        self._refused = true; // to try it again and again would have the address blocked
        self._link.reject(err);
        if (!self._tell('onError', err) && root.console) {
          root.console.warn(err.message);
        }
      }));
    }

    // _authenticate logs in, and subscribes to what the same one has subscribed to before: the server has forgotten it.
    _authenticate(ws, login) {
      const self = this;
      return this.send({ cmd: 'auth', args: { username: login.username, password: login.password, accept: 'application/json' } }).then(function (reply) {
        if (ws !== self.ws) {
          throw new OlaError(unknown, 'the connection is lost', 'auth');
        }
        self._changeLogin(login);
        self._refused = false;
        return self._resubscribe(Array.from(self._keys)).then(function () {
          if (ws === self.ws) {
            self._welcome(reply);
          }
          return reply;
        }, function (err) {
          self._lose(ws, { type: 'close', code: 1006, reason: err.message, wasClean: false });
          throw err;
        });
      });
    }

    _changeLogin(login) {
      const before = logins.get(this);
      if (before && String(before.username) !== String(login.username)) {
        this._keys.clear();
      }
      logins.set(this, login);
    }

    // _resubscribe goes one by one: a server has no room for many commands of one socket.
    _resubscribe(keys) {
      const self = this;
      if (keys.length === 0) {
        return Promise.resolve();
      }
      const key = keys.shift();
      if (!this._keys.has(key)) { // the page has unsubscribed meanwhile
        return this._resubscribe(keys);
      }
      return this.send({ cmd: 'subscribe', args: { key: key } }).catch(function (err) {
        if (passes(err)) {
          throw err;
        }
        self._keys.delete(key);
      }).then(function () { return self._resubscribe(keys); });
    }

    // _welcome tells the page, once for each socket, that it can be used.
    _welcome(reply) {
      if (this._welcomed) {
        return;
      }
      const again = this._before;
      this._welcomed = this._before = true;
      this._attempt = 0;
      this._link.resolve(reply);
      if (!again || !this._tell('onReconnect')) {
        this._tell('onConnect');
      }
    }

    _receive(evt) {
      let message;
      this._heard++;
      try {
        message = JSON.parse(evt.data);
      } catch (err) {
        message = undefined; // the page may know what it is
      }
      if (message && message.event_type === 'command/reply' && this._answered(message)) {
        return;
      }
      this._tell('onMessage', evt, message);
    }

    // _answered settles the command that a reply belongs to, and tells whether the page has nothing to do with it.
    _answered(reply) {
      const w = this._waiting.get(String(reply.uuid));
      if (!w) {
        return false;
      }
      this._waiting.delete(String(reply.uuid));
      clearTimeout(w.timer);
      if (Number(reply.code) === 200) {
        w.resolve(reply);
      } else {
        w.reject(new OlaError(Number(reply.code), reply.result, w.cmd));
      }
      return w.hidden;
    }

    // _beat asks whether the server is there. A command that waits for its answer does so anyway, and a ping would wait behind it.
    _beat() {
      if (this._waiting.size === 0) {
        this._send({ cmd: 'ping' }, this.times.pong, true);
      }
    }

    // _drop lets go of the socket, without waiting for the other end to agree: it may be gone.
    _drop(ws) {
      clearTimeout(this._timer);
      clearInterval(this._beats);
      this.ws = undefined;
      ws.onopen = ws.onmessage = ws.onclose = null;
      try {
        ws.close();
      } catch (err) {
        ignore(); // it is closed
      }
      const waiting = Array.from(this._waiting.values());
      this._waiting.clear();
      waiting.forEach(function (w) {
        clearTimeout(w.timer);
        w.reject(new OlaError(unknown, 'the connection is lost, the outcome is unknown, do not repeat blindly', w.cmd));
      });
    }

    // _lose is the end of a socket that nobody wanted.
    _lose(ws, evt) {
      const self = this;
      if (!ws || ws !== this.ws) {
        return;
      }
      this._drop(ws);
      if (this.reconnect && !this._refused) {
        if (this._link.settled) {
          this._link = promised();
        }
        const longest = Math.min(this.times.againMost, this.times.again * Math.pow(2, this._attempt++));
        // All pages lose a server that restarts at once, and must not come back at once.
        this._timer = setTimeout(function () { self._open(); }, longest * (0.5 + Math.random()));
      } else {
        this._url = '';
        this._link.reject(new OlaError(notSent, 'not connected'));
      }
      this._tell('onClose', evt);
    }

    // _leave forgets everything: the connection, who has logged in, what was subscribed to.
    _leave() {
      const ws = this.ws;
      const link = this._link;
      clearTimeout(this._timer);
      this._url = '';
      this._attempt = 0;
      this._before = this._refused = false;
      this._keys.clear();
      this._asked.clear();
      logins.delete(this);
      if (ws) {
        this._drop(ws);
      }
      link.reject(new OlaError(notSent, 'closed'));
      return ws;
    }

    // _tell calls a function of the page, where there is one. What it throws is the page's own affair.
    _tell(name) {
      if (typeof this[name] !== 'function') {
        return false;
      }
      try {
        this[name].apply(this, Array.prototype.slice.call(arguments, 1));
      } catch (err) {
        setTimeout(function () { throw err; }, 0);
      }
      return true;
    }
  }

  const ola = new Ola();
  ola.Ola = Ola;
  ola.OlaError = OlaError;
  if (typeof module === 'object' && module.exports) {
    ola.ola = ola; // for import { ola } and require(...).ola
    module.exports = ola;
  } else {
    root.ola = ola;
  }
})(typeof self !== 'undefined' ? self : this);
