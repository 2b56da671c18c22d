package webhook

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.put(events("a", 3)...)
	r.put(Event{ID: "x", Kind: "ivr", Key: "b", Body: []byte(`{"x":1}`)}, Event{ID: "y", Kind: "ivr", Key: "a"}, Event{ID: "z", Kind: "ivr", Key: "b"})
	if n, err := r.outbox.Drop(t.Context(), "", "a-1", "z"); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	for _, tc := range []struct {
		filter ReadFilter
		want   []string
	}{
		{ReadFilter{}, []string{"a-0", "a-1", "a-2", "x", "y", "z"}},
		{ReadFilter{Limit: 2}, []string{"a-0", "a-1"}},
		{ReadFilter{After: "a-1", Limit: 2}, []string{"a-2", "x"}},
		{ReadFilter{After: "z"}, nil},
		{ReadFilter{Kind: "ivr"}, []string{"x", "y", "z"}},
		{ReadFilter{Kind: "ivr", After: "x"}, []string{"y", "z"}},
		{ReadFilter{Kind: "hangup"}, nil},
		{ReadFilter{Key: "a"}, []string{"a-0", "a-1", "a-2", "y"}},
		{ReadFilter{Key: "a", After: "x"}, []string{"y"}},
		{ReadFilter{Key: "a", Kind: "ivr"}, []string{"y"}},
		{ReadFilter{Key: "a", Kind: "cdr", After: "a-0", Limit: 1}, []string{"a-1"}},
		{ReadFilter{Key: "nobody"}, nil},
	} {
		got, err := r.outbox.Read(t.Context(), tc.filter)
		if diff := cmp.Diff(tc.want, ids(got)); diff != "" || err != nil {
			t.Errorf("%+v: %v %s", tc.filter, err, diff)
		}
	}
	got, err := r.outbox.Read(t.Context(), ReadFilter{After: "a-2", Limit: 1})
	if err != nil || string(got[0].Body) != `{"x":1}` || got[0].State != "pending" || got[0].Kind != "ivr" || got[0].Key != "b" || got[0].At.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := r.outbox.Read(t.Context(), ReadFilter{After: "nobody"}); !errors.Is(err, ErrUnknown) {
		t.Errorf("after an unknown event: %v", err)
	}
}

// TestReadIsBounded stores more than one answer may hold: it comes in several, and nothing is left out.
func TestReadIsBounded(t *testing.T) {
	r := newRig(t, rigOptions{})
	const n = 20
	for i := range n {
		r.put(Event{ID: fmt.Sprint(i), Kind: "cdr", Body: make([]byte, 1<<20), Weight: Never})
	}
	all, pages, after := 0, 0, ""
	for {
		got, err := r.outbox.Read(t.Context(), ReadFilter{After: after, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			break
		}
		if len(got) > readBytes>>20 {
			t.Errorf("%d MiB in one answer", len(got))
		}
		all, pages, after = all+len(got), pages+1, got[len(got)-1].ID
	}
	if all != n || pages != 3 {
		t.Errorf("%d events in %d answers, want %d in 3", all, pages, n)
	}
}

// TestReadUsesIndexes proves that nothing is read that does not belong to the answer, and nothing is sorted.
func TestReadUsesIndexes(t *testing.T) {
	r := newRig(t, rigOptions{})
	for _, tc := range []struct {
		filter ReadFilter
		want   string
	}{
		{ReadFilter{}, "SEARCH webhook_outbox USING INTEGER PRIMARY KEY (rowid>?)"},
		{ReadFilter{Kind: "cdr"}, "SEARCH webhook_outbox USING INDEX webhook_kinds (kind=? AND rowid>?)"},
		{ReadFilter{Key: "1.1"}, "SEARCH webhook_outbox USING INDEX webhook_keys (key=? AND rowid>?)"},
		{ReadFilter{Kind: "cdr", Key: "1.1"}, "SEARCH webhook_outbox USING INDEX webhook_keys (key=? AND rowid>?)"},
	} {
		query, args := tc.filter.query(0)
		got, _, _ := strings.Cut(plan(t, r.db.Reader(), query, args...), "; CORRELATED SCALAR") // the receiver's name
		if got != tc.want {
			t.Errorf("%+v: %s, want %s", tc.filter, got, tc.want)
		}
	}
}

func plan(t *testing.T, db *sql.DB, query string, args ...any) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	return strings.Join(steps, "; ")
}

// BenchmarkRead reads pages out of the middle of a file with a million events, of which one in a thousand is of a rare kind.
func BenchmarkRead(b *testing.B) {
	const n = 1_000_000
	r := newRig(b, rigOptions{maxSize: 4 << 30})
	body := bytes.Repeat([]byte("x"), 600)
	begun := time.Now()
	if err := r.db.Do(b.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `INSERT INTO webhook_outbox (receiver, lead, event_id, kind, key, body, at, newest, weight, ttl, state, done_at)
			WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			SELECT 1, 1, 'e' || i, iif(i % 1000 = 999, 'ivr', 'cdr'), 'call' || (i / 5), ?, 0, 0, 0, 0, 1, 0 FROM n`, n-1, body)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d events stored in %v", n, time.Since(begun))
	for _, bc := range []struct {
		name   string
		filter ReadFilter
		want   int
	}{
		{"next 100", ReadFilter{After: "e500000"}, 100},
		{"next 1000", ReadFilter{After: "e500000", Limit: 1000}, 1000},
		{"1000 of a rare kind", ReadFilter{Kind: "ivr", Limit: 1000}, 1000},
		{"a kind that is not there", ReadFilter{Kind: "hangup"}, 0},
		{"a call", ReadFilter{Key: "call100000"}, 5},
		{"a kind of a call", ReadFilter{Key: "call199999", Kind: "ivr"}, 1},
		{"nothing new", ReadFilter{After: "e999999", Kind: "cdr"}, 0},
	} {
		b.Run(bc.name, func(b *testing.B) {
			for b.Loop() {
				got, err := r.outbox.Read(b.Context(), bc.filter)
				if err != nil || len(got) != bc.want {
					b.Fatalf("%d events, %v, want %d", len(got), err, bc.want)
				}
			}
		})
	}
}
