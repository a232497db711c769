package main

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/manual"
)

// busu's own commands are all in the page and in the scripts, and the programs
// that read them find no fault, where they are there.
func TestManual(t *testing.T) {
	t.Parallel()
	k, err := kong.New(new(commands), kong.Name("busu"), kong.Description(description),
		kong.BindTo(t.Context(), (*context.Context)(nil)), kong.Vars{"project": event.DefaultProject})
	if err != nil {
		t.Fatal(err)
	}
	page := manual.Page(k.Model, "busu", "2026-11-26")
	leaves := k.Model.Leaves(true)
	if len(leaves) < 30 {
		t.Fatalf("there are only %d commands", len(leaves))
	}
	for _, leaf := range leaves {
		if !strings.Contains(page, `.SS "`+strings.ReplaceAll(leaf.FullPath(), "-", `\-`)) {
			t.Errorf("the page does not have %s", leaf.FullPath())
		}
		if !strings.Contains(leaf.Detail, "Example:") {
			t.Errorf("%s has no example", leaf.FullPath())
		}
	}
	if groff, err := exec.LookPath("groff"); err == nil {
		format := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z")
		format.Stdin = strings.NewReader(page)
		if out, err := format.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("groff: %v\n%s", err, out)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		text, err := manual.Completion(shell, k.Model)
		if err != nil {
			t.Fatal(err)
		}
		program, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		parse := exec.Command(program, "-n", "/dev/stdin")
		parse.Stdin = strings.NewReader(text)
		if out, err := parse.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
	}
}
