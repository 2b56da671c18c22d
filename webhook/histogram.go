package webhook

import (
	"slices"
	"sync"
)

var (
	commitBounds  = []float64{.001, .002, .005, .01, .02, .05, .1, .25, .5, 1, 5}
	deliverBounds = []float64{.002, .005, .01, .02, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 3600}
)

// Histogram counts observations in seconds. Counts[i] holds those that are at most Bounds[i] and more than the bound
// before; its last entry, one more than Bounds, holds the rest.
type Histogram struct {
	Bounds []float64
	Counts []uint64
	Sum    float64
}

type histogram struct {
	mu sync.Mutex
	h  Histogram
}

func newHistogram(bounds []float64) histogram {
	return histogram{h: Histogram{Bounds: bounds, Counts: make([]uint64, len(bounds)+1)}}
}

func (h *histogram) observe(seconds float64) {
	i, _ := slices.BinarySearch(h.h.Bounds, seconds)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.h.Counts[i]++
	h.h.Sum += seconds
}

func (h *histogram) snapshot() Histogram {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Histogram{Bounds: h.h.Bounds, Counts: slices.Clone(h.h.Counts), Sum: h.h.Sum}
}
