package config

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// manual is the page that operators read.
func manual(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestManualsExample: the busu.yaml of the manual is one that loads.
func TestManualsExample(t *testing.T) {
	t.Parallel()
	_, rest, found := strings.Cut(manual(t), "```yaml\n")
	example, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("there is no example")
	}
	example = strings.Replace(example, "prices: {file: prices.yaml}", "prices: {}", 1) // shown in prices.md
	env := map[string]string{"BUSU_CONFIG": "busu.yaml", "ANTHROPIC_API_KEY": "k1", "GROQ_BATCH_KEY": "k2", "ACME_KEY": "k3"}
	c, err := Load(All, func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		func(string) ([]byte, error) { return []byte(example), nil }, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Providers) != 4 || len(c.Models) != 4 || c.Baseline().ID != "large" {
		t.Errorf("%d providers, %d models, baseline %s", len(c.Providers), len(c.Models), c.Baseline().ID)
	}
}

// TestManualKnowsEverything: all variables, keys and known providers are in
// the manual, and the defaults that it gives are those in force.
func TestManualKnowsEverything(t *testing.T) {
	t.Parallel()
	text := manual(t)
	c, err := Load(All, func(string) (string, bool) { return "", false },
		func(string) ([]byte, error) { return nil, fs.ErrNotExist }, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	if err := c.Print(&printed); err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^# ([A-Z][A-Z_]+)`).FindAllStringSubmatch(printed.String(), -1) {
		if !strings.Contains(text, "`"+m[1]+"`") {
			t.Errorf("the variable %s is not in the manual", m[1])
		}
	}
	for _, p := range presets {
		if !strings.Contains(text, "`"+p.name+"`") || p.keyEnv != "" && !strings.Contains(text, "`"+p.keyEnv+"`") {
			t.Errorf("the provider %s, or %s, is not in the manual", p.name, p.keyEnv)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^ *(?:- )?([a-z_]+):`).FindAllStringSubmatch(printed.String(), -1) {
		if !regexp.MustCompile("[ .{`]"+m[1]+"[:`.]").MatchString(text) && !strings.Contains(text, "\n"+m[1]+":") {
			t.Errorf("the key %s is not in the manual", m[1])
		}
	}
	var sections map[string]any
	if err := yaml.Unmarshal(printed.Bytes(), &sections); err != nil {
		t.Fatal(err)
	}
	sections["providers"] = sections["providers"].([]any)[0]
	checked := 0
	for _, m := range regexp.MustCompile("(?m)^\\| (`[^|]+`) \\| `([^`|]+)` \\|").FindAllStringSubmatch(text, -1) {
		for key := range strings.SplitSeq(m[1], " · ") {
			section, name, ok := strings.Cut(strings.Trim(key, "`"), ".")
			if !ok {
				continue
			}
			got := fmt.Sprint(sections[section].(map[string]any)[name])
			if got != m[2] {
				t.Errorf("the default of %s is %s, the manual says %s", key, got, m[2])
			}
			checked++
		}
	}
	if checked < 25 {
		t.Errorf("only %d defaults were found in the manual", checked)
	}
}
