package box_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVersions holds that a later commit is a later version for dpkg.
func TestVersions(t *testing.T) {
	dir := t.TempDir()
	script, err := os.ReadFile(filepath.Join(root, "scripts/deb-version.sh"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "scripts"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "scripts/deb-version.sh"), script, 0o755); err != nil {
		t.Fatal(err)
	}
	commit := "git add -A && git -c user.name=a -c user.email=a@localhost commit -q --allow-empty -m x"
	shell(t, dir, "git init -q && "+commit)
	var list []string
	for _, step := range []string{
		":", commit, commit + " && git tag v1.2.0-rc1", commit, "git tag v1.2.0", commit, "echo >>scripts/deb-version.sh",
		"git checkout -q . && " + commit + " && git tag v1.10.0",
	} {
		shell(t, dir, step)
		list = append(list, strings.TrimSpace(shell(t, dir, "scripts/deb-version.sh")))
	}
	t.Log(list)
	for i := range list[1:] {
		shell(t, dir, fmt.Sprintf("dpkg --compare-versions %s lt %s", list[i], list[i+1]))
	}
	if list[4] != "1.2.0" {
		t.Errorf("the version of v1.2.0 is %s", list[4])
	}
}

// TestSame holds that a package depends on nothing but what is put into it.
func TestSame(t *testing.T) {
	for _, arch := range archs() {
		made := deb(t, arch)
		dir := t.TempDir()
		version := strings.Split(filepath.Base(made), "_")[1]
		shell(t, root, fmt.Sprintf("touch %[1]s/bin/linux-%[2]s/dialbridge; umask 077; TZ=Asia/Tokyo %[3]s scripts/deb.sh %[2]s %[1]s/bin/linux-%[2]s/dialbridge %[4]s %[5]s",
			out, arch, packers(t), version, dir))
		if sum(t, made) != sum(t, filepath.Join(dir, filepath.Base(made))) {
			t.Errorf("%s: the same again is not the same", made)
		}
	}
}

// TestLintian holds the packages to Debian's policy; what is otherwise on purpose stands, with its reason, in systemd/lintian-overrides.
func TestLintian(t *testing.T) {
	for _, arch := range archs() {
		t.Log(shell(t, root, "lintian --allow-root --fail-on=error,warning "+deb(t, arch)))
	}
}

func sum(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}
