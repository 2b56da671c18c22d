// Package golden compares what a test has made with a file that a person has
// read. Run the tests of one package with -update to write the files anew, and
// read the difference before it is committed. For tests only.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files anew instead of comparing with them")

// Updating tells whether the test runs with -update.
func Updating() bool { return *update }

// Compare fails the test when got is not byte for byte the content of the file.
// With -update it writes the file instead, and its folder.
func Compare(t testing.TB, path string, got []byte) {
	t.Helper()
	if *update {
		write(t, path, got)
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("golden file: %v (run the test with -update to write it)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-file +test; -update writes it anew):\n%s", path, diff)
	}
}

// write leaves a file alone that is right already, so that its time stays.
func write(t testing.TB, path string, got []byte) {
	t.Helper()
	if old, err := os.ReadFile(path); err == nil && string(old) == string(got) {
		return
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatalf("golden file: %v", err)
	}
	if err := os.WriteFile(path, got, 0o644); err != nil {
		t.Fatalf("golden file: %v", err)
	}
}
