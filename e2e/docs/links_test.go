package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// TestLinks holds that every link within the repository leads somewhere: to a
// file, and to a heading of it where it names one.
func TestLinks(t *testing.T) {
	t.Parallel()
	links := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "examples/*.md"} {
		files, err := filepath.Glob("../../" + pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no document (%v)", pattern, err)
		}
		for _, file := range files {
			for _, found := range link.FindAllStringSubmatch(read(t, file), -1) {
				target, fragment, _ := strings.Cut(found[1], "#")
				if strings.Contains(target, "://") {
					continue
				}
				links++
				path := file
				if target != "" {
					path = filepath.Join(filepath.Dir(file), target)
				}
				if _, err := os.Stat(path); err != nil {
					t.Errorf("%s: %s leads nowhere", file, found[1])
				} else if fragment != "" && strings.HasSuffix(path, ".md") && !headings(read(t, path))[fragment] {
					t.Errorf("%s: %s: there is no such heading", file, found[1])
				}
			}
		}
	}
	if links < 100 {
		t.Errorf("only %d links were found", links)
	}
}

// headings gives the fragments that lead to a document's headings.
func headings(document string) map[string]bool {
	all := map[string]bool{}
	for _, found := range heading.FindAllStringSubmatch(document, -1) {
		text := dropped.ReplaceAllString(strings.ToLower(found[1]), "")
		all[strings.ReplaceAll(text, " ", "-")] = true
	}
	return all
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
