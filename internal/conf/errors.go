package conf

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Error is one fault of the configuration. Several of them are joined by
// [errors.Join] in the order of the file, those of the environment last.
type Error struct {
	File     string // as given to Load
	Line     int    // 1 and up; 0 where the fault is of the file as a whole
	Variable string // the environment variable at fault; then there is no Line
	Section  string // lower case, "" when unknown
	Key      string // as the documentation spells it, "" when the fault is of no key
	Reason   string // what is wrong and what would be right; never a secret
	Err      error  // the cause where there is one: errors.Is(err, fs.ErrNotExist)
}

// Error returns "file:line: [section] key: reason".
func (e *Error) Error() string {
	text := e.place()
	switch {
	case e.Key != "" && e.Section != "":
		text += fmt.Sprintf(": [%s] %s", e.Section, e.Key)
	case e.Key != "":
		text += ": " + e.Key
	case e.Section != "":
		text += fmt.Sprintf(": [%s]", e.Section)
	}
	return text + ": " + e.Reason
}

// Unwrap returns the cause, nil where there is none.
func (e *Error) Unwrap() error { return e.Err }

func (e *Error) place() string {
	switch {
	case e.Variable != "":
		return "environment variable " + e.Variable
	case e.Line > 0:
		return fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	return e.File
}

// join sorts the faults into reading order and makes one error of them.
func join(faults []*Error) error {
	slices.SortStableFunc(faults, func(a, b *Error) int {
		if (a.Variable == "") != (b.Variable == "") {
			if a.Variable == "" {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Line, b.Line)
	})
	list := make([]error, len(faults))
	for i, fault := range faults {
		list[i] = fault
	}
	return errors.Join(list...)
}
