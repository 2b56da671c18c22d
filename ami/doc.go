// Package ami is a client of the Asterisk Manager Interface: one TCP (or TLS) connection that logs in, reads the
// events of the exchange in order, carries actions and their answers, and is built again whenever it is lost.
//
// A [Client] is made by [New] and lives in [Client.Run]. Everything that happens on the link comes out of
// [Client.Stream] in the order of the wire: an [ItemConnected], the events, an [ItemDisconnected]. Actions go in
// by [Client.Do] and [Client.List] from any number of goroutines.
//
// A [Reader] takes messages off any stream of bytes, a recording for instance, without a client: [Reader.Next] as owned
// values, [Reader.View] where they lie in its buffer.
//
// The package knows the wire and nothing of telephony: what an event means is decided by its reader. It needs nothing but
// the standard library; package amitest has an Asterisk to test against.
//
// # The grammar
//
// A message is a run of lines that end in CR LF, closed by an empty line. The name of a header is all that stands
// before the first colon of its line, its value is the rest without one leading blank. Nothing else is assumed:
// names may hold any byte and repeat, a bare LF or CR is part of the value, a line without a colon is kept (it has
// the name ""), bytes need not be UTF-8, and empty messages are nothing. This is what Asterisk 16 to 22 send. A message
// may have 4 MiB; what is longer is passed over and counted.
//
// Asterisk itself breaks this grammar at times: it leaves an event in the middle and begins the next. The Client cuts the
// two apart, and sets Gap on the next event, as it does behind anything that was torn or too long.
//
// # What may be lost
//
// Nothing uncounted. The reader of the socket never waits for who takes the events; up to [Options].Queue bytes wait for
// him, and when they are not enough the connection is given up ([ErrStuck]) rather than an event dropped. Between an
// ItemDisconnected and the next ItemConnected events are missed, and the state that they would have told is to be asked for.
// [Stats] counts whatever came and was not handed over.
//
// # The outcome of an action
//
// An action that was never written fails with [ErrOffline] and may be repeated. One that was written and got no
// answer fails with [ErrUnknown]: Asterisk may have carried it out, so only its caller can say what to do. An answer
// "Error" is a [*ResponseError].
package ami
