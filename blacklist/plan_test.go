package blacklist

import (
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDecide goes through every standing.
func TestDecide(t *testing.T) {
	cases := []struct{ listed, marked, buried, present, trusted bool }{}
	for i := range 32 {
		cases = append(cases, struct{ listed, marked, buried, present, trusted bool }{i&16 > 0, i&8 > 0, i&4 > 0, i&2 > 0, i&1 > 0})
	}
	want := map[string]move{
		// listed, marked: it was in both when they were last written
		"listed marked absent trusted": drop, "listed marked absent foreign": rewrite,
		"listed marked present trusted": stay, "listed marked present foreign": stay,
		// listed, not marked: added here and not told
		"listed unmarked absent trusted": stay, "listed unmarked absent foreign": stay,
		"listed unmarked present trusted": stay, "listed unmarked present foreign": stay,
		// not listed, marked: removed here and not told
		"unlisted marked absent trusted": stay, "unlisted marked absent foreign": stay,
		"unlisted marked present trusted": stay, "unlisted marked present foreign": stay,
		// not listed, not marked: unknown, or removed in both
		"unlisted unmarked absent trusted": stay, "unlisted unmarked absent foreign": stay,
		"unlisted unmarked present trusted": adopt, "unlisted unmarked present foreign": adopt,
		"unlisted unmarked present trusted buried": adopt, "unlisted unmarked present foreign buried": erase,
	}
	word := func(b bool, yes, no string) string {
		if b {
			return yes
		}
		return no
	}
	for _, c := range cases {
		key := fmt.Sprintf("%s %s %s %s", word(c.listed, "listed", "unlisted"), word(c.marked, "marked", "unmarked"),
			word(c.present, "present", "absent"), word(c.trusted, "trusted", "foreign"))
		expected, ok := want[key+word(c.buried, " buried", "")]
		if !ok {
			expected, ok = want[key] // an earlier removal makes no difference
		}
		if !ok {
			t.Fatalf("no expectation for %s", key)
		}
		if got := decide(standing{c.listed, c.marked, c.buried}, c.present, c.trusted); got != expected {
			t.Errorf("%s buried=%v: %d, want %d", key, c.buried, got, expected)
		}
	}
}

// What happens to one number while Asterisk is away, and then to AstDB.
var (
	pasts = []struct {
		name     string
		synced   bool // it was listed, and in AstDB, before
		addedNow bool // added through the API while Asterisk was away
		removed  bool // removed through the API while Asterisk was away, last
	}{
		{"never listed", false, false, false},
		{"added while away", false, true, false},
		{"added and removed while away", false, true, true},
		{"listed before", true, false, false},
		{"listed before and removed while away", true, false, true},
		{"listed before, removed and added while away", true, true, false},
	}
	astdbs = []string{"untouched", "entered on a phone", "taken off on a phone", "lost"}
)

// TestReconcile goes through what can have happened on both sides while they did not see each other.
func TestReconcile(t *testing.T) {
	for _, past := range pasts {
		for _, astdb := range astdbs {
			for _, s := range sides() {
				t.Run(past.name+"/"+astdb+"/"+s.family, func(t *testing.T) {
					t.Parallel()
					reconcileOne(t, s, past.synced, past.addedNow, past.removed, astdb)
				})
			}
		}
	}
}

func reconcileOne(t *testing.T, s side, synced, added, removed bool, astdb string) {
	const number, other = "02155501", "02155502"
	a := newAsterisk(t)
	r := newRig(t, rigOptions{link: a.Options()})
	must(t, r.numbers.Add(r.ctx, other, Both, "")) // shows that nothing else changes
	if synced {
		must(t, r.numbers.Add(r.ctx, number, s.way, ""))
	}
	r.compared()
	goAway(t, a, r)
	if synced && (removed || added) {
		must(t, r.numbers.Remove(r.ctx, number, s.way))
	}
	if added {
		must(t, r.numbers.Add(r.ctx, number, s.way, ""))
	}
	if !synced && removed {
		must(t, r.numbers.Remove(r.ctx, number, s.way))
	}
	a.edit(func(entries map[string]string) {
		switch astdb {
		case "entered on a phone":
			entries["/"+s.family+"/"+number] = "1"
		case "taken off on a phone":
			delete(entries, "/"+s.family+"/"+number)
		case "lost":
			clear(entries)
		}
	})
	a.Restart()
	r.compared()

	var want bool
	switch {
	case removed: // through the API: stays so, whatever AstDB says
	case added: // through the API: stays so as well
		want = true
	case synced: // gone only if a phone has taken it off an AstDB that is whole
		want = astdb != "taken off on a phone"
	default:
		want = astdb == "entered on a phone"
	}
	expected := map[string]string{other: "both"}
	if want {
		maps.Copy(expected, spell(map[string]Way{number: s.way}))
	}
	if diff := cmp.Diff(expected, r.listed()); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(expected, a.numbers()); diff != "" {
		t.Errorf("AstDB (-want +got):\n%s", diff)
	}
	before := a.copy()
	r.compared()
	if diff := cmp.Diff(before, a.copy()); diff != "" {
		t.Errorf("a second comparison changed AstDB (-first +second):\n%s", diff)
	}
}

// goAway ends the link and keeps it down.
func goAway(t *testing.T, a *asterisk, r *rig) {
	t.Helper()
	a.Refuse()
	a.Drop()
	until(t, "the link to be down", func() bool { return !r.sw.Status().Complete })
}
