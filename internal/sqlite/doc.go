// Package sqlite keeps the daemon's database file: one writer that commits in groups, and a pool of readers.
//
// Everything that is written goes through [DB.Submit] and is committed by [DB.Run] in the order of submission. The writer takes
// all that waits into one transaction, so that a burst costs one fsync, and a single operation is committed at once. Each
// operation runs inside a savepoint: one that fails is undone alone. An operation is acknowledged only after the COMMIT that
// holds it has returned with synchronous=FULL, so what is acknowledged survives SIGKILL and the loss of power.
//
// A COMMIT that fails is not the end of its operations. They stay in memory and are tried again: after a full disk
// when space is back (a reserve file is given up to make room), after an I/O error on a fresh handle, because a handle
// whose fsync has failed says nothing about what reached the disk.
package sqlite
