package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// named is what is listed of many.
const named = 8

// fromInternal is the preset of [dial] context.
const fromInternal = "from-internal"

// contexts compares the contexts that are configured with those of the dialplan.
func (c *checkup) contexts(ctx context.Context, client *ami.Client) {
	have, err := dialplanContexts(ctx, client)
	if err != nil {
		c.note("contexts", "cannot be asked: "+err.Error())
		return
	}
	fault := false
	missing := func(key, name string, tell func(string, string, ...string)) {
		if name == "" || slices.Contains(have, name) {
			return
		}
		fault = true
		tell("contexts", fmt.Sprintf("%s is %s, which is not in the dialplan", key, name),
			"asterisk -rx 'dialplan show "+name+"'     # shows it when it is there", "the dialplan has: "+some(have))
	}
	if c.cfg.Dial.Context == fromInternal {
		missing("[dial] context", fromInternal, func(what, text string, mend ...string) { // nobody has chosen it
			c.note(what, text+": click-to-dial does not reach anybody", append(mend, "[dial] context must name the one in which your phones dial")...)
		})
	} else {
		missing("[dial] context", c.cfg.Dial.Context, c.bad)
	}
	missing("[ola] ai_context", c.cfg.OLA.AIContext, c.bad)
	for _, m := range c.cfg.IVR {
		missing("[ivr] "+m.Context, m.Context, c.bad)
	}
	inbound := matching(have, c.cfg.Calls.InboundContexts)
	if len(inbound) == 0 {
		c.note("contexts", "none of the dialplan fits [calls] inbound_contexts: calls that come in are told by who is called alone",
			"[calls] inbound_contexts = ^(NAME|OTHER)$     # the contexts of your trunks, in "+c.o.file, "the dialplan has: "+some(have))
	}
	if fault {
		return
	}
	text := "[dial] context is in the dialplan"
	if len(inbound) > 0 {
		text += "; calls come in at " + some(inbound)
	}
	if menus := matching(have, ivrContext); len(c.cfg.IVR) > 0 || len(menus) > 0 {
		text += fmt.Sprintf("; %d menus", len(c.cfg.IVR)+len(menus))
	}
	if list := matching(have, c.cfg.Feedback.Contexts); len(list) > 0 {
		text += "; feedback in " + some(list)
	}
	c.good("contexts", text)
}

// ivrContext are menus that need no line in [ivr]: those of FreePBX.
var ivrContext = regexp.MustCompile(`^ivr-\w+$`)

// dialplanContexts asks for the names alone: the whole dialplan of a large PBX is megabytes. The console's own command for the
// completion of a line does it, the same in 16 and 22.
func dialplanContexts(ctx context.Context, client *ami.Client) ([]string, error) {
	m, err := client.Do(ctx, ami.NewAction("Command", "Command", `_command matchesarray "dialplan show" ""`))
	if err != nil {
		return nil, err
	}
	list := strings.Fields(strings.Join(m.Output(), " "))
	if len(list) == 0 || list[len(list)-1] != "_EOF_" {
		return nil, errors.New("asterisk does not complete a line of its console")
	}
	return slices.DeleteFunc(list[:len(list)-1], func(name string) bool { return strings.HasPrefix(name, "__") }), nil // Asterisk's own
}

func matching(list []string, re *regexp.Regexp) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return !re.MatchString(s) })
}

// some lists a few of many.
func some(list []string) string {
	if len(list) <= named {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:named], ", "), len(list)-named)
}

// queues compares the form of the members with the one in which agents are signed in from here.
func (c *checkup) queues(ctx context.Context, client *ami.Client) {
	items, err := client.List(ctx, ami.NewAction("QueueStatus"))
	if err != nil {
		c.note("queues", "cannot be asked: "+err.Error())
		return
	}
	queues, members := 0, 0
	forms := map[string]int{}
	for _, m := range items {
		switch m.Event() {
		case "QueueParams":
			queues++
		case "QueueMember":
			members++
			if form := c.memberForm(m.Get("Location")); form != "" && form != c.cfg.Calls.QueueMember {
				forms[form]++
			}
		}
	}
	if queues == 0 {
		c.note("queues", "there are none")
		return
	}
	for form, n := range forms {
		c.note("queues", fmt.Sprintf("%d of %d members are written as %s, and [calls] queue_member is %s: an agent who signs in from here would be there twice",
			n, members, form, c.cfg.Calls.QueueMember), "[calls] queue_member = "+form+"     # in "+c.o.file+", then: systemctl reload dialbridge")
	}
	if len(forms) == 0 {
		c.good("queues", fmt.Sprintf("%d queues, %d members", queues, members))
	}
}

var (
	sipDevice    = regexp.MustCompile(`^(?:PJSIP|SIP)/([^/@]+)$`)
	localChannel = regexp.MustCompile(`^Local/([^/@]+)(@[^/]+(?:/\w+)?)$`)
)

// memberForm is the template by which an interface was made, "" for that of no extension.
func (c *checkup) memberForm(device string) string {
	if m := sipDevice.FindStringSubmatch(device); m != nil && c.cfg.Calls.Extensions.MatchString(m[1]) {
		return "{tech}/{exten}"
	}
	if m := localChannel.FindStringSubmatch(device); m != nil && c.cfg.Calls.Extensions.MatchString(m[1]) {
		return "Local/{exten}" + m[2]
	}
	return ""
}

// time compares Asterisk's clock and zone with ours. Its records and recordings are named in its local time.
func (c *checkup) time(ctx context.Context, client *ami.Client) {
	asked := time.Now()
	m, err := client.Do(ctx, ami.NewAction("Ping"))
	took := time.Since(asked)
	stamp, perr := strconv.ParseFloat(m.Get("Timestamp"), 64)
	if err != nil || perr != nil {
		c.note("asterisk's time", "cannot be asked")
		return
	}
	whole, part := math.Modf(stamp)
	apart := time.Unix(int64(whole), int64(part*1e9)).Sub(asked)
	if apart > clockSlack || apart < -took-clockSlack {
		c.bad("asterisk's time", fmt.Sprintf("its clock is %s apart from this one", apart.Abs().Round(time.Second)), "timedatectl set-ntp true     # on both machines")
		return
	}
	m, err = client.Do(ctx, ami.NewAction("Getvar", "Variable", fmt.Sprintf("STRFTIME(%d,,%%z)", asked.Unix())))
	zone := m.Get("Value")
	here := asked.In(c.cfg.General.Timezone).Format("-0700")
	switch {
	case err != nil || len(zone) != len(here):
		c.good("asterisk's time", "as here; its time zone cannot be asked")
	case zone != here:
		c.note("asterisk's time", fmt.Sprintf("its local time is %s and [general] timezone makes %s: records that it wrote while the daemon was away get wrong times", zone, here),
			"[general] timezone must be that of Asterisk's machine ("+c.o.file+"), or: timedatectl set-timezone NAME, and restart both")
	default:
		c.good("asterisk's time", "as here, and the same time zone ("+zone+")")
	}
}

// folders compares where Asterisk records with what it is said to.
func (c *checkup) folders(ctx context.Context, client *ami.Client) {
	m, err := client.Do(ctx, ami.NewAction("Command", "Command", "core show settings"))
	if err != nil {
		c.note("recordings", "where asterisk records cannot be asked: "+err.Error())
		return
	}
	spool := setting(m.Output(), "Spool directory")
	if spool == "" {
		c.note("recordings", "asterisk does not tell where it records")
		return
	}
	r := c.cfg.Recordings
	said, monitor := filepath.Clean(r.AsteriskDirectory), filepath.Join(spool, "monitor")
	switch {
	case said != monitor:
		c.note("recordings", fmt.Sprintf("asterisk records in %s unless the dialplan names another folder, and [recordings] says it is %s", monitor, said),
			"[recordings] directory = "+monitor+"     # in "+c.o.file, "or, where asterisk sees another root: directory as it is here, and asterisk_directory = "+monitor)
	case filepath.Clean(r.Directory) != said:
		c.good("recordings", "asterisk's "+monitor+" is said to be "+r.Directory+" here")
	default:
		c.good("recordings", "asterisk records in the same folder")
	}
}

// setting reads a line "  Name:   value" of the console.
func setting(lines []string, name string) string {
	for _, line := range lines {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
