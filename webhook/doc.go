// Package webhook delivers events to one receiver or several by POST, durably, in order within a key, at least once.
//
// An [Outbox] stores events in the database; [Outbox.Put] calls back once they are committed. A [Sender] takes them from there,
// makes one attempt at a time for each key and several keys at once, and marks what was delivered. After a crash everything
// that is not marked is sent again, under the same id. An event is stored once for each receiver that wants it, and [Senders] has a
// sender for each: they share the file and nothing else.
//
// Only a 2xx answer is delivery. Everything else is either the endpoint's failure (the event is tried again for as long as it
// takes) or a refusal of the event itself (after a few attempts it becomes a dead letter that can be looked at and replayed).
// When the endpoint fails for all, sending stops but for one probe now and then.
//
// Headers and signature follow the Standard Webhooks specification. Package webhook knows nothing of telephony.
package webhook
