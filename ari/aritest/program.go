package aritest

import (
	"fmt"
	"testing"
)

// Launch is Start for a program that is no test, such as an example or a demonstration: the caller closes the server, and
// what would fail a test panics.
func Launch(options ...Options) *Server { return Start(program{}, options...) }

// A program stands where a Server has its test.
type program struct{ testing.TB }

// Helper has nothing to say.
func (program) Helper() {}

// Cleanup leaves it to the caller.
func (program) Cleanup(func()) {}

// Fatalf panics.
func (program) Fatalf(format string, args ...any) { panic("aritest: " + fmt.Sprintf(format, args...)) }
