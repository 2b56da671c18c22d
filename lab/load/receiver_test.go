package load

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// cause is the manager event whose arrival a pushed event tells; a call's hangup and account are told by its last Hangup.
var cause = map[string]string{"dialbegin": "DialBegin", "dialend": "DialEnd", "cdr": "Cdr", "hangup": "Hangup", "cc_cdr": "Hangup"}

// story is what is pushed of a call, in this order.
var story = []string{"dialbegin", "dialend", "cdr", "hangup", "cc_cdr"}

// watcher is the receiver. It compares what comes with what Asterisk sent, and keeps no more of a call than it must.
type watcher struct {
	url    string
	server *http.Server

	mu        sync.Mutex
	sent      map[string]map[string]time.Time // by call, by manager event
	next      map[string]int                  // by call, index in story
	late      []time.Duration                 // from Asterisk's event to its receipt
	seen      map[string]bool                 // ids of the last calls' events
	events    int
	states    int
	twice     int
	disorder  int
	completed int
}

func newWatcher(t testing.TB, answerAfter time.Duration) *watcher {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{url: "http://" + l.Addr().String() + "/", sent: map[string]map[string]time.Time{}, next: map[string]int{}, seen: map[string]bool{}}
	w.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(out http.ResponseWriter, req *http.Request) {
		at := time.Now()
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // the sender went away
		}
		time.Sleep(answerAfter)
		w.take(req.Header.Get("Webhook-Id"), body, at)
		out.WriteHeader(http.StatusOK)
	})}
	go func() { _ = w.server.Serve(l) }()
	t.Cleanup(func() { _ = w.server.Close() })
	return w
}

// told notes that Asterisk sends an event of a call.
func (w *watcher) told(call, event string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.sent[call]
	if at == nil {
		at = map[string]time.Time{}
		w.sent[call] = at
	}
	at[event] = time.Now()
}

func (w *watcher) take(id string, body []byte, at time.Time) {
	var e struct{ Event, Uniqueid, UUID string }
	err := json.Unmarshal(body, &e)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events++
	call := e.Uniqueid
	if e.Event == "cc_cdr" {
		call = e.UUID
	}
	if err == nil && e.Event == "extensionstatus" {
		w.states++
		return
	}
	if w.seen[id] {
		w.twice++
		return
	}
	w.seen[id] = true
	i := w.next[call]
	if err != nil || i >= len(story) || story[i] != e.Event {
		w.disorder++
		return
	}
	w.next[call] = i + 1
	if then, ok := w.sent[call][cause[e.Event]]; ok {
		w.late = append(w.late, at.Sub(then))
	}
	if i == len(story)-1 {
		delete(w.sent, call)
		w.completed++
	}
}

// percentiles are of the time from Asterisk's event to its receipt.
func (w *watcher) percentiles() (p50, p99, most time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.late) == 0 {
		return 0, 0, 0
	}
	slices.Sort(w.late)
	n := len(w.late)
	return w.late[n/2], w.late[min(n-1, n*99/100)], w.late[n-1]
}

func (w *watcher) done() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.completed
}

// missing lists up to five calls that lack events, with those that they got, for a failed test.
func (w *watcher) missing() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for call := range w.sent {
		if list = append(list, call+" has "+strings.Join(story[:w.next[call]], " ")); len(list) == 5 {
			return list
		}
	}
	return list
}
