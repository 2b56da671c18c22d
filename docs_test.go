package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`!?\[[^\]]*\]\(([^)\s]+)\)`)

// pages are all documents of the repository.
func pages(t *testing.T) (list []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || entry.Name() == "node_modules" || entry.Name() == "bin") {
			return filepath.SkipDir
		}
		if filepath.Ext(name) == ".md" {
			list = append(list, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestLinksLeadSomewhere: every link of a document to a file of ours finds it, and the section in it.
func TestLinksLeadSomewhere(t *testing.T) {
	checked := 0
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			target, section, _ := strings.Cut(m[1], "#")
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") || m[1] == "!" || m[1] == "+" { // the latter are of files of Asterisk
				continue
			}
			file := page
			if target != "" {
				file = path.Join(path.Dir(page), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %s is not there", page, m[1])
				continue
			}
			if checked++; section != "" && !slices.Contains(anchors(t, file), section) {
				t.Errorf("%s: %s has no section %s", page, file, section)
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d links were found", checked)
	}
}

// quoted is what a page says is printed: after "log:" and the like, in backticks.
var quoted = regexp.MustCompile("(?:log|check|readyz|answer): `([^`]+)`")

// TestTroubleshootingQuotesTheProgram: every line that the page quotes is in the program, but for what "..." stands for.
func TestTroubleshootingQuotesTheProgram(t *testing.T) {
	list, _ := filepath.Glob("*.go")
	for _, dir := range []string{"ami", "pbx", "webhook", "coocenter", "console", "ola", "blacklist", "internal/*"} {
		more, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, more...)
	}
	var program strings.Builder
	for _, file := range list {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, "_test.go") {
			program.Write(text)
		}
	}
	page, err := os.ReadFile(filepath.Join("docs", "troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	quotes := quoted.FindAllStringSubmatch(string(page), -1)
	for _, m := range quotes {
		text := strings.TrimPrefix(strings.TrimPrefix(m[1], "src: "), "dst: ") // which parameter is wrong
		for part := range strings.SplitSeq(text, "...") {
			if part = strings.TrimSpace(part); !strings.Contains(program.String(), part) {
				t.Errorf("the program does not print %q", part)
			}
		}
	}
	if len(quotes) < 40 {
		t.Errorf("%d quotes", len(quotes))
	}
}

// TestMonitoringListsEveryMetric: the page names each of ours, and none that there is not.
func TestMonitoringListsEveryMetric(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("docs", "monitoring.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "## The numbers")
	listed := map[string]bool{}
	for row := range strings.Lines(table) {
		if cells := strings.Split(row, "|"); len(cells) > 2 {
			for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cells[1], -1) {
				listed["dialbridge_"+m[1]] = true
			}
		}
	}
	families, err := os.ReadFile(filepath.Join("testdata", "metrics.golden"))
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(string(families)) {
		name, _, _ := strings.Cut(row, "[")
		if strings.HasPrefix(name, "dialbridge_") && !listed[name] {
			t.Errorf("docs/monitoring.md does not list %s", name)
		}
		delete(listed, name)
	}
	for name := range listed {
		t.Errorf("docs/monitoring.md lists %s, which there is not", name)
	}
}

// TestReferenceListsEveryKey: each key of api.conf.example stands in the table, in its section.
func TestReferenceListsEveryKey(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("docs", "reference.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## api.conf")
	table, _, _ = strings.Cut(table, "## The manager user")
	listed, section := map[string]bool{}, ""
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|")
		if len(cells) < 4 {
			continue
		}
		if s := strings.TrimSpace(cells[1]); s != "" {
			section = s
		}
		for _, m := range regexp.MustCompile("`([A-Za-z_]+)`").FindAllStringSubmatch(cells[2], -1) {
			listed[section+"."+m[1]] = true
		}
	}
	example, err := os.ReadFile("api.conf.example")
	if err != nil {
		t.Fatal(err)
	}
	keys := 0
	for line := range strings.Lines(string(example)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimSuffix(name, "]")
		} else if name, _, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			if keys++; !listed[section+"."+strings.TrimSpace(name)] {
				t.Errorf("docs/reference.md does not list [%s] %s", section, name)
			}
		}
	}
	if keys < 40 {
		t.Errorf("%d keys", keys)
	}
}
