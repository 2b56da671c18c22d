package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Every test of the table exists, so that a renamed one is found here and not in a table of failures.
func TestTheTestsExist(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	for _, f := range faults {
		if f.what == "" || f.passes == "" || len(f.tests) == 0 {
			t.Errorf("%+v is not complete", f)
		}
		for _, name := range f.tests {
			pkg, test, _ := strings.Cut(name, " ")
			test, script, _ := strings.Cut(test, "/")
			if script != "" {
				if _, err := os.Stat(filepath.Join(root, "testdata", "script", script+".txtar")); err != nil {
					t.Error(err)
				}
			}
			if !declared(t, filepath.Join(root, pkg), test) {
				t.Errorf("%s has no %s", pkg, test)
			}
		}
	}
}

func declared(t *testing.T, dir, test string) bool {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	re := regexp.MustCompile(`(?m)^func ` + test + `\(`)
	for _, file := range files {
		if text, err := os.ReadFile(file); err != nil {
			t.Fatal(err)
		} else if re.Match(text) {
			return true
		}
	}
	return false
}

func TestTable(t *testing.T) {
	list := []fault{
		{"one", "it works", []string{"./a TestOne", "./a TestTwo"}}, {"two", "it works", []string{"./a TestOne", "./b TestThree"}},
		{"three", "it works", []string{". TestScripts/x"}},
	}
	results := map[string]result{"./a TestOne": {true, time.Second}, "./a TestTwo": {true, time.Second}, ". TestScripts/x": {false, 0}}
	var out bytes.Buffer
	if table(list, results, &out) {
		t.Error("a failure is a success")
	}
	for _, want := range []string{"one +it works +pass +2.0s", "two +it works +FAIL: did not run: ./b TestThree", "three +it works +FAIL: . TestScripts/x"} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("no %s in\n%s", want, &out)
		}
	}
	if !table(list[:1], results, &out) {
		t.Error("a success is a failure")
	}
	if got := pattern("./a", list); got != "^(TestOne|TestTwo|TestOne)$" {
		t.Error(got)
	}
	if got := pattern(".", list); got != "^(TestScripts)$/^(x)$" {
		t.Error(got)
	}
}
