// Package coocenter speaks the /coocenter-api dialect: it pushes the events of the core to the customer's URL and turns
// the dialect's requests into the core's verbs. README.md beside this file is the dialect's contract.
package coocenter
