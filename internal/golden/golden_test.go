package golden

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// witness stands in for a test that Compare may fail.
type witness struct {
	testing.TB
	said string
}

func (w *witness) Helper() {}

func (w *witness) Errorf(format string, args ...any) { w.said = fmt.Sprintf(format, args...) }

func (w *witness) Fatalf(format string, args ...any) {
	w.Errorf(format, args...)
	runtime.Goexit()
}

// compare runs Compare and returns what it complained of.
func compare(path, got string) string {
	w := &witness{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Compare(w, path, []byte(got))
	}()
	<-done
	return w.said
}

// setUpdate turns -update on for one test.
func setUpdate(t *testing.T, on bool) {
	old := *update
	*update = on
	t.Cleanup(func() { *update = old })
}

func TestCompare(t *testing.T) {
	setUpdate(t, false)
	path := filepath.Join(t.TempDir(), "payload.json")
	if said := compare(path, "one\n"); !strings.Contains(said, "-update") {
		t.Errorf("a file that is not there: %q", said)
	}
	if err := os.WriteFile(path, []byte("one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := compare(path, "one\n"); said != "" {
		t.Errorf("equal content: %q", said)
	}
	if said := compare(path, "two\n"); !strings.Contains(said, "payload.json differs") || !strings.Contains(said, "two") {
		t.Errorf("other content: %q", said)
	}
	if said := compare(path, "one"); said == "" {
		t.Error("a missing line end is not found")
	}
}

func TestUpdate(t *testing.T) {
	setUpdate(t, true)
	path := filepath.Join(t.TempDir(), "new", "payload.json")
	for _, content := range []string{"one\n", "two\n", "two\n"} {
		if said := compare(path, content); said != "" {
			t.Fatalf("update: %q", said)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Fatalf("file %q, error %v, want %q", got, err, content)
		}
	}
}
