package aritest_test

import (
	"errors"
	"testing"

	"github.com/dialbridge/dialbridge/ari"
	"github.com/dialbridge/dialbridge/ari/aritest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// both runs a test against a server that listens, and one that is reached by pipes.
func both(t *testing.T, test func(t *testing.T, srv *aritest.Server)) {
	t.Helper()
	t.Run("listens", func(t *testing.T) { test(t, aritest.Start(t)) })
	t.Run("piped", func(t *testing.T) { test(t, aritest.New(t)) })
}

func TestRoutes(t *testing.T) {
	both(t, func(t *testing.T, srv *aritest.Server) {
		c := ari.New(srv.Options())
		t.Cleanup(c.Close)
		if info, err := c.Info(t.Context()); err != nil || info.Version != "22.10.1" {
			t.Errorf("info %+v, error %v", info, err)
		}
		if err := c.Answer(t.Context(), "a"); !errors.Is(err, ari.ErrNotFound) {
			t.Errorf("a route that nobody has set: %v", err)
		}
		srv.Handle("POST /channels/*/answer", func(r aritest.Request) aritest.Answer { return aritest.Refuse(409, r.Part(1)) })
		var e *ari.Error
		if err := c.Answer(t.Context(), "x/y"); !errors.As(err, &e) || e.Message != "x/y" {
			t.Errorf("error %v", err)
		}
		srv.Answer("POST /channels/mine/answer", aritest.Done())
		if err := c.Answer(t.Context(), "mine"); err != nil {
			t.Errorf("what was set last: %v", err)
		}
		if n := len(srv.Received("POST /channels/*/answer")); n != 3 {
			t.Errorf("%d requests", n)
		}
		if r := srv.Wait("POST /channels/x%2Fy/answer"); r.Part(1) != "x/y" {
			t.Errorf("waited for %+v", r)
		}
		srv.Handle("POST /channels/*/variable", func(r aritest.Request) aritest.Answer {
			return aritest.Refuse(409, r.Field("variable")+"="+r.Field("value"))
		})
		if err := c.SetVariable(t.Context(), "a", "X", "1"); !errors.As(err, &e) || e.Message != "X=1" {
			t.Errorf("error %v", err)
		}
		if r := srv.Wait("POST /channels/a/variable"); r.Field("nothing") != "" {
			t.Errorf("a field that is not there: %q", r.Field("nothing"))
		}
	})
}

func TestDoors(t *testing.T) {
	both(t, func(t *testing.T, srv *aritest.Server) {
		c := ari.New(srv.Options())
		t.Cleanup(c.Close)
		srv.ShutDown()
		if _, err := c.Info(t.Context()); !errors.Is(err, ari.ErrShuttingDown) {
			t.Errorf("error %v", err)
		}
		srv.Drop()
		srv.Refuse()
		if _, err := c.Info(t.Context()); !errors.Is(err, ari.ErrUnreachable) {
			t.Errorf("error %v", err)
		}
		srv.Restart()
		srv.SetPassword("another")
		if _, err := c.Info(t.Context()); !errors.Is(err, ari.ErrUnauthorized) {
			t.Errorf("error %v", err)
		}
		o := srv.Options()
		o.URL += "/deeper"
		deeper := ari.New(o)
		t.Cleanup(deeper.Close)
		if _, err := deeper.Info(t.Context()); !errors.Is(err, ari.ErrNotFound) {
			t.Errorf("error %v", err)
		}
		o.URL = o.URL[:len(o.URL)-len("/ari/deeper")] + "/elsewhere"
		elsewhere := ari.New(o)
		t.Cleanup(elsewhere.Close)
		if _, err := elsewhere.Info(t.Context()); !errors.Is(err, ari.ErrDisabled) {
			t.Errorf("error %v", err)
		}
	})
}
