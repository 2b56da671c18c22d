package pbx

import (
	"strings"
	"testing"
)

func TestLengths(t *testing.T) {
	for n, want := range map[int]bool{0: false, 1: true, 64: true, 65: false} {
		text := strings.Repeat("1", n)
		if isDialable(text) != want || isFamily(text) != want {
			t.Errorf("%d characters: %v, %v", n, isDialable(text), isFamily(text))
		}
	}
}
