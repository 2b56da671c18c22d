package console

import (
	"context"
	"encoding/csv"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// mostExports is how many exports may run at once, each of another user: each reads the file as fast as its client takes the rows.
const mostExports = 2

// exports are those that run. Its methods are safe for concurrent use.
type exports struct {
	mu    sync.Mutex
	under map[string]bool // way, by whom
}

// begin takes a place for a user, or says why there is none.
func (x *exports) begin(owner string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.under[owner]:
		return &httpd.Error{Status: http.StatusTooManyRequests, Message: "another export of yours is under way, try again", RetryAfter: 10 * time.Second}
	case len(x.under) >= mostExports:
		return &httpd.Error{Status: http.StatusServiceUnavailable, Message: "other exports are under way, try again", RetryAfter: 10 * time.Second}
	}
	x.under[owner] = true
	return nil
}

func (x *exports) end(owner string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.under, owner)
}

// byteOrderMark tells Excel that the file is UTF-8.
const byteOrderMark = "\uFEFF"

// csvHead are the columns of an export, in their order.
var csvHead = []string{
	"id", "start", "end", "direction", "caller", "caller_name", "called", "called_name", "did", "queue", "agent", "answered", "miss", "ended_by",
	"duration", "waiting", "ring", "talk", "hold", "score", "recording",
}

// callsCSV streams all ended calls that a filter chooses, those that began last first. What it cannot bring to its end breaks off, so that no client
// takes a part for the whole, and the audit log says why.
func (a *API) callsCSV(c echo.Context) error {
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	f, err := a.callFilter(p)
	if err != nil {
		return err
	}
	owner := callerOf(c).owner()
	if err := a.exports.begin(owner); err != nil {
		return err
	}
	defer a.exports.end(owner)
	sheet := sheet{c: c, zone: a.zone}
	ctx := c.Request().Context()
	if c.Request().Method != http.MethodHead {
		httpd.Taken(c, "", false)
		err = a.sw.Latest(ctx, f, pbx.CallPlace{}, sheet.add)
	}
	if err == nil {
		err = sheet.end()
	}
	if err != nil && (sheet.w != nil || ctx.Err() != nil) {
		a.breakOff(c, sheet.unread(), err)
	}
	return coreFailure(err)
}

// breakOff ends an export that cannot be brought to its end; unread: its client takes nothing any more.
func (a *API) breakOff(c echo.Context, unread bool, err error) {
	ctx := c.Request().Context()
	why := httpd.WhyBroken(ctx)
	switch {
	case why == httpd.BrokenByError && unread:
		why = httpd.BrokenByClient
	case why == httpd.BrokenByError:
		a.log.ErrorContext(ctx, "an export of calls broke off", "request_id", httpd.RequestID(ctx), "error", err)
	case errors.Is(context.Cause(ctx), errSessionEnded):
		why = httpd.BrokenBySession
	}
	httpd.BreakOff(c, why)
}

// sheet is an export under way. Nothing is sent before the first row is there, so that an error can still be told.
type sheet struct {
	c    echo.Context
	zone *time.Location
	w    *csv.Writer
}

func (s *sheet) begin() error {
	h := s.c.Response().Header()
	h.Set(echo.HeaderContentType, "text/csv; charset=utf-8; header=present")
	h.Set(echo.HeaderContentDisposition, `attachment; filename="calls-`+time.Now().In(s.zone).Format("20060102-150405")+`.csv"`)
	s.c.Response().WriteHeader(http.StatusOK)
	s.w = csv.NewWriter(s.c.Response())
	s.w.UseCRLF = true // RFC 4180
	return s.w.Write(append([]string{byteOrderMark + csvHead[0]}, csvHead[1:]...))
}

func (s *sheet) add(e *pbx.EndedCall) error {
	if s.w == nil {
		if err := s.begin(); err != nil {
			return err
		}
	}
	a := &e.Account
	return s.w.Write([]string{
		string(a.ID), s.date(a.Start), s.date(a.End), a.Direction.String(), harmless(a.Caller), harmless(a.CallerName), harmless(a.Called), harmless(a.CalledName),
		harmless(a.DID), harmless(string(a.Queue)), harmless(string(a.Agent)), yesNo(a.Answered), string(a.Miss), string(a.Side),
		whole(a.Duration), whole(a.Waiting), whole(a.Ring), whole(a.Talk), whole(a.Hold), harmless(a.Score), yesNo(a.Recording != ""),
	})
}

func (s *sheet) end() error {
	if s.w == nil {
		if err := s.begin(); err != nil {
			return err
		}
	}
	s.w.Flush()
	return s.w.Error()
}

// unread reports whether a part of it could not be sent.
func (s *sheet) unread() bool { return s.w != nil && s.w.Error() != nil }

// date is what spreadsheets take for a time, in the PBX's zone.
func (s *sheet) date(at time.Time) string { return at.In(s.zone).Format(time.DateTime) }

// formulas are what begins a formula, also in the wide forms that spreadsheets take where Chinese or Japanese is written, and what may stand before
// it unseen.
const formulas = "=+-@\t\r\n＝＋－＠"

// harmless puts an apostrophe before what a spreadsheet would run: names and numbers come from whoever calls. Where semicolons part
// the cells, as in much of Europe, one can begin in the middle of a text.
func harmless(text string) string {
	var b strings.Builder
	if begins(text) {
		b.WriteByte('\'')
	}
	for {
		before, after, more := strings.Cut(text, ";")
		b.WriteString(before)
		if !more {
			return b.String()
		}
		b.WriteByte(';')
		if begins(strings.TrimLeft(after, "\" \u00a0\u3000")) {
			b.WriteByte('\'')
		}
		text = after
	}
}

// begins reports whether a cell that begins with a text is a formula.
func begins(text string) bool {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(text, " \u00a0\u3000"))
	return first != utf8.RuneError && strings.ContainsRune(formulas, first)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// whole is a length in whole seconds.
func whole(d time.Duration) string { return strconv.Itoa(int(d.Round(time.Second) / time.Second)) }
