package config

import (
	"strings"
	"testing"
	"time"
)

// Projects keep less than all, never more, and each says so once.
func TestRetentionOfProjects(t *testing.T) {
	t.Parallel()
	load := func(file string) (Config, error) {
		return Load(All, func(name string) (string, bool) { return "busu.yaml", name == "BUSU_CONFIG" },
			func(string) ([]byte, error) { return []byte(file), nil }, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	}
	c, err := load("retention:\n  projects: [{project: a, completions: 30d, answers: 0s}, {project: b}]\n  completions: 100d\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []ProjectRetention{{"a", 30 * day, 0}, {"b", 100 * day, day}}
	if got := c.Retention.Projects; len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v, want %+v", got, want)
	}
	var printed strings.Builder
	if err := c.Print(&printed); err != nil {
		t.Fatal(err)
	}
	again, err := load(printed.String())
	if err != nil || len(again.Retention.Projects) != 2 || again.Retention.Projects[0] != want[0] {
		t.Errorf("printed and read again: %+v, %v", again.Retention.Projects, err)
	}
	for wrong, said := range map[string]string{
		"{project: a, completions: 500d}": "completions",
		"{project: a, answers: 2d}":       "answers",
		"{completions: 30d}":              "needs the name of a project",
		"{project: a}, {project: a}":      "says again",
	} {
		if _, err := load("retention: {projects: [" + wrong + "]}\n"); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
