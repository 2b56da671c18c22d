package pbx

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"time"
)

// follow reads what the switch tells of the calls that were dialled. What it misses, because it fell behind or the daemon was off, is
// found by review.
func (c *Campaigns) follow(ctx context.Context) {
	for ctx.Err() == nil {
		sub, _ := c.sw.Subscribe(SubscribeOptions{Limit: 8192})
		for {
			batch, err := sub.Next(ctx)
			for _, o := range batch {
				c.hear(ctx, o)
			}
			if errors.Is(err, ErrClosed) {
				return
			}
			if err != nil {
				break
			}
		}
		sub.Close()
	}
}

// hear takes one event: what becomes of a number, or what may make room for the next one.
func (c *Campaigns) hear(ctx context.Context, o Occurrence) {
	switch e := o.Event.(type) {
	case DialEnded:
		if a, ok := c.watched(e.Call); ok && e.Leg.FromName == "" && e.Leg.Answered {
			c.answered(ctx, e.Call, a, o.At)
		}
	case CallClosed:
		if a, ok := c.watched(e.Account.ID); ok {
			c.over(ctx, a, &e.Account)
		}
		poke(c.wake)
	case CallEnded, AgentChanged, QueueMemberChanged, ExtensionChanged:
		poke(c.wake)
	}
}

func (c *Campaigns) answered(ctx context.Context, id CallID, a openAttempt, at time.Time) {
	if a.picked {
		return
	}
	if err := c.picked(ctx, a, at); err != nil {
		c.log.Error("result of a call could not be stored", "call", id, "error", err)
		return
	}
	a.picked = true
	c.watch(id, &a)
}

// over notes the result of a call. Where that cannot be stored it is tried again by review.
func (c *Campaigns) over(ctx context.Context, a openAttempt, account *Account) {
	n := CampaignNumber{Outcome: outcomeOf(account), Cause: account.Cause, CauseText: account.CauseText, Ended: account.End}
	if a.picked {
		n.Outcome = OutcomeAnswered
	}
	if ring, ok := account.rung(); ok && n.Outcome == OutcomeAnswered {
		n.Answered = ring.End
	}
	if err := c.finish(ctx, a, &n); err != nil {
		c.log.Error("result of a call could not be stored", "call", account.ID, "error", err)
		return
	}
	c.watch(account.ID, nil)
}

// rung returns how the one who was called first was rung.
func (a *Account) rung() (Span, bool) {
	for _, sp := range a.Spans {
		if sp.Kind == SpanRing {
			return sp, true
		}
	}
	return Span{}, false
}

// declined is the Q.850 cause of a call that was refused. Asterisk 16 tells it as busy, 22 as not answered.
const declined = "21"

// causes are the results that the Q.850 cause alone tells.
var causes = map[string]Outcome{"17": OutcomeBusy, "18": OutcomeNoAnswer, "19": OutcomeNoAnswer, declined: OutcomeBusy}

// outcomeOf is the result of a call of a campaign.
func outcomeOf(a *Account) Outcome {
	ring, ok := a.rung()
	switch {
	case !ok && len(a.IDs) == 0 && !a.LinkLost:
		return OutcomeFailed // it never had a channel
	case ring.Outcome == "" && a.LinkLost:
		return OutcomeUnknown
	case !ok: // it rang before anybody looked
		return cmp.Or(causes[a.Cause], OutcomeUnknown)
	}
	switch ring.Outcome {
	case "ANSWER":
		return OutcomeAnswered
	case "BUSY":
		return OutcomeBusy
	case "NOANSWER", "CANCEL":
		if a.Cause == declined {
			return OutcomeBusy
		}
		return OutcomeNoAnswer
	}
	return OutcomeFailed
}

// review looks after calls of which no event has told the end: those from before a start, and those that Asterisk may never have heard
// of. One of which Asterisk and its records know nothing is told as unknown; it is not dialled again.
func (c *Campaigns) review(ctx context.Context, now time.Time) {
	c.mu.Lock()
	open := make(map[CallID]openAttempt, len(c.open))
	for id, a := range c.open {
		open[id] = a
	}
	c.mu.Unlock()
	if len(open) == 0 {
		return
	}
	up, gone := c.sw.sight(open, now)
	for _, id := range up {
		c.answered(ctx, id, open[id], now)
	}
	if len(gone) == 0 || c.store.Do(ctx, func(*sql.Tx) error { return nil }) != nil { // so that the accounts of ended calls can be read
		return
	}
	for _, id := range gone {
		account, live, err := c.sw.Account(ctx, id)
		switch {
		case err == nil && !live:
			c.over(ctx, open[id], &account.Account)
		case errors.Is(err, ErrNotFound):
			c.log.Warn("nothing is known of a call that may have been dialled", "call", id, "campaign", open[id].campaign)
			c.over(ctx, open[id], &Account{ID: id, LinkLost: true, End: now})
		}
	}
	poke(c.wake)
}

// sight sorts calls: answered are those that have answered, gone those that neither the picture nor an order has any more.
func (s *Switch) sight(open map[CallID]openAttempt, now time.Time) (answered, gone []CallID) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.synced {
		return nil, nil
	}
	for id, a := range open {
		c, o := s.state.calls[id], s.state.asked[id]
		switch {
		case c != nil:
			if !a.picked && c.first.State == up {
				answered = append(answered, id)
			}
		case s.state.kept[id] == nil && !o.fresh(now):
			gone = append(gone, id)
		}
	}
	return answered, gone
}
