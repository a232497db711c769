package internal_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

var metric = regexp.MustCompile(`"(busu_[a-z_]+)"`)

// TestEveryMetricIsInTheManual holds docs/operating.md against the source:
// operators learn of a metric there or not at all.
func TestEveryMetricIsInTheManual(t *testing.T) {
	t.Parallel()
	root, err := os.OpenRoot("..")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	manual, err := root.ReadFile("docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, name := range regexp.MustCompile("`(busu_[a-z_]+)`").FindAllStringSubmatch(string(manual), -1) {
		named[name[1]] = true
	}
	registered := map[string]bool{}
	err = fs.WalkDir(root.FS(), "internal", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(file, "internal/storetest/") || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		text, err := root.ReadFile(file)
		for _, name := range metric.FindAllStringSubmatch(string(text), -1) {
			registered[name[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range registered {
		if !named[name] {
			t.Errorf("%s is not in docs/operating.md", name)
		}
	}
	for name := range named {
		if !registered[name] {
			t.Errorf("%s is in docs/operating.md and nowhere else", name)
		}
	}
	if len(registered) < 40 {
		t.Errorf("only %d metrics were found", len(registered))
	}
}
