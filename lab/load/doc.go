// Package load makes the manager interface of an Asterisk that is busier than telephones can make one: a captured call, made any
// number of times a second between any number of extensions. What it sends is what Asterisk sent, but for names, numbers, ids and
// times.
package load
