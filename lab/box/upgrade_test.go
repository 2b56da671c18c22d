package box_test

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3" // reads what the daemon has stored
)

// older holds the sources of the program as it was at commit 3f0bf37, before the tables of campaigns: its database lacks steps that today's
// daemon makes. They are kept as a file, so that a checkout without history can try the upgrade too.
const older = "testdata/older.tar.xz"

// TestUpgrade installs a package of an earlier day over which events have piled up, and then today's: the database is migrated, the service
// is restarted, nothing that waited is lost, and the administrator's file stays.
func TestUpgrade(t *testing.T) {
	before := olderDeb(t)
	for _, version := range versions() {
		t.Run(version, func(t *testing.T) {
			m := boot(t, version)
			m.run("dpkg --install " + m.copy(before) + " </dev/null")
			r := m.receive()
			// The program of that day cannot set up Asterisk yet; Debian's manager.conf includes what is in this folder.
			m.write("/etc/asterisk/manager.d/dialbridge.conf", strings.Join([]string{
				"[dialbridge]", "secret = for-a-test", "read = system,call,agent,user,dtmf,reporting,cdr,dialplan",
				"write = system,call,agent,user,config,command,reporting,originate", "",
			}, "\n"))
			m.run("chown asterisk: /etc/asterisk/manager.d/dialbridge.conf && asterisk -rx 'manager reload'")
			m.configure("URL", "http://127.0.0.1:1/nobody", "WEBKEY", "a-key", "username", "dialbridge", "[ami]\n# User and secret of Asterisk's manager.\nusername = dialbridge\nsecret", "for-a-test")
			m.run("systemctl start dialbridge")
			m.call()
			m.await("dialbridge outbox list --json | grep -c cc_cdr", "2") // both channels of the call that Asterisk makes to itself
			waiting := m.run("dialbridge outbox list --json")
			steps := m.steps()
			m.run("systemctl stop dialbridge && cp /var/lib/dialbridge/dialbridge.db /root/dialbridge-DATE.db && systemctl start dialbridge")

			conf, pid := m.run("cat /etc/dialbridge/api.conf"), m.run("systemctl show --property=MainPID --value dialbridge")
			m.run("dpkg --install " + m.copy(deb(m.T, runtime.GOARCH)) + " </dev/null")
			m.tells("cat /etc/dialbridge/api.conf", conf)
			m.tells("systemctl is-active dialbridge; test $(systemctl show --property=MainPID --value dialbridge) != "+pid+" && echo another", "active\nanother")
			if now := m.steps(); now <= steps {
				m.Errorf("the database had %d steps and has %d", steps, now)
			}
			m.tells("dialbridge outbox list --json | grep -c cc_cdr", "2")
			m.run("sed -i 's|^URL = .*|URL = " + r.URL + "|' /etc/dialbridge/api.conf && systemctl reload dialbridge")
			record := m.until(r, "the record of the call before the upgrade", kind("cc_cdr"))
			if !strings.Contains(waiting, record.ID) {
				m.Errorf("%s was not waiting before the upgrade:\n%s", record.ID, waiting)
			}
			m.back(filepath.Base(before))
			if now := m.steps(); now != steps {
				m.Errorf("the database that was put back had %d steps and has %d", steps, now)
			}
		})
	}
}

// back goes back to a package as the document says, with a copy of the database that was made before the upgrade.
func (m *machine) back(file string) {
	m.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs/upgrading.md"))
	if err != nil {
		m.Fatal(err)
	}
	_, part, _ := strings.Cut(string(text), "\nTo go back")
	part, _, _ = strings.Cut(part, "\n## ")
	lines := 0
	for line := range strings.Lines(part) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			m.run("cd /root; " + strings.NewReplacer("dialbridge_OLDVERSION_amd64.deb", file, "apt install", "apt install -y --no-install-recommends").Replace(command))
			lines++
		}
	}
	if lines != 4 {
		m.Fatalf("docs/upgrading.md has %d lines to go back, and four are known here", lines)
	}
	m.tells("systemctl is-active dialbridge; ls /var/lib/dialbridge | grep -c rescued || true", "active\n0")
}

// olderDeb packs the program of an earlier day as today's is packed.
func olderDeb(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "source")
	if err := os.Mkdir(source, 0o755); err != nil {
		t.Fatal(err)
	}
	shell(t, ".", fmt.Sprintf("tar -xJf %s -C %s", older, source))
	tags, ldflags := makeVariable(t, "STATIC_TAGS"), makeVariable(t, "STATIC_LDFLAGS")
	shell(t, source, fmt.Sprintf("go build -trimpath -buildvcs=false -tags %s -ldflags '%s' -o %s/dialbridge .", tags, ldflags, dir))
	shell(t, root, fmt.Sprintf("%s scripts/deb.sh %s %s/dialbridge 0.0.0+1 %s", packers(t), runtime.GOARCH, dir, dir))
	return filepath.Join(dir, "dialbridge_0.0.0+1_"+runtime.GOARCH+".deb")
}

// steps counts the migrations that the database of the machine has seen, in a copy of it: SQLite follows Path's link to the host.
func (m *machine) steps() (n int) {
	m.Helper()
	dir := m.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(m.Path("/var/lib/dialbridge/dialbridge.db" + suffix))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "copy.db"+suffix), text, 0o600)
		}
		if err != nil {
			m.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite3", filepath.Join(dir, "copy.db"))
	if err != nil {
		m.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.QueryRowContext(m.ctx, `SELECT count(*) FROM schema_steps`).Scan(&n); err != nil {
		m.Fatal(err)
	}
	return n
}

// shell runs a line of shell on the host.
func shell(t *testing.T, dir, line string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/bin/bash", "-eu", "-o", "pipefail", "-c", line)
	cmd.Dir = dir
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, text)
	}
	return string(text)
}

// packers are the settings of deb.sh, as the Makefile gives them.
func packers(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("NFPM=%s MD2MAN=%s MAINTAINER='%s'", makeVariable(t, "NFPM"), makeVariable(t, "MD2MAN"), makeVariable(t, "MAINTAINER"))
}

// makeVariable is a variable of the Makefile.
func makeVariable(t *testing.T, name string) string {
	t.Helper()
	text := shell(t, root, "make -s --eval='print: ; $(info $("+name+"))' print")
	return strings.TrimSpace(strings.SplitN(text, "\n", 2)[0])
}
