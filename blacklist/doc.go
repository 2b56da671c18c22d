// Package blacklist keeps the numbers that may not call in, or not be called, and sees to it that Asterisk knows them.
//
// # Where the truth is
//
// A number is listed for calls from it (Inbound), for calls to it (Outbound), or for both. The table in SQLite is the
// truth. It is written through to two families of AstDB, blacklist and blacklist_out, with the value 1, because the
// dialplan asks there by itself, also while the daemon is down:
//
//	exten => _X.,1,ExecIf($[${BLACKLIST()}]?Hangup(21))                         ; stock func_blacklist, inbound
//	exten => _0X.,1,ExecIf($[${DB_EXISTS(blacklist_out/${EXTEN})}]?Hangup(21))  ; outbound
//
// A change is told as done when SQLite has it. Asterisk is told at once when it is connected, and the call returns when
// Asterisk has taken it, or after two seconds; an Asterisk that is away is told when it is back. So the vendor's texts,
// which are those of the manager actions DBPut and DBDel, are true of the list at any time, and of AstDB as soon as
// there is one.
//
// # Two writers
//
// Feature codes on phones (*30 and the like), the console and FreePBX write AstDB without telling anybody. AstDB is
// therefore compared with the table after every connection, every few minutes, and before the list is shown. For each
// number and way the table knows whether it is listed, and whether AstDB had it when both were last written ("marked").
//
//	listed  marked  in AstDB       means                                   what is done
//	yes     no      -              added here, not told yet                DBPut
//	no      yes     -              removed here, not told yet              DBDel
//	yes     yes     yes            settled                                 -
//	yes     yes     no             taken off on a phone                    removed from the table
//	no      no      yes            entered on a phone                      added to the table
//	no      no      no             settled                                 -
//
// The last three lines hold only for an AstDB that has all that was written to it. Asterisk writes AstDB once a second,
// so a crash loses the last second; and a machine that is set up anew, or from a backup, has an AstDB that never saw
// the table. So each batch ends with a token in AstDB (family dialbridge, key blacklist), and the table remembers it. With
// another token than the last one the rules are: what is listed and not there is written again; what is there
// and not listed is added, unless it was removed within the last day, then it is removed again. Nothing that was listed
// on either side is lost, and at worst a number that was taken off on a phone in those moments comes back.
//
// Keys in these families that are no numbers (FreePBX keeps "dest" and "blocked" there) are nobody's business here:
// they are neither shown nor touched.
//
// # What a number is
//
// One to 32 of the characters 0-9 + * #. Blanks around it are dropped, and nothing else is made of it: +98912..., 0098912... and
// 0912... are three numbers, because Asterisk's own check compares letter by letter, and the guard must not
// refuse whom the dialplan lets in. List a number as the trunk shows it.
//
// # The guard
//
// Where the dialplan has no check, the guard (Options.Guard) ends inbound calls of listed numbers with cause 21. It sees the
// number that the trunk showed at the beginning of the call, before any rewriting by the dialplan, and the calls that
// begin in the inbound contexts of the switch. It ends a call before it is answered or not at all: a caller who got
// through while the link was down is not cut off. It does not see a call of an analogue line whose number comes
// after the first ring, nor, with chan_sip, one that comes in for the extension s.
//
// It ends a call that a phone of an extension begins to a listed number in the same way. It sees the number that the phone
// sent, with the digit that gets a line, if there is one: list the number as phones dial it. The called phone may ring
// for a moment, because the dialplan does not wait for the guard. A call that goes on to a listed number later, by a transfer on
// the phone or by a forwarding, is left to the dialplan.
//
// # Our own dialling
//
// What the daemon dials itself (pbx.Switch.Dial, Transfer, Consult) is refused by the table with *pbx.BarredError before
// anything is sent, whether the guard is on or not: Barred is what pbx.Options.Barred asks. An extension is called though it is
// listed; so does the guard: what is barred is the way out.
//
// # For a dialect
//
// A dialect that has one flag for the direction uses: Add for an entry, which adds to the ways a number has (Inbound
// and then Outbound is Both; Inbound where there is Both changes nothing); Remove with the way it was given, or with Both where it was
// given none, which leaves the other half of Both; Set for a replacement; and List with Filter{Ways, Exact, Contains, After,
// Limit} for an exact flag, a part of the number, and a page. A dialect that knows calls from a number only uses Inbound
// everywhere, without Exact, and never sees or changes the other way.
package blacklist
