package coocenter

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
)

const (
	keptAnswers = 4096           // requests with an Idempotency-Key whose answers are remembered
	keptFor     = 24 * time.Hour // and for how long
	longestKey  = 255
)

// answers remembers what was answered to requests with an Idempotency-Key, so that a repeated one does not dial twice.
type answers struct {
	mu    sync.Mutex
	byKey map[string]*answer
	order []*answer // oldest first
}

// answer is a request and, once done is closed, what was answered.
type answer struct {
	key    string
	asked  [sha256.Size]byte // of the parameters
	at     time.Time
	done   chan struct{}
	status int // 0 when the request failed in a way that may be repeated
	body   []byte
	failed error // an outcome that is unknown
}

func newAnswers() *answers { return &answers{byKey: map[string]*answer{}} }

// begin returns the request that has the key; mine tells that it is this one.
func (l *answers) begin(key string, asked [sha256.Size]byte, now time.Time) (a *answer, mine bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.order) > 0 && (len(l.order) >= keptAnswers || now.Sub(l.order[0].at) > keptFor) {
		if l.byKey[l.order[0].key] == l.order[0] {
			delete(l.byKey, l.order[0].key)
		}
		l.order = l.order[1:]
	}
	if a, ok := l.byKey[key]; ok {
		return a, false
	}
	a = &answer{key: key, asked: asked, at: now, done: make(chan struct{})}
	l.byKey[key] = a
	l.order = append(l.order, a)
	return a, true
}

// end keeps the answer, or forgets a request that did nothing and may be tried again.
func (l *answers) end(a *answer, keep bool) {
	l.mu.Lock()
	if !keep && l.byKey[a.key] == a {
		delete(l.byKey, a.key)
	}
	l.mu.Unlock()
	close(a.done)
}

// recorder keeps what a handler writes.
type recorder struct {
	http.ResponseWriter
	body bytes.Buffer
}

// Write implements io.Writer.
func (r *recorder) Write(p []byte) (int, error) {
	r.body.Write(p)
	return r.ResponseWriter.Write(p)
}

// once lets a handler run one time for each Idempotency-Key: a repetition gets the first answer, one that comes while the
// first is under way waits for it, and one with other parameters is refused. Only success is remembered; what failed was
// not done, but for an unknown outcome, which is remembered too because it must not be repeated.
func (a *API) once(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		key, err := onceKey(c.Request().Header.Values("Idempotency-Key"))
		if err != nil {
			return err
		}
		if key == "" {
			return next(c)
		}
		p, err := httpd.ReadParams(c)
		if err != nil {
			return err
		}
		asked := sha256.Sum256([]byte(c.Path() + "?" + p.Encode()))
		first, mine := a.answers.begin(key, asked, time.Now())
		if !mine {
			return repeat(c, first, asked)
		}
		defer outlast(c)()
		return a.record(c, first, next)
	}
}

// onceKey checks the key of a request; "" is none.
func onceKey(given []string) (string, error) {
	if len(given) == 0 {
		return "", nil
	}
	fault := ""
	switch key := given[0]; {
	case len(given) > 1:
		fault = "given twice"
	case len(key) > longestKey:
		fault = "too long"
	case strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }):
		fault = "not printable ASCII"
	default:
		return key, nil
	}
	return "", &httpd.Error{Status: http.StatusBadRequest, Message: "Idempotency-Key: " + fault}
}

// outlast lets a request go on when its client goes away, who will ask again what became of it. Its deadline stays.
func outlast(c echo.Context) context.CancelFunc {
	was := c.Request().Context()
	ctx, cancel := context.WithoutCancel(was), context.CancelFunc(func() {})
	if end, ok := was.Deadline(); ok {
		ctx, cancel = context.WithDeadline(ctx, end)
	}
	c.SetRequest(c.Request().WithContext(ctx))
	return cancel
}

func (a *API) record(c echo.Context, first *answer, next echo.HandlerFunc) (err error) {
	r := &recorder{ResponseWriter: c.Response().Writer}
	c.Response().Writer = r
	keep := false
	defer func() { a.answers.end(first, keep) }() // also when next panics
	err = next(c)
	c.Response().Writer = r.ResponseWriter
	var e *httpd.Error
	switch {
	case c.Response().Committed: // written, if not received
		first.status, first.body, keep = c.Response().Status, r.body.Bytes(), true
	case errors.As(err, &e) && e.Status == http.StatusGatewayTimeout:
		first.failed, keep = err, true
	}
	return err
}

func repeat(c echo.Context, first *answer, asked [sha256.Size]byte) error {
	if first.asked != asked {
		return &httpd.Error{Status: http.StatusUnprocessableEntity, Message: "Idempotency-Key: was used with other parameters"}
	}
	select {
	case <-first.done:
	case <-c.Request().Context().Done():
		return &httpd.Error{Status: http.StatusGatewayTimeout, Message: "the first request with this Idempotency-Key is still under way"}
	}
	if first.failed != nil {
		c.Response().Header().Set("Idempotency-Replayed", "true")
		return first.failed
	}
	if first.status == 0 {
		return &httpd.Error{Status: http.StatusConflict, Message: "the first request with this Idempotency-Key failed, try again"}
	}
	c.Response().Header().Set("Idempotency-Replayed", "true")
	return c.Blob(first.status, echo.MIMEApplicationJSON, first.body)
}
