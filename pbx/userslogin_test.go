package pbx

import (
	"context"
	"database/sql"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// runUsers opens users whose database runs for as long as the test does.
func runUsers(t *testing.T) *Users {
	t.Helper()
	u, _, closed := openUsers(t, filepath.Join(t.TempDir(), "a.db"), "correct horse")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- u.store.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		closed()
	})
	return u
}

// stored is what the file has of a user's password.
func (u *Users) stored(t *testing.T, login string) (hash string) {
	t.Helper()
	if err := u.store.Do(t.Context(), func(*sql.Tx) error { return nil }); err != nil { // what was submitted before is committed
		t.Fatal(err)
	}
	if err := u.store.Reader().QueryRowContext(t.Context(), `SELECT password FROM pbx_users WHERE login = ?`, login).Scan(&hash); err != nil {
		t.Fatal(err)
	}
	return hash
}

// TestOldHashIsReplaced: a password of an older version is right still, and is kept in the way of today from the next log-in on.
func TestOldHashIsReplaced(t *testing.T) {
	u := runUsers(t)
	old, err := bcrypt.GenerateFromPassword(digest("of the old days"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.store.Do(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `UPDATE pbx_users SET password = ?`, string(old))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	u.knows(t, "admin", "wrong", ErrPassword)
	if u.stored(t, "admin") != string(old) {
		t.Error("a wrong password has changed something")
	}
	u.knows(t, "admin", "of the old days", nil)
	hash := u.stored(t, "admin")
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=8,t=3,p=1$") {
		t.Errorf("%s", hash)
	}
	u.knows(t, "admin", "of the old days", nil)
	if u.stored(t, "admin") != hash {
		t.Error("it is replaced again")
	}
	u.cost = 16
	u.knows(t, "admin", "of the old days", nil)
	if !strings.HasPrefix(u.stored(t, "admin"), "$argon2id$v=19$m=16,t=3,p=1$") {
		t.Error("a weaker hash is kept")
	}
}

func TestBrokenHashesMatchNothing(t *testing.T) {
	good := hashPassword("right", 8)
	if !matches(good, "right") || matches(good, "Right") || matches(dummyHash(8), "") {
		t.Error("hashes do not tell right from wrong")
	}
	for _, hash := range []string{
		"", "$", "right", "$2a$10$", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1), strings.Replace(good, "t=3", "t=0", 1),
		good[:len(good)-2], good + "$", strings.Replace(good, "$m=8", "$m=x", 1),
	} {
		if matches(hash, "right") {
			t.Errorf("%q matches", hash)
		}
	}
}

// TestLockOfAName: ten failures within a quarter of an hour lock it, known or not; a right password before ends the count.
func TestLockOfAName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newNameLock()
		fail := func(name string) error {
			err := l.try(name, home)
			if err == nil {
				l.settle(name, home, false, true)
			}
			return err
		}
		for i := range lockAfter {
			if i == lockAfter-1 {
				_ = l.try("ann", home)
				l.settle("ann", home, true, false)
			}
			if err := fail("ann"); err != nil {
				t.Fatal(err)
			}
		}
		for range lockAfter - 1 {
			_ = fail("ann")
		}
		time.Sleep(lockSpan / 3) // of the bubble's clock
		var locked *LockedError
		if err := l.try("ann", home); !errors.As(err, &locked) || locked.Wait != lockSpan*2/3 {
			t.Errorf("%v", err)
		}
		if err := fail("Ann"); err != nil {
			t.Errorf("another name: %v", err)
		}
		time.Sleep(lockSpan * 2 / 3)
		if err := fail("ann"); err != nil {
			t.Errorf("after its time: %v", err)
		}
		for range lockAtOnce {
			if err := l.try("bob", home); err != nil {
				t.Error(err)
			}
		}
		if err := l.try("bob", home); !errors.Is(err, ErrCrowded) {
			t.Errorf("one too many at once: %v", err)
		}
		for i := range lockNames + 10 {
			_ = fail(strings.Repeat("x", i))
		}
		for i := range lockNames + 10 {
			l.settle("carl", netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), true, false)
		}
		for _, table := range []failureTable{l.names, l.pairs, l.homes} {
			if len(table.known) != lockNames || table.order.Len() != lockNames {
				t.Errorf("%d names are remembered", len(table.known))
			}
		}
	})
}

// TestAStrangerLocksNobodyOut: failures lock a name for the network that they come from. So many that they lock it for all do not lock it where its
// owner has come in from before, who has his own ten.
func TestAStrangerLocksNobodyOut(t *testing.T) {
	l := newNameLock()
	office, elsewhere := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("198.51.100.1")
	fail := func(from netip.Addr) (n int) {
		for l.try("admin", from) == nil {
			l.settle("admin", from, false, true)
			n++
		}
		return n
	}
	enter := func(from netip.Addr) error {
		err := l.try("admin", from)
		if err == nil {
			l.settle("admin", from, true, false)
		}
		return err
	}
	if n := fail(netip.MustParseAddr("2001:db8:0:1::1")); n != lockAfter {
		t.Errorf("a stranger has tried %d times", n)
	}
	if n := fail(netip.MustParseAddr("2001:db8:0:1:ffff::2")); n != 0 {
		t.Errorf("a neighbour of his has tried %d times", n)
	}
	if err := enter(office); err != nil {
		t.Errorf("one stranger keeps the administrator out: %v", err)
	}
	tried := lockAfter
	for i := range 20 {
		tried += fail(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}))
	}
	if tried != lockAfterAll {
		t.Errorf("many strangers have tried %d times", tried)
	}
	var locked *LockedError
	if err := enter(elsewhere); !errors.As(err, &locked) {
		t.Errorf("from elsewhere: %v", err)
	}
	for range 2 {
		if err := enter(netip.MustParseAddr("2001:db8::2")); err != nil {
			t.Errorf("many strangers keep the administrator out where he was before: %v", err)
		}
	}
	if n := fail(office); n != lockAfter {
		t.Errorf("who sits where the administrator was has tried %d times", n)
	}
	l.forget("admin")
	if err := enter(elsewhere); err != nil {
		t.Errorf("after another password was set: %v", err)
	}
}

// TestFailureTakesAWhile: whether there is such a user or not.
func TestFailureTakesAWhile(t *testing.T) {
	u := runUsers(t)
	u.failure = 150 * time.Millisecond
	for _, login := range []string{"admin", "nobody"} {
		began := time.Now()
		if _, err := u.Authenticate(t.Context(), home, login, "wrong"); !errors.Is(err, ErrPassword) || time.Since(began) < u.failure {
			t.Errorf("%s: %v after %s", login, err, time.Since(began))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	u.failure = time.Hour
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := u.Authenticate(ctx, home, "admin", "wrong"); !errors.Is(err, ErrPassword) {
		t.Errorf("one who has gone: %v", err)
	}
}

// TestChangedMeanwhile: a token is not given out to one who was changed after his password was compared.
func TestChangedMeanwhile(t *testing.T) {
	u := runUsers(t)
	var ended []Identity
	u.OnEnd(func(id Identity) { ended = append(ended, id) })
	user, err := u.Create(t.Context(), "ann", "", RoleAdmin, "in the morning")
	if err != nil || user.Name != "ann" || user.ID != 2 {
		t.Fatalf("%+v %v", user, err)
	}
	enter := func(id Identity) bool {
		in := false
		err := u.Enter(id, func() { in = true })
		if in != (err == nil) {
			t.Errorf("in: %v, %v", in, err)
		}
		return in
	}
	user, err = u.Authenticate(t.Context(), home, "ann", "in the morning")
	if err != nil || !enter(Identity{User: user}) {
		t.Fatalf("%+v %v", user, err)
	}
	disabled := true
	if _, err := u.Change(t.Context(), 2, UserChange{Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	if enter(Identity{User: user}) {
		t.Error("a user who was disabled meanwhile is let in")
	}
	agent := Identity{Exten: "801"}
	if !enter(agent) {
		t.Error("an agent is not let in")
	}
	u.End(agent)
	if enter(agent) {
		t.Error("an agent whose password was changed meanwhile is let in")
	}
	agent.version = u.versionOf("801")
	if !enter(agent) {
		t.Error("an agent is not let in with his new password")
	}
	if len(ended) != 3 || ended[1].User.ID != 2 || ended[2].Exten != "801" {
		t.Errorf("%+v", ended)
	}
}

// TestAdminComesBack: the password of the configuration lets the administrator in again, whatever has become of him, and nobody is made again.
func TestAdminComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	u, _, closed := openUsers(t, path, "correct horse")
	set := func(query string) {
		t.Helper()
		if err := u.store.Prepare(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(context.Background(), query)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	set(`UPDATE pbx_users SET disabled = 1, role = 'agent', login = 'admin'`)
	closed()
	u, _, closed = openUsers(t, path, "correct horse")
	u.knows(t, "admin", "correct horse", ErrDisabled) // it was his already: who disabled him meant it
	closed()
	u, _, closed = openUsers(t, path, "another horse")
	u.knows(t, "admin", "another horse", nil)
	set(`UPDATE pbx_users SET login = 'ann'`)
	closed()
	u, drawn, closed := openUsers(t, path, "")
	defer closed()
	if list, err := u.List(t.Context()); err != nil || drawn != "" || len(list) != 1 || list[0].Login != "ann" {
		t.Errorf("%v %+v %v", drawn, list, err)
	}
}

// TestNumbersDoNotQueue: an extension that there is, and one that there is not, are refused without a turn, so that the time tells nothing however
// many log in.
func TestNumbersDoNotQueue(t *testing.T) {
	r := newRig(t, newFake(t), filepath.Join(t.TempDir(), "b.db"))
	r.complete()
	u := runUsers(t)
	u.turn <- struct{}{} // somebody is tried, for long
	defer func() { <-u.turn }()
	for _, name := range []string{"801", "899"} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if _, err := u.Identify(ctx, r.sw, home, name, ""); !errors.Is(err, ErrPassword) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}
