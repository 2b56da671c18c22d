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
// That was chosen by measuring (BenchmarkDecode, on what a real Asterisk 22 sent, 536 bytes an event). Speed is given as a
// multiple of encoding/json into a struct of the same fields, which takes 22 allocations:
//
//	encoding/json, type and time only          2       8 allocations
//	scan, type only                           98       0
//	scan, type and time                       32       0
//	scan, type, and Decode of one in ten      25       0.1
//	scan, Decode of every event                4       2
//
// The whole way from the socket to the reader of the stream carries 450,000 events a second on a machine with two cores,
// 380,000 when each is decoded, and 850,000 when only the sixth of them that a daemon wants goes on and is decoded.
package ari
