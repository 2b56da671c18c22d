package webhook

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/dialbridge/dialbridge/internal/sqlite"
	"github.com/dialbridge/dialbridge/internal/trial"
)

// TestMain lets the test binary be its own child: a daemon that is killed.
func TestMain(m *testing.M) {
	if os.Getenv("WEBHOOK_TEST_DIR") != "" {
		runChild()
		return
	}
	goleak.VerifyTestMain(m)
}

// rig is a real database, an outbox and a sender.
type rig struct {
	t      testing.TB
	path   string
	db     *sqlite.DB
	outbox *Outbox
	sender *Sender
	log    *trial.Log

	stopDB, stopSender func()
}

type rigOptions struct {
	path      string
	maxSize   int64
	recover   bool
	keep      time.Duration
	transport http.RoundTripper
	sender    SenderOptions
}

// newRig opens everything and runs the writer, not the sender.
func newRig(t testing.TB, o rigOptions) *rig {
	t.Helper()
	if o.path == "" {
		o.path = filepath.Join(t.TempDir(), "test.db")
	}
	r := &rig{t: t, path: o.path, log: &trial.Log{}}
	logger := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if r.db, err = sqlite.Open(context.Background(), sqlite.Options{Path: o.path, MaxSize: o.maxSize, Recover: o.recover, Logger: logger}); err != nil {
		t.Fatal(err)
	}
	if r.outbox, err = NewOutbox(context.Background(), r.db, OutboxOptions{Keep: o.keep, Logger: logger}); err != nil {
		t.Fatal(err)
	}
	o.sender.Logger, o.sender.transport = logger, o.transport
	r.sender = NewSender(r.outbox, o.sender)
	r.stopDB = background(t, r.db.Run)
	r.stopSender = func() {}
	t.Cleanup(r.close)
	return r
}

// close ends everything in the daemon's order. It may be called twice.
func (r *rig) close() {
	r.stopSender()
	r.stopDB()
	if r.db != nil {
		if err := r.db.Close(); err != nil {
			r.t.Errorf("close: %v", err)
		}
		r.db = nil
	}
}

// send configures the sender and runs it.
func (r *rig) send(target Target) {
	r.t.Helper()
	if err := r.sender.Configure(target); err != nil {
		r.t.Fatal(err)
	}
	r.stopSender = background(r.t, r.sender.Run)
}

func (r *rig) put(events ...Event) {
	r.t.Helper()
	result := make(chan error, 1)
	r.outbox.Put(events, func(err error) { result <- err })
	if err := <-result; err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) status() Status {
	r.t.Helper()
	s, err := r.outbox.Status(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// show returns an event once nothing is on its way to the file.
func (r *rig) show(id string) Record {
	r.t.Helper()
	r.settle()
	rec, err := r.outbox.Show(context.Background(), "", id)
	if err != nil {
		r.t.Fatal(err)
	}
	return rec
}

// settle waits until all marks are written.
func (r *rig) settle() {
	r.t.Helper()
	if err := r.sender.marks.wait(context.Background()); err != nil {
		r.t.Fatal(err)
	}
}

// waitFor polls a condition that real sockets bring about.
func (r *rig) waitFor(what string, cond func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s did not happen; log:\n%s", what, r.log)
		}
		time.Sleep(time.Millisecond)
	}
}

// execAll is an operation of several statements.
func execAll(statements ...string) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		for _, s := range statements {
			if _, err := tx.ExecContext(context.Background(), s); err != nil {
				return err
			}
		}
		return nil
	}
}

// background runs f and returns what stops it and waits, once.
func background(t testing.TB, f func(context.Context) error) func() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

func event(key string, n int) Event {
	return Event{ID: fmt.Sprintf("%s-%d", key, n), Kind: "cdr", Key: key, Body: fmt.Appendf(nil, `{"key":%q,"n":%d}`, key, n), Weight: Never}
}

func events(key string, n int) []Event {
	out := make([]Event, n)
	for i := range out {
		out[i] = event(key, i)
	}
	return out
}

// arrival is one request at the receiver.
type arrival struct {
	id, key string
	n       int
	at      time.Time
	header  http.Header
	body    []byte
	status  int
}

// receiver records what arrives and answers by a rule.
type receiver struct {
	mu       sync.Mutex
	arrivals []arrival
	rule     func(a *arrival, h http.Header) int // status; nil = 200
	changed  chan struct{}
}

func newReceiver(rule func(*arrival, http.Header) int) *receiver {
	return &receiver{rule: rule, changed: make(chan struct{}, 1)}
}

func (r *receiver) take(header http.Header, body []byte, answer http.Header) int {
	a := arrival{id: header.Get("webhook-id"), at: time.Now(), header: header.Clone(), body: body}
	_, _ = fmt.Sscanf(string(body), `{"key":%q,"n":%d}`, &a.key, &a.n) // other bodies have no key
	r.mu.Lock()
	defer r.mu.Unlock()
	a.status = 200
	if r.rule != nil {
		a.status = r.rule(&a, answer)
	}
	r.arrivals = append(r.arrivals, a)
	return a.status
}

func (r *receiver) setRule(rule func(*arrival, http.Header) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rule = rule
}

// ServeHTTP makes it a real server.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	w.WriteHeader(r.take(req.Header, body, w.Header()))
}

// RoundTrip makes it a transport without sockets, for tests with a fake clock. Status 0 is a broken connection.
func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	canonical := http.Header{}
	for name, values := range req.Header {
		canonical[http.CanonicalHeaderKey(name)] = values
	}
	answer := http.Header{}
	status := r.take(canonical, body, answer)
	if status == 0 {
		return nil, fmt.Errorf("read tcp: connection reset by peer")
	}
	return &http.Response{StatusCode: status, Header: answer, Body: io.NopCloser(bytes.NewReader([]byte("said the receiver"))), Request: req}, nil
}

func (r *receiver) all() []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]arrival(nil), r.arrivals...)
}

// delivered returns the ids that were answered with 2xx, in order of arrival.
func (r *receiver) delivered() (ids []string) {
	for _, a := range r.all() {
		if a.status/100 == 2 {
			ids = append(ids, a.id)
		}
	}
	return ids
}

func serve(t testing.TB, h http.Handler) *httptest.Server {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}
