package webhook

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// spread stores n events of two kinds, one a minute, and returns when the first was.
func spread(r *rig, n int) time.Time {
	begin := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	list := make([]Event, n)
	for i := range list {
		kind := "cdr"
		if i%2 == 1 {
			kind = "ivr"
		}
		list[i] = Event{ID: fmt.Sprintf("e-%04d", i), Kind: kind, Key: fmt.Sprint("k", i%3), Body: []byte("{}"), At: begin.Add(time.Duration(i) * time.Minute)}
	}
	r.put(list...)
	return begin
}

func TestFilterByTimeAndStates(t *testing.T) {
	r := newRig(t, rigOptions{})
	begin := spread(r, 6)
	if _, err := r.outbox.Drop(t.Context(), "", "e-0003"); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		filter Filter
		want   []string
	}{
		{Filter{Since: begin.Add(4 * time.Minute)}, []string{"e-0005", "e-0004"}},
		{Filter{Until: begin.Add(time.Minute)}, []string{"e-0000"}},
		{Filter{Since: begin.Add(time.Minute), Until: begin.Add(3 * time.Minute)}, []string{"e-0002", "e-0001"}},
		{Filter{State: "dropped,dead"}, []string{"e-0003"}},
		{Filter{State: "pending, dropped", Kind: "ivr"}, []string{"e-0005", "e-0003", "e-0001"}},
		{Filter{Key: "k0", Kind: "cdr"}, []string{"e-0000"}},
	} {
		got, err := r.outbox.List(t.Context(), tc.filter)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, ids(got)); diff != "" {
			t.Errorf("%+v: %s", tc.filter, diff)
		}
		counts, err := r.outbox.Count(t.Context(), tc.filter)
		n := 0
		for _, c := range counts {
			n += c
		}
		if err != nil || n != len(tc.want) {
			t.Errorf("%+v: counted %v, %v", tc.filter, counts, err)
		}
	}
	for _, f := range []Filter{{State: "nonsense"}, {State: "pending,"}} {
		if _, err := r.outbox.Count(t.Context(), f); !errors.Is(err, ErrFilter) {
			t.Errorf("%+v: %v", f, err)
		}
		if _, err := r.outbox.ReplayWhere(t.Context(), f, nil); !errors.Is(err, ErrFilter) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

// A selection is changed in pieces, from the oldest on, and the counters agree with the rows afterwards.
func TestChangeASelection(t *testing.T) {
	r := newRig(t, rigOptions{})
	begin := spread(r, 2*changeChunk+100)
	var told []int
	note := func(n int) { told = append(told, n) }
	n, err := r.outbox.DropWhere(t.Context(), Filter{}, note)
	if err != nil || n != 2*changeChunk+100 {
		t.Fatal(n, err)
	}
	if diff := cmp.Diff([]int{changeChunk, 2 * changeChunk, 2*changeChunk + 100}, told); diff != "" {
		t.Error(diff)
	}
	if s := r.status(); s.Total.Pending != 0 || s.Total.Dropped != int64(n) || s.Total.Lost != 0 {
		t.Errorf("%+v", s.Total)
	}
	if n, err := r.outbox.ReplayWhere(t.Context(), Filter{}, nil); n != 0 || err != nil {
		t.Errorf("%d of no dead letters replayed, %v", n, err)
	}
	n, err = r.outbox.ReplayWhere(t.Context(), Filter{State: "dropped", Kind: "ivr", Since: begin.Add(time.Hour)}, nil)
	if err != nil || n != changeChunk+20 {
		t.Errorf("%d replayed, %v", n, err)
	}
	rec := newReceiver(nil)
	srv := serve(t, rec)
	r.send(Target{URL: srv.URL})
	r.waitFor("delivery", func() bool { return r.status().Total.Delivered == int64(n) })
	if n, err := r.outbox.DropWhere(t.Context(), Filter{State: "delivered"}, nil); n != 0 || err != nil {
		t.Errorf("%d delivered events dropped, %v", n, err)
	}
	last := map[string]string{}
	for _, id := range rec.delivered() {
		e := r.show(id)
		if id < last[e.Key] {
			t.Errorf("%s came after %s", id, last[e.Key])
		}
		last[e.Key] = id
	}
}
