package pbx

import (
	"regexp"
	"testing"
)

// caller is a channel from outside that the dialplan works on.
var caller = []string{"Channel", "PJSIP/trunk-1", "Uniqueid", "1.1", "Linkedid", "1.1", "Context", "custom", "Exten", "s", "ChannelState", "6", "CallerIDNum", "0215"}

func (d *desk) of(name string, nameValue ...string) {
	d.Helper()
	d.apply(name, append(append([]string(nil), caller...), nameValue...)...)
}

// closed returns the only account that was told.
func (d *desk) closed() Account {
	d.Helper()
	var list []Account
	for _, o := range d.st.out {
		if e, ok := o.Event.(CallClosed); ok {
			list = append(list, e.Account)
		}
	}
	if len(list) != 1 {
		d.Fatalf("%d accounts, want 1", len(list))
	}
	return list[0]
}

// TestMenuByUserEvent lets a dialplan report its menu and its survey itself.
func TestMenuByUserEvent(t *testing.T) {
	d := newDesk(t)
	d.of("Newchannel")
	d.of("UserEvent", "UserEvent", "ivr", "ivrId", "7", "ivrName", "night")
	d.pass(4)
	d.of("Newexten", "Extension", "s", "Application", "WaitExten") // goes on in the same menu
	d.of("DTMFEnd", "Direction", "Received", "Digit", "2")
	d.pass(1)
	d.of("UserEvent", "UserEvent", "ivr", "ivrId", "8")
	d.pass(2)
	d.of("UserEvent", "UserEvent", "ivr", "ivrId", "8", "ivrDtmf", "31")
	d.pass(3)
	d.of("UserEvent", "UserEvent", "ivr") // without an id it says nothing
	d.of("UserEvent", "UserEvent", "feedback", "score", "5")
	d.of("UserEvent", "UserEvent", "other", "ivrId", "9")
	d.of("Hangup", "Cause", "16")
	var menus []string
	for _, o := range d.st.out {
		if e, ok := o.Event.(MenuLeft); ok {
			menus = append(menus, e.Visit.Menu.ID+" "+e.Visit.Menu.Name+" "+e.Visit.Digits+" "+e.Visit.Left.Sub(e.Visit.Entered).String())
		}
	}
	if len(menus) != 2 || menus[0] != "7 night 2 5s" || menus[1] != "8  31 2s" {
		t.Errorf("menus: %q", menus)
	}
	a := d.closed()
	if a.Menus.Seconds() != 7 || a.Menu.ID != "8" || a.Digits != "31" || a.Score != "5" || a.Duration.Seconds() != 10 {
		t.Errorf("account: %+v", a)
	}
}

// TestVoicemail: only a message that was left counts.
func TestVoicemail(t *testing.T) {
	for status, left := range map[string]bool{"SUCCESS": true, "USEREXIT": false, "FAILED": false} {
		d := newDesk(t)
		d.of("Newchannel")
		d.of("Newexten", "Extension", "s", "Application", "VoiceMail", "AppData", "801@default,u")
		d.pass(9)
		d.of("VarSet", "Variable", "VMSTATUS", "Value", status)
		d.of("Hangup", "Cause", "16")
		a := d.closed()
		if a.Voicemail != left || len(a.Spans) != 1 || a.Spans[0].Place != "801@default" || a.Spans[0].Length().Seconds() != 9 {
			t.Errorf("%s: %+v", status, a)
		}
	}
}

// TestSurvey counts the time in the survey's context and takes its last key.
func TestSurvey(t *testing.T) {
	d := newDesk(t)
	d.st.rules.Feedback = regexp.MustCompile(`^(feedback|survey).*`)
	d.of("Newchannel")
	in := append([]string(nil), caller...)
	in[7] = "survey-de"
	d.apply("Newexten", append(in, "Extension", "s", "Application", "Read")...)
	d.pass(3)
	d.apply("DTMFEnd", append(in, "Direction", "Received", "Digit", "9")...)
	d.pass(1)
	d.apply("DTMFEnd", append(in, "Direction", "Received", "Digit", "4")...)
	d.apply("Hangup", append(in, "Cause", "16")...)
	if a := d.closed(); a.Score != "4" || a.Feedback.Seconds() != 4 || a.Stage != StageFeedback || a.InMenu {
		t.Errorf("account: %+v", a)
	}
}
