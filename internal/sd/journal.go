package sd

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Journal tells whether a file, usually os.Stderr, is read by the journal: then
// JOURNAL_STREAM names its device and inode (systemd.exec(5)). Lines for it may
// start with a priority such as "<6>".
func Journal(file *os.File, getenv func(string) string) bool {
	stream := getenv("JOURNAL_STREAM")
	if stream == "" {
		return false
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		return false
	}
	return stream == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}
