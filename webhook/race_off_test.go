//go:build !race

package webhook

// memoryFactor is how much more memory a program takes with the race detector in it.
const memoryFactor = 1
