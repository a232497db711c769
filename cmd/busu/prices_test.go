package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/app"
	"github.com/busuhq/busu/internal/pricing"
)

// listOf makes a list of LiteLLM's with n models, the last at a price of its
// own.
func listOf(n int, last string) string {
	var b strings.Builder
	b.WriteString("{")
	for i := range n - 1 {
		fmt.Fprintf(&b, `"m%d": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "max_input_tokens": 1000},`, i)
	}
	fmt.Fprintf(&b, `"gpt-6-luna": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": %s, "output_cost_per_token": 5e-07, "cache_read_input_token_cost": 1e-08, "max_input_tokens": 1000}}`, last)
	return b.String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A list that looks wrong leaves the price file as it was.
func TestPricesImport(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, list string
		args       []string
		exit       int
	}{
		{"whole", listOf(60, "1e-07"), nil, app.ExitOK},
		{"too few", listOf(10, "1e-07"), nil, app.ExitFailed},
		{"too few, forced", listOf(10, "1e-07"), []string{"--force"}, app.ExitOK},
		{"a leap", listOf(60, "1.1e-06"), nil, app.ExitFailed},
		{"a leap, forced", listOf(60, "1.1e-06"), []string{"--force"}, app.ExitOK},
		{"no list", "prices, prices", []string{"--force"}, app.ExitFailed},
		{"another list", `{"openai": {"models": {}}}`, []string{"--force"}, app.ExitFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			list, out := filepath.Join(dir, "list.json"), filepath.Join(dir, "prices.yaml")
			write(t, list, c.list)
			const before = "version: before\nprices:\n  - {provider: openai, model: old, tier: simple, input_usd_per_mtok: 1, cached_input_usd_per_mtok: 1, output_usd_per_mtok: 1,\n" +
				"     context_tokens: 9, effective_from: 2026-01-01, source: https://example.com, read: 2026-01-01}\n"
			write(t, out, before)
			if exit := run(append([]string{"prices", "import", list, "--from", "litellm", "--out", out}, c.args...)); exit != c.exit {
				t.Errorf("exit %d, want %d", exit, c.exit)
			}
			after, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if written := string(after) != before; written != (c.exit == app.ExitOK) {
				t.Errorf("written: %t", written)
			}
			table, err := pricing.ParseTable(after)
			if err != nil {
				t.Errorf("the price file is %v", err)
			}
			if row, ok := table.Lookup("openai", "gpt-6-luna", time.Now()); c.exit == app.ExitOK && (!ok || row.Tier == "") {
				t.Errorf("gpt-6-luna is %+v", row)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// What is at --out and no price file is somebody's: it stays.
func TestPricesImportOverwritesOnlyPrices(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	list, out := filepath.Join(dir, "list.json"), filepath.Join(dir, "busu.yaml")
	write(t, list, listOf(60, "1e-07"))
	write(t, out, "routing: {strategy: complexity}\n")
	if exit := run([]string{"prices", "import", list, "--from", "litellm", "--out", out, "--force"}); exit != app.ExitFailed {
		t.Errorf("exit %d", exit)
	}
	if text, _ := os.ReadFile(out); !strings.HasPrefix(string(text), "routing") {
		t.Errorf("overwritten with %s", text)
	}
}

func TestReplaceFileKeepsTheOldWhereItFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	busy := filepath.Join(dir, "busy") // a directory cannot be replaced by a file
	if err := os.MkdirAll(filepath.Join(busy, "inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(busy, []byte("x")); err == nil {
		t.Error("a directory was replaced")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPricesWritten(t *testing.T) {
	t.Parallel()
	table, err := pricing.ParseTable([]byte(`version: v
prices:
  - {provider: p, model: m, aliases: [m-1], tier: simple, input_usd_per_mtok: 1, cached_input_usd_per_mtok: 0.1, output_usd_per_mtok: 5, request_usd: 0.01,
     long_context: {above_tokens: 9, input_usd_per_mtok: 2, cached_input_usd_per_mtok: 0.2, output_usd_per_mtok: 7.5}, images: false,
     context_tokens: 1000, effective_from: 2026-01-01, source: https://example.com, read: 2026-02-01, confirmed: false}
  - {provider: p, model: m, tier: simple, input_usd_per_mtok: 3, cached_input_usd_per_mtok: 0.1, output_usd_per_mtok: 5,
     context_tokens: 1000, effective_from: 2027-01-01, source: https://example.com, read: 2026-02-01}
`))
	if err != nil {
		t.Fatal(err)
	}
	at := table.Rows[0].From.AddDate(0, 1, 0)
	for _, c := range []struct {
		name  string
		write func(io.Writer) error
		want  []string
	}{
		{"list", func(w io.Writer) error { return writeRows(w, table.Of("p", at)) }, []string{"m      simple  1      0.1     1            5       1000     2026-01-01  *\n"}},
		{"json", func(w io.Writer) error { return writeJSON(w, rowsOf(table, "p:m-1")) },
			[]string{`"request_usd": 0.01,`, `"above_tokens": 9,`, `"images": false,`, `"tools": true,`, `"confirmed": false`}},
		{"show", func(w io.Writer) error { return describe(w, table.Rows[0], state(table.Rows[0], table.Rows[0], at)) },
			[]string{"p m: in force, from 2026-01-01\n", "of prompts above               9 tokens\n", "each request                   0.01\n", "not confirmed by the provider's own page\n"}},
		{"later", func(w io.Writer) error { return describe(w, table.Rows[1], state(table.Rows[1], table.Rows[0], at)) }, []string{"p m: announced, from 2027-01-01\n"}},
	} {
		var out bytes.Buffer
		if err := c.write(&out); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s is\n%s\nwithout %q", c.name, out.String(), want)
			}
		}
	}
	if rows := rowsOf(table, "m"); len(rows) != 2 || !rows[0].From.Before(rows[1].From) {
		t.Errorf("rows of m: %+v", rows)
	}
	if state(table.Rows[0], table.Rows[1], at.AddDate(2, 0, 0)) != "past" {
		t.Error("a price that another replaced is not past")
	}
}
