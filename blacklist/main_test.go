package blacklist

import (
	"context"
	"log/slog"
	"maps"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/internal/sqlite"
	"github.com/dialbridge/dialbridge/pbx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// asterisk is a fake with an AstDB.
type asterisk struct {
	*amitest.Server
	mu      sync.Mutex
	entries map[string]string // by /family/key

	handlers map[string]amitest.Handler // of AstDB's actions
}

func newAsterisk(t testing.TB) *asterisk {
	a := &asterisk{Server: amitest.Start(t), entries: map[string]string{}, handlers: map[string]amitest.Handler{}}
	handle := func(name string, do amitest.Handler) {
		a.handlers[name] = func(s *amitest.Session, action ami.Action) {
			a.mu.Lock()
			defer a.mu.Unlock()
			do(s, action)
		}
		a.Handle(name, a.handlers[name])
	}
	path := func(action ami.Action) string { return "/" + action.Get("Family") + "/" + action.Get("Key") }
	handle("DBPut", func(s *amitest.Session, action ami.Action) {
		a.entries[path(action)] = action.Get("Val")
		s.Respond(action, "Success", "Message", "Updated database successfully")
	})
	handle("DBDel", func(s *amitest.Session, action ami.Action) {
		if _, ok := a.entries[path(action)]; !ok {
			s.Respond(action, "Error", "Message", "Database entry could not be deleted")
			return
		}
		delete(a.entries, path(action))
		s.Respond(action, "Success", "Message", "Key deleted successfully")
	})
	handle("DBGet", func(s *amitest.Session, action ami.Action) {
		value, ok := a.entries[path(action)]
		if !ok {
			s.Respond(action, "Error", "Message", "Database entry not found")
			return
		}
		s.List(action, "Result will follow", []ami.Message{
			amitest.NewEvent("DBGetResponse", "Family", action.Get("Family"), "Key", action.Get("Key"), "Val", value),
		}, "DBGetComplete")
	})
	handle("DBGetTree", func(s *amitest.Session, action ami.Action) {
		var items []ami.Message
		like := regexp.MustCompile("(?i)^/" + strings.ReplaceAll(action.Get("Family"), "_", ".") + "/") // as SQL's LIKE has it
		for key, value := range a.entries {
			if like.MatchString(key) {
				items = append(items, amitest.NewEvent("DBGetTreeResponse", "Key", key, "Val", value))
			}
		}
		s.List(action, "Result will follow", items, "DBGetTreeComplete")
	})
	return a
}

// edit does what a phone or the console does to AstDB.
func (a *asterisk) edit(do func(entries map[string]string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	do(a.entries)
}

// numbers returns what AstDB lists: for each number "in", "out" or "both".
func (a *asterisk) numbers() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	ways := map[string]Way{}
	for path := range a.entries {
		if number, ok := strings.CutPrefix(path, "/blacklist/"); ok {
			ways[number] |= Inbound
		}
		if number, ok := strings.CutPrefix(path, "/blacklist_out/"); ok {
			ways[number] |= Outbound
		}
	}
	return spell(ways)
}

func (a *asterisk) copy() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.entries)
}

func spell(ways map[string]Way) map[string]string {
	spelt := map[string]string{}
	for number, w := range ways {
		spelt[number] = [...]string{"", "in", "out", "both"}[w]
	}
	return spelt
}

// rig is the black list of a daemon beside an Asterisk.
type rig struct {
	testing.TB
	ctx     context.Context
	numbers *Numbers
	store   *sqlite.DB
	sw      *pbx.Switch
	stop    func()
}

type rigOptions struct {
	link   ami.Options
	path   string // of the database, "" is a new one
	guard  bool
	every  time.Duration
	idle   bool // nothing but the database runs
	noList bool // all but the black list runs
}

func newRig(t testing.TB, o rigOptions) *rig {
	t.Helper()
	ctx := context.Background()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
	if o.path == "" {
		o.path = filepath.Join(t.TempDir(), "a.db")
	}
	store, err := sqlite.Open(ctx, sqlite.Options{Path: o.path, Logger: log})
	must(t, err)
	o.link.Want = pbx.Wanted
	client := ami.New(o.link)
	sw, err := pbx.New(ctx, pbx.Options{Client: client, Store: store, Rules: pbx.Rules{
		Context: "from-internal", Timeout: time.Second, Allow: regexp.MustCompile(`.`), Extensions: regexp.MustCompile(`^[0-9]{3}$`),
		InboundContexts: regexp.MustCompile(`^from-trunk`), Location: time.UTC,
	}, Logger: log})
	must(t, err)
	numbers, err := New(ctx, Options{Switch: sw, Store: store, Guard: o.guard, Every: o.every, Logger: log})
	must(t, err)
	listCtx, endList := context.WithCancel(ctx)
	linkCtx, unlink := context.WithCancel(ctx)
	dbCtx, closeDB := context.WithCancel(ctx)
	var list, link, db sync.WaitGroup
	db.Go(func() { _ = store.Run(dbCtx) })
	if !o.idle {
		link.Go(func() { _ = client.Run(linkCtx) })
		link.Go(func() { _ = sw.Run(ctx) })
	}
	if !o.idle && !o.noList {
		list.Go(func() { _ = numbers.Run(listCtx) })
	}
	stop := sync.OnceFunc(func() {
		endList()
		list.Wait()
		unlink()
		link.Wait()
		closeDB()
		db.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return &rig{TB: t, ctx: ctx, numbers: numbers, store: store, sw: sw, stop: stop}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until waits until a condition holds.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// compared waits for a comparison that begins now.
func (r *rig) compared() {
	r.Helper()
	until(r, "a comparison with AstDB", func() bool {
		start := time.Now()
		_ = r.numbers.Refresh(r.ctx)
		st, err := r.numbers.Status(r.ctx)
		must(r, err)
		return st.Compared.After(start) && st.Err == nil && st.Pending == 0
	})
}

func (r *rig) listed() map[string]string {
	r.Helper()
	list, err := r.numbers.List(r.ctx, Filter{})
	must(r, err)
	ways := map[string]Way{}
	for _, e := range list {
		ways[e.Number] = e.Ways
	}
	return spell(ways)
}
