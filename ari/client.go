package ari

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxAnswer bounds what is read of one answer, in bytes.
const maxAnswer = 4 << 20

// Options is where ARI is and who we are.
type Options struct {
	URL         string        // such as http://127.0.0.1:8088/ari
	Username    string        // a section of type=user in ari.conf
	Password    string        // its password
	Application string        // our name as a Stasis application
	Timeout     time.Duration // of one request, 0 = 10 s
	Transport   http.RoundTripper
}

// Client asks one Asterisk. It is safe for use by several goroutines.
type Client struct {
	options Options
	base    string
	http    *http.Client
}

// New makes a client and contacts nobody.
func New(o Options) *Client {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	return &Client{options: o, base: strings.TrimRight(o.URL, "/"), http: &http.Client{
		Transport: o.Transport,
		Timeout:   o.Timeout,
		// A redirect would carry the password to whoever wrote it.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Application is our name as a Stasis application.
func (c *Client) Application() string { return c.options.Application }

// Info is what Asterisk tells about itself.
type Info struct {
	Version  string    // such as "22.10.1~dfsg+~cs6.15.60671435-1"
	EntityID string    // the hardware address that Asterisk goes by
	Started  time.Time // zero when Asterisk does not say
	Reloaded time.Time // zero when Asterisk does not say
}

// Info asks GET /asterisk/info, which also proves that the user may log in.
func (c *Client) Info(ctx context.Context) (Info, error) {
	var answer struct {
		System struct {
			Version  string `json:"version"`
			EntityID string `json:"entity_id"`
		} `json:"system"`
		Status struct {
			Started  string `json:"startup_time"`
			Reloaded string `json:"last_reload_time"`
		} `json:"status"`
	}
	if err := c.get(ctx, "/asterisk/info", &answer); err != nil {
		return Info{}, err
	}
	if answer.System.Version == "" {
		return Info{}, &Error{Op: "GET /asterisk/info", Status: http.StatusOK, Err: ErrForeign}
	}
	return Info{
		Version:  answer.System.Version,
		EntityID: answer.System.EntityID,
		Started:  parseTime(answer.Status.Started),
		Reloaded: parseTime(answer.Status.Reloaded),
	}, nil
}

// parseTime reads Asterisk's form, such as 2026-11-21T19:59:00.123+0000.
func parseTime(text string) time.Time {
	t, err := time.Parse("2006-01-02T15:04:05.999-0700", text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// get asks for one resource and decodes its JSON into target.
func (c *Client) get(ctx context.Context, path string, target any) error {
	op := "GET " + path
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		// What is wrong with the URL would be shown with a piece of it.
		return &Error{Op: op, Cause: errors.New("the url cannot be parsed")}
	}
	request.SetBasicAuth(c.options.Username, c.options.Password)
	response, err := c.http.Do(request)
	if err != nil {
		return &Error{Op: op, Err: ErrUnreachable, Cause: bare(err)}
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return &Error{Op: op, Err: ErrUnreachable, Cause: bare(err)}
	}
	if response.StatusCode != http.StatusOK {
		return refusal(op, response.StatusCode, body)
	}
	if err := json.Unmarshal(body, target); err != nil {
		return &Error{Op: op, Status: response.StatusCode, Err: ErrForeign}
	}
	return nil
}

// bare takes the URL out of an error of net/http: it may hold a password.
func bare(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		if wrapped.Timeout() && !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("time-out: %w", context.DeadlineExceeded)
		}
		return wrapped.Err
	}
	return err
}

// refusal tells the statuses apart.
func refusal(op string, status int, body []byte) *Error {
	e := &Error{Op: op, Status: status, Message: message(body)}
	switch status {
	case http.StatusUnauthorized:
		e.Err = ErrUnauthorized
	case http.StatusForbidden:
		e.Err = ErrForbidden
	case http.StatusNotFound:
		if e.Message == "" { // ARI's own 404 is JSON; the web server's is a page
			e.Err = ErrDisabled
		}
	case http.StatusServiceUnavailable:
		e.Err = ErrShuttingDown
	}
	if status < http.StatusBadRequest {
		e.Err = ErrForeign
	}
	return e
}

// message is what Asterisk says in an error, in one of its two spellings, made
// fit for one line.
func message(body []byte) string {
	var said struct{ Message, Error string }
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	text := said.Message
	if text == "" {
		text = said.Error
	}
	if len(text) > 200 || strings.ContainsFunc(text, unicode.IsControl) {
		text = strconv.Quote(text[:min(len(text), 200)])
	}
	return text
}
