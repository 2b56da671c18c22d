package lab

import (
	"context"
	"fmt"
	"slices"

	"github.com/dialbridge/dialbridge/lab/phone"
)

// Phone makes the telephone of an extension, registers it, and closes it with the lab. It has a loopback address of its
// own, and answers its calls at once until Behave says otherwise.
func (l *Lab) Phone(ctx context.Context, exten string) (*phone.Phone, error) {
	i := slices.Index(l.Extensions, exten)
	if i < 0 {
		return nil, fmt.Errorf("lab: no extension %q: there are %s to %s", exten, l.Extensions[0], l.Extensions[len(l.Extensions)-1])
	}
	return l.telephone(ctx, phone.Config{
		Server: l.SIPAddress, BindIP: l.host(101 + i), User: exten, Password: Secret(exten), Name: "Phone " + exten, Tone: 400, Logger: l.log,
	})
}

// Trunk makes the provider, registers it, and closes it with the lab: its calls come in for the DIDs, whatever number they
// show (phone.DialOptions), and it gets the calls to outside numbers, which it answers as BehaveFor says.
func (l *Lab) Trunk(ctx context.Context) (*phone.Phone, error) {
	return l.telephone(ctx, phone.Config{Server: l.SIPAddress, BindIP: l.TrunkIP, User: "trunk", Tone: 600, Logger: l.log})
}

// Telephone makes the telephone of an extension that the configuration does not have, and closes it with the lab. It is not
// registered. user is who it says it is when it is challenged.
func (l *Lab) Telephone(ctx context.Context, exten, user, password string) (*phone.Phone, error) {
	return l.unregistered(ctx, phone.Config{
		Server: l.SIPAddress, BindIP: l.host(200), User: exten, AuthUser: user, Password: password, Name: "Phone " + exten, Tone: 400, Logger: l.log,
	})
}

func (l *Lab) telephone(ctx context.Context, config phone.Config) (*phone.Phone, error) {
	p, err := l.unregistered(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := p.Register(ctx); err != nil {
		return nil, fmt.Errorf("lab: telephone %s: %w", config.User, err)
	}
	return p, nil
}

func (l *Lab) unregistered(ctx context.Context, config phone.Config) (*phone.Phone, error) {
	p, err := phone.New(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("lab: telephone %s: %w", config.User, err)
	}
	p.Behave(phone.Behaviour{})
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.closers = append(l.closers, p.Close)
	}
	l.mu.Unlock()
	if closed {
		_ = p.Close()
		return nil, fmt.Errorf("lab: telephone %s: %w", config.User, ErrStopped)
	}
	return p, nil
}
