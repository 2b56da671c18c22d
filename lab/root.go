package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// suites are the Debian releases that carry each version of Asterisk.
var suites = map[string]string{"16": "bullseye", "22": "forky"}

// recipe is the command that makes the root directory of a version, without the directory's name.
func recipe(version string) []string {
	args := []string{
		"mmdebstrap", "--variant=apt", "--mode=root", "--format=directory",
		`--aptopt=Acquire::Check-Valid-Until "false"`,
		"--include=asterisk,asterisk-core-sounds-en-gsm,mount",
	}
	for _, folder := range []string{"doc", "doc-base", "info", "lintian", "locale", "man"} {
		args = append(args, "--dpkgopt=path-exclude=/usr/share/"+folder+"/*")
	}
	return append(args, suites[version])
}

// trimmed are the folders of a root directory that Asterisk does not need.
var trimmed = []string{"var/cache/apt", "var/lib/apt/lists", "usr/share/perl", "usr/share/zoneinfo"}

// rootFiles are the files of a root directory that differ from Debian's. No name server is asked: Asterisk must reach
// nothing outside. The time zone is a plain file, so that a run can put its own in its place.
var rootFiles = map[string]string{"etc/resolv.conf": "nameserver 127.0.0.1\n", "etc/localtime": utcZone}

// rootName changes with the recipe, so that a root directory of an older recipe is not taken for a new one.
func rootName(version string) string {
	sum := sha256.Sum256(fmt.Append(nil, recipe(version), trimmed, rootFiles))
	return version + "-" + hex.EncodeToString(sum[:4])
}

// debianRoot returns the root directory of a version, made now if it is not there. The lock keeps it from being removed.
func debianRoot(ctx context.Context, cache, version string, log *slog.Logger) (string, *lock, error) {
	name := rootName(version)
	root := filepath.Join(cache, name)
	inUse, err := tryLock(root+".lock", lockShared)
	if err != nil {
		return "", nil, err
	}
	if inUse == nil {
		return "", nil, fmt.Errorf("lab root %s: is being removed", root)
	}
	if _, err = os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		err = buildRoot(ctx, cache, version, log)
	}
	if err != nil {
		inUse.release()
		return "", nil, err
	}
	return root, inUse, nil
}

// buildRoot makes the root directory beside its place and renames it when it is complete. One process builds, others wait.
func buildRoot(ctx context.Context, cache, version string, log *slog.Logger) error {
	building, err := waitLock(ctx, filepath.Join(cache, version+".building.lock"), "building the root directory of Asterisk "+version, log)
	if err != nil {
		return err
	}
	defer building.release()
	root := filepath.Join(cache, rootName(version))
	if _, err := os.Stat(root); err == nil {
		return nil
	}
	if err := removeStale(cache, version); err != nil {
		return err
	}
	if err := needMmdebstrap(ctx, cache, log); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(cache, version+".building-")
	if err != nil {
		return fmt.Errorf("lab root: %w", err)
	}
	log.Info("lab builds a root directory, which takes about half a minute", "version", version, "dir", root)
	begun := time.Now()
	if err := fillRoot(ctx, temp, version); err != nil {
		return errors.Join(err, removeRoot(temp))
	}
	if err := os.Rename(temp, root); err != nil {
		return fmt.Errorf("lab root: %w", err)
	}
	log.Info("lab built a root directory", "version", version, "took", time.Since(begun).Round(time.Second))
	return nil
}

func fillRoot(ctx context.Context, dir, version string) error {
	args := append(recipe(version), dir)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	// A mount namespace of its own, so that nothing that it mounts below dir can be left behind on the host.
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	p, err := startProcess(cmd)
	if err != nil {
		return fmt.Errorf("lab root: mmdebstrap: %w", err)
	}
	<-p.done
	if p.err != nil {
		return fmt.Errorf("lab root: mmdebstrap %s: %w\n%s", suites[version], p.err, tail(output.String(), 20))
	}
	for _, folder := range trimmed {
		if err := os.RemoveAll(filepath.Join(dir, folder)); err != nil {
			return fmt.Errorf("lab root: %w", err)
		}
	}
	for name, text := range rootFiles {
		file := filepath.Join(dir, name)
		// It may be a link to what was trimmed.
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("lab root: %w", err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return fmt.Errorf("lab root: %w", err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return fmt.Errorf("lab root: %w", err)
	}
	return os.MkdirAll(filepath.Join(dir, "lab"), 0o755)
}

// removeStale removes what an interrupted build left, and root directories of older recipes that nobody uses.
func removeStale(cache, version string) error {
	entries, err := os.ReadDir(cache)
	if err != nil {
		return fmt.Errorf("lab cache: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		path := filepath.Join(cache, name)
		switch {
		case !entry.IsDir() || name == rootName(version):
		case strings.HasPrefix(name, version+".building-"):
			if err := removeRoot(path); err != nil {
				return err
			}
		case strings.HasPrefix(name, version+"-"):
			unused, err := tryLock(path+".lock", lockAlone)
			if err != nil {
				return err
			}
			if unused == nil {
				continue
			}
			err = removeRoot(path)
			unused.release()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// removeRoot removes a root directory, but never through something that is mounted in it.
func removeRoot(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("lab root: %w", err)
	}
	if bytes.Contains(mounts, []byte(" "+dir+"/")) {
		return fmt.Errorf("lab root %s: not removed, because something is mounted in it", dir)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("lab root: %w", err)
	}
	return nil
}
