package ari

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultTimeout = 10 * time.Second
	defaultAnswer  = 1 << 20
	defaultPing    = 5 * time.Second
	defaultDead    = 15 * time.Second
	defaultQueue   = 64 << 20
	dialTimeout    = 5 * time.Second
	goodbye        = time.Second // how long the end waits for Asterisk, and for who takes the events

	// Asterisk closes a connection that was idle for 15 s (http.conf, session_keep_alive). We must be the first, or a
	// request is written into a closing connection and its outcome is unknown.
	idleTimeout = 10 * time.Second
	maxConns    = 16 // Asterisk's own limit for all its users is 100 (http.conf, sessionlimit)
)

// Options is where ARI is, who we are, and what we want to hear.
type Options struct {
	URL         string // such as http://127.0.0.1:8088/ari; https is TLS
	Username    string // a section of type=user in ari.conf
	Password    string // its password
	Application string // our name as a Stasis application

	Timeout   time.Duration // of one request, default 10 s
	MaxAnswer int           // bytes read of one answer, default 1 MiB (a list of 2,000 channels)

	// SubscribeAll asks for the events of everything in Asterisk, not only of what is in our application. What is in it
	// as well is then told of two or three times, in equal messages.
	SubscribeAll bool
	// Want says by its type alone whether an event goes into the stream; nil is all. It is called from the reader for
	// every event, so it must be quick.
	Want      func(kind string) bool
	Ping      time.Duration // a ping is sent after this long without a byte; default 5 s
	DeadAfter time.Duration // the connection is given up after this long without a byte; default 15 s
	Queue     int           // bytes that may wait in the stream before the connection is given up; default 64 MiB

	// Dial connects, for requests and events; nil is a net.Dialer with TCP keepalive. TLS is put on top of it.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	TLS  *tls.Config // of https, nil is the default

	Logger *slog.Logger // nil discards
}

// Client talks to one Asterisk. It is safe for use by several goroutines, but Run, which may be called once.
type Client struct {
	o      Options
	base   *url.URL // without user information and query; nil when Options.URL cannot be parsed
	http   *http.Client
	direct *http.Transport

	stream  *stream
	types   names
	started atomic.Bool
	stats   counters

	mu     sync.Mutex
	status Status
}

// New makes a client and contacts nobody.
func New(o Options) *Client {
	o.Timeout = orDefault(o.Timeout, defaultTimeout)
	o.Ping = orDefault(o.Ping, defaultPing)
	o.DeadAfter = orDefault(o.DeadAfter, defaultDead)
	o.MaxAnswer = orDefault(o.MaxAnswer, defaultAnswer)
	o.Queue = orDefault(o.Queue, defaultQueue)
	if o.Dial == nil {
		o.Dial = dialTCP
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{
		o: o, base: parseBase(o.URL), stream: newStream(o.Queue), types: names{},
		status: Status{Phase: Idle, Since: time.Now(), Err: ErrOffline},
	}
	c.direct = c.transport(o.Dial)
	c.http = &http.Client{Transport: c.direct, Timeout: o.Timeout, CheckRedirect: noRedirect}
	return c
}

// orDefault returns value if it is positive.
func orDefault[T int | time.Duration](value, fallback T) T {
	if value > 0 {
		return value
	}
	return fallback
}

// parseBase returns the URL without what may be secret in it, or nil.
func parseBase(text string) *url.URL {
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(u.Path, "/")}
}

// transport makes what carries requests. It asks no proxy: the password is for Asterisk alone.
func (c *Client) transport(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        c.o.TLS,
		TLSHandshakeTimeout:    dialTimeout,
		MaxConnsPerHost:        maxConns,
		MaxIdleConnsPerHost:    maxConns / 2,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
}

// noRedirect stops at a redirect, which would carry the password to whoever wrote it.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// dialTCP is the default of Options.Dial.
func dialTCP(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}
	return d.DialContext(ctx, network, address)
}

// Application is our name as a Stasis application.
func (c *Client) Application() string { return c.o.Application }

// Close ends connections that no request uses. The client can still be used.
func (c *Client) Close() { c.direct.CloseIdleConnections() }

// NewID returns an id that nobody else has, for a channel, bridge, playback or snoop: prefix, a hyphen and 16 random
// hexadecimal digits.
func NewID(prefix string) string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails, it ends the program
	return prefix + "-" + hex.EncodeToString(random[:])
}

// errURL hides the URL that cannot be parsed: a piece of it may be secret.
var errURL = errors.New("the url cannot be parsed")
