package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ari"
	"github.com/dialbridge/dialbridge/pbx"
)

// patience is how long the checks wait for what Asterisk sends by itself.
const patience = 5 * time.Second

// needed are the actions of the manager user's write privileges, and the classes of its read privileges whose events
// the picture is built from.
var (
	neededActions = []string{"Originate", "Hangup", "Redirect", "BlindTransfer", "Atxfer", "QueueAdd", "QueueRemove", "QueuePause", "QueueStatus",
		"CoreShowChannels", "ExtensionStateList", "DeviceStateList", "CoreSettings", "Command", "DBPut", "DBDel", "DBGet",
		"DialplanExtensionAdd", "Setvar", "GetConfig"}
	// conferenceActions are needed for conferences alone; most of them are there when app_confbridge is.
	conferenceActions = []string{"DialplanExtensionRemove", "ShowDialPlan", "ConfbridgeListRooms", "ConfbridgeList", "ConfbridgeKick", "ConfbridgeMute", "ConfbridgeUnmute"}
	// phoneActions are those by which extensions are made, which most do not need.
	phoneActions  = []string{"CreateConfig", "UpdateConfig", "Reload", "DialplanExtensionRemove", "ShowDialPlan"}
	neededClasses = []string{"system", "call", "agent", "user", "dtmf", "reporting", "cdr", "dialplan"}
)

// fixHint stands above lines that can be written by the program.
const fixHint = "dialbridge check --fix     # writes them, unless somebody else made that user; or by hand:"

// managerLines are the lines of manager.conf that give the daemon what it needs.
func (c *checkup) managerLines() []string {
	return []string{
		fixHint,
		"in manager.conf:  [general] enabled=yes, timestampevents=yes",
		"                  [" + cmp.Or(c.cfg.AMI.Username, ownName) + "]",
		"                  secret=the [ami] secret of api.conf",
		"                  deny=0.0.0.0/0.0.0.0", // a permit alone keeps nobody out
		"                  permit=127.0.0.1/255.255.255.255",
		"                  read=" + readClasses,
		"                  write=" + writeClasses,
		"                  writetimeout=5000",
		"then:             asterisk -rx 'manager reload'",
	}
}

// asterisk tries the manager link and what depends on it.
func (c *checkup) asterisk(ctx context.Context) {
	if c.cfg.AMI.Username == "" {
		c.bad("ami", "[ami] username is not set", c.managerLines()...)
		return
	}
	o := amiOptions(c.cfg, slog.New(slog.DiscardHandler))
	o.Want = func(event string) bool { return event == "FullyBooted" }
	o.Exclude = nil
	client := ami.New(o)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = client.Run(ctx) }) // its failures are in the stream and the status
	c.link(ctx, client)
	cancel()
	for range client.Stream() { // until Run has ended
		continue
	}
	wg.Wait()
}

func (c *checkup) link(ctx context.Context, client *ami.Client) {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for up := false; ; {
		select {
		case <-ctx.Done():
			c.bad("ami", c.cfg.AMI.Address+": no answer in time", c.managerLines()...)
			return
		case batch := <-client.Stream():
			for _, item := range batch {
				switch {
				case item.Kind == ami.ItemConnected:
					up = true
					c.good("ami", "logged in at "+c.cfg.AMI.Address+", manager interface "+item.Version)
				case item.Kind == ami.ItemEvent && item.Message.Event() == "FullyBooted":
					c.booted(ctx, client, item.Message)
					return
				}
			}
		case <-look.C:
			if st := client.Status(); !up && st.Err != nil && st.Phase == ami.Waiting {
				c.bad("ami", c.cfg.AMI.Address+": "+st.Err.Error(), c.mendLink(st.Err)...)
				return
			}
		case <-deadline.C:
			if up {
				c.bad("fully booted", "asterisk did not say that it is fully booted within "+patience.String(),
					"the manager user must have read=system; or asterisk is still loading: asterisk -rx 'core waitfullybooted'")
				c.actions(ctx, client)
				return
			}
			c.bad("ami", c.cfg.AMI.Address+": no answer within "+patience.String(), c.managerLines()...)
			return
		}
	}
}

// mendLink says what to do about a link that cannot be had.
func (c *checkup) mendLink(err error) []string {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return append([]string{"nothing listens there: is asterisk running (systemctl status asterisk), and [general] of manager.conf enabled?",
			"when both are so: asterisk -rx 'core restart when convenient'     # 16 loses the port of a manager that is switched off and on again"}, c.managerLines()...)
	}
	return c.managerLines()
}

func (c *checkup) booted(ctx context.Context, client *ami.Client, m ami.Message) {
	c.good("fully booted", "up for "+m.Get("Uptime")+" s")
	c.actions(ctx, client)
	c.timestamps(ctx, client)
	c.classes(ctx, client)
	found := c.drivers(ctx, client)
	c.phones(ctx, client, found)
	c.answering(ctx, client, found)
	c.cdrs(ctx, client)
	c.contexts(ctx, client)
	c.queues(ctx, client)
	c.folders(ctx, client)
	c.time(ctx, client)
}

// actions compares what the user may do with what is needed: ListCommands lists what it may.
func (c *checkup) actions(ctx context.Context, client *ami.Client) {
	m, err := client.Do(ctx, ami.NewAction("ListCommands"))
	if err != nil {
		c.bad("privileges", err.Error(), c.managerLines()...)
		return
	}
	c.filter(m)
	c.conferences(m)
	var missing []string
	for _, a := range neededActions {
		if _, ok := m.Lookup(a); !ok {
			missing = append(missing, a)
		}
	}
	if len(missing) > 0 {
		c.bad("privileges", "the manager user may not "+strings.Join(missing, ", "), c.managerLines()...)
		return
	}
	c.good("privileges", "all actions that are needed are allowed")
}

// filter tells who keeps events away that nobody needs: the daemon asks for it after each login, where it may.
func (c *checkup) filter(allowed ami.Message) {
	if _, may := allowed.Lookup("Filter"); may {
		c.good("event filter", "set by the daemon itself: about a third of the events are sent")
		return
	}
	mend := []string{
		"the daemon works without. Either write=system in manager.conf, with which it sets them itself, or there:",
		"                  [" + c.cfg.AMI.Username + "]",
	}
	for _, f := range ami.Filters(pbx.Excluded()) {
		mend = append(mend, "                  eventfilter="+f)
	}
	c.note("event filter", "the manager user may not filter events: two thirds of those that asterisk sends are for nobody",
		append(mend, "then:             asterisk -rx 'manager reload', and restart the daemon: a filter counts from the next login")...)
}

// conferences tells where there can be none.
func (c *checkup) conferences(allowed ami.Message) {
	var missing []string
	for _, a := range conferenceActions {
		if _, ok := allowed.Lookup(a); !ok {
			missing = append(missing, a)
		}
	}
	if len(missing) > 0 {
		c.note("conferences", "there can be none: app_confbridge is not loaded, or the manager user may not "+strings.Join(missing, ", "))
		return
	}
	c.good("conferences", "all actions that are needed are allowed")
}

// timestamps asks whether events carry Asterisk's own time.
func (c *checkup) timestamps(ctx context.Context, client *ami.Client) {
	m, err := client.Do(ctx, ami.NewAction("Command", "Command", "manager show settings"))
	if err != nil {
		c.note("timestampevents", "cannot be asked: "+err.Error())
		return
	}
	for _, line := range m.Output() {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.HasPrefix(strings.TrimSpace(key), "Timestamp events") && strings.TrimSpace(value) == "Yes" {
			c.good("timestampevents", "on")
			return
		}
	}
	c.note("timestampevents", "off: events carry the daemon's clock", "in manager.conf: [general] timestampevents=yes")
}

// classes reads which events the user gets.
func (c *checkup) classes(ctx context.Context, client *ami.Client) {
	m, err := client.Do(ctx, ami.NewAction("Command", "Command", "manager show user "+c.cfg.AMI.Username))
	if err != nil {
		c.note("events", "which events the manager user gets cannot be asked: "+err.Error())
		return
	}
	var have []string
	for _, line := range m.Output() {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "read perm" {
			for class := range strings.SplitSeq(value, ",") {
				have = append(have, strings.TrimSpace(class))
			}
		}
	}
	var missing []string
	for _, class := range neededClasses {
		if !slices.Contains(have, class) && !slices.Contains(have, "all") {
			missing = append(missing, class)
		}
	}
	if len(missing) > 0 {
		c.bad("events", "the manager user does not get the events of "+strings.Join(missing, ", "), c.managerLines()...)
		return
	}
	c.good("events", "all events that are needed are sent")
}

func (c *checkup) drivers(ctx context.Context, client *ami.Client) (found []string) {
	for _, d := range []struct{ name, module string }{{"PJSIP", "chan_pjsip.so"}, {"SIP", "chan_sip.so"}} {
		_, err := client.Do(ctx, ami.NewAction("ModuleCheck", "Module", d.module))
		var refused *ami.ResponseError
		switch {
		case err == nil:
			found = append(found, d.name)
		case !errors.As(err, &refused) || errors.Is(err, ami.ErrPermission):
			c.note("drivers", "cannot be asked: "+err.Error())
			return nil
		}
	}
	if len(found) == 0 {
		c.bad("drivers", "neither chan_pjsip nor chan_sip is loaded")
		return nil
	}
	c.good("drivers", strings.Join(found, ", "))
	return found
}

// phones tells whether extensions can be made from here: a dialect offers it, and nothing else needs it.
func (c *checkup) phones(ctx context.Context, client *ami.Client, drivers []string) {
	m, err := client.Do(ctx, ami.NewAction("ListCommands"))
	if err != nil || len(drivers) == 0 {
		return // which was told above
	}
	var missing []string
	for _, a := range phoneActions {
		if _, ok := m.Lookup(a); !ok {
			missing = append(missing, a)
		}
	}
	if len(missing) > 0 {
		c.note("extensions", "cannot be made by the API: the manager user may not "+strings.Join(missing, ", "), c.managerLines()...)
		return
	}
	file := "sip.conf"
	if slices.Contains(drivers, "PJSIP") {
		file = "pjsip_wizard.conf"
		const module = "res_pjsip_config_wizard.so"
		if _, err := client.Do(ctx, ami.NewAction("ModuleCheck", "Module", module)); err != nil {
			c.note("extensions", "cannot be made by the API: asterisk has not loaded "+module, "in modules.conf:  load = "+module,
				"then:             asterisk -rx 'module load "+module+"'")
			return
		}
	}
	c.good("extensions", "can be made by the API, in "+file)
}

// answering tells whether phones can be asked to pick up, which the toolbar's button to answer does. Whether a phone then does it, nobody
// can know before.
func (c *checkup) answering(ctx context.Context, client *ami.Client, drivers []string) {
	const module = "res_pjsip_notify.so"
	actions := map[string]string{"PJSIP": "PJSIPNotify", "SIP": "SIPnotify"}
	m, err := client.Do(ctx, ami.NewAction("ListCommands"))
	if err != nil || len(drivers) == 0 {
		return // which was told above
	}
	tell, use := c.note, " ([toolbar] answer is off)"
	if c.cfg.Toolbar.Answer {
		tell, use = c.bad, ", and [toolbar] answer shows a button for it"
	}
	for _, driver := range drivers {
		if _, ok := m.Lookup(actions[driver]); ok {
			continue
		}
		if driver == "PJSIP" {
			if _, err := client.Do(ctx, ami.NewAction("ModuleCheck", "Module", module)); err != nil {
				tell("answering", "phones cannot be asked to pick up"+use+": asterisk has not loaded "+module, "it needs a file:  touch /etc/asterisk/pjsip_notify.conf",
					"then:             asterisk -rx 'module load "+module+"'", "and for good:     in modules.conf no noload = "+module)
				return
			}
		}
		tell("answering", "phones cannot be asked to pick up"+use+": the manager user may not "+actions[driver], c.managerLines()...)
		return
	}
	c.good("answering", "phones can be asked to pick up, if they obey")
}

func (c *checkup) cdrs(ctx context.Context, client *ami.Client) {
	m, err := client.Do(ctx, ami.NewAction("Command", "Command", "cdr show status"))
	if err != nil {
		c.note("cdr_manager", "cannot be asked: "+err.Error())
		return
	}
	if strings.Contains(strings.Join(m.Output(), "\n"), "cdr_manager") {
		c.good("cdr_manager", "call records come from asterisk")
		return
	}
	c.note("cdr_manager", "not enabled: call records are composed by the daemon",
		"in cdr_manager.conf: [general] enabled=yes; then: asterisk -rx 'module reload cdr_manager.so'")
}

// ariPatienceOfCheck bounds the one question to the REST interface.
const ariPatienceOfCheck = 4 * time.Second

func (c *checkup) ari(ctx context.Context) {
	if c.cfg.ARI.Username == "" {
		c.note("ari", "not configured ([ari] username is empty): nothing needs it today")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, ariPatienceOfCheck)
	defer cancel()
	info, err := ari.New(ariOptions(c.cfg)).Info(ctx)
	if err == nil {
		c.good("ari", "logged in, asterisk "+info.Version)
		return
	}
	c.bad("ari", err.Error(), fixHint,
		"in http.conf:  [general] enabled=yes, bindaddr=127.0.0.1",
		"in ari.conf:   [general] enabled=yes",
		"               ["+c.cfg.ARI.Username+"] type=user, read_only=no, password=the [ari] password of api.conf",
		"then:          asterisk -rx 'module reload http' and 'module reload res_ari.so'")
}
