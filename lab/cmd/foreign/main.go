// Command foreign tries the package of another architecture than this machine's in a Debian of that architecture, whose programs are run by an
// emulator: install, check, daemon, remove, purge. It needs root, mmdebstrap, qemu-user-static, and a kernel of 6.7 or later, in which a
// namespace has emulators of its own.
//
//	foreign ARCH PACKAGE
package main

import (
	"context"
	_ "embed" // the script
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
)

//go:embed foreign.sh
var script string

// emulators are the names that qemu has for Debian's architectures.
var emulators = map[string]string{"arm64": "aarch64", "amd64": "x86_64"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "foreign:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 2 || emulators[args[0]] == "" || args[0] == runtime.GOARCH {
		return fmt.Errorf("usage: foreign ARCH PACKAGE, of another architecture than %s", runtime.GOARCH)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	cache = filepath.Join(cache, "dialbridge-lab")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	runtime.LockOSThread() // the kernel kills the first process, and all others with it, when the thread that forked it ends
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", script, "foreign.sh", args[0], "/usr/lib/binfmt.d/qemu-"+emulators[args[0]]+".conf", args[1],
		filepath.Join(cache, "foreign-"+args[0]+".tar"))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	// A user namespace, although root asks for it: it is what an emulator can be registered in without a trace on the machine.
	all := []syscall.SysProcIDMap{{Size: 65536}}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		UidMappings: all, GidMappings: all, GidMappingsEnableSetgroups: true, Pdeathsig: syscall.SIGKILL,
	}
	return cmd.Run()
}
