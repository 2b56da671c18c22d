package blacklist

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/dialbridge/dialbridge/pbx"
)

const refusalTime = 5 * time.Second // what Asterisk may take to end a call

// watch hears of calls until ctx ends or the switch has ended.
func (n *Numbers) watch(ctx context.Context) {
	var refusals sync.WaitGroup
	defer refusals.Wait()
	check := func(c pbx.Call) {
		if !n.guard.Load() {
			return
		}
		if number, way := n.suspect(c); way != 0 {
			refusals.Go(func() { n.refuse(ctx, c, number, way) })
		}
	}
	for {
		sub, picture := n.sw.Subscribe(pbx.SubscribeOptions{})
		for _, c := range picture.Calls {
			check(c)
		}
		err := follow(ctx, sub, check)
		sub.Close()
		if !errors.Is(err, pbx.ErrSlow) {
			return
		}
	}
}

// follow calls check for each call that begins until the subscription or ctx ends.
func follow(ctx context.Context, sub *pbx.Subscription, check func(pbx.Call)) error {
	for {
		events, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		for _, o := range events {
			if e, ok := o.Event.(pbx.CallStarted); ok {
				check(e.Call)
			}
		}
	}
}

// The channel states (include/asterisk/channelstate.h) that matter here.
const (
	stateRing = "4" // the far end is calling
	stateUp   = "6"
)

// suspect returns the number for which a call may be ended, and the way in which that must be listed; way 0 is none.
func (n *Numbers) suspect(c pbx.Call) (number string, way Way) {
	switch {
	case !refusable(c):
	case c.Direction == pbx.Inbound && c.First.Caller.Number != "":
		return c.First.Caller.Number, Inbound
	case c.Direction != pbx.Inbound:
		if number = n.sw.DialledOut(c); number != "" {
			return number, Outbound
		}
	}
	return "", 0
}

// refusable reports whether a call was begun by its first channel, for certain, and was not answered. The first channel
// must be the one that named the call, and must not have been made by Asterisk: a call that a command dials out over the
// trunk begins in the trunk's context too, but it asks for no number.
func refusable(c pbx.Call) bool {
	f := c.First
	return f.ID == string(c.ID) && !f.Called && !f.Local() &&
		(f.State == stateRing || f.Exten != "" && f.Exten != "s") &&
		f.State != stateUp && f.Answered.IsZero()
}

// refuse ends a call if the number is listed for the way.
func (n *Numbers) refuse(ctx context.Context, c pbx.Call, number string, way Way) {
	ctx, cancel := context.WithTimeout(ctx, refusalTime)
	defer cancel()
	listed, err := n.Listed(ctx, number, way)
	if err != nil {
		n.log.ErrorContext(ctx, "number of a call could not be looked up in the black list", "call", c.ID, "error", err)
		return
	}
	if !listed {
		return
	}
	err = n.sw.EndChannel(ctx, c.First.ID, pbx.CauseRejected)
	switch {
	case errors.Is(err, pbx.ErrNotFound): // the dialplan or the caller was quicker
	case err != nil:
		n.log.WarnContext(ctx, "call of a listed number could not be ended", "call", c.ID, "error", err)
	default:
		n.log.InfoContext(ctx, "call of a listed number was ended", "call", c.ID, "channel", c.First.Name)
	}
}
