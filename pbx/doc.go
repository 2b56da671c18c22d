// Package pbx is the core: the live picture of one Asterisk and the verbs that change it.
//
// # Vocabulary
//
// A channel is one leg between Asterisk and a device or trunk; Asterisk names it (PJSIP/801-0000000a) and gives it a
// Uniqueid. A call is everything that belongs to one conversation from its first channel to the end of its last one:
// through queues, transfers and parking it keeps the id it was first seen with, the Linkedid of its first channel.
// A leg is one attempt to ring a device on behalf of a call; it begins with DialBegin and ends with DialEnd.
// An extension is an internal number; its state is what a lamp on a phone would show (RFC 4235 dialog state, as far
// as Asterisk's hints tell it). A device is what Asterisk can dial (PJSIP/801); a hint ties an extension to devices.
// A Local channel is no device but a loop through the dialplan; it takes part in a call and is never reported.
//
// # Data flow
//
// Switch.Run reads the ordered stream of one ami.Client and is the only writer of the picture. Each AMI event changes
// the state and may make typed events (Event), which go to subscribers with rising sequence numbers. On every login
// the picture is rebuilt from full queries and the differences are told as the same events, so that a subscriber need
// not know that the link was down. Open calls are stored, so that a call whose end happened while the daemon was not
// running still gets its CallEnded.
package pbx
