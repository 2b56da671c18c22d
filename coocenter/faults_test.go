package coocenter

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/dialbridge/dialbridge/internal/trial"
)

// good are values that each parameter of the dialect takes. A new parameter needs one, and has all the faults then.
var good = map[string]string{
	"channels": "all", "queue": "630", "member": "808", "extension": "808", "state": "on", "reason": "lunch", "src": "808", "dst": "809",
	"timeout": "5", "callerid": "808", "limitSec": "5", "type": "blind", "mode": "listen", "number": "4711",
}

// operation is one method of one path with the parameters that it has and needs.
type operation struct {
	method, path   string
	names, needed  []string
	idempotencyKey bool
}

// parameterised lists all operations of the dialect but the recordings, whose parameter is the path: see
// TestRecordingsForStrangers. One without parameters is tried with a name that it does not know.
func parameterised(t *testing.T, doc *openapi3.T) (list []operation) {
	t.Helper()
	for path, item := range doc.Paths.Map() {
		if !strings.HasPrefix(path, Prefix) || strings.Contains(path, "/monitor/") {
			continue
		}
		for method, o := range item.Operations() {
			op := operation{method: method, path: path}
			for _, p := range o.Parameters {
				if p.Value.In == "query" {
					op.names = append(op.names, p.Value.Name)
				}
				op.idempotencyKey = op.idempotencyKey || p.Value.Name == "Idempotency-Key"
			}
			if o.RequestBody != nil {
				schema := o.RequestBody.Value.Content.Get("application/json").Schema.Value
				op.needed = append(op.needed, schema.Required...)
				if len(schema.AnyOf) > 0 {
					op.needed = append(op.needed, schema.AnyOf[0].Value.Required...)
				}
				for name := range schema.Properties {
					if !slices.Contains(op.names, name) {
						t.Errorf("%s %s: %s stands in the body alone", method, path, name)
					}
				}
			}
			if len(op.names) == 0 {
				op.names = []string{"unknown"}
			}
			list = append(list, op)
		}
	}
	return list
}

// others are good values for what an operation needs besides one parameter.
func (op operation) others(t *testing.T, but string) (form url.Values, object map[string]json.RawMessage) {
	t.Helper()
	form, object = url.Values{}, map[string]json.RawMessage{}
	for _, name := range op.needed {
		if good[name] == "" {
			t.Fatalf("no good value for %s of %s", name, op.path)
		}
		if name != but {
			form.Set(name, good[name])
			object[name] = json.RawMessage(`"` + good[name] + `"`)
		}
	}
	return form, object
}

// TestFaultsOfEveryParameter puts every fault into every parameter that the OpenAPI document has, in the query, in a form and in
// JSON. Each is refused in the dialect's shape with the parameter's name, and nothing is sent to Asterisk.
func TestFaultsOfEveryParameter(t *testing.T) {
	fake := newAsterisk(t)
	fake.channels = liveChannels()
	r := newRig(t, fake, rigOptions{}).complete()
	tried, form, object := 0, "application/x-www-form-urlencoded", "application/json"
	refused := func(what string, op operation, query, body, kind, message string) {
		t.Helper()
		tried++
		target := op.path
		if query != "" {
			target += "?" + query
		}
		w := r.request(op.method, target, body, "Content-Type", kind, "X-Request-Id", "request-1")
		var shape struct{ Status, Message string }
		if err := json.Unmarshal(w.Body.Bytes(), &shape); err != nil || w.Code != http.StatusBadRequest || shape.Status != "error" || !strings.Contains(shape.Message, message) {
			t.Errorf("%s %s, %s: %d %.200s, want 400 with %q", op.method, op.path, what, w.Code, w.Body, message)
		}
	}
	for _, op := range parameterised(t, described(t, r)) {
		for _, name := range op.names {
			rest, object0 := op.others(t, name)
			for _, f := range trial.Faults {
				if f.Form != "" {
					text := strings.TrimPrefix(rest.Encode()+"&"+name+"="+f.Form, "&")
					refused(name+" "+f.Name+" in the query", op, text, "", form, "")
					refused(name+" "+f.Name+" in a form", op, "", text, form, name)
				}
				object0[name] = json.RawMessage(f.JSON)
				refused(name+" "+f.Name+" in JSON", op, "", inJSON(object0), object, "")
			}
			value := good[name] + "0"
			twice := strings.TrimPrefix(rest.Encode()+"&"+name+"="+value+"1&"+name+"="+value+"2", "&")
			refused(name+" twice in the query", op, twice, "", form, name+" is given twice")
			refused(name+" twice in a form", op, "", twice, form, name+" is given twice")
			refused(name+" in query and form", op, name+"="+value+"1", rest.Encode()+"&"+name+"="+value+"2", form, name+" is given twice")
			delete(object0, name)
			refused(name+" twice in JSON", op, "", strings.TrimSuffix(inJSON(object0), "}")+comma(object0)+`"`+name+`":"1","`+name+`":"2"}`, object, name+" is given twice")
			if !slices.Contains(op.needed, name) {
				continue
			}
			refused(name+" missing in the query", op, rest.Encode(), "", form, name+" is missing")
			refused(name+" missing in a form", op, "", rest.Encode()+"&x=y", form, name+" is missing")
			refused(name+" missing in JSON", op, "", inJSON(object0), object, name+" is missing")
			refused(name+" empty", op, "", rest.Encode()+"&"+name+"=", form, name+" is missing")
			refused(name+" of blanks", op, "", rest.Encode()+"&"+name+"=+%09%c2%a0", form, name+" is missing")
			object0[name] = json.RawMessage("null")
			refused(name+" null in JSON", op, "", inJSON(object0), object, name+" is missing")
		}
		if op.idempotencyKey {
			rest, _ := op.others(t, "")
			for _, key := range []string{strings.Repeat("k", 256), "a\x00b", "a\x7f", "\xff\xfe"} {
				w := r.request(op.method, op.path, rest.Encode(), "Idempotency-Key", key, "X-Request-Id", "request-1")
				tried++
				if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "Idempotency-Key") {
					t.Errorf("%s with the key %.20q: %d %s", op.path, key, w.Code, w.Body)
				}
			}
		}
	}
	if sent := r.caused(); len(sent) != 0 {
		t.Errorf("sent to Asterisk:\n%s", strings.Join(r.told(), ""))
	}
	if w := r.request(http.MethodGet, Prefix+"/blacklist/index", ""); w.Body.String() != `{"status":"success","data":[]}`+"\n" {
		t.Errorf("listed: %s", w.Body)
	}
	t.Logf("%d requests were refused", tried)
}

// inJSON writes an object with values as they are: an encoder would mend them.
func inJSON(values map[string]json.RawMessage) string {
	var fields []string
	for name, value := range values {
		fields = append(fields, `"`+name+`":`+string(value))
	}
	return "{" + strings.Join(fields, ",") + "}"
}

// comma stands between what an object has and what is put behind it.
func comma(values map[string]json.RawMessage) string {
	if len(values) == 0 {
		return ""
	}
	return ","
}
