'use strict';

// What comes from the network is put in as text, never as HTML: a caller's number is what a stranger has chosen.

const byId = function (id) { return document.getElementById(id); };
const linesKept = 200;
const callers = new Map(); // who waits, by the id of his channel
let queues = ''; // of the agent, as last told

function log(text, refused) {
  const line = document.createElement('li');
  line.textContent = new Date().toLocaleTimeString() + ' ' + text;
  line.className = refused ? 'refused' : '';
  byId('log').prepend(line);
  while (byId('log').childElementCount > linesKept) {
    byId('log').lastElementChild.remove();
  }
}

// show logs what became of a command.
function show(what, promise) {
  promise.then(function (reply) {
    log(what + ': ' + reply.result);
  }, function (err) {
    log(what + ': ' + err.code + ' ' + err.result, true);
  });
}

function showConnection(text) {
  byId('connection').textContent = text;
}

function showAgent(a) {
  byId('state').textContent = a.state + (a.private_data ? ' (' + a.private_data + ')' : '');
  byId('call').textContent = a.state === 'busy' ? (a.call_direction === 'inbound' ? 'from ' : 'to ') + a.other_dn : '';
  if (a.queue_id.length > 0 && byId('queues').value === '') {
    byId('queues').value = a.queue_id.join(', ');
  }
  if (a.queue_id.join() !== queues) { // who waits there already is told to who subscribes
    queues = a.queue_id.join();
    callers.clear();
    showCallers();
    show('watch callers', ola.subscribe('ola.caller.' + a.agent_extn));
  }
  log([a.agent_extn, a.old_state, '>', a.state, a.private_data, a.call_type, a.other_dn].filter(Boolean).join(' '));
}

function showCallers() {
  const list = byId('waiting');
  list.textContent = '';
  callers.forEach(function (c, uuid) {
    const line = document.createElement('li');
    const take = document.createElement('button');
    line.textContent = c.number + ' in ' + c.queue + ' ';
    take.textContent = 'Take';
    take.addEventListener('click', function () { show('take ' + c.number, ola.take_call(uuid)); });
    line.append(take);
    list.append(line);
  });
  byId('nobody').hidden = callers.size > 0;
}

ola.onMessage = function (evt, message) {
  if (!message) {
    return;
  }
  switch (message.event_type) {
    case 'agent_state':
      showAgent(message);
      break;
    case 'agent_caller_state':
      if (message.action === 'in') {
        callers.set(message.caller.uuid, { number: message.caller.cid_number || 'unknown', queue: message.queue_id });
      } else {
        callers.delete(message.caller.uuid);
      }
      showCallers();
      break;
  }
};

ola.onConnect = function () {
  const extn = byId('extn').value;
  byId('who').textContent = extn;
  showConnection('connected');
  queues = '';
  show('watch', ola.subscribe('ola.agent.' + extn));
};

ola.onReconnect = function () { // what was subscribed to is so again
  showConnection('connected');
  log('connected again');
};

ola.onClose = function () {
  showConnection('not connected');
  byId('state').textContent = '?';
  byId('call').textContent = '';
  callers.clear(); // who waits by then will be told anew
  showCallers();
};

ola.onError = function (err) {
  showConnection(err.result);
};

function onSubmit(id, act) {
  byId(id).addEventListener('submit', function (evt) {
    evt.preventDefault();
    act();
  });
}

onSubmit('connect', function () {
  showConnection('connecting');
  show('connect', ola.connect(byId('url').value, byId('extn').value, byId('password').value).then(function () { return { result: 'ok' }; }));
  byId('password').value = '';
});

onSubmit('signin', function () {
  const queues = byId('queues').value.split(',').map(function (q) { return q.trim(); }).filter(Boolean);
  show('sign in', ola.login(queues, byId('extn').value, { type: 'onhook' }));
});

onSubmit('dial', function () {
  show('dial', ola.dial(byId('number').value, byId('note').value));
});

const commands = {
  logout: function () { return ola.logout(); },
  go_ready: function () { return ola.go_ready(); },
  go_break: function () { return ola.go_break(byId('reason').value); },
  transfer: function () { return ola.transfer(byId('number').value); },
  hold: function () { return ola.hold(); },
  unhold: function () { return ola.unhold(); },
  hangup: function () { return ola.hangup(); },
};

document.querySelectorAll('button[data-do]').forEach(function (button) {
  button.addEventListener('click', function () { show(button.textContent, commands[button.dataset.do]()); });
});

byId('close').addEventListener('click', function () { ola.close(); });
byId('url').value = (location.protocol === 'https:' ? 'wss://' : 'ws://') + location.host + '/ola_socket';
showCallers();
