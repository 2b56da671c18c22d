// Package baddisk gives tests a disk that is slow, fails, or loses its power. It stands between another process and that one's C
// library, through which SQLite writes, so that it needs neither privileges nor a device.
package baddisk

import (
	_ "embed" // for the library
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

//go:embed disk.c.txt
var source []byte

// Disk is one for the files in Dir.
type Disk struct {
	Library  string        // from Build
	Dir      string        // absolute, without links
	Durable  string        // folder for the state that a power cut leaves, "" = none
	Strict   bool          // a power cut leaves nothing that was not flushed
	Slow     time.Duration // of each fsync
	Kill     int           // the process is killed at its n-th fsync: n after, -n before what was to be flushed is safe; 0 = not
	Fail     string        // while this file exists, fsync fails with EIO
	ReadOnly string        // while this file exists, writing fails with EROFS
}

// Build compiles the library, with the C compiler that SQLite needs as well.
func Build(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	code, library := filepath.Join(dir, "disk.c"), filepath.Join(dir, "disk.so")
	if err := os.WriteFile(code, source, 0o600); err != nil {
		t.Fatal(err)
	}
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	if out, err := exec.CommandContext(t.Context(), compiler, "-shared", "-fPIC", "-O1", "-o", library, code).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return library
}

// Environ is what a process needs in its environment to be on the disk.
func (d Disk) Environ() []string {
	list := []string{"LD_PRELOAD=" + d.Library, "DISK_DIR=" + d.Dir}
	for name, value := range map[string]string{"DISK_DURABLE": d.Durable, "DISK_FAIL": d.Fail, "DISK_READONLY": d.ReadOnly} {
		if value != "" {
			list = append(list, name+"="+value)
		}
	}
	if d.Kill != 0 {
		list = append(list, "DISK_KILL="+strconv.Itoa(d.Kill))
	}
	if d.Slow > 0 {
		list = append(list, "DISK_SLOW_MS="+strconv.FormatInt(d.Slow.Milliseconds(), 10))
	}
	return list
}

// Cut cuts the power of a process that was killed: it returns a disk in new folders with what is left. Of each file that is what was there at
// its last fsync or, unless the disk is strict, by chance what was written since as well: it may have done more than it was told.
func (d Disk) Cut(t testing.TB) Disk {
	t.Helper()
	left := d
	left.Dir, left.Durable, left.Kill = t.TempDir(), t.TempDir(), 0
	entries, err := os.ReadDir(d.Durable)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".part") {
			continue // the kill came while it was copied: its fsync had not returned
		}
		content, err := os.ReadFile(filepath.Join(d.Durable, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if !d.Strict && rand.IntN(2) == 0 {
			written, err := os.ReadFile(filepath.Join(d.Dir, e.Name()))
			if err == nil {
				content = written
			} else if !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
		for _, dir := range []string{left.Dir, left.Durable} {
			if err := os.WriteFile(filepath.Join(dir, e.Name()), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return left
}

// Rounds is how often a fault is made: few times in the usual tests, often under make faults.
func Rounds(few, many int) int {
	if os.Getenv("FAULTS_OFTEN") != "" {
		return many
	}
	return few
}
