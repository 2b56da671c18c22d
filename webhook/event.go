package webhook

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Never as [Event.Weight] keeps an event when the file is full, whatever it costs.
const Never = math.MaxInt32

const (
	maxIDLength = 255
	maxBody     = 16 << 20
)

// ErrEvent is wrapped by what Put reports of an event that cannot be stored.
var ErrEvent = errors.New("webhook: unusable event")

// Event is one message to the receiver.
type Event struct {
	ID     string    // derived by the producer, constant for ever, printable ASCII; a second Put of the same ID is a no-op
	Kind   string    // "cdr", "hangup" ...: a label of metrics and logs
	Key    string    // order is kept among events of one Key; "" = independent of all others
	Body   []byte    // sent as it is; must not be changed after Put
	At     time.Time // when its cause was seen, for the latency; zero = now
	Newest bool      // while undelivered and the receiver is down, a newer Newest event of the same Key replaces it
	Weight int       // what is dropped first when the file is full: lower goes first; Never is never dropped
	TTL    bool      // Target.TTL applies
}

// check refuses what could never be sent, so that it does not become a stuck line.
func (e *Event) check() error {
	if e.ID == "" || len(e.ID) > maxIDLength {
		return fmt.Errorf("%w: id of %d bytes", ErrEvent, len(e.ID))
	}
	for i := range len(e.ID) {
		if c := e.ID[i]; c <= ' ' || c > '~' {
			return fmt.Errorf("%w: id %q holds more than printable ASCII", ErrEvent, e.ID)
		}
	}
	if len(e.Body) > maxBody {
		return fmt.Errorf("%w: body of %d bytes, at most %d", ErrEvent, len(e.Body), maxBody)
	}
	return nil
}
