package conf

import (
	"strings"
	"testing"
)

func TestLengths(t *testing.T) {
	for _, test := range []struct {
		name string
		is   func(string) bool
		most int
	}{{"word", isWord, 79}, {"host", isHost, 253}} {
		for n, want := range map[int]bool{0: false, 1: true, test.most: true, test.most + 1: false} {
			if got := test.is(strings.Repeat("a", n)); got != want {
				t.Errorf("%s of %d characters: %v", test.name, n, got)
			}
		}
	}
	for n, want := range map[int]bool{1: true, 64: true, 65: false} {
		var c Config
		if fault := c.addMenu(entry{name: "x", value: strings.Repeat("ä", n) + ", name"}, &Error{}); (fault == nil) != want {
			t.Errorf("menu of %d characters: %v", n, fault)
		}
	}
}
