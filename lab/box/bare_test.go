package box_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/dialbridge/dialbridge/lab/box"
)

// TestWithoutSystemd goes the way of the documents where there is no systemd, from the installation over the first event and an upgrade to the
// purge. The lines of start-stop-daemon are taken from the document.
func TestWithoutSystemd(t *testing.T) {
	for _, version := range versions() {
		t.Run(version, func(t *testing.T) {
			b, err := box.Boot(t.Context(), box.Options{Version: version, Bare: true, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
			if err != nil {
				t.Fatal(err)
			}
			m := &machine{t, b, t.Context()}
			t.Cleanup(func() {
				if text, err := os.ReadFile(b.Path("/var/log/dialbridge.log")); t.Failed() && err == nil {
					t.Logf("its log:\n%s", text)
				}
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			})
			start, reload, stop := ways(t)
			m.run("dpkg --purge --force-depends systemd-sysv systemd 2>&1; ! command -v systemctl")
			m.run("/etc/init.d/asterisk start")
			m.await("asterisk -rx 'core waitfullybooted' 2>/dev/null | tail -n 1", "Asterisk has fully booted.")

			said := m.run("dpkg --install " + m.copy(deb(t, runtime.GOARCH)) + " </dev/null 2>&1")
			if !strings.Contains(said, `"Without systemd" in /usr/share/doc/dialbridge/docs/install.md`) || strings.Contains(said, "systemctl") {
				t.Errorf("the installation does not say how to go on: %s", said)
			}
			r := m.receive()
			m.configure("URL", r.URL, "WEBKEY", "a-key")
			m.run("dialbridge check --fix --yes")
			m.run(start)
			m.call()
			m.until(r, "the record of a call", kind("cc_cdr"))
			m.tells("id -nG $(stat -c %u /proc/$(cat /run/dialbridge.pid)) && grep ^Groups: /proc/$(cat /run/dialbridge.pid)/status | wc -w", "dialbridge asterisk\n3")
			m.run(reload)
			m.await("grep -c 'configuration was reloaded' /var/log/dialbridge.log", "1")

			said = m.run("dpkg --install /root/dialbridge_*.deb </dev/null 2>&1")
			if !strings.Contains(said, "the daemon that runs is the old program") {
				t.Errorf("the upgrade does not say that the old program runs: %s", said)
			}
			m.run(stop)
			m.run(start)
			m.await("grep -c 'listening for http' /var/log/dialbridge.log", "2") // before that check says that the port is free
			m.run("dialbridge check | grep 'is served by the daemon that runs'")
			m.run(elsewhere("dpkg --remove dialbridge && ! test -e /usr/bin/dialbridge") + " && test -e /proc/$(cat /run/dialbridge.pid)")
			if said = m.run("dpkg --install /root/dialbridge_*.deb </dev/null 2>&1"); !strings.Contains(said, "the old program") {
				t.Errorf("the second upgrade does not say that the old program runs: %s", said)
			}
			if said = m.run(elsewhere("dpkg --install /root/dialbridge_*.deb </dev/null 2>&1")); strings.Contains(said, "the old program") {
				t.Errorf("an installation elsewhere takes the old program for its own: %s", said)
			}
			m.run(stop)
			m.run(supervised)
			m.await("grep -c 'listening for http' /var/log/dialbridge.log", "3")
			m.run("dpkg --remove dialbridge && ! readlink /proc/[0-9]*/exe | grep /usr/bin/dialbridge")
			m.run("dpkg --purge dialbridge")
			m.tells("id dialbridge 2>/dev/null; ls -d /etc/dialbridge /var/lib/dialbridge 2>/dev/null || echo gone", "gone")
		})
	}
}

// supervised starts a supervisor of the least kind, which starts the daemon again at once, as long as there is a program.
const supervised = "setsid runuser -u dialbridge -- sh -c 'while dialbridge serve --config /etc/dialbridge/api.conf; do :; done' >>/var/log/dialbridge.log 2>&1 &"

// elsewhere is a line of shell in a chroot on this machine that sees its processes, as those that images are built in do: the same Debian,
// with a / of its own.
func elsewhere(line string) string {
	return "cd /tmp && mkdir -p upper work other && mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay other && " +
		"mount --bind /proc other/proc && chroot other /bin/sh -c '" + line + "' && umount other/proc other"
}

// ways are the documented lines that start, reload and stop the daemon without systemd.
func ways(t *testing.T) (start, reload, stop string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs/install.md"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "    start-stop-daemon ") {
			list = append(list, strings.TrimSpace(line))
		}
	}
	if len(list) != 3 {
		t.Fatalf("docs/install.md has %d lines of start-stop-daemon, want 3", len(list))
	}
	return list[0], list[1], list[2]
}
