package sqlite

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestRootLeavesFilesToTheDaemon: `dialbridge serve --recover` by root once left a database that the daemon could not open.
func TestRootLeavesFilesToTheDaemon(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("it needs root")
	}
	const daemon = 12345
	dir := t.TempDir()
	if err := os.Chown(dir, daemon, daemon); err != nil {
		t.Fatal(err)
	}
	db := open(t, Options{Path: filepath.Join(dir, "a.db")})
	defer start(t, db)()
	for _, suffix := range []string{"", "-wal", "-shm", ".lock", ".reserve"} {
		var st syscall.Stat_t
		if err := syscall.Stat(db.Path()+suffix, &st); err != nil || st.Uid != daemon || st.Gid != daemon {
			t.Errorf("%s belongs to %d:%d, %v", db.Path()+suffix, st.Uid, st.Gid, err)
		}
	}
	precious := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(precious, nil, fileMode); err != nil {
		t.Fatal(err)
	}
	for name, lead := range map[string]func(string, string) error{"b.db": os.Symlink, "c.db": os.Link} {
		if err := lead(precious, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if err := adopt(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	var st syscall.Stat_t
	if err := syscall.Stat(precious, &st); err != nil || st.Uid != 0 {
		t.Errorf("a file elsewhere was given to %d, %v", st.Uid, err)
	}
}

// On btrfs and in containers stat tells another device than the list of locks; check said that the daemon's own port was taken by
// another program.
func TestHolderOnOtherDevice(t *testing.T) {
	st := syscall.Stat_t{Dev: 42, Ino: 229}
	const list = "1: FLOCK  ADVISORY  WRITE 17 fe:00:229 0 EOF\n6: FLOCK  ADVISORY  WRITE 362 00:29:229 0 EOF\n7: POSIX  ADVISORY  READ 9 00:2a:229 128 128\n"
	for written, want := range map[string]int{"362": 362, "363": 0, "": 0} {
		if got := holder(list, st, written); got != want {
			t.Errorf("with %q written: %d, want %d", written, got, want)
		}
	}
	st.Dev = 41
	if got := holder(list, st, ""); got != 362 {
		t.Errorf("on the same device: %d", got)
	}
}
