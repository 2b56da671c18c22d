package conf

import (
	"strings"
	"time"
)

// key is one documented setting and the field that it fills.
type key struct {
	section string // lower case
	name    string // as documented
	preset  string // the default as it would stand in the file
	restart bool   // a change needs a restart of the daemon
	value   value
}

// variable is the name of the environment variable that beats the file.
func (k key) variable() string {
	return prefix + strings.ToUpper(sectionVariable.Replace(k.section)) + "_" + strings.ToUpper(k.name)
}

// sectionVariable turns [webhook crm-2] into WEBHOOK_CRM_2.
var sectionVariable = strings.NewReplacer(" ", "_", "-", "_")

// keys is the one table of all settings, bound to the fields of c.
func (c *Config) keys() []key {
	table := make([]key, 0, 59)
	table = append(table, c.generalKeys()...)
	table = append(table, c.asteriskKeys()...)
	table = append(table, c.callKeys()...)
	table = append(table, c.webhookKeys()...)
	for i := range c.Receivers {
		table = append(table, c.Receivers[i].receiverKeys()...)
	}
	return append(table, c.serverKeys()...)
}

func (c *Config) generalKeys() []key {
	g, e := &c.General, &c.Enable
	return []key{
		{"general", "BINDADDR", "0.0.0.0", true, host{&g.BindAddr}},
		{"general", "BINDPORT", "8000", true, port{&g.BindPort}},
		{"general", "URL", "", false, link{target: &g.URL}},
		{"general", "WEBKEY", "", false, secret{&g.WebKey}},
		{"general", "mac", "", false, mac{&g.MAC}},
		{"general", "pop_url", "", false, link{target: &g.PopURL}},
		{"general", "timezone", "", true, zone{&g.Timezone}},
		{"general", "admin_password", "", true, secret{&g.AdminPassword}},
		{"enable", "pausetime", "no", false, yesNo{&e.PauseTime}},
		{"enable", "pausetime_max", "30", false, seconds{&e.PauseTimeMax}},
	}
}

func (c *Config) asteriskKeys() []key {
	a, r := &c.AMI, &c.ARI
	return []key{
		{"ami", "address", "127.0.0.1:5038", true, address{&a.Address}},
		{"ami", "username", "", true, text{&a.Username}},
		{"ami", "secret", "", true, secret{&a.Secret}},
		{"ami", "tls", "no", true, yesNo{&a.TLS}},
		{"ami", "ping", "5s", true, span{target: &a.Ping, least: 100 * time.Millisecond, most: time.Hour}},
		{"ami", "dead_after", "15s", true, span{target: &a.DeadAfter, least: 200 * time.Millisecond, most: time.Hour}},
		{"ari", "url", "http://127.0.0.1:8088/ari", true, link{target: &r.URL, bare: true}},
		{"ari", "username", "", true, text{&r.Username}},
		{"ari", "password", "", true, secret{&r.Password}},
		{"ari", "application", "dialbridge", true, word{target: &r.Application}},
	}
}

func (c *Config) callKeys() []key {
	d, l, r := &c.Dial, &c.Calls, &c.Recordings
	return []key{
		{"dial", "technology", "auto", false, choice{&d.Technology, []string{"auto", "PJSIP", "SIP"}}},
		{"dial", "context", "from-internal", false, word{target: &d.Context}},
		{"dial", "timeout", "30s", false, span{target: &d.Timeout, least: time.Second, most: 10 * time.Minute}},
		{"dial", "allow", `^[0-9*#+]{1,32}$`, false, pattern{&d.Allow}},
		{"calls", "extensions", `^[0-9]{2,6}$`, false, pattern{&l.Extensions}},
		{"calls", "inbound_contexts", `^(from-trunk|from-pstn|from-did).*`, false, pattern{&l.InboundContexts}},
		{"calls", "queue_member", "{tech}/{exten}", false, template{&l.QueueMember}},
		{"calls", "cdr_csv", "/var/log/asterisk/cdr-csv/Master.csv", true, path{&l.CDRCSV, false}},
		{"calls", "service_level", "20s", false, span{target: &l.ServiceLevel, least: time.Second, most: time.Hour}},
		{"feedback", "contexts", `^(feedback|survey).*`, true, pattern{&c.Feedback.Contexts}},
		{"blacklist", "guard", "yes", false, yesNo{&c.Blacklist.Guard}},
		{"recordings", "directory", "/var/spool/asterisk/monitor", false, path{&r.Directory, false}},
		{"recordings", "asterisk_directory", "", false, path{&r.AsteriskDirectory, true}},
		{"store", "path", "/var/lib/dialbridge/dialbridge.db", true, path{&c.Store.Path, false}},
		{"store", "max_size", "1GiB", true, size{&c.Store.MaxSize}},
		{"store", "keep", "30d", false, span{target: &c.Store.Keep, most: 100 * year}},
	}
}

func (c *Config) webhookKeys() []key {
	w := &c.Webhook
	return []key{
		{"webhook", "secret", "", false, secrets{&w.Secrets}},
		{"webhook", "timeout", "20s", false, span{target: &w.Timeout, least: 100 * time.Millisecond, most: 10 * time.Minute}},
		{"webhook", "concurrency", "8", false, count{&w.Concurrency, mostConcurrency}},
		{"webhook", "retry_max", "60s", false, span{target: &w.RetryMax, least: 100 * time.Millisecond, most: 24 * time.Hour}},
		{"webhook", "event_ttl", "off", false, span{target: &w.EventTTL, least: time.Second, most: year, off: true}},
		{"webhook", "poison_attempts", "5", false, count{&w.PoisonAttempts, 1000}},
		{"webhook", "poison_span", "15m", false, span{target: &w.PoisonSpan, least: time.Millisecond, most: year}},
		{"webhook", "dialbegin_event", "dialbegin", false, choice{&w.DialBeginEvent, []string{"dialbegin", "dialbegein"}}},
		{"webhook", "hangup_legs", "call", false, choice{&w.HangupLegs, []string{"call", "all"}}},
		{"webhook", "channel_names", "sip", false, choice{&w.ChannelNames, []string{"sip", "raw"}}},
		{"ola", "private_answer", "answer", false, choice{&c.OLA.PrivateAnswer, []string{"answer", "answered"}}},
		{"ola", "ai_context", "", false, word{target: &c.OLA.AIContext, empty: true}},
		{"ola", "sounds", "/var/lib/asterisk/sounds, /usr/share/asterisk/sounds", false, folders{&c.OLA.Sounds}},
	}
}

func (c *Config) serverKeys() []key {
	h, l, b := &c.HTTP, &c.Log, &c.Toolbar
	return []key{
		{"toolbar", "pop", "tab", false, choice{&b.Pop, []string{"tab", "frame"}}},
		{"toolbar", "answer", "no", false, yesNo{&b.Answer}},
		{"toolbar", "origins", "", false, origins{&b.Origins}},
		{"http", "tls_port", "off", true, optionalPort{&h.TLS, &h.TLSPort}},
		{"http", "tls_cert", "", false, path{&h.TLSCert, true}},
		{"http", "tls_key", "", false, path{&h.TLSKey, true}},
		{"http", "allow", "0.0.0.0/0, ::/0", false, networks{&h.Allow}},
		{"http", "metrics_allow", "127.0.0.0/8, ::1/128", false, networks{&h.MetricsAllow}},
		{"http", "auth_failures", "20/min", false, rate{&h.AuthFailures}},
		{"log", "level", "info", false, choice{&l.Level, []string{"debug", "info", "warn", "error"}}},
		{"log", "format", "auto", true, choice{&l.Format, []string{"auto", "text", "json"}}},
	}
}
