package main

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
)

// TestGreeted: a port that takes a connection without a word, and no further one, is shut.
func TestGreeted(t *testing.T) {
	for name, test := range map[string]struct {
		word string
		last bool // connection that the port takes
		shut bool
	}{
		"a manager":                       {"Asterisk Call Manager/7.0.3\r\n", false, false},
		"closed, but for one connection":  {"", true, true},
		"open to others, and not to this": {"", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			var lc net.ListenConfig
			l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					if test.last {
						_ = l.Close()
					}
					_, _ = io.WriteString(conn, test.word)
					_ = conn.Close()
				}
			}()
			err = greeted(t.Context(), l.Addr().String())
			_ = l.Close()
			<-done
			if errors.Is(err, syscall.ECONNREFUSED) != test.shut || (err == nil) != (test.word != "") {
				t.Errorf("greeted: %v", err)
			}
		})
	}
}
