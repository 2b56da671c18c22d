package httpd

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"
)

func TestExposition(t *testing.T) {
	var e Exposition
	e.Gauge("b", "Two\nlines and a \\.", 7.2952254464e10, "kind", "x\\\"\n\xff")
	e.Counter("a_total", "Late.", 1, "kind", "z")
	e.Gauge("b", "Two\nlines and a \\.", 0, "kind", "")
	e.Counter("a_total", "Late.", 1e21, "kind", "a")
	e.Histogram("h", "Times.", []float64{.5, 1}, []uint64{1, 0, 2}, 9.25, "route", "/x")
	e.Summary("s", "Pauses.", []Quantile{{0, 0}, {.5, 1e-5}}, 3, 4)
	want := `# HELP a_total Late.
# TYPE a_total counter
a_total{kind="a"} 1e+21
a_total{kind="z"} 1
# HELP b Two\nlines and a \\.
# TYPE b gauge
b{kind=""} 0
b{kind="x\\\"\n�"} 7.2952254464e+10
# HELP h Times.
# TYPE h histogram
h_bucket{route="/x",le="0.5"} 1
h_bucket{route="/x",le="1"} 1
h_bucket{route="/x",le="+Inf"} 3
h_sum{route="/x"} 9.25
h_count{route="/x"} 3
# HELP s Pauses.
# TYPE s summary
s{quantile="0"} 0
s{quantile="0.5"} 1e-05
s_sum 3
s_count 4
`
	if diff := cmp.Diff(want, string(e.text())); diff != "" {
		t.Error(diff)
	}
}

func TestBucketsHoldTheirUpperEnd(t *testing.T) {
	for _, test := range []struct {
		took time.Duration
		want int
	}{{0, 0}, {time.Millisecond, 0}, {1001 * time.Microsecond, 1}, {30 * time.Second, len(bounds) - 1}, {31 * time.Second, len(bounds)}} {
		m := newMetrics()
		c := echo.New().NewContext(&http.Request{Method: http.MethodGet}, echo.NewResponse(nil, nil))
		m.count(c, test.took)
		for i, n := range m.duration[""].counts {
			if (n == 1) != (i == test.want) {
				t.Errorf("%s: %d in bucket %d, want it in %d", test.took, n, i, test.want)
			}
		}
	}
}

// Pages that are made at once, while requests are counted, are each whole.
func TestMetricsOfManyAtOnce(t *testing.T) {
	const clients, rounds = 8, 20
	s := newServer(t, func(o *Options) {
		o.Metrics = []Expose{func(_ context.Context, e *Exposition) { e.Gauge("own", "Words.", 1) }}
	})
	s.Mount(shape("/api")).GET("/x", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range rounds {
				ask(s, "GET", "/api/x", nil, nil)
				w := ask(s, "GET", "/metrics", nil, nil)
				if text := w.Body.String(); w.Code != http.StatusOK || strings.Count(text, "\nown 1\n") != 1 || !strings.HasSuffix(text, "\n") || strings.Count(text, "# TYPE ") != 4 {
					t.Errorf("%d %s", w.Code, text)
				}
			}
		})
	}
	all.Wait()
	w := ask(s, "GET", "/metrics", nil, nil)
	if got := w.Header().Get("Content-Type"); got != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	for _, route := range []string{"/api/x", "/metrics"} {
		if want := fmt.Sprintf("dialbridge_http_request_duration_seconds_count{route=%q} %d\n", route, clients*rounds); !strings.Contains(w.Body.String(), want) {
			t.Errorf("page lacks %s", want)
		}
	}
}
