package pbx

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// openUsers opens the users of a file; the store runs for as long as the test does.
func openUsers(t *testing.T, path, password string) (u *Users, drawn string, closed func()) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	u, drawn, err = NewUsers(t.Context(), UsersOptions{Store: db, AdminPassword: password, Cost: 8, Failure: time.Microsecond})
	if err != nil {
		t.Fatal(err)
	}
	return u, drawn, func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// home is where people log in from.
var home = netip.MustParseAddr("192.0.2.1")

func (u *Users) knows(t *testing.T, login, password string, want error) {
	t.Helper()
	user, err := u.Authenticate(t.Context(), home, login, password)
	if !errors.Is(err, want) || (err == nil) != (user.ID == 1 && user.Login == "admin" && user.Name == "admin" && user.Role == RoleAdmin) {
		t.Errorf("Authenticate(%s) = %+v, %v, want %v", login, user, err, want)
	}
}

// TestAdminPassword: a password is drawn once; one of the configuration takes its place and stays when it is taken out again.
func TestAdminPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	u, drawn, closed := openUsers(t, path, "")
	if len(drawn) != 20 {
		t.Fatalf("drawn %q", drawn)
	}
	u.knows(t, "admin", drawn, nil)
	u.knows(t, "admin", drawn[1:], ErrPassword)
	u.knows(t, "admin", "", ErrPassword)
	u.knows(t, "root", drawn, ErrPassword)
	closed()
	long := strings.Repeat("x", 100)
	for _, step := range []struct{ configured, right, wrong string }{
		{"", drawn, "x"}, {"of the file", "of the file", drawn}, {"", "of the file", drawn}, {long + "a", long + "a", long + "b"}, {"密码", "密码", long + "a"},
	} {
		u, again, closed := openUsers(t, path, step.configured)
		if again != "" {
			t.Errorf("a password was drawn again with %q configured", step.configured)
		}
		u.knows(t, "admin", step.right, nil)
		u.knows(t, "admin", step.wrong, ErrPassword)
		closed()
	}
	for _, file := range []string{path, path + "-wal"} {
		if text, err := os.ReadFile(file); err == nil && (bytes.Contains(text, []byte(drawn)) || bytes.Contains(text, []byte("of the file"))) {
			t.Errorf("a password is in %s", file)
		}
	}
}

func TestDisabledUser(t *testing.T) {
	u, _, closed := openUsers(t, filepath.Join(t.TempDir(), "a.db"), "secret")
	defer closed()
	if err := u.store.Prepare(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `UPDATE pbx_users SET disabled = 1`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	u.knows(t, "admin", "secret", ErrDisabled)
	u.knows(t, "admin", "wrong", ErrPassword)
}

// TestLoginsWaitTheirTurn: one password is tried at a time, a few may wait, and who gives up frees his place.
func TestLoginsWaitTheirTurn(t *testing.T) {
	u, _, closed := openUsers(t, filepath.Join(t.TempDir(), "a.db"), "secret")
	defer closed()
	u.turn <- struct{}{} // somebody is tried, for long
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error, maxLogins)
	for range maxLogins {
		go func() {
			_, err := u.Authenticate(ctx, home, "admin", "secret")
			results <- err
		}()
	}
	for len(u.line) < maxLogins {
		select {
		case err := <-results:
			t.Fatalf("somebody was tried out of turn: %v", err)
		default:
		}
	}
	if _, err := u.Authenticate(t.Context(), home, "admin", "secret"); !errors.Is(err, ErrCrowded) {
		t.Errorf("one too many: %v", err)
	}
	cancel()
	for range maxLogins {
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up: %v", err)
		}
	}
	<-u.turn
	u.knows(t, "admin", "secret", nil)
}
