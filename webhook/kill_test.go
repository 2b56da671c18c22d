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
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/internal/baddisk"
	"github.com/dialbridge/dialbridge/internal/sqlite"
)

const killConcurrency = 8

// runChild is a daemon that stores and sends until it is killed or told to stop, and prints each id once it is acknowledged.
func runChild() {
	check := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	logger := slog.New(slog.DiscardHandler)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	maxSize, _ := strconv.ParseInt(os.Getenv("WEBHOOK_TEST_MAXSIZE"), 10, 64) // 0 = the default
	start := context.Background()                                             // a SIGTERM that comes early ends the run, not the start
	db, err := sqlite.Open(start, sqlite.Options{Path: filepath.Join(os.Getenv("WEBHOOK_TEST_DIR"), "test.db"), MaxSize: maxSize, Logger: logger})
	check(err)
	outbox, err := NewOutbox(start, db, OutboxOptions{Logger: logger})
	check(err)
	sender := NewSenders(outbox, SenderOptions{Logger: logger})
	targets := []Target{{URL: os.Getenv("WEBHOOK_TEST_URL"), Concurrency: killConcurrency}}
	if url := os.Getenv("WEBHOOK_TEST_SECOND"); url != "" {
		targets = append(targets, Target{Receiver: "second", URL: url, RetryMax: 20 * time.Millisecond})
	}
	if os.Getenv("WEBHOOK_TEST_HASTY") != "" {
		targets[0].RetryMax = 20 * time.Millisecond
	}
	check(sender.Configure(start, targets))
	written, quit := context.WithCancel(context.Background())
	var database, sending sync.WaitGroup
	database.Go(func() { check(db.Run(written)) })
	sending.Go(func() { check(sender.Run(ctx)) })
	room := make(chan struct{}, 200)
	if os.Getenv("WEBHOOK_TEST_IDLE") != "" {
		<-ctx.Done()
	}
	for n := 0; ctx.Err() == nil; n++ {
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
	sending.Wait()
	quit()
	database.Wait()
	check(db.Close())
}

// TestKill kills the daemon at random moments. Every acknowledged event must arrive, in order within its key when
// it arrives first, and no more than what was in flight may arrive twice.
func TestKill(t *testing.T) {
	kills := baddisk.Rounds(8, 100)
	rec := newReceiver(nil)
	url := slowly(t, rec)
	dir := t.TempDir()
	var acked []string
	for range kills {
		acked = append(acked, endedRun(t, dir, url, syscall.SIGKILL)...)
	}
	survived(t, kills, "kills", dir, url, rec, acked)
}

// TestPowerCut cuts the power of the daemon's disk at random moments, with the same promises.
func TestPowerCut(t *testing.T) {
	cuts := baddisk.Rounds(4, 30)
	rec := newReceiver(nil)
	url := slowly(t, rec)
	disk := baddisk.Disk{Library: baddisk.Build(t), Dir: t.TempDir(), Durable: t.TempDir()}
	var acked []string
	for range cuts {
		acked = append(acked, endedRun(t, disk.Dir, url, syscall.SIGKILL, disk.Environ()...)...)
		disk = disk.Cut(t)
	}
	survived(t, cuts, "power cuts", disk.Dir, url, rec, acked)
}

// TestKilledAtEveryFlush kills the daemon, and cuts the power, exactly before and after each of its first flushes: those of the start, and
// commits with stored events, with marks, and with both.
func TestKilledAtEveryFlush(t *testing.T) {
	steps := baddisk.Rounds(12, 30)
	rec := newReceiver(nil)
	url := slowly(t, rec)
	disk := baddisk.Disk{Library: baddisk.Build(t), Dir: t.TempDir(), Durable: t.TempDir(), Strict: true}
	var acked []string
	for n := 1; n <= steps; n++ {
		for _, disk.Kill = range []int{-n, n} {
			acked = append(acked, endedRun(t, disk.Dir, url, 0, disk.Environ()...)...)
			disk = disk.Cut(t)
		}
	}
	survived(t, 2*steps, "kills", disk.Dir, url, rec, acked)
}

// survived holds what is promised after ends without a warning: all that was acknowledged, and no more twice than was in flight.
func survived(t *testing.T, ends int, what, dir, url string, rec *receiver, acked []string) {
	t.Helper()
	duplicates := complete(t, dir, url, rec, acked)
	t.Logf("%d %s, %d acknowledged, %d twice", ends, what, len(acked), duplicates)
	if duplicates > ends*killConcurrency {
		t.Errorf("%d duplicates after %d %s", duplicates, ends, what)
	}
}

// TestStopUnderLoad: an orderly end loses nothing and sends nothing twice.
func TestStopUnderLoad(t *testing.T) {
	stops := baddisk.Rounds(4, 20)
	rec := newReceiver(nil)
	url := slowly(t, rec)
	dir := t.TempDir()
	var acked []string
	for range stops {
		began := time.Now()
		acked = append(acked, endedRun(t, dir, url, syscall.SIGTERM)...)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("run and end took %s, want less than 10 s for the end alone", took)
		}
	}
	if duplicates := complete(t, dir, url, rec, acked); duplicates != 0 {
		t.Errorf("%d of %d events were sent twice by %d orderly ends", duplicates, len(acked), stops)
	}
	t.Logf("%d ends, %d acknowledged", stops, len(acked))
}

// failing is a rule that fails so many of a hundred requests.
func failing(percent int) func(*arrival, http.Header) int {
	return func(*arrival, http.Header) int {
		if rand.IntN(100) < percent {
			return 503
		}
		return 200
	}
}

// slowly serves a receiver that takes up to 2 ms, so that an end finds requests in flight.
func slowly(t *testing.T, rec *receiver) string {
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
		rec.ServeHTTP(w, req)
	})).URL
}

// complete drains what is left, holds that everything acknowledged has arrived and in order, and returns what came twice.
func complete(t *testing.T, dir, url string, rec *receiver, acked []string) (duplicates int) {
	t.Helper()
	r := newRig(t, rigOptions{path: filepath.Join(dir, "test.db")})
	r.send(Target{URL: url, Concurrency: killConcurrency})
	for left := r.status().Total.Pending; left > 0; { // as long as it takes, while it goes on
		r.waitFor("drain", func() bool { return r.status().Total.Pending < left })
		left = r.status().Total.Pending
	}
	if len(acked) == 0 {
		t.Error("nothing was acknowledged")
	}
	seen, last := map[string]bool{}, map[string]int{}
	for _, a := range successes(rec) {
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
	return duplicates
}

func child(dir, url string, environ ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), os.Args[0])
	cmd.Env = append(os.Environ(), "WEBHOOK_TEST_DIR="+dir, "WEBHOOK_TEST_URL="+url)
	cmd.Env = append(cmd.Env, environ...)
	cmd.Stderr = os.Stderr
	return cmd
}

// startRun starts the daemon.
func startRun(t *testing.T, dir, url string, environ ...string) *exec.Cmd {
	t.Helper()
	cmd := child(dir, url, environ...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// successes are the arrivals that were answered with 2xx.
func successes(rec *receiver) (list []arrival) {
	for _, a := range rec.all() {
		if a.status/100 == 2 {
			list = append(list, a)
		}
	}
	return list
}

// endedRun runs the daemon for a moment and ends it with a signal, 0 = it ends by itself; it returns what was acknowledged.
func endedRun(t *testing.T, dir, url string, end syscall.Signal, environ ...string) (acked []string) {
	t.Helper()
	cmd := child(dir, url, environ...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if end != 0 {
		kill := time.AfterFunc(time.Duration(100+rand.IntN(300))*time.Millisecond, func() { _ = cmd.Process.Signal(end) })
		defer kill.Stop()
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		acked = append(acked, lines.Text())
	}
	if err := cmd.Wait(); end == syscall.SIGTERM && err != nil {
		t.Errorf("ended with %v", err)
	}
	return acked
}
