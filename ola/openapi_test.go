package ola

import (
	"cmp"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/blacklist"
	"github.com/dialbridge/dialbridge/pbx"
)

// wildcards turns the router's spelling of a path into the document's.
var wildcards = strings.NewReplacer(":extn", "{extn}", ":destNumber", "{destNumber}", ":uuid", "{uuid}", ":UUID", "{UUID}", ":k", "{k}", ":member", "{member}", ":type", "{type}", ":id", "{id}")

// described loads the whole document as a client gets it, and checks it against OpenAPI 3.1; examples too.
func described(t *testing.T, r *rig) *openapi3.T {
	t.Helper()
	w := r.request(http.MethodGet, "/openapi.json", "")
	doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return doc
}

// ours lists the operations of the dialect.
func ours(doc *openapi3.T) map[string]*openapi3.Operation {
	list := map[string]*openapi3.Operation{}
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			if strings.HasPrefix(path, "/api/") {
				list[method+" "+path] = o
			}
		}
	}
	return list
}

func keys[V any](m map[string]V) (list []string) {
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// TestRoutesAreTheSameEverywhere compares the router's table with README.md and the OpenAPI document.
func TestRoutesAreTheSameEverywhere(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{})
	routed, contract := map[string]bool{}, map[string]bool{}
	for _, route := range r.api.routes() {
		for _, m := range route.methods {
			routed[m+" "+wildcards.Replace(route.path)] = true
		}
	}
	readme, err := os.ReadFile("README.md")
	r.must(err)
	for _, row := range regexp.MustCompile("(?m)^\\| ([A-Z, ]+) \\| `(/api/[^`]*)` \\|").FindAllStringSubmatch(string(readme), -1) {
		for m := range strings.SplitSeq(row[1], ", ") {
			contract[m+" "+row[2]] = true
		}
	}
	if diff := gocmp.Diff(keys(routed), keys(ours(described(t, r)))); diff != "" {
		t.Errorf("OpenAPI differs from the routes (-routes +openapi):\n%s", diff)
	}
	if diff := gocmp.Diff(keys(routed), keys(contract)); diff != "" {
		t.Errorf("README.md differs from the routes (-routes +README):\n%s", diff)
	}
}

// TestAnswersAreAsDescribed asks every endpoint with good parameters and compares the answer with its schema.
func TestAnswersAreAsDescribed(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	list := ours(described(t, r))
	_, err := r.list.Add(t.Context(), pbx.CampaignPlan{Group: "222", Kind: pbx.CampaignPlay, File: "beep"}, []string{"13800138000"})
	r.must(err)
	names := keys(list)
	slices.SortStableFunc(names, func(a, b string) int { // what ends the call comes last
		return cmp.Compare(strings.Count(a, "hangup"), strings.Count(b, "hangup"))
	})
	for _, name := range names {
		o := list[name]
		method, path, _ := strings.Cut(name, " ")
		for _, p := range o.Parameters {
			path = strings.ReplaceAll(path, "{"+p.Value.Name+"}", good[p.Value.Name])
		}
		for _, verb := range []string{"hangup", "hold", "unhold"} {
			if strings.HasSuffix(path, "/"+verb) {
				path = "/api/ola/agents/810/" + verb
			}
		}
		if strings.HasSuffix(path, "/unhold") {
			r.must(r.sw.Hold(t.Context(), "810"))
		}
		query := ""
		switch {
		case strings.HasPrefix(path, "/api/conferences/"):
			id := string(r.meeting().ID)
			path = strings.NewReplacer("630", id, "d2b8fb86", id, "oprConf/808", "oprConf/809", "dialConf/808", "dialConf/812").Replace(path)
			if query = "?members=808"; strings.HasSuffix(path, "addConfMembers") {
				query += "&confId=" + id
			}
			if strings.HasSuffix(path, "saveConf") {
				query = "?topic=weekly"
			}
		case strings.HasSuffix(path, "/makeCall"):
			query = "?from=812&to=13800138000&gwGroup=222"
		case name == "PUT /api/ola/groupCall":
			query = "?numbers=13800138000&gatewayGrp=222&OprType=queue&queue=10010"
		case path == pathLogin:
			query = "?username=admin&password=correct+horse"
		case strings.HasPrefix(path, "/api/special_phone/"):
			query = "?phone=13678267674&special_flag=2"
			r.must(r.numbers.Add(t.Context(), "13678267674", blacklist.Inbound, ""))
		}
		query += r.prepare(path)
		w := r.request(method, path+query, "")
		schema := o.Responses.Value("200").Value.Content.Get("application/json").Schema.Value
		var value any
		decode(t, w.Body.Bytes(), &value)
		if err := schema.VisitJSON(value); err != nil || w.Code != http.StatusOK {
			t.Errorf("%s: %d %s: %v", name, w.Code, w.Body, err)
		}
		if o.OperationID == "" || o.Summary == "" || (path == pathLogin) != (o.Security != nil && len(*o.Security) == 0) {
			t.Errorf("%s: id %q, summary %q, security %v", name, o.OperationID, o.Summary, o.Security)
		}
	}
}

// prepare makes what a request about extensions and outbound groups needs to succeed, and returns its parameters.
func (r *rig) prepare(path string) string {
	r.t.Helper()
	ctx := r.t.Context()
	if !strings.HasPrefix(path, "/api/ola/extensions") && !strings.HasPrefix(path, "/api/ola/dicts/") {
		return ""
	}
	_ = r.dir.RemoveLine(ctx, "820")
	for _, k := range []string{"out", "other"} {
		_ = r.dir.RemoveGroup(ctx, k)
	}
	r.must(r.dir.AddGroup(ctx, pbx.Group{K: "other", Name: "other", HangupDTMF: "0"}))
	if path != "/api/ola/dicts/insert" {
		r.must(r.dir.AddGroup(ctx, pbx.Group{K: "out", Name: "Out", HangupDTMF: "0"}))
	}
	if path != "/api/ola/extensions/insert" && path != "/api/ola/dicts/insert" {
		context := "out"
		if path == "/api/ola/dicts/delete" {
			context = "other"
		}
		r.must(r.dir.AddLine(ctx, pbx.Line{Exten: "820", Password: "x", Context: context}))
	}
	switch path {
	case "/api/ola/dicts/detail":
		return "?name=Out"
	case "/api/ola/extensions/insert":
		return "?extn=820&extnPwd=x&name=820&context=out"
	}
	return "?extn=820&k=out&v=Out"
}

func decode(t *testing.T, body []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
}
