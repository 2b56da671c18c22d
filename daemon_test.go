package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/internal/conf"
	"github.com/dialbridge/dialbridge/pbx"
)

// TestTrunkGroups: without any configured there is one, which asks nothing of the PBX.
func TestTrunkGroups(t *testing.T) {
	for text, want := range map[string][]pbx.TrunkGroup{
		"": {{Name: "default", Count: 9999999}},
		"[ola_gateways]\nmobile = PJSIP/a, count=3, callerid=021\n": {{Name: "mobile", Endpoints: []string{"PJSIP/a"}, Count: 3, CallerID: "021"}},
	} {
		cfg, err := conf.Parse("f", []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, pbxRules(cfg).Groups); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}
