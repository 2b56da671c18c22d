package conf

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGateways(t *testing.T) {
	const text = "[ola_gateways]\nmobile = PJSIP/trunk1, SIP/trunk-2 ,count=30, CallerID=+8602188880001\nMobile = DAHDI/g0/9{number}\nplain =\n222 = count = 5\n"
	c, err := Parse("f", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Gateway{
		{Name: "mobile", Endpoints: []string{"PJSIP/trunk1", "SIP/trunk-2"}, Count: 30, CallerID: "+8602188880001"},
		{Name: "Mobile", Endpoints: []string{"DAHDI/g0/9{number}"}, Count: MaxCount},
		{Name: "plain", Count: MaxCount},
		{Name: "222", Count: 5},
	}
	if diff := cmp.Diff(want, c.Gateways); diff != "" {
		t.Error(diff)
	}
	again, err := Parse("f", []byte(c.String()), nil)
	if err != nil {
		t.Fatalf("%v of\n%s", err, c)
	}
	if diff := cmp.Diff(c.Gateways, again.Gateways); diff != "" {
		t.Errorf("shown and read again:\n%s", diff)
	}
}

func TestGatewayFaults(t *testing.T) {
	for value, want := range map[string]string{
		"trunk": "is no part of a trunk group", "PJSIP/": "is no part of a trunk group", "PJSIP/a&PJSIP/b": "is no part of a trunk group",
		"PJSIP/a,,count=1": "is empty", "PJSIP/${X}": "is no part of a trunk group", "PJSIP/{nummer}": "is no part of a trunk group", "PJSIP/a b": "is no part of a trunk group",
		"count=0": "is no count in range", "count=x": "is no count in range", "count=10000000": "is no count in range", "callerid=": "is no number", "callerid=x": "is no number",
		"strategy=weight": "is no part of a trunk group", "PJSIP/" + strings.Repeat("a", 80): "is no part of a trunk group",
	} {
		_, err := Parse("f", []byte("[ola_gateways]\nmobile = "+value+"\n"), nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "f:2: [ola_gateways] mobile") {
			t.Errorf("%s: %v, want %s", value, err, want)
		}
	}
	if _, err := Parse("f", []byte("[ola_gateways]\na = PJSIP/a\na = PJSIP/b\n"), nil); err == nil || !strings.Contains(err.Error(), "is set twice") {
		t.Errorf("twice: %v", err)
	}
}

func TestSoundFolders(t *testing.T) {
	for value, want := range map[string]string{
		"/a": "/a", "/a/, /b/c": "/a, /b/c", "/": "", "a": "", "": "", "/a,": "", "/a/../b": "", "/a, b": "",
	} {
		c, err := Parse("f", []byte("[ola]\nsounds = "+value+"\n"), nil)
		if (err == nil) != (want != "") || err == nil && strings.Join(c.OLA.Sounds, ", ") != want {
			t.Errorf("%q: %v", value, err)
		}
	}
}
