package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
)

// installation is where Asterisk's files are.
type installation struct {
	version string
	major   int
	chroot  string // "" when Asterisk is the host's own
	binary  string // as seen inside chroot
	runs    string // folder of the run directories, on the host
	inside  string // the same folder as Asterisk sees it
	inUse   *lock
}

// install finds or makes an Asterisk of the version; "" is 22, or what the host has where no root directory can be made.
func install(ctx context.Context, cache, version string, log *slog.Logger) (installation, error) {
	reason := cannotBuild()
	if version == "" && reason == nil {
		version = "22"
	}
	if _, known := suites[version]; reason == nil && !known {
		reason = errors.New("only Asterisk 16 and 22 can be made from Debian packages")
	}
	if reason == nil {
		root, inUse, err := debianRoot(ctx, cache, version, log)
		if err == nil {
			return newInstallation(version, installation{
				chroot: root, binary: "/usr/sbin/asterisk", runs: filepath.Join(root, "lab"), inside: "/lab", inUse: inUse,
			})
		}
		reason = err
	}
	found, err := hostInstallation(ctx, cache, version)
	if err != nil {
		return installation{}, fmt.Errorf("lab: no Asterisk %s to run: %w; %w", version, reason, err)
	}
	log.Info("lab uses the Asterisk of this host", "version", found.version, "because", reason.Error())
	return found, nil
}

func hostInstallation(ctx context.Context, cache, version string) (installation, error) {
	binary, found, err := hostAsterisk(ctx)
	if err != nil {
		return installation{}, err
	}
	if version != "" && version != found {
		return installation{}, fmt.Errorf("%s on this host is Asterisk %s", binary, found)
	}
	runs := filepath.Join(cache, "host-"+found)
	if err := os.MkdirAll(runs, 0o755); err != nil {
		return installation{}, err
	}
	return newInstallation(found, installation{binary: binary, runs: runs, inside: runs})
}

func newInstallation(version string, i installation) (installation, error) {
	major, err := strconv.Atoi(version)
	if err != nil {
		return installation{}, fmt.Errorf("lab: version %q is no number", version)
	}
	i.version, i.major = version, major
	return i, nil
}

// tech is the SIP driver of the version: chan_sip was the usual one before 18.
func (i installation) tech() string {
	if i.major < 18 {
		return "SIP"
	}
	return "PJSIP"
}
