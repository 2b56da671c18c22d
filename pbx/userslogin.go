package pbx

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Identity is who has logged in: an agent with the password of his phone, or a user. The other of the two is zero.
type Identity struct {
	Exten Exten
	User  User

	version uint64 // of Exten
}

// Identify finds out whose name and password these are: an extension's, with the password of its phone, or a user's; from is the address
// of who says so. Errors: ErrPassword, *LockedError, ErrDisabled, ErrCrowded, those of CheckSecret, and those of the context and the database.
func (u *Users) Identify(ctx context.Context, s *Switch, from netip.Addr, name, password string) (Identity, error) {
	n := Exten(name)
	_, err := s.Extension(n)
	number := digitsOnly(name) // an extension's, if anybody's: users have no such logins
	if number && errors.Is(err, ErrOffline) {
		return Identity{}, err
	}
	if !number && err != nil {
		user, err := u.Authenticate(ctx, from, name, password)
		return Identity{User: user}, err
	}
	began := time.Now()
	if err := u.lock.try(name, from); err != nil {
		return Identity{}, err
	}
	id := Identity{Exten: n, version: u.versionOf(n)}
	if err == nil {
		err = s.CheckSecret(ctx, n, password)
	} else { // at once, as of an extension that there is: it does not queue for the hash of a password either
		err = ErrPassword
	}
	if err = u.settle(ctx, from, name, began, err); err != nil {
		return Identity{}, err
	}
	return id, nil
}

// Knows reports whether a name is an extension or a user's login. Where it is not, it may be anything that was typed there, a password too.
func (u *Users) Knows(ctx context.Context, s *Switch, name string) bool {
	if _, err := s.Extension(Exten(name)); err == nil {
		return true
	}
	_, _, err := u.find(ctx, name)
	return err == nil
}

func digitsOnly(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
}

// Authenticate returns the user of a login and password, which come from an address. Errors: ErrPassword, *LockedError, ErrDisabled,
// ErrCrowded, and those of the context and the database.
func (u *Users) Authenticate(ctx context.Context, from netip.Addr, login, password string) (User, error) {
	began := time.Now()
	if err := u.lock.try(login, from); err != nil {
		return User{}, err
	}
	user, err := u.check(ctx, login, password)
	if err = u.settle(ctx, from, login, began, err); err != nil {
		return User{}, err
	}
	if user.Disabled {
		return User{}, ErrDisabled
	}
	return user, nil
}

// check compares one password at a time.
func (u *Users) check(ctx context.Context, login, password string) (User, error) {
	select {
	case u.line <- struct{}{}:
		defer func() { <-u.line }()
	default:
		return User{}, ErrCrowded
	}
	select {
	case u.turn <- struct{}{}:
		defer func() { <-u.turn }()
	case <-ctx.Done():
		return User{}, ctx.Err()
	}
	versions := u.snapshot()
	user, hash, err := u.find(ctx, login)
	unknown := errors.Is(err, sql.ErrNoRows)
	switch {
	case unknown:
		hash = u.dummy
	case err != nil:
		return User{}, fmt.Errorf("users: %w", err)
	}
	if right := matches(hash, password); !right || unknown {
		return User{}, ErrPassword
	}
	user.version = versions[user.ID]
	u.seen(user, hash, password)
	return user, nil
}

// settle gives what is known of an attempt to the lock. A failure takes a while, so that its time does not tell what was compared.
func (u *Users) settle(ctx context.Context, from netip.Addr, name string, began time.Time, err error) error {
	wrong := errors.Is(err, ErrPassword)
	u.lock.settle(name, from, err == nil, wrong)
	if wrong {
		wait := time.NewTimer(u.failure - time.Since(began))
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
		}
	}
	return err
}

// seen notes a log-in, at most once a minute, and replaces a hash that would be made in another way now.
func (u *Users) seen(user User, hash, password string) {
	now, fresh := time.Now(), ""
	if outdated(hash, u.cost) {
		fresh = hashPassword(password, u.cost)
	}
	if fresh == "" && (user.Disabled || now.Sub(user.LastLogin) < time.Minute) {
		return
	}
	u.store.SubmitIfRoom(func(tx *sql.Tx) error {
		ctx := context.Background()
		if fresh != "" {
			if _, err := tx.ExecContext(ctx, `UPDATE pbx_users SET password = ? WHERE id = ? AND password = ?`, fresh, user.ID, hash); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE pbx_users SET last_login = ? WHERE id = ? AND disabled = 0`, now.Unix(), user.ID)
		return err
	}, nil)
}

// OnEnd registers what is called when one who has logged in may no longer do what he may: he was changed, disabled or deleted, or the
// password of his extension was. It is called on the goroutine of the change, after the commit, and must neither block nor log in. Call it
// before anybody can log in.
func (u *Users) OnEnd(f func(Identity)) { u.onEnd = append(u.onEnd, f) }

// Enter does what lets somebody in, such as to give out a token, unless he was changed since he was identified: then it is not done, and
// the error is ErrPassword. Whoever is changed afterwards is told to OnEnd.
func (u *Users) Enter(id Identity, do func()) error {
	u.mu.RLock()
	defer u.mu.RUnlock()
	if id.Exten != "" && u.agents[id.Exten] != id.version || id.Exten == "" && u.versions[id.User.ID] != id.User.version {
		return fmt.Errorf("%w: changed meanwhile", ErrPassword)
	}
	do()
	return nil
}

// End ends what is open of a user, or of an agent whose password has changed or whose extension is there no more.
func (u *Users) End(id Identity) {
	u.mu.Lock()
	if id.Exten != "" {
		u.agents[id.Exten]++
	} else {
		u.versions[id.User.ID]++
	}
	u.mu.Unlock()
	for _, f := range u.onEnd {
		f(id)
	}
}

func (u *Users) versionOf(n Exten) uint64 {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.agents[n]
}

// snapshot is taken before a user is read, so that a change that comes after is seen by Enter.
func (u *Users) snapshot() map[int64]uint64 {
	u.mu.RLock()
	defer u.mu.RUnlock()
	list := make(map[int64]uint64, len(u.versions))
	for id, version := range u.versions {
		list[id] = version
	}
	return list
}
