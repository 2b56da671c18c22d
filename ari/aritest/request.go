package aritest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Request is what a client has asked for.
type Request struct {
	Method string
	Path   string // below /ari, as it was written, escapes and all
	Query  url.Values
	Body   string
	// RawQuery is Query as it was written.
	RawQuery string

	parts []string // of Path, without escapes
	gone  <-chan struct{}
}

// Field returns an argument, from the query or the body; what is no string there is returned as JSON.
func (r Request) Field(name string) string {
	if r.Query.Has(name) {
		return r.Query.Get(name)
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(r.Body), &fields) != nil {
		return ""
	}
	var text string
	if json.Unmarshal(fields[name], &text) == nil {
		return text
	}
	return string(fields[name])
}

// Part returns a part of the path without escapes: of /channels/ID/play, 0 is channels and 1 is ID.
func (r Request) Part(n int) string {
	if n < len(r.parts) {
		return r.parts[n]
	}
	return ""
}

// Gone is closed when the client waits no longer.
func (r Request) Gone() <-chan struct{} { return r.gone }

// An Answer is what the server says.
type Answer struct {
	Status int // 0 cuts the connection without an answer
	Body   string
}

// OK is an answer of status 200.
func OK(body string) Answer { return Answer{http.StatusOK, body} }

// Done is an answer of status 204, which has no body.
func Done() Answer { return Answer{Status: http.StatusNoContent} }

// Refuse is how Asterisk refuses, such as Refuse(404, "Channel not found").
func Refuse(status int, text string) Answer {
	body, err := json.Marshal(map[string]string{"message": text})
	if err != nil {
		body = nil
	}
	return Answer{status, string(body)}
}

// Lost is no answer: the connection is cut.
func Lost() Answer { return Answer{} }

// A Handler answers a request.
type Handler func(r Request) Answer

func always(a Answer) Handler { return func(Request) Answer { return a } }

// A route is a method and a path, in which * stands for any part.
type route struct {
	method string
	parts  []string
	answer Handler
}

func newRoute(name string, h Handler) route {
	method, path, _ := strings.Cut(name, " ")
	return route{method, split(strings.TrimPrefix(path, "/")), h}
}

// split returns the parts of a path without escapes.
func split(path string) (parts []string) {
	for part := range strings.SplitSeq(path, "/") {
		plain, err := url.PathUnescape(part)
		if err != nil {
			plain = part
		}
		parts = append(parts, plain)
	}
	return parts
}

func (r route) fits(request Request) bool {
	if r.method == "" {
		return true
	}
	return r.method == request.Method && slices.EqualFunc(r.parts, request.parts, func(pattern, part string) bool {
		return pattern == "*" || pattern == part
	})
}

// Handle sets the answer to a route, such as "POST /channels/*/answer", where * stands for any part. What was set last
// counts. A handler may be called by several goroutines.
func (s *Server) Handle(name string, h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handlers = append(s.handlers, newRoute(name, h))
}

// HandleAll sets the answer to all routes, whatever was set before.
func (s *Server) HandleAll(h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handlers = []route{{answer: h}}
}

// Answer makes the server answer a route always the same.
func (s *Server) Answer(name string, a Answer) { s.Handle(name, always(a)) }

// Silent makes the server never answer a route.
func (s *Server) Silent(name string) {
	s.Handle(name, func(r Request) Answer {
		select {
		case <-r.Gone():
		case <-s.gone:
		}
		return Lost()
	})
}

// answer is the HTTP handler of everything.
func (s *Server) answer(w http.ResponseWriter, h *http.Request) {
	path, ours := strings.CutPrefix(h.URL.EscapedPath(), "/ari/")
	if !ours {
		http.Error(w, "<html><head><title>404 Not Found</title></head></html>", http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(h.Body)
	if err != nil {
		return
	}
	r := Request{Method: h.Method, Path: "/" + path, Query: h.URL.Query(), RawQuery: h.URL.RawQuery, Body: string(body), parts: split(path), gone: h.Context().Done()}
	if s.isHushed() {
		<-r.gone
		return
	}
	user, password, _ := h.BasicAuth()
	if r.Path == "/events" && s.enter(user, password).Status == http.StatusOK {
		s.socket(w, r, h)
		return
	}
	reply(w, s.judge(r, user, password))
}

func (s *Server) isHushed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hushed
}

// enter says whether a user may come in.
func (s *Server) enter(user, password string) Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.shutting:
		return Answer{http.StatusServiceUnavailable, "<html><title>503 Service Unavailable</title></html>"}
	case user != s.o.Username || password != s.o.Password:
		return Refuse(http.StatusUnauthorized, "Authentication required")
	}
	return OK("")
}

// record keeps a request for Received and Wait.
func (s *Server) record(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, r)
	s.change()
}

// judge records a request and finds its answer.
func (s *Server) judge(r Request, user, password string) Answer {
	s.record(r)
	s.mu.Lock()
	handlers := slices.Clone(s.handlers)
	s.mu.Unlock()
	if a := s.enter(user, password); a.Status != http.StatusOK {
		return a
	}
	for _, route := range slices.Backward(handlers) {
		if route.fits(r) {
			return route.answer(r)
		}
	}
	return Refuse(http.StatusNotFound, "Resource not found")
}

// reply writes an answer.
func reply(w http.ResponseWriter, a Answer) {
	if a.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	if strings.HasPrefix(a.Body, "{") || strings.HasPrefix(a.Body, "[") {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(a.Status)
	_, _ = fmt.Fprint(w, a.Body)
}
