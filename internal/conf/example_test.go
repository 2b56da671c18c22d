package conf

import (
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const examplePath = "../../api.conf.example"

// equal compares configurations by value, patterns and zones by their text.
func equal() cmp.Options {
	return cmp.Options{
		cmp.Comparer(func(a, b *regexp.Regexp) bool { return a.String() == b.String() }),
		cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	}
}

func defaults(t testing.TB) *Config {
	t.Helper()
	c, err := Parse("empty", nil, nil)
	if err != nil {
		t.Fatalf("defaults: %v", err)
	}
	return c
}

func TestExampleEqualsDefaults(t *testing.T) {
	c, err := Load(examplePath, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaults(t), c, equal()); diff != "" {
		t.Errorf("the example differs from the defaults (-default +example):\n%s", diff)
	}
}

// TestExampleHasEveryKey demands each key once, spelled as documented, with the
// very text of its default.
func TestExampleHasEveryKey(t *testing.T) {
	text, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	table := (&Config{}).keys()
	s := &scanner{file: examplePath, known: sections(table)}
	s.scan(string(text))
	found := map[string]string{}
	for _, e := range s.entries {
		found[e.section+"."+e.name] = e.value
	}
	for _, k := range table {
		got, ok := found[k.section+"."+k.name]
		if !ok {
			t.Errorf("[%s] %s is not in the example", k.section, k.name)
		}
		if got != k.preset {
			t.Errorf("[%s] %s = %q in the example, default %q", k.section, k.name, got, k.preset)
		}
	}
	if len(found) != len(table) {
		t.Errorf("the example has %d keys, the table %d", len(found), len(table))
	}
	for _, section := range s.known {
		if !strings.Contains(string(text), "\n["+section+"]\n") {
			t.Errorf("section [%s] is not in the example", section)
		}
	}
}
