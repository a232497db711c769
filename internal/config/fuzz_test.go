package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever the bytes, Load neither panics nor answers anything but a complete
// configuration that prints and loads again, or Problems with places and hints.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"good", "bad"} {
		for _, path := range fuzzSeeds(pattern) {
			f.Add(path)
		}
	}
	f.Add([]byte("{"))
	f.Add([]byte("? [a]\n: b\n"))
	f.Add([]byte("!!binary x"))
	f.Add([]byte("a: &a [*a, *a]\n"))
	f.Add([]byte("\xff\xfe\x00"))
	f.Add([]byte(strings.Repeat("[", 1000)))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := loadYAML(string(text))
		if err != nil {
			checkProblems(t, err)
			return
		}
		checkComplete(t, c)
		again, err := loadYAML(printed(t, c))
		if err != nil {
			t.Fatalf("printed, but not loaded again: %v\n%s", err, printed(t, c))
		}
		c.Notes, again.Notes = nil, nil
		if !reflect.DeepEqual(c, again) {
			t.Fatalf("loaded again\n got %+v\nwant %+v", again, c)
		}
	})
}

func checkProblems(t *testing.T, err error) {
	t.Helper()
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("Load gave %T %v, want Problems", err, err)
	}
	if !utf8.ValidString(err.Error()) {
		t.Errorf("not UTF-8: %q", err.Error())
	}
	checkEachHasAHint(t, problems)
}

func checkComplete(t *testing.T, c Config) {
	t.Helper()
	if len(c.Providers) == 0 || len(c.Models) == 0 || !c.Baseline().Chats() || c.Baseline().ID == "" {
		t.Fatalf("incomplete: %+v", c)
	}
	for _, m := range c.Models {
		p, ok := c.Provider(m.Provider)
		if !ok || m.ID == "" || m.Upstream == "" || (m.Tier.Rank() < 0) == m.Chats() || m.Price.Validate() != nil {
			t.Errorf("model %+v", m)
		}
		if p.Kind != KindSimulated && p.BaseURL == "" {
			t.Errorf("provider %+v", p)
		}
	}
}

func fuzzSeeds(kind string) [][]byte {
	paths, _ := filepath.Glob(filepath.Join("testdata", kind, "*.yaml"))
	var seeds [][]byte
	for _, path := range paths {
		if text, err := os.ReadFile(path); err == nil {
			seeds = append(seeds, text)
		}
	}
	return seeds
}

// Deep nesting and large files end in a message, not in a full stack.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"brackets": strings.Repeat("[", maxFileBytes),
		"braces":   strings.Repeat("{a: ", maxFileBytes/4),
		"indents":  deepMapping(500),
		"too long": strings.Repeat("# comment\n", maxFileBytes),
		"dashes":   strings.Repeat("- ", maxFileBytes/2),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := loadYAML(text)
			if err == nil {
				t.Fatal("accepted")
			}
			checkProblems(t, err)
		})
	}
}

func deepMapping(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}
