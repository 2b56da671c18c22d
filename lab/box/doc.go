// Package box boots a customer's machine: a Debian with systemd and a stock Asterisk, in namespaces of its own, from a
// root directory that stays as it is. The package of dialbridge is installed, upgraded and purged in it, and its unit runs under the
// systemd it was written for.
//
// It needs root and a kernel with overlayfs and cgroup v2. What is written there is in memory and gone with the box; the network
// has a loopback and an interface that leads nowhere.
package box
