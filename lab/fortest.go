package lab

import (
	"log/slog"
	"testing"
)

// ForTest starts an Asterisk for a test and ends it with the test, which fails, with the reason, if there is none to be
// had. The end of Asterisk's log is shown when the test fails.
func ForTest(t testing.TB, version string, o Options) *Lab {
	t.Helper()
	o.Version = version
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	l, err := Start(t.Context(), o)
	if err != nil {
		t.Fatalf("no Asterisk %s for this test: %v", version, err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the log of Asterisk %s:\n%s", version, l.logTail(100))
		}
		if err := l.Close(); err != nil {
			t.Errorf("close the lab: %v", err)
		}
	})
	return l
}
