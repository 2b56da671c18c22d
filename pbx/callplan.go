package pbx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// What leads to a line, and where its calls may go, is made in the running dialplan, in contexts of our own: no file of the customer's is
// touched, and a number that his dialplan leads somewhere is never led elsewhere. A reload of the dialplan empties all of it, which a
// sentinel tells.

// ownPrefix begins the names of all our contexts.
const ownPrefix = "dialbridge-"

const (
	lineContext = ownPrefix + "phones" // included into the dial context, behind all else
	markContext = ownPrefix + "mark"   // holds the sentinel; nothing leads there
)

// forwardFamily is the family of AstDB in which dialplans (FreePBX's, for one) keep where a call goes that was not answered.
const forwardFamily = "CFU"

// lineSteps is what a call to a line does where the customer's dialplan has nothing for its number. One forwarding a call, so that two
// lines that forward to each other do not run for ever.
func lineSteps(l Line, tech string, timeout time.Duration) []string {
	n := string(l.Exten)
	return []string{
		"Dial|" + tech + "/" + n + "," + strconv.Itoa(max(1, int(timeout/time.Second))) + ",tT",
		`GotoIf|$["${DIALSTATUS}" != "NOANSWER" | "${DB(` + forwardFamily + `/` + n + `)}" = "" | "${DIALBRIDGE_FORWARDED}" != ""]?5`,
		"Set|__DIALBRIDGE_FORWARDED=" + n,
		"Goto|" + l.Context + ",${DB(" + forwardFamily + "/" + n + ")},1",
		"Hangup|${HANGUPCAUSE}",
	}
}

// dialContext is where phones dial from, as far as its name can stand in a command.
func (s *Switch) dialContext() (name string, timeout time.Duration, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	name, timeout = s.state.rules.Context, s.state.rules.Timeout
	if !groupName.MatchString(name) {
		return "", 0, &LackError{What: "the dial context has a name that cannot be used"}
	}
	return name, timeout, nil
}

// connect makes a line callable: with a hint and a way to its phone where the dialplan has none.
func (d *Directory) connect(ctx context.Context, p plant, l Line) error {
	dial, timeout, err := d.sw.dialContext()
	if err != nil {
		return err
	}
	called, hinted, err := d.ledByHand(ctx, dial, l.Exten)
	if err != nil {
		return err
	}
	if !hinted {
		if err := d.sw.addExtension(ctx, lineContext, string(l.Exten), "hint", p.tech+"/"+string(l.Exten), ""); err != nil {
			return err
		}
	}
	if !called {
		for i, step := range lineSteps(l, p.tech, timeout) {
			app, data, _ := strings.Cut(step, "|")
			if err := d.sw.addExtension(ctx, lineContext, string(l.Exten), strconv.Itoa(i+1), app, data); err != nil {
				return err
			}
		}
	}
	if called && hinted {
		return nil
	}
	return d.include(ctx, lineContext, dial)
}

// ledByHand reports what the dialplan has for a number without us.
func (d *Directory) ledByHand(ctx context.Context, dial string, n Exten) (called, hinted bool, err error) {
	list, err := d.sw.client.List(ctx, ami.NewAction("ShowDialPlan", "Context", dial, "Extension", string(n)))
	if refusedWith(err, "Did not find") {
		return false, false, nil
	}
	for _, m := range list {
		if m.Event() != "ListDialplan" || m.Get("Context") == lineContext || m.Get("Priority") == "" {
			continue
		}
		if m.Get("Priority") == "hint" {
			hinted = true
		} else {
			called = true
		}
	}
	return called, hinted, translate(err)
}

// disconnect takes out what connect has made.
func (d *Directory) disconnect(ctx context.Context, n Exten) error {
	_, err := d.sw.client.Do(ctx, ami.NewAction("DialplanExtensionRemove", "Context", lineContext, "Extension", string(n)))
	return onlyLink(err)
}

// include lets a context lead on to another one, behind all that it has.
func (d *Directory) include(ctx context.Context, what, into string) error {
	return d.console(ctx, "dialplan add include "+what+" into "+into, "included in")
}

// console runs a command of Asterisk's console that says so when it was done, or that it was so already: which Asterisk calls an error.
func (d *Directory) console(ctx context.Context, command, done string) error {
	m, err := d.sw.client.Do(ctx, ami.NewAction("Command", "Command", command))
	var refused *ami.ResponseError
	if errors.As(err, &refused) && !errors.Is(err, ami.ErrPermission) {
		m, err = refused.Response, nil
	}
	if err != nil {
		return translate(err)
	}
	if said := strings.TrimSpace(strings.Join(m.Output(), " ")); !strings.Contains(said, done) {
		return &RefusedError{Text: cmp.Or(said, m.Get("Message"))}
	}
	return nil
}

// contextOf tells what Asterisk has of a dialplan context: whether it exists, whether anything is in it, and whether that is no more than
// what fill puts there.
func (d *Directory) contextOf(ctx context.Context, k string) (exists, empty, ours bool, err error) {
	dial, _, err := d.sw.dialContext()
	if err != nil {
		return false, false, false, err
	}
	list, err := d.sw.client.List(ctx, ami.NewAction("ShowDialPlan", "Context", k))
	if refusedWith(err, "Did not find") {
		return false, true, false, nil
	}
	if err != nil {
		return false, false, false, translate(err)
	}
	entries, own := 0, 0
	for _, m := range list {
		if m.Event() != "ListDialplan" {
			continue
		}
		if entries++; m.Get("IncludeContext") == dial {
			own++
		}
	}
	return true, entries == 0, entries == 1 && own == 1, nil
}

// fill lets the phones of a group that was made here dial what others dial, unless somebody has written the context meanwhile.
func (d *Directory) fill(ctx context.Context, k string) error {
	dial, _, err := d.sw.dialContext()
	if err != nil || k == dial {
		return err
	}
	_, empty, _, err := d.contextOf(ctx, k)
	if err != nil || !empty {
		return err
	}
	return d.include(ctx, dial, k)
}

// drain takes the context of a group away that was made here; one that somebody has written meanwhile stays.
func (d *Directory) drain(ctx context.Context, k string) error {
	_, _, ours, err := d.contextOf(ctx, k)
	if err != nil || !ours {
		return err
	}
	return d.console(ctx, "dialplan remove context "+k, "Removed context")
}

// sentinel is the extension of markContext by which we know that nothing was emptied, for the dial context as it is configured.
func sentinel(dial string) string { return "in-" + dial }

// standing reports whether what was made in the dialplan is still there.
func (d *Directory) standing(ctx context.Context) (bool, error) {
	dial, _, err := d.sw.dialContext()
	if err != nil {
		return false, err
	}
	return d.sw.Exists(ctx, markContext, sentinel(dial))
}

// mark sets the sentinel.
func (d *Directory) mark(ctx context.Context) error {
	dial, _, err := d.sw.dialContext()
	if err != nil {
		return err
	}
	if err := d.sw.addExtension(ctx, markContext, sentinel(dial), "1", "NoOp", ""); err != nil {
		return fmt.Errorf("sentinel: %w", err)
	}
	return nil
}
