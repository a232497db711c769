package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/busuhq/busu/internal/chaos"
)

// A page holds what runs on each kind of stores said last, between marks.
const marked = "<!-- written by chaos -stores "

func marksOf(stores string) (begin, end string) {
	return marked + stores + " -->\n", "<!-- end of chaos -stores " + stores + " -->\n"
}

// place puts a report on a page: over the one before of its kind, or behind all
// others. That of one server of each store comes first, and begins the page.
func place(page, stores, report string) string {
	begin, end := marksOf(stores)
	report = begin + report + end
	before, rest, begins := strings.Cut(page, begin)
	_, after, ends := strings.Cut(rest, end)
	switch {
	case begins && ends:
		return before + report + after
	case stores == chaos.StoresOne:
		_, others, found := strings.Cut(page, marked)
		if found {
			report += "\n" + marked + others
		}
		return report
	case page == "":
		return report
	}
	return strings.TrimRight(page, "\n") + "\n\n" + report
}

// writePage places a report in a file, which need not be there.
func writePage(file, stores, report string) error {
	page, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(file, []byte(place(string(page), stores, report)), 0o644)
}
