// Package bridge runs the daemon and a receiver of its events beside a lab: the whole chain from a telephone to the
// customer's URL, for tests and for the demo.
package bridge
