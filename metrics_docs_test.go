package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// ours begin so; other words of an expression are functions, labels and keywords.
var metricWord = regexp.MustCompile(`\b(?:dialbridge|process|go)_[a-z0-9_]+(?:\{[^}]*\})?`)

var matcher = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)

// told reads which families the daemon tells, and by which labels, from what a test of the real program holds (testdata/metrics.golden).
func told(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "metrics.golden"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^([a-z0-9_]+)\[([a-z_ ]*)\] ([a-z]+): `)
	known := map[string][]string{}
	for row := range strings.Lines(string(text)) {
		m := line.FindStringSubmatch(row)
		if m == nil {
			t.Fatalf("metrics.golden: %q", row)
		}
		labels := strings.Fields(m[2])
		known[m[1]] = labels
		if m[3] == "histogram" || m[3] == "summary" {
			known[m[1]+"_sum"], known[m[1]+"_count"], known[m[1]+"_bucket"] = labels, labels, labels
		}
	}
	return known
}

// expressions are those of the dashboard and of the alerts.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	list := map[string]string{}
	text, err := os.ReadFile(filepath.Join("docs", "grafana", "dialbridge.json"))
	if err != nil {
		t.Fatal(err)
	}
	var page struct {
		Annotations struct{ List []struct{ Name, Expr string } }
		Templating  struct {
			List []struct{ Name, Definition string }
		}
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &page); err != nil {
		t.Fatal(err)
	}
	for _, a := range page.Annotations.List {
		if a.Expr != "" { // Grafana's own has none
			list["dashboard, annotation "+a.Name] = a.Expr
		}
	}
	for _, v := range page.Templating.List {
		list["dashboard, variable "+v.Name] = v.Definition
	}
	for _, p := range page.Panels {
		for i, q := range p.Targets {
			list["dashboard, "+p.Title+" "+string(rune('A'+i))] = q.Expr
		}
	}
	for name, rule := range alerts(t) {
		list["alert "+name] = rule
	}
	return list
}

// alerts are the rules of the file of alerts, each as text.
func alerts(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("docs", "prometheus", "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]string{}
	for _, rule := range strings.Split(string(text), "- alert: ")[1:] {
		name, body, _ := strings.Cut(rule, "\n")
		list[name] = body
	}
	return list
}

// TestDashboardAndAlertsAskForWhatIsTold: a name that the daemon does not tell would be an empty panel, or an alert that never comes.
func TestDashboardAndAlertsAskForWhatIsTold(t *testing.T) {
	known, used := told(t), 0
	for where, expr := range expressions(t) {
		expr = regexp.MustCompile(`(?s)annotations:.*`).ReplaceAllString(expr, "")
		for _, word := range metricWord.FindAllString(expr, -1) {
			name, labels, _ := strings.Cut(word, "{")
			have, ok := known[name]
			if !ok {
				t.Errorf("%s: %s is not told by the daemon", where, name)
				continue
			}
			used++
			for _, m := range matcher.FindAllStringSubmatch(labels, -1) {
				if !slices.Contains(have, m[1]) && m[1] != "job" && m[1] != "instance" { // Prometheus adds these
					t.Errorf("%s: %s has no label %s", where, name, m[1])
				}
			}
		}
	}
	if used < 60 {
		t.Errorf("only %d metrics are used", used)
	}
}

// TestDashboardShowsWhatIsOurs: what the daemon tells of itself is in the dashboard or in an alert, or is named here with why it is not.
func TestDashboardShowsWhatIsOurs(t *testing.T) {
	all := strings.Builder{}
	for _, expr := range expressions(t) {
		all.WriteString(expr + "\n")
	}
	absent := map[string]string{
		"dialbridge_build_info": "an inventory's", "dialbridge_asterisk_info": "an inventory's", "dialbridge_blacklist_numbers": "changes by hand alone",
		"dialbridge_extensions": "the sum of extension_states", "dialbridge_queues": "changes by hand alone", "dialbridge_conferences": "changes by hand alone",
		"dialbridge_ami_filtered": "a saving", "dialbridge_ami_messages_total": "for who suspects the link", "dialbridge_ami_read_bytes_total": "for who suspects the link",
		"dialbridge_ami_waiting_bytes": "for who suspects the link", "dialbridge_database_reserve": "told by database_writable in time",
		"dialbridge_deliveries_in_flight": "bounded by concurrency", "dialbridge_receiver_failures": "told by attempts",
		"dialbridge_receiver_since_timestamp_seconds": "told by receiver_up",
	}
	for name := range told(t) {
		if !strings.HasPrefix(name, "dialbridge_") || strings.HasSuffix(name, "_sum") || strings.HasSuffix(name, "_count") || strings.HasSuffix(name, "_bucket") {
			continue
		}
		_, left := absent[name]
		if shown := regexp.MustCompile(`\b` + name + `(_bucket|_count)?\b`).MatchString(all.String()); shown == left {
			t.Errorf("%s: shown %v, left out %v", name, shown, left)
		}
	}
}

// TestDashboardExpressionsAreSound: promtool reads each expression of the dashboard as Prometheus would, put into rules.
func TestDashboardExpressionsAreSound(t *testing.T) {
	rules := strings.Builder{}
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	n := 0
	for where, expr := range expressions(t) {
		if strings.HasPrefix(where, "dashboard") && !strings.Contains(where, "variable") {
			n++
			expr = strings.ReplaceAll(expr, "$__rate_interval", "5m")
			rules.WriteString("  - record: dashboard:n" + strconv.Itoa(n) + "\n    expr: '" + strings.ReplaceAll(expr, "'", "''") + "'\n")
		}
	}
	if n < 40 {
		t.Errorf("only %d expressions", n)
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := promtool("", "check", "rules", file); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

// promtool runs the tool on an input.
func promtool(input string, args ...string) (said string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(filepath.Join(cache, "dialbridge-tools", "promtool", "promtool"), args...) //nolint:gosec,noctx // our own tool
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("promtool (make need-promtool installs it): %w", err)
	}
	return string(out), err
}

// heading is an anchor as GitHub makes it of a heading: lower case, blanks to dashes, no punctuation.
func heading(text string) string {
	text = strings.ToLower(strings.TrimSpace(text))
	text = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(text, "")
	return strings.ReplaceAll(text, " ", "-")
}

// anchors are those of a page.
func anchors(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	code := false
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "```") {
			code = !code
		}
		if title := strings.TrimLeft(line, "#"); !code && title != line && strings.HasPrefix(title, " ") {
			list = append(list, heading(title))
		}
	}
	return list
}

// TestAlertsLeadSomewhere: each alert names a section that there is.
func TestAlertsLeadSomewhere(t *testing.T) {
	rules := alerts(t)
	if len(rules) < 15 {
		t.Errorf("%d alerts", len(rules))
	}
	for name, rule := range rules {
		m := regexp.MustCompile(`\n +runbook: (\S+)#(\S+)\n`).FindStringSubmatch(rule)
		if m == nil {
			t.Errorf("%s names no section", name)
			continue
		}
		if !slices.Contains(anchors(t, m[1]), m[2]) {
			t.Errorf("%s: %s has no section %s", name, m[1], m[2])
		}
	}
}

// lintPage lets promtool read a page as Prometheus would, and hold it to the names and units of good metrics.
func lintPage(ts *testscript.TestScript, page string) {
	if said, err := promtool(page, "check", "metrics"); err != nil {
		ts.Fatalf("%v\n%s", err, said)
	}
}
