package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestManualHasEveryCommand holds that the manual page names every command and every flag.
func TestManualHasEveryCommand(t *testing.T) {
	text, err := os.ReadFile("docs/man/dialbridge.8.md")
	if err != nil {
		t.Fatal(err)
	}
	var look func(*cobra.Command)
	look = func(cmd *cobra.Command) {
		if !strings.Contains(string(text), "**"+cmd.Name()+"**") {
			t.Errorf("the manual does not name %s", cmd.CommandPath())
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(string(text), "**--"+f.Name+"**") {
				t.Errorf("the manual does not name --%s of %s", f.Name, cmd.CommandPath())
			}
		})
		for _, sub := range cmd.Commands() {
			look(sub)
		}
	}
	for _, cmd := range (program{}).command().Commands() {
		look(cmd)
	}
}

// TestManualHasEveryKey holds that the manual page of api.conf has each line of the example, sections, keys and comments; but for the first,
// which says what the file is.
func TestManualHasEveryKey(t *testing.T) {
	page, err := exec.CommandContext(t.Context(), "scripts/man-keys.sh").Output()
	if err != nil {
		t.Fatal(err)
	}
	plainly := strings.NewReplacer(`\-`, "-", `\(ha`, "^", `\e`, `\`, `\&`, "", `\fB`, "", `\fR`, "", ".SS ", "").Replace(string(page))
	has := strings.Split(plainly, "\n")
	example, err := os.ReadFile("api.conf.example")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(example), "\n")
	for line := range strings.Lines(rest) {
		if line = strings.TrimPrefix(strings.TrimRight(line, "\n"), "# "); line != "#" && !slices.Contains(has, line) {
			t.Errorf("the manual of api.conf does not have: %s", line)
		}
	}
	template, err := os.ReadFile("docs/man/api.conf.5.md")
	if err != nil || strings.Count(string(template), "\n@KEYS@\n") != 1 {
		t.Errorf("docs/man/api.conf.5.md has no place for them: %v", err)
	}
}
