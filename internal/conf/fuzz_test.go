package conf

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParse demands of any text: no panic, faults that are short, plain and in
// the order of the lines, and of a good text that String is a file again that
// says the same.
func FuzzParse(f *testing.F) {
	example, err := os.ReadFile(examplePath)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Add([]byte("\uFEFF[general]\r\nBINDPORT = 1 ; x\r\n[ivr]\r\na-b = 1, x\r\n"))
	f.Add([]byte("[store]\nkeep=65535d999999h\nmax_size=9007199254740992KiB\n[http]\nallow=::ffff:10.0.0.0/8,1.1.1.1\n"))
	f.Add([]byte("[general]\nURL=http://u:p@[::1%25lo]:1/?#\nbindaddr=[]\n[calls]\nextensions=(?i:a{2,1})\n"))
	f.Add([]byte("[\xff]\n\x00=\n=\n[]\n[ami]\nping=1e9h\nPING=\"\""))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse("f", text, nil)
		if err != nil {
			checkFaults(t, err)
			return
		}
		shown := c.String()
		// String puts a blank before a value, so that one with a comment sign at
		// its start shows as a comment.
		if strings.Contains(shown, mask) || bytes.ContainsAny(text, "#;") {
			return
		}
		again, err := Parse("f", []byte(shown), nil)
		if err != nil {
			t.Fatalf("%q shows as\n%s\nwhich fails: %v", text, shown, err)
		}
		if again.String() != shown {
			t.Fatalf("%q shows as\n%s\nand then as\n%s", text, shown, again)
		}
	})
}

func checkFaults(t *testing.T, err error) {
	t.Helper()
	list, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%T is no list of faults", err)
	}
	last := 0
	for _, fault := range list.Unwrap() {
		var own *Error
		if !errors.As(fault, &own) || own.Line < last {
			t.Fatalf("fault %v after line %d", fault, last)
		}
		last = own.Line
		if s := fault.Error(); len(s) > 600 || !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\x00\x1b") {
			t.Fatalf("fault %q", s)
		}
	}
}
