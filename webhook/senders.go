package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Senders has a sender for each receiver, so that one that is down or slow holds up no other.
type Senders struct {
	outbox *Outbox
	opts   SenderOptions

	mu    sync.Mutex
	list  []*Sender     // the first one is that of Default
	start func(*Sender) // nil while Run does not run
}

// NewSenders returns the sender of [Default], which holds everything until Configure names its target; Configure makes the others. It starts
// nothing.
func NewSenders(o *Outbox, opts SenderOptions) *Senders {
	return &Senders{outbox: o, opts: opts, list: []*Sender{NewSender(o, opts)}}
}

// Configure sets all targets, at any time: those with a URL get what is stored from now on, and what waits for them. A receiver that is
// missing, or has no URL any more, gets neither; what waits for it is kept until it is named again. Targets that cannot be used change
// nothing and give an error wrapping [ErrURL], [ErrSecret] or [ErrReceiver].
func (s *Senders) Configure(ctx context.Context, targets []Target) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var subscriptions []Subscription
	for i := range targets {
		t := &targets[i]
		if err := t.Check(); err != nil {
			return err
		}
		if slices.ContainsFunc(targets[:i], func(other Target) bool { return other.name() == t.name() }) {
			return fmt.Errorf("%w: %s is configured twice", ErrReceiver, t.name())
		}
		if t.URL != "" {
			subscriptions = append(subscriptions, Subscription{Receiver: t.name(), Kinds: t.Kinds})
		}
	}
	if err := s.outbox.Subscribe(ctx, subscriptions); err != nil {
		return err
	}
	for _, sender := range s.list {
		if !slices.ContainsFunc(targets, func(t Target) bool { return t.name() == sender.to.name }) {
			targets = append(slices.Clip(targets), Target{Receiver: sender.to.name})
		}
	}
	return s.apply(targets)
}

func (s *Senders) apply(targets []Target) error {
	for _, t := range targets {
		sender := s.of(t.name())
		if sender == nil {
			to := s.outbox.named(t.name())
			if to == nil { // without a URL, and never had one
				continue
			}
			sender = newSender(s.outbox, to, s.opts)
			s.list = append(s.list, sender)
			if s.start != nil {
				s.start(sender)
			}
		}
		if err := sender.Configure(t); err != nil {
			return err
		}
	}
	return nil
}

// of is called with the lock held.
func (s *Senders) of(name string) *Sender {
	for _, sender := range s.list {
		if sender.to.name == name {
			return sender
		}
	}
	return nil
}

// All returns the senders, that of [Default] first.
func (s *Senders) All() []*Sender {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

// Named returns the sender of a receiver, [Default] for "". [ErrReceiver] when there is none, or it is not configured.
func (s *Senders) Named(receiver string) (*Sender, error) {
	if receiver == "" {
		receiver = Default
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if sender := s.of(receiver); sender != nil && sender.Configured() {
		return sender, nil
	}
	return nil, fmt.Errorf("%w: %s is not configured", ErrReceiver, receiver)
}

// Run delivers until ctx ends; see [Sender.Run].
func (s *Senders) Run(ctx context.Context) error {
	var running sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	s.mu.Lock()
	s.start = func(sender *Sender) {
		running.Go(func() {
			err := sender.Run(ctx)
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	for _, sender := range s.list {
		s.start(sender)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.start = nil
	s.mu.Unlock()
	running.Wait()
	return errors.Join(errs...)
}
