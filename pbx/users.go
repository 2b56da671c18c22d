package pbx

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// userSchema holds the people who may log in.
var userSchema = []string{
	`CREATE TABLE pbx_users (
		id       INTEGER PRIMARY KEY AUTOINCREMENT,
		login    TEXT    NOT NULL UNIQUE,
		name     TEXT    NOT NULL,
		password TEXT    NOT NULL, -- bcrypt of the base64 of the SHA-256 of the password
		disabled INTEGER NOT NULL DEFAULT 0,
		created  INTEGER NOT NULL, -- seconds since 1970
		updated  INTEGER NOT NULL
	)`,
}

var (
	// ErrPassword says that there is no such user or that the password is another one; which of the two is not told.
	ErrPassword = errors.New("wrong login or password")
	// ErrDisabled says that the password is right and the user may not log in.
	ErrDisabled = errors.New("user is disabled")
	// ErrCrowded says that too many want to log in at this moment: nothing was tried, try again.
	ErrCrowded = errors.New("too many log-ins at once")
)

// User is one who may log in.
type User struct {
	ID    int64
	Login string
	Name  string
}

// adminLogin is the login of the user who is made at the first start.
const adminLogin = "admin"

// maxLogins is how many log-ins may wait for their turn. One password is checked at a time: it takes a processor a twentieth of a second,
// and the other one is for the calls.
const maxLogins = 16

// UsersOptions are the parts and settings of Users.
type UsersOptions struct {
	Store         *sqlite.DB
	AdminPassword string // of the user admin; "" = drawn when there is none yet
	Cost          int    // of a password's hash, as bcrypt counts; 0 = 10
}

// Users are the people who may log in, the same for all dialects that have users. Its methods are safe for concurrent use.
type Users struct {
	store *sqlite.DB
	cost  int
	line  chan struct{} // who waits or is tried
	turn  chan struct{} // who is tried
	dummy []byte        // hash of a real user that is compared where there is none, so that it takes as long
}

// NewUsers makes the users ready before the database runs. The first time, the user admin is made: drawn is his password when the
// options have none, to be shown once; "" every other time. A password in the options replaces the one that he has.
func NewUsers(ctx context.Context, o UsersOptions) (u *Users, drawn string, err error) {
	if err := o.Store.Migrate(ctx, "pbx users", userSchema); err != nil {
		return nil, "", err
	}
	u = &Users{store: o.Store, cost: o.Cost, line: make(chan struct{}, maxLogins), turn: make(chan struct{}, 1)}
	if u.cost == 0 {
		u.cost = bcrypt.DefaultCost
	}
	if drawn, err = u.admin(ctx, o.AdminPassword); err != nil {
		return nil, "", fmt.Errorf("user %s: %w", adminLogin, err)
	}
	return u, drawn, nil
}

// admin makes the first user, or gives him the password of the configuration.
func (u *Users) admin(ctx context.Context, password string) (drawn string, err error) {
	_, hash, err := u.find(ctx, adminLogin)
	known := err == nil
	switch {
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return "", err
	case known && (password == "" || same(hash, password)):
		u.dummy = hash
		return "", nil
	}
	cost := u.cost
	if password == "" {
		drawn = rand.Text()[:20]
		password, cost = drawn, bcrypt.MinCost // nobody finds 100 bits out, however fast he tries: the start need not wait for it
	}
	if hash, err = bcrypt.GenerateFromPassword(digest(password), cost); err != nil {
		return "", err
	}
	u.dummy = hash
	now := time.Now().Unix()
	return drawn, u.store.Prepare(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO pbx_users (login, name, password, created, updated) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (login) DO UPDATE SET password = excluded.password, updated = excluded.updated`, adminLogin, adminLogin, string(hash), now, now)
		return err
	})
}

// Authenticate returns the user of a login and password. Errors: ErrPassword, ErrDisabled, ErrCrowded, and those of the context and the
// database.
func (u *Users) Authenticate(ctx context.Context, login, password string) (User, error) {
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
	user, hash, err := u.find(ctx, login)
	unknown := errors.Is(err, sql.ErrNoRows)
	switch {
	case unknown:
		hash = u.dummy
	case err != nil:
		return User{}, fmt.Errorf("users: %w", err)
	}
	if right := same(hash, password); !right || unknown {
		return User{}, ErrPassword
	}
	if user.disabled {
		return User{}, ErrDisabled
	}
	return user.User, nil
}

type storedUser struct {
	User
	disabled bool
}

func (u *Users) find(ctx context.Context, login string) (user storedUser, hash []byte, err error) {
	err = u.store.Reader().QueryRowContext(ctx, `SELECT id, login, name, password, disabled FROM pbx_users WHERE login = ?`, login).
		Scan(&user.ID, &user.Login, &user.Name, &hash, &user.disabled)
	return user, hash, err
}

// same compares in a time that does not depend on where the two differ.
func same(hash []byte, password string) bool {
	return bcrypt.CompareHashAndPassword(hash, digest(password)) == nil
}

// digest lets every byte of a long password count: bcrypt takes 72.
func digest(password string) []byte {
	sum := sha256.Sum256([]byte(password))
	return []byte(base64.StdEncoding.EncodeToString(sum[:]))
}
