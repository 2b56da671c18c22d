package blacklist

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/pbx"
)

// TestAsteriskForgotTheLastSecond is a crash: AstDB comes back as it was before the last changes.
func TestAsteriskForgotTheLastSecond(t *testing.T) {
	a := newAsterisk(t)
	r := newRig(t, rigOptions{link: a.Options()})
	must(t, r.numbers.Add(r.ctx, "1001", Inbound, ""))
	must(t, r.numbers.Add(r.ctx, "1002", Both, ""))
	r.compared()
	before := a.copy()
	must(t, r.numbers.Add(r.ctx, "1003", Inbound, ""))
	must(t, r.numbers.Remove(r.ctx, "1001", Inbound))
	must(t, r.numbers.Remove(r.ctx, "1002", Outbound))
	a.edit(func(entries map[string]string) { entries["/blacklist/1004"] = "1" }) // on a phone, and seen
	want := map[string]string{"1002": "in", "1003": "in", "1004": "in"}
	if diff := cmp.Diff(want, r.listed()); diff != "" {
		t.Fatalf("before the crash (-want +got):\n%s", diff)
	}
	goAway(t, a, r)
	a.edit(func(entries map[string]string) { clear(entries); maps.Copy(entries, before) })
	a.Restart()
	r.compared()
	if diff := cmp.Diff(want, r.listed()); diff != "" {
		t.Errorf("listed after the crash (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, a.numbers()); diff != "" {
		t.Errorf("AstDB after the crash (-want +got):\n%s", diff)
	}
}

// TestBatchThatWasNotNoted is a daemon that ends between AstDB's change and its own.
func TestBatchThatWasNotNoted(t *testing.T) {
	a := newAsterisk(t)
	path := filepath.Join(t.TempDir(), "a.db")
	r := newRig(t, rigOptions{link: a.Options(), path: path})
	must(t, r.numbers.Add(r.ctx, "1001", Inbound, ""))
	must(t, r.numbers.Add(r.ctx, "1002", Inbound, ""))
	r.compared()
	r.stop()

	// The next process writes to AstDB and is killed before it has noted that.
	off := newRig(t, rigOptions{path: path, idle: true})
	must(t, off.numbers.Remove(off.ctx, "1001", Inbound))
	must(t, off.numbers.Add(off.ctx, "1003", Inbound, ""))
	mine, err := loadToken(off.ctx, off.store.Reader())
	must(t, err)
	off.stop()
	a.edit(func(entries map[string]string) {
		delete(entries, "/blacklist/1001")
		entries["/blacklist/1003"] = "1"
		seen := parseToken(entries["/"+tokenFamily+"/"+tokenKey])
		if !mine.covers(seen) {
			t.Errorf("token %v does not cover %v", mine, seen)
		}
		entries["/"+tokenFamily+"/"+tokenKey] = mine.next(seen).String()
		delete(entries, "/blacklist/1002") // and then somebody takes one off on a phone
	})
	again := newRig(t, rigOptions{link: a.Options(), path: path})
	again.compared()
	want := map[string]string{"1003": "in"}
	if diff := cmp.Diff(want, again.listed()); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, a.numbers()); diff != "" {
		t.Errorf("AstDB (-want +got):\n%s", diff)
	}
}

// TestLinkIsLostInTheMiddle cuts the link at each action of a batch in turn.
func TestLinkIsLostInTheMiddle(t *testing.T) {
	for cut := range 9 {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			t.Parallel()
			a := newAsterisk(t)
			r := newRig(t, rigOptions{link: a.Options()})
			must(t, r.numbers.Add(r.ctx, "1001", Both, ""))
			r.compared()
			goAway(t, a, r)
			must(t, r.numbers.Add(r.ctx, "1002", Both, ""))
			must(t, r.numbers.Remove(r.ctx, "1001", Inbound))
			a.edit(func(entries map[string]string) { entries["/blacklist/1003"] = "1" })
			left := cut
			for _, action := range []string{"DBGet", "DBPut", "DBDel", "DBGetTree"} {
				a.cutBefore(action, &left)
			}
			a.Restart()
			r.compared()
			want := map[string]string{"1001": "out", "1002": "both", "1003": "in"}
			if diff := cmp.Diff(want, r.listed()); diff != "" {
				t.Errorf("listed (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, a.numbers()); diff != "" {
				t.Errorf("AstDB (-want +got):\n%s", diff)
			}
		})
	}
}

// cutBefore wraps an action: when left is used up the link goes, once, and the action may or may not have been done.
func (a *asterisk) cutBefore(action string, left *int) {
	do := a.handlers[action]
	a.Handle(action, func(s *amitest.Session, m ami.Action) {
		a.mu.Lock()
		*left--
		cut := *left == -1
		a.mu.Unlock()
		if cut && len(m.Get("Key"))%2 == 0 {
			a.Drop()
			return
		}
		do(s, m)
		if cut {
			a.Drop()
		}
	})
}

// TestHistories plays random histories against a model of the rules.
func TestHistories(t *testing.T) {
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			history(t, rand.New(rand.NewPCG(seed, 1)))
		})
	}
}

// model is what must be listed, by family and number, and what is in AstDB.
type model struct {
	listed  map[string]bool
	touched map[string]bool // changed through the API since both were last the same
	removed map[string]bool // ever
}

func history(t *testing.T, rnd *rand.Rand) {
	a := newAsterisk(t)
	r := newRig(t, rigOptions{link: a.Options()})
	r.compared()
	m := model{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	snapshot := a.copy()
	for range 4 {
		away := rnd.IntN(2) == 0
		if away {
			goAway(t, a, r)
		}
		for range rnd.IntN(8) {
			m.act(t, a, r, rnd, away)
		}
		lost := away && rnd.IntN(3) == 0
		if lost {
			a.edit(func(entries map[string]string) { clear(entries); maps.Copy(entries, snapshot) })
		}
		a.Restart()
		snapshotToken := snapshot["/"+tokenFamily+"/"+tokenKey]
		mine, err := loadToken(r.ctx, r.store.Reader())
		must(t, err)
		m.settle(a.copy(), lost && !mine.covers(parseToken(snapshotToken)))
		before := a.copy()
		r.compared()
		if diff := cmp.Diff(m.want(), r.listed()); diff != "" {
			t.Fatalf("listed (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(m.want(), a.numbers()); diff != "" {
			t.Fatalf("AstDB (-want +got):\n%s", diff)
		}
		if rnd.IntN(2) == 0 {
			snapshot = before // older than what the table knows
		}
	}
}

// act does one thing, through the API or, when a phone could, to AstDB.
func (m *model) act(t *testing.T, a *asterisk, r *rig, rnd *rand.Rand, away bool) {
	s := sides()[rnd.IntN(2)]
	number := fmt.Sprint(100 + rnd.IntN(5))
	key := "/" + s.family + "/" + number
	switch rnd.IntN(4) {
	case 0:
		must(t, r.numbers.Add(r.ctx, number, s.way, ""))
		m.listed[key], m.touched[key] = true, away
		m.removed[key] = false
	case 1:
		_, inAstDB := a.copy()[key]
		err := r.numbers.Remove(r.ctx, number, s.way)
		if err == nil {
			m.listed[key], m.touched[key], m.removed[key] = false, away, true
		} else if m.listed[key] || inAstDB && !away && !m.touched[key] {
			t.Fatalf("remove %s: %v", key, err)
		}
	case 2:
		a.edit(func(entries map[string]string) { entries[key] = "1" })
	case 3:
		a.edit(func(entries map[string]string) { delete(entries, key) })
	}
}

// settle is the rules once more, for the whole list.
func (m *model) settle(astdb map[string]string, foreign bool) {
	for _, s := range sides() {
		for i := range 5 {
			key := fmt.Sprintf("/%s/%d", s.family, 100+i)
			_, present := astdb[key]
			before := m.listed[key]
			switch {
			case m.touched[key]: // the API wins
			case !foreign:
				m.listed[key] = present
			case present && !m.removed[key]:
				m.listed[key] = true
			}
			if before && !m.listed[key] {
				m.removed[key] = true
			}
			if m.listed[key] {
				m.removed[key] = false
			}
		}
	}
	clear(m.touched)
}

func (m *model) want() map[string]string {
	ways := map[string]Way{}
	for _, s := range sides() {
		for i := range 5 {
			if number := fmt.Sprint(100 + i); m.listed["/"+s.family+"/"+number] {
				ways[number] |= s.way
			}
		}
	}
	return spell(ways)
}

// TestChangeDuringABatch takes a change back while AstDB is being told of it.
func TestChangeDuringABatch(t *testing.T) {
	a := newAsterisk(t)
	r := newRig(t, rigOptions{link: a.Options()})
	must(t, r.numbers.Add(r.ctx, "1001", Inbound, ""))
	r.compared()
	during := func(action string, change func(*sql.Tx) (bool, error)) {
		once := sync.OnceFunc(func() {
			if _, err := r.numbers.try(r.ctx, change); err != nil {
				t.Error(err)
			}
		})
		a.Handle(action, func(s *amitest.Session, m ami.Action) {
			if m.Get("Family") == "blacklist" {
				once()
			}
			a.handlers[action](s, m)
		})
	}
	during("DBPut", func(tx *sql.Tx) (bool, error) { return r.numbers.remove(tx, "1002", Inbound) })
	must(t, r.numbers.Add(r.ctx, "1002", Inbound, ""))
	during("DBDel", func(tx *sql.Tx) (bool, error) { return true, r.numbers.add(tx, "1001", Inbound, "") })
	must(t, r.numbers.Remove(r.ctx, "1001", Inbound))
	want := map[string]string{"1001": "in"}
	until(t, "the last word of the API in AstDB", func() bool {
		_ = r.numbers.Refresh(r.ctx)
		return maps.Equal(want, a.numbers())
	})
	if diff := cmp.Diff(want, r.listed()); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
}

// TestAsteriskIsBackWithinABatch: what a batch wrote may be lost when the link was, so it is not noted.
func TestAsteriskIsBackWithinABatch(t *testing.T) {
	a := newAsterisk(t)
	r := newRig(t, rigOptions{link: a.Options(), noList: true})
	until(t, "the picture", func() bool { return r.sw.Status().Complete })
	must(t, r.numbers.Add(r.ctx, "1001", Inbound, ""))
	resyncs := r.sw.Status().Resyncs
	if _, err := r.numbers.pass(r.ctx, true, resyncs+1); !errors.Is(err, errMoved) {
		t.Errorf("pass: %v", err)
	}
	if got := a.copy()["/"+tokenFamily+"/"+tokenKey]; got != "" {
		t.Errorf("token %s in AstDB", got)
	}
	if st, err := r.numbers.Status(r.ctx); err != nil || st.Pending != 1 {
		t.Errorf("status = %+v, %v", st, err)
	}
	if _, err := r.numbers.pass(r.ctx, true, resyncs); err != nil {
		t.Error(err)
	}
	if st, err := r.numbers.Status(r.ctx); err != nil || st.Pending != 0 {
		t.Errorf("status = %+v, %v", st, err)
	}
}

// TestPrune forgets removals after a day.
func TestPrune(t *testing.T) {
	r := newRig(t, rigOptions{idle: true})
	must(t, r.store.Do(r.ctx, func(tx *sql.Tx) error {
		_, err := exec(tx, `INSERT INTO blacklist_numbers (number, uuid, note, created_at, inbound, outbound_astdb, inbound_removed) VALUES
			('1', 'a', '', 0, 0, 0, ?1), ('2', 'b', '', 0, 0, 0, ?2), ('3', 'c', '', 0, 1, 0, ?1), ('4', 'd', '', 0, 0, 1, ?1)`,
			time.Now().Add(-buried-time.Minute).UnixMilli(), time.Now().Add(-buried+time.Minute).UnixMilli())
		return err
	}))
	must(t, r.numbers.prune(r.ctx))
	var left string
	must(t, r.store.Reader().QueryRowContext(r.ctx, `SELECT group_concat(number, ' ') FROM blacklist_numbers`).Scan(&left))
	if left != "2 3 4" {
		t.Errorf("left: %s", left)
	}
}

// TestNobodyAsks: the list follows AstDB by itself, in time and after a connection.
func TestNobodyAsks(t *testing.T) {
	a := newAsterisk(t)
	r := newRig(t, rigOptions{link: a.Options(), every: time.Millisecond})
	appears := func(number string) {
		t.Helper()
		until(t, "number "+number, func() bool {
			_, err := r.numbers.Get(r.ctx, number)
			return err == nil
		})
	}
	a.edit(func(entries map[string]string) { entries["/blacklist/1001"] = "1" })
	appears("1001")
	a.edit(func(entries map[string]string) { entries["/blacklist_out/1002"] = "1" })
	appears("1002")
	goAway(t, a, r)
	must(t, r.numbers.Add(r.ctx, "1003", Inbound, ""))
	a.edit(func(entries map[string]string) { entries["/blacklist/1004"] = "1" })
	a.Restart()
	appears("1004")
	until(t, "1003 in AstDB", func() bool { return a.numbers()["1003"] == "in" })
}

// TestEndWhileSomebodyWaits leaves nobody waiting for an Asterisk that does not answer.
func TestEndWhileSomebodyWaits(t *testing.T) {
	a := newAsterisk(t)
	r := newRig(t, rigOptions{link: a.Options()})
	r.compared()
	a.Silent("DBGetTree")
	before := len(a.Received("DBGetTree"))
	result := make(chan error, 1)
	go func() { result <- r.numbers.Refresh(r.ctx) }()
	until(t, "the question for AstDB", func() bool { return len(a.Received("DBGetTree")) > before })
	r.stop()
	if err := <-result; err == nil {
		t.Error("a comparison that was broken off is told as done")
	}
	if err := r.numbers.Refresh(r.ctx); !errors.Is(err, pbx.ErrOffline) {
		t.Errorf("after the end: %v", err)
	}
}
