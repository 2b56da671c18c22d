package coocenter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// described loads the whole document as a client gets it, and checks it against OpenAPI 3.1; examples too.
func described(t *testing.T, r *rig) *openapi3.T {
	t.Helper()
	w := r.request(http.MethodGet, "/openapi.json", "")
	if w.Code != http.StatusOK {
		t.Fatalf("openapi.json: %d %s", w.Code, w.Body)
	}
	doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return doc
}

// operations lists "METHOD path" of all operations below the prefix.
func operations(doc *openapi3.T) (list []string) {
	for path, item := range doc.Paths.Map() {
		if rest, ok := strings.CutPrefix(path, Prefix); ok {
			for method := range item.Operations() {
				list = append(list, method+" "+rest)
			}
		}
	}
	slices.Sort(list)
	return list
}

var (
	wildcard = regexp.MustCompile(`\{[a-zA-Z]+\}`)
	tableRow = regexp.MustCompile("^\\| ([A-Z, ]+) \\| `" + Prefix + "([^`]*)` \\|")
)

// TestRoutesAreTheSameEverywhere compares the router's table with README.md and the OpenAPI document.
func TestRoutesAreTheSameEverywhere(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{})
	var routed, documented, contract []string
	for _, route := range r.api.routes() {
		for _, m := range route.methods {
			routed = append(routed, m+" "+route.path)
		}
	}
	slices.Sort(routed)
	for _, o := range operations(described(t, r)) {
		documented = append(documented, wildcard.ReplaceAllString(o, "*"))
	}
	readme, err := os.ReadFile("README.md")
	r.must(err)
	for line := range strings.Lines(string(readme)) {
		if row := tableRow.FindStringSubmatch(line); row != nil {
			for m := range strings.SplitSeq(row[1], ", ") {
				contract = append(contract, m+" "+row[2])
			}
		}
	}
	slices.Sort(contract)
	if diff := cmp.Diff(routed, documented); diff != "" {
		t.Errorf("OpenAPI differs from the routes (-routes +openapi):\n%s", diff)
	}
	if diff := cmp.Diff(routed, contract); diff != "" {
		t.Errorf("README.md differs from the routes (-routes +README):\n%s", diff)
	}
}

// TestOperationsAreComplete holds what every endpoint must say of itself.
func TestOperationsAreComplete(t *testing.T) {
	doc := described(t, newRig(t, newAsterisk(t), rigOptions{}))
	ids := map[string]string{}
	for path, item := range doc.Paths.Map() {
		if !strings.HasPrefix(path, Prefix) {
			continue
		}
		for method, o := range item.Operations() {
			name := method + " " + path
			if other, twice := ids[o.OperationID]; twice || o.OperationID == "" {
				t.Errorf("%s: operationId %q, as %s", name, o.OperationID, other)
			}
			ids[o.OperationID] = name
			if item.Parameters.GetByInAndName("header", "X-Request-Id") == nil {
				t.Errorf("%s: no X-Request-Id", name)
			}
			if o.Security == nil || len(*o.Security) != 2 || len((*o.Security)[0]) != 1 || len((*o.Security)[1]) != 0 {
				t.Errorf("%s: security %v, want the token or, without a WEBKEY, nothing", name, o.Security)
			}
			if o.Summary == "" || len(o.Tags) != 1 || doc.Tags.Get(o.Tags[0]) == nil {
				t.Errorf("%s: summary %q, tags %q", name, o.Summary, o.Tags)
			}
			if dials := strings.HasSuffix(path, "/click-number"); dials != (o.Parameters.GetByInAndName("header", "Idempotency-Key") != nil) {
				t.Errorf("%s: Idempotency-Key is described: %v", name, !dials)
			}
			want := []string{"200", "401", "403", "429", "500"}
			if method != http.MethodHead && !strings.Contains(path, "/monitor/") {
				want = append(want, "400", "408", "413", "503", "504")
				media := o.Responses.Value("200").Value.Content.Get("application/json")
				if media == nil || len(media.Examples) == 0 {
					t.Errorf("%s: no example of success", name)
				}
			}
			for _, status := range want {
				if o.Responses.Value(status) == nil {
					t.Errorf("%s: no answer %s", name, status)
				}
			}
			for status, answer := range o.Responses.Map() {
				if media := answer.Value.Content.Get("application/json"); status >= "400" && media != nil && len(media.Examples) == 0 {
					t.Errorf("%s: no example of %s", name, status)
				}
			}
		}
	}
}

// strict forbids in a document what it does not name, so that an answer with a key too many is found. The document itself
// leaves room: clients must ignore what they do not know.
func strict(doc *openapi3.T) {
	var tighten func(*openapi3.SchemaRef)
	tighten = func(s *openapi3.SchemaRef) {
		if s == nil || s.Value == nil {
			return
		}
		if len(s.Value.Properties) > 0 {
			no := false
			s.Value.AdditionalProperties = openapi3.AdditionalProperties{Has: &no}
		}
		for _, p := range s.Value.Properties {
			tighten(p)
		}
		tighten(s.Value.Items)
		tighten(s.Value.AdditionalProperties.Schema)
	}
	for name, s := range doc.Components.Schemas {
		if strings.HasPrefix(name, "Coocenter") {
			tighten(s)
		}
	}
	for _, item := range doc.Paths.Map() {
		for _, o := range item.Operations() {
			for _, answer := range o.Responses.Map() {
				if media := answer.Value.Content.Get("application/json"); media != nil {
					tighten(media.Schema)
				}
			}
		}
	}
}

// conforms checks one answer against what the document says of it.
func conforms(doc *openapi3.T, method, path string, status int, body []byte) error {
	item := doc.Paths.Find(path)
	if item == nil || item.GetOperation(method) == nil {
		return fmt.Errorf("%s %s is not described", method, path)
	}
	answer := item.GetOperation(method).Responses.Value(strconv.Itoa(status))
	if answer == nil {
		return fmt.Errorf("%s %s: %d is not described", method, path, status)
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return err
	}
	media := answer.Value.Content.Get("application/json")
	if media == nil {
		return fmt.Errorf("%s %s: %d is not described as JSON", method, path, status)
	}
	return doc.ValidateSchemaJSON(media.Schema.Value, value, openapi3.EnableJSONSchema2020())
}

// isError checks the answer to a request for which the document has no operation.
func isError(doc *openapi3.T, status int, body string) error {
	if status == http.StatusNoContent {
		return nil // to OPTIONS
	}
	var value any
	if err := json.Unmarshal([]byte(body), &value); err != nil || status < 400 {
		return fmt.Errorf("%d, and JSON %w", status, err)
	}
	return doc.ValidateSchemaJSON(doc.Components.Schemas["CoocenterError"].Value, value, openapi3.EnableJSONSchema2020())
}

// templated returns the path under which the document has that of a request.
func templated(path string) string {
	if strings.EqualFold(path, Prefix+"/extensions/extenSpy") {
		return Prefix + "/extensions/extenSpy"
	}
	if strings.HasPrefix(path, pathEnded+"/") {
		return pathEnded + "/{uniqueid}"
	}
	return path
}

// TestAnswersAreAsDescribed checks the answers of all exchanges with the fake Asterisk, which TestExchanges compares with
// live ones, and makes sure that every endpoint is among them.
func TestAnswersAreAsDescribed(t *testing.T) {
	doc := described(t, newRig(t, newAsterisk(t), rigOptions{}))
	strict(doc)
	seen := map[string]bool{}
	files, err := filepath.Glob(filepath.Join("testdata", "api", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		archive, err := txtar.ParseFile(f)
		if err != nil {
			t.Fatal(err)
		}
		method, path := "", ""
		for _, part := range archive.Files {
			text := string(part.Data)
			if strings.HasSuffix(part.Name, " request") {
				first, _, _ := strings.Cut(text, "\n")
				method, path, _ = strings.Cut(first, " ")
				path, _, _ = strings.Cut(path, "?")
				continue
			}
			if !strings.HasSuffix(part.Name, " response") {
				continue
			}
			head, body, _ := strings.Cut(text, "\n\n")
			first, _, _ := strings.Cut(head, "\n")
			status, err := strconv.Atoi(first)
			if err != nil {
				t.Fatalf("%s: %s: %v", f, part.Name, err)
			}
			path = templated(path)
			if item := doc.Paths.Find(path); item == nil || item.GetOperation(method) == nil {
				if err := isError(doc, status, body); err != nil {
					t.Errorf("%s: %s: %v", filepath.Base(f), part.Name, err)
				}
				continue
			}
			body = strings.ReplaceAll(body, `"duration":"AGE"`, `"duration":"00:01:00"`)
			if err := conforms(doc, method, path, status, []byte(body)); err != nil {
				t.Errorf("%s: %s: %v", filepath.Base(f), part.Name, err)
			}
			if status == http.StatusOK {
				seen[method+" "+strings.TrimPrefix(path, Prefix)] = true
			}
		}
	}
	if len(seen) < 8 {
		t.Errorf("only %v", slices.Sorted(maps.Keys(seen)))
	}
}

// TestPushedEventsAreAsDescribed checks the events of all golden files against the webhooks.
func TestPushedEventsAreAsDescribed(t *testing.T) {
	doc := described(t, newRig(t, newAsterisk(t), rigOptions{}))
	seen := map[string]int{}
	check := func(file string, line []byte) {
		var value map[string]any
		line = bytes.ReplaceAll(line, []byte(`"timestamp":"TIME"`), []byte(`"timestamp":"1534993059.785012"`))
		line = bytes.ReplaceAll(line, []byte(`Time":"TIME"`), []byte(`Time":"2018-11-05 19:05:31"`))
		if err := json.Unmarshal(line, &value); err != nil {
			t.Errorf("%s: %v", file, err)
			return
		}
		kind := strings.Replace(fmt.Sprint(value["event"]), "dialbegein", "dialbegin", 1)
		hook := doc.Webhooks[kind]
		if hook == nil {
			t.Errorf("%s: %s is not described", file, kind)
			return
		}
		seen[kind]++
		if err := doc.ValidateSchemaJSON(hook.Post.RequestBody.Value.Content.Get("application/json").Schema.Value, value, openapi3.EnableJSONSchema2020()); err != nil {
			t.Errorf("%s: %s: %v", file, line, err)
		}
	}
	payloads, err := filepath.Glob(filepath.Join("testdata", "payloads", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range payloads {
		if strings.HasSuffix(f, "-empty.json") || strings.HasSuffix(f, "-unusual-text.json") || strings.HasSuffix(f, "-elsewhere.json") {
			continue // made of nothing but one value: Asterisk always tells more
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		check(filepath.Base(f), text)
	}
	transcripts, err := filepath.Glob(filepath.Join("testdata", "transcripts", "*.golden"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range transcripts {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			if i := bytes.IndexByte(line, '{'); i >= 0 {
				check(filepath.Base(f), line[i:])
			}
		}
	}
	for kind := range doc.Webhooks {
		if seen[kind] < 5 {
			t.Errorf("%s is described, and in %d golden files", kind, seen[kind])
		}
	}
}

// TestDescriptionIsHeld proves that the checks above find what they are for.
func TestDescriptionIsHeld(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{})
	text := r.request(http.MethodGet, "/openapi.json", "").Body.String()
	for _, change := range [][2]string{
		{`{"status":"success","message":"login extension success"}`, `{"status":"success","message":"logged in"}`}, // an example that does not fit
		{`"channelstatedesc":"Up",`, ``}, // one with a key too few
		{`"#/components/schemas/CoocenterPeer"`, `"#/components/schemas/CoocenterPear"`},
		{`"in":"header","name":"Authorization"`, `"in":"hat","name":"Authorization"`},
	} {
		broken := strings.Replace(text, change[0], change[1], 1)
		if broken == text {
			broken = strings.Replace(strings.ReplaceAll(text, ", ", ","), change[0], change[1], 1)
		}
		doc, err := openapi3.NewLoader().LoadFromData([]byte(broken))
		if err == nil {
			err = doc.Validate(t.Context())
		}
		if err == nil || broken == text {
			t.Errorf("%s instead of %s is not found", change[1], change[0])
		}
	}
	doc := described(t, r)
	strict(doc)
	for _, answer := range []string{
		`{"status":"success","message":"login extension success","more":1}`, `{"status":"success"}`, `{"status":"error","message":"login extension success"}`, `[]`,
	} {
		if conforms(doc, http.MethodPost, Prefix+"/queues/agent-login", http.StatusOK, []byte(answer)) == nil {
			t.Errorf("the answer %s is accepted", answer)
		}
	}
}
