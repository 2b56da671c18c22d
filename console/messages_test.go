package console

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dialbridge/dialbridge/lab/browser"
)

// spoken are where the source says something to a person at the console: literals of these types, by the field with the text, and calls of these
// functions, by the place of the text among what they are given. What varies in a text is {}.
type spoken struct {
	dirs   []string
	fields map[string]string // type: field
	calls  map[string]int
}

// collect adds all texts of the packages.
func (s spoken) collect(t *testing.T, into map[string]string) {
	t.Helper()
	for _, dir := range s.dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(set, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if e := s.text(n); e != nil {
					into[pattern(e)] = set.Position(n.Pos()).String()
				}
				return true
			})
		}
	}
}

// text is what a piece of source says, nil for nothing.
func (s spoken) text(n ast.Node) ast.Expr {
	switch n := n.(type) {
	case *ast.CompositeLit:
		field := s.fields[nameOf(n.Type)]
		for _, e := range n.Elts {
			if pair, ok := e.(*ast.KeyValueExpr); ok && field != "" && nameOf(pair.Key) == field {
				return pair.Value
			}
		}
	case *ast.CallExpr:
		if at, ok := s.calls[nameOf(n.Fun)]; ok && len(n.Args) > at {
			return n.Args[at]
		}
	}
	return nil
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// pattern is a text with {} for what the source does not say.
func pattern(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		if err == nil {
			for _, verb := range []string{"%s", "%d", "%q", "%v", "%w"} {
				text = strings.ReplaceAll(text, verb, "{}")
			}
			return text
		}
	case *ast.BinaryExpr:
		return pattern(e.X) + pattern(e.Y)
	case *ast.CallExpr:
		if nameOf(e.Fun) == "Sprintf" && len(e.Args) > 0 {
			return pattern(e.Args[0])
		}
	}
	return "{}"
}

// others are texts that the source puts together in other ways: where each is, as it stands there, and what it says then.
var others = []struct{ file, literal, says string }{
	{"../pbx/run.go", `"the manager link is down"`, "the manager link is down"},
	{"../pbx/run.go", `reason += ": " + err.Error()`, "the manager link is down: read tcp 127.0.0.1:40000->127.0.0.1:5038: connection reset by peer"},
	{"../pbx/run.go", `"not allowed or not there: "`, "not allowed or not there: QueueStatus: Permission denied"},
	{"../pbx/run.go", `"waiting for asterisk to be fully booted"`, "waiting for asterisk to be fully booted"},
	{"../pbx/board.go", `"the switch is stuck"`, "the switch is stuck"},
	{"../pbx/switch.go", `"asterisk was not reached yet"`, "asterisk was not reached yet"},
	{"../pbx/resync.go", `"call records of the time without a link: "`, "not allowed or not there: call records of the time without a link: no such file"},
	{"../webhook/attempt.go", `"answer %d %s"`, "answer 503 Service Unavailable"},
	{"../webhook/attempt.go", `": the URL has moved to "`, "answer 301 Moved Permanently: the URL has moved to https://x.example/, redirects are not followed"},
	{"../webhook/attempt.go", `": is the clock right?"`, "answer 401 Unauthorized: is the clock right?"},
	{"../webhook/endpoint.go", `"no answer in time: %s"`, "no answer in time: context deadline exceeded (Client.Timeout exceeded while awaiting headers)"},
	{"../webhook/endpoint.go", `"address is link-local"`, "dial tcp 169.254.1.1:80: address is link-local"},
	{"../webhook/endpoint.go", `e.hide.Replace(err.Error())`, "dial tcp 127.0.0.1:9: connect: connection refused"},
	{"../webhook/endpoint.go", `e.hide.Replace(err.Error())`, "dial tcp: lookup crm.example on 10.0.0.1:53: no such host"},
	{"../webhook/endpoint.go", `e.hide.Replace(err.Error())`, "tls: failed to verify certificate: x509: certificate signed by unknown authority"},
	{"../webhook/mend.go", `"the database was damaged and not all of it could be read; it is kept as %s"`, "the database was damaged and not all of it could be read; it is kept as /x"},
	{"../webhook/recipient.go", `"%w: no receiver %q; there are %s"`, `unusable filter: no receiver "x"; there are a, b`},
	{"../webhook/filter.go", `"%w: no state %q; there are pending, delivered, dead, expired, dropped"`, `unusable filter: no state "x"; there are pending, delivered, dead, expired, dropped`},
	{"../webhook/change.go", `"%w: %s is stored for %s; say for which receiver"`, "unusable filter: evt_1 is stored for a, b; say for which receiver"},
	{"../internal/httpd/params.go", `"is longer than %d bytes"`, "number is longer than 8192 bytes"},
	{"../internal/httpd/params.go", `"is not UTF-8"`, "number is not UTF-8"},
	{"../internal/httpd/params.go", `"holds a control character"`, "number holds a control character"},
	{"../internal/httpd/sound.go", `strings.TrimSpace(w.text.String())`, "invalid range: failed to overlap"}, // net/http's own
	{"../ola/frame.go", `"not a string, a number or a truth value"`, "password: not a string, a number or a truth value"},
	{"../ola/web/ola_api.js", "'cannot connect: ' + err.message", "cannot connect: the connection is lost"},
	{"../blacklist/run.go", `r.status.Err = err`, "black list: asterisk is not connected"},
}

// messages are all texts that a person at the console can be told, with where they come from. What varies is x7.
func messages(t *testing.T) map[string]string {
	t.Helper()
	found, reasons, all := map[string]string{}, map[string]string{}, map[string]string{}
	spoken{dirs: []string{".", "../internal/httpd", "../ola"}, fields: map[string]string{"Error": "Message"}, calls: map[string]int{"bad": 0, "unusable": 0}}.collect(t, found)
	spoken{dirs: []string{"../pbx"}, calls: map[string]int{"report": 1}}.collect(t, found)
	spoken{dirs: []string{"../ami"}, calls: map[string]int{"New": 0}}.collect(t, found)
	spoken{dirs: []string{"../pbx", "../blacklist"}, fields: map[string]string{"InvalidError": "Reason"}, calls: map[string]int{"bad": 0}}.collect(t, reasons)
	for _, lot := range []struct {
		file, form string
		least      int
	}{{"../ola/errors.go", `"([a-zA-Z]+ [^"]+)"`, 20}, {"../ola/web/ola_api.js", `new OlaError\([^'\n]*'([^'\n]+)'`, 6}} {
		text, err := os.ReadFile(lot.file)
		if err != nil {
			t.Fatal(err)
		}
		list := regexp.MustCompile(lot.form).FindAllSubmatch(text, -1)
		if len(list) < lot.least {
			t.Errorf("%d texts in %s", len(list), lot.file)
		}
		for _, m := range list {
			found[string(m[1])] = lot.file
		}
	}
	if len(found) < 100 || len(reasons) < 40 {
		t.Errorf("%d texts and %d reasons were found: where are the others?", len(found), len(reasons))
	}
	letters := regexp.MustCompile(`[a-zA-Z]{2}`)
	for text, place := range found {
		if sample := strings.ReplaceAll(text, "{}", "x7"); letters.MatchString(strings.ReplaceAll(text, "{}", "")) && text != "password: {}" {
			all[sample] = place
		}
	}
	for text, place := range reasons {
		if text == "{}" { // in other words than the function's own, which are found where it is called
			continue
		}
		all["transfer_phone: "+strings.ReplaceAll(text, "{}", "x7")] = place
	}
	for _, o := range others {
		if text, err := os.ReadFile(o.file); err != nil || !strings.Contains(string(text), o.literal) {
			t.Errorf("%s does not hold %s any more: %v", o.file, o.literal, err)
		}
		all[o.says] = o.file
	}
	return all
}

// TestEveryMessageIsChinese: whatever the daemon may say to a person at the console, the pages have it in Chinese.
func TestEveryMessageIsChinese(t *testing.T) {
	r := newRig(t, 20)
	p := browser.ForTest(t, browser.Options{}).Open(r.open())
	all := messages(t)
	list, err := json.Marshal(slices.Sorted(maps.Keys(all)))
	r.must(err)
	var missing []string
	p.Eval(`import(new URL("./messages.js", location.href)).then(({ inChinese }) => `+string(list)+`.filter((text) => !/[\u4e00-\u9fff]/.test(inChinese(text) ?? "")))`, &missing)
	for _, text := range missing {
		t.Errorf("no Chinese for %q of %s", text, all[text])
	}
	for text, want := range map[string]string{
		"querying asterisk failed: authentication failed": "查询 Asterisk 失败：认证失败", "number: not an extension number": "number：不是分机号",
		"direction: inbound, outbound or both": "direction：须为 inbound, outbound 或 both", "limit is no number from 1 to 200": "limit 不是 1 到 200 之间的数字",
	} {
		var have string
		p.Eval(fmt.Sprintf(`import(new URL("./messages.js", location.href)).then(({ inChinese }) => inChinese(%q))`, text), &have)
		if have != want {
			t.Errorf("%s: %s, want %s", text, have, want)
		}
	}
	t.Logf("%d messages", len(all))
}
