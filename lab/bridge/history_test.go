package bridge_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// TestHistoryOfRealCalls makes calls and finds them in the console's list, its export and its counts.
func TestHistoryOfRealCalls(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		from, to, deaf := b.phone("816"), b.phone("817"), b.phone("818")
		c := b.talk(from, to)
		b.must(c.Heard(b.within(5*time.Second), 10))
		b.must(c.Hangup(b.ctx))
		deaf.Behave(phone.Behaviour{Never: true})
		c = b.dial(from, "818")
		b.must(c.Ringing(b.within(5 * time.Second)))
		b.must(c.Cancel(b.ctx))
		var page struct {
			Calls []struct {
				Caller     string
				CallerName string `json:"caller_name"`
				Called     string
				CalledName string `json:"called_name"`
				Answered   bool
				Talk       float64
			}
		}
		b.eventually("both calls", func() bool {
			b.console("/calls?text=PHONE+816", &page)
			return len(page.Calls) == 2
		})
		if last := page.Calls[0]; last.Caller != "816" || last.CallerName != "Phone 816" || last.Called != "818" || last.Answered || last.Talk != 0 {
			t.Errorf("the newest: %+v", last)
		}
		if first := page.Calls[1]; first.Called != "817" || !first.Answered || first.Talk <= 0 {
			t.Errorf("the first: %+v", first)
		}
		if b.console("/calls?answered=yes&extension=817", &page); len(page.Calls) != 1 {
			t.Errorf("answered calls of 817: %+v", page.Calls)
		}
		_, file, err := b.d.Get(b.ctx, "/console/api/calls.csv?number=817")
		if b.must(err); strings.Count(file, "\r\n") != 2 || !strings.Contains(file, ",internal,816,Phone 816,817,") {
			t.Errorf("%q", file)
		}
		var counts struct {
			Total  struct{ Calls, Answered, Abandoned int }
			Agents []struct {
				Extension               string
				Calls, Answered, Missed int
				Talk                    float64
			}
		}
		b.console("/stats?from="+time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)+"&to="+time.Now().Add(time.Hour).UTC().Format(time.RFC3339), &counts)
		if got := counts.Total; got.Calls != 2 || got.Answered != 1 || got.Abandoned != 0 || len(counts.Agents) != 3 {
			t.Fatalf("%+v", counts)
		}
		if a := counts.Agents; a[0].Calls != 2 || a[0].Missed != 0 || a[0].Talk <= 0 || a[1].Answered != 1 || a[1].Talk <= 0 || a[2].Missed != 1 || a[2].Talk != 0 {
			t.Errorf("%+v", a)
		}
	})
}

// console decodes an answer of the console's interface.
func (b *bench) console(path string, into any) {
	b.Helper()
	code, body, err := b.d.Get(b.ctx, "/console/api"+path)
	b.must(err)
	if err := json.Unmarshal([]byte(body), into); err != nil || code != http.StatusOK {
		b.Fatalf("%s: %d %s (%v)", path, code, body, err)
	}
}
