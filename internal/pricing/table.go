package pricing

import (
	_ "embed"
	"fmt"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

//go:embed prices.yaml
var builtinPrices []byte

// Row is what one provider charges for one model from one day on.
type Row struct {
	Provider      string   // openai, openrouter, cerebras, …
	Model         string   // the provider's name for it
	Aliases       []string // its other names for it
	Purpose       llm.Purpose
	Tier          llm.Tier // "" where nobody has said; a model that does not chat has none
	Lacks         llm.Ability
	Price         Price
	ContextTokens int       // prompt and answer together; 0: unknown
	From          time.Time // the day, in UTC, since which the price holds
	Source        string    // the public page that says so
	Read          time.Time // the day on which it was read
	Confirmed     bool      // by the provider's own page, not by somebody's list
}

// names reports whether the provider calls the model so.
func (r Row) names(model string) bool {
	return r.Model == model || slices.Contains(r.Aliases, model)
}

// Table is a versioned list of prices. It may hold several of a model, from
// different days.
type Table struct {
	Version string
	Rows    []Row
}

// Dated is a price that holds from a moment on.
type Dated struct {
	From  time.Time
	Price Price
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

// Over lays t over base: t's rows of a model replace all that base has of it.
func (t Table) Over(base Table) Table {
	over := Table{Version: t.Version + " over " + base.Version, Rows: slices.Clone(t.Rows)}
	for _, row := range base.Rows {
		if _, replaced := t.rowOf(row.Provider, row.Model); !replaced {
			over.Rows = append(over.Rows, row)
		}
	}
	return over
}

// rowOf finds any row of a model. A row's own name goes before another's
// alias.
func (t Table) rowOf(provider, model string) (Row, bool) {
	var alias *Row
	for i, row := range t.Rows {
		if row.Provider != provider {
			continue
		}
		if row.Model == model {
			return row, true
		}
		if alias == nil && row.names(model) {
			alias = &t.Rows[i]
		}
	}
	if alias != nil {
		return *alias, true
	}
	return Row{}, false
}

// Lookup finds a provider's model, under any of its names, at the price in
// force at a moment. Before its first price a model is not known.
func (t Table) Lookup(provider, model string, at time.Time) (Row, bool) {
	known, ok := t.rowOf(provider, model)
	if !ok {
		return Row{}, false
	}
	var best Row
	found := false
	for _, row := range t.Rows {
		if row.Provider == provider && row.Model == known.Model && !row.From.After(at) && (!found || row.From.After(best.From)) {
			best, found = row, true
		}
	}
	return best, found
}

// Of lists one provider's models at the prices in force at a moment, in the
// table's order.
func (t Table) Of(provider string, at time.Time) []Row {
	var rows []Row
	seen := map[string]bool{}
	for _, row := range t.Rows {
		if row.Provider != provider || seen[row.Model] {
			continue
		}
		seen[row.Model] = true
		if now, ok := t.Lookup(provider, row.Model, at); ok {
			rows = append(rows, now)
		}
	}
	return rows
}

// Changes lists the prices of a model that come into force after a moment, in
// order.
func (t Table) Changes(provider, model string, after time.Time) []Dated {
	known, ok := t.rowOf(provider, model)
	if !ok {
		return nil
	}
	var changes []Dated
	for _, row := range t.Rows {
		if row.Provider == provider && row.Model == known.Model && row.From.After(after) {
			changes = append(changes, Dated{From: row.From, Price: row.Price})
		}
	}
	slices.SortFunc(changes, func(a, b Dated) int { return a.From.Compare(b.From) })
	return changes
}

// PriceAt is the price in force at a moment: now, unless a change has come
// into force since.
func PriceAt(now Price, changes []Dated, at time.Time) Price {
	for _, change := range changes {
		if !change.From.After(at) {
			now = change.Price
		}
	}
	return now
}
