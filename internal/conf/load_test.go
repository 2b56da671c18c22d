package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// faults parses a text that must fail and returns its lines of error.
func faults(t *testing.T, text string, environ ...string) []string {
	t.Helper()
	c, err := Parse("api.conf", []byte(text), environ)
	if err == nil {
		t.Fatalf("%q: no error, configuration\n%v", text, c)
	}
	if c != nil {
		t.Errorf("%q: a configuration beside the error", text)
	}
	return strings.Split(err.Error(), "\n")
}

func TestValuesArriveInTheirFields(t *testing.T) {
	text := `
[GENERAL]          ; sections and keys in any case
bindaddr=::1
BindPort = 0
URL = https://crm.example/hook?key=a#b   # a comment after a blank
WEBKEY = a;b#c	# the signs inside a word belong to it
mac = 68-69-2E-03-8B-3E
pop_url = http://crm.example/pop?n={caller}
timezone = Asia/Shanghai
[enable]
pausetime = YES
pausetime_max = 45
[ami]
address = [::1]:5039
dead_after = 1m
[calls]
queue_member = Local/{exten}@from-queue/n
[ivr]
ivr-610 = 610, working time, daily
Ivr-610 = 611
[recordings]
directory = /srv/records
[general]
admin_password = s
[store]
max_size = 1536 MiB
keep = 1d12h
[webhook]
secret = new, old
event_ttl = 24h
hangup_legs = ALL
[http]
tls_port = 0
tls_cert = c.pem
tls_key = k.pem
allow = 10.1.2.3/8, 192.0.2.7, ::1, ::ffff:172.16.0.1/108
auth_failures = 5 / s
[log]
level = DEBUG
`
	c, err := Parse("api.conf", []byte("\uFEFF"+strings.ReplaceAll(text, "\n", "\r\n")), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := defaults(t)
	want.General = General{BindAddr: "::1", URL: "https://crm.example/hook?key=a#b", WebKey: "a;b#c", MAC: "68-69-2E-03-8B-3E",
		PopURL: "http://crm.example/pop?n={caller}", Timezone: c.General.Timezone, AdminPassword: "s"}
	want.Enable = Enable{PauseTime: true, PauseTimeMax: 45 * time.Second}
	want.AMI.Address, want.AMI.DeadAfter = "[::1]:5039", time.Minute
	want.Calls.QueueMember = "Local/{exten}@from-queue/n"
	want.IVR = []Menu{{"ivr-610", "610", "working time, daily"}, {"Ivr-610", "611", ""}}
	want.Recordings = Recordings{"/srv/records", "/srv/records"}
	want.Store.MaxSize, want.Store.Keep = 1536<<20, 36*time.Hour
	want.Webhook.Secrets, want.Webhook.EventTTL, want.Webhook.HangupLegs = []Secret{"new", "old"}, 24*time.Hour, "all"
	want.HTTP.TLS, want.HTTP.TLSCert, want.HTTP.TLSKey = true, "c.pem", "k.pem"
	want.HTTP.Allow = c.HTTP.Allow
	want.HTTP.AuthFailures = Rate{5, time.Second}
	want.Log.Level = "debug"
	if diff := cmp.Diff(want, c, equal()); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if c.General.Timezone.String() != "Asia/Shanghai" {
		t.Errorf("time zone %v", c.General.Timezone)
	}
	if got := fmt.Sprint(c.HTTP.Allow); got != "[10.0.0.0/8 192.0.2.7/32 ::1/128 172.16.0.0/12]" {
		t.Errorf("allow %s", got)
	}
}

func TestDefaultsOfTheDocumentation(t *testing.T) {
	c := defaults(t)
	if c.General.BindAddr != "0.0.0.0" || c.General.BindPort != 8000 || c.General.URL != "" || c.General.Timezone != time.Local {
		t.Errorf("general %+v", c.General)
	}
	if c.Recordings != (Recordings{"/var/spool/asterisk/monitor", "/var/spool/asterisk/monitor"}) {
		t.Errorf("recordings %+v", c.Recordings)
	}
	if c.Store != (Store{"/var/lib/dialbridge/dialbridge.db", 1 << 30, 30 * 24 * time.Hour}) {
		t.Errorf("store %+v", c.Store)
	}
	if c.HTTP.AuthFailures != (Rate{20, time.Minute}) || c.HTTP.TLS || c.Webhook.EventTTL != 0 {
		t.Errorf("http %+v, webhook %+v", c.HTTP, c.Webhook)
	}
	if !c.Calls.InboundContexts.MatchString("from-pstn-1") || c.Calls.InboundContexts.MatchString("from-internal") {
		t.Errorf("inbound contexts %v", c.Calls.InboundContexts)
	}
}

func TestAllFaultsAtOnceInOrder(t *testing.T) {
	got := faults(t, `stray = 1
[general]
BINDPROT = 8000
BINDPORT = 80000
no equals sign
secret = x
[webhok]
timeout = nonsense that nobody can judge
[ami]
ping = 5s
PING = 6s
ping = 7s
[http
[ivr]
ivr-1 = , name
ivr-2 = 1
ivr-2 = 2
[log]
level = loud
level2 = x
`, "DIALBRIDGE_STORE_MAXSIZE=1GiB", "DIALBRIDGE_LOG_FORMAT=xml", "OTHER=1")
	want := []string{
		`api.conf:1: stray: stands before the first section; write [general] above it`,
		`api.conf:3: [general] BINDPROT: unknown key; the nearest is BINDPORT`,
		`api.conf:4: [general] BINDPORT: "80000" is no port; write a number from 0 (any free port) to 65535`,
		`api.conf:5: [general]: the line has no =; write KEY = VALUE, [SECTION] or # COMMENT`,
		`api.conf:6: [general] secret: unknown key; the nearest is secret, which belongs into [ami]`,
		`api.conf:7: unknown section [webhok]; the nearest is [webhook]`,
		`api.conf:11: [ami] PING: is set twice, in line 10 and in line 11; keep one of them`,
		`api.conf:12: [ami] ping: is set twice, in line 10 and in line 12; keep one of them`,
		`api.conf:13: the section is not closed; write [NAME] alone on the line`,
		`api.conf:15: [ivr] ivr-1: ", name" is no menu; write ID, NAME such as 610, working time`,
		`api.conf:17: [ivr] ivr-2: is set twice, in line 16 and in line 17; keep one of them`,
		`api.conf:19: [log] level: "loud" is unknown; write debug or info or warn or error`,
		`api.conf:20: [log] level2: unknown key; the nearest is level`,
		`environment variable DIALBRIDGE_STORE_MAXSIZE: is unknown; the nearest is DIALBRIDGE_STORE_MAX_SIZE`,
		`environment variable DIALBRIDGE_LOG_FORMAT: [log] format: "xml" is unknown; write auto or text or json`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestBadValues(t *testing.T) {
	for _, test := range []struct{ section, line, says string }{
		{"general", "BINDADDR = 0.0.0.0:8000", "is no address"},
		{"general", "BINDADDR = 10.0.0.256", "is no address"},
		{"general", "BINDADDR = 1.2.3", "is no address"},
		{"general", "BINDADDR = http://x", "is no address"},
		{"general", "BINDADDR =", "is empty"},
		{"general", "BINDPORT = -1", "is no port"},
		{"general", "BINDPORT = 8000接收", "is no port"},
		{"general", "BINDPORT =", "is empty"},
		{"general", "mac = 68:69", "is no hardware address"},
		{"general", "timezone = Mars/Olympus", "is no time zone"},
		{"general", "timezone = ../../etc/passwd", "is no time zone"},
		{"enable", "pausetime = maybe", "is neither yes nor no"},
		{"enable", "pausetime_max = 30s", "without a unit"},
		{"enable", "pausetime_max = 0", "from 1 to"},
		{"ami", "address = 127.0.0.1", "is no HOST:PORT"},
		{"ami", "address = :5038", "is no HOST:PORT"},
		{"ami", "address = host:0", "is no HOST:PORT"},
		{"ami", "ping = 5", `write one with it, such as 5s`},
		{"ami", "ping = -5s", "is no length of time"},
		{"ami", "ping = 20s", "[ami] dead_after: is not longer than ping"},
		{"ami", "dead_after = 999999999h", "is no length of time"},
		{"ari", "url =", "is empty"},
		{"ari", "url = http://u:p@h/ari", "have no place here"},
		{"ari", "url = http://h/ari?api_key=u:p", "have no place here"},
		{"ari", "application = a b", "is no name"},
		{"dial", "technology = IAX2", "write auto or PJSIP or SIP"},
		{"dial", "context = a,b", "is no name"},
		{"dial", "timeout = 0s", "is out of range"},
		{"dial", "allow = [", "is no regular expression (missing closing ]"},
		{"dial", "allow =", "is empty"},
		{"calls", "queue_member = {tech}/x", "is no interface"},
		{"calls", "queue_member = {exten}{x}", "is no interface"},
		{"recordings", "directory =", "is empty"},
		{"store", "max_size = 10", "is no size"},
		{"store", "max_size = 10 apples", "is no size"},
		{"store", "max_size = 1KiB", "is no size"},
		{"store", "max_size = 99999999TiB", "is no size"},
		{"store", "max_size = GiB", "is no size"},
		{"store", "keep = 99999d", "is no length of time"},
		{"store", "keep = d", "is no length of time"},
		{"store", "keep = 1d-1h", "is no length of time"},
		{"store", "keep = 30000d2000000h", "is no length of time"},
		{"webhook", "concurrency = 0", "from 1 to 256"},
		{"webhook", "concurrency = 257", "from 1 to 256"},
		{"webhook", "poison_attempts = 0", "from 1 to"},
		{"webhook", "poison_span = 0s", "is out of range"},
		{"webhook", "timeout = off", "is no length of time"},
		{"webhook", "secret = a,,b", "empty secret"},
		{"http", "tls_port = 8443", "needs tls_cert"},
		{"http", "tls_port = on", "or off"},
		{"http", "allow = 10.0.0.0/33", "is no network"},
		{"http", "allow = fe80::1%eth0", "is no network"},
		{"http", "allow = ::ffff:10.0.0.0/8", "is no network"},
		{"http", "allow =", "is empty"},
		{"http", "auth_failures = 20", "is no rate"},
		{"http", "auth_failures = 0/min", "is no rate"},
		{"log", `level = "info"`, "leave them out"},
	} {
		all := strings.Join(faults(t, "["+test.section+"]\n"+test.line), "\n")
		name, _, _ := strings.Cut(test.line, " ")
		if !strings.Contains(all, test.says) || !strings.Contains(all, "api.conf") || !strings.Contains(all, "["+test.section+"] ") {
			t.Errorf("[%s] %s: %s; want %q", test.section, test.line, all, test.says)
		}
		if !strings.Contains(test.says, "dead_after") && !strings.Contains(all, name) {
			t.Errorf("[%s] %s: the key is not named: %s", test.section, test.line, all)
		}
	}
}

func TestBetweenKeys(t *testing.T) {
	got := faults(t, "[general]\nBINDPORT = 8443\n[http]\ntls_port = 8443\n[ami]\ndead_after = 5s\n")
	want := []string{
		"api.conf:4: [http] tls_port: needs tls_cert; name the certificate file, or set tls_port = off",
		"api.conf:4: [http] tls_port: needs tls_key; name the key file, or set tls_port = off",
		"api.conf:4: [http] tls_port: is the port of BINDPORT too; choose another",
		"api.conf:6: [ami] dead_after: is not longer than ping; write three times the length of ping, or leave both out",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestBadURLs(t *testing.T) {
	for _, test := range []struct{ url, says string }{
		{"ftp://crm.example/", "has the scheme ftp"},
		{"crm.example/hook", "does not start with http"},
		{"hunter2:foo", "does not start with http"},
		{"http://", "has no host"},
		{"http:///hook", "has no host"},
		{"http://user:hunter2@", "has no host"},
		{"http://a b/", "is no URL"},
		{"http://user:hunter2/", "is no URL"},
		{"http://h:99999/?hunter2", "port out of range"},
		{"http://h:0/?hunter2", "port out of range"},
		{"http://[::%25a%20b]/", "or one that cannot be"},
		{"http://h/%zz?hunter2", "is no URL"},
	} {
		got := strings.Join(faults(t, "[general]\nURL = "+test.url), "\n")
		if !strings.Contains(got, "api.conf:2: [general] URL: ") || !strings.Contains(got, test.says) {
			t.Errorf("%s: %s; want %q", test.url, got, test.says)
		}
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s: the error shows it: %s", test.url, got)
		}
	}
}

func TestHostileText(t *testing.T) {
	for _, test := range []struct{ text, says string }{
		{"[general]\nURL = \xff\xfe\n", "api.conf:2: [general]: the line is not UTF-8"},
		{"\xff\xfe[\x00", "api.conf:1: the line is not UTF-8"},
		{"[general]\nWEBKEY = a\x00b\n", "api.conf:2: [general]: the line holds a NUL byte"},
		{"[general]\rWEBKEY = a\r", "api.conf:1: the line holds the control character U+000D"},
		{"[general]\nWEBKEY = \x1b[2J", "api.conf:2: [general]: the line holds the control character U+001B"},
		{"[general]\nWEBKEY = \u0085", "api.conf:2: [general]: the line holds the control character U+0085"},
		{"[general]\nmy hunter2 = x", "what stands before the = is no name"},
		{"[general]\n= hunter2", "what stands before the = is no name"},
		{"[]\n", "unknown section []"},
		{"[general] x\n", "the section is not closed"},
		{"[" + strings.Repeat("a", 100000) + "]", "unknown section [" + strings.Repeat("a", 60) + "...]"},
		{"[general]\nBINDPORT = " + strings.Repeat("9", 100000), "is no port"},
	} {
		got := strings.Join(faults(t, test.text), "\n")
		if !strings.Contains(got, test.says) || strings.Contains(got, "hunter2") || len(got) > 1000 {
			t.Errorf("%.40q: %.200s; want %q", test.text, got, test.says)
		}
	}
}

func TestUnusableFiles(t *testing.T) {
	dir := t.TempDir()
	huge := filepath.Join(dir, "huge")
	if err := os.WriteFile(huge, []byte(strings.Repeat("# comment\n", MaxFile/10+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path, says string
		is         error
	}{
		{filepath.Join(dir, "none"), "cannot be read: no such file or directory", fs.ErrNotExist},
		{dir, "is a directory", nil},
		{huge, "is larger than", nil},
		{"/dev/zero", "is larger than", nil},
		{"", "cannot be read", fs.ErrNotExist},
	} {
		_, err := Load(test.path, nil)
		var own *Error
		if !errors.As(err, &own) || own.File != test.path || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v; want %q", test.path, err, test.says)
		}
		if test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: %v is not %v", test.path, err, test.is)
		}
		if strings.Count(err.Error(), test.path) > 1 && test.path != "" {
			t.Errorf("the path stands twice in %v", err)
		}
	}
}

func TestEmptyFilesAreTheDefaults(t *testing.T) {
	for _, text := range []string{"", "\n", "\r\n", "\uFEFF", "# nothing\n;nothing", "[general]", "  [ General ]  # x\n\t\n"} {
		c, err := Parse("api.conf", []byte(text), nil)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if diff := cmp.Diff(defaults(t), c, equal()); diff != "" {
			t.Errorf("%q (-default +got):\n%s", text, diff)
		}
	}
}

func TestEnvironmentBeatsTheFile(t *testing.T) {
	c, err := Parse("api.conf", []byte("[ami]\nsecret = from-file\nusername = from-file\n[general]\nURL = http://file/\n"), []string{
		"DIALBRIDGE_AMI_SECRET=from # env", "DIALBRIDGE_GENERAL_BINDPORT= 81 ", "DIALBRIDGE_GENERAL_URL=",
		"DIALBRIDGE_SERVICE_HOST=10.0.0.1", "DIALBRIDGE_PORT=tcp://10.0.0.1:8000", "DIALBRIDGE_PORT_8000_TCP=x", "DIALBRIDGE_LAB_CACHE=/x",
		"DIALBRIDGEX=1", "dialbridge_ami_secret=lower", "=odd", "", "DIALBRIDGE",
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.AMI.Secret != "from # env" || c.AMI.Username != "from-file" || c.General.BindPort != 81 || c.General.URL != "" {
		t.Errorf("ami %q %q, port %d, url %q", string(c.AMI.Secret), c.AMI.Username, c.General.BindPort, string(c.General.URL))
	}
	got := faults(t, "", "DIALBRIDGE_AMI_SECRET=hunter2\n", "DIALBRIDGE_HTTP_TLS_PORT=1", "DIALBRIDGE_AMI_SECRETS=hunter2", "DIALBRIDGE_=1")
	want := []string{
		"environment variable DIALBRIDGE_AMI_SECRET: [ami] secret: the value holds the control character U+000A; write plain UTF-8 text",
		"environment variable DIALBRIDGE_AMI_SECRETS: is unknown; the nearest is DIALBRIDGE_AMI_SECRET",
		"environment variable DIALBRIDGE_: is unknown; the nearest is DIALBRIDGE_AMI_TLS",
		"environment variable DIALBRIDGE_HTTP_TLS_PORT: [http] tls_port: needs tls_cert; name the certificate file, or set tls_port = off",
		"environment variable DIALBRIDGE_HTTP_TLS_PORT: [http] tls_port: needs tls_key; name the key file, or set tls_port = off",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestEveryKeyHasItsVariable(t *testing.T) {
	for _, k := range (&Config{}).keys() {
		if _, err := Parse("", nil, []string{k.variable() + "=" + k.preset}); err != nil {
			t.Errorf("%s with the default: %v", k.variable(), err)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	const hidden = "hunter2"
	c, err := Parse("api.conf", []byte(`[general]
URL = https://user:hunter2@crm.example/hook?token=hunter2#hunter2
pop_url = http://crm.example/pop?token=hunter2
WEBKEY = hunter2
admin_password = hunter2
[ami]
secret = hunter2
[ari]
password = hunter2
[webhook]
secret = hunter2, hunter2
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "conf", c, "ami", c.AMI, "url", c.General.URL, "list", c.Webhook.Secrets)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "conf", c, "secret", c.AMI.Secret)
	shown := c.String() + log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		shown += fmt.Sprintf(verb+verb+verb+verb, c, *c, c.General, c.Webhook)
	}
	if strings.Contains(shown, hidden) || strings.Contains(shown, fmt.Sprintf("%x", hidden)) {
		t.Errorf("a secret is shown:\n%s", shown)
	}
	for _, want := range []string{"URL = https://***@crm.example/hook?***\n", "WEBKEY = ***\n", "[webhook]\nsecret = ***\n", "password = ***\n", "BINDPORT = 8000\n"} {
		if !strings.Contains(c.String(), want) {
			t.Errorf("String lacks %q:\n%s", want, c)
		}
	}
	if strings.Contains(defaults(t).String(), mask) {
		t.Error("an empty secret is shown as if it were set")
	}
}

func TestChangedNamesWhatNeedsARestart(t *testing.T) {
	old := defaults(t)
	fresh, err := Parse("", []byte("[general]\nBINDPORT = 9\nURL = http://x/\nWEBKEY = k\n[store]\npath = /x\n[ami]\nsecret = s\n[ivr]\na = 1\n[webhook]\nsecret = s\n[http]\nallow = 10.0.0.0/8\n[log]\nlevel = debug\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"[general] BINDPORT", "[ami] secret", "[store] path"}
	if diff := cmp.Diff(want, Changed(old, fresh)); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	if got := Changed(old, defaults(t)); got != nil {
		t.Errorf("nothing changed, but %v", got)
	}
}

// TestStringParsesBack proves that what String shows is a configuration file.
func TestStringParsesBack(t *testing.T) {
	c, err := Parse("", []byte("[ivr]\nivr-1 = 1, one\n[store]\nmax_size = 1500KB\nkeep = 36h\n[http]\nauth_failures = off\nallow=10.0.0.0/8\n[webhook]\nevent_ttl=90m\n[general]\ntimezone=UTC"), nil)
	if err == nil {
		var again *Config
		again, err = Parse("", []byte(c.String()), nil)
		if diff := cmp.Diff(c, again, equal()); diff != "" {
			t.Errorf("(-first +again):\n%s", diff)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestOrigins(t *testing.T) {
	for value, want := range map[string]string{
		"":                        "",
		"https://crm.example":     "https://crm.example",
		"HTTPS://CRM.Example:443": "https://crm.example",
		"http://crm.example:80":   "http://crm.example",
		"http://10.0.0.5:8080 , https://[2001:db8::1]:8443": "http://10.0.0.5:8080, https://[2001:db8::1]:8443",
	} {
		c, err := Parse("f", []byte("[toolbar]\norigins = "+value+"\n"), nil)
		if err != nil || strings.Join(c.Toolbar.Origins, ", ") != want {
			t.Errorf("%q: %v", value, err)
		}
	}
	for _, value := range []string{"*", "crm.example", "https://*", "https://crm.example/", "https://crm.example/path", "https://u:p@crm.example", "https://crm.example?x=1",
		"https://a.example,", "https://a.example https://b.example", "javascript://x", "null", "https://a.example; script-src *", "https://a.example:99999"} {
		if _, err := Parse("f", []byte("[toolbar]\norigins = "+value+"\n"), nil); err == nil {
			t.Errorf("%q is taken", value)
		}
	}
}
