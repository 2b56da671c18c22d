package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
	"github.com/dialbridge/dialbridge/webhook"
)

// pace is how often, and how far, the feed goes.
type pace struct {
	round     time.Duration // between two looks at the picture at least; what changes meanwhile is told as one
	beat      time.Duration
	receivers time.Duration // between two looks at the receivers
	forget    time.Duration // what is known of the receivers is too old to be told
	readers   int
	each      int // of one user
	unsent    int // bytes that wait for a reader; one who falls behind is cut off and takes a new snapshot
	frames    int // of them
}

var usual = pace{round: 250 * time.Millisecond, beat: time.Second, receivers: 2 * time.Second, forget: 10 * time.Second, readers: 64, each: 16, unsent: 2 << 20, frames: 64}

// live is the feed of what goes on: one look at the picture for all readers together, compared row by row with the one before. Nothing
// is looked at while nobody reads. run must be called.
type live struct {
	sw     *pbx.Switch
	outbox *webhook.Outbox
	log    *slog.Logger
	pace   pace
	wake   chan struct{} // somebody has come

	mu       sync.Mutex // guards all below
	readers  map[*reader]bool
	closed   bool
	known    []webhook.ReceiverStatus
	knownAt  time.Time
	knownErr bool // has been logged
}

func newLive(sw *pbx.Switch, outbox *webhook.Outbox, log *slog.Logger) *live {
	return &live{sw: sw, outbox: outbox, log: log, pace: usual, wake: make(chan struct{}, 1), readers: map[*reader]bool{}}
}

// run feeds the readers until ctx ends, and then ends them.
func (l *live) run(ctx context.Context) {
	var done sync.WaitGroup
	defer done.Wait()
	defer l.end()
	done.Go(func() { l.watchReceivers(ctx) })
	for l.idle(ctx) {
		l.feed(ctx)
	}
}

// idle waits until somebody reads; false when ctx has ended.
func (l *live) idle(ctx context.Context) bool {
	for l.count() == 0 {
		select {
		case <-l.wake:
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}

// feed tells readers what goes on for as long as there are any.
func (l *live) feed(ctx context.Context) {
	beat := time.NewTicker(l.pace.beat)
	defer beat.Stop()
	var told view
	for l.count() > 0 {
		changed := l.sw.Changed()
		told = l.tell(told)
		rest := time.NewTimer(l.pace.round)
		pending, rested := changed, false
		for again := false; !again; {
			select {
			case <-beat.C: // a look each second, too: a switch that is stuck tells nothing
				l.send(false, frame("beat", map[string]any{"now": time.Now().UnixMilli()}))
				pending, again = nil, rested
			case <-pending:
				pending, again = nil, rested
			case <-l.wake:
				pending, again = nil, rested
			case <-rest.C:
				rested, again = true, pending == nil
			case <-ctx.Done():
				rest.Stop()
				return
			}
		}
		rest.Stop()
	}
}

// view is what the readers have been told.
type view struct {
	head     []byte
	sections []section
}

// section is one kind of rows.
type section struct {
	name string
	rows []rowOf
	byID map[string]json.RawMessage
}

func newSection(name string, rows []rowOf) section {
	s := section{name: name, rows: rows, byID: make(map[string]json.RawMessage, len(rows))}
	for _, r := range rows {
		s.byID[r.id] = r.text
	}
	return s
}

// look takes the picture as it stands.
func (l *live) look() view {
	b := l.sw.Board()
	receivers, known := l.receivers(b.At)
	head := encodeRow("", liveHead{
		Live: b.Live, Since: moment(b.Since), Reason: b.Reason, Day: moment(b.Day), Within: b.Within.Seconds(), ReceiversKnown: known,
	})
	return view{head: head.text, sections: []section{
		newSection("queues", queueRows(b.Queues)), newSection("extensions", extenRows(b.Extensions)), newSection("calls", callRows(b.Calls)),
		newSection("receivers", receiverRows(receivers)),
	}}
}

// tell sends what differs from what was told to those who have it, and everything to those who have just come.
func (l *live) tell(told view) view {
	now := l.look()
	if told.sections != nil {
		if body, news := now.since(told); news {
			l.send(false, frame("change", body))
		}
	}
	l.send(true, frame("snapshot", now.whole()))
	return now
}

// whole is the view as a snapshot.
func (v view) whole() map[string]any {
	body := map[string]any{"now": time.Now().UnixMilli(), "head": json.RawMessage(v.head)}
	for _, s := range v.sections {
		rows := make([]json.RawMessage, 0, len(s.rows))
		for _, r := range s.rows {
			rows = append(rows, r.text)
		}
		body[s.name] = rows
	}
	return body
}

// since is what has changed after another view.
func (v view) since(old view) (body map[string]any, news bool) {
	body = map[string]any{"now": time.Now().UnixMilli()}
	if !bytes.Equal(v.head, old.head) {
		body["head"] = json.RawMessage(v.head)
	}
	for i, s := range v.sections {
		part := map[string]any{}
		var set []json.RawMessage
		for _, r := range s.rows {
			if !bytes.Equal(old.sections[i].byID[r.id], r.text) {
				set = append(set, r.text)
			}
		}
		if set != nil {
			part["set"] = set
		}
		var gone []string
		for _, r := range old.sections[i].rows {
			if s.byID[r.id] == nil {
				gone = append(gone, r.id)
			}
		}
		if gone != nil {
			part["gone"] = gone
		}
		if len(part) > 0 {
			body[s.name] = part
		}
	}
	return body, len(body) > 1
}

// frame is one event of the stream.
func frame(event string, body map[string]any) []byte {
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", event, encodeRow("", body).text)
}

// watchReceivers reads the state of the receivers every now and then while somebody wants to know.
func (l *live) watchReceivers(ctx context.Context) {
	tick := time.NewTicker(l.pace.receivers)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if l.count() > 0 {
				l.readReceivers(ctx)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (l *live) readReceivers(ctx context.Context) {
	s, err := l.outbox.Status(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.known, l.knownAt, l.knownErr = s.Receivers, time.Now(), false
	} else if !l.knownErr && ctx.Err() == nil {
		l.knownErr = true
		l.log.Error("state of the receivers could not be read for the wallboard", "error", err)
	}
}

// receivers is what is known of the receivers, unless it is too old.
func (l *live) receivers(now time.Time) (list []webhook.ReceiverStatus, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.knownAt.IsZero() || now.Sub(l.knownAt) > l.pace.forget {
		return nil, false
	}
	return l.known, true
}

func (l *live) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.readers)
}

// errNoFeed is the answer to one reader too many, and while the daemon stops; errManyFeeds to one too many of one user, so that one who opens ever
// more of them shuts nobody else out.
var (
	errNoFeed    = &httpd.Error{Status: http.StatusServiceUnavailable, Message: "no more live feeds, try again later", RetryAfter: 2 * time.Second}
	errManyFeeds = &httpd.Error{Status: http.StatusTooManyRequests, Message: "you have as many live feeds open as one may: close some", RetryAfter: 2 * time.Second}
)

// enter adds a reader, unless there are too many, or too many of his.
func (l *live) enter(r *reader) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.readers) >= l.pace.readers {
		return errNoFeed
	}
	his := 0
	for other := range l.readers {
		if other.owner == r.owner {
			his++
		}
	}
	if his >= l.pace.each {
		return errManyFeeds
	}
	l.readers[r] = true
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return nil
}

func (l *live) leave(r *reader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.readers, r)
}

// send puts a frame before those who have a snapshot, or before those who have none.
func (l *live) send(fresh bool, text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for r := range l.readers {
		if r.fresh != fresh {
			continue
		}
		r.fresh = false
		if !r.put(text, &l.pace) {
			delete(l.readers, r)
		}
	}
}

// end takes leave of all readers.
func (l *live) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for r := range l.readers {
		r.end(byeStop)
	}
	clear(l.readers)
}
