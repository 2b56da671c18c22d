package ola

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// Limits of sockets.
const (
	maxSockets   = 4096
	maxFrame     = 64 << 10  // bytes of one command
	maxLogin     = 4 << 10   // and of one before the log-in
	maxWaiting   = 256 << 10 // bytes of a socket's commands that wait for their turn
	maxCommands  = 64        // of one socket that wait for their turn
	commandLimit = 30 * time.Second
)

// patience is how long, and how far, a client may keep the daemon waiting.
type patience struct {
	unsent int // frames that wait for it; one who falls behind is cut off and takes a new snapshot
	bytes  int // of them
	early  int // of them, before somebody has logged in

	strangers int           // sockets on which nobody has logged in: beyond it the oldest makes room
	write     time.Duration // for one frame
	ping      time.Duration // between two
	pong      time.Duration
	login     time.Duration // for one who only looks: a page may show its log-in form behind an open socket
}

var usual = patience{unsent: 8192, bytes: 8 << 20, early: 32 << 10, strangers: 1024, write: 10 * time.Second, ping: 30 * time.Second, pong: 20 * time.Second, login: 10 * time.Minute}

// streamLimit is how many events of the core may wait for all sockets together.
const streamLimit = 1 << 16

// Sockets are the connections of agents: what they subscribe to is told in the order of the core's events. Run must be called.
type Sockets struct {
	sw    *pbx.Switch
	rules func() *Rules
	log   *slog.Logger
	sub   *pbx.Subscription
	done  sync.WaitGroup // what runs for sockets
	base  context.Context
	stop  context.CancelFunc
	limit patience

	mu       sync.Mutex // guards all below
	agents   map[pbx.Exten]*pbx.Agent
	others   map[pbx.Exten]*pbx.Agent // who was never in a queue, and of whom anything was told
	callers  map[pbx.QueueName][]pbx.Waiting
	sessions map[*session]bool
	strange  []*session               // on which nobody has logged in, the oldest first
	byExten  map[pbx.Exten][]*session // who has a key for this agent alone
	wide     []*session               // who has a key for several
	owed     []func()                 // what was asked for while the core did not know the agents, or these had not been told of them
	resyncs  uint64                   // full queries of Asterisk that are in agents and callers
	closed   bool
}

func newSockets(sw *pbx.Switch, rules func() *Rules, log *slog.Logger) *Sockets {
	s := &Sockets{sw: sw, rules: rules, log: log, limit: usual, sessions: map[*session]bool{}, byExten: map[pbx.Exten][]*session{}}
	s.base, s.stop = context.WithCancel(context.Background())
	s.subscribe()
	return s
}

// subscribe takes a new picture. The caller holds mu, or is the only one who knows s.
func (s *Sockets) subscribe() {
	var picture pbx.Picture
	s.sub, picture = s.sw.Subscribe(pbx.SubscribeOptions{Limit: streamLimit})
	s.agents, s.others, s.callers = map[pbx.Exten]*pbx.Agent{}, map[pbx.Exten]*pbx.Agent{}, map[pbx.QueueName][]pbx.Waiting{}
	for _, x := range picture.Agents {
		s.note(&x)
	}
	for _, q := range picture.Queues {
		s.callers[q.Name] = q.Callers
	}
	s.resyncs = picture.Resyncs
}

// Run tells events until ctx ends, then closes all sockets.
func (s *Sockets) Run(ctx context.Context) error {
	defer s.end()
	for {
		batch, err := s.sub.Next(ctx)
		switch {
		case errors.Is(err, pbx.ErrSlow):
			s.log.Warn("sockets fell behind the events of the switch, all take the picture anew")
			s.again()
		case errors.Is(err, pbx.ErrClosed):
			<-ctx.Done()
			return nil
		case err != nil:
			return nil //nolint:nilerr // the context's
		default:
			s.tell(batch)
			s.settle()
		}
	}
}

// settle sends what is owed, once it can be told.
func (s *Sockets) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.owed) == 0 || !s.caughtUp() {
		return
	}
	for _, pay := range s.owed {
		pay()
	}
	s.owed = nil
}

// caughtUp reports whether the core knows the agents, and these have been told all that it knew when it did. The caller holds mu.
func (s *Sockets) caughtUp() bool {
	st := s.sw.Status()
	return st.Complete && st.Resyncs == s.resyncs
}

// when does something that tells how agents stand: at once, or as soon as that is known. The caller holds mu.
func (s *Sockets) when(do func()) {
	if s.caughtUp() {
		do()
		return
	}
	if len(s.owed) < maxSockets*2 {
		s.owed = append(s.owed, do)
	}
}

// again subscribes anew, and sends everybody a snapshot.
func (s *Sockets) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribe()
	for c := range s.sessions {
		for _, k := range c.keys {
			s.snapshot(c, k)
		}
	}
}

// tell applies events and sends them to whom they concern.
func (s *Sockets) tell(batch []pbx.Occurrence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range batch {
		switch e := o.Event.(type) {
		case pbx.AgentChanged:
			s.tellAgent(s.take(&e.Agent, o.At), &e.Agent, o.At)
		case pbx.AgentMoved:
			s.tellAgent(s.take(&e.Agent, o.At), &e.Agent, o.At)
		case pbx.PictureCompleted:
			s.resyncs = e.Resyncs
		case pbx.CallerQueued:
			s.callers[e.Queue] = append(slices.Clip(s.callers[e.Queue]), e.Waiting)
			s.tellCaller("in", e.Queue, e.Waiting, o.At)
		case pbx.CallerUnqueued:
			s.callers[e.Queue] = slices.DeleteFunc(slices.Clone(s.callers[e.Queue]), func(w pbx.Waiting) bool { return w.ID == e.Waiting.ID })
			s.tellCaller("out", e.Queue, e.Waiting, o.At)
		}
	}
}

// take notes what an agent does, and returns his queues of before. Who watches his queues is told of those who wait in one that he has
// joined, or left.
func (s *Sockets) take(x *pbx.Agent, at time.Time) (before []pbx.QueueName) {
	if old := s.agents[x.Exten]; old != nil {
		before = old.Queues
	}
	delete(s.agents, x.Exten) // so that whoever watches the queue by another agent is known
	for _, q := range x.Queues {
		if !slices.Contains(before, q) {
			s.tellWaiting("in", x.Exten, q, at)
		}
	}
	for _, q := range before {
		if !slices.Contains(x.Queues, q) {
			s.tellWaiting("out", x.Exten, q, at)
		}
	}
	s.note(x)
	return before
}

// note keeps what an agent does. Those who were never in a queue are no agents to others.
func (s *Sockets) note(x *pbx.Agent) {
	if !x.Enlisted() {
		s.others[x.Exten] = x
		return
	}
	delete(s.others, x.Exten)
	s.agents[x.Exten] = x
}

// seen is what an agent does, as the sockets have been told.
func (s *Sockets) seen(n pbx.Exten) *pbx.Agent {
	return cmp.Or(s.agents[n], s.others[n], &pbx.Agent{Exten: n, State: pbx.AgentLogout})
}

// tellWaiting tells who watches one agent's callers of all who wait in a queue, but for those who see that queue by another agent.
func (s *Sockets) tellWaiting(action string, n pbx.Exten, q pbx.QueueName, at time.Time) {
	for _, w := range s.callers[q] {
		text := encode(waiting(action, q, w, at))
		for _, c := range slices.Concat(s.byExten[n], s.wide) {
			if slices.ContainsFunc(c.keys, func(k routeKey) bool { return k.ofCaller(n) }) && !s.sees(c, q) {
				c.send(text)
			}
		}
	}
}

// sees reports whether a socket is told of those who wait in a queue.
func (s *Sockets) sees(c *session, q pbx.QueueName) bool {
	for n, x := range s.agents {
		if slices.Contains(x.Queues, q) && slices.ContainsFunc(c.keys, func(k routeKey) bool { return k.ofCaller(n) }) {
			return true
		}
	}
	return false
}

// tellAgent tells what an agent does to whom it concerns: who watches a queue that he has just left, too.
func (s *Sockets) tellAgent(before []pbx.QueueName, x *pbx.Agent, at time.Time) {
	var text []byte
	was := &pbx.Agent{Exten: x.Exten, Queues: before}
	watching := s.byExten[x.Exten]
	if x.Enlisted() {
		watching = slices.Concat(watching, s.wide)
	}
	for _, c := range watching {
		if !slices.ContainsFunc(c.keys, func(k routeKey) bool { return k.ofAgent(x) || k.ofAgent(was) }) {
			continue
		}
		if text == nil {
			text = s.renderAgent(x, at)
		}
		c.send(text)
	}
}

func (s *Sockets) renderAgent(x *pbx.Agent, at time.Time) []byte {
	var queued []pbx.Waiting
	for _, q := range x.Queues {
		queued = append(queued, s.callers[q]...)
	}
	e := s.rules().happening(x, queued, at)
	if s.agents[pbx.Exten(e.OtherDN)] != nil {
		e.OtherType = typeAgent
	}
	if s.agents[pbx.Exten(e.ThirdDN)] != nil {
		e.ThirdType = typeAgent
	}
	return encode(e)
}

func (s *Sockets) tellCaller(action string, q pbx.QueueName, w pbx.Waiting, at time.Time) {
	var text []byte
	told := map[*session]bool{}
	for n, x := range s.agents {
		if !slices.Contains(x.Queues, q) {
			continue
		}
		for _, c := range slices.Concat(s.byExten[n], s.wide) {
			if told[c] || !slices.ContainsFunc(c.keys, func(k routeKey) bool { return k.ofCaller(n) }) {
				continue
			}
			if text == nil {
				text = encode(waiting(action, q, w, at))
			}
			told[c] = true
			c.send(text)
		}
	}
}

// snapshot sends what a key stands for as it is now. The caller holds mu.
func (s *Sockets) snapshot(c *session, k routeKey) {
	now := time.Now()
	if n := k.exten(); n != "" && s.agents[n] == nil {
		if x := s.seen(n); k.ofAgent(x) {
			c.send(s.renderAgent(x, now))
		}
		return
	}
	queues := map[pbx.QueueName]bool{}
	for n, x := range s.agents {
		if k.ofAgent(x) {
			c.send(s.renderAgent(x, now))
		}
		for _, q := range x.Queues {
			queues[q] = queues[q] || k.ofCaller(n)
		}
	}
	for q, on := range queues {
		for _, w := range s.callers[q] {
			if on {
				c.send(encode(waiting("in", q, w, now)))
			}
		}
	}
}

// room reports, as an answer, that a socket may not have one more key.
func (s *Sockets) room(c *session, k routeKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(c.keys) >= maxKeys && !c.has(k) {
		return unusable("key: too many subscriptions")
	}
	return nil
}

func (c *session) has(k routeKey) bool {
	return slices.ContainsFunc(c.keys, func(other routeKey) bool { return slices.Equal(k, other) })
}

// watch subscribes a socket to a key and sends it the snapshot of that, or will as soon as the core knows the agents.
func (s *Sockets) watch(c *session, k routeKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sessions[c] {
		return // it has ended meanwhile
	}
	if !c.has(k) {
		c.keys = append(c.keys, k)
	}
	s.when(func() {
		if c.has(k) { // still
			s.enroll(c, k) // not before: what leads to the snapshot would be told besides
			s.snapshot(c, k)
		}
	})
}

// enroll lets a socket be told what a key stands for.
func (s *Sockets) enroll(c *session, k routeKey) {
	if n := k.exten(); n == "" {
		if !slices.Contains(s.wide, c) {
			s.wide = append(s.wide, c)
		}
	} else if !slices.Contains(s.byExten[n], c) {
		s.byExten[n] = append(s.byExten[n], c)
	}
}

// unwatch ends the subscription to a key, to all when k is nil. It reports whether there was one.
func (s *Sockets) unwatch(c *session, k routeKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forget(c, k)
}

// forget does what unwatch promises. The caller holds mu.
func (s *Sockets) forget(c *session, k routeKey) bool {
	before := c.keys
	kept := slices.DeleteFunc(slices.Clone(before), func(other routeKey) bool { return k == nil || slices.Equal(k, other) })
	for _, old := range before {
		n := old.exten()
		if slices.ContainsFunc(kept, func(other routeKey) bool { return other.exten() == n }) {
			continue
		}
		isIt := func(other *session) bool { return other == c }
		if n == "" {
			s.wide = slices.DeleteFunc(s.wide, isIt)
		} else if left := slices.DeleteFunc(s.byExten[n], isIt); len(left) > 0 {
			s.byExten[n] = left
		} else {
			delete(s.byExten, n)
		}
	}
	c.keys = kept
	return len(kept) < len(before)
}

// tellState sends a socket what one agent does.
func (s *Sockets) tellState(c *session, n pbx.Exten) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.when(func() { c.send(s.renderAgent(s.seen(n), time.Now())) })
}

// agent is what an agent does, as the sockets have been told.
func (s *Sockets) agent(n pbx.Exten) pbx.Agent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.seen(n)
}

// waits reports whether a caller waits in one of some queues.
func (s *Sockets) waits(id string, queues []pbx.QueueName) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(queues, func(q pbx.QueueName) bool {
		return slices.ContainsFunc(s.callers[q], func(w pbx.Waiting) bool { return w.ID == id })
	})
}

// enter adds a socket; the error is an answer.
func (s *Sockets) enter(c *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.sessions) >= maxSockets {
		return &httpd.Error{Status: http.StatusServiceUnavailable, Message: "no more sockets", RetryAfter: time.Second}
	}
	if len(s.strange) >= s.limit.strangers {
		s.strange[0].goAway(websocket.StatusTryAgainLater, "too many sockets on which nobody has logged in")
		s.strange = slices.Delete(s.strange, 0, 1)
	}
	s.sessions[c] = true
	s.strange = append(s.strange, c)
	s.done.Add(1)
	return nil
}

// admit notes who has logged in on a socket. What it was subscribed to ends.
func (s *Sockets) admit(c *session, id pbx.Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(c, nil)
	s.strange = slices.DeleteFunc(s.strange, func(other *session) bool { return other == c })
	c.login = id
}

// expel closes the sockets of one who was changed, or is there no more.
func (s *Sockets) expel(id pbx.Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.sessions {
		if c.login.Exten == id.Exten && c.login.User.ID == id.User.ID {
			c.goAway(websocket.StatusPolicyViolation, "log in again")
		}
	}
}

// leave takes a socket out.
func (s *Sockets) leave(c *session) {
	s.mu.Lock()
	delete(s.sessions, c)
	s.strange = slices.DeleteFunc(s.strange, func(other *session) bool { return other == c })
	s.forget(c, nil)
	s.mu.Unlock()
	s.done.Done()
}

// Count is how many sockets are open.
func (s *Sockets) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// farewell is how long clients may take to answer that the daemon stops.
const farewell = 2 * time.Second

// end closes all sockets and waits for what runs for them.
func (s *Sockets) end() {
	s.mu.Lock()
	s.closed = true
	for c := range s.sessions {
		c.goAway(websocket.StatusGoingAway, "the daemon stops")
	}
	s.sub.Close()
	s.mu.Unlock()
	late := time.AfterFunc(farewell, s.stop)
	defer late.Stop()
	s.done.Wait()
	s.stop()
}
