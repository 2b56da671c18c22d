package box_test

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/internal/etc"
	"github.com/dialbridge/dialbridge/lab/box"
)

// TestPackage goes the way of the documents on a Debian with nothing but a stock Asterisk: install, three lines of api.conf, check --fix,
// start, the first event. Then the unit is tried, and the package is upgraded, removed and purged.
func TestPackage(t *testing.T) {
	for _, version := range versions() {
		t.Run(version, func(t *testing.T) {
			m := boot(t, version)
			before := m.files()
			m.firstEvent()
			m.exposure()
			m.sandbox()
			m.watchdog()
			m.again()
			m.aborted()
			m.goes(before)
			m.stranger()
			m.agreed()
			m.asked()
		})
	}
}

// firstEvent installs, and goes on to the first pushed event without a touch at any file but api.conf.
func (m *machine) firstEvent() {
	m.Helper()
	begun := time.Now()
	asterisk := m.run("find /etc/asterisk -type f -exec sha256sum {} + | sort")
	install, check, start := fiveMinutes(m.T)
	file := filepath.Base(m.copy(deb(m.T, runtime.GOARCH)))
	said := m.types("cd /root && "+strings.Replace(install, "dialbridge_VERSION_amd64.deb", file, 1), "[yes/no]", "no")
	if !strings.Contains(said, "dialbridge check --fix") {
		m.Errorf("the installation does not say how to go on: %s", said)
	}
	if diff := cmp.Diff(asterisk, m.run("find /etc/asterisk -type f -exec sha256sum {} + | sort")); diff != "" {
		m.Errorf("nobody has agreed to a change of Asterisk's files (-before +after):\n%s", diff)
	}
	m.tells("stat -c '%U:%G %a' /etc/dialbridge /etc/dialbridge/api.conf /var/lib/dialbridge",
		"root:dialbridge 750\nroot:dialbridge 640\ndialbridge:dialbridge 750")
	m.tells("id -nG dialbridge", "dialbridge asterisk")
	m.tells("systemctl is-enabled dialbridge; systemctl is-active dialbridge || true", "enabled\ninactive")
	m.tells("dpkg-query --show --showformat='${Conffiles}' dialbridge | awk '{print $1}'", "/etc/dialbridge/api.conf")

	r := m.receive()
	m.threeLines(r.URL)
	if said := m.types(check, "Write it? [y/N]", "y"); strings.Contains(said, "\nFAIL") || strings.Contains(said, "\nleft") {
		m.Errorf("check --fix leaves something: %s", said)
	}
	m.run(start)
	m.call()
	record := m.until(r, "the record of a call", kind("cc_cdr"))
	m.Logf("Asterisk %s: the record of the first call came %s after the installation was begun", m.Version, time.Since(begun).Round(time.Second))
	m.run("dialbridge check") // beside the daemon: the port is its own
	if record.Header.Get("webhook-signature") == "" {
		m.Error("the record is not signed")
	}
	if got := record.Fields["mac"]; !strings.EqualFold(got, box.HardwareAddress) {
		m.Errorf("the record has the hardware address %q", got)
	}
}

// fiveMinutes are the commands that the README says to type.
func fiveMinutes(t *testing.T) (install, check, start string) {
	t.Helper()
	var list []string
	shown := false // a block of what is shown, not typed
	for line := range strings.Lines(readmePart(t)) {
		if strings.HasPrefix(line, "```") {
			shown = !shown
		} else if strings.HasPrefix(line, "    ") && !shown {
			command, _, _ := strings.Cut(line, " # ")
			list = append(list, strings.TrimSpace(command))
		}
	}
	if len(list) != 3 {
		t.Fatalf("the README says to type %q, and three commands are known here", list)
	}
	return list[0], list[1], list[2]
}

// readmePart is the README's section of the five minutes.
func readmePart(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(text), "\n## Five minutes\n")
	part, _, _ = strings.Cut(part, "\n## ")
	return part
}

// threeLines writes what the README says to write into api.conf, with another URL.
func (m *machine) threeLines(url string) {
	m.Helper()
	_, ini, _ := strings.Cut(readmePart(m.T), "```ini\n")
	ini, _, _ = strings.Cut(ini, "```")
	conf, err := os.ReadFile(m.Path("/etc/dialbridge/api.conf"))
	if err != nil {
		m.Fatal(err)
	}
	text, section, set := string(conf), "", 0
	for line := range strings.Lines(ini) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
			continue
		}
		key, value, _ := strings.Cut(line, " = ")
		if !strings.Contains(text, "\n"+key+" =\n") {
			m.Errorf("api.conf has no empty %s, which the README says to fill in", key)
		}
		if key == "URL" {
			value = url
		}
		text = etc.Ours.Set(text, section, key, strings.TrimSpace(value))
		set++
	}
	if set != 3 {
		m.Errorf("%d lines of api.conf, want three", set)
	}
	m.overwrite("/etc/dialbridge/api.conf", text)
}

var exposed = regexp.MustCompile(`Overall exposure level for dialbridge.service: ([0-9.]+)`)

// exposure asks the systemd of the machine what it thinks of the unit. Up to 2.0 is allowed.
func (m *machine) exposure() {
	m.Helper()
	said := m.run("systemd-analyze security --no-pager dialbridge.service")
	found := exposed.FindStringSubmatch(said)
	if found == nil {
		m.Fatalf("systemd-analyze: %s", said)
	}
	level, err := strconv.ParseFloat(found[1], 64)
	m.Logf("exposure by systemd of Asterisk %s's Debian: %s", m.Version, found[1])
	if err != nil || level > 2.0 {
		m.Errorf("exposure %s (%v), allowed is 2.0\n%s", found[1], err, said)
	}
}

// sandbox runs check as the service is run, with what the sandbox leaves it; and proves TLS, priorities in the journal, and secrets that are
// kept out of reach of the daemon's user.
func (m *machine) sandbox() {
	m.Helper()
	m.run("install -d -o asterisk -g asterisk -m 0750 /var/spool/asterisk/monitor/2026 && install -o asterisk -g asterisk -m 0640 /dev/null /var/spool/asterisk/monitor/2026/a.wav")
	cert, key := m.certificate()
	m.write("/etc/dialbridge/tls.crt", cert)
	m.write("/etc/dialbridge/tls.key", key)
	m.run("chgrp dialbridge /etc/dialbridge/tls.*; chmod 0640 /etc/dialbridge/tls.*")
	m.write("/root/api.conf", m.run("cat /etc/dialbridge/api.conf")+"\n[http]\ntls_port = 8443\ntls_cert = /etc/dialbridge/tls.crt\ntls_key = /etc/dialbridge/tls.key\n")
	m.write("/etc/default/dialbridge", "DIALBRIDGE_GENERAL_WEBKEY=another-key\n")
	conf, credential := "${CREDENTIALS_DIRECTORY}/api.conf", "LoadCredential=api.conf:/root/api.conf"
	if m.Version == "16" { // the systemd of Debian 11 (247) does not start this unit with a credential (226/NAMESPACE)
		conf, credential = "/etc/dialbridge/api.conf", ""
		m.run("cat /root/api.conf >/etc/dialbridge/api.conf")
	}
	m.write("/etc/systemd/system/dialbridge.service.d/test.conf", strings.Join([]string{
		"[Service]", credential,
		"ExecStart=",
		"ExecStart=/usr/bin/dialbridge serve --config " + conf,
		"ExecStartPre=/usr/bin/dialbridge check --config " + conf,
		"ExecStartPre=/bin/sh -c 'test -r /var/spool/asterisk/monitor/2026/a.wav && test -r /var/log/asterisk/cdr-csv/Master.csv'",
		"ExecStartPre=/bin/sh -c '! touch /etc/dialbridge/x && ! touch /usr/x && ! cat /root/api.conf'",
		"WatchdogSec=5", "",
	}, "\n"))
	m.run("chmod 0644 /etc/systemd/system/dialbridge.service.d/test.conf; systemctl daemon-reload; systemctl restart dialbridge")
	m.tells("systemctl is-active dialbridge; systemctl show --property=NRestarts --value dialbridge", "active\n0")
	m.tells("stat -c %U /proc/$(systemctl show --property=MainPID --value dialbridge)", "dialbridge")
	m.overTLS(cert)
	m.run(`test "$(dialbridge token)" = "$(printf %s "another-key$(date +%F)" | md5sum | cut -d' ' -f1)"`) // that of the unit's secret
	m.tells("runuser -u dialbridge -- cat /etc/default/dialbridge /root/api.conf 2>/dev/null || echo closed", "closed")
	m.run("systemctl reload dialbridge")
	m.await("journalctl --no-pager --output=cat --unit=dialbridge --priority=info | grep -c 'configuration was reloaded'", "1")
	if log := m.run("journalctl --no-pager --output=cat --unit=dialbridge --priority=warning _COMM=dialbridge"); strings.Contains(log, `"INFO"`) {
		m.Errorf("the journal takes information for warnings:\n%s", log)
	}
}

// watchdog stops the daemon where it stands: systemd kills it and starts another one.
func (m *machine) watchdog() {
	m.Helper()
	pid := m.run("systemctl show --property=MainPID --value dialbridge")
	m.run("kill -STOP " + pid)
	m.await("test $(systemctl show --property=MainPID --value dialbridge) != "+pid+" && systemctl is-active dialbridge", "active")
	m.tells("systemctl show --property=NRestarts --value dialbridge", "1")
}

// again installs the package over itself, as an upgrade does: the service is restarted, what the administrator wrote stays.
func (m *machine) again() {
	m.Helper()
	m.run("rm -r /etc/systemd/system/dialbridge.service.d && systemctl daemon-reload && systemctl restart dialbridge")
	conf, pid := m.run("cat /etc/dialbridge/api.conf"), m.run("systemctl show --property=MainPID --value dialbridge")
	m.run("dpkg --install /root/dialbridge_*.deb </dev/null")
	m.tells("cat /etc/dialbridge/api.conf", conf)
	m.tells("stat -c '%U:%G %a' /etc/dialbridge/api.conf", "root:dialbridge 640")
	m.tells("systemctl is-active dialbridge", "active")
	m.tells("test $(systemctl show --property=MainPID --value dialbridge) != "+pid+" && echo restarted", "restarted")
	m.run("systemctl stop dialbridge && systemctl disable dialbridge && dpkg --install /root/dialbridge_*.deb </dev/null")
	m.tells("systemctl is-enabled dialbridge; systemctl is-active dialbridge || true", "disabled\ninactive")
	m.run("systemctl enable --now dialbridge")
}

// aborted has dpkg give up a removal and an upgrade: the service runs as it did before, and one that was stopped stays so.
func (m *machine) aborted() {
	m.Helper()
	m.run("mkdir -p /root/rival/DEBIAN && cd /root/rival && printf '#!/bin/sh\nexit 1\n' >DEBIAN/preinst && chmod 0755 DEBIAN/preinst && " +
		"printf 'Package: rival\nVersion: 1\nArchitecture: all\nMaintainer: a <a@localhost>\nDescription: wants its place\n" +
		"Conflicts: dialbridge\nReplaces: dialbridge\n' >DEBIAN/control && dpkg-deb --build . /root/rival.deb")
	gives := func(line string) string {
		return "! " + line + " </dev/null >/root/said 2>&1 && grep -o 'dialbridge in favour of rival$' /root/said | sort -u"
	}
	stands := "dpkg-query --show --showformat='${Status}\n' dialbridge; systemctl is-active dialbridge; ls /run/dialbridge.stopped 2>/dev/null || true"
	m.tells(gives("dpkg --install /root/rival.deb")+"; "+stands, "dialbridge in favour of rival\ninstall ok installed\nactive")
	m.run("systemctl stop dialbridge")
	m.tells(gives("dpkg --install /root/rival.deb")+"; "+stands+" && systemctl start dialbridge", "dialbridge in favour of rival\ninstall ok installed\ninactive")

	m.run("cd /var/lib/dpkg/info && cp -p dialbridge.prerm /root/ && echo exit 1 >>dialbridge.prerm")
	m.tells("! dpkg --remove dialbridge 2>/dev/null >&2; "+stands, "deinstall ok installed\nactive") // what is wanted, and how it is
	m.run("cp -p /root/dialbridge.prerm /var/lib/dpkg/info/")

	pid := m.run("systemctl show --property=MainPID --value dialbridge")
	m.run("cd /root && dpkg-deb --raw-extract dialbridge_*.deb new && cp rival/DEBIAN/preinst new/DEBIAN/ && dpkg-deb -Znone --build new /root/new.deb")
	m.tells("! dpkg --install /root/new.deb 2>/dev/null >&2; "+stands+"; systemctl show --property=MainPID --value dialbridge", "install ok installed\nactive\n"+pid)
	m.run("rm -r /root/rival* /root/new*")
}

// goes removes and purges.
func (m *machine) goes(before []string) {
	m.Helper()
	conf := m.run("cat /etc/dialbridge/api.conf")
	m.run("dpkg --remove dialbridge")
	m.tells("systemctl is-active dialbridge || true", "inactive")
	m.tells("cat /etc/dialbridge/api.conf", conf)
	m.tells("test -s /var/lib/dialbridge/dialbridge.db && id -un dialbridge", "dialbridge")
	m.run("dpkg --install /root/dialbridge_*.deb </dev/null")
	m.tells("systemctl is-enabled dialbridge; systemctl is-active dialbridge", "enabled\nactive")

	m.run("dpkg --purge dialbridge")
	m.tells("id dialbridge 2>/dev/null || getent group dialbridge || echo gone", "gone")
	m.tells("asterisk -rx 'manager show user dialbridge' | grep -c 'no manager called'", "1")
	var left []string
	for _, name := range m.files() {
		if !slices.Contains(before, name) && !backup.MatchString(name) {
			left = append(left, name)
		}
	}
	if len(left) > 0 {
		m.Errorf("purge has left: %v", left)
	}
}

// backup is a copy of a file of Asterisk as it was before check --fix. It stays: it is the way back.
var backup = regexp.MustCompile(`^/etc/asterisk/\.[a-z_]+\.conf\.dialbridge-[0-9-]+$`)

// files lists what is on the disk, but for what Debian, systemd and Asterisk write anyway.
func (m *machine) files() []string {
	m.Helper()
	return strings.Split(m.run(`find / -xdev \( -path /root -o -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/log `+
		`-o -path /var/cache -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/lib/systemd -o -path /var/lib/asterisk -o -path /var/spool/asterisk `+
		`-o -path '/etc/*-' -o -path /var/tmp \) -prune -o -print | sort`), "\n")
}

// stranger installs where somebody has made the user, without a group of its name. Such a user is not removed.
func (m *machine) stranger() {
	m.Helper()
	m.run("useradd --no-user-group dialbridge && dpkg --install /root/dialbridge_*.deb </dev/null")
	m.tells("stat -c '%U:%G %a' /etc/dialbridge/api.conf /var/lib/dialbridge", "root:dialbridge 640\ndialbridge:dialbridge 750")
	m.run("runuser -u dialbridge -- cat /etc/dialbridge/api.conf && dpkg --purge dialbridge && userdel dialbridge")
}

// agreed installs where it was agreed to set up Asterisk.
func (m *machine) agreed() {
	m.Helper()
	m.run("echo 'dialbridge dialbridge/asterisk boolean true' | debconf-set-selections && dpkg --install /root/dialbridge_*.deb </dev/null")
	m.tells("stat -c '%U %a' /etc/asterisk/manager.d/dialbridge.conf", "asterisk 640")
	m.run("systemctl start dialbridge")
	m.tells("systemctl show --property=StatusText --value dialbridge | cut -d' ' -f1,2", "following asterisk")
}

// asked installs where somebody at the terminal wants Asterisk to be set up.
func (m *machine) asked() {
	m.Helper()
	m.run("dpkg --purge dialbridge && ! test -e /etc/asterisk/manager.d/dialbridge.conf")
	said := m.types("dpkg --install /root/dialbridge_*.deb", "[yes/no]", "yes")
	if !strings.Contains(said, "wrote  /etc/asterisk/manager.d/dialbridge.conf") {
		m.Errorf("it does not say what it writes: %s", said)
	}
	m.tells("stat -c '%U %a' /etc/asterisk/manager.d/dialbridge.conf && grep -c '^secret = .' /etc/dialbridge/api.conf", "asterisk 640\n1")
}
