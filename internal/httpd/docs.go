package httpd

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base32"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/labstack/echo/v4"
	swagger "github.com/swaggest/swgui/v5/static"
)

const (
	pathDocument = "/openapi.json"
	pathDocs     = "/docs"
)

//go:embed docs
var ownDocs embed.FS

// docsPolicy lets the page load its own files and talk to its own daemon, and nothing else. Swagger UI has its icons
// in data: URLs.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pageFile is one file of the page, and where it is embedded; those with .gz are compressed there.
type pageFile struct {
	files    fs.FS
	name     string
	mimeType string
}

// pageFiles are all that the page loads, by the last element of their path.
func pageFiles() map[string]pageFile {
	return map[string]pageFile{
		"docs.js":              {ownDocs, "docs/docs.js", "text/javascript; charset=utf-8"},
		"swagger-ui-bundle.js": {swagger.FS, "swagger-ui-bundle.js.gz", "text/javascript; charset=utf-8"},
		"swagger-ui.css":       {swagger.FS, "swagger-ui.css.gz", "text/css; charset=utf-8"},
		"favicon-32x32.png":    {swagger.FS, "favicon-32x32.png", "image/png"},
	}
}

// Describe adds a dialect's part to the OpenAPI document that /openapi.json serves: a JSON object with tags, paths,
// webhooks and components, in OpenAPI 3.1. It may refer to components of the server's own part, which are in
// docs/openapi.json. It must be called before Run.
func (s *Server) Describe(part []byte) { s.document.parts = append(s.document.parts, part) }

func (s *Server) docsRoutes() error {
	own, err := ownDocs.ReadFile("docs/openapi.json")
	if err != nil {
		return err
	}
	s.Describe(own)
	s.echo.GET(pathDocument, s.serveDocument)
	s.echo.GET(pathDocs, func(c echo.Context) error {
		return servePage(c, pageFile{ownDocs, "docs/docs.html", echo.MIMETextHTMLCharsetUTF8})
	})
	// The page's relative addresses hold below any prefix that a proxy adds, but not with a slash at the end.
	s.echo.GET(pathDocs+"/", func(c echo.Context) error { return c.Redirect(http.StatusMovedPermanently, "../docs") })
	for name, file := range pageFiles() {
		s.echo.GET(path.Join(pathDocs, name), func(c echo.Context) error { return servePage(c, file) })
	}
	return nil
}

func (s *Server) serveDocument(c echo.Context) error {
	text, err := s.document.merged()
	if err != nil {
		return fmt.Errorf("openapi document: %w", err)
	}
	return ServeFile(c, echo.MIMEApplicationJSON, text)
}

// ServeFile answers with a file that is a part of the program. The client may keep it, and asks each time whether it is still the same, so
// that no page runs with code of an older daemon.
func ServeFile(c echo.Context, mimeType string, data []byte) error {
	if unchanged(c, data) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, mimeType, data)
}

func servePage(c echo.Context, file pageFile) error {
	data, err := fs.ReadFile(file.files, file.name)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Content-Security-Policy", docsPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	if !strings.HasSuffix(file.name, ".gz") {
		return ServeFile(c, file.mimeType, data)
	}
	if unchanged(c, data) {
		return c.NoContent(http.StatusNotModified)
	}
	h.Set(echo.HeaderVary, echo.HeaderAcceptEncoding)
	if strings.Contains(c.Request().Header.Get(echo.HeaderAcceptEncoding), "gzip") {
		h.Set(echo.HeaderContentEncoding, "gzip")
		return c.Blob(http.StatusOK, file.mimeType, data)
	}
	plain, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return c.Stream(http.StatusOK, file.mimeType, plain)
}

// unchanged names the version of what is served, and tells whether the client has it already.
func unchanged(c echo.Context, data []byte) bool { return known(c, tagOf(data)) }

// tagOf names a version of a file.
func tagOf(data []byte) string {
	sum := sha256.Sum256(data)
	return `"` + base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:10]) + `"`
}

// known tells the client the version of what is served, and whether it has that already.
func known(c echo.Context, tag string) bool {
	c.Response().Header().Set("ETag", tag)
	c.Response().Header().Set(echo.HeaderCacheControl, "no-cache")
	for _, had := range strings.Split(strings.Join(c.Request().Header["If-None-Match"], ","), ",") {
		if strings.TrimPrefix(strings.TrimSpace(had), "W/") == tag { // a proxy that compresses makes it weak
			return true
		}
	}
	return false
}
