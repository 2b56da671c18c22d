package blacklist

import (
	"strings"
	"testing"
)

func TestLengthOfNumbers(t *testing.T) {
	for n, want := range map[int]bool{0: false, 1: true, 32: true, 32 + 1: false} {
		if got := isNumber(strings.Repeat("1", n)); got != want {
			t.Errorf("%d characters: %v", n, got)
		}
	}
}
