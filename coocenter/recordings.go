package coocenter

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
)

// soundTypes are the media types of the files that Asterisk writes, by suffix.
var soundTypes = map[string]string{
	".wav": "audio/wav", ".wav49": "audio/wav", ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".opus": "audio/ogg",
	".gsm": "audio/gsm", ".ulaw": "audio/basic", ".ul": "audio/basic", ".pcm": "audio/basic", ".alaw": "audio/x-alaw-basic",
	".al": "audio/x-alaw-basic", ".g722": "audio/G722", ".flac": "audio/flac", ".m4a": "audio/mp4",
}

var errFileNotFound = &httpd.Error{Status: http.StatusNotFound, Message: "File not found"}

// recording serves one file of the recordings directory, in whole or in ranges. A file that is still being written is
// served as far as it goes. Nothing outside of the directory is reachable: os.Root refuses "..", absolute paths and
// symbolic links that lead out.
func (a *API) recording(c echo.Context) error {
	name, err := httpd.PathParam(c, "*")
	if err != nil {
		return errFileNotFound
	}
	if !fs.ValidPath(name) || strings.Contains(name, "\\") || name == "." {
		return errFileNotFound
	}
	root, err := os.OpenRoot(a.rules.Load().RecordingsDirectory)
	if err != nil {
		return unreadable(err)
	}
	defer func() { _ = root.Close() }()
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // not to wait for a writer of a pipe
	if err != nil {
		return unreadable(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return errFileNotFound
	}
	kind, ok := soundTypes[strings.ToLower(path.Ext(name))]
	if !ok {
		kind = echo.MIMEOctetStream
	}
	h := c.Response().Header()
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size()))
	http.ServeContent(c.Response(), c.Request(), "", info.ModTime(), f)
	return nil
}

// unreadable tells a file that is not there, or not to be had from outside, from a folder that the daemon may not read.
func unreadable(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &httpd.Error{Status: http.StatusInternalServerError, Message: "the recording cannot be read", Err: err}
	}
	return errFileNotFound
}
