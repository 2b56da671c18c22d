package bridge

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// CPUTime reads utime and stime of a process (proc(5)), which count in ticks of 10 ms. It is the kernel's own count, so that
// other work on the machine does not matter.
func CPUTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("stat of process %d: %d fields", pid, len(fields))
	}
	ticks := 0
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// Resident reads the resident size of a process in MiB.
func Resident(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(v)[0])
			return float64(kb) / 1024, err
		}
	}
	return 0, fmt.Errorf("process %d has no VmRSS", pid)
}

// Working reads what a process works with, in MiB: its own memory, and those pages of program files that it has used since
// [Unreference] (proc(5), smaps). Unlike [Resident] it does not hold pages of a file's cache that the kernel mapped
// around those in use, which newer kernels do by the megabyte, and which cost nothing.
func Working(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		return 0, err
	}
	kb, referenced := 0, 0
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		if name != "Referenced" && name != "Anonymous" {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")))
		if err != nil {
			return 0, fmt.Errorf("smaps of process %d: %w", pid, err)
		}
		if name == "Referenced" { // which comes before Anonymous in each mapping
			referenced = n
		} else {
			kb += max(n, referenced)
		}
	}
	if kb == 0 {
		return 0, fmt.Errorf("smaps of process %d tells of no page", pid)
	}
	return float64(kb) / 1024, nil
}

// Unreference makes the kernel forget which pages a process has used; see [Working].
func Unreference(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("1"), 0)
}
