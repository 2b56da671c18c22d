// Package console is what a person looks after the daemon with: an HTTP interface below /console/api, outside of all dialects.
// README.md is its contract.
package console
