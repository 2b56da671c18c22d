package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if version := os.Getenv(ownerVariable); version != "" {
		os.Exit(own(version, os.Getenv(endingVariable)))
	}
	goleak.VerifyTestMain(m)
}

// everyVersion runs a test on a fresh Asterisk of each version, side by side.
func everyVersion(t *testing.T, o Options, test func(t *testing.T, l *Lab)) {
	t.Parallel()
	for _, version := range []string{"16", "22"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			test(t, ForTest(t, version, o))
		})
	}
}

func mustCLI(t *testing.T, l *Lab, command string) string {
	t.Helper()
	output, err := l.CLI(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

func TestStart(t *testing.T) {
	everyVersion(t, Options{}, func(t *testing.T, l *Lab) {
		if got := mustCLI(t, l, "core show version"); !strings.HasPrefix(got, "Asterisk "+l.Version+".") {
			t.Errorf("core show version: %s", got)
		}
		if _, err := l.CLI(t.Context(), "no such thing"); err == nil {
			t.Error("an unknown command is no error")
		}
		for _, exten := range []string{l.Extensions[0], l.Extensions[19]} {
			if hints := mustCLI(t, l, "core show hint "+exten); !strings.Contains(hints, exten+"@ext-local") {
				t.Errorf("hint of %s: %s", exten, hints)
			}
		}
		if got := ariStatus(t, l, l.ARIPassword); got != http.StatusOK {
			t.Errorf("ARI: status %d", got)
		}
		if got := ariStatus(t, l, "wrong"); got != http.StatusUnauthorized {
			t.Errorf("ARI with a wrong password: status %d", got)
		}
	})
}

func ariStatus(t *testing.T, l *Lab, password string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.ARIURL+"/asterisk/info", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(l.ARIUser, password)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}

// Nothing may reach this Asterisk but by its own address.
func TestListensOnItsAddressOnly(t *testing.T) {
	everyVersion(t, Options{}, func(t *testing.T, l *Lab) {
		found := sockets(t, l.process.cmd.Process.Pid)
		want := []string{"tcp " + l.IP + ":5038", "tcp " + l.IP + ":8088", "udp " + l.IP + ":5060"}
		for _, socket := range want {
			if !found[socket] {
				t.Errorf("not listening on %s, only on %v", socket, found)
			}
			delete(found, socket)
		}
		for socket := range found {
			// pjproject's resolver keeps a UDP socket on a port of the kernel's choice; no name server is configured.
			if !strings.HasPrefix(socket, "udp 0.0.0.0:") && !strings.HasPrefix(socket, "udp6 ") {
				t.Errorf("listening on %s as well", socket)
			}
		}
	})
}

func TestManyOfOneVersion(t *testing.T) {
	t.Parallel()
	first, second := ForTest(t, "22", Options{}), ForTest(t, "22", Options{})
	if first.IP == second.IP {
		t.Fatalf("both have the address %s", first.IP)
	}
	mustCLI(t, first, "database put test key mine")
	if got := mustCLI(t, first, "database get test key"); !strings.Contains(got, "mine") {
		t.Errorf("the first one's database: %s", got)
	}
	if got := mustCLI(t, second, "database get test key"); strings.Contains(got, "mine") {
		t.Errorf("the second one's database holds the first one's key: %s", got)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	everyVersion(t, Options{}, func(t *testing.T, l *Lab) {
		pid, dir, address := l.process.cmd.Process.Pid, l.dir, l.AMIAddress
		begun := time.Now()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("closing took %v", time.Since(begun))
		mustBeGone(t, pid, dir, address)
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the run directory: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Errorf("a second Close: %v", err)
		}
	})
}

func TestStopAndBoot(t *testing.T) {
	everyVersion(t, Options{}, func(t *testing.T, l *Lab) {
		mustCLI(t, l, "database put test key kept")
		mustComeBack(t, l, l.Stop)
		if got := mustCLI(t, l, "database get test key"); !strings.Contains(got, "kept") {
			t.Errorf("the database after the boot: %s", got)
		}
	})
}

func TestKillAndBoot(t *testing.T) {
	everyVersion(t, Options{}, func(t *testing.T, l *Lab) {
		mustComeBack(t, l, l.Kill)
	})
}

func mustComeBack(t *testing.T, l *Lab, end func(context.Context) error) {
	t.Helper()
	if err := l.Boot(t.Context()); !errors.Is(err, ErrRunning) {
		t.Errorf("Boot of a running one: %v", err)
	}
	ended := l.Done()
	if err := end(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-ended
	if listens(t, l.AMIAddress) {
		t.Error("AMI still listens")
	}
	if err := end(t.Context()); !errors.Is(err, ErrStopped) {
		t.Errorf("ending it twice: %v", err)
	}
	if err := l.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := mustCLI(t, l, "core show uptime seconds"); !strings.Contains(got, "System uptime") {
		t.Errorf("uptime after the boot: %s", got)
	}
}

func TestOptions(t *testing.T) {
	everyVersion(t, Options{NoCDRManager: true, NoTimestamps: true, Timezone: "Asia/Tehran"}, func(t *testing.T, l *Lab) {
		if got := mustCLI(t, l, "cdr show status"); strings.Contains(strings.ReplaceAll(got, "cdr_manager (suspended)", ""), "cdr_manager") {
			t.Errorf("cdr_manager is on: %s", got)
		}
		if got := mustCLI(t, l, "manager show settings"); !hasSetting(got, "Timestamp events", "No") {
			t.Errorf("timestampevents: %s", got)
		}
		zone, err := time.LoadLocation("Asia/Tehran")
		if err != nil {
			t.Fatal(err)
		}
		hour, before := time.Now().In(zone).Format("15:"), time.Now().Add(-time.Minute).In(zone).Format("15:")
		log, err := os.ReadFile(l.LogFile)
		if err != nil {
			t.Fatal(err)
		}
		if stamp := string(log[:30]); !strings.Contains(stamp, " "+hour) && !strings.Contains(stamp, " "+before) {
			t.Errorf("the log begins with %s, want hour %s", stamp, hour)
		}
	})
}

func TestDefaults(t *testing.T) {
	everyVersion(t, Options{}, func(t *testing.T, l *Lab) {
		if got := mustCLI(t, l, "cdr show status"); !strings.Contains(got, "cdr_manager") || !strings.Contains(got, "csv") {
			t.Errorf("want cdr_manager and csv: %s", got)
		}
		if got := mustCLI(t, l, "manager show settings"); !hasSetting(got, "Timestamp events", "Yes") {
			t.Errorf("timestampevents: %s", got)
		}
		if got := mustCLI(t, l, "manager show user "+l.LimitedUser); !hasSetting(got, "read perm", "call") {
			t.Errorf("the limited user: %s", got)
		}
	})
}

func hasSetting(text, name, value string) bool {
	for line := range strings.Lines(text) {
		left, right, _ := strings.Cut(line, ":")
		if strings.EqualFold(strings.TrimSpace(left), name) && strings.EqualFold(strings.TrimSpace(right), value) {
			return true
		}
	}
	return false
}

func TestUnknownVersion(t *testing.T) {
	t.Parallel()
	l, err := Start(t.Context(), Options{Version: "1"})
	if err == nil {
		t.Fatal(errors.Join(errors.New("version 1 started"), l.Close()))
	}
	if !strings.Contains(err.Error(), "Asterisk 1 ") {
		t.Errorf("the error does not name the version: %v", err)
	}
}

func TestUnknownTimezone(t *testing.T) {
	t.Parallel()
	l, err := Start(t.Context(), Options{Version: "22", Timezone: "Nowhere/Land"})
	if err == nil {
		t.Fatal(errors.Join(errors.New("it started"), l.Close()))
	}
	if !strings.Contains(err.Error(), "Nowhere/Land") {
		t.Errorf("the error does not name the zone: %v", err)
	}
}

// A configuration file that Asterisk cannot use ends the start with Asterisk's own words.
func TestBootFailure(t *testing.T) {
	t.Parallel()
	l := ForTest(t, "22", Options{})
	if err := l.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	broken := []byte("[modules]\nautoload = no\nrequire = no_such_module.so\n")
	if err := os.WriteFile(filepath.Join(l.EtcDir, "modules.conf"), broken, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := l.Boot(t.Context()); err == nil || !strings.Contains(err.Error(), "no_such_module") {
		t.Errorf("want an error that names the module, got %v", err)
	}
}

func ExampleStart() {
	l, err := Start(context.Background(), Options{Version: "22"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = l.Close() }()
	fmt.Println(l.Version, l.Tech)
	// Output: 22 PJSIP
}
