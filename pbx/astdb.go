package pbx

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/dialbridge/dialbridge/ami"
)

// DBEntry is one entry of a family of AstDB, Asterisk's own small database.
type DBEntry struct{ Key, Value string }

// familyName is what a family may be called. A slash would make part of it a key, and Asterisk looks for a tree with
// SQL's LIKE.
var familyName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func isFamily(name string) bool { return len(name) <= 64 && familyName.MatchString(name) }

// DBTree returns all entries of a family, none when it does not exist. Keys are without the family and may hold
// slashes. Needs the privilege system or reporting, and command with an Asterisk that has no DBGetTree. Errors:
// InvalidError, ErrOffline, ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) DBTree(ctx context.Context, family string) ([]DBEntry, error) {
	if !isFamily(family) {
		return nil, &InvalidError{Field: "family", Reason: "not the name of a family"}
	}
	list, err := s.client.List(ctx, ami.NewAction("DBGetTree", "Family", family))
	var refused *ami.ResponseError
	if errors.As(err, &refused) && strings.HasPrefix(refused.Message, "Invalid/unknown command") {
		return s.dbShow(ctx, family)
	}
	if err != nil {
		return nil, translate(err)
	}
	entries := make([]DBEntry, 0, len(list))
	for _, m := range list {
		// LIKE takes an underscore for any character and knows no case, so others' entries may be among them.
		if key, ok := strings.CutPrefix(m.Get("Key"), "/"+family+"/"); ok {
			entries = append(entries, DBEntry{Key: key, Value: m.Get("Val")})
		}
	}
	return entries, nil
}

// dbShow is DBTree by way of the console, for an Asterisk before 16.24 or 18.10. Values lose the blanks at their end.
func (s *Switch) dbShow(ctx context.Context, family string) ([]DBEntry, error) {
	m, err := s.client.Do(ctx, ami.NewAction("Command", "Command", "database show "+family))
	if err != nil {
		return nil, translate(err)
	}
	var entries []DBEntry
	for _, line := range m.Output() {
		path, value, found := strings.Cut(line, ": ")
		key, ok := strings.CutPrefix(strings.TrimRight(path, " "), "/"+family+"/")
		if found && ok {
			entries = append(entries, DBEntry{Key: key, Value: strings.TrimRight(value, " ")})
		}
	}
	return entries, nil
}

// DBGet returns the value of one entry. Needs the privilege system or reporting. Errors: InvalidError, ErrNotFound,
// ErrOffline, ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) DBGet(ctx context.Context, family, key string) (string, error) {
	if err := dbKey(family, key); err != nil {
		return "", err
	}
	list, err := s.client.List(ctx, ami.NewAction("DBGet", "Family", family, "Key", key))
	var refused *ami.ResponseError
	if errors.As(err, &refused) && refused.Message == "Database entry not found" {
		return "", fmt.Errorf("%w: astdb %s/%s", ErrNotFound, family, key)
	}
	if err != nil {
		return "", translate(err)
	}
	for _, m := range list {
		if m.Event() == "DBGetResponse" {
			return m.Get("Val"), nil
		}
	}
	return "", &RefusedError{Text: "DBGet was answered without an entry"}
}

// DBPut sets the value of one entry, which is made if need be. Asterisk writes it to its disk within a second. Needs
// the privilege system. Errors: InvalidError, ErrOffline, ErrUnknown (it does no harm to repeat it), ErrForbidden,
// RefusedError.
func (s *Switch) DBPut(ctx context.Context, family, key, value string) error {
	if err := dbKey(family, key); err != nil {
		return err
	}
	_, err := s.client.Do(ctx, ami.NewAction("DBPut", "Family", family, "Key", key, "Val", value))
	return translate(err)
}

// DBDel removes one entry. Needs the privilege system. Errors: InvalidError, ErrNotFound, ErrOffline, ErrUnknown (it does
// no harm to repeat it), ErrForbidden, RefusedError.
func (s *Switch) DBDel(ctx context.Context, family, key string) error {
	if err := dbKey(family, key); err != nil {
		return err
	}
	_, err := s.client.Do(ctx, ami.NewAction("DBDel", "Family", family, "Key", key))
	var refused *ami.ResponseError
	if errors.As(err, &refused) && refused.Message == "Database entry could not be deleted" {
		// The same words stand for an entry that is not there and for a database that failed.
		if _, err := s.DBGet(ctx, family, key); err != nil {
			return err
		}
	}
	return translate(err)
}

// dbKey refuses what Asterisk would read as another family or key than was meant.
func dbKey(family, key string) error {
	if !isFamily(family) {
		return &InvalidError{Field: "family", Reason: "not the name of a family"}
	}
	if key == "" || len(key) > 200 || strings.Contains(key, "/") {
		return &InvalidError{Field: "key", Reason: "must have 1 to 200 bytes and no slash"}
	}
	return nil
}
