// Package ari is a client of the Asterisk REST Interface: typed calls over HTTP, and one WebSocket on which Asterisk
// tells what happens. It knows the wire and no rules of telephony.
//
// A [Client] is made by [New]. Its calls ([Client.Originate], [Client.Snoop] ...) work at any time. Events come while
// [Client.Run] runs: it connects, reads, notices a silent peer, and connects again whenever the socket is lost. All that
// happens comes out of [Client.Stream] in the order of the wire: an [ItemConnected], the events, an [ItemDisconnected].
//
// # Vocabulary
//
//   - An application is the name under which a program listens. One name has one listener: a second one takes it over,
//     and the first is told so ([ErrReplaced]) and then hears nothing more.
//   - A channel is in Stasis while the application has the say over it; most commands need that ([ErrNotInStasis]).
//     A channel that the dialplan has may be hung up, asked for variables and snooped upon.
//   - A bridge is where channels hear each other. A snoop is a channel that hears, or whispers to, another one.
//   - An id is chosen by the caller ([NewID]), so that he knows what to look for when the outcome of a call is unknown.
//     Asterisk refuses an id that is in use ([ErrConflict]).
//   - A stored recording is a file; a live one is still being written.
//   - A dynamic object is a piece of configuration that lives in a database of Asterisk and counts without a reload.
//
// # The outcome of a call
//
// A failed call is an [*Error], or an [*ArgumentError] when we have refused it ourselves. What was never sent is
// [ErrOffline] and may be repeated. What was sent and got no answer is [ErrUnknown] when it was to change something:
// Asterisk may have carried it out, so only its caller can say what to do. A status is Asterisk's refusal: nothing was
// done. [Error.Repeatable] sums this up.
//
// Errors also tell apart what a person would mend in different places: Asterisk's HTTP server, ari.conf, the password,
// or nothing but patience. Neither the password nor the URL is part of an error or of a log line.
//
// # Decoding
//
// An event's type and time are found by a scan of its top level, before anything is decoded; what [Options.Want]
// refuses costs nothing else. An [Event] keeps its text, and [Event.Decode] takes out of it what this package knows, by
// the same scan, without copying strings.
//
// That was chosen by measuring, against encoding/json, its second version and other decoders: docs/performance.md has the
// numbers. On what a real Asterisk 22 sent, the type of an event is found 125 times as fast as encoding/json decodes it into
// a struct of the same fields, and Decode is 4 times as fast, with 2 or 3 allocations instead of 22 (BenchmarkDecode).
//
// # What may be lost
//
// Nothing uncounted. The reader of the socket never waits for who takes the events; up to [Options].Queue bytes wait for
// him, and when they are not enough the connection is given up ([ErrStuck]) rather than an event dropped. [Stats] has a
// count for every message that came.
package ari
