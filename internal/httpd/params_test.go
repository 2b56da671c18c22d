package httpd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

const form = "application/x-www-form-urlencoded"

// params reads the parameters of one request.
func params(method, query, contentType, body string) (Params, error) {
	r := httptest.NewRequestWithContext(context.Background(), method, "/", strings.NewReader(body))
	r.URL.RawQuery = query
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return ReadParams(echo.New().NewContext(r, httptest.NewRecorder()))
}

func joinedParams(p Params) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		list = append(list, name+"="+p.values[name])
	}
	return strings.Join(list, "|")
}

func TestReadParams(t *testing.T) {
	for _, test := range []struct{ method, query, kind, body, want string }{
		{"POST", "", form, " src=808&dst=809 ", "dst=809|src=808"},
		{"POST", "", form, "dst=801& src=802", "dst=801|src=802"},
		{"POST", "", form, "src=%20808%09&name=%E5%BC%A0%E4%B8%89&wide=%E3%80%801", "name=张三|src=808|wide=1"},
		{"POST", "", form + "; charset=UTF-8", "a=1+2&b&c=&&d=x=y", "a=1 2|b=|c=|d=x=y"},
		{"POST", "", "", "a=1", "a=1"},
		{"DELETE", "", form, "number=123456", "number=123456"},
		{"DELETE", "number=123456", "", "", "number=123456"},
		{"GET", "a=1", form, "b=2", "a=1|b=2"},
		{"POST", "a=1", form, "a=1", "a=1"},
		{"POST", "", form, "a=1&a=+1", "a=1"},
		{"POST", "", "application/json", ` {"a":"x","b":808,"c":1e3,"d":true,"e":null," f ":" y ","g":[1,"two",false],"h":[]} `, "a=x|b=808|c=1e3|d=true|f=y|g=1,two,false|h="},
		{"POST", "", "application/vnd.api+json; charset=utf-8", "\uFEFF{\"n\":12345678901234567890}", "n=12345678901234567890"},
		{"POST", "", "application/json", "{}", ""},
		{"POST", "", "application/json", "", ""},
		{"POST", "", "multipart/form-data; boundary=x", "", ""},
	} {
		p, err := params(test.method, test.query, test.kind, test.body)
		if got := joinedParams(p); err != nil || got != test.want {
			t.Errorf("%s ?%s %s %q = %q, error %v; want %q", test.method, test.query, test.kind, test.body, got, err, test.want)
		}
	}
}

// TestReadLongParams: only the named ones may be long, and all other faults are theirs too.
func TestReadLongParams(t *testing.T) {
	long := strings.Repeat("13800138000,", 1000)
	for body, says := range map[string]string{
		"numbers=" + long: "", "other=" + long: "other is longer than 8192 bytes", "numbers=" + long + "%00": "numbers holds a control character",
		"numbers=" + long + "&numbers=1": "numbers is given twice",
	} {
		r := httptest.NewRequestWithContext(context.Background(), "PUT", "/", strings.NewReader(body))
		c := echo.New().NewContext(r, httptest.NewRecorder())
		p, err := ReadLongParams(c, "numbers")
		if says == "" && (err != nil || p.Get("numbers") != long) || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%.20s: %v, want %q", body, err, says)
		}
		if again, err := ReadParams(c); says == "" && (err != nil || again.Get("numbers") != long) {
			t.Errorf("read again: %v", err)
		}
	}
}

func TestReadParamsRefuses(t *testing.T) {
	for _, test := range []struct{ query, kind, body, says string }{
		{"", form, "a=1%0d%0aAction:%20Ping", "a holds a control character"},
		{"", form, "a=1%00", "a holds a control character"},
		{"", form, "a=1%0a", "a holds a control character"},
		{"", form, "a=%c2%85", "a holds a control character"},
		{"", form, "a=%ff", "a is not UTF-8"},
		{"", form, "a%0a=1", "the name of a parameter is empty or no plain text"},
		{"", form, "=1", "the name of a parameter is empty"},
		{"", form, strings.Repeat("n", 129) + "=1", "the name of a parameter"},
		{"", form, "a=" + strings.Repeat("x", MaxParam+1), "a is longer than 8192 bytes"},
		{"", form, "a=%zz", "badly encoded value: a"},
		{"", form, "%zz=1", "a name that is badly encoded"},
		{"a=%zz", "", "", "the query has a badly encoded value: a"},
		{"a=1", form, "a=2", "a is given twice with different values"},
		{"", "application/json", `{"a":1,"a":2}`, "a is given twice with different values"},
		{"", "application/json", `{"a":{"b":1}}`, "a is a JSON value of a kind that is not understood here"},
		{"", "application/json", `{"a":[[1]]}`, "a is a JSON value of a kind that is not understood here"},
		{"", "application/json", `{"a":[{}]}`, "a is a JSON value of a kind that is not understood here"},
		{"", "application/json", `[1]`, "the body is no JSON object"},
		{"", "application/json", `"a"`, "the body is no JSON object"},
		{"", "application/json", `{"a":`, "the body is no JSON object"},
		{"", "application/json", `{"a":1`, "the body is no JSON object"},
		{"", "application/json", `{"a":[1`, "the body is no JSON object"},
		{"", "application/json", `{"a":1}{"b":2}`, "something follows the JSON object"},
		{"", "application/json", `{"a":1} x`, "something follows the JSON object"},
		{"", "application/json", `a=1`, "the body is no JSON object"},
		{"", "application/json", "{\"a\":\"\xff\"}", "the JSON body is not UTF-8"},
		{"", "application/json", `{"a":"x\r\ny"}`, "a holds a control character"},
		{"", "application/json", strings.Repeat("[", 100000), "the body is no JSON object"},
		{"", "application/json; charset=gbk", `{}`, "the charset gbk is not understood"},
		{"", "text/xml", "<a/>", "the Content-Type text/xml is not understood"},
		{"", "multipart/form-data; boundary=x", "--x--", "the Content-Type multipart/form-data is not understood"},
		{"", ";;;", "a=1", "the Content-Type cannot be read"},
		{strings.Repeat("a&", 10) + many(MaxParams+1), "", "", "more than 256 parameters"},
	} {
		_, err := params("POST", test.query, test.kind, test.body)
		var own *Error
		if !errors.As(err, &own) || own.Status != http.StatusBadRequest || !strings.Contains(own.Message, test.says) {
			t.Errorf("?%.40s %s %.40q: error %v, want %q", test.query, test.kind, test.body, err, test.says)
		}
	}
}

// many is a query of n different parameters.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		_, _ = fmt.Fprintf(&b, "p%d=1&", i)
	}
	return b.String()
}

func TestTypedReading(t *testing.T) {
	p, err := params("POST", "", form, "conf=&confId=7&n=12&bad=x&empty=")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Get("conf", "confld", "confId"); got != "7" {
		t.Errorf("Get = %q", got)
	}
	if got := p.Get("none"); got != "" {
		t.Errorf("Get of nothing = %q", got)
	}
	if value, ok := p.Lookup("empty"); value != "" || !ok {
		t.Errorf("Lookup = %q %v", value, ok)
	}
	if value, err := p.Require("confId"); value != "7" || err != nil {
		t.Errorf("Require = %q, %v", value, err)
	}
	if _, err := p.Require("src", "empty"); err == nil || err.Error() != "src is missing" {
		t.Errorf("Require of nothing: %v", err)
	}
	for _, test := range []struct {
		name string
		want int
		says string
	}{
		{"n", 12, ""}, {"none", 5, ""}, {"empty", 5, ""}, {"bad", 0, "bad is no number from 1 to 20"}, {"confId", 7, ""},
	} {
		got, err := p.Int(test.name, 5, 1, 20)
		if got != test.want || (err != nil) != (test.says != "") || err != nil && err.Error() != test.says {
			t.Errorf("Int(%s) = %d, %v", test.name, got, err)
		}
	}
	if _, err := p.Int("n", 0, 1, 11); err == nil {
		t.Error("12 is taken for a number up to 11")
	}
}

func TestPathParam(t *testing.T) {
	s := newServer(t, nil)
	s.Mount(shape("/api")).GET("/get/:number", func(c echo.Context) error {
		number, err := PathParam(c, "number")
		if err != nil {
			return err
		}
		return c.String(http.StatusOK, number)
	})
	for _, test := range []struct{ target, want string }{
		{"/api/get/808", "808"},
		{"/api/get/%20808%20", "808"},
		{"/api/get/PJSIP%2F808", "PJSIP/808"},
		{"/api/get/%E5%BC%A0", "张"},
		{"/api/get/100%25", "100%"},
		{"/api/get/%2F100%25", "/100%"},
	} {
		if w := ask(s, "GET", test.target, nil, nil); w.Code != 200 || w.Body.String() != test.want {
			t.Errorf("%s = %d %q, want %q", test.target, w.Code, w.Body, test.want)
		}
	}
	if w := ask(s, "GET", "/api/get/"+strings.Repeat("a", MaxParam+1), nil, nil); w.Code != 400 {
		t.Errorf("a long one = %d", w.Code)
	}
}

// FuzzParams demands of any query and body: no panic, an error that is a 400 in
// one short line of plain text, and parameters that are clean.
func FuzzParams(f *testing.F) {
	f.Add("a=1", form, " src=808&dst=809")
	f.Add("", "application/json", `{"a":[1,"x",true],"b":null}`)
	f.Add("a=%00&%ff", "application/json; charset=x", `{"a":{`)
	f.Add(";", "text/plain", "\r\n")
	f.Fuzz(func(t *testing.T, query, contentType, body string) {
		p, err := params("POST", query, contentType, body)
		if err != nil {
			var own *Error
			if !errors.As(err, &own) || own.Status != http.StatusBadRequest {
				t.Fatalf("error %v", err)
			}
			if m := own.Message; len(m) > 500 || !utf8.ValidString(m) || strings.ContainsFunc(m, unicode.IsControl) {
				t.Fatalf("message %q", m)
			}
			return
		}
		for name, value := range p.values {
			if name == "" || trim(name) != name || trim(value) != value || unclean(name, maxName) != "" || unclean(value, MaxParam) != "" {
				t.Fatalf("parameter %q=%q", name, value)
			}
		}
	})
}
