package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

type pricesCommands struct {
	List   pricesListCommand   `cmd:"" help:"List what models cost now."`
	Show   pricesShowCommand   `cmd:"" help:"Show all that is known of a model's price."`
	Import pricesImportCommand `cmd:"" help:"Make a price file of a public list."`
}

type pricesListCommand struct {
	Provider string `help:"Only models of this provider." placeholder:"NAME"`
	JSON     bool   `name:"json" help:"As JSON."`
}

func (pricesListCommand) Help() string {
	return `The built-in table, with the file that prices.file of busu.yaml names over it, in
US dollars per million tokens. A price marked with * was not confirmed by the
provider's own page. Prices that busu.yaml itself gives to models are in busu
config print.

Example:

  busu prices list --provider anthropic
  busu prices list --json | jq '.[] | select(.input_usd_per_mtok < 0.5) | .model'`
}

func (c pricesListCommand) Run() error {
	table, now, err := pricesInForce()
	if err != nil {
		return err
	}
	var rows []pricing.Row
	for _, provider := range providersOf(table) {
		if c.Provider == "" || c.Provider == provider {
			rows = append(rows, table.Of(provider, now)...)
		}
	}
	if len(rows) == 0 {
		return fmt.Errorf("no price of provider %q is known: see busu prices list", c.Provider)
	}
	if c.JSON {
		return writeJSON(os.Stdout, rows)
	}
	return writeRows(os.Stdout, rows)
}

// pricesInForce is the table that a process would load now.
func pricesInForce() (pricing.Table, time.Time, error) {
	cfg, err := config.FromEnvironment(config.All)
	return cfg.Prices.Table, time.Now(), err
}

func providersOf(table pricing.Table) []string {
	var names []string
	for _, row := range table.Rows {
		if !slices.Contains(names, row.Provider) {
			names = append(names, row.Provider)
		}
	}
	return names
}

func writeRows(w io.Writer, rows []pricing.Row) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PROVIDER\tMODEL\tFOR\tINPUT\tCACHED\tCACHE WRITE\tOUTPUT\tCONTEXT\tSINCE\t")
	for _, r := range rows {
		mark := ""
		if !r.Confirmed {
			mark = "*"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", r.Provider, r.Model, use(r), r.Price.Input, r.Price.CachedInput,
			r.Price.CacheWriteInput, r.Price.Output, r.ContextTokens, r.From.Format(time.DateOnly), mark)
	}
	return table.Flush()
}

// use is what a model is for: a tier of prompts, or something else than chat.
func use(r pricing.Row) string {
	switch {
	case r.Purpose != llm.PurposeChat:
		return string(r.Purpose)
	case r.Tier == "":
		return "-"
	}
	return string(r.Tier)
}

// priceJSON is a row for programs, in the words of the price file.
type priceJSON struct {
	Provider      string         `json:"provider"`
	Model         string         `json:"model"`
	Aliases       []string       `json:"aliases"`
	Purpose       llm.Purpose    `json:"purpose"`
	Tier          *llm.Tier      `json:"tier"`
	Input         pricing.Nanos  `json:"input_usd_per_mtok"`
	CachedInput   pricing.Nanos  `json:"cached_input_usd_per_mtok"`
	CacheWrite    pricing.Nanos  `json:"cache_write_usd_per_mtok"`
	Output        pricing.Nanos  `json:"output_usd_per_mtok"`
	Request       pricing.Nanos  `json:"request_usd"`
	Long          *longPriceJSON `json:"long_context"`
	ContextTokens int            `json:"context_tokens"`
	Tools         bool           `json:"tools"`
	Images        bool           `json:"images"`
	JSON          bool           `json:"json"`
	From          string         `json:"effective_from"`
	Source        string         `json:"source"`
	Read          string         `json:"read"`
	Confirmed     bool           `json:"confirmed"`
}

type longPriceJSON struct {
	Above       int64         `json:"above_tokens"`
	Input       pricing.Nanos `json:"input_usd_per_mtok"`
	CachedInput pricing.Nanos `json:"cached_input_usd_per_mtok"`
	CacheWrite  pricing.Nanos `json:"cache_write_usd_per_mtok"`
	Output      pricing.Nanos `json:"output_usd_per_mtok"`
}

func writeJSON(w io.Writer, rows []pricing.Row) error {
	list := make([]priceJSON, len(rows))
	for i, r := range rows {
		can := func(a llm.Ability) bool { return r.Purpose == llm.PurposeChat && r.Lacks&a == 0 }
		p := r.Price
		list[i] = priceJSON{
			Provider: r.Provider, Model: r.Model, Aliases: append([]string{}, r.Aliases...), Purpose: r.Purpose,
			Input: p.Input, CachedInput: p.CachedInput, CacheWrite: p.CacheWriteInput, Output: p.Output, Request: p.PerRequest,
			ContextTokens: r.ContextTokens, Tools: can(llm.AbilityTools), Images: can(llm.AbilityImages), JSON: can(llm.AbilityJSON),
			From: r.From.Format(time.DateOnly), Source: r.Source, Read: r.Read.Format(time.DateOnly), Confirmed: r.Confirmed,
		}
		if r.Tier != "" {
			list[i].Tier = &r.Tier
		}
		if l := p.Long; l.Above > 0 {
			list[i].Long = &longPriceJSON{Above: l.Above, Input: l.Input, CachedInput: l.CachedInput, CacheWrite: l.CacheWriteInput, Output: l.Output}
		}
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(list)
}

type pricesShowCommand struct {
	Model string `arg:"" help:"As its provider calls it, or as provider:model."`
	JSON  bool   `name:"json" help:"As JSON."`
}

func (pricesShowCommand) Help() string {
	return `All prices of a model, of every provider that has it: past, present and
announced, with where each was read.

Example:

  busu prices show claude-haiku-4-5
  busu prices show openai:gpt-6-luna --json`
}

func (c pricesShowCommand) Run() error {
	table, now, err := pricesInForce()
	if err != nil {
		return err
	}
	rows := rowsOf(table, c.Model)
	if len(rows) == 0 {
		return fmt.Errorf("no price of %s is known: requests to it are counted as unpriced, unless busu.yaml gives it one", c.Model)
	}
	if c.JSON {
		return writeJSON(os.Stdout, rows)
	}
	for _, r := range rows {
		current, _ := table.Lookup(r.Provider, r.Model, now)
		if err := describe(os.Stdout, r, state(r, current, now)); err != nil {
			return err
		}
	}
	return nil
}

// rowsOf lists the prices of a model under any of its names, by provider and
// day.
func rowsOf(table pricing.Table, name string) []pricing.Row {
	var rows []pricing.Row
	for _, r := range table.Rows {
		for _, known := range append([]string{r.Model}, r.Aliases...) {
			if name == known || name == r.Provider+":"+known {
				rows = append(rows, r)
				break
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b pricing.Row) int {
		if a.Provider != b.Provider {
			return 0
		}
		return a.From.Compare(b.From)
	})
	return rows
}

func state(r, current pricing.Row, now time.Time) string {
	switch {
	case r.From.After(now):
		return "announced"
	case r.From.Equal(current.From):
		return "in force"
	}
	return "past"
}

func describe(w io.Writer, r pricing.Row, state string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(table, "  %s\t"+format+"\n", append([]any{name}, args...)...)
	}
	fmt.Fprintf(table, "%s %s: %s, from %s\n", r.Provider, r.Model, state, r.From.Format(time.DateOnly))
	if len(r.Aliases) > 0 {
		line("also called", "%v", r.Aliases)
	}
	line("for", "%s", use(r))
	p := r.Price
	rates := func(l pricing.LongContext) {
		line("input", "%s", l.Input)
		line("cached input", "%s", l.CachedInput)
		line("cache write", "%s", l.CacheWriteInput)
		line("output", "%s", l.Output)
	}
	line("US dollars per million tokens", "")
	rates(pricing.LongContext{Input: p.Input, CachedInput: p.CachedInput, CacheWriteInput: p.CacheWriteInput, Output: p.Output})
	if p.Long.Above > 0 {
		line("of prompts above", "%d tokens", p.Long.Above)
		rates(p.Long)
	}
	if p.PerRequest > 0 {
		line("each request", "%s", p.PerRequest)
	}
	line("context window", "%d tokens", r.ContextTokens)
	line("source", "%s", r.Source)
	confirmed := ""
	if !r.Confirmed {
		confirmed = ", not confirmed by the provider's own page"
	}
	line("read", "%s%s", r.Read.Format(time.DateOnly), confirmed)
	return table.Flush()
}
