package lab

import (
	"context"
	"fmt"
	"log/slog"
)

// BoxRoot returns the root directory of a Debian with systemd and an Asterisk of the version, "16" or "22", as Debian's
// packages set them up and nothing else. It is made now if it is not there, which takes a minute and needs root, Debian's
// archive and mmdebstrap. All users share it: it is to be mounted below an overlay and never written to. The caller must call release, which
// lets a later recipe remove it.
func BoxRoot(ctx context.Context, version string, log *slog.Logger) (dir string, release func(), err error) {
	if _, known := suites[boxed+version]; !known {
		return "", nil, fmt.Errorf("lab: there is no box with Asterisk %s", version)
	}
	cache, err := cacheDir()
	if err != nil {
		return "", nil, err
	}
	dir, inUse, err := debianRoot(ctx, cache, boxed+version, log)
	if err != nil {
		return "", nil, err
	}
	return dir, inUse.release, nil
}
