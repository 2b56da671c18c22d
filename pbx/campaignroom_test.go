package pbx

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// TestOldCampaignsGo: one that is over is deleted when it is older than campaigns are kept; one that goes on stays.
func TestOldCampaignsGo(t *testing.T) {
	f := newFake(t)
	f.calls("ANSWER", "16")
	r := newCampaignRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	over := r.add(play, "5550001")
	r.comesTo(over, OutcomeAnswered)
	f.queued()
	open := r.add(play, "5550002", "5550003")
	r.comesTo(open, OutcomeDialing, OutcomeWaiting)
	r.c.prune(time.Now().Add(31 * 24 * time.Hour))
	r.c.prune(time.Now().Add(31 * 24 * time.Hour))
	if _, err := r.c.write(context.Background(), `UPDATE pbx_campaigns SET note = note`); err != nil { // behind both
		t.Fatal(err)
	}
	list, err := r.c.List(context.Background(), "")
	if err != nil || len(list) != 1 || list[0].ID != open {
		t.Errorf("%+v, %v", list, err)
	}
}

// stored lists the ids of the campaigns that are there, the newest first.
func (r *campaignRig) stored() (ids []int64) {
	r.t.Helper()
	list, err := r.c.List(context.Background(), "")
	if err != nil {
		r.t.Fatal(err)
	}
	for i := range list {
		ids = append(ids, list[i].ID)
	}
	return ids
}

// TestNumbersOfAllCampaigns: beyond the bound the oldest campaigns that are over go; when others alone fill it nothing is stored, and nothing
// goes.
func TestNumbersOfAllCampaigns(t *testing.T) {
	f := newFake(t)
	f.calls("ANSWER", "16")
	r := newCampaignRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.c.most = 6
	r.complete()
	first := r.add(play, "5550001", "5550002")
	r.comesTo(first, OutcomeAnswered, OutcomeAnswered)
	f.queued()
	open := r.add(play, "5550003", "5550004")
	r.comesTo(open, OutcomeDialing, OutcomeWaiting)
	stopped := r.add(play, "5550005", "5550006")
	if err := r.c.Stop(context.Background(), stopped); err != nil {
		t.Fatal(err)
	}
	if _, err := r.c.Add(context.Background(), play, []string{"5550011", "5550012", "5550013", "5550014", "5550015"}); !errors.Is(err, ErrManyNumbers) {
		t.Errorf("five beside two that go on: %v", err)
	}
	if diff := cmp.Diff([]int64{stopped, open, first}, r.stored()); diff != "" {
		t.Error(diff)
	}
	next := r.add(play, "5550021")
	if diff := cmp.Diff([]int64{next, stopped, open}, r.stored()); diff != "" {
		t.Error(diff)
	}
	last := r.add(play, "5550031", "5550032", "5550033")
	if diff := cmp.Diff([]int64{last, next, open}, r.stored()); diff != "" {
		t.Error(diff)
	}
}

// many are numbers of a campaign.
func many(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = strconv.Itoa(13800000000 + i)
	}
	return list
}

// TestCampaignsInASmallFile: campaigns that are over make room for new ones before the file is full, so that nothing else waits; one for
// which there is no room is refused at once, and what is stored stays.
func TestCampaignsInASmallFile(t *testing.T) {
	f := newFake(t)
	r := newCampaignRigIn(t, f, sqlite.Options{Path: filepath.Join(t.TempDir(), "a.db"), MaxSize: 4 << 20})
	r.complete()
	ctx := context.Background()
	for range 8 {
		if err := r.c.Stop(ctx, r.add(play, many(20_000)...)); err != nil {
			t.Fatal(err)
		}
	}
	if s := r.store.Stats(); s.Failures != 0 {
		t.Errorf("the file was full: %+v", s)
	}
	there := r.stored()
	begin := time.Now()
	if _, err := r.c.Add(ctx, play, many(60_000)); !errors.Is(err, ErrNoRoom) {
		t.Errorf("more than the file holds: %v", err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("refused after %s", took)
	}
	if diff := cmp.Diff(there, r.stored()); diff != "" {
		t.Error(diff)
	}
}

// TestFullFileLetsCampaignsGo: when others have filled the file, campaigns that are over go; one that goes on stays.
func TestFullFileLetsCampaignsGo(t *testing.T) {
	f := newFake(t)
	f.queued()
	r := newCampaignRigIn(t, f, sqlite.Options{Path: filepath.Join(t.TempDir(), "a.db"), MaxSize: 4 << 20})
	r.complete()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	open := r.add(play, "5550001")
	r.comesTo(open, OutcomeDialing)
	if err := r.c.Stop(ctx, r.add(play, many(20_000)...)); err != nil {
		t.Fatal(err)
	}
	fill := func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `CREATE TABLE filler AS SELECT zeroblob(1900000)`)
		return err
	}
	more := func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO filler SELECT zeroblob(1200000)`)
		return err
	}
	for _, do := range []func(*sql.Tx) error{fill, more} {
		if err := r.store.Do(ctx, do); err != nil {
			t.Fatal(err)
		}
	}
	if s := r.store.Stats(); s.Failures == 0 {
		t.Errorf("the file was never full: %+v", s)
	}
	if diff := cmp.Diff([]int64{open}, r.stored()); diff != "" {
		t.Error(diff)
	}
}
