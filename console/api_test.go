package console

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/audit"
	"github.com/dialbridge/dialbridge/blacklist"
	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/internal/sqlite"
	"github.com/dialbridge/dialbridge/pbx"
	"github.com/dialbridge/dialbridge/webhook"
)

const adminPassword = "correct horse"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a real outbox with its sender, and the interface.
type rig struct {
	t      *testing.T
	db     *sqlite.DB
	outbox *webhook.Outbox
	sender *webhook.Senders
	client *ami.Client
	sw     *pbx.Switch
	users  *pbx.Users
	audit  *audit.Log
	api    *API
	web    http.Handler
}

func newRig(t *testing.T, limit int) *rig {
	t.Helper()
	return newRigOn(t, limit, ami.Options{})
}

// newRigOn is newRig with an Asterisk, whose switch the test runs.
func newRigOn(t *testing.T, limit int, asterisk ami.Options) *rig {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(context.Background(), sqlite.Options{Path: filepath.Join(t.TempDir(), "test.db"), Logger: log})
	r := &rig{t: t, db: db}
	r.must(err)
	r.outbox, err = webhook.NewOutbox(context.Background(), db, webhook.OutboxOptions{Logger: log})
	r.must(err)
	r.sender = webhook.NewSenders(r.outbox, webhook.SenderOptions{Logger: log})
	r.db = db
	asterisk.Want, asterisk.Logger = pbx.Wanted, log
	r.client = ami.New(asterisk)
	r.sw, err = pbx.New(context.Background(), pbx.Options{
		Client: r.client, Store: db, Rules: pbx.Rules{Extensions: regexp.MustCompile(`^8[0-9]{2}$`), Location: time.UTC}, Logger: log,
	})
	r.must(err)
	r.users, _, err = pbx.NewUsers(context.Background(), pbx.UsersOptions{Store: db, AdminPassword: adminPassword, Cost: 8, Failure: time.Millisecond})
	r.must(err)
	r.audit, err = audit.New(context.Background(), audit.Options{Store: db, Logger: log})
	r.must(err)
	numbers, err := blacklist.New(context.Background(), blacklist.Options{Switch: r.sw, Store: db, Logger: log})
	r.must(err)
	r.api = New(Options{
		Switch: r.sw, Users: r.users, Audit: r.audit, Numbers: numbers, Zone: shanghai, Outbox: r.outbox, Senders: r.sender, Failures: httpd.NewLimiter(limit, time.Minute), Logger: log,
	})
	server, err := httpd.New(httpd.Options{
		Settings: httpd.Settings{Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}, Logger: log,
		Audit: func(n httpd.Note) {
			r.audit.Note(audit.Entry{
				At: n.At, Who: n.Who, Remote: n.Remote.String(), Action: n.Action, Params: n.Params, Status: n.Status, BrokeOff: n.BrokeOff, Taken: n.Taken, RequestID: n.RequestID,
			})
		},
	})
	r.must(err)
	r.api.Mount(server)
	r.web = server.Handler()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- db.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		r.must(<-ended)
		r.must(db.Close())
	})
	return r
}

// shanghai is the zone of the PBX.
var shanghai = time.FixedZone("Shanghai", 8*3600)

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// delivers sends what is in the outbox until the test ends.
func (r *rig) delivers() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.sender.Run(ctx) }()
	r.t.Cleanup(func() {
		cancel()
		r.must(<-ended)
	})
}

// request asks from this machine; header holds names and values by turns, and the names From and Host are for the request itself.
func (r *rig) request(method, target, body string, header ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	req := httptest.NewRequestWithContext(r.t.Context(), method, target, strings.NewReader(body))
	req.RemoteAddr, req.Host = "127.0.0.1:40000", "127.0.0.1:8000"
	if strings.HasPrefix(body, "{") {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		switch header[i] {
		case "From":
			req.RemoteAddr = header[i+1]
		case "Host":
			req.Host = header[i+1]
		default:
			req.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	r.web.ServeHTTP(w, req)
	return w
}

// fill stores events of a call: n of them, of which the first is dropped.
func (r *rig) fill(n int) (ids []string) {
	r.t.Helper()
	list := make([]webhook.Event, n)
	for i := range list {
		id := "evt_" + strconv.Itoa(i)
		ids = append(ids, id)
		list[i] = webhook.Event{
			ID: id, Kind: "cdr", Key: "1795293624.0", Body: []byte(`{"callerid":"\"808\" <808>"}`),
			At: time.Date(2026, 11, 21, 15, i, 0, 0, time.UTC),
		}
	}
	done := make(chan error, 1)
	r.outbox.Put(list, func(err error) { done <- err })
	r.must(<-done)
	_, err := r.outbox.Drop(r.t.Context(), "", ids[0])
	r.must(err)
	return ids
}

func TestListShowReplay(t *testing.T) {
	r := newRig(t, 20)
	ids := r.fill(5)
	for query, want := range map[string][]string{
		"":                            {"evt_4", "evt_3", "evt_2", "evt_1", "evt_0"},
		"?state=dropped":              {"evt_0"},
		"?state=dead,dropped":         {"evt_0"},
		"?event=hangup":               nil,
		"?call=1795293624.0&limit=2":  {"evt_4", "evt_3"},
		"?before=3":                   {"evt_1", "evt_0"},
		"?since=2026-11-21T15:03:00Z": {"evt_4", "evt_3"},
		"?until=2026-11-21T16:01:00%2B01:00&limit=1": {"evt_0"},
	} {
		w := r.request(http.MethodGet, Prefix+"/outbox/events"+query, "")
		var listed struct {
			Events []struct{ ID string }
			Next   int64
		}
		r.must(json.Unmarshal(w.Body.Bytes(), &listed))
		var have []string
		for _, e := range listed.Events {
			have = append(have, e.ID)
		}
		if diff := cmp.Diff(want, have); diff != "" || w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", query, w.Code, diff)
		}
		if full := len(have) > 0 && strings.Contains(query, "limit="+strconv.Itoa(len(have))); full != (listed.Next > 0) {
			t.Errorf("%s: next is %d", query, listed.Next)
		}
	}
	w := r.request(http.MethodGet, Prefix+"/outbox/events/evt_0", "")
	if body := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(body, `"body":{"callerid":"\"808\" <808>"}`) {
		t.Errorf("%d %s", w.Code, body)
	}
	for _, step := range [][2]string{
		{`{}`, `{"replayed":0}`}, {`{"id":"evt_1,evt_2"}`, `{"replayed":0}`},
		{`{"state":"dropped"}`, `{"replayed":1}`}, {`{"id":"evt_0"}`, `{"replayed":0}`},
	} {
		if w := r.request(http.MethodPost, Prefix+"/outbox/replay", step[0]); strings.TrimSpace(w.Body.String()) != step[1] {
			t.Errorf("%s: %d %s, want %s", step[0], w.Code, w.Body, step[1])
		}
	}
	s, err := r.outbox.Status(t.Context())
	r.must(err)
	if s.Total.Pending != int64(len(ids)) {
		t.Errorf("%+v", s.Total)
	}
}

func TestTestDelivery(t *testing.T) {
	r := newRig(t, 20)
	ask := func() (w *httptest.ResponseRecorder, got trial) {
		w = r.request(http.MethodPost, Prefix+"/outbox/test", "")
		if w.Code == http.StatusOK {
			r.must(json.Unmarshal(w.Body.Bytes(), &got))
		}
		return w, got
	}
	if w, _ := ask(); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "no receiver is configured") {
		t.Errorf("without a URL: %d %s", w.Code, w.Body)
	}
	var status atomic.Int64
	status.Store(http.StatusOK)
	var signed atomic.Bool
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		signed.Store(req.Header.Get("webhook-signature") != "" && req.Header.Get("webhook-id") == "evt_test")
		w.WriteHeader(int(status.Load()))
	}))
	r.must(r.sender.Configure(t.Context(), []webhook.Target{{URL: receiver.URL + "/?token=SECRETTOKEN", Secrets: []string{"sign-me"}}}))
	if w, got := ask(); !got.Delivered || got.Status != http.StatusOK || got.Error != "" || !signed.Load() {
		t.Errorf("%d %s, signed: %v", w.Code, w.Body, signed.Load())
	}
	status.Store(http.StatusInternalServerError)
	if w, got := ask(); got.Delivered || got.Status != http.StatusInternalServerError || !strings.Contains(got.Error, "500") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	receiver.Close()
	if w, got := ask(); got.Delivered || got.Status != 0 || !strings.Contains(got.Error, "refused") || strings.Contains(w.Body.String(), "SECRETTOKEN") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	s, err := r.outbox.Status(t.Context())
	r.must(err)
	if s.Total != (webhook.KindStatus{}) || s.Receiver.Failures != 0 {
		t.Errorf("a test has left traces: %+v", s)
	}
	r.must(r.sender.Configure(t.Context(), nil)) // closes what the pool kept
}

func TestWhoMayAsk(t *testing.T) {
	r := newRig(t, 3)
	path := Prefix + "/outbox"
	for _, tc := range []struct {
		method string
		header []string
		want   int
	}{
		{http.MethodGet, nil, 200},
		{http.MethodGet, []string{"Host", "localhost"}, 200},
		{http.MethodGet, []string{"Host", "[::1]:8000", "From", "[::1]:4000"}, 403}, // IPv6 is outside of [http] allow here
		{http.MethodGet, []string{"From", "192.0.2.1:4000"}, 401},
		{http.MethodGet, []string{"From", "192.0.2.1:4000", "X-Forwarded-For", "127.0.0.1"}, 401},
		{http.MethodGet, []string{"Host", "rebound.example:8000"}, 401},
		{http.MethodGet, []string{"X-Forwarded-For", "192.0.2.1"}, 401},
		{http.MethodGet, []string{"Forwarded", "for=192.0.2.1"}, 401},
		{http.MethodPost, []string{"Via", "1.1 proxy", "Sec-Fetch-Site", "same-origin"}, 401},
		{http.MethodGet, []string{"Referer", "https://pbx.example/console/"}, 401}, // by a proxy that writes its own Host
		{http.MethodPost, []string{"Origin", "https://pbx.example", "Sec-Fetch-Site", "same-origin"}, 401},
		{http.MethodGet, []string{"Sec-Fetch-Site", "cross-site"}, 401},
		{http.MethodGet, []string{"Sec-Fetch-Site", "same-site", "Referer", "http://127.0.0.1:3000/"}, 401},
		{http.MethodGet, []string{"Referer", "http://127.0.0.1:3000/"}, 401},
		{http.MethodGet, []string{"Sec-Fetch-Site", "same-origin", "Referer", "http://127.0.0.1:8000/console/"}, 200},
		{http.MethodPost, []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		{http.MethodPost, []string{"Origin", "https://evil.example"}, 403},
		{http.MethodPost, []string{"Origin", "http://127.0.0.1:8000", "Sec-Fetch-Site", "same-origin"}, 200},
	} {
		target := path
		if tc.method == http.MethodPost {
			target += "/replay"
		}
		if w := r.request(tc.method, target, "", tc.header...); w.Code != tc.want {
			t.Errorf("%s %q: %d %s, want %d", tc.method, tc.header, w.Code, w.Body, tc.want)
		}
	}
	old := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	old.Proto, old.ProtoMajor, old.ProtoMinor, old.RemoteAddr, old.Host = "HTTP/1.0", 1, 0, "127.0.0.1:4000", "127.0.0.1:8000"
	w := httptest.NewRecorder()
	if r.web.ServeHTTP(w, old); w.Code != 401 {
		t.Errorf("a proxy that tells nothing: %d", w.Code)
	}
	r.api.Configure(func(h http.Header) bool { return h.Get("Authorization") == "good" })
	for _, tc := range []struct {
		header []string
		want   int
	}{
		{[]string{"Authorization", "good", "From", "192.0.2.1:4000", "Host", "pbx.example"}, 200},
		{nil, 401},
		{nil, 401}, // a page that has not logged in yet is no attempt
		{[]string{"Authorization", "Basic YW5uOnNlY3JldA=="}, 401}, // of a proxy
		{[]string{"Authorization", "Basic 0123456789abcdef0123456789abcdef"}, 401},
		{[]string{"Authentication", "bad"}, 401},
		{[]string{"Authorization", "bad"}, 401},
		{[]string{"Authorization", "good"}, 429},
	} {
		w := r.request(http.MethodGet, path, "", tc.header...)
		if w.Code != tc.want {
			t.Errorf("%q: %d %s, want %d", tc.header, w.Code, w.Body, tc.want)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%q: may be cached", tc.header)
		}
	}
}

var tableRow = regexp.MustCompile("^\\| ([A-Z, ]+) \\| `" + Prefix + "([^`]*)` \\|")

func TestRoutesAreTheSameEverywhere(t *testing.T) {
	r := newRig(t, 20)
	var routed, documented, contract []string
	for _, x := range r.api.routes() {
		routed = append(routed, x.method+" "+x.path)
	}
	for path, item := range described(t, r).Paths.Map() {
		if rest, ok := strings.CutPrefix(path, Prefix); ok {
			for method := range item.Operations() {
				documented = append(documented, method+" "+strings.ReplaceAll(rest, "{id}", ":id"))
			}
		}
	}
	readme, err := os.ReadFile("README.md")
	r.must(err)
	for line := range strings.Lines(string(readme)) {
		if row := tableRow.FindStringSubmatch(line); row != nil {
			contract = append(contract, row[1]+" "+row[2])
		}
	}
	for _, list := range [][]string{routed, documented, contract} {
		slices.Sort(list)
	}
	if diff := cmp.Diff(routed, documented); diff != "" {
		t.Errorf("OpenAPI differs from the routes:\n%s", diff)
	}
	if diff := cmp.Diff(routed, contract); diff != "" {
		t.Errorf("README.md differs from the routes:\n%s", diff)
	}
}

// described loads the whole document as a client gets it, checks it, and forbids answers what it does not name.
func described(t *testing.T, r *rig) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(r.request(http.MethodGet, "/openapi.json", "").Body.Bytes())
	r.must(err)
	r.must(doc.Validate(t.Context()))
	for name, s := range doc.Components.Schemas {
		if no := false; strings.HasPrefix(name, "Console") {
			s.Value.AdditionalProperties = openapi3.AdditionalProperties{Has: &no}
		}
	}
	return doc
}

// TestAnswersAreAsDescribed compares one answer of each status of each endpoint with the document.
func TestAnswersAreAsDescribed(t *testing.T) {
	r := newRig(t, 1)
	doc := described(t, r)
	r.fill(3)
	r.must(r.outbox.NoteGap(t.Context(), webhook.Gap{Until: time.Now(), Reason: "nobody listened"}))
	ask := func(want int, method, path, target, body string, header ...string) {
		t.Helper()
		w := r.request(method, Prefix+target, body, header...)
		operation := doc.Paths.Find(Prefix + path).GetOperation(method)
		answer := operation.Responses.Value(strconv.Itoa(w.Code))
		if w.Code != want || answer == nil {
			t.Errorf("%s %s: %d %s, want %d; described: %v", method, target, w.Code, w.Body, want, answer != nil)
			return
		}
		var value any
		r.must(json.Unmarshal(w.Body.Bytes(), &value))
		if err := doc.ValidateSchemaJSON(answer.Value.Content.Get("application/json").Schema.Value, value, openapi3.EnableJSONSchema2020()); err != nil {
			t.Errorf("%s %s: %s: %v", method, target, w.Body, err)
		}
	}
	get, post := http.MethodGet, http.MethodPost
	ask(200, get, "/outbox", "/outbox", "")
	ask(200, get, "/outbox/events", "/outbox/events?limit=2", "")
	ask(200, get, "/outbox/events", "/outbox/events?event=none", "")
	ask(400, get, "/outbox/events", "/outbox/events?state=nonsense", "")
	ask(400, get, "/outbox/events", "/outbox/events?since=yesterday", "")
	ask(400, get, "/outbox/events", "/outbox/events?limit=0", "")
	ask(400, get, "/outbox/events", "/outbox/events?before=-1", "")
	ask(200, get, "/outbox/events/{id}", "/outbox/events/evt_1", "")
	ask(404, get, "/outbox/events/{id}", "/outbox/events/evt_99", "")
	ask(200, post, "/outbox/replay", "/outbox/replay", `{"state":"dropped","since":"2026-11-21T14:00:00Z"}`)
	ask(200, post, "/outbox/replay", "/outbox/replay", "id=evt_1,evt_2", "Content-Type", "application/x-www-form-urlencoded")
	ask(400, post, "/outbox/replay", "/outbox/replay", `{"state":"nonsense"}`)
	ask(400, post, "/outbox/replay", "/outbox/replay", `{"id":"evt_1","state":"dead"}`)
	ask(400, post, "/outbox/replay", "/outbox/replay", `{"id":`)
	ask(404, post, "/outbox/replay", "/outbox/replay", `{"id":"evt_1,evt_99"}`)
	ask(413, post, "/outbox/replay", "/outbox/replay", strings.Repeat(" ", 1<<20+1))
	ask(409, post, "/outbox/test", "/outbox/test", "")
	r.must(r.sender.Configure(t.Context(), []webhook.Target{{URL: "http://127.0.0.1:1/"}}))
	ask(200, post, "/outbox/test", "/outbox/test", "")
	for path, item := range doc.Paths.Map() {
		if rest, ok := strings.CutPrefix(path, Prefix); ok && item.Get != nil {
			ask(401, get, rest, strings.ReplaceAll(rest, "{id}", "1"), "", "From", "10.0.0.1:4000")
		}
	}
	r.api.Configure(func(http.Header) bool { return false })
	ask(401, get, "/outbox", "/outbox", "", "Authorization", "wrong")
	ask(429, get, "/outbox", "/outbox", "", "Authorization", "wrong")
}
