package pbx

import (
	"testing"
	"time"
)

// checkAccount holds what must be true of every account.
func checkAccount(t *testing.T, a *Account) {
	t.Helper()
	for name, d := range map[string]time.Duration{
		"duration": a.Duration, "talk": a.Talk, "feedback": a.Feedback, "menus": a.Menus, "waiting": a.Waiting, "ring": a.Ring, "hold": a.Hold,
	} {
		if d < 0 || d > a.Duration {
			t.Errorf("call %s: %s of %v in a call of %v", a.ID, name, d, a.Duration)
		}
	}
	if sum := a.Talk + a.Feedback + a.Menus + a.Waiting; sum > a.Duration {
		t.Errorf("call %s: talk %v, feedback %v, menus %v and waiting %v are more than its %v", a.ID, a.Talk, a.Feedback, a.Menus, a.Waiting, a.Duration)
	}
	for _, sp := range a.Spans {
		if sp.End.Before(sp.Start) || sp.Start.Before(a.Start) || sp.Kind != SpanAfterWork && sp.End.After(a.End) {
			t.Errorf("call %s: span %+v in %v to %v", a.ID, sp, a.Start, a.End)
		}
	}
	if a.Answered != (a.Talk > 0) && a.Answered {
		t.Logf("call %s: answered without a moment of talk", a.ID)
	}
	if a.Answered && a.Miss != "" {
		t.Errorf("call %s: answered and missed for %s", a.ID, a.Miss)
	}
}
