package httpd

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"net/http"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
)

// Asset is a file that is a part of the program and is served compressed to those who take it. Its methods are safe for concurrent use.
type Asset struct {
	files    fs.FS
	name     string
	mimeType string

	once   sync.Once
	tag    string
	packed []byte
	err    error
}

// NewAsset makes an asset of an embedded file. It is compressed when it is first asked for: most daemons never show a page.
func NewAsset(files fs.FS, name, mimeType string) *Asset {
	return &Asset{files: files, name: name, mimeType: mimeType}
}

// Serve answers with the file. As with [ServeFile] the client may keep it, and asks each time whether it is still the same.
func (a *Asset) Serve(c echo.Context) error {
	a.once.Do(a.pack)
	if a.err != nil {
		return a.err
	}
	if known(c, a.tag) {
		return c.NoContent(http.StatusNotModified)
	}
	h := c.Response().Header()
	h.Set(echo.HeaderVary, echo.HeaderAcceptEncoding)
	if strings.Contains(c.Request().Header.Get(echo.HeaderAcceptEncoding), "gzip") {
		h.Set(echo.HeaderContentEncoding, "gzip")
		return c.Blob(http.StatusOK, a.mimeType, a.packed)
	}
	data, err := fs.ReadFile(a.files, a.name)
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, a.mimeType, data)
}

func (a *Asset) pack() {
	var data []byte
	if data, a.err = fs.ReadFile(a.files, a.name); a.err != nil {
		return
	}
	a.tag = tagOf(data)
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, a.err = w.Write(data); a.err == nil {
		a.err = w.Close()
	}
	a.packed = bytes.Clone(b.Bytes())
}
