package pbx

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// answer is the outcome of a query, tied to the link it was asked on.
type answer struct {
	link int
	mark uint64
	snap *snapshot
	err  error
}

// run is what belongs to one run of the loop and to nobody else.
type run struct {
	*Switch
	link      int       // counts logins
	login     time.Time // the last one
	cancel    context.CancelFunc
	querying  bool
	again     bool // asked for while a query was under way
	booted    bool
	doubt     bool       // an event may have been lost: channels are compared too
	mark      uint64     // counts queries
	ready     *answer    // of the query under way; taken over when the stream has come to where it was asked
	held      []ami.Item // events read while a query is under way; they are applied on top of its answer
	wg        sync.WaitGroup
	retry     *time.Timer
	alarm     *time.Timer // when the next agent's after-call work is over
	began     time.Time   // Asterisk
	pruned    time.Time
	noted     time.Time
	roomsSeen time.Time                // in the dialplan
	turns     map[string]chan struct{} // by matter: closed when Asterisk has answered what it was told of it last
}

// Run follows the client's stream until it ends. The client must be run by the caller.
func (s *Switch) Run(ctx context.Context) error {
	r := &run{
		Switch: s, cancel: func() {}, retry: time.NewTimer(time.Hour), alarm: time.NewTimer(time.Hour), turns: map[string]chan struct{}{},
	}
	r.retry.Stop()
	r.alarm.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	defer r.end()
	for {
		select {
		case batch, ok := <-s.client.Stream():
			if !ok {
				return nil
			}
			r.take(ctx, batch)
		case a := <-s.snaps:
			r.answered(a)
		case <-s.asks:
			r.query(ctx)
		case <-r.retry.C:
			r.query(ctx)
		case now := <-r.alarm.C:
			r.change(func(st *state) { st.tickWraps(now) })
		case now := <-tick.C:
			r.change(func(st *state) {
				st.tick(now)
				st.tickKept(now)
				st.tickOrders(now)
				st.tickCollections(now)
				if r.synced {
					r.records.look(now)
					st.tickInvited(now)
					st.tickLeaving(now)
				}
				r.keepRooms(now)
				r.remind(now)
				r.minutely(st, now)
			})
		case <-s.acks:
			r.change(func(*state) {})
		}
	}
}

// end stops what runs and closes the subscriptions behind what they have not read yet.
func (r *run) end() {
	r.cancel()
	go func() { // a query that is about to answer finds nobody
		for range r.snaps {
			continue
		}
	}()
	r.wg.Wait()
	close(r.snaps)
	r.retry.Stop()
	r.alarm.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed, r.synced = true, false
	for _, sub := range r.subs {
		sub.end(ErrClosed)
	}
}

// take applies a batch of the stream in its order.
func (r *run) take(ctx context.Context, batch []ami.Item) {
	r.change(func(st *state) {
		for _, item := range batch {
			if item.Gap {
				r.doubt = true
				poke(r.asks)
			}
			switch item.Kind {
			case ami.ItemConnected:
				r.connected()
			case ami.ItemDisconnected:
				r.disconnected(item.Err)
			case ami.ItemEvent:
				r.event(ctx, st, item)
			case ami.ItemSync:
				r.reached(st, item.Mark)
			}
		}
	})
}

func (r *run) connected() {
	r.link++
	r.login = time.Now()
	r.booted, r.querying, r.ready, r.held = false, false, nil, nil
	r.report(false, waitingForBoot)
}

func (r *run) disconnected(err error) {
	r.cancel()
	if r.synced {
		r.state.seen = time.Now()
	}
	r.retry.Stop()
	r.synced, r.querying, r.booted, r.ready, r.held = false, false, false, nil, nil
	reason := "the manager link is down"
	if err != nil {
		reason += ": " + err.Error()
	}
	r.report(false, reason)
}

func (r *run) event(ctx context.Context, st *state, item ami.Item) {
	switch item.Message.Event() {
	case "FullyBooted":
		r.booted, r.began = true, time.Now().Add(-time.Duration(number(item.Message.Get("Uptime")))*time.Second)
		r.query(ctx)
	case "Reload":
		poke(r.asks)
	}
	if r.synced && !r.querying {
		st.apply(item.Message, item.At)
	} else if r.booted {
		r.held = append(r.held, item)
	}
}

// query asks for everything, on a goroutine of its own, so that the stream goes on being read.
func (r *run) query(ctx context.Context) {
	if !r.booted {
		return
	}
	if r.querying {
		r.again = true
		return
	}
	r.querying = true
	patience := queryPatience
	if r.synced {
		patience = refreshPatience
	}
	qctx, cancel := context.WithTimeout(ctx, patience)
	r.cancel = cancel
	link, file, from := r.link, r.records.path, r.records.told
	r.mark++
	mark := r.mark
	r.wg.Go(func() {
		defer cancel()
		snap, err := query(qctx, r.client, file, from)
		r.snaps <- answer{link: link, mark: mark, snap: snap, err: err}
		if err != nil {
			return
		}
		if err := r.client.Sync(qctx, mark); err != nil {
			r.snaps <- answer{link: link, mark: mark, err: err}
		}
	})
}

// answered keeps the outcome of a query until the stream has come to where it was asked: events that were read before
// the answer may still be waiting there.
func (r *run) answered(a answer) {
	if a.link != r.link || a.mark != r.mark || !r.querying {
		return // of a link that is gone
	}
	if a.err == nil {
		r.ready = &a
		return
	}
	r.querying, r.ready = false, nil
	if !errors.Is(a.err, context.Canceled) {
		r.failed(a.err)
	}
}

// reached takes the outcome of a query over, then the events that were read meanwhile.
func (r *run) reached(st *state, mark uint64) {
	if r.ready == nil || r.ready.mark != mark {
		return
	}
	snap := r.ready.snap
	r.querying, r.ready = false, nil
	r.rebuild(st, snap)
	if r.again {
		r.again = false
		poke(r.asks)
	}
}

// failed asks again soon. Events of a picture that is complete do not wait for that.
func (r *run) failed(err error) {
	r.retry.Reset(2 * time.Second)
	r.change(func(st *state) {
		if !r.synced {
			r.report(false, "querying asterisk failed: "+err.Error())
			return
		}
		r.replay(st)
	})
}

func (r *run) replay(st *state) {
	for _, item := range r.held {
		st.apply(item.Message, item.At)
	}
	r.held = nil
}

func (r *run) rebuild(st *state, snap *snapshot) {
	usable := snap.hasChannels && snap.hasHints
	refresh := r.synced && !r.doubt // asked for on a link whose events were never interrupted
	if refresh {                    // nothing was missed, and a record may be written before the events of its call are sent
		snap.hasChannels, snap.hasRooms, snap.records, snap.hasPlace = false, false, nil, false
	}
	r.doubt = false
	snap.began = r.began
	st.reconcile(snap, fatesOf(r.held), time.Now())
	if !refresh && snap.hasChannels {
		st.restOrders(r.login, time.Now())
	}
	r.replay(st)
	r.synced, r.drivers, r.roomsDue = true, snap.drivers, true
	if snap.hasPlace {
		r.records.told, r.records.next, r.records.looked, r.records.changed = snap.place, position{}, time.Now(), true
	}
	r.resyncs++
	st.emit(PictureCompleted{Resyncs: r.resyncs})
	reason := ""
	if len(snap.missing) > 0 {
		reason = "not allowed or not there: " + strings.Join(snap.missing, "; ")
	}
	r.status.Asterisk, r.status.Usable = snap.asterisk, usable
	r.report(true, reason)
	if !refresh {
		r.log.Info("picture of asterisk is complete", "asterisk", snap.asterisk, "pjsip", snap.drivers.PJSIP, "sip", snap.drivers.SIP,
			"channels", len(st.channels), "calls", len(st.calls), "extensions", len(st.extens))
	}
}

// fatesOf collects the channels whose beginning or end is among events that are still to be applied.
func fatesOf(held []ami.Item) fates {
	f := fates{born: map[string]bool{}, ending: map[string]bool{}}
	for _, item := range held {
		switch item.Message.Event() {
		case "Newchannel":
			f.born[item.Message.Get("Uniqueid")] = true
		case "Hangup":
			f.ending[item.Message.Get("Uniqueid")] = true
		}
	}
	return f
}

// waitingForBoot is the reason between a login and FullyBooted.
const waitingForBoot = "waiting for asterisk to be fully booted"

// How long a full query may take. Events wait for it, so that one on a link that was never interrupted gets less.
const (
	queryPatience   = 20 * time.Second
	refreshPatience = 3 * time.Second
)

// bootPatience is how long Asterisk may take between a login and FullyBooted before it is worth a word.
const bootPatience = 10 * time.Second

// remind says once what keeps FullyBooted away.
func (r *run) remind(now time.Time) {
	if r.status.Reason == waitingForBoot && now.Sub(r.login) > bootPatience {
		r.report(false, "asterisk does not say that it is fully booted: the manager user needs read = system, or asterisk is still loading")
	}
}

// report notes the status and logs it when it is news. The caller holds mu.
func (r *run) report(complete bool, reason string) {
	if r.status.Complete == complete && r.status.Reason == reason {
		return
	}
	if r.status.Complete != complete {
		r.status.Since = time.Now()
	}
	r.status.Complete, r.status.Reason = complete, reason
	if reason != "" && reason != waitingForBoot { // which every login goes through
		r.log.Warn("picture of asterisk has gaps", "complete", complete, "reason", reason)
	}
}

// change lets do work on the state and then stores and tells what came of it: the stored rows are queued before the
// events reach a subscriber, so that no committed event belongs to a call that is not stored.
func (r *run) change(do func(*state)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.beat = time.Now()
	st := r.state
	do(st)
	st.judgeAgents()
	r.pending = append(r.pending, st.gone...)
	st.gone = nil
	out, limits, pauses, voices := st.out, st.limits, st.pauses, st.voices
	st.out, st.limits, st.pauses, st.voices = nil, nil, nil, nil
	r.putLimits(limits)
	r.putPauses(pauses)
	r.putVoices(voices)
	r.setAlarm(st.nextWrap())
	r.save(len(out))
	r.stir()
	if len(out) > 0 {
		r.publish(out)
	}
}

// inTurn does what Asterisk is to be told of one matter on a goroutine of its own, behind all that was asked for of the same matter
// before. The caller holds mu.
func (r *run) inTurn(matter string, do func()) {
	before, done := r.turns[matter], make(chan struct{})
	r.turns[matter] = done
	r.wg.Go(func() {
		if before != nil {
			<-before
		}
		do()
		r.mu.Lock()
		defer r.mu.Unlock()
		close(done)
		if r.turns[matter] == done {
			delete(r.turns, matter)
		}
	})
}

// save queues the rows that changed. A call's row goes only when its end is in safe hands; told counts the events that
// are not published yet and therefore are in nobody's hands.
func (r *run) save(told int) {
	st, ch := r.state, &change{calls: map[CallID][]byte{}, extens: map[Exten]ExtenState{}}
	r.encode(st, ch)
	r.storeSeen(st, ch, r.beat)
	safe := r.safe()
	if r.durable() {
		safe = min(safe, st.seq-uint64(told))
	}
	for len(r.pending) > 0 && r.pending[0].seq <= safe {
		ch.calls[r.pending[0].call] = nil
		r.pending = slices.Delete(r.pending, 0, 1)
	}
	for _, x := range st.moved {
		ch.extens[x.number] = x.told
	}
	ch.removed, st.moved, st.removed = st.removed, nil, nil
	ch.agents, ch.left, st.agentsMoved, st.agentsGone = st.agentsMoved, st.agentsGone, nil, nil
	st.encodeConferences(ch)
	if r.records.changed {
		ch.place, r.records.changed = r.records.told, false
	}
	if !ch.empty() {
		r.store.Submit(ch.apply, r.saved)
	}
}

// encode makes the rows of the calls that changed: the open ones, those whose account waits, and the accounts that are told now.
func (r *run) encode(st *state, ch *change) {
	for _, c := range st.calls {
		if c.dirty {
			c.dirty = false
			r.saveCall(st, ch, c.stored())
		}
	}
	for id, h := range st.kept {
		if h.dirty {
			h.dirty = false
			r.saveCall(st, ch, storedCall{ID: id, Closed: &h.account, errand: errand{Alone: h.alone}})
		}
	}
	for i := range st.closed {
		ch.closed = append(ch.closed, r.finished(&st.closed[i]))
	}
	st.closed = nil
}

// saveCall encodes a call to be stored. One that has no JSON form stays as it was stored last: a time beyond the year 9999 alone, which no
// clock gives.
func (r *run) saveCall(st *state, ch *change, c storedCall) {
	c.Wraps = st.wrapsOf(c.ID)
	c.level(now())
	body, err := json.Marshal(c)
	if err != nil {
		r.log.Error("open call could not be encoded", "call", c.ID, "error", err)
		return
	}
	ch.calls[c.ID] = body
}

// setAlarm wakes the loop when the next agent is to be released.
func (r *run) setAlarm(at time.Time) {
	if r.alarm == nil {
		return
	}
	r.alarm.Stop()
	if !at.IsZero() {
		r.alarm.Reset(time.Until(at))
	}
}

func (r *run) saved(err error) {
	if err != nil {
		r.log.Error("state could not be stored", "error", err)
	}
}

func (s *Switch) durable() bool {
	return slices.ContainsFunc(s.subs, func(sub *Subscription) bool { return sub.opts.Durable })
}

// Settle queues the last rows after the durable subscribers have read everything; to be called when Run has returned
// and they have ended, and before the store closes.
func (s *Switch) Settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	(&run{Switch: s}).save(0)
}
