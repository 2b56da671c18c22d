// Package lab runs a real Asterisk for tests and for the demo: 22 with chan_pjsip, 16 with chan_sip, or what the host has.
//
// Each run has its own loopback address and its own directories, so any number of them live side by side, and none of
// them outlives the process that started it: the kernel kills Asterisk when its owner dies, however that happens.
// README.md lists the numbers of the dialplan.
package lab
