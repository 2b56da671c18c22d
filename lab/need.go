package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// cacheDir is where root directories and locks live: outside the source tree.
func cacheDir() (string, error) {
	if dir := os.Getenv("DIALBRIDGE_LAB_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("lab cache: %w: set DIALBRIDGE_LAB_CACHE", err)
	}
	return filepath.Join(dir, "dialbridge-lab"), nil
}

// needMmdebstrap installs mmdebstrap if it is not there. Two packages at once would stand in each other's way.
func needMmdebstrap(ctx context.Context, cache string, log *slog.Logger) error {
	if _, err := exec.LookPath("mmdebstrap"); err == nil {
		return nil
	}
	installing, err := waitLock(ctx, filepath.Join(cache, "apt.lock"), "installing mmdebstrap", log)
	if err != nil {
		return err
	}
	defer installing.release()
	if _, err := exec.LookPath("mmdebstrap"); err == nil {
		return nil
	}
	log.Info("lab installs mmdebstrap with apt-get")
	install := []string{"install", "-y", "--no-install-recommends", "mmdebstrap", "debian-archive-keyring"}
	if aptGet(ctx, install...) == nil {
		return nil
	}
	if err := aptGet(ctx, "update"); err != nil {
		return err
	}
	return aptGet(ctx, install...)
}

func aptGet(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("lab: apt-get %s: %w\n%s", args[0], err, tail(string(output), 10))
	}
	return nil
}

// cannotBuild says why this host cannot make root directories, or nil.
func cannotBuild() error {
	if os.Geteuid() != 0 {
		return errors.New("not root, and a root directory with Asterisk can only be made and entered by root")
	}
	if _, err := exec.LookPath("mmdebstrap"); err == nil {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("mmdebstrap is not installed, and neither is apt-get to install it (this is not Debian or Ubuntu)")
	}
	return nil
}

var versionPattern = regexp.MustCompile(`^Asterisk (\d+)\.`)

// hostAsterisk finds an Asterisk that is installed on the host, and its major version.
func hostAsterisk(ctx context.Context) (path, version string, err error) {
	path, err = exec.LookPath("asterisk")
	if err != nil {
		path = "/usr/sbin/asterisk"
		if _, err := os.Stat(path); err != nil {
			return "", "", errors.New("no asterisk is installed on this host either")
		}
	}
	output, err := exec.CommandContext(ctx, path, "-V").Output()
	if err != nil {
		return "", "", fmt.Errorf("%s -V: %w", path, err)
	}
	match := versionPattern.FindSubmatch(output)
	if match == nil {
		return "", "", fmt.Errorf("%s -V: %q is no version", path, output)
	}
	return path, string(match[1]), nil
}
