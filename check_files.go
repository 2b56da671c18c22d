package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/dialbridge/dialbridge/internal/conf"
	"github.com/dialbridge/dialbridge/internal/etc"
)

// account is the user of the daemon, when check runs as root and the daemon does not: what root can read says nothing.
type account struct {
	name     string // "" = who runs check
	uid, gid int
	groups   []uint32
}

// daemonAccount finds it: the user of the package, or the owner of the database's folder where another configuration is checked.
func daemonAccount(file string, cfg *conf.Config) account {
	if os.Geteuid() != 0 {
		return account{}
	}
	var u *user.User
	if file == defaultConfig {
		u, _ = user.Lookup(ownName)
	}
	var st syscall.Stat_t
	if u == nil && syscall.Stat(filepath.Dir(cfg.Store.Path), &st) == nil && st.Uid != 0 {
		u, _ = user.LookupId(strconv.FormatUint(uint64(st.Uid), 10))
	}
	if u == nil {
		return account{}
	}
	a := account{name: u.Username}
	var err error
	if a.uid, err = strconv.Atoi(u.Uid); err != nil {
		return account{}
	}
	if a.gid, err = strconv.Atoi(u.Gid); err != nil {
		return account{}
	}
	ids, _ := u.GroupIds() // without them less is allowed, which is told
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			a.groups = append(a.groups, uint32(n))
		}
	}
	return a
}

// try does something with files as the daemon would.
func (a account) try(do func() error) error {
	if a.name == "" {
		return do()
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread, which has the user's rights from here on, ends with this function
		if err := a.become(); err != nil {
			done <- fmt.Errorf("what %s may do cannot be tried: %w", a.name, err)
			return
		}
		done <- do()
	}()
	return <-done
}

// become gives the thread, and it alone, the access to files that the user has.
func (a account) become() error {
	list := append([]uint32{uint32(a.gid)}, a.groups...) //nolint:gosec // an id of the kernel fits
	if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(list)), uintptr(unsafe.Pointer(&list[0])), 0); e != 0 {
		return e
	}
	for _, call := range [][2]uintptr{{unix.SYS_SETFSGID, uintptr(a.gid)}, {unix.SYS_SETFSUID, uintptr(a.uid)}} {
		if _, _, e := unix.RawSyscall(call[0], call[1], 0, 0); e != 0 {
			return e
		}
	}
	return nil
}

// in reports whether the user is of a group.
func (a account) in(gid int) bool {
	return a.gid == gid || slices.ContainsFunc(a.groups, func(g uint32) bool { return int(g) == gid })
}

// whom names the account in a text.
func (a account) whom() string {
	if a.name == "" {
		return "this user"
	}
	return "the user " + a.name
}

// configuration looks at the file, which was read already.
func (c *checkup) configuration(context.Context) {
	c.good("configuration", "read without a fault")
	info, err := os.Stat(c.o.file)
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	mend := []string{"chown root:" + ownName + " " + c.o.file, "chmod 0640 " + c.o.file}
	mode := info.Mode().Perm()
	switch err := c.who.try(func() error { return readable(c.o.file) }); {
	case err != nil:
		c.bad("permissions", "the daemon cannot read its configuration: "+err.Error(), mend...)
	case mode&0o004 != 0:
		c.bad("permissions", fmt.Sprintf("everybody on this machine can read the secrets in %s (%04o)", c.o.file, mode), mend...)
	case mode&0o022 != 0:
		c.bad("permissions", fmt.Sprintf("others can write %s (%04o)", c.o.file, mode), mend...)
	default:
		c.good("permissions", fmt.Sprintf("%s (%04o) can be read by the daemon and not by everybody", c.o.file, mode))
	}
}

func readable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// groupMend is how the daemon's user gets to read what is Asterisk's.
var groupMend = []string{"usermod -a -G asterisk " + ownName, "systemctl restart " + ownName}

// lookedAt bounds how many files and folders are passed to find a recording.
const lookedAt = 1000

// openOne opens the first file below a folder: recordings may be in folders by date, which can be closed where the upper one is open.
func openOne(dir string) error {
	n := 0
	return filepath.WalkDir(dir+"/", func(path string, e fs.DirEntry, err error) error { // which goes through a link
		n++
		switch {
		case err != nil && e != nil && e.Name() == "lost+found":
			return fs.SkipDir
		case err != nil:
			return err
		case e.Type().IsRegular():
			return cmp.Or(readable(path), fs.SkipAll)
		case n == lookedAt:
			return fs.SkipAll
		}
		return nil
	})
}

// recordings looks into their folder, and opens the first one.
func (c *checkup) recordings(context.Context) {
	dir := c.cfg.Recordings.Directory
	err := c.who.try(func() error { return openOne(dir) })
	switch {
	case err == nil:
		c.good("recordings", dir+" can be read")
	case errors.Is(err, fs.ErrNotExist):
		c.bad("recordings", err.Error(), "[recordings] directory must name the folder in which Asterisk's recordings are; usually /var/spool/asterisk/monitor:",
			"install -d -o asterisk -g asterisk -m 0750 "+dir)
	default:
		c.bad("recordings", err.Error()+" ("+c.who.whom()+")", groupMend...)
	}
}

// idColumn is that of the call's id in Master.csv, which is there with loguniqueid=yes.
const idColumn = 16

// recordsFile looks at Asterisk's own call records, from which those of calls are made that ended while the daemon was away.
func (c *checkup) recordsFile(context.Context) {
	path := c.cfg.Calls.CDRCSV
	var last string
	err := c.who.try(func() (err error) {
		last, err = lastLine(path)
		return err
	})
	const without = "records of calls that end while the daemon is away are not made good"
	lines := []string{"in cdr.conf:      [csv]", "                  loguniqueid=yes", "                  usegmtime=no", "then:             asterisk -rx 'module reload cdr_csv.so'"}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.note("call records", path+" is not there: Asterisk makes it with the first record, or [calls] cdr_csv must name another file; "+without)
		return
	case err != nil:
		c.note("call records", fmt.Sprintf("%v (%s): %s", err, c.who.whom(), without), groupMend...)
		return
	}
	if row, err := csv.NewReader(strings.NewReader(last)).Read(); last != "" && (err != nil || len(row) <= idColumn || row[idColumn] == "") {
		c.note("call records", "the last one of "+path+" has no unique id: "+without, lines...)
		return
	}
	if t, err := etc.Read(c.o.etc, "cdr.conf"); err == nil && etc.True(t.Value("csv", "usegmtime")) && c.offset() != 0 {
		c.note("call records", path+" is written in UTC, and read as local time: records of calls that end while the daemon is away get wrong times", lines...)
		return
	}
	c.good("call records", path+" can be read")
}

// lastLine returns the last whole line of a file, "" of an empty one.
func lastLine(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	tail := make([]byte, min(info.Size(), 16<<10))
	if _, err := f.ReadAt(tail, info.Size()-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	tail = bytes.TrimRight(tail, "\n")
	return string(tail[bytes.LastIndexByte(tail, '\n')+1:]), nil
}
