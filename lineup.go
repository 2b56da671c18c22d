package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// part is a long-lived part of the daemon: run blocks until its context ends. A part with drain set ends by itself when
// those that feed it have ended, and must not be cut short.
type part struct {
	name  string
	run   func(context.Context) error
	drain bool
	after func() // called when it has ended in its turn

	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

// lineup runs parts. They are stopped one after the other, in the order in which they are listed.
type lineup struct {
	parts    []*part
	ended    chan *part // parts that ended before stop was called
	stopping sync.Once
	quit     chan struct{}
}

func newLineup(parts ...*part) *lineup {
	return &lineup{parts: parts, ended: make(chan *part, len(parts)), quit: make(chan struct{})}
}

// start runs all parts, the last of the list first.
func (l *lineup) start() {
	for i := len(l.parts) - 1; i >= 0; i-- {
		p := l.parts[i]
		ctx, cancel := context.WithCancel(context.Background())
		p.cancel, p.done = cancel, make(chan struct{})
		go func() {
			defer close(p.done)
			p.err = p.run(ctx)
			select {
			case <-l.quit:
			default:
				if p.err == nil {
					p.err = errors.New("without an error")
				}
				l.ended <- p
			}
		}()
	}
}

// stop ends all parts in order. What has not ended in time is cut short and named in the error.
func (l *lineup) stop(patience time.Duration) error {
	l.stopping.Do(func() { close(l.quit) })
	deadline := time.NewTimer(patience * 8 / 10)
	defer deadline.Stop()
	var errs []error
	late := false
	for _, p := range l.parts {
		if !p.drain || late {
			p.cancel()
		}
		select {
		case <-p.done:
		case <-deadline.C:
			late = true
			deadline.Reset(patience / 10)
			p.cancel()
			select {
			case <-p.done:
			case <-deadline.C:
				errs = append(errs, fmt.Errorf("%s did not stop in time", p.name))
				continue
			}
		}
		p.cancel()
		if p.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.name, p.err))
		}
		if p.after != nil {
			p.after()
		}
	}
	return errors.Join(errs...)
}
