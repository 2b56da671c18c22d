package ola

import (
	"embed"
	"io/fs"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
)

// pathWeb is where the client of the socket and the page that shows it are.
const pathWeb = "/ola"

//go:embed web
var web embed.FS

// webFiles are all that is served below pathWeb, and what they are. They hold no secret, and need no token.
var webFiles = map[string]string{
	"ola_api.js":   "text/javascript; charset=utf-8",
	"ola_api.d.ts": "text/plain; charset=utf-8",
	"demo.html":    echo.MIMETextHTMLCharsetUTF8,
	"demo.js":      "text/javascript; charset=utf-8",
	"demo.css":     "text/css; charset=utf-8",
}

// webPolicy lets the page load its own files and open sockets, and nothing else: what an agent types in leaves it by the socket alone. The
// socket may be that of another daemon, which the page asks for.
const webPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src ws: wss:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func mountWeb(s *httpd.Server) {
	g := s.Mount(httpd.Dialect{Prefix: pathWeb, Render: render})
	for name, mimeType := range webFiles {
		g.GET("/"+name, func(c echo.Context) error {
			data, err := fs.ReadFile(web, "web/"+name)
			if err != nil {
				return err
			}
			h := c.Response().Header()
			h.Set("Content-Security-Policy", webPolicy)
			h.Set("Referrer-Policy", "no-referrer")
			h.Set(echo.HeaderAccessControlAllowOrigin, "*") // pages of a CRM load the client from here, also as a module
			return httpd.ServeFile(c, mimeType, data)
		})
	}
}
