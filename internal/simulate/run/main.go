// Command run simulates the pipeline at rates that are not at hand, and writes
// what comes out into docs/scale.md. See `make simulate`.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/busuhq/busu/internal/simulate"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("simulate", flag.ExitOnError)
	docs := flags.String("docs", "docs", "folder of the reports that the model is fed with")
	out := flags.String("out", "", "page that the section is put into, between its marks; standard output without one")
	seed := flags.Uint64("seed", 1, "decides a run")
	_ = flags.Parse(args) // it exits by itself
	section, err := simulated(*docs, *seed)
	if err != nil {
		return err
	}
	if *out == "" {
		fmt.Print(section)
		return nil
	}
	page, err := os.ReadFile(*out)
	if err != nil {
		return err
	}
	text, err := simulate.Put(string(page), section)
	if err != nil {
		return fmt.Errorf("%s: %w", *out, err)
	}
	return os.WriteFile(*out, []byte(text), 0o644)
}

// simulated is the section.
func simulated(docs string, seed uint64) (string, error) {
	m, err := measured(docs)
	if err != nil {
		return "", err
	}
	check, err := m.Check(seed)
	if err != nil {
		return "", err
	}
	var forecasts []simulate.Forecast
	for _, rate := range simulate.Rates() {
		fmt.Fprintf(os.Stderr, "%d requests per second\n", rate)
		f, err := m.Forecast(rate, simulate.LoadOf(rate), simulate.UsualTerms(), simulate.Stall(check), seed)
		if err != nil {
			return "", err
		}
		forecasts = append(forecasts, f)
	}
	return m.Section(check, forecasts, simulate.UsualTerms(), seed), nil
}

func measured(docs string) (simulate.Measured, error) {
	var reports simulate.Reports
	var failed error
	for name, text := range map[string]*string{"pipeline-benchmark.md": &reports.Pipeline, "performance.md": &reports.Performance,
		"history-benchmark.md": &reports.History} {
		content, err := os.ReadFile(filepath.Join(docs, name))
		*text, failed = string(content), errors.Join(failed, err)
	}
	if failed != nil {
		return simulate.Measured{}, failed
	}
	return reports.Read()
}
