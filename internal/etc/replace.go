package etc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrLink says that a file is a symbolic link, which is not written through: who may change the link could choose what
// is overwritten.
var ErrLink = errors.New("is a symbolic link, which is not written through")

// Owner is whose a file is and who may read it.
type Owner struct {
	UID, GID int
	Mode     fs.FileMode // its permissions
}

// OwnerOf returns that of a file.
func OwnerOf(path string) (Owner, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Owner{}, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return Owner{}, fmt.Errorf("%s %w", path, ErrLink)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Owner{}, fmt.Errorf("%s: its owner is not known", path)
	}
	return Owner{UID: int(st.Uid), GID: int(st.Gid), Mode: info.Mode().Perm()}, nil
}

// Replace puts a file with the text in the place of what is there, or makes it. There is a whole file at each moment,
// and after a crash the old or the new one. No other user can read it while it is written.
func Replace(path string, text []byte, o Owner) (err error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("%s %w", path, ErrLink)
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".dialbridge-new-*") // nothing that Asterisk would include
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the error says more
		}
	}()
	_, err = f.Write(text)
	if err == nil && (os.Geteuid() == 0 || o.UID != os.Geteuid() || o.GID != os.Getegid()) {
		err = f.Chown(o.UID, o.GID)
	}
	if err == nil {
		err = f.Chmod(o.Mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a rename in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Backup keeps a file as it is beside itself and returns the name: .FILE.dialbridge-20261122-093000, with a number behind
// it when there is one of that second already. The dot keeps it out of an #include "manager.d/*", which would read the old user a second time.
func Backup(path string, now time.Time) (string, error) {
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".dialbridge-"+now.Format("20060102-150405"))
	for n := 0; ; n++ {
		to := name
		if n > 0 {
			to = fmt.Sprintf("%s-%d", name, n)
		}
		// A second name of the same file is an exact copy from the moment on in which the first one leads to a new file.
		err := os.Link(path, to)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			err = duplicate(path, to)
		}
		if !errors.Is(err, fs.ErrExist) {
			return to, err
		}
	}
}

// Restrict takes from a file the permissions that are not in mode.
func Restrict(path string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().Perm()&^mode != 0 {
		err = f.Chmod(info.Mode().Perm() & mode)
	}
	return errors.Join(err, f.Close())
}

// MakeDir makes a folder that belongs to whom a file in it would, and that those can enter who can read such a file. One that is there stays
// as it is. Who may write in the folder above could put a link in the place of the new one at any moment, which is not followed.
func MakeDir(dir string, o Owner) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		_, err = OwnerOf(dir) // which refuses a link
		return err
	}
	if err != nil {
		return err
	}
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Chown(o.UID, o.GID), f.Chmod(o.Mode|o.Mode>>2&0o111), f.Close())
}

// duplicate is for file systems without second names.
func duplicate(path, to string) error {
	o, err := OwnerOf(path)
	if err != nil {
		return err
	}
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if err == nil && os.Geteuid() == 0 {
		err = f.Chown(o.UID, o.GID)
	}
	return errors.Join(err, f.Chmod(o.Mode), f.Sync(), f.Close())
}
