package main

import (
	"os"
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
