// Package pricelist turns the public lists of model prices that others keep
// into rows of our price table.
//
// A list is somebody's work, not a vendor's word: what it says is taken over
// row by row, what it says in a way that a row cannot is left out and told,
// and a price that was known before keeps what was known of it. Nothing is
// ever taken to be free because a list does not say what it costs.
package pricelist

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

// Names of the lists.
const (
	LiteLLM   = "litellm"
	ModelsDev = "models.dev"
)

// Imported is a list in our rows, by provider and model.
type Imported struct {
	Rows    []pricing.Row
	Skipped []Skipped // what is not in Rows, and why
}

// Skipped is an entry of a list that was left out.
type Skipped struct{ Name, Reason string }

// Read reads a list as of a day, on which its prices are taken to hold. A list
// that is not what its name says is an error.
func Read(name string, text []byte, on time.Time) (Imported, error) {
	read := map[string]func(*collection, []byte) error{LiteLLM: readLiteLLM, ModelsDev: readModelsDev}[name]
	if read == nil {
		return Imported{}, fmt.Errorf("no list is called %q", name)
	}
	c := collection{on: on, rows: map[key][]pricing.Row{}}
	if err := read(&c, text); err != nil {
		return Imported{}, fmt.Errorf("this is no list of %s: %w", name, err)
	}
	return c.imported(), nil
}

type key struct{ provider, model string }

// collection is a list while it is read.
type collection struct {
	on      time.Time
	rows    map[key][]pricing.Row
	skipped []Skipped
}

func (c *collection) skip(name, format string, args ...any) {
	c.skipped = append(c.skipped, Skipped{Name: name, Reason: fmt.Sprintf(format, args...)})
}

// add takes a row whose price may still be impossible.
func (c *collection) add(name string, row pricing.Row) {
	row.From, row.Read = c.on, c.on
	if reason := fault(row); reason != "" {
		c.skip(name, "%s", reason)
		return
	}
	at := key{row.Provider, row.Model}
	c.rows[at] = append(c.rows[at], row)
}

// fault says why a row cannot be used, or "".
func fault(row pricing.Row) string {
	p := row.Price
	switch {
	case row.Model == "":
		return "it has no name"
	case p.Input <= 0:
		return "it has no price per token"
	case p.Output <= 0 && row.Purpose == llm.PurposeChat:
		return "its answers have no price per token"
	case p.CachedInput > p.Input || p.Long.CachedInput > p.Long.Input:
		return "cached tokens cost more than fresh ones"
	case max(p.Input, p.Output, p.CacheWriteInput, p.PerRequest, p.Long.Input, p.Long.CacheWriteInput, p.Long.Output) > pricing.MaxPerMillion:
		return "no model costs that much"
	case row.ContextTokens <= 0:
		return "its context window is not given"
	}
	if err := p.Validate(); err != nil {
		return err.Error()
	}
	return ""
}

// imported sorts out what the list says twice.
func (c *collection) imported() Imported {
	result := Imported{Skipped: c.skipped}
	for at, rows := range c.rows {
		same := func(r pricing.Row) bool { return r.Price == rows[0].Price }
		if !all(rows, same) {
			result.Skipped = append(result.Skipped, Skipped{at.provider + " " + at.model, "it is listed several times, at different prices"})
			continue
		}
		result.Rows = append(result.Rows, rows[0])
	}
	slices.SortFunc(result.Rows, func(a, b pricing.Row) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model))
	})
	slices.SortFunc(result.Skipped, func(a, b Skipped) int {
		return cmp.Or(cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Name, b.Name))
	})
	return result
}

func all(rows []pricing.Row, is func(pricing.Row) bool) bool {
	return !slices.ContainsFunc(rows, func(r pricing.Row) bool { return !is(r) })
}

// Table makes a table of what was imported. What base knows of a model beyond
// its price is kept; and while its price has not changed, so are the day since
// which it holds, its source and the changes that have been announced.
func (i Imported) Table(version string, base pricing.Table, on time.Time) pricing.Table {
	table := pricing.Table{Version: version}
	listed := map[key]bool{}
	for _, row := range i.Rows {
		listed[key{row.Provider, row.Model}] = true
	}
	for _, row := range i.Rows {
		known, ok := base.Lookup(row.Provider, row.Model, on)
		if !ok || known.Model != row.Model {
			table.Rows = append(table.Rows, row)
			continue
		}
		known.Aliases = slices.DeleteFunc(slices.Clone(known.Aliases), func(alias string) bool { return listed[key{row.Provider, alias}] })
		if known.Price == row.Price {
			table.Rows = append(table.Rows, known)
			table.Rows = append(table.Rows, announced(base, known, on)...)
			continue
		}
		row.Aliases, row.Purpose, row.Tier, row.ContextTokens = known.Aliases, known.Purpose, known.Tier, known.ContextTokens
		row.Lacks |= known.Lacks
		table.Rows = append(table.Rows, row)
	}
	return table
}

// announced are a model's rows that come into force later.
func announced(base pricing.Table, known pricing.Row, on time.Time) []pricing.Row {
	var rows []pricing.Row
	for _, row := range base.Rows {
		if row.Provider == known.Provider && row.Model == known.Model && row.From.After(on) {
			row.Aliases = known.Aliases
			rows = append(rows, row)
		}
	}
	return rows
}

// minRows is far below what any list has: with fewer, it is another file, or
// half of one.
const minRows = 50

// maxLeap is how far a price moves at once before somebody should look.
const maxLeap = 10

// Leap is a price that moved further than prices do.
type Leap struct {
	Provider, Model, Rate string
	Before, Now           pricing.Nanos // per million tokens
}

func (l Leap) String() string {
	return fmt.Sprintf("%s %s: %s from %s to %s", l.Provider, l.Model, l.Rate, l.Before, l.Now)
}

// Leaps lists the prices that differ more than tenfold from those in base.
func (i Imported) Leaps(base pricing.Table, on time.Time) []Leap {
	var leaps []Leap
	for _, row := range i.Rows {
		known, ok := base.Lookup(row.Provider, row.Model, on)
		if !ok {
			continue
		}
		for _, rate := range []struct {
			name        string
			before, now pricing.Nanos
		}{
			{"input", known.Price.Input, row.Price.Input},
			{"cached input", known.Price.CachedInput, row.Price.CachedInput},
			{"output", known.Price.Output, row.Price.Output},
		} {
			if rate.before > maxLeap*rate.now || rate.now > maxLeap*rate.before {
				leaps = append(leaps, Leap{row.Provider, row.Model, rate.name, rate.before, rate.now})
			}
		}
	}
	return leaps
}

// ErrFew says that a list has too few prices to be whole.
var ErrFew = errors.New("too few prices to be the whole list")

// Enough reports, as an error, whether the list seems to be whole.
func (i Imported) Enough() error {
	if n := len(i.Rows); n < minRows {
		return fmt.Errorf("%w: %d, where %d are the least", ErrFew, n, minRows)
	}
	return nil
}
