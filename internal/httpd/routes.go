package httpd

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

const (
	pathHealth  = "/healthz"
	pathReady   = "/readyz"
	pathMetrics = "/metrics"
)

// readyLimit bounds how long /readyz waits for all its parts together.
const readyLimit = 5 * time.Second

func (s *Server) fixedRoutes() {
	s.echo.GET(pathHealth, func(c echo.Context) error {
		return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
	})
	s.echo.GET(pathReady, s.ready)
	s.echo.GET(pathMetrics, s.serveMetrics, s.admitMetrics)
}

func (s *Server) admitMetrics(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !within(s.settings.Load().MetricsAllow, Remote(c.Request())) {
			return &Error{Status: http.StatusForbidden, Message: "this address is not allowed to read metrics"}
		}
		return next(c)
	}
}

// partState is one part of the answer of /readyz.
type partState struct {
	OK     bool   `json:"ok"`
	State  string `json:"state"`
	Reason string `json:"reason"`
}

func (s *Server) ready(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), readyLimit)
	defer cancel()
	ready, parts := true, make(states, 0, len(s.options.Parts))
	for _, part := range s.options.Parts {
		ok, state, reason := part.Check(ctx)
		ready = ready && ok
		parts = append(parts, namedState{part.Name, partState{ok, state, reason}})
	}
	status, word := http.StatusOK, "ready"
	if !ready {
		status, word = http.StatusServiceUnavailable, "not ready"
	}
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return c.JSON(status, struct {
		Status string `json:"status"`
		Parts  states `json:"parts"`
	}{word, parts})
}

type namedState struct {
	name  string
	state partState
}

// states is a JSON object that keeps its order, which a map would not.
type states []namedState

// MarshalJSON implements [json.Marshaler].
func (s states) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, part := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(part.name)
		if err != nil {
			return nil, err
		}
		state, err := json.Marshal(part.state)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(state)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
