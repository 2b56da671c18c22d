package etc_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/internal/etc"
)

func folder(t *testing.T, nameText ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(nameText); i += 2 {
		path := filepath.Join(dir, nameText[i])
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, []byte(nameText[i+1]), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReadFollowsIncludes(t *testing.T) {
	dir := folder(t,
		"manager.conf", "; comment\n[general](!)\nenabled = no ; really\nport => 5039\nodd = a\\;b\n;-- all of this\nport = 1\n--; bindaddr = ::1\n"+
			"#include \"manager.d/*.conf\" \n#tryinclude gone.conf\n#exec /bin/true\n",
		"manager.d/a.conf", "writetimeout=5\n[general](+)\nenabled = yes\n[one]\nsecret=1\n",
		"manager.d/b.conf", "[two](one)\nsecret=2\n[one]\nsecret=3\n",
		"manager.d/README", "[three]\n",
	)
	tree, err := etc.Read(dir, "manager.conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct{ section, name, value string }{
		{"general", "enabled", "yes"}, {"general", "Port", "5039"}, {"general", "odd", "a;b"}, {"general", "bindaddr", "::1"},
		{"general", "writetimeout", "5"}, {"one", "secret", "3"}, {"two", "secret", "2"}, {"two", "none", ""}, {"three", "secret", ""},
	} {
		if got := tree.Value(want.section, want.name); got != want.value {
			t.Errorf("[%s] %s is %q, want %q", want.section, want.name, got, want.value)
		}
	}
	if s, ok := tree.Find("one"); !ok || s.File != filepath.Join(dir, "manager.d/a.conf") || s.Line != 4 {
		t.Errorf("[one] is found at %+v, %v", s, ok)
	}
	if tree.Has("three") || !tree.Exec {
		t.Errorf("[three] %v, a program %v", tree.Has("three"), tree.Exec)
	}
	i, ok := tree.Including("manager.d/dialbridge.conf")
	if !ok || i.Section != "general" || !cmp.Equal(i.Opened, []string{"general"}) {
		t.Errorf("dialbridge.conf would be included by %+v, %v", i, ok)
	}
	if _, ok := tree.Including("other.conf"); ok {
		t.Error("other.conf would be included")
	}
}

// TestHalfComments: what is below them is lost, also in the next file of the same include.
func TestHalfComments(t *testing.T) {
	dir := folder(t,
		"a.conf", "[a]\n#include \"d/*\"\nx = 1 --;\ny = 2\n",
		"d/1.conf", "[one]\n;-- ;-- inner --;\n", "d/2.conf", "[two]\n", "d/.3.conf", "--;\n[three]\n",
	)
	over := map[string]string{filepath.Join(dir, "d/1a.conf"): "[one-a]\n--;\n[one-b]\n;--\n", filepath.Join(dir, "e.conf"): "[e]\n"}
	tree, err := etc.ReadWith(dir, "a.conf", over)
	if err != nil {
		t.Fatal(err)
	}
	want := []etc.Place{{File: filepath.Join(dir, "d/1a.conf"), Line: 4}, {File: filepath.Join(dir, "a.conf"), Line: 3}}
	if diff := cmp.Diff(want, tree.Endless); diff != "" {
		t.Error(diff)
	}
	if tree.Value("one-b", "x") != "1 --;" || tree.Has("one-a") || tree.Has("two") || tree.Has("three") || tree.Has("e") || tree.Value("one-b", "y") != "" {
		t.Errorf("%+v", tree)
	}
	if tree, err = etc.Read(dir, "a.conf"); err != nil || tree.Has("one-b") || !tree.Has("one") || tree.Endless[0].Line != 2 {
		t.Errorf("%+v, %v", tree, err)
	}
}

func TestReadEnds(t *testing.T) {
	dir := folder(t, "a.conf", "#include a.conf\n")
	if _, err := etc.Read(dir, "a.conf"); err == nil {
		t.Error("a file that includes itself is read")
	}
	if _, err := etc.Read(dir, "none.conf"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestSet(t *testing.T) {
	for _, c := range []struct {
		name               string
		style              etc.Style
		text, section, key string
		want               string
	}{
		{"a line keeps its comment", etc.Asterisk, "[general]\n enabled=no\t; why\nx=y\n", "general", "enabled", "[general]\nenabled = NEW\t; why\nx=y\n"},
		{"the arrow of Asterisk", etc.Asterisk, "[general]\nenabled => no\n", "general", "enabled", "[general]\nenabled = NEW\n"},
		{"below the last line of the section", etc.Asterisk, "[general]\na=1\n;enabled=no\n\n; of b\n[b]\n", "general", "enabled", "[general]\na=1\nenabled = NEW\n;enabled=no\n\n; of b\n[b]\n"},
		{"of several the last counts", etc.Asterisk, "[a]\nk=1\nk=2\n", "a", "k", "[a]\nk=1\nk = NEW\n"},
		{"another section's is not meant", etc.Asterisk, "[a]\nk=1\n[b]\nk=2", "a", "k", "[a]\nk = NEW\n[b]\nk=2"},
		{"a new section", etc.Asterisk, "[a]\nk=1", "b", "k", "[a]\nk=1\n\n[b]\nk = NEW\n"},
		{"an empty file", etc.Asterisk, "", "b", "k", "[b]\nk = NEW\n"},
		{"no section", etc.Asterisk, "; only this\n", "", "k", "k = NEW\n; only this\n"},
		{"ours: case and comments", etc.Ours, "[AMI]\nUserName = x#y # why\n", "ami", "username", "[AMI]\nusername = NEW # why\n"},
		{"ours: an empty value", etc.Ours, "[ami]\nsecret =\n# next\n", "ami", "secret", "[ami]\nsecret = NEW\n# next\n"},
		{"what is in a comment stays", etc.Asterisk, "[a]\n;--\nk=1\n[b]\n--;\nk=2\n", "a", "k", "[a]\n;--\nk=1\n[b]\n--;\nk = NEW\n"},
		{"line ends of Windows", etc.Ours, "[ami]\r\nsecret = \r\n", "ami", "secret", "[ami]\r\nsecret = NEW\r\n"},
		{"an open last line", etc.Ours, "[ami]", "ami", "secret", "[ami]\nsecret = NEW\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.style.Set(c.text, c.section, c.key, "NEW")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if again := c.style.Set(got, c.section, c.key, "NEW"); again != got {
				t.Errorf("a second time it is changed to %q", again)
			}
		})
	}
}

func TestReplaceKeepsOwnerAndWholeFiles(t *testing.T) {
	dir := folder(t, "a.conf", "old", "b.conf", "")
	path := filepath.Join(dir, "a.conf")
	owner, err := etc.OwnerOf(path)
	if err != nil || owner.Mode != 0o600 {
		t.Fatalf("%+v, %v", owner, err)
	}
	now := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
	first, err := etc.Backup(path, now)
	if err != nil || first != filepath.Join(dir, ".a.conf.dialbridge-20261122-093000") {
		t.Fatalf("%s, %v", first, err)
	}
	if err := etc.Replace(path, []byte("new"), owner); err != nil {
		t.Fatal(err)
	}
	second, err := etc.Backup(path, now)
	if err != nil || second == first {
		t.Fatalf("%s, %v", second, err)
	}
	for name, want := range map[string]string{path: "new", first: "old", second: "new"} {
		text, err := os.ReadFile(name)
		if err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
		if now, err := etc.OwnerOf(name); err != nil || now != owner {
			t.Errorf("%s: %+v, %v", name, now, err)
		}
	}
	link := filepath.Join(dir, "link.conf")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := etc.Replace(link, []byte("through"), owner); !errors.Is(err, etc.ErrLink) {
		t.Errorf("through a link: %v", err)
	}
	if _, err := etc.OwnerOf(link); !errors.Is(err, etc.ErrLink) {
		t.Errorf("owner of a link: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), "-new-") {
			t.Errorf("%s is left", e.Name())
		}
	}
}

// TestReadDoesNotWait: who may write in Asterisk's folder could else stop root's check for ever with a pipe.
func TestReadDoesNotWait(t *testing.T) {
	dir := folder(t, "a.conf", "[general]\n#include \"a.d/*.conf\"\n#include \"/dev/zero\"\n[last]\n", "a.d/folder.conf/x", "", "a.d/z.conf", "[one]\n")
	if err := syscall.Mkfifo(filepath.Join(dir, "a.d/pipe.conf"), 0o600); err != nil {
		t.Fatal(err)
	}
	tree, err := etc.Read(dir, "a.conf")
	if err != nil || !tree.Has("one") || !tree.Has("last") {
		t.Errorf("%+v, %v", tree, err)
	}
	if _, err := etc.Read(dir, "a.d/pipe.conf"); !errors.Is(err, etc.ErrOdd) {
		t.Errorf("a pipe: %v", err)
	}
}
