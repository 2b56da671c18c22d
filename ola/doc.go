// Package ola speaks the HTTP interface of the Tianrun IPPBX: it turns the dialect's requests into the core's verbs. README.md beside
// this file is the dialect's contract.
package ola
