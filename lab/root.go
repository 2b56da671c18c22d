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

// suites are the Debian releases that carry each version of Asterisk, alone or on a whole box.
var suites = map[string]string{"16": "bullseye", "22": "forky", boxed + "16": "bullseye", boxed + "22": "forky"}

// boxed is before the version in the name of a root directory that is a whole machine's.
const boxed = "box-"

// recipe is the command that makes the root directory of a version, without the directory's name. The packages are
// unpacked only: that takes half the time, and what their scripts would set up, no run needs (rootLinks). A box has them
// installed, and systemd.
func recipe(version string) []string {
	if strings.HasPrefix(version, boxed) {
		return []string{
			"mmdebstrap", "--variant=minbase", "--mode=root", "--format=directory",
			`--aptopt=Acquire::Check-Valid-Until "false"`, "--include=asterisk,systemd-sysv", suites[version],
		}
	}
	return []string{
		"mmdebstrap", "--variant=extract", "--mode=root", "--format=directory",
		`--aptopt=Acquire::Check-Valid-Until "false"`,
		"--include=asterisk,asterisk-core-sounds-en-gsm,base-files,coreutils,dash,mount",
		suites[version],
	}
}

// trimmed are the folders of a root directory that Asterisk does not need.
var trimmed = []string{
	"usr/share/doc", "usr/share/info", "usr/share/lintian", "usr/share/locale", "usr/share/man", "usr/share/perl",
	"usr/share/zoneinfo", "var/cache/apt", "var/lib/apt/lists",
}

// rootFiles are the files of a root directory that differ from Debian's. No name server is asked: Asterisk must reach
// nothing outside. The time zone is a plain file, so that a run can put its own in its place.
var rootFiles = map[string]string{"etc/resolv.conf": "nameserver 127.0.0.1\n", "etc/localtime": utcZone}

// rootLinks are those that the packages' scripts would make, and where they lead.
var rootLinks = map[string]string{"usr/share/asterisk/sounds/en": "en_US_f_Allison"}

// rootName changes with the recipe, so that a root directory of an older recipe is not taken for a new one.
func rootName(version string) string {
	sum := sha256.Sum256(fmt.Append(nil, recipe(version), trimmed, rootFiles, rootLinks))
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
	// Namespaces of its own, so that all of it dies with this process and nothing that it mounts is left on the host.
	args := append([]string{"--mount", "--pid", "--fork", "--kill-child", "--mount-proc"}, recipe(version)...)
	cmd := exec.CommandContext(ctx, "unshare", append(args, dir)...)
	cmd.WaitDelay = time.Second
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	p, err := startProcess(cmd)
	if err != nil {
		return fmt.Errorf("lab root: mmdebstrap: %w", err)
	}
	<-p.done
	if p.err != nil {
		return fmt.Errorf("lab root: mmdebstrap %s: %w\n%s", suites[version], p.err, tail(output.String(), 20))
	}
	if strings.HasPrefix(version, boxed) {
		return os.Chmod(dir, 0o755)
	}
	return finishRoot(dir)
}

// finishRoot makes of what mmdebstrap unpacked what Asterisk needs.
func finishRoot(dir string) error {
	errs := []error{os.Chmod(dir, 0o755), os.MkdirAll(filepath.Join(dir, "lab"), 0o755)}
	for _, folder := range trimmed {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, folder)))
	}
	for name, text := range rootFiles {
		file := filepath.Join(dir, name)
		errs = append(errs, os.RemoveAll(file)) // it may be a link to what was trimmed
		errs = append(errs, os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644))
	}
	for name, target := range rootLinks {
		link := filepath.Join(dir, name)
		errs = append(errs, os.RemoveAll(link), os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(target, link))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("lab root: %w", err)
	}
	return nil
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
