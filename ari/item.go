package ari

import "time"

// An ItemKind says what an Item is.
type ItemKind uint8

// The kinds of items. ItemConnected and ItemDisconnected come in pairs around the events of one connection.
const (
	ItemEvent        ItemKind = iota // an event of Asterisk
	ItemConnected                    // Asterisk has taken us as the application
	ItemDisconnected                 // the connection is gone; events are missed until the next ItemConnected
)

// An Item is one thing that happened on the connection.
type Item struct {
	Kind  ItemKind
	Event Event     // of an ItemEvent
	At    time.Time // when it was read from the socket
	Gap   bool      // of an ItemEvent: what came before it was no event or too long, so that one may be missing
	Err   error     // of an ItemDisconnected: why
}

// itemSize is what an item is counted with in the bound of the stream, besides its text.
const itemSize = 128

// names keeps one string for each type that was seen, so that a type can be shown to Want without making one.
type names map[string]string

// These bound names: Asterisk has some 50 types of at most 26 letters, a broken peer any number of any length.
const (
	maxNames = 256
	maxName  = 64
)

func (n names) of(name []byte) string {
	if s, ok := n[string(name)]; ok {
		return s
	}
	s := string(name)
	if len(n) < maxNames && len(name) <= maxName {
		n[s] = s
	}
	return s
}
