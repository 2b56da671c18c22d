package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// utcZone is the smallest time zone file (RFC 8536): one kind of time, UTC, and no transitions.
const utcZone = "TZif" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x04" +
	"\x00\x00\x00\x00\x00\x00" + "UTC\x00"

// readZone reads the file of a time zone; "" is the zone of this process. It returns nil for UTC.
func readZone(name string) ([]byte, error) {
	file := "/etc/localtime"
	if name == "" {
		name = os.Getenv("TZ")
	}
	if name != "" {
		file = filepath.Join("/usr/share/zoneinfo", filepath.Clean("/"+strings.TrimPrefix(name, ":")))
	}
	zone, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && (name == "" || name == "UTC") {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lab time zone %q: %w", name, err)
	}
	if bytes.HasSuffix(zone, []byte("\nUTC0\n")) {
		return nil, nil
	}
	return zone, nil
}
