package ola

import (
	"regexp"
	"testing"

	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/internal/golden"
)

// drawn is what differs from run to run.
var drawn = []golden.Drawn{
	{What: regexp.MustCompile(`\d{10}\.c[0-9a-f]{14}`), With: "ID"},
	{What: regexp.MustCompile(`(ActionID: .*)-\d+`), With: "$1-N"},
	{What: regexp.MustCompile(`20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}"`), With: `MICROSECONDS"`},
	{What: regexp.MustCompile(`20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"`), With: `SECONDS"`},
	{What: regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`), With: "UUID"},
	{What: regexp.MustCompile(`\b3(\d{8})\b`), With: "NUMBER"},
	{What: regexp.MustCompile(`"wait_time":"([2-9]\d|\d{3,})"`), With: `"wait_time":"WAIT"`},
}

// TestExchanges plays testdata/api/*.txtar.
func TestExchanges(t *testing.T) {
	golden.Exchanges(t, func(t *testing.T) golden.Stage {
		r := newRig(t, newAsterisk(t), rigOptions{}).complete()
		return golden.Stage{
			Request: r.request, Actions: r.told, Drawn: drawn,
			Headers: []string{"Content-Type", "Allow", "Retry-After", "Access-Control-Expose-Headers", "Location"},
		}
	})
}

// told are the actions of caused as text.
func (r *rig) told() (list []string) {
	for _, a := range r.caused() {
		list = append(list, amitest.Text(a))
	}
	return list
}
