package pbx

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// WithTrace makes the manager actions that are done under ctx carry an id, that of the request which caused them.
func WithTrace(ctx context.Context, id string) context.Context { return ami.WithTrace(ctx, id) }

// DialRequest asks to ring an extension and, when it answers, to dial a number from it.
type DialRequest struct {
	From    Exten
	To      string
	Timeout time.Duration // how long From rings; 0 = the rules' time-out
}

// Dial starts a call and returns its id at once; how it goes on is told by events of that call. Errors: InvalidError,
// ErrNotFound (no such extension, or no such number in its context), ErrNotRegistered, ErrOffline, ErrUnknown,
// ErrForbidden, RefusedError.
func (s *Switch) Dial(ctx context.Context, r DialRequest) (CallID, error) {
	rules, device, err := s.dialable(r)
	if err != nil {
		return "", err
	}
	if r.Timeout <= 0 {
		r.Timeout = rules.Timeout
	}
	id := newCallID(time.Now())
	s.expect(id, r.To)
	_, err = s.client.Do(ctx, originate(rules, device, id, r))
	if err != nil && !errors.Is(err, ami.ErrUnknown) {
		s.expect(id, "")
	}
	var refused *ami.ResponseError
	if errors.As(err, &refused) && refused.Message == "Extension does not exist." {
		return "", fmt.Errorf("%w: number %s in context %s", ErrNotFound, r.To, rules.Context)
	}
	if err != nil {
		return "", translate(err)
	}
	return id, nil
}

// expect notes the number that an ordered call is for until its first channel is seen; "" forgets it.
func (s *Switch) expect(id CallID, number string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number == "" {
		delete(s.state.asked, id)
		return
	}
	s.state.asked[id] = order{number: number, at: time.Now()}
}

// dialable checks a request against the rules and the picture.
func (s *Switch) dialable(r DialRequest) (*Rules, string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rules := s.state.rules
	if !rules.isExten(string(r.From)) {
		return nil, "", &InvalidError{Field: "src", Reason: "not an extension number"}
	}
	if !rules.Allow.MatchString(r.To) {
		return nil, "", &InvalidError{Field: "dst", Reason: "number may not be dialled"}
	}
	if !s.synced {
		return nil, "", ErrOffline
	}
	x, ok := s.state.extens[r.From]
	if !ok || x.device == "" {
		return nil, "", fmt.Errorf("%w: extension %s", ErrNotFound, r.From)
	}
	if x.state() == Unavailable {
		return nil, "", fmt.Errorf("%w: %s", ErrNotRegistered, r.From)
	}
	return rules, rules.withTechnology(x.device), nil
}

// withTechnology lets the configured technology win over the one found out.
func (r *Rules) withTechnology(device string) string {
	if n := r.extenOf(device); r.Technology != "" && n != "" {
		return r.Technology + "/" + string(n)
	}
	return device
}

// originate makes the action. The caller's own number stays its caller id, so that records have caller and called the
// right way round; the connected line is whom it is about to call, and that is what a ringing phone shows.
func originate(rules *Rules, device string, id CallID, r DialRequest) ami.Action {
	return ami.NewAction("Originate",
		"Channel", device,
		"Context", rules.Context,
		"Exten", r.To,
		"Priority", "1",
		"Timeout", strconv.FormatInt(r.Timeout.Milliseconds(), 10),
		"Async", "true",
		"ChannelId", string(id),
		"Variable", "CALLERID(num)="+string(r.From),
		"Variable", "CONNECTEDLINE(name,i)="+r.To,
		"Variable", "CONNECTEDLINE(num,i)="+r.To,
	)
}

// newCallID draws an id in the form of Asterisk's own (seconds, a dot, a counter) that no counter of Asterisk reaches;
// it fits the 32 characters that CDR tables keep for it.
func newCallID(now time.Time) CallID {
	var b [7]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return CallID(strconv.FormatInt(now.Unix(), 10) + ".c" + hex.EncodeToString(b[:]))
}

// HangupExtension ends all channels of an extension and returns how many. Errors: InvalidError, ErrNotFound (it has no
// channel), ErrOffline, ErrUnknown, ErrForbidden.
func (s *Switch) HangupExtension(ctx context.Context, n Exten) (int, error) {
	s.mu.RLock()
	valid, synced := s.state.rules.isExten(string(n)), s.synced
	s.mu.RUnlock()
	if !valid {
		return 0, &InvalidError{Field: "extension", Reason: "not an extension number"}
	}
	if !synced {
		return 0, ErrOffline
	}
	list, err := s.client.List(ctx, ami.NewAction("Hangup", "Channel", "/^(PJSIP|SIP)\\/"+regexp.QuoteMeta(string(n))+"-/"))
	if err != nil {
		return 0, translate(err)
	}
	ended := 0
	for _, m := range list {
		if m.Event() == "ChannelHungup" {
			ended++
		}
	}
	if ended == 0 {
		return 0, fmt.Errorf("%w: channel of extension %s", ErrNotFound, n)
	}
	return ended, nil
}
