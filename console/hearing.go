package console

import (
	"net/http"
	"sync"
	"time"
)

// oneHearing is for how long the pieces of a recording that one takes are one hearing: a player asks for another one with each jump.
const oneHearing = 10 * time.Minute

// mostHearings bounds what is remembered of them; beyond it a hearing may be told of twice.
const mostHearings = 4096

// hearings are who has lately heard what, so that the audit log tells of each hearing once. Its methods are safe for concurrent use.
type hearings struct {
	now func() time.Time

	mu   sync.Mutex
	last map[hearing]time.Time // piece
}

// hearing is one recording at one place.
type hearing struct{ owner, remote, call string }

func newHearings() *hearings { return &hearings{now: time.Now, last: map[hearing]time.Time{}} }

// begins reports whether a request for a recording is a hearing of its own. One for the whole file always is, and no piece escapes: which part of
// a recording comes first is for him to choose who hears it.
func (h *hearings) begins(r *http.Request, x hearing) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	if len(h.last) >= mostHearings {
		h.forget(now)
	}
	before, heard := h.last[x]
	h.last[x] = now
	return r.Header.Get("Range") == "" || !heard || now.Sub(before) > oneHearing
}

// forget drops what is over, and everything where that is nothing. The caller holds mu.
func (h *hearings) forget(now time.Time) {
	for x, at := range h.last {
		if now.Sub(at) > oneHearing {
			delete(h.last, x)
		}
	}
	if len(h.last) >= mostHearings {
		clear(h.last)
	}
}
