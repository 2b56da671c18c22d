package pbx

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

var (
	// ErrExists says that what was to be made is there already, made here or by hand in Asterisk. It was not touched.
	ErrExists = errors.New("already exists")
	// ErrForeign says that Asterisk has it from somebody else's hand: it is used, and never changed from here.
	ErrForeign = errors.New("not made here")
	// ErrInUse says that something depends on what was to be removed.
	ErrInUse = errors.New("in use")
)

// LackError says what Asterisk would need for phones to be made in it. Nothing was changed.
type LackError struct{ What string }

// Error implements error.
func (e *LackError) Error() string { return "asterisk cannot take phones from here: " + e.What }

// Line is an extension that was made here and not by hand in Asterisk: what its phone needs, and what belongs to it.
type Line struct {
	Exten     Exten
	UUID      string
	Name      string // of the user by which its phone authenticates; "" = the number
	Password  string // of the phone, as it is typed there
	Context   string // dialplan context in which its calls begin: an outbound group
	Transfer  string // number that a call goes to which it does not answer, "" = none
	AutoLogin bool   // it is to be signed in to its queues when its phone registers
	AutoReady bool   // and ready when it has signed in
	Created   time.Time
	Updated   time.Time
	revision  int64
	queues    []QueueName // that it was last signed in to
}

// String keeps the password out of every text.
func (l Line) String() string { return "line " + string(l.Exten) }

// maxPassword is what is kept well below the line of an action, whatever has to be added to it.
const maxPassword = 64

var (
	lineNumber = regexp.MustCompile(`^[0-9A-Za-z]{1,32}$`)
	lineName   = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._@+-]{0,63}$`)
	groupName  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,79}$`)
)

// check says what is wrong with a line that is to be written for a driver.
func (l *Line) check(rules *Rules, tech string) error {
	switch {
	case !rules.isExten(string(l.Exten)) || !lineNumber.MatchString(string(l.Exten)):
		return &InvalidError{Field: "extension", Reason: "not an extension number"}
	case !lineName.MatchString(l.Name):
		return &InvalidError{Field: "name", Reason: "must be 1 to 64 of letters, digits and . _ @ + -"}
	case tech == "SIP" && l.Name != string(l.Exten):
		return &InvalidError{Field: "name", Reason: "must be the extension number, by which chan_sip knows a phone"}
	case l.Transfer != "" && (!rules.dials(l.Transfer) || l.Transfer == string(l.Exten)):
		return &InvalidError{Field: "transfer", Reason: "number may not be dialled"}
	}
	if reason := passwordFault(l.Password); reason != "" {
		return &InvalidError{Field: "password", Reason: reason}
	}
	return checkContext(l.Context)
}

// passwordFault says what no phone or no file of Asterisk could hold, "" for nothing. Every other text comes through: tried with
// comments, escapes, brackets, arrows and Chinese on chan_sip and PJSIP.
func passwordFault(password string) string {
	switch {
	case password == "" || len(password) > maxPassword:
		return "must have 1 to " + strconv.Itoa(maxPassword) + " bytes"
	case !utf8.ValidString(password) || strings.ContainsFunc(password, unicode.IsControl):
		return "must be printable UTF-8"
	case strings.TrimSpace(password) != password:
		return "must not begin or end with a blank"
	}
	return ""
}

func checkContext(name string) error {
	if !groupName.MatchString(name) || strings.HasPrefix(name, ownPrefix) {
		return &InvalidError{Field: "context", Reason: "must be 1 to 79 of letters, digits, _ and -, and not begin with " + ownPrefix}
	}
	return nil
}
