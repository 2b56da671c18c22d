package trial

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"
)

// Log is a log that can be read while it is written. The zero value is ready.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns what was logged so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// patience is how long Until waits.
const patience = 20 * time.Second

// Until waits for a condition that nothing can be awaited for. When it does not come the test fails, with what log has.
func Until(t testing.TB, log fmt.Stringer, what string, ok func() bool) {
	t.Helper()
	deadline, look := time.NewTimer(patience), time.NewTicker(2*time.Millisecond)
	defer deadline.Stop()
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-deadline.C:
			t.Fatalf("waited %s for %s; the log:\n%s", patience, what, log)
		}
	}
}
