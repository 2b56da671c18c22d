package httpd

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// patience moves the write deadline on with each piece of an answer, so that a
// long recording is not cut while the client takes it, and a stuck client is.
func (s *Server) patience(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		w := c.Response().Writer
		c.Response().Writer = &patientWriter{ResponseWriter: w, control: http.NewResponseController(w), limit: s.limits.Write}
		return next(c)
	}
}

type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
}

// Write implements [http.ResponseWriter].
func (w *patientWriter) Write(p []byte) (int, error) {
	// A writer without deadlines is one of a test; nothing is lost there.
	_ = w.control.SetWriteDeadline(time.Now().Add(w.limit))
	return w.ResponseWriter.Write(p)
}

// Unwrap serves [http.ResponseController].
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
