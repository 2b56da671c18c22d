package conf

import (
	"slices"
	"strings"
	"testing"
)

func TestOverlays(t *testing.T) {
	const text = "[ola_queues]\n630.name = 销售\nsales.east.AgentTimeout = 25\n"
	c, err := Parse("f", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Overlay{{"630", "name", "销售"}, {"sales.east", "agenttimeout", "25"}}
	if !slices.Equal(c.Overlays, want) {
		t.Errorf("%+v, want %+v", c.Overlays, want)
	}
	if !strings.Contains(c.String(), "[ola_queues]\n630.name = 销售\nsales.east.agenttimeout = 25\n") {
		t.Errorf("shown as\n%s", c)
	}
	for line, reason := range map[string]string{
		"630 = x": "names no key", ".name = x": "names no key", "630.uuid = 1": "is no key", "630.agenttimeout = soon": "is no number",
		"630.name = a\n630.name = b": "is set twice",
	} {
		if _, err := Parse("f", []byte("[ola_queues]\n"+line+"\n"), nil); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v", line, err)
		}
	}
}
