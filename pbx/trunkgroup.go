package pbx

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

var (
	// ErrLinesBusy says that as many calls go over a trunk group as may: nothing was done.
	ErrLinesBusy = errors.New("all lines of the trunk group are in use")
	// ErrTrunkDown says that no endpoint of a trunk group is registered, or answers: nothing was done.
	ErrTrunkDown = errors.New("no trunk of the group can be reached")
)

// TrunkGroup is a way out of the PBX. One without endpoints leads through the dialplan, as a phone's call does.
type TrunkGroup struct {
	Name      string
	Endpoints []string // take turns: TECH/NAME, or a dial string with {number} in it
	Count     int      // calls at once
	CallerID  string   // number shown to who is called over an endpoint, "" = the trunk's own
}

// errand is what an ordered call is for besides its two numbers; it is kept with the call.
type errand struct {
	Group string    `json:"group,omitempty"` // trunk group whose lines it takes
	Lines int       `json:"lines,omitempty"` // so many
	Alone bool      `json:"alone,omitempty"` // nobody is the caller: the first channel is that of who was called
	For   QueueName `json:"for,omitempty"`   // whose agents it is meant for

	Listens Exten `json:"listens,omitempty"` // to whose call the first channel listens, or takes part in as a third
	Spy     *spy  `json:"spy,omitempty"`     // for as long as it does
}

// TrunkGroups returns the configured trunk groups in their order.
func (s *Switch) TrunkGroups() []TrunkGroup {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.state.rules.Groups)
}

// Flows returns the menus that a call can be sent into, in the order of their numbers: those of the rules whose id is a number.
func (s *Switch) Flows() []Menu {
	s.mu.RLock()
	defer s.mu.RUnlock()
	seen, list := map[string]bool{}, []Menu{}
	for _, m := range s.state.rules.Menus {
		if isNumber(m.ID) && !seen[m.ID] {
			seen[m.ID] = true
			_, menu := s.state.rules.flow(m.ID)
			list = append(list, menu)
		}
	}
	slices.SortFunc(list, func(a, b Menu) int { return number(a.ID) - number(b.ID) })
	return list
}

// isNumber reports whether a text is a number below a thousand million, written as a number is.
func isNumber(text string) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return text != "" && len(text) < 9 && (text == "0" || text[0] != '0')
}

// flow finds the context of a menu; "" when there is none. Of several the first by name is it.
func (r *Rules) flow(id string) (context string, menu Menu) {
	for name, m := range r.Menus {
		if m.ID == id && (context == "" || name < context) {
			context, menu = name, m
		}
	}
	return context, menu
}

// group finds a trunk group; its name is the parameter called field.
func (r *Rules) group(field, name string) (TrunkGroup, error) {
	i := slices.IndexFunc(r.Groups, func(g TrunkGroup) bool { return g.Name == name })
	if i < 0 {
		return TrunkGroup{}, &MissingError{Field: field}
	}
	return r.Groups[i], nil
}

// route is what Asterisk is to ring for a number.
type route struct {
	channel string
	outside bool // it takes a line of the group
	routed  bool // through the dialplan, which must have the number
}

// lineTo finds out how to ring a number: an extension by its phone, any other over the group. What looks like an extension is never
// sent out, so that a group that leads back into the PBX makes no loop. The caller holds mu.
func (s *Switch) lineTo(g *TrunkGroup, number string) (route, error) {
	rules := s.state.rules
	x := s.state.extens[Exten(number)]
	switch {
	case x != nil && x.device != "":
		if x.state() == Unavailable {
			return route{}, fmt.Errorf("%w: %s", ErrNotRegistered, number)
		}
		return route{channel: rules.withTechnology(x.device)}, nil
	case !s.state.leadsOut(number, ""):
		return route{}, fmt.Errorf("%w: extension %s", ErrNotFound, number)
	case len(g.Endpoints) == 0:
		return route{channel: "Local/" + number + "@" + rules.Context + "/n", outside: true, routed: true}, nil
	}
	return s.trunkTo(g, number)
}

// trunkTo is the way to a number over the endpoint whose turn it is, of those that can be reached. The caller holds mu.
func (s *Switch) trunkTo(g *TrunkGroup, number string) (route, error) {
	for range g.Endpoints {
		turn := s.polled[g.Name]
		s.polled[g.Name] = turn + 1
		endpoint := g.Endpoints[turn%uint64(len(g.Endpoints))]
		if state, known := s.state.devices[endpoint]; !known || state != Unavailable {
			return route{channel: dialString(endpoint, number), outside: true}, nil
		}
	}
	return route{}, fmt.Errorf("%w: %s", ErrTrunkDown, g.Name)
}

// dialString is what Asterisk dials to reach a number over an endpoint.
func dialString(endpoint, number string) string {
	tech, name, _ := strings.Cut(endpoint, "/")
	switch {
	case strings.Contains(endpoint, "{number}"):
		return strings.ReplaceAll(endpoint, "{number}", number)
	case tech == "PJSIP":
		return tech + "/" + number + "@" + name
	}
	return endpoint + "/" + number
}

// trunkIs notes whether an endpoint that is no extension's can be reached. Asterisk lists the state of a device only when it has changed
// once.
func (s *state) trunkIs(device string, down bool) {
	if s.rules.extenOf(device) != "" {
		return
	}
	switch now, known := s.devices[device]; {
	case down:
		s.devices[device] = Unavailable
	case known && now == Unavailable:
		s.devices[device] = Idle
	}
}

// linesOf counts the lines of a trunk group that are in use, or were ordered and are about to be.
func (s *state) linesOf(group string, now time.Time) (n int) {
	for _, c := range s.calls {
		if c.Group == group {
			n += c.Lines
		}
	}
	for _, o := range s.asked {
		if o.Group == group && o.fresh(now) {
			n += o.Lines
		}
	}
	return n
}

// orderRest is how long an order is still awaited that was sent on an earlier link: Asterisk's channels have been listed without it since,
// but it may have read the order in the last moment.
const orderRest = 3 * time.Second

// fresh reports whether an order may still become a call.
func (o *order) fresh(now time.Time) bool {
	return now.Sub(o.at) < orderPatience && (o.rest.IsZero() || now.Before(o.rest))
}

// restOrders lets orders of an earlier link be awaited for a moment more. The channels have just been listed on a new one.
func (s *state) restOrders(login, now time.Time) {
	for id, o := range s.asked {
		if o.at.Before(login) && o.rest.IsZero() {
			o.rest = now.Add(orderRest)
			s.asked[id] = o
		}
	}
}

// claim notes an order before Asterisk is told, where its group has a line left.
func (s *Switch) claim(id CallID, o order, g *TrunkGroup) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.synced {
		return ErrOffline
	}
	if err := s.state.roomFor(&o, g); err != nil {
		return fmt.Errorf("%w: %s", err, g.Name)
	}
	s.state.asked[id] = o
	return nil
}
