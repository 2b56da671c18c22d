// Package etc reads the configuration files of Asterisk with what they include, changes single lines of such files
// and leaves the rest as it is, and replaces a file so that at each moment there is a whole one.
package etc
