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
func Resident(pid int) (float64, error) { return sizeOf(pid, "VmRSS") }

// Own reads the memory of a process that is its own and no page of a file's cache, in MiB. Newer kernels map nearly the whole program file from the
// cache, used or not, so that [Resident] tells little of the process.
func Own(pid int) (float64, error) { return sizeOf(pid, "RssAnon") }

// sizeOf reads a size that the kernel tells of a process (proc(5)), in MiB.
func sizeOf(pid int, name string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			kb, err := strconv.Atoi(strings.Fields(v)[0])
			return float64(kb) / 1024, err
		}
	}
	return 0, fmt.Errorf("process %d has no %s", pid, name)
}
