// Package trial is what the tests of several packages share: faults that no parameter of a dialect may have, a log that can be read
// while it is written, and waiting. For tests only.
package trial
