package main

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func played(t *testing.T) []page {
	t.Helper()
	all, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestLines(t *testing.T) {
	lines := played(t)[0].lines
	used := map[int]bool{}
	for _, st := range steps() {
		used[st.line] = true
		if st.instead != "" && !strings.Contains(lines[st.line-1], st.instead) {
			t.Errorf("%s: no %q in the line", st.name, st.instead)
		}
	}
	plain, secure := &url.URL{Scheme: "http", Host: "127.0.0.1:1"}, &url.URL{Scheme: "https", Host: "127.0.0.1:2"}
	for i, line := range lines {
		method, path := endpoint(line)
		if !used[i+1] || method == "" || !strings.HasPrefix(path, "/coocenter-api/") {
			t.Errorf("line %d is not played: %s %s", i+1, method, path)
		}
		if got := here(line, plain, secure); strings.Contains(got, "192.168") || strings.Contains(line, "https:") != strings.Contains(got, "https://127.0.0.1:2/") {
			t.Errorf("line %d asks %s", i+1, got)
		}
	}
	for i, want := range map[int]string{8: `-d " src=808&dst=809"`, 10: `-d "dst=801& src=802"`, 11: `-d "dst=806& src=801"`, 6: `-d "extension=811&queue=630"`} {
		if got := here(lines[i], plain, secure); !strings.HasSuffix(got, want) {
			t.Errorf("line %d is %s, want %s at its end", i+1, got, want)
		}
	}
}

func TestAnswersThatDiffer(t *testing.T) {
	const want = `{"status":"success","message":"as printed","data":{"*":[{"name":"","paused":""}]}}`
	for answer, ok := range map[string]bool{
		`{"status":"success","message":"as printed","data":{"630":[{"name":"a","paused":"0"}],"631":[]}}`: true,
		`{"status":"success","message":"asprinted","data":{"630":[{"name":"a","paused":"0"}]}}`:           false,
		`{"status":"error","message":"as printed","data":{"630":[{"name":"a","paused":"0"}]}}`:            false,
		`{"status":"success","message":"as printed","data":{"630":[{"name":"a","paused":0}]}}`:            false,
		`{"status":"success","message":"as printed","data":{"630":[{"name":"a"}]}}`:                       false,
		`{"status":"success","message":"as printed","data":{"630":[{"name":"a","paused":"0","x":""}]}}`:   false,
		`{"status":"success","message":"as printed","data":[]}`:                                           false,
		`{"status":"success","message":"as printed"}`:                                                     false,
		`<html>`: false,
	} {
		if err := likeDocumented(want, []byte(answer)); ok != (err == nil) {
			t.Errorf("%s: %v", answer, err)
		}
	}
	if likeDocumented(`{"status":"success","data":["1"]}`, []byte(`{"status":"success","data":[]}`)) == nil {
		t.Error("an empty list is as good as the documented one")
	}
}

func TestTableIsGreenOnlyWhenAllIs(t *testing.T) {
	good := result{name: "good", request: "GET /x", status: "200"}
	for _, test := range []struct {
		name string
		bad  result
		word string
	}{
		{"body", result{name: "bad", body: errors.New("other text")}, "other text"},
		{"effect", result{name: "bad", effect: errors.New("no call")}, "no call"},
		{"missing", result{name: "bad", missing: true}, "missing"},
	} {
		var out strings.Builder
		if table(&out, []string{"16", "22"}, [][]result{{good}, {test.bad}}) || !strings.Contains(out.String(), test.word) || !strings.Contains(out.String(), "1 of 2") {
			t.Errorf("%s:\n%s", test.name, out.String())
		}
	}
	var out strings.Builder
	if !table(&out, []string{"22"}, [][]result{{good}}) {
		t.Errorf("all good:\n%s", out.String())
	}
}

func TestEndpointThatIsMissing(t *testing.T) {
	lines := played(t)[0].lines
	if r := (&stage{}).do(t.Context(), step{line: 15, name: "add"}, lines[14], map[string]bool{"GET /coocenter-api/blacklist/create": true}); !r.missing || r.green() {
		t.Errorf("%+v", r)
	}
}
