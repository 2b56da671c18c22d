package webhook

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

const killConcurrency = 8

// runChild is a daemon that stores and sends for ever and prints each id once it is acknowledged.
func runChild() {
	check := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	logger := slog.New(slog.DiscardHandler)
	ctx := context.Background()
	db, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(os.Getenv("WEBHOOK_TEST_DIR"), "test.db"), Logger: logger})
	check(err)
	outbox, err := NewOutbox(ctx, db, OutboxOptions{Logger: logger})
	check(err)
	sender := NewSender(outbox, SenderOptions{Logger: logger})
	check(sender.Configure(Target{URL: os.Getenv("WEBHOOK_TEST_URL"), Concurrency: killConcurrency}))
	go func() { check(db.Run(ctx)) }()
	go func() { check(sender.Run(ctx)) }()
	room := make(chan struct{}, 200)
	for n := 0; ; n++ {
		room <- struct{}{}
		e := event(fmt.Sprintf("%d.%d", os.Getpid(), n%20), n)
		outbox.Put([]Event{e}, func(err error) {
			check(err)
			fmt.Println(e.ID)
			<-room
		})
		if n%50 == 0 {
			time.Sleep(5 * time.Millisecond) // a PBX's rate, well above it
		}
	}
}

// TestKill kills the daemon at random moments. Every acknowledged event must arrive, in order within its key when
// it arrives first, and no more than what was in flight may arrive twice.
func TestKill(t *testing.T) {
	const kills = 8
	rec := newReceiver(nil)
	srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond) // so that a kill finds requests in flight
		rec.ServeHTTP(w, req)
	}))
	dir := t.TempDir()
	var acked []string
	for range kills {
		acked = append(acked, killedRun(t, dir, srv.URL)...)
	}
	r := newRig(t, rigOptions{path: filepath.Join(dir, "test.db")})
	r.send(Target{URL: srv.URL, Concurrency: killConcurrency})
	r.waitFor("drain", func() bool { return r.status().Total.Pending == 0 })

	seen, last, duplicates := map[string]bool{}, map[string]int{}, 0
	for _, a := range rec.all() {
		if seen[a.id] {
			duplicates++
			continue
		}
		seen[a.id] = true
		if n, known := last[a.key]; known && a.n < n {
			t.Errorf("key %s: event %d arrived after %d", a.key, a.n, n)
		}
		last[a.key] = a.n
	}
	for _, id := range acked {
		if !seen[id] {
			t.Errorf("event %s was acknowledged and never arrived", id)
		}
	}
	t.Logf("%d kills, %d acknowledged, %d arrived, %d twice", kills, len(acked), len(seen), duplicates)
	if len(acked) == 0 || duplicates > kills*killConcurrency*unsettled {
		t.Errorf("%d acknowledged, %d duplicates", len(acked), duplicates)
	}
}

func killedRun(t *testing.T, dir, url string) (acked []string) {
	cmd := exec.CommandContext(context.Background(), os.Args[0])
	cmd.Env = append(os.Environ(), "WEBHOOK_TEST_DIR="+dir, "WEBHOOK_TEST_URL="+url)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(time.Duration(100+rand.IntN(300))*time.Millisecond, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		acked = append(acked, lines.Text())
	}
	_ = cmd.Wait() // killed
	return acked
}
