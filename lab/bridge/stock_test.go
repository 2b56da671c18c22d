package bridge_test

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// TestStockAsterisk makes a working bridge beside an Asterisk that nobody has changed, by `check --fix --yes` alone: it logs in with
// all it needs, and the first event arrives. A second run changes nothing; no secret is printed.
func TestStockAsterisk(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := &bench{T: t, ctx: t.Context(), lab: lab.ForTest(t, version, lab.Options{Stock: true})}
		rec, err := bridge.NewReceiver(b.ctx, b.lab.IP)
		b.must(err)
		t.Cleanup(func() { _ = rec.Close() })
		b.rec, b.opts = rec, bridge.Options{Binary: binary, Dir: t.TempDir(), Receiver: rec}
		b.d, err = bridge.PrepareStock(b.lab, b.opts)
		b.must(err)

		first, status := b.fix()
		t.Logf("the first run:\n%s", first)
		if status != 0 {
			t.Fatalf("check --fix ended with %d", status)
		}
		conf := b.read(b.d.Config)
		for _, want := range []string{"# the address is found out", "username = dialbridge", "[ari]", "address = " + b.lab.AMIAddress} {
			if !strings.Contains(conf, want) {
				t.Errorf("no %q in api.conf:\n%s", want, conf)
			}
		}
		for _, secret := range regexp.MustCompile(`(?m)^(?:secret|password) = (.+)$`).FindAllStringSubmatch(conf, -1) {
			if len(secret[1]) < 20 || strings.Contains(first, secret[1]) {
				t.Errorf("the secret %s is short or was printed", secret[1])
			}
		}
		before := b.folder()
		second, status := b.fix()
		if status != 0 || !strings.Contains(second, "there is nothing to write") || b.folder() != before || b.read(b.d.Config) != conf {
			t.Errorf("the second run ended with %d:\n%s\n%s\nand before\n%s", status, second, b.folder(), before)
		}

		// Without our files Asterisk is as it was before, and a manager that was off is put on again, for the loopback address alone.
		for _, name := range []string{"manager.d/dialbridge.conf", "ari.d/dialbridge.conf"} {
			b.must(os.Remove(filepath.Join(b.lab.EtcDir, name)))
		}
		manager := filepath.Join(b.lab.EtcDir, "manager.conf")
		b.must(os.WriteFile(manager, []byte(strings.Replace(b.read(manager), "enabled = yes", "enabled = no", 1)), 0o600))
		b.must(b.lab.Stop(b.ctx))
		b.must(b.lab.Boot(b.ctx))
		if out, err := exec.CommandContext(b.ctx, binary, "check", "--config", b.d.Config).Output(); err == nil || !strings.Contains(string(out), "FAIL  ami ") ||
			!strings.Contains(string(out), "FAIL  ari ") {
			t.Errorf("undone: %v\n%s", err, out)
		}
		third, status := b.fix()
		if status != 0 || b.read(b.d.Config) != conf || !strings.Contains(b.read(manager), "enabled = no") {
			t.Errorf("the third run ended with %d:\n%s", status, third)
		}

		b.must(b.d.Run(b.ctx))
		t.Cleanup(func() {
			if err := b.d.Stop(); err != nil {
				t.Errorf("the daemon ended with: %v", err)
			}
		})
		b.must(b.d.Ready(b.within(startTime)))
		b.out = b.trunk()
		b.phone("802").Behave(phone.Behaviour{})
		b.idle("802")
		c, err := b.out.DialWith(b.ctx, "02188880004", phone.DialOptions{Number: "02155551234"})
		b.must(err)
		b.must(c.Answered(b.within(10 * time.Second)))
		b.must(c.Hangup(b.within(10 * time.Second)))
		b.callEvents(1, dials("02155551234", "802"))
	})
}

// TestFixTellsOfAPortThatStaysShut switches the manager off and lets `check --fix` switch it on again. 22 opens its port; 16 most often does not, which is told
// with what helps, and helps.
func TestFixTellsOfAPortThatStaysShut(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := &bench{T: t, ctx: t.Context(), lab: lab.ForTest(t, version, lab.Options{Stock: true})}
		rec, err := bridge.NewReceiver(b.ctx, b.lab.IP)
		b.must(err)
		t.Cleanup(func() { _ = rec.Close() })
		b.d, err = bridge.PrepareStock(b.lab, bridge.Options{Binary: binary, Dir: t.TempDir(), Receiver: rec})
		b.must(err)
		manager := filepath.Join(b.lab.EtcDir, "manager.conf")
		b.must(os.WriteFile(manager, []byte(strings.Replace(b.read(manager), "enabled = yes", "enabled = no", 1)), 0o600))
		_, err = b.lab.CLI(b.ctx, "manager reload")
		b.must(err)

		const told = "asterisk says that its manager is on at "
		out, status := b.fix()
		// 16 most often cannot open it again, by chance of its threads; 22 always can
		if shut := status != 0; strings.Contains(out, told+b.lab.AMIAddress) != shut || shut && version != "16" {
			t.Errorf("it ended with %d:\n%s", status, out)
		}
		b.must(b.lab.Stop(b.ctx))
		b.must(b.lab.Boot(b.ctx))
		if out, status := b.fix(); status != 0 || strings.Contains(out, told) || !strings.Contains(out, "there is nothing to write") {
			t.Errorf("after the restart it ended with %d:\n%s", status, out)
		}
	})
}

// fix runs `check --fix --yes` and returns what it prints and its exit status.
func (b *bench) fix(args ...string) (out string, status int) {
	b.Helper()
	args = append([]string{"check", "--config", b.d.Config, "--fix", "--yes", "--asterisk-etc", b.lab.EtcDir, "--asterisk-command", b.lab.ConsoleCommand()}, args...)
	cmd := exec.CommandContext(b.ctx, binary, args...)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		b.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

func (b *bench) read(path string) string {
	b.Helper()
	text, err := os.ReadFile(path)
	b.must(err)
	return string(text)
}

// folder is what is in Asterisk's configuration folder, by name and time.
func (b *bench) folder() string {
	b.Helper()
	var list strings.Builder
	b.must(filepath.WalkDir(b.lab.EtcDir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		list.WriteString(path + " " + info.ModTime().String() + "\n")
		return err
	}))
	return list.String()
}

// TestCheckTriesFilesAsTheDaemon holds that a check by root, who may read everything, tells what the user of the daemon may not.
func TestCheckTriesFilesAsTheDaemon(t *testing.T) {
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(nobody.Uid)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	text := "[general]\nBINDADDR = 127.0.0.1\nBINDPORT = 80\n[recordings]\ndirectory = " + path("monitor") + "\n[calls]\ncdr_csv = " + path("Master.csv") +
		"\n[store]\npath = " + path("data/dialbridge.db") + "\n"
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o711), os.Chmod(dir, 0o711), os.Mkdir(path("data"), 0o700), os.Chown(path("data"), uid, -1),
		os.Mkdir(path("monitor"), 0o700), os.WriteFile(path("Master.csv"), nil, 0o600), os.WriteFile(path("api.conf"), []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	check := func() string {
		out, err := exec.CommandContext(t.Context(), binary, "check", "--config", path("api.conf")).CombinedOutput()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	expect := func(out string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !regexp.MustCompile(`(?m)` + w).MatchString(out) {
				t.Errorf("no %s in\n%s", w, out)
			}
		}
	}
	expect(check(), `^FAIL  permissions     the daemon cannot read its configuration: .*permission denied`, `chmod 0640`,
		`^ok    database        .* will be made`, `^FAIL  recordings      .*permission denied \(the user nobody\)`, `usermod -a -G asterisk dialbridge`,
		`^note  call records    .*permission denied`)
	if err := errors.Join(os.Chown(path("api.conf"), uid, -1), os.Chmod(path("monitor"), 0o755), os.Chmod(path("Master.csv"), 0o644)); err != nil {
		t.Fatal(err)
	}
	expect(check(), `^ok    permissions `, `^ok    recordings      .* can be read`, `^ok    call records `)
	// FreePBX has a folder for each day.
	if err := errors.Join(os.MkdirAll(path("monitor/2026/11"), 0o755), os.WriteFile(path("monitor/2026/11/a.wav"), nil, 0o600), os.Mkdir(path("monitor/lost+found"), 0o700),
		os.Symlink(path("monitor"), path("link"))); err != nil {
		t.Fatal(err)
	}
	expect(check(), `^FAIL  recordings      .*2026/11/a.wav: permission denied`)
	if err := errors.Join(os.Remove(path("monitor/2026/11/a.wav")),
		os.WriteFile(path("api.conf"), []byte(strings.Replace(text, path("monitor"), path("link"), 1)), 0o600)); err != nil {
		t.Fatal(err)
	}
	expect(check(), `^ok    recordings      .*/link can be read`)
	if err := os.Chmod(path("monitor/2026"), 0o700); err != nil {
		t.Fatal(err)
	}
	expect(check(), `^FAIL  recordings      .*2026/?: permission denied`)
}
