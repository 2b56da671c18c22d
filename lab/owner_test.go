package lab

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// This test binary, started with these variables, owns a lab and ends in a bad way.
const (
	ownerVariable  = "LAB_TEST_OWNER"  // version
	endingVariable = "LAB_TEST_ENDING" // how it ends
	marker         = "owned"           // file in its run directory
)

// own is the life of a bad owner: it prints what it has and never closes it.
func own(version, ending string) int {
	l, err := Start(context.Background(), Options{Version: version})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if err := os.WriteFile(filepath.Join(l.dir, marker), nil, 0o644); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(l.process.cmd.Process.Pid, l.dir, l.AMIAddress)
	switch ending {
	case "exit":
		return 3
	case "panic":
		go func() { panic("the owner panics") }()
	}
	<-make(chan struct{})
	return 0
}

func TestDeadOwnerLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"16", "22"} {
		for _, ending := range []string{"kill", "exit", "panic"} {
			t.Run(version+" "+ending, func(t *testing.T) {
				t.Parallel()
				pid, dir, address := startOwner(t, version, ending)
				mustBeGone(t, pid, dir, address)
				ForTest(t, version, Options{})
				if _, err := os.Stat(filepath.Join(dir, marker)); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("a new run left the run directory of the dead one: %v", err)
				}
			})
		}
	}
}

// startOwner starts an owner and returns what it had when it has ended.
func startOwner(t *testing.T, version, ending string) (pid int, dir, address string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), ownerVariable+"="+version, endingVariable+"="+ending)
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if ending == "kill" {
		err = errors.Join(err, cmd.Process.Kill())
	}
	ended := cmd.Wait()
	if _, e := fmt.Sscan(line, &pid, &dir, &address); e != nil || err != nil {
		t.Fatalf("the owner said %q: %v", line, errors.Join(e, err))
	}
	if ended == nil {
		t.Fatal("the owner ended well")
	}
	return pid, dir, address
}

// mustBeGone waits until the process is gone, and checks that nothing listens where it did.
func mustBeGone(t *testing.T, pid int, dir, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for alive(pid) {
		if err := pause(ctx); err != nil {
			t.Fatalf("asterisk, process %d of %s, outlives its owner", pid, dir)
		}
	}
	seat := holdSeat(t, dir)
	if seat == nil {
		return // a test beside this one has got the address meanwhile
	}
	defer seat.release()
	if pids := processes(t, dir); len(pids) > 0 {
		t.Errorf("processes %v still use %s", pids, dir)
	}
	if listens(t, address) {
		t.Errorf("%s still listens", address)
	}
}

func listens(t *testing.T, address string) bool {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

// holdSeat takes the seat of a run directory, so that no other run can have it, or returns nil when another has it.
func holdSeat(t *testing.T, dir string) *lock {
	t.Helper()
	root := filepath.Base(filepath.Dir(filepath.Dir(dir)))
	var major int
	if _, err := fmt.Sscanf(root, "%d-", &major); err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(filepath.Base(dir))
	if err != nil {
		t.Fatal(err)
	}
	l, err := tryLock(seatPath(major, number), lockAlone)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// alive tells whether a thread of the process runs: one that nobody has waited for yet does not, but others may still
// hold its sockets.
func alive(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		_, state, _ := strings.Cut(string(stat), ") ")
		if err == nil && !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X") {
			return true
		}
	}
	return false
}

// processes are those whose working directory is below dir.
func processes(t *testing.T, dir string) (pids []int) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		cwd, err := os.Readlink(link)
		if err != nil || (cwd != dir && !strings.HasPrefix(cwd, dir+"/")) {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
		pids = append(pids, pid)
	}
	return pids
}

// sockets are the listening TCP and the unconnected UDP sockets of a process, as "udp 127.0.0.1:5060".
func sockets(t *testing.T, pid int) map[string]bool {
	t.Helper()
	inodes := map[string]bool{}
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil {
			inodes[strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")] = true
		}
	}
	found := map[string]bool{}
	for _, protocol := range []string{"tcp", "tcp6", "udp", "udp6"} {
		table, err := os.ReadFile("/proc/net/" + protocol)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(table)) {
			fields := strings.Fields(line)
			const listening, unconnected = "0A", "07"
			if len(fields) > 9 && inodes[fields[9]] && (fields[3] == listening || fields[3] == unconnected) {
				found[protocol+" "+socketAddress(fields[1])] = true
			}
		}
	}
	return found
}

// socketAddress reads the kernel's way to write an IPv4 address and port, 0100007F:13AE; others are returned as they are.
func socketAddress(text string) string {
	host, port, _ := strings.Cut(text, ":")
	ip, err := hex.DecodeString(host)
	number, e := strconv.ParseUint(port, 16, 16)
	if err != nil || e != nil || len(ip) != net.IPv4len {
		return text
	}
	return net.JoinHostPort(net.IPv4(ip[3], ip[2], ip[1], ip[0]).String(), strconv.FormatUint(number, 10))
}
