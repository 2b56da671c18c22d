package blacklist

import (
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dialbridge/dialbridge/pbx"
)

// Way says which calls a listed number is shut out of. Ways add up.
type Way uint8

// The ways.
const (
	Inbound  Way = 1 << iota // calls from the number
	Outbound                 // calls to the number
	Both     = Inbound | Outbound
)

// Entry is one listed number.
type Entry struct {
	Number    string
	UUID      string // constant from the moment when the number was listed until it is listed no more
	Ways      Way    // never 0
	Note      string
	CreatedAt time.Time
}

const maxNote = 255 // characters

var numberForm = regexp.MustCompile(`^[0-9+*#]+$`)

func isNumber(text string) bool { return len(text) <= 32 && numberForm.MatchString(text) }

// clean returns a number without the blanks around it, or a *pbx.InvalidError.
func clean(number string) (string, error) {
	number = strings.TrimSpace(number)
	if !isNumber(number) {
		return "", &pbx.InvalidError{Field: "number", Reason: "must be 1 to 32 of the characters 0-9 + * #"}
	}
	return number, nil
}

func checkNote(note string) error {
	if !utf8.ValidString(note) || strings.ContainsFunc(note, unicode.IsControl) || utf8.RuneCountInString(note) > maxNote {
		return &pbx.InvalidError{Field: "note", Reason: "must be UTF-8 of at most 255 characters without control characters"}
	}
	return nil
}

func checkWays(ways Way) error {
	if ways == 0 || ways&^Both != 0 {
		return &pbx.InvalidError{Field: "direction", Reason: "must be inbound, outbound or both"}
	}
	return nil
}

// noteFrom makes a note of the value that an entry of AstDB has: FreePBX keeps a description there.
func noteFrom(value string) string {
	if value == astdbValue || checkNote(value) != nil {
		return ""
	}
	return value
}
