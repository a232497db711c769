package pricing

import (
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/busuhq/busu/internal/llm"
)

//go:embed prices.yaml
var builtinPrices []byte

// Row is what one provider charges for one model.
type Row struct {
	Provider      string // openai, openrouter, cerebras, …
	Model         string // the provider's name for it
	Tier          llm.Tier
	Purpose       llm.Purpose
	Lacks         llm.Ability // what the model is known not to do
	Price         Price
	ContextTokens int       // prompt and answer together
	Effective     time.Time // the day on which this price was read or came into force
	Source        string    // the provider's public page
}

// Table is a versioned list of public list prices.
type Table struct {
	Version string
	Rows    []Row
}

// Builtin gives the price table that this build was made with. A table that
// does not parse is an error, never a table in which everything is free.
func Builtin() (Table, error) {
	table, err := ParseTable(builtinPrices)
	if err != nil {
		return Table{}, fmt.Errorf("the built-in price table: %w", err)
	}
	return table, nil
}

// Lookup finds a provider's model.
func (t Table) Lookup(provider, model string) (Row, bool) {
	for _, row := range t.Rows {
		if row.Provider == provider && row.Model == model {
			return row, true
		}
	}
	return Row{}, false
}

// Of lists the rows of one provider, in the table's order.
func (t Table) Of(provider string) []Row {
	var rows []Row
	for _, row := range t.Rows {
		if row.Provider == provider {
			rows = append(rows, row)
		}
	}
	return rows
}

// dollars is an amount as it is written, so that no float rounds it.
type dollars string

// UnmarshalYAML keeps the text of a number and refuses anything else.
func (d *dollars) UnmarshalYAML(node ast.Node) error {
	switch node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		*d = dollars(node.GetToken().Value)
		return nil
	}
	return fmt.Errorf("line %d: a price must be a number of dollars", node.GetToken().Position.Line)
}

// writtenRow is a row of the file; every key must be there.
type writtenRow struct {
	Provider    string   `yaml:"provider"`
	Model       string   `yaml:"model"`
	Tier        llm.Tier `yaml:"tier"`
	Input       dollars  `yaml:"input_usd_per_mtok"`
	CachedInput dollars  `yaml:"cached_input_usd_per_mtok"`
	Output      dollars  `yaml:"output_usd_per_mtok"`
	Context     int      `yaml:"context_tokens"`
	Effective   string   `yaml:"effective"`
	Source      string   `yaml:"source"`
}

// ParseTable reads a price table strictly: an unknown key, a missing price, a
// price finer than a nano-dollar or a model listed twice refuse all of it.
func ParseTable(text []byte) (Table, error) {
	var written struct {
		Version string       `yaml:"version"`
		Prices  []writtenRow `yaml:"prices"`
	}
	if err := yaml.UnmarshalWithOptions(text, &written, yaml.Strict()); err != nil {
		return Table{}, err
	}
	if written.Version == "" || len(written.Prices) == 0 {
		return Table{}, errors.New("a price table needs a version and at least one price")
	}
	table := Table{Version: written.Version}
	for i, w := range written.Prices {
		row, err := w.row()
		if err != nil {
			return Table{}, fmt.Errorf("price %d (%s %s): %w", i+1, w.Provider, w.Model, err)
		}
		if _, twice := table.Lookup(row.Provider, row.Model); twice {
			return Table{}, fmt.Errorf("price %d: %s %s is listed twice", i+1, row.Provider, row.Model)
		}
		table.Rows = append(table.Rows, row)
	}
	return table, nil
}

func (w writtenRow) row() (Row, error) {
	price, err := w.price()
	if err != nil {
		return Row{}, err
	}
	effective, err := time.Parse(time.DateOnly, w.Effective)
	if err != nil {
		return Row{}, fmt.Errorf("effective %q is not a date such as 2026-11-23", w.Effective)
	}
	source, err := url.Parse(w.Source)
	switch {
	case err != nil || source.Scheme != "https" || source.Host == "":
		return Row{}, errors.New("source is not an https address")
	case w.Provider == "" || w.Model == "":
		return Row{}, errors.New("provider or model is missing")
	case w.Tier.Rank() < 0:
		return Row{}, fmt.Errorf("tier %q is unknown", w.Tier)
	case w.Context <= 0:
		return Row{}, errors.New("context_tokens is missing or not positive")
	}
	return Row{
		Provider: w.Provider, Model: w.Model, Tier: w.Tier, Price: price,
		ContextTokens: w.Context, Effective: effective, Source: w.Source,
	}, nil
}

func (w writtenRow) price() (Price, error) {
	var price Price
	for _, amount := range []struct {
		name string
		text dollars
		into *Nanos
	}{
		{"input_usd_per_mtok", w.Input, &price.Input},
		{"cached_input_usd_per_mtok", w.CachedInput, &price.CachedInput},
		{"output_usd_per_mtok", w.Output, &price.Output},
	} {
		nanos, err := ParseUSD(string(amount.text))
		if err != nil {
			return Price{}, fmt.Errorf("%s: %w", amount.name, err)
		}
		if nanos <= 0 {
			return Price{}, fmt.Errorf("%s is not positive", amount.name)
		}
		*amount.into = nanos
	}
	if price.CachedInput > price.Input {
		return Price{}, errors.New("a cached token costs more than a fresh one")
	}
	return price, nil
}
