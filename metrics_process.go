package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/dialbridge/dialbridge/internal/httpd"
)

// ticks is how the kernel counts time for user space on every architecture of Linux, a second.
const ticks = 100

// exposeProcess adds what the kernel says of the process, by the names that dashboards know. What it does not tell is left out.
func exposeProcess(_ context.Context, e *httpd.Exposition) {
	if p, err := readStat(); err == nil {
		e.Counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", float64(p.user+p.system)/ticks)
		e.Gauge("process_resident_memory_bytes", "Resident memory size in bytes.", float64(p.resident)*float64(os.Getpagesize()))
		e.Gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", float64(p.virtual))
		if boot, err := bootTime(); err == nil {
			e.Gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", float64(boot)+float64(p.start)/ticks)
		}
	}
	if n, err := openFiles(); err == nil {
		e.Gauge("process_open_fds", "Number of open file descriptors.", float64(n))
	}
	limit(e, syscall.RLIMIT_NOFILE, "process_max_fds", "Maximum number of open file descriptors.")
	limit(e, syscall.RLIMIT_AS, "process_virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes.")
}

func limit(e *httpd.Exposition, resource int, name, help string) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(resource, &l); err == nil {
		e.Gauge(name, help, float64(l.Cur))
	}
}

// stat is what is used of /proc/self/stat, proc(5).
type stat struct {
	user, system, start uint64 // ticks; start since boot
	virtual             uint64 // bytes
	resident            uint64 // pages
}

func readStat() (s stat, err error) {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return s, err
	}
	return parseStat(text)
}

// parseStat counts the fields from the end of the command's name, which may hold blanks and parentheses.
func parseStat(text []byte) (s stat, err error) {
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	for i, v := range map[int]*uint64{11: &s.user, 12: &s.system, 19: &s.start, 20: &s.virtual, 21: &s.resident} {
		if i >= len(fields) {
			return s, fmt.Errorf("%d fields after the name", len(fields))
		}
		if *v, err = strconv.ParseUint(fields[i], 10, 64); err != nil {
			return s, err
		}
	}
	return s, nil
}

// bootTime is when the machine was started, in seconds of Unix time.
func bootTime() (uint64, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "btime "); ok {
			return strconv.ParseUint(strings.TrimSpace(v), 10, 64)
		}
	}
	return 0, errors.New("no boot time")
}

func openFiles() (n int, err error) {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0, err
	}
	defer func() { _ = dir.Close() }() // it was only read
	names, err := dir.Readdirnames(-1)
	return len(names), err
}
