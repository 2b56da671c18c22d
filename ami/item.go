package ami

import "time"

// An ItemKind says what an Item is.
type ItemKind uint8

// The kinds of items. ItemConnected and ItemDisconnected come in pairs around the events of one connection.
const (
	ItemEvent        ItemKind = iota // an event of Asterisk
	ItemConnected                    // the login was accepted
	ItemDisconnected                 // the connection is gone; events may have been missed until the next ItemConnected
	ItemSync                         // the answer to a Sync: all that Asterisk sent before it stands before this item
)

// An Item is one thing that happened on the link.
type Item struct {
	Kind    ItemKind
	Message Message   // of an ItemEvent
	At      time.Time // when it was read from the socket; the same for all of one read
	Gap     bool      // of an ItemEvent: what stood on the wire before it was torn or too long; an event may be missing
	Mark    uint64    // of an ItemSync: what Sync was called with
	Version string    // of an ItemConnected: the AMI version of the banner, such as "11.0.0"
	Err     error     // of an ItemDisconnected: why
}

// itemSize is what an item is counted with in the bound of the stream, besides its text.
const itemSize = 96

// names keeps one string for each event name that was seen, so that a name can be shown to Want without making one.
// Most names are found in recent, without the hash of a map.
type names struct {
	known  map[string]string
	recent [64]string
}

// These bound names: Asterisk has some 200 events of at most 27 letters, a broken peer any number of any length.
const (
	maxNames = 1024
	maxName  = 64
)

func (n *names) of(name []byte) string {
	recent := &n.recent[0]
	if len(name) > 0 {
		recent = &n.recent[(len(name)*7+int(name[len(name)-1])+int(name[len(name)/2])*3)%len(n.recent)]
	}
	if *recent == string(name) {
		return *recent
	}
	if len(name) > maxName {
		return string(name)
	}
	s, ok := n.known[string(name)]
	if !ok {
		s = string(name)
		if len(n.known) < maxNames {
			n.known[s] = s
		}
	}
	*recent = s
	return s
}
