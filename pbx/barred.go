package pbx

import (
	"context"
	"strings"
)

// BarredError says which parameter of a command is a number that may not be called.
type BarredError struct{ Field string }

// Error implements error.
func (e *BarredError) Error() string { return e.Field + ": number is on the black list" }

// mayCall refuses a number that may not be called, before Asterisk hears of it. An extension is not asked for: what is
// barred is the way out. Asterisk skips dashes when it looks a number up in the dialplan (pbx.c, _extension_match_core), so
// they make no other number.
func (s *Switch) mayCall(ctx context.Context, rules *Rules, field, number string) error {
	if s.barred == nil || rules.isExten(number) {
		return nil
	}
	barred, err := s.barred(ctx, strings.ReplaceAll(number, "-", ""))
	if err == nil && barred {
		err = &BarredError{Field: field}
	}
	return err
}

// DialledOut returns the number that a phone of this PBX has dialled to begin a call, "" when the call began otherwise or is
// one to an extension.
func (s *Switch) DialledOut(c Call) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rules := s.state.rules
	if c.First.Called || rules.extenOf(c.First.Device()) == "" || rules.isExten(c.First.Dialled) {
		return ""
	}
	return c.First.Dialled
}
