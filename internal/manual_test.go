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

// TestPromisesHaveTheirTests holds docs/security.md against the source: each
// promise names tests, and there they are.
func TestPromisesHaveTheirTests(t *testing.T) {
	t.Parallel()
	root, err := os.OpenRoot("..")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	manual, err := root.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	for _, top := range []string{"internal", "cmd", "e2e"} {
		err := fs.WalkDir(root.FS(), top, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(file, "_test.go") {
				return err
			}
			text, err := root.ReadFile(file)
			for _, name := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(string(text), -1) {
				written[name[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	promises := 0
	_, table, _ := strings.Cut(string(manual), "| promise | tests |")
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 || strings.HasPrefix(cells[1], " ---") || strings.HasPrefix(cells[1], " bytes of") {
			continue
		}
		promises++
		names := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[2], -1)
		if len(names) == 0 {
			t.Errorf("nothing holds that%s", cells[1])
		}
		for _, name := range names {
			_, test, inRoom := strings.Cut(name[1], ".")
			if inRoom && !written[test] || !inRoom && !written[name[1]] {
				t.Errorf("%s is in docs/security.md, and there is no such test", name[1])
			}
		}
	}
	if promises < 20 {
		t.Errorf("only %d promises were found", promises)
	}
}
