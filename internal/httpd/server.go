package httpd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/labstack/echo/v4"
)

// Server serves all dialects on one plain and, where wanted, one TLS listener.
type Server struct {
	options  Options
	limits   Limits
	log      *slog.Logger
	echo     *echo.Echo
	metrics  *metrics
	dialects []Dialect
	lasting  map[string]bool // route templates without a time limit
	changing map[string]bool // route templates of which it was said whether they change something
	takings  *takings
	settings atomic.Pointer[Settings]
	keyPair  keyPair
	document document
	plain    net.Listener
	secure   net.Listener
}

// New makes a server with the fixed routes. It listens only in Listen or Run.
func New(o Options) (*Server, error) {
	s := &Server{options: o, limits: o.Limits.withDefaults(), log: o.Logger, echo: echo.New(), lasting: map[string]bool{}, changing: map[string]bool{}, takings: newTakings()}
	s.metrics = newMetrics()
	s.settings.Store(&o.Settings)
	s.echo.JSONSerializer = plainJSON{}
	s.echo.HTTPErrorHandler = s.renderError
	s.echo.Use(s.identify, s.observe, s.recoverPanic, s.limitBody, s.patience, s.admit, s.limitTime)
	s.echo.RouteNotFound("/*", s.notFound)
	s.fixedRoutes()
	if err := s.docsRoutes(); err != nil {
		return nil, fmt.Errorf("http docs: %w", err)
	}
	return s, nil
}

// Mount registers a dialect and returns the group for its routes. Middleware of
// the dialect, such as its authentication, is passed here and not to Group.Use,
// which would put echo's own answer in the place of the dialect's 404 and 405.
// It must be called before Run.
func (s *Server) Mount(d Dialect, middleware ...echo.MiddlewareFunc) *echo.Group {
	s.dialects = append(s.dialects, d)
	group := s.echo.Group(d.Prefix)
	if len(middleware) > 0 {
		group.Use(middleware...)
	}
	group.RouteNotFound("", s.notFound)
	group.RouteNotFound("/*", s.notFound)
	return group
}

// Lasting exempts routes from the time limit of a request: sockets and streams.
// The paths are route templates in full, prefix included.
func (s *Server) Lasting(paths ...string) {
	for _, path := range paths {
		s.lasting[path] = true
	}
}

// Echo is the router, for routes outside of any dialect and for lists of routes.
func (s *Server) Echo() *echo.Echo { return s.echo }

// Configure takes over new settings. The certificate is read again; when that
// fails nothing changes at all.
func (s *Server) Configure(settings Settings) error {
	if s.options.TLSAddress != "" {
		if err := s.keyPair.load(settings.CertFile, settings.KeyFile); err != nil {
			return err
		}
	}
	s.settings.Store(&settings)
	return nil
}

// Listen binds the addresses, so that a port in use is found before anything
// else is started. Run calls it when nobody has.
func (s *Server) Listen(ctx context.Context) error {
	if s.options.TLSAddress != "" {
		settings := s.settings.Load()
		if err := s.keyPair.load(settings.CertFile, settings.KeyFile); err != nil {
			return err
		}
	}
	var config net.ListenConfig
	plain, err := config.Listen(ctx, "tcp", s.options.Address)
	if err != nil {
		return fmt.Errorf("http: %w", err)
	}
	s.plain = plain
	if s.options.TLSAddress == "" {
		return nil
	}
	if s.secure, err = config.Listen(ctx, "tcp", s.options.TLSAddress); err != nil {
		s.plain = nil
		return fmt.Errorf("https: %w", errors.Join(err, plain.Close()))
	}
	return nil
}

// Addr is the address of the plain listener, nil before Listen.
func (s *Server) Addr() net.Addr { return address(s.plain) }

// TLSAddr is the address of the TLS listener, nil before Listen or without one.
func (s *Server) TLSAddr() net.Addr { return address(s.secure) }

func address(l net.Listener) net.Addr {
	if l == nil {
		return nil
	}
	return l.Addr()
}

// Run serves until ctx ends, then lets requests in flight finish for Limits.Stop
// and cuts what is left. It returns nil after an orderly end.
func (s *Server) Run(ctx context.Context) error {
	if s.plain == nil {
		if err := s.Listen(ctx); err != nil {
			return err
		}
	}
	// Requests in flight outlive ctx: they are ended by stop, not by it.
	base, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(errStopped)
	plain := s.server(base)
	servers := []*http.Server{plain}
	ended := make(chan error, 2)
	s.log.InfoContext(ctx, "listening for http", "address", s.plain.Addr().String())
	go func() { ended <- plain.Serve(s.plain) }()
	if s.secure != nil {
		twin := s.server(base)
		twin.TLSConfig = s.keyPair.config()
		servers = append(servers, twin)
		s.log.InfoContext(ctx, "listening for https", "address", s.secure.Addr().String())
		go func() { ended <- twin.ServeTLS(s.secure, "", "") }()
	}
	var failed error
	waiting := len(servers)
	select {
	case <-ctx.Done():
	case failed = <-ended:
		waiting--
	}
	s.stop(base, servers, cut)
	for range waiting {
		failed = errors.Join(failed, closed(<-ended))
	}
	return closed(failed)
}

// closed turns the error that every ended http.Server returns into none.
func closed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (s *Server) server(base context.Context) *http.Server {
	return &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: s.limits.ReadHeader,
		ReadTimeout:       s.limits.Read,
		WriteTimeout:      s.limits.Request + s.limits.Write,
		IdleTimeout:       s.limits.Idle,
		MaxHeaderBytes:    s.limits.Header,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// stop ends the servers: first kindly, and after Limits.Stop by force. Requests that are cut still get the quarter of it
// to answer, so that a caller reads that the outcome is unknown and not of a connection that broke.
func (s *Server) stop(base context.Context, servers []*http.Server, cut context.CancelCauseFunc) {
	grace, cancel := context.WithTimeout(base, s.limits.Stop)
	defer cancel()
	done := make(chan struct{})
	for _, server := range servers {
		go func() {
			defer func() { done <- struct{}{} }()
			if server.Shutdown(grace) == nil {
				return
			}
			cut(errStopped)
			last, cancel := context.WithTimeout(context.WithoutCancel(base), s.limits.Stop/4)
			defer cancel()
			if server.Shutdown(last) != nil {
				_ = server.Close() // the listener is closed already; what it reports is the same
			}
		}()
	}
	for range servers {
		<-done
	}
}
