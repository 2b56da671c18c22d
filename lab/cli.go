package lab

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// CLI runs a command of Asterisk's console ("asterisk -rx") and returns what it printed. A command that Asterisk does
// not know is an error.
func (l *Lab) CLI(ctx context.Context, command string) (string, error) {
	cmd := l.asterisk(ctx, "-rx", command)
	cmd.WaitDelay = time.Second
	output, err := cmd.CombinedOutput()
	text := strings.TrimRight(string(output), "\n")
	if err != nil {
		return text, fmt.Errorf("lab cli %q: %w: %s", command, err, text)
	}
	if strings.HasPrefix(text, "No such command") {
		return text, fmt.Errorf("lab cli %q: %s", command, text)
	}
	return text, nil
}

// CommandLine is the shell command that runs a command of this Asterisk's console.
func (l *Lab) CommandLine(command string) string {
	return fmt.Sprintf("%sx '%s'", l.Console(), command)
}

// ConsoleCommand is the program, with its arguments, that runs a command of this Asterisk's console after -rx.
func (l *Lab) ConsoleCommand() string { return strings.TrimSuffix(l.Console(), " -r") }

// Console is the shell command that opens this Asterisk's console.
func (l *Lab) Console() string {
	chroot := ""
	if l.installation.chroot != "" {
		chroot = "chroot " + l.installation.chroot + " "
	}
	return fmt.Sprintf("%s%s -C %s/etc/asterisk.conf -r", chroot, l.installation.binary, l.inside)
}

// logTail is the end of Asterisk's log, or of its console's output when it did not come so far.
func (l *Lab) logTail(lines int) string {
	text, err := os.ReadFile(l.LogFile)
	if err != nil || len(text) == 0 {
		text, err = os.ReadFile(strings.TrimSuffix(l.LogFile, "full") + "console")
	}
	if err != nil {
		return err.Error()
	}
	var told strings.Builder
	for line := range strings.Lines(string(text)) {
		if !isRegistration(line) {
			told.WriteString(line)
		}
	}
	return tail(told.String(), lines)
}

// isRegistration tells the thousand lines that Asterisk 16 writes about what its modules bring.
func isRegistration(line string) bool {
	return strings.Contains(line, "VERBOSE[") &&
		(strings.Contains(line, "egistered ") || strings.Contains(line, " loader.c:"))
}

// tail is the last lines of a text.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
