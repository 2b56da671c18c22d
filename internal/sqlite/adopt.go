package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// adopt gives what root has made for a database to whom their folder belongs: a start by hand, as after a damage, would else leave
// files that the daemon cannot open.
func adopt(path string) error {
	var dir syscall.Stat_t
	if os.Geteuid() != 0 || syscall.Stat(filepath.Dir(path), &dir) != nil || dir.Uid == 0 {
		return nil
	}
	var all error
	for _, suffix := range []string{"", "-wal", "-shm", ".lock", ".reserve"} {
		if err := adoptFile(path+suffix, int(dir.Uid), int(dir.Gid)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = errors.Join(all, fmt.Errorf("%s: %w", path+suffix, err))
		}
	}
	return all
}

// adoptFile gives one file away. That user may put into the folder what he likes, so it is done for a file of root's that has one name,
// and for the file that was looked at. It is not opened: closing it would take SQLite's locks from it (fcntl(2)).
func adoptFile(path string, uid, gid int) (err error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Uid != 0 || st.Nlink != 1 {
		return err
	}
	return unix.Fchownat(fd, "", uid, gid, unix.AT_EMPTY_PATH)
}
