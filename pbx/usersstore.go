package pbx

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// mostUsers bounds how many there may be.
const mostUsers = 1000

// UserChange is what is to become of a user; nil leaves something as it is.
type UserChange struct {
	Name     *string
	Role     *Role
	Password *string
	Disabled *bool
}

// loginForm is what may be a login: letters and digits of any script, and what stands in mail addresses.
var loginForm = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N}._@+-]{0,63}$`)

// List returns all users by their logins.
func (u *Users) List(ctx context.Context) (list []User, err error) {
	err = sqlite.Each(ctx, u.store.Reader(), `SELECT `+userColumns+` FROM pbx_users ORDER BY login`, func(row *sql.Rows) error {
		user, err := scanUser(row.Scan)
		list = append(list, user)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	return list, nil
}

// Create adds a user; without a name his login is it. Errors: *InvalidError, ErrTaken, ErrManyUsers, ErrNoRoom, ErrCrowded.
func (u *Users) Create(ctx context.Context, login, name string, role Role, password string) (User, error) {
	if name == "" {
		name = login
	}
	switch {
	case !loginForm.MatchString(login):
		return User{}, &InvalidError{Field: "login", Reason: "not 1 to 64 letters, digits and . _ @ + -"}
	case digitsOnly(login):
		return User{}, &InvalidError{Field: "login", Reason: "digits alone are an extension's"}
	}
	if err := errors.Join(checkUser(name, role), checkPassword(password, login)); err != nil {
		return User{}, first(err)
	}
	hash, err := u.hash(ctx, password)
	if err != nil {
		return User{}, err
	}
	now := time.Now().Unix()
	return u.write(ctx, u.store.SubmitIfRoom, func(ctx context.Context, tx *sql.Tx) (User, error) {
		var count, taken int
		err := tx.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE login = ?) FROM pbx_users`, login).Scan(&count, &taken)
		switch {
		case err != nil:
			return User{}, err
		case taken > 0:
			return User{}, ErrTaken
		case count >= mostUsers:
			return User{}, ErrManyUsers
		}
		return scanUser(tx.QueryRowContext(ctx, `INSERT INTO pbx_users (login, name, password, role, created, updated) VALUES (?, ?, ?, ?, ?, ?)
			RETURNING `+userColumns, login, name, hash, role, now, now).Scan)
	})
}

// write commits a change of one user, and then ends what is open of him: also when whoever has asked does not wait for it any more.
func (u *Users) write(ctx context.Context, submit func(func(*sql.Tx) error, func(error)), apply func(context.Context, *sql.Tx) (User, error)) (User, error) {
	type outcome struct {
		user User
		err  error
	}
	var user User
	result := make(chan outcome, 1)
	submit(func(tx *sql.Tx) (err error) {
		user, err = apply(context.Background(), tx)
		return err
	}, func(err error) {
		if err != nil {
			result <- outcome{err: err}
			return
		}
		u.End(Identity{User: user})
		result <- outcome{user: user}
	})
	select {
	case o := <-result:
		return o.user, o.err
	case <-ctx.Done():
		return User{}, ctx.Err()
	}
}

// first is the first of errors that were joined: a client is told of one fault at a time.
func first(err error) error {
	var bad *InvalidError
	if errors.As(err, &bad) {
		return bad
	}
	return err
}

func checkUser(name string, role Role) error {
	switch {
	case name == "" || len(name) > 128 || !utf8.ValidString(name):
		return &InvalidError{Field: "name", Reason: "not 1 to 128 bytes of UTF-8"}
	case !printable(name):
		return &InvalidError{Field: "name", Reason: "holds a control character"}
	case !role.Known():
		return &InvalidError{Field: "role", Reason: "not admin, supervisor or agent"}
	}
	return nil
}

func printable(text string) bool {
	for _, r := range text {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}

// hash makes the hash of a password in its turn, as log-ins are.
func (u *Users) hash(ctx context.Context, password string) (string, error) {
	select {
	case u.turn <- struct{}{}:
		defer func() { <-u.turn }()
		return hashPassword(password, u.cost), nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Change changes a user, and ends what is open of him. Errors: ErrNotFound, *InvalidError, ErrLastAdmin, ErrNoRoom.
func (u *Users) Change(ctx context.Context, id int64, change UserChange) (User, error) {
	user, err := u.byID(ctx, u.store.Reader(), id)
	if err != nil {
		return User{}, err
	}
	hash := ""
	if change.Password != nil {
		if err := checkPassword(*change.Password, user.Login); err != nil {
			return User{}, err
		}
		if hash, err = u.hash(ctx, *change.Password); err != nil {
			return User{}, err
		}
	}
	return u.write(ctx, u.store.SubmitIfRoom, func(ctx context.Context, tx *sql.Tx) (User, error) {
		user, err := u.byID(ctx, tx, id)
		if err != nil {
			return User{}, err
		}
		was := user
		replace(&user.Name, change.Name)
		replace(&user.Role, change.Role)
		replace(&user.Disabled, change.Disabled)
		if err := checkUser(user.Name, user.Role); err != nil {
			return User{}, err
		}
		if err := keepsAdmin(ctx, tx, was, user.Role == RoleAdmin && !user.Disabled); err != nil {
			return User{}, err
		}
		if hash != "" {
			u.lock.forget(user.Login)
		}
		return scanUser(tx.QueryRowContext(ctx, `UPDATE pbx_users SET name = ?, role = ?, disabled = ?, updated = ?,
			password = CASE ? WHEN '' THEN password ELSE ? END WHERE id = ? RETURNING `+userColumns,
			user.Name, user.Role, user.Disabled, time.Now().Unix(), hash, hash, id).Scan)
	})
}

func replace[T any](into *T, value *T) {
	if value != nil {
		*into = *value
	}
}

// keepsAdmin refuses to let the last administrator go.
func keepsAdmin(ctx context.Context, tx *sql.Tx, was User, still bool) error {
	if still || was.Role != RoleAdmin || was.Disabled {
		return nil
	}
	var others bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pbx_users WHERE role = ? AND disabled = 0 AND id <> ?)`, RoleAdmin, was.ID).Scan(&others)
	if err == nil && !others {
		err = ErrLastAdmin
	}
	return err
}

// rowSource is *sql.DB or *sql.Tx.
type rowSource interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (u *Users) byID(ctx context.Context, from rowSource, id int64) (User, error) {
	user, err := scanUser(from.QueryRowContext(ctx, `SELECT `+userColumns+` FROM pbx_users WHERE id = ?`, id).Scan)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return User{}, ErrNotFound
	case err != nil:
		return User{}, fmt.Errorf("users: %w", err)
	}
	return user, nil
}

// Delete removes a user, and ends what is open of him. Errors: ErrNotFound, ErrLastAdmin.
func (u *Users) Delete(ctx context.Context, id int64) (User, error) {
	return u.write(ctx, u.store.SubmitAhead, func(ctx context.Context, tx *sql.Tx) (User, error) {
		user, err := u.byID(ctx, tx, id)
		if err != nil {
			return User{}, err
		}
		if err := keepsAdmin(ctx, tx, user, false); err != nil {
			return User{}, err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM pbx_users WHERE id = ?`, id)
		return user, err
	})
}
