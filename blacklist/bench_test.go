package blacklist

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/lab"
)

const many = 100_000

// fill lists so many numbers; AstDB is left to be told, or has them already.
func fill(b testing.TB, r *rig, count, marked int) {
	b.Helper()
	for from := 0; from < count; from += 5000 {
		must(b, r.store.Do(r.ctx, func(tx *sql.Tx) error {
			for i := from; i < min(from+5000, count); i++ {
				if _, err := exec(tx, `INSERT INTO blacklist_numbers (number, uuid, note, created_at, inbound, inbound_astdb)
					VALUES (?, ?, '', 0, 1, ?)`, nth(i), newUUID(), marked); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

func nth(i int) string { return fmt.Sprintf("0912%07d", i) }

// TestIndexes: what runs once a second and for each call does not read the whole table.
func TestIndexes(t *testing.T) {
	r := newRig(t, rigOptions{idle: true})
	fill(t, r, 100, 1)
	for _, query := range []string{
		sides()[0].sql(waitingRows), sides()[1].sql(waitingRows),
		waysOf, pendingCount,
	} {
		var plan []string
		must(t, each(r.ctx, r.store.Reader(), func(row *sql.Rows) error {
			var id, parent, unused int
			var detail string
			err := row.Scan(&id, &parent, &unused, &detail)
			plan = append(plan, detail)
			return err
		}, "EXPLAIN QUERY PLAN "+query, 1))
		for _, step := range plan {
			if strings.HasPrefix(step, "SCAN blacklist_numbers") && !strings.Contains(step, "INDEX blacklist_pending_") {
				t.Errorf("%s: %s", query, step)
			}
		}
	}
}

func BenchmarkListed(b *testing.B) {
	for _, count := range []int{100, many} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			r := newRig(b, rigOptions{idle: true})
			fill(b, r, count, 1)
			for i := 0; b.Loop(); i++ {
				if _, err := r.numbers.Listed(r.ctx, nth(i%(2*count)), Inbound); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkList(b *testing.B) {
	r := newRig(b, rigOptions{idle: true})
	fill(b, r, many, 1)
	for b.Loop() {
		list, err := r.numbers.List(r.ctx, Filter{Ways: Inbound})
		if err != nil || len(list) != many {
			b.Fatal(len(list), err)
		}
	}
}

// BenchmarkAdd adds and removes numbers beside 100,000 others, one after the other and from many sides.
func BenchmarkAdd(b *testing.B) {
	for _, sides := range []int{1, 16} {
		b.Run(fmt.Sprintf("by %d", sides), func(b *testing.B) {
			a := newAsterisk(b)
			r := newRig(b, rigOptions{link: a.Options()})
			r.compared()
			fill(b, r, many, 1)
			b.SetParallelism(sides)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if err := r.numbers.Add(r.ctx, fmt.Sprintf("*%d", i), Inbound, ""); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// BenchmarkAsterisk is a real one: it is told of 100,000 numbers, and compared.
func BenchmarkAsterisk(b *testing.B) {
	for _, version := range versions {
		b.Run(version, func(b *testing.B) {
			l := lab.ForTest(b, version, lab.Options{})
			r := newRig(b, rigOptions{link: ami.Options{Address: l.AMIAddress, Username: l.AMIUser, Secret: l.AMISecret}, noList: true})
			until(b, "the picture", func() bool { return r.sw.Status().Complete })
			r.rounds(b)
			b.Run("tell", func(b *testing.B) {
				for b.Loop() {
					must(b, r.store.Do(r.ctx, func(tx *sql.Tx) error {
						_, err := exec(tx, `DELETE FROM blacklist_numbers`)
						return err
					}))
					fill(b, r, many, 0)
					r.rounds(b)
				}
			})
			b.Run("compare", func(b *testing.B) {
				for b.Loop() {
					if _, err := r.numbers.pass(r.ctx, true, r.sw.Status().Resyncs); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// rounds makes passes until nothing waits.
func (r *rig) rounds(b testing.TB) {
	b.Helper()
	for more := true; more; {
		out, err := r.numbers.pass(r.ctx, false, r.sw.Status().Resyncs)
		must(b, err)
		more = out.more
	}
}

// BenchmarkSearch asks for a page of 100,000 numbers as the console does: the first one, one from the middle, what is found in the middle, and nothing.
func BenchmarkSearch(b *testing.B) {
	r := newRig(b, rigOptions{idle: true})
	fill(b, r, many, 1)
	for name, tc := range map[string]struct {
		f    Filter
		want int
	}{
		"first page": {Filter{Stored: true, Limit: 100}, 100}, "middle": {Filter{After: nth(many / 2), Limit: 100}, 100},
		"part of a number": {Filter{Stored: true, Text: "5000", Limit: 100}, 20}, "nowhere": {Filter{Stored: true, Text: "nobody", Limit: 100}, 0},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if list, err := r.numbers.List(r.ctx, tc.f); err != nil || len(list) != tc.want {
					b.Fatal(len(list), err)
				}
			}
		})
	}
}
