package blacklist

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/pbx"
)

// TestPages reads the list in pages of every size while numbers come and go on pages that were read.
func TestPages(t *testing.T) {
	r := newRig(t, rigOptions{idle: true})
	var want []string
	for i := range 10 {
		number := fmt.Sprintf("55%d", i)
		must(t, r.numbers.Add(r.ctx, number, Outbound, ""))
		must(t, r.numbers.Add(r.ctx, fmt.Sprintf("66%d", i), Inbound, ""))
		want = append(want, number)
	}
	for size := 1; size <= 11; size++ {
		var got []string
		f := Filter{Ways: Outbound, Exact: true, Contains: "55", Limit: size}
		for range len(want) + 1 { // the last page is empty
			page, err := r.numbers.List(r.ctx, f)
			must(t, err)
			if len(page) == 0 {
				break
			}
			if len(page) > size {
				t.Fatalf("%d on a page of %d", len(page), size)
			}
			for _, e := range page {
				got = append(got, e.Number)
			}
			f.After = page[len(page)-1].Number
			must(t, r.numbers.Add(r.ctx, "*55", Outbound, "")) // before all of them
		}
		must(t, r.numbers.Remove(r.ctx, "*55", Both))
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %v", size, got)
		}
	}
}

// TestPageIsNotSorted holds that a page is read from where the one before has ended, however long the list is.
func TestPageIsNotSorted(t *testing.T) {
	r := newRig(t, rigOptions{idle: true})
	var plan []string
	must(t, each(r.ctx, r.store.Reader(), func(row *sql.Rows) error {
		var id, parent, unused int
		var detail string
		err := row.Scan(&id, &parent, &unused, &detail)
		plan = append(plan, detail)
		return err
	}, "EXPLAIN QUERY PLAN "+page, Outbound, true, "5", "100", 10, "5"))
	if len(plan) != 1 || !strings.HasPrefix(plan[0], "SEARCH blacklist_numbers USING PRIMARY KEY (number>") {
		t.Errorf("plan: %q", plan)
	}
}

// TestBarred answers the switch from the table, also before there are Numbers that run.
func TestBarred(t *testing.T) {
	r := newRig(t, rigOptions{idle: true})
	for number, ways := range map[string]Way{"1001": Inbound, "1002": Outbound, "1003": Both} {
		must(t, r.numbers.Add(r.ctx, number, ways, ""))
	}
	must(t, r.numbers.Add(r.ctx, "1004", Both, ""))
	must(t, r.numbers.Remove(r.ctx, "1004", Outbound))
	barred := Barred(r.store)
	for number, want := range map[string]bool{"1001": false, "1002": true, "1003": true, "1004": false, "1005": false, "": false, "a": false, "+1002": false} {
		if got, err := barred(r.ctx, number); got != want || err != nil {
			t.Errorf("%q: %v, %v", number, got, err)
		}
	}
	r.stop()
	if got, err := barred(r.ctx, "1002"); err == nil {
		t.Errorf("without a database: %v and no error", got)
	}
}

// TestWaysAddUp plays random changes through the API against the rules: an entry adds to the ways that a number has, a
// removal takes its half of both, a replacement leaves nothing else, and what is not listed is not found.
func TestWaysAddUp(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			waysAddUp(t, rand.New(rand.NewPCG(seed, 2)))
		})
	}
}

func waysAddUp(t *testing.T, rnd *rand.Rand) {
	a := newAsterisk(t)
	r := newRig(t, rigOptions{link: a.Options()})
	r.compared()
	has, ids, since := map[string]Way{}, map[string]string{}, map[string]time.Time{}
	for range 60 {
		number, ways := fmt.Sprint(100+rnd.IntN(3)), Way(1+rnd.IntN(3))
		before, want := has[number], error(nil)
		var got error
		switch rnd.IntN(3) {
		case 0:
			got, has[number] = r.numbers.Add(r.ctx, number, ways, ""), before|ways
		case 1:
			if before&ways == 0 {
				want = pbx.ErrNotFound
			}
			got, has[number] = r.numbers.Remove(r.ctx, number, ways), before&^ways
		case 2:
			if before == 0 {
				want, ways = pbx.ErrNotFound, 0
				got = r.numbers.Set(r.ctx, number, Both)
			} else {
				got = r.numbers.Set(r.ctx, number, ways)
			}
			has[number] = ways
		}
		if !errors.Is(got, want) {
			t.Fatalf("number %s with ways %d, and %d: %v, want %v", number, before, ways, got, want)
		}
		e, err := r.numbers.Get(r.ctx, number)
		if listed := err == nil; listed != (has[number] != 0) || e.Ways != has[number] {
			t.Fatalf("number %s: ways %d, %v, want %d", number, e.Ways, err, has[number])
		}
		if before != 0 && has[number] != 0 && (e.UUID != ids[number] || !e.CreatedAt.Equal(since[number])) {
			t.Fatalf("number %s has another uuid or time while it is listed", number)
		}
		ids[number], since[number] = e.UUID, e.CreatedAt
	}
	want := map[string]Way{}
	for number, ways := range has {
		if ways != 0 {
			want[number] = ways
		}
	}
	if got := r.listed(); fmt.Sprint(got) != fmt.Sprint(spell(want)) {
		t.Errorf("listed %v, want %v", got, spell(want))
	}
	if got := a.numbers(); fmt.Sprint(got) != fmt.Sprint(spell(want)) {
		t.Errorf("AstDB %v, want %v", got, spell(want))
	}
}
