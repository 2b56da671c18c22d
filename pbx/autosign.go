package pbx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// An extension that was made here may be signed in to its queues when its phone registers. Its queues are those that it was last signed
// in to through SignIn; Asterisk forgets dynamic members whose phone has gone for good, and nobody else keeps them.

// SignIn is Switch.SignIn. Of an extension that was made here the queues are remembered, and where its line says so it is ready at once.
func (d *Directory) SignIn(ctx context.Context, n Exten, queues []QueueName) error {
	if err := d.sw.SignIn(ctx, n, queues); err != nil {
		return err
	}
	l, err := d.Line(ctx, n)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	text, err := json.Marshal(queues)
	if err != nil {
		return err
	}
	if err := d.exec(ctx, `UPDATE pbx_directory SET queues = ? WHERE number = ?`, string(text), n); err != nil {
		return err
	}
	if l.AutoReady {
		return d.sw.Ready(ctx, n)
	}
	return nil
}

// greet signs agents in whose phones have registered, until ctx ends. A subscriber that falls behind takes the picture anew: who has
// come meanwhile is then taken for one who was there.
func (d *Directory) greet(ctx context.Context) {
	for {
		sub, picture := d.sw.Subscribe(SubscribeOptions{})
		away := map[Exten]bool{}
		for _, x := range picture.Extensions {
			away[x.Number] = x.State == Unavailable
		}
		err := d.follow(ctx, sub, away)
		sub.Close()
		if !errors.Is(err, ErrSlow) {
			return
		}
	}
}

func (d *Directory) follow(ctx context.Context, sub *Subscription, away map[Exten]bool) error {
	for {
		batch, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		for _, o := range batch {
			e, is := o.Event.(ExtensionChanged)
			if !is {
				continue
			}
			came := away[e.Exten] && e.State != Unavailable
			if away[e.Exten] = e.State == Unavailable; came {
				d.welcome(ctx, e.Exten)
			}
		}
	}
}

// welcome signs an agent in whose phone has registered.
func (d *Directory) welcome(ctx context.Context, n Exten) {
	l, err := d.Line(ctx, n)
	if err != nil || !l.AutoLogin || len(l.queues) == 0 {
		return
	}
	if a, err := d.sw.Agent(n); err != nil || a.State != AgentLogout {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, changePatience)
	defer cancel()
	err = d.sw.SignIn(ctx, n, l.queues)
	if err == nil && l.AutoReady {
		err = d.sw.Ready(ctx, n)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		d.log.WarnContext(ctx, "agent could not be signed in when the phone registered", "exten", n, "error", err)
	}
}

// readQueues takes the remembered queues out of their column.
func (l *Line) readQueues(text string) error {
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&l.queues); err != nil {
		return fmt.Errorf("queues of %s: %w", l.Exten, err)
	}
	return nil
}
