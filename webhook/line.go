package webhook

import "time"

type lineState uint8

const (
	lineReady   lineState = iota // its head may be sent
	lineBusy                     // its head is being sent
	lineWaiting                  // its head has failed, until due
)

// line is the queue of one key. Only its first events are in memory.
type line struct {
	key     string
	items   []item
	last    int64 // id up to which the file has been read for this key
	more    bool  // the file holds events of this key beyond last
	state   lineState
	due     time.Time
	lenient bool // waits for an endpoint that failed: may go as soon as the endpoint is back
	fails   int  // failed attempts of the head in this process
	gone    bool // the head's row was removed while it was being sent
	probed  int  // number of the last probe made with it
	index   int  // in its heap
	early   bool // began beyond the cursor
	closed  bool // what is stored beyond the cursor is not taken in any more
}

// order is the id of the head; a line whose head is still in the file is as old as what was read of it.
func (l *line) order() int64 {
	if len(l.items) > 0 {
		return l.items[0].id
	}
	return l.last
}

// readyHeap has the line with the oldest head first.
type readyHeap []*line

// Len, Less, Swap, Push and Pop make it a heap.
func (h readyHeap) Len() int           { return len(h) }
func (h readyHeap) Less(i, j int) bool { return h[i].order() < h[j].order() }
func (h readyHeap) Swap(i, j int)      { swap(h, i, j) }

// Push is called by package heap.
func (h *readyHeap) Push(x any) { *h = push(*h, x) }

// Pop is called by package heap.
func (h *readyHeap) Pop() any { return pop((*[]*line)(h)) }

// waitingHeap has the line that is due next first.
type waitingHeap []*line

// Len, Less, Swap, Push and Pop make it a heap.
func (h waitingHeap) Len() int           { return len(h) }
func (h waitingHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h waitingHeap) Swap(i, j int)      { swap(h, i, j) }

// Push is called by package heap.
func (h *waitingHeap) Push(x any) { *h = push(*h, x) }

// Pop is called by package heap.
func (h *waitingHeap) Pop() any { return pop((*[]*line)(h)) }

func swap(h []*line, i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func push(h []*line, x any) []*line {
	l := x.(*line)
	l.index = len(h)
	return append(h, l)
}

func pop(h *[]*line) *line {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return l
}
