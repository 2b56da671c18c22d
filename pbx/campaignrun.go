package pbx

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// dialEvery is the least time between two numbers, of all campaigns together: ten a second. A PBX that is asked for more at once drops
// calls, and a group without a limit has no other bound.
const dialEvery = 100 * time.Millisecond

// sendPatience is how long Asterisk may take to say that it has queued a call.
const sendPatience = 10 * time.Second

// errNoAgent says that no agent of a queue could take one more call.
var errNoAgent = errors.New("no agent is free")

// Run dials until ctx ends. It is woken by what the switch tells: a call that ended, an agent who became free.
func (c *Campaigns) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { c.follow(ctx) })
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var pruned time.Time
	for {
		for c.round(ctx) && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-c.wake:
		case now := <-tick.C: // Asterisk may have come back, which no event tells
			c.review(ctx, now)
			if now.Sub(pruned) >= pruneEvery {
				pruned = now
				c.prune(now)
			}
		}
	}
}

// round lets the campaign whose turn it is, or the first one behind it that can, dial a number; false when none can.
func (c *Campaigns) round(ctx context.Context) bool {
	c.mu.Lock()
	list, from := slices.Clone(c.active), c.next
	c.mu.Unlock()
	for i := range list {
		at := (from + i) % len(list)
		if c.step(ctx, list[at]) {
			c.mu.Lock()
			c.next = at + 1
			c.mu.Unlock()
			return true
		}
		if ctx.Err() != nil {
			return false
		}
	}
	return false
}

// step takes the next number of a campaign, where there is room for it; false when there is none. A campaign that cannot go on is
// stopped before its numbers are used up.
func (c *Campaigns) step(ctx context.Context, r *running) bool {
	rules, g, err := c.sw.room(&r.plan)
	switch {
	case errors.Is(err, ErrOffline), errors.Is(err, ErrLinesBusy), errors.Is(err, errNoAgent):
		return false
	case err != nil:
		return c.halt(ctx, r, err)
	}
	seq, number, err := c.nextOf(ctx, r.id)
	if err != nil {
		return c.wrong(ctx, r, err)
	}
	if number == "" {
		c.forget(r.id)
		return true
	}
	l, err := c.sw.lineFor(&g, number)
	if err == nil {
		err = c.sw.mayCall(ctx, rules, "numbers", number)
	}
	var barred *BarredError
	why := OutcomeAbsent
	switch {
	case err == nil:
		return c.dial(ctx, r, &g, seq, number, l)
	case errors.As(err, &barred):
		why = OutcomeListed
	case errors.Is(err, ErrNotRegistered):
		why = OutcomeUnregistered
	case errors.Is(err, ErrTrunkDown):
		return false
	case !errors.Is(err, ErrNotFound):
		return c.wrong(ctx, r, err)
	}
	if err := c.pass(ctx, r.id, seq, why); err != nil {
		return c.wrong(ctx, r, err)
	}
	return true
}

// wrong tells what keeps a campaign from going on for now.
func (c *Campaigns) wrong(ctx context.Context, r *running, err error) bool {
	if ctx.Err() == nil {
		c.log.Error("campaign waits", "campaign", r.id, "error", err)
	}
	return false
}

// halt stops a campaign that cannot go on: each of its numbers would fail.
func (c *Campaigns) halt(ctx context.Context, r *running, why error) bool {
	if err := c.stop(ctx, r.id, why.Error()); err != nil {
		return c.wrong(ctx, r, err)
	}
	c.log.Warn("campaign was stopped, it cannot go on", "campaign", r.id, "error", why)
	return true
}

// dial marks a number, and then has it called. The mark is on the disk before Asterisk hears of it.
func (c *Campaigns) dial(ctx context.Context, r *running, g *TrunkGroup, seq int, number string, l route) bool {
	if !c.pace(ctx) {
		return false
	}
	a := openAttempt{campaign: r.id, seq: seq, tried: time.Now()}
	id := newCallID(a.tried)
	if err := c.sw.claim(id, r.plan.order(number, l.outside), g); err != nil {
		return false
	}
	c.watch(id, &a)
	marked, err := c.mark(ctx, id, a)
	if !marked {
		c.sw.expect(id, nil)
		if err != nil {
			return c.wrong(ctx, r, err) // it is watched, because the mark may still come to the disk
		}
		c.watch(id, nil)
		return true // stopped meanwhile
	}
	action, err := c.sw.campaignCall(&r.plan, g, id, number, l)
	if err == nil {
		sctx, cancel := context.WithTimeout(ctx, sendPatience)
		err = c.sw.send(sctx, id, action)
		cancel()
	}
	if err == nil || errors.Is(err, ErrUnknown) {
		return true // what comes of it is told by its call, or by nothing
	}
	c.sw.expect(id, nil)
	if undo := c.unmark(ctx, id, a); undo != nil {
		return c.wrong(ctx, r, undo)
	}
	c.watch(id, nil)
	if errors.Is(err, ErrOffline) {
		return false
	}
	return c.halt(ctx, r, err)
}

// pace waits until the next number may be dialled; false when ctx has ended.
func (c *Campaigns) pace(ctx context.Context) bool {
	c.mu.Lock()
	wait := dialEvery - time.Since(c.last)
	c.mu.Unlock()
	timer := time.NewTimer(max(0, wait))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	c.mu.Lock()
	c.last = time.Now()
	c.mu.Unlock()
	return true
}

// watch enters a call among those that are followed; nil takes it out.
func (c *Campaigns) watch(id CallID, a *openAttempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a == nil {
		delete(c.open, id)
		return
	}
	c.open[id] = *a
}

func (c *Campaigns) watched(id CallID) (openAttempt, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.open[id]
	return a, ok
}

// room checks whether a campaign may dial one more number now: as for [Switch.claim], and the rules still have what it needs.
func (s *Switch) room(p *CampaignPlan) (*Rules, TrunkGroup, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rules := s.state.rules
	g, err := rules.group("group", p.Group)
	if err == nil {
		_, err = rules.target(p)
	}
	switch {
	case err != nil:
		return rules, g, err
	case !s.synced:
		return rules, g, ErrOffline
	case p.Kind == CampaignQueue && s.state.queues[p.Queue] == nil:
		return rules, g, &MissingError{Field: "queue"}
	}
	o := p.order("", true)
	return rules, g, s.state.roomFor(&o, &g)
}

// roomFor reports whether a group has lines for an order, and its queue an agent.
func (s *state) roomFor(o *order, g *TrunkGroup) error {
	if o.Lines > 0 && s.linesOf(g.Name, o.at)+o.Lines > g.Count {
		return ErrLinesBusy
	}
	if o.For != "" && s.freeFor(o.For, o.at) < 1 {
		return errNoAgent
	}
	return nil
}

// lineFor is lineTo for who does not hold mu.
func (s *Switch) lineFor(g *TrunkGroup, number string) (route, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lineTo(g, number)
}

func (s *Switch) isOutside(number string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state.rules.isOutside(number)
}

// expectAgain notes an order of an earlier process, unless its call is known already.
func (s *Switch) expectAgain(id CallID, o order) {
	o.rest = o.at.Add(orderRest)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.calls[id] == nil && s.state.kept[id] == nil {
		s.state.asked[id] = o
	}
}

// order is what is kept with the call of a number. Its caller is the queue or the menu that it is for.
func (p *CampaignPlan) order(number string, outside bool) order {
	o := order{number: number, remark: p.Batch, at: time.Now(), errand: errand{Group: p.Group, Alone: true}}
	if outside {
		o.Lines = 1
	}
	switch p.Kind {
	case CampaignQueue:
		o.from, o.For = string(p.Queue), p.Queue
	case CampaignMenu:
		o.from = p.Menu
	case CampaignPlay, CampaignAI:
	}
	return o
}

// campaignCall makes the action that calls a number of a campaign. The channel carries the number as its own, so that an agent's phone
// shows it.
func (s *Switch) campaignCall(p *CampaignPlan, g *TrunkGroup, id CallID, number string, l route) (ami.Action, error) {
	rules := s.rules()
	then, err := rules.target(p)
	if err != nil {
		return ami.Action{}, err
	}
	ring := p.Ring
	if ring == 0 {
		ring = rules.Timeout
	}
	a := callOut(l, id, ring, then).With("Variable", "CALLERID(num)="+number)
	if l.outside && g.CallerID != "" {
		a = shows(a, g.CallerID)
	}
	for _, v := range [][2]string{{"OLA_PLAN_ID", p.Plan}, {"OLA_COMPANY_ID", p.Company}} {
		if v[1] != "" {
			a = a.With("Variable", v[0]+"="+literal.Replace(v[1]))
		}
	}
	return remarked(a, p.Batch), nil
}

// freeFor counts the agents of a queue who could take a call now, less those callers who wait and ring nobody yet, and those who are on
// their way.
func (s *state) freeFor(name QueueName, now time.Time) (n int) {
	q := s.queues[name]
	if q == nil {
		return 0
	}
	for _, m := range q.members {
		if s.takesCalls(m) {
			n++
		}
	}
	for _, w := range q.callers {
		if ch := s.channels[w.ID]; ch == nil || !ch.call.ringsFor(name) {
			n--
		}
	}
	for _, c := range s.calls {
		if c.For == name && c.Queue == "" {
			n--
		}
	}
	for _, o := range s.asked {
		if o.For == name && o.fresh(now) {
			n--
		}
	}
	return n
}

// takesCalls reports whether a member of a queue would be rung, and is not busy with a call of another queue.
func (s *state) takesCalls(m *Member) bool {
	if m.Paused {
		return false
	}
	if a, x := s.agents[m.Exten], s.extens[m.Exten]; a != nil && x != nil {
		return a.State == AgentReady && x.state() == Idle
	}
	return m.State == "1"
}

// ringsFor reports whether a caller who waits in a queue rings an agent.
func (c *call) ringsFor(queue QueueName) bool {
	return slices.ContainsFunc(c.Spans, func(sp Span) bool { return sp.Kind == SpanRing && sp.open() && sp.Place == string(queue) })
}
