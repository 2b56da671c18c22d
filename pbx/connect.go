package pbx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// ConnectRequest asks to ring From and, when it answers, to call To for it. Both are extensions, or numbers outside that are
// called over Group.
type ConnectRequest struct {
	From, To string
	Group    string // name of a trunk group
	Remark   string // as in DialRequest
}

// target is what Asterisk does with an ordered call that was answered: it runs the dialplan, or one application.
type target struct{ context, exten, app, data string }

func (t target) fields() []string {
	if t.app != "" {
		return []string{"Application", t.app, "Data", t.data}
	}
	return []string{"Context", t.context, "Exten", t.exten, "Priority", "1"}
}

// Connect starts a call between two numbers and returns its id at once; how it goes on is told by events of that call. Errors:
// InvalidError, MissingError (the group), BarredError, ErrNotFound (no such extension, or no such number in the dialplan),
// ErrNotRegistered, ErrLinesBusy, ErrTrunkDown, ErrOffline, ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) Connect(ctx context.Context, r ConnectRequest) (CallID, error) {
	rules, g, from, to, err := s.connectable(r)
	if err != nil {
		return "", err
	}
	if err := cmp.Or(s.mayCall(ctx, rules, "src", r.From), s.mayCall(ctx, rules, "dst", r.To)); err != nil {
		return "", err
	}
	if from.routed {
		if ok, err := s.Exists(ctx, rules.Context, r.From); err != nil || !ok {
			return "", cmp.Or(err, fmt.Errorf("%w: number %s in context %s", ErrNotFound, r.From, rules.Context))
		}
	}
	o := order{number: r.To, from: r.From, remark: r.Remark, at: time.Now(), errand: errand{Group: g.Name}}
	for _, l := range []route{from, to} {
		if l.outside {
			o.Lines++
		}
	}
	id := newCallID(o.at)
	if err := s.claim(id, o, &g); err != nil {
		return "", err
	}
	if err := s.send(ctx, id, s.connect(rules, &g, id, r, from, to)); err != nil {
		return "", err
	}
	return id, nil
}

// connectable checks a request against the rules and the picture, and finds out how to ring the two. A To that no endpoint of the group
// is for is left to the dialplan.
func (s *Switch) connectable(r ConnectRequest) (rules *Rules, g TrunkGroup, from, to route, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rules = s.state.rules
	for _, p := range []struct{ field, number string }{{"src", r.From}, {"dst", r.To}} {
		if !rules.dials(p.number) {
			return rules, g, from, to, &InvalidError{Field: p.field, Reason: "number may not be dialled"}
		}
	}
	if len(r.Remark) > maxRemark {
		return rules, g, from, to, &InvalidError{Field: "remark", Reason: "longer than " + strconv.Itoa(maxRemark) + " bytes"}
	}
	if g, err = rules.group("group", r.Group); err != nil {
		return rules, g, from, to, err
	}
	if !s.synced {
		return rules, g, from, to, ErrOffline
	}
	if from, err = s.lineTo(&g, r.From); err != nil {
		return rules, g, from, to, err
	}
	to = route{routed: true, outside: s.state.leadsOut(r.To, "")}
	if to.outside && len(g.Endpoints) > 0 {
		to, err = s.trunkTo(&g, r.To)
	}
	return rules, g, from, to, err
}

// dials reports whether a number may be dialled and can stand in an action.
func (r *Rules) dials(number string) bool { return r.Allow.MatchString(number) && isDialable(number) }

func (s *Switch) connect(rules *Rules, g *TrunkGroup, id CallID, r ConnectRequest, from, to route) ami.Action {
	then := target{context: rules.Context, exten: r.To}
	if !to.routed {
		then = target{app: "Dial", data: to.channel + "," + strconv.Itoa(int(rules.Timeout/time.Second))}
		if g.CallerID != "" {
			then.data += ",f(" + g.CallerID + ")"
		}
	}
	shown := r.To // on the phone that rings first, which shows whom it is about to call
	if from.outside && !from.routed && g.CallerID != "" {
		shown = g.CallerID
	}
	a := callOut(from, id, rules.Timeout, then).With("Variable", "CALLERID(num)="+r.From)
	return remarked(shows(a, shown), r.Remark)
}

// callOut makes the Originate of a route.
func callOut(l route, id CallID, ring time.Duration, then target) ami.Action {
	return ami.NewAction("Originate", append(append([]string{"Channel", l.channel}, then.fields()...),
		"Timeout", strconv.FormatInt(ring.Milliseconds(), 10), "Async", "true", "ChannelId", string(id))...)
}

// shows lets the phone that is rung show a number.
func shows(a ami.Action, number string) ami.Action {
	return a.With("Variable", "CONNECTEDLINE(name,i)="+number).With("Variable", "CONNECTEDLINE(num,i)="+number)
}

// remarked gives the channel what is to be kept with the call.
func remarked(a ami.Action, text string) ami.Action {
	if text == "" {
		return a
	}
	return a.With("Variable", "OLA_OTHER_STR="+literal.Replace(text))
}

// send tells Asterisk of an order that was claimed. One that it has not taken is forgotten.
func (s *Switch) send(ctx context.Context, id CallID, a ami.Action) error {
	_, err := s.client.Do(withOrder(ctx, id), a)
	if err != nil && !errors.Is(err, ami.ErrUnknown) {
		s.expect(id, nil)
	}
	if refusedWith(err, "Extension does not exist") {
		return fmt.Errorf("%w: number %s in context %s", ErrNotFound, a.Get("Exten"), a.Get("Context"))
	}
	return translate(err)
}
