// Package audit keeps who has ordered and taken what: one entry for each command, each attempt to log in, and whatever was read that is worth
// one, whichever interface it came by. It knows neither telephony nor HTTP: what is worth an entry is for others to say.
package audit

import "time"

// Bounds of what is kept.
const (
	// MaxAge is how long an entry is kept.
	MaxAge = 180 * 24 * time.Hour

	mostEntries = 100_000
	mostRefused = 10_000      // of them, so that who is refused again and again drives nothing else out
	mostTaken   = 50_000      // of them, so that a program that takes each recording leaves room for commands
	leastKept   = 1000        // however full the disk is
	mostWaiting = 4096        // for the database; beyond it entries are lost, which is counted
	longestText = 256         // bytes of one value
	mostParams  = 32          // of one entry
	pruneEvery  = 64          // entries
	sayEvery    = time.Minute // how often a loss is logged
)

// Entry is one command, one attempt to log in, or something that was taken.
type Entry struct {
	Seq       int64             `json:"seq"`
	At        time.Time         `json:"at"`
	Who       string            `json:"who"`    // a user's login, an extension, or how else he is known; "" = nobody who is known
	Remote    string            `json:"remote"` // his address
	Action    string            `json:"action"` // "POST /route/:of", "socket dial"
	Params    map[string]string `json:"params,omitempty"`
	Status    int               `json:"status"`              // of the answer, as HTTP has it
	BrokeOff  string            `json:"broke_off,omitempty"` // why the answer ended before its end, in a word; "" = it did not
	Taken     bool              `json:"-"`                   // nothing was ordered: something was read that is worth an entry
	RequestID string            `json:"request_id"`
}

// Filter chooses entries; a zero field chooses all.
type Filter struct {
	Who    string // exactly
	Remote string // exactly
	Action string // anywhere in it
	Failed bool   // those with a status of 400 and up, and those that broke off, alone
	Since  time.Time
	Until  time.Time // not included
	Before int64     // of a smaller Seq
	Limit  int       // 1 to 1000; 0 = 100
}
