package console

import (
	"embed"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
)

// pathWeb is where the pages are.
const pathWeb = "/console"

//go:embed web
var web embed.FS

// webTypes are the kinds of files that are served; the others below web are for those who read the source.
var webTypes = map[string]string{
	".html": echo.MIMETextHTMLCharsetUTF8,
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
	".txt":  echo.MIMETextPlainCharsetUTF8,
}

// webPolicy lets the pages load their own files and talk to their own daemon, and nothing else. A page of the same daemon may frame them.
const webPolicy = "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'self'"

// mountWeb serves the pages. They hold no secret: what they show they ask for, and are refused like every program.
func mountWeb(s *httpd.Server) {
	g := s.Mount(httpd.Dialect{Prefix: pathWeb})
	// The addresses in the pages are relative, so that they hold below any prefix that a proxy adds.
	g.GET("", func(c echo.Context) error { return c.Redirect(http.StatusMovedPermanently, "console/") })
	for name, mimeType := range webFiles() {
		serve := protected(httpd.NewAsset(web, name, mimeType))
		dir, isIndex := strings.CutSuffix(strings.TrimPrefix(name, "web"), "index.html")
		if !isIndex {
			dir = strings.TrimPrefix(name, "web")
		}
		g.GET(dir, serve)
	}
}

// webFiles are all files that are served, and what they are; those of the toolbar have a policy of their own, and are served by it.
func webFiles() map[string]string {
	list := filesBelow("web")
	maps.DeleteFunc(list, func(name, _ string) bool { return strings.HasPrefix(name, dirToolbar) })
	return list
}

// filesBelow are the files of a folder that are to be served, and what they are.
func filesBelow(dir string) map[string]string {
	list := map[string]string{}
	_ = fs.WalkDir(web, strings.TrimSuffix(dir, "/"), func(name string, _ fs.DirEntry, _ error) error { // what is in the program can be read
		if mimeType := webTypes[path.Ext(name)]; mimeType != "" {
			list[name] = mimeType
		}
		return nil
	})
	return list
}

// protected serves a file with what a browser is to know about it.
func protected(a *httpd.Asset) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", webPolicy)
		h.Set("Referrer-Policy", "same-origin")
		return a.Serve(c)
	}
}
