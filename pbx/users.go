package pbx

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

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
	// From here on a password is a PHC string of argon2id; one of before is replaced when its user logs in. There was no user but admin.
	`ALTER TABLE pbx_users ADD COLUMN role TEXT NOT NULL DEFAULT 'admin'`,
	`ALTER TABLE pbx_users ADD COLUMN last_login INTEGER NOT NULL DEFAULT 0`,
}

var (
	// ErrPassword says that there is no such user or that the password is another one; which of the two is not told.
	ErrPassword = errors.New("wrong login or password")
	// ErrDisabled says that the password is right and the user may not log in.
	ErrDisabled = errors.New("user is disabled")
	// ErrCrowded says that too many want to log in at this moment: nothing was tried, try again.
	ErrCrowded = errors.New("too many log-ins at once")
	// ErrLastAdmin says that nobody would be left who may change users: nothing was done.
	ErrLastAdmin = errors.New("last administrator")
	// ErrTaken says that another user has that login: nothing was done.
	ErrTaken = errors.New("login is taken")
	// ErrManyUsers says that there are as many users as there may be: nothing was done.
	ErrManyUsers = errors.New("too many users")
)

// LockedError says that there were too many failed log-ins by one name, from one network or from all: nothing was tried. It is told of names that nobody has, too.
type LockedError struct{ Wait time.Duration }

// Error implements error.
func (e *LockedError) Error() string { return "too many failed log-ins of this user" }

// User is one who may log in.
type User struct {
	ID        int64
	Login     string
	Name      string
	Role      Role
	Disabled  bool
	Created   time.Time
	Updated   time.Time
	LastLogin time.Time // to a minute; zero = never

	version uint64 // how often he had been changed since the start
}

// adminLogin is the login of the user who is made at the first start.
const adminLogin = "admin"

// maxLogins is how many log-ins may wait for their turn. One password is checked at a time: it takes a processor a twentieth of a second
// and 12 MiB, and the other one is for the calls.
const maxLogins = 16

// UsersOptions are the parts and settings of Users.
type UsersOptions struct {
	Store         *sqlite.DB
	AdminPassword string        // of the user admin; "" = drawn when there is nobody yet
	Cost          int           // KiB of memory that the hash of a password takes; 0 = 12288
	Failure       time.Duration // how long a failed log-in takes at least, so that the time tells nothing; 0 = 200 ms
}

// Users are the people who may log in, the same for all dialects that have users. Its methods are safe for concurrent use.
type Users struct {
	store   *sqlite.DB
	cost    uint32
	failure time.Duration
	line    chan struct{} // who waits or is tried
	turn    chan struct{} // who is tried
	dummy   string        // hash that is compared where there is no user, so that it takes as long
	lock    *nameLock

	mu       sync.RWMutex
	versions map[int64]uint64 // of users who were changed since the start
	agents   map[Exten]uint64 // and of extensions
	onEnd    []func(Identity)
}

// NewUsers makes the users ready before the database runs. The first time, the user admin is made: drawn is his password when the
// options have none, to be shown once; "" every other time. A password in the options that is not his replaces the one that he has, and
// he may log in with it as administrator, whatever has become of him.
func NewUsers(ctx context.Context, o UsersOptions) (u *Users, drawn string, err error) {
	if err := o.Store.Migrate(ctx, "pbx users", userSchema); err != nil {
		return nil, "", err
	}
	u = &Users{
		store: o.Store, cost: uint32(o.Cost), failure: o.Failure, line: make(chan struct{}, maxLogins), turn: make(chan struct{}, 1), //nolint:gosec // small
		lock: newNameLock(), versions: map[int64]uint64{}, agents: map[Exten]uint64{},
	}
	if u.cost == 0 {
		u.cost = passwordMemory
	}
	if u.failure == 0 {
		u.failure = 200 * time.Millisecond
	}
	u.dummy = dummyHash(u.cost)
	if drawn, err = u.admin(ctx, o.AdminPassword); err != nil {
		return nil, "", fmt.Errorf("user %s: %w", adminLogin, err)
	}
	return u, drawn, nil
}

// admin makes the first user, or gives him the password of the configuration.
func (u *Users) admin(ctx context.Context, password string) (drawn string, err error) {
	user, hash, err := u.find(ctx, adminLogin)
	known := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	if password == "" {
		var anybody bool
		err := u.store.Reader().QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pbx_users)`).Scan(&anybody)
		if err != nil || anybody {
			return "", err
		}
		drawn = rand.Text()[:20]
		password = drawn
	}
	if known && matches(hash, password) {
		return "", nil
	}
	hash, now := hashPassword(password, u.cost), time.Now().Unix()
	if !known {
		user = User{Login: adminLogin, Name: adminLogin}
	}
	return drawn, u.store.Prepare(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO pbx_users (login, name, password, role, created, updated) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (login) DO UPDATE SET password = excluded.password, role = excluded.role, disabled = 0, updated = excluded.updated`,
			user.Login, user.Name, hash, RoleAdmin, now, now)
		return err
	})
}

// find reads a user and the hash of his password; sql.ErrNoRows where there is none.
func (u *Users) find(ctx context.Context, login string) (user User, hash string, err error) {
	row := u.store.Reader().QueryRowContext(ctx, `SELECT `+userColumns+`, password FROM pbx_users WHERE login = ?`, login)
	user, err = scanUser(row.Scan, &hash)
	return user, hash, err
}

// userColumns are what scanUser reads.
const userColumns = `id, login, name, role, disabled, created, updated, last_login`

func scanUser(scan func(...any) error, more ...any) (user User, err error) {
	var created, updated, last int64
	err = scan(append([]any{&user.ID, &user.Login, &user.Name, &user.Role, &user.Disabled, &created, &updated, &last}, more...)...)
	user.Created, user.Updated = time.Unix(created, 0), time.Unix(updated, 0)
	if last > 0 {
		user.LastLogin = time.Unix(last, 0)
	}
	return user, err
}
