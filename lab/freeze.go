package lab

import (
	"fmt"
	"syscall"
)

// Freeze stops Asterisk's process as it is (SIGSTOP): its connections stay open and nothing is answered, as on a machine
// that hangs. CLI and Stop do not work until Thaw; Kill and Close do. It returns ErrStopped if Asterisk is not running.
func (l *Lab) Freeze() error { return l.signal(syscall.SIGSTOP) }

// Thaw lets a frozen Asterisk go on (SIGCONT). It returns ErrStopped if Asterisk is not running.
func (l *Lab) Thaw() error { return l.signal(syscall.SIGCONT) }

func (l *Lab) signal(s syscall.Signal) error {
	p := l.running()
	if p == nil {
		return ErrStopped
	}
	if err := syscall.Kill(-p.cmd.Process.Pid, s); err != nil {
		return fmt.Errorf("lab: asterisk: %w", err)
	}
	return nil
}
