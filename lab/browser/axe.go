package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// axeVersion is that of the package axe-core, which make need-test gets from npm; the Makefile reads it here.
const axeVersion = "4.14.1"

// axeFile is where the Makefile keeps it.
func axeFile() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "dialbridge-tools", "axe-core-"+axeVersion, "axe.min.js"), nil
}

// axeTags are the rules that a page must keep: WCAG 2.2 up to AA, and what axe-core calls best practice.
const axeTags = `["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa","best-practice"]`

// Accessible holds that axe-core finds no fault in what the page shows now. Faults of a kind that a rule's name among the exceptions tells
// are let pass: a page for a frame, say, has no need of a heading of its own.
func (p *Page) Accessible(exceptRules ...string) {
	p.b.t.Helper()
	file, err := axeFile()
	if err != nil {
		p.b.t.Fatal(err)
	}
	script, err := os.ReadFile(file)
	if err != nil {
		p.b.t.Fatalf("no axe-core for this test, make need-test gets it: %v", err)
	}
	var there bool
	if p.Eval("'axe' in window", &there); !there {
		p.Eval(string(script)+"\n;undefined", nil)
	}
	var off []string
	for _, rule := range exceptRules {
		off = append(off, quoted(rule)+": {enabled: false}")
	}
	var found []struct {
		ID    string
		Help  string
		Nodes []struct {
			HTML           string
			FailureSummary string
		}
	}
	p.Eval(fmt.Sprintf(`(async () => {
		const r = await axe.run(document, {runOnly: %s, rules: {%s}, resultTypes: ['violations']});
		if (r.passes.length === 0) throw new Error('axe-core has looked at nothing');
		return r.violations.map(v => ({ID: v.id, Help: v.help, Nodes: v.nodes.map(n => ({HTML: n.html, FailureSummary: n.failureSummary}))}));
	})()`, axeTags, strings.Join(off, ", ")), &found)
	for _, v := range found {
		for _, n := range v.Nodes {
			p.b.t.Errorf("axe-core: %s: %s: %s\n%s", v.ID, v.Help, n.HTML, n.FailureSummary)
		}
	}
}
