package lab

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// These tests build root directories with a mmdebstrap of their own, because the real one takes half a minute. The real
// one is run by all other tests when its root directory is not there.

// fakeCommand puts a shell script in place of a command, and returns the folder that the script can write into as $DIR.
func fakeCommand(t *testing.T, name, script string) string {
	t.Helper()
	dir := t.TempDir()
	text := "#!/bin/sh\nDIR=" + dir + "\n" + script
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	return dir
}

const goodBuild = `
echo "$@" >> $DIR/calls
for last; do :; done
mkdir -p $last/etc $last/usr/share/perl $last/var/cache/apt
ln -s /nowhere $last/etc/resolv.conf
`

func TestRootIsBuiltOnce(t *testing.T) {
	dir := fakeCommand(t, "mmdebstrap", goodBuild+"sleep 0.3\n")
	cache := t.TempDir()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			root, inUse, err := debianRoot(t.Context(), cache, "22", logger)
			if err != nil {
				t.Error(err)
				return
			}
			defer inUse.release()
			if text, err := os.ReadFile(filepath.Join(root, "etc/resolv.conf")); err != nil || string(text) != "nameserver 127.0.0.1\n" {
				t.Errorf("resolv.conf: %q, %v", text, err)
			}
			if _, err := os.Stat(filepath.Join(root, "usr/share/perl")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("not trimmed: %v", err)
			}
		})
	}
	all.Wait()
	calls, err := os.ReadFile(filepath.Join(dir, "calls"))
	if err != nil || bytes.Count(calls, []byte("\n")) != 1 || !bytes.Contains(calls, []byte(" forky ")) {
		t.Errorf("mmdebstrap was called with %q, %v", calls, err)
	}
	if !strings.Contains(log.String(), "waits for another process") {
		t.Errorf("those who wait do not say so: %s", &log)
	}
}

func TestRootBuildFails(t *testing.T) {
	fakeCommand(t, "mmdebstrap", goodBuild+"echo 'E: no such mirror' >&2\nexit 1\n")
	cache := t.TempDir()
	_, _, err := debianRoot(t.Context(), cache, "16", slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "no such mirror") || !strings.Contains(err.Error(), "bullseye") {
		t.Errorf("want an error in mmdebstrap's words, got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "16*building-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// What an interrupted build left goes, and what an older recipe made, unless it is in use.
func TestRootRemovesStale(t *testing.T) {
	fakeCommand(t, "mmdebstrap", goodBuild)
	cache := t.TempDir()
	for _, name := range []string{"22.building-1", "22-old", "22-used", "16-other"} {
		if err := os.MkdirAll(filepath.Join(cache, name, "etc"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	used, err := tryLock(filepath.Join(cache, "22-used.lock"), lockShared)
	if err != nil || used == nil {
		t.Fatal(used, err)
	}
	defer used.release()
	_, inUse, err := debianRoot(t.Context(), cache, "22", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer inUse.release()
	for name, want := range map[string]bool{"22.building-1": false, "22-old": false, "22-used": true, "16-other": true, rootName("22"): true} {
		if _, err := os.Stat(filepath.Join(cache, name)); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %v", name, err, want)
		}
	}
}

func TestMmdebstrapIsInstalled(t *testing.T) {
	// The first install fails, as with package lists that were never fetched or are too old.
	dir := fakeCommand(t, "apt-get", `
echo "$1" >> $DIR/calls
[ "$1" = update ] && touch $DIR/updated
[ "$1" = install ] && { [ -e $DIR/updated ] || exit 100; cp $DIR/apt-get $DIR/mmdebstrap; }
exit 0
`)
	t.Setenv("PATH", dir)
	for _, command := range []string{"sh", "touch", "cp"} {
		if err := os.Symlink("/bin/"+command, filepath.Join(dir, command)); err != nil {
			t.Fatal(err)
		}
	}
	if err := cannotBuild(); err != nil {
		t.Fatal(err)
	}
	if err := needMmdebstrap(t.Context(), t.TempDir(), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	calls, err := os.ReadFile(filepath.Join(dir, "calls"))
	if want := "install\nupdate\ninstall\n"; err != nil || string(calls) != want {
		t.Errorf("apt-get was called with %q, %v", calls, err)
	}
}

func TestNothingToBuildWith(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("DIALBRIDGE_LAB_CACHE", t.TempDir())
	for _, version := range []string{"16", "22"} {
		l, err := Start(t.Context(), Options{Version: version})
		if err == nil {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			t.Logf("this host has an Asterisk %s of its own", version)
			continue
		}
		if !strings.Contains(err.Error(), "mmdebstrap is not installed") {
			t.Errorf("want an error that says what is missing, got %v", err)
		}
	}
}

// An Asterisk of the host is used where no root directory can be made, if its version is the asked one.
func TestHostAsterisk(t *testing.T) {
	dir := fakeCommand(t, "asterisk", "echo 'Asterisk 20.6.0~dfsg+~cs6.13.40431414-2build5'\n")
	t.Setenv("PATH", dir)
	if err := os.Symlink("/bin/sh", filepath.Join(dir, "sh")); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	for _, version := range []string{"20", ""} {
		found, err := install(t.Context(), t.TempDir(), version, log)
		if err != nil {
			t.Fatal(err)
		}
		if found.version != "20" || found.chroot != "" || found.tech() != "PJSIP" {
			t.Errorf("asked for %q: %+v", version, found)
		}
	}
	if _, err := install(t.Context(), t.TempDir(), "22", log); err == nil || !strings.Contains(err.Error(), "is Asterisk 20") {
		t.Errorf("asked for 22 where there is 20: %v", err)
	}
}
