package httpd

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// metrics counts requests by route template, never by path: the labels are as
// many as the routes, whatever a client asks for.
type metrics struct {
	mu       sync.Mutex
	requests map[served]uint64
	duration map[string]*histogram // by route
	inFlight int
}

type served struct {
	route, method string
	status        int
}

// bounds are the upper ends of the buckets, in seconds.
var bounds = [...]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

type histogram struct {
	counts [len(bounds) + 1]uint64 // the last one for what took longer
	sum    float64                 // seconds
}

func newMetrics() *metrics {
	return &metrics{requests: map[served]uint64{}, duration: map[string]*histogram{}}
}

// under counts requests in, and out again with a negative number.
func (m *metrics) under(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inFlight += n
}

func (m *metrics) count(c echo.Context, took time.Duration) {
	seconds := took.Seconds()
	i, _ := slices.BinarySearch(bounds[:], seconds) // a bucket holds its upper end
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests[served{c.Path(), method(c.Request()), c.Response().Status}]++
	h := m.duration[c.Path()]
	if h == nil {
		h = &histogram{}
		m.duration[c.Path()] = h
	}
	h.counts[i]++
	h.sum += seconds
}

// expose adds the server's own metrics.
func (m *metrics) expose(e *Exposition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.Gauge("dialbridge_http_requests_in_flight", "HTTP requests that are being answered.", float64(m.inFlight))
	for s, n := range m.requests {
		e.Counter("dialbridge_http_requests_total", "HTTP requests answered, by route, method and status.", float64(n),
			"method", s.method, "route", s.route, "status", strconv.Itoa(s.status))
	}
	for route, h := range m.duration {
		e.Histogram("dialbridge_http_request_duration_seconds", "Time from the request's header to the end of its answer, by route.",
			bounds[:], h.counts[:], h.sum, "route", route)
	}
}

// serveMetrics asks everybody anew for each page, so that pages that are made at once do not meet.
func (s *Server) serveMetrics(c echo.Context) error {
	var e Exposition
	s.metrics.expose(&e)
	for _, expose := range s.options.Metrics {
		expose(c.Request().Context(), &e)
	}
	return c.Blob(http.StatusOK, mimeExposition, e.text())
}
