package ami

import (
	"context"
	"crypto/md5" // the only digest that Asterisk has for this
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

const dialTimeout = 5 * time.Second

// dialTCP is the default of Options.Dial.
func dialTCP(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}
	return d.DialContext(ctx, network, address)
}

// dial connects, with TLS where it is asked for.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := c.o.Dial(ctx, "tcp", c.o.Address)
	if err != nil {
		return nil, err
	}
	if c.o.TLS == nil {
		return conn, nil
	}
	config := c.o.TLS.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(c.o.Address)
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("tls: %w", err)
	}
	return secure, nil
}

// login reads the banner and logs in: by challenge, and by the plain secret where Asterisk has no challenge. It
// returns the version of the banner. Events that follow the answer stay in the reader.
func (c *Client) login(conn net.Conn) (version string, err error) {
	if err := conn.SetDeadline(time.Now().Add(c.o.DeadAfter)); err != nil {
		return "", err
	}
	if version, err = c.reader.Banner(); err != nil {
		return "", err
	}
	answer, err := c.ask(conn, NewAction("Challenge", "AuthType", "MD5"), "ami-challenge")
	var refused *ResponseError
	switch {
	case err == nil && answer.Get("Challenge") != "":
		_, err = c.ask(conn, c.digestLogin(answer.Get("Challenge")), "ami-login")
	case err == nil, errors.As(err, &refused) && !errors.Is(err, ErrShuttingDown):
		_, err = c.ask(conn, c.plainLogin(), "ami-login")
	}
	if errors.Is(err, ErrAuthentication) {
		err = ErrAuthentication
	}
	if err == nil {
		// A peer that is gone already is noticed by the reader, behind the events that it has left.
		_ = conn.SetDeadline(time.Time{})
	}
	return version, err
}

func (c *Client) plainLogin() Action {
	return NewAction("Login", "Username", c.o.Username, "Secret", c.o.Secret, "Events", "on")
}

func (c *Client) digestLogin(challenge string) Action {
	sum := md5.Sum([]byte(challenge + c.o.Secret))
	return NewAction("Login", "AuthType", "MD5", "Username", c.o.Username, "Key", hex.EncodeToString(sum[:]), "Events", "on")
}

// ask sends one action and reads up to its answer; before the login nothing else is on the wire.
func (c *Client) ask(conn net.Conn, a Action, id string) (Message, error) {
	wire, err := a.encode(id)
	if err != nil {
		return Message{}, err
	}
	if _, err := conn.Write(wire); err != nil {
		return Message{}, err
	}
	for {
		m, err := c.reader.Next()
		if err != nil {
			return Message{}, err
		}
		if got, ok := m.Lookup("ActionID"); !isResponse(m.text) || ok && got != id {
			continue
		}
		if m.Get("Response") == "Error" {
			return m, newResponseError(a.Name, m)
		}
		return m, nil
	}
}

// bare takes the addresses off a network error: the port of our side changes with every try, and a reason that is
// the same must read the same.
func bare(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op != "dial" {
		err = op.Err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return os.ErrDeadlineExceeded
	}
	return err
}
