package httpd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/labstack/echo/v4"
)

// soundTypes are the media types of the files that Asterisk writes, by suffix.
var soundTypes = map[string]string{
	".wav": "audio/wav", ".wav49": "audio/wav", ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".opus": "audio/ogg",
	".gsm": "audio/gsm", ".ulaw": "audio/basic", ".ul": "audio/basic", ".pcm": "audio/basic", ".alaw": "audio/x-alaw-basic",
	".al": "audio/x-alaw-basic", ".g722": "audio/G722", ".flac": "audio/flac", ".m4a": "audio/mp4",
}

var errNoFile = &Error{Status: http.StatusNotFound, Message: "File not found"}

// SendSound answers with one file of a directory, in whole or in ranges. A file that is still being written is sent as far as it goes.
// Nothing outside of the directory is reachable: os.Root refuses "..", absolute paths and symbolic links that lead out. Who has taken it is
// noted, once for all the pieces that a player asks for. The errors are answers: 404, 416, and 500 for a file that may not be read.
func SendSound(c echo.Context, directory, name string) error {
	f, info, err := openSound(directory, name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	kind, ok := soundTypes[strings.ToLower(path.Ext(name))]
	if !ok {
		kind = echo.MIMEOctetStream
	}
	h := c.Response().Header()
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size()))
	Taken(c, name, c.Request().Header.Get("Range") != "")
	return serveFile(c, info, f)
}

// HasSound reports whether SendSound would send a file now.
func HasSound(directory, name string) bool {
	f, _, err := openSound(directory, name)
	if err == nil {
		_ = f.Close()
	}
	return err == nil
}

func openSound(directory, name string) (*os.File, fs.FileInfo, error) {
	if !fs.ValidPath(name) || strings.Contains(name, "\\") || name == "." {
		return nil, nil, errNoFile
	}
	root, err := os.OpenRoot(directory)
	if err != nil {
		return nil, nil, unreadable(err)
	}
	defer func() { _ = root.Close() }()
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // not to wait for a writer of a pipe
	if err != nil {
		return nil, nil, unreadable(err)
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		_ = f.Close()
		return nil, nil, errNoFile
	}
	return f, info, nil
}

// serveFile is http.ServeContent but for its errors, which are plain text.
func serveFile(c echo.Context, info fs.FileInfo, f io.ReadSeeker) error {
	w := &refusal{ResponseWriter: c.Response()}
	http.ServeContent(w, c.Request(), "", info.ModTime(), f)
	if w.status == 0 {
		return nil
	}
	c.Response().Header().Del("Content-Type")
	return &Error{Status: w.status, Message: strings.TrimSpace(w.text.String())}
}

// refusal keeps an error that is written instead of a file; what is no error goes through.
type refusal struct {
	http.ResponseWriter
	status int // 0 = no error
	text   strings.Builder
}

// WriteHeader implements http.ResponseWriter. 412 has no body, and is no error of ours.
func (r *refusal) WriteHeader(status int) {
	if status >= http.StatusBadRequest && status != http.StatusPreconditionFailed {
		r.status = status
		return
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (r *refusal) Write(p []byte) (int, error) {
	if r.status != 0 {
		return r.text.Write(p)
	}
	return r.ResponseWriter.Write(p)
}

// unreadable tells a file that is not there, or not to be had from outside, from a folder that the daemon may not read.
func unreadable(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &Error{Status: http.StatusInternalServerError, Message: "the recording cannot be read", Err: err}
	}
	return errNoFile
}
