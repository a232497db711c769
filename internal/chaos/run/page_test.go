package main

import (
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/chaos"
)

// A report takes the place of the one before of its kind, and leaves the others.
func TestPlace(t *testing.T) {
	t.Parallel()
	page := "# an old page\n\nwithout marks\n"
	page = place(page, chaos.StoresCluster, "cluster 1\n")
	if !strings.HasPrefix(page, "# an old page\n\nwithout marks\n\n"+marked) {
		t.Fatalf("what was there is gone:\n%s", page)
	}
	for _, step := range []struct{ stores, report string }{
		{chaos.StoresSentinels, "sentinels 1\n"}, {chaos.StoresOne, "one 1\n"}, {chaos.StoresCluster, "cluster 2\n"},
		{chaos.StoresSentinels, "sentinels 2\n"}, {chaos.StoresOne, "one 2\n"}} {
		page = place(page, step.stores, step.report)
	}
	var lines []string
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "<!--") && line != "\n" {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	if got := strings.Join(lines, ", "); got != "one 2, cluster 2, sentinels 2" {
		t.Errorf("%s:\n%s", got, page)
	}
	if alone := place("", chaos.StoresCluster, "cluster\n"); place(alone, chaos.StoresCluster, "cluster\n") != alone {
		t.Errorf("twice is not once:\n%s", alone)
	}
}
