package pbx

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// traceKey is where a context keeps the id of WithTrace.
type traceKey struct{}

// WithTrace makes the manager actions that are done under ctx carry an id, that of the request which caused them.
func WithTrace(ctx context.Context, id string) context.Context {
	return ami.WithTrace(context.WithValue(ctx, traceKey{}, id), id)
}

// withOrder adds the id of an ordered call to the trace, so that Asterisk's late answer to the order names it.
func withOrder(ctx context.Context, id CallID) context.Context {
	trace, _ := ctx.Value(traceKey{}).(string)
	return ami.WithTrace(ctx, trace+"/"+string(id))
}

// orderOf reads the id of an ordered call out of an ActionID; "" when there is none.
func orderOf(actionID string) CallID {
	_, rest, ok := strings.Cut(actionID, "/")
	if !ok {
		return ""
	}
	if i := strings.LastIndexByte(rest, '-'); i > 0 {
		rest = rest[:i]
	}
	return CallID(rest)
}

// DialRequest asks to ring From and, when it answers, to dial To from it.
type DialRequest struct {
	From     string        // an extension, or an outside number that is rung through the dialplan
	To       string        // as a phone would dial it
	Timeout  time.Duration // how long From rings; 0 = the rules' time-out
	CallerID string        // number shown to To; "" = From
	Remark   string        // kept with the call and told with its record; the dialplan has it as OLA_OTHER_STR
	Limit    time.Duration // the conversation is ended after so long; 0 = never
}

// Dial starts a call and returns its id at once; how it goes on is told by events of that call. Errors: InvalidError,
// BarredError, ErrNotFound (no such extension, or no such number in the context), ErrNotRegistered, ErrOffline, ErrUnknown,
// ErrForbidden, RefusedError.
func (s *Switch) Dial(ctx context.Context, r DialRequest) (CallID, error) {
	return s.order(ctx, r, func(id CallID, o *order) error { s.expect(id, o); return nil })
}

// order does what Dial promises; note enters the order before Asterisk is told, or refuses it.
func (s *Switch) order(ctx context.Context, r DialRequest, note func(CallID, *order) error) (CallID, error) {
	rules, device, err := s.dialable(r)
	if err != nil {
		return "", err
	}
	if err := cmp.Or(s.mayCall(ctx, rules, "src", r.From), s.mayCall(ctx, rules, "dst", r.To)); err != nil {
		return "", err
	}
	if !rules.isExten(r.From) {
		if ok, err := s.Exists(ctx, rules.Context, r.From); err != nil || !ok {
			return "", cmp.Or(err, fmt.Errorf("%w: number %s in context %s", ErrNotFound, r.From, rules.Context))
		}
	}
	if r.Timeout <= 0 {
		r.Timeout = rules.Timeout
	}
	id := newCallID(time.Now())
	if err := note(id, &order{number: r.To, from: r.From, remark: r.Remark, limit: r.Limit, at: time.Now()}); err != nil {
		return "", err
	}
	if err := s.send(ctx, id, originate(rules.Context, device, id, r)); err != nil {
		return "", err
	}
	return id, nil
}

// dialable checks a request against the rules and the picture and returns what Asterisk is to ring.
func (s *Switch) dialable(r DialRequest) (*Rules, string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rules := s.state.rules
	for _, p := range []struct{ field, number string }{{"src", r.From}, {"dst", r.To}, {"callerid", cmp.Or(r.CallerID, r.From)}} {
		if !rules.dials(p.number) {
			return nil, "", &InvalidError{Field: p.field, Reason: "number may not be dialled"}
		}
	}
	if len(r.Remark) > maxRemark {
		return nil, "", &InvalidError{Field: "remark", Reason: "longer than " + strconv.Itoa(maxRemark) + " bytes"}
	}
	if !s.synced {
		return nil, "", ErrOffline
	}
	x, ok := s.state.extens[Exten(r.From)]
	switch {
	case !ok && rules.isOutside(r.From):
		return rules, "Local/" + r.From + "@" + rules.Context + "/n", nil
	case !ok || x.device == "":
		return nil, "", fmt.Errorf("%w: extension %s", ErrNotFound, r.From)
	case x.state() == Unavailable:
		return nil, "", fmt.Errorf("%w: %s", ErrNotRegistered, r.From)
	}
	return rules, rules.withTechnology(x.device), nil
}

// dialable is what can stand in an action whatever the rules allow: no separators of Asterisk's.
var dialable = regexp.MustCompile(`^[0-9A-Za-z*#+._-]+$`)

func isDialable(number string) bool { return len(number) <= 64 && dialable.MatchString(number) }

// withTechnology lets the configured technology win over the one found out.
func (r *Rules) withTechnology(device string) string {
	if n := r.extenOf(device); r.Technology != "" && n != "" {
		return r.Technology + "/" + string(n)
	}
	return device
}

// originate makes the action. The caller's own number stays its caller id, so that records have caller and called the
// right way round; the connected line is whom it is about to call, and that is what a ringing phone shows.
func originate(place, device string, id CallID, r DialRequest) ami.Action {
	a := ami.NewAction("Originate",
		"Channel", device,
		"Context", place,
		"Exten", r.To,
		"Priority", "1",
		"Timeout", strconv.FormatInt(r.Timeout.Milliseconds(), 10),
		"Async", "true",
		"ChannelId", string(id),
		"Variable", "CALLERID(num)="+cmp.Or(r.CallerID, r.From),
		"Variable", "CONNECTEDLINE(name,i)="+r.To,
		"Variable", "CONNECTEDLINE(num,i)="+r.To,
	)
	return remarked(a, r.Remark)
}

// literal keeps a text in one piece: Asterisk splits a Variable at its commas, so that a part of it could set another variable or call
// a function of the dialplan (main/manager.c, astman_get_variables_order; main/app.c, __ast_app_separate_args).
var literal = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `"`, `\"`, `(`, `\(`, `)`, `\)`, `[`, `\[`, `]`, `\]`)

// maxRemark keeps an action's line below what Asterisk 16 reads, 1024 bytes, whatever has to be kept in one piece.
const maxRemark = 400

// newCallID draws an id in the form of Asterisk's own (seconds, a dot, a counter) that no counter of Asterisk reaches;
// it fits the 32 characters that CDR tables keep for it.
func newCallID(now time.Time) CallID {
	var b [7]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return CallID(strconv.FormatInt(now.Unix(), 10) + ".c" + hex.EncodeToString(b[:]))
}

// expect notes an ordered call until its first channel is seen; nil forgets it.
func (s *Switch) expect(id CallID, o *order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o == nil {
		delete(s.state.asked, id)
		return
	}
	s.state.asked[id] = *o
}

// HangupExtension ends all channels of an extension and returns how many; one that has been ordered a moment ago is waited for.
// Errors: InvalidError, ErrNotFound (it has no channel), ErrOffline, ErrUnknown, ErrForbidden.
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
	s.awaitFor(ctx, channelBirth, func(st *state) bool { return !st.orderComes(n, time.Now()) })
	ending := s.channelsOf(n)
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
	return ended, s.confirm(ctx, n, func(st *state) bool {
		return !slices.ContainsFunc(ending, func(id string) bool { return !st.over(id) })
	})
}

// orderComes reports whether a call that rings an extension first has been ordered, and its channel does not exist yet.
func (s *state) orderComes(n Exten, now time.Time) bool {
	for _, o := range s.asked {
		if o.from == string(n) && o.failed.IsZero() && now.Sub(o.at) < channelBirth {
			return true
		}
	}
	return false
}

// channelsOf lists the ids of an extension's channels.
func (s *Switch) channelsOf(n Exten) (ids []string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for id, ch := range s.state.channels {
		if s.state.rules.extenOf(ch.Device()) == n {
			ids = append(ids, id)
		}
	}
	return ids
}
