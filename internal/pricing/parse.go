package pricing

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/busuhq/busu/internal/llm"
)

// maxTableBytes is several times the largest public list in our rows.
const maxTableBytes = 4 << 20

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

// writtenRates are the prices of tokens as the file has them.
type writtenRates struct {
	Input       dollars `yaml:"input_usd_per_mtok"`
	CachedInput dollars `yaml:"cached_input_usd_per_mtok"`
	CacheWrite  dollars `yaml:"cache_write_usd_per_mtok"`
	Output      dollars `yaml:"output_usd_per_mtok"`
}

// writtenLong are those above a length.
type writtenLong struct {
	Above int64        `yaml:"above_tokens"`
	Rates writtenRates `yaml:",inline"`
}

// writtenRow is a row of the file.
type writtenRow struct {
	Provider  string       `yaml:"provider"`
	Model     string       `yaml:"model"`
	Aliases   []string     `yaml:"aliases"`
	Purpose   llm.Purpose  `yaml:"purpose"`
	Tier      llm.Tier     `yaml:"tier"`
	Rates     writtenRates `yaml:",inline"`
	Request   dollars      `yaml:"request_usd"`
	Long      *writtenLong `yaml:"long_context"`
	Context   int          `yaml:"context_tokens"`
	Tools     *bool        `yaml:"tools"`
	Images    *bool        `yaml:"images"`
	JSON      *bool        `yaml:"json"`
	From      string       `yaml:"effective_from"`
	Source    string       `yaml:"source"`
	Read      string       `yaml:"read"`
	Confirmed *bool        `yaml:"confirmed"`

	line int
}

// UnmarshalYAML reads a row strictly and remembers where it is.
func (w *writtenRow) UnmarshalYAML(node ast.Node) error {
	type plain writtenRow
	if err := yaml.NodeToValue(node, (*plain)(w), yaml.Strict()); err != nil {
		return err
	}
	if mapping, ok := node.(*ast.MappingNode); ok && len(mapping.Values) > 0 {
		node = mapping.Values[0].Key
	}
	w.line = node.GetToken().Position.Line
	return nil
}

// ParseTable reads a price table strictly: an unknown key, a missing price, a
// price of zero, one finer than a nano-dollar or a model listed twice for the
// same day refuse all of it.
func ParseTable(text []byte) (Table, error) {
	var written struct {
		Version string       `yaml:"version"`
		Prices  []writtenRow `yaml:"prices"`
	}
	if err := unmarshal(text, &written); err != nil {
		return Table{}, err
	}
	if written.Version == "" || len(written.Prices) == 0 {
		return Table{}, errors.New("a price table needs a version and at least one price")
	}
	table := Table{Version: written.Version}
	seen := places{}
	for _, w := range written.Prices {
		row, err := w.row()
		if err == nil {
			err = seen.add(row, w.line)
		}
		if err != nil {
			return Table{}, fmt.Errorf("line %d: %s %s: %w", w.line, w.Provider, w.Model, err)
		}
		table.Rows = append(table.Rows, row)
	}
	return table, nil
}

// unmarshal is strict, and turns a panic of the parser, which has had some on
// odd input, into an error. Errors do not quote the text: the file may be
// another than was meant.
func unmarshal(text []byte, into any) (err error) {
	if len(text) > maxTableBytes {
		return fmt.Errorf("it is larger than %d MiB: is it a price table?", maxTableBytes>>20)
	}
	defer func() {
		if recover() != nil {
			err = errors.New("it cannot be read as YAML")
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\uFEFF"))), yaml.Strict())
	err = decoder.Decode(into)
	if err == nil && decoder.Decode(new(any)) == nil {
		return errors.New("it holds a second YAML document: keep one, without ---")
	}
	if errors.Is(err, io.EOF) {
		return errors.New("it is empty")
	}
	var located yaml.Error
	if errors.As(err, &located) {
		message, _, _ := strings.Cut(located.GetMessage(), "\n")
		if token := located.GetToken(); token != nil && token.Position != nil {
			return fmt.Errorf("line %d: %s", token.Position.Line, message)
		}
		return errors.New(message)
	}
	return err
}

// places are where a table says what, to find what it says twice.
type places map[string]int

func (p places) add(row Row, line int) error {
	day := row.From.Format(time.DateOnly)
	for _, name := range append([]string{row.Model}, row.Aliases...) {
		key := row.Provider + "\x00" + name + "\x00" + day
		if first, twice := p[key]; twice {
			return fmt.Errorf("%s has a price from %s on line %d already", name, day, first)
		}
		p[key] = line
	}
	return nil
}

func (w writtenRow) row() (Row, error) {
	price, err := w.price()
	if err != nil {
		return Row{}, err
	}
	row := Row{
		Provider: w.Provider, Model: w.Model, Aliases: w.Aliases, Purpose: w.Purpose, Tier: w.Tier, Price: price,
		ContextTokens: w.Context, Source: w.Source, Confirmed: w.Confirmed == nil || *w.Confirmed,
	}
	if row.Purpose == "" {
		row.Purpose = llm.PurposeChat
	}
	for _, flag := range []struct {
		can     *bool
		ability llm.Ability
	}{{w.Tools, llm.AbilityTools}, {w.Images, llm.AbilityImages}, {w.JSON, llm.AbilityJSON}} {
		if flag.can != nil && !*flag.can {
			row.Lacks |= flag.ability
		}
	}
	if row.From, err = day("effective_from", w.From); err != nil {
		return Row{}, err
	}
	if row.Read, err = day("read", w.Read); err != nil {
		return Row{}, err
	}
	return row, row.validate()
}

func day(key, text string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s is missing or no date such as 2026-11-23", key)
	}
	return t, nil
}

func (r Row) validate() error {
	source, err := url.Parse(r.Source)
	chats := r.Purpose == llm.PurposeChat
	switch {
	case err != nil || source.Scheme != "https" || source.Host == "":
		return errors.New("source is not an https address")
	case r.Provider == "" || r.Model == "":
		return errors.New("provider or model is missing")
	case !chats && r.Purpose != llm.PurposeEmbedding:
		return errors.New("purpose must be chat or embedding")
	case r.Tier != "" && (r.Tier.Rank() < 0 || !chats):
		return errors.New("tier must be simple, moderate or complex, and only of a model that chats")
	case r.ContextTokens <= 0:
		return errors.New("context_tokens is missing or not positive")
	}
	return r.Price.Validate()
}

func (w writtenRow) price() (Price, error) {
	freeOutput := w.Purpose == llm.PurposeEmbedding
	rates, err := w.Rates.rates(freeOutput)
	if err != nil {
		return Price{}, err
	}
	price := Price{Input: rates.Input, CachedInput: rates.CachedInput, CacheWriteInput: rates.CacheWriteInput, Output: rates.Output}
	if w.Request != "" {
		if price.PerRequest, err = amount("request_usd", w.Request, false); err != nil {
			return Price{}, err
		}
	}
	if w.Long == nil {
		return price, nil
	}
	if w.Long.Above <= 0 {
		return Price{}, errors.New("long_context: above_tokens is missing or not positive")
	}
	if price.Long, err = w.Long.Rates.rates(freeOutput); err != nil {
		return Price{}, fmt.Errorf("long_context: %w", err)
	}
	price.Long.Above = w.Long.Above
	return price, nil
}

// rates reads the prices of tokens. Where a provider charges nothing extra for
// writing to its cache, the file says nothing, and a written token is a fresh
// one.
func (w writtenRates) rates(freeOutput bool) (rates LongContext, err error) {
	if w.CacheWrite == "" {
		w.CacheWrite = w.Input
	}
	for _, rate := range []struct {
		key     string
		text    dollars
		mayBe0  bool
		inNanos *Nanos
	}{
		{"input_usd_per_mtok", w.Input, false, &rates.Input},
		{"cached_input_usd_per_mtok", w.CachedInput, false, &rates.CachedInput},
		{"cache_write_usd_per_mtok", w.CacheWrite, false, &rates.CacheWriteInput},
		{"output_usd_per_mtok", w.Output, freeOutput, &rates.Output},
	} {
		if *rate.inNanos, err = amount(rate.key, rate.text, rate.mayBe0); err != nil {
			return LongContext{}, err
		}
	}
	if rates.CachedInput > rates.Input {
		return LongContext{}, errors.New("a cached token costs more than a fresh one")
	}
	return rates, nil
}

// amount reads a price. One of zero is a mistake far more often than a gift:
// models that cost nothing are listed in busu.yaml.
func amount(key string, text dollars, mayBeZero bool) (Nanos, error) {
	if text == "" {
		return 0, fmt.Errorf("%s is missing", key)
	}
	nanos, err := ParseUSD(string(text))
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s: %w", key, err)
	case nanos < 0 || nanos == 0 && !mayBeZero:
		return 0, fmt.Errorf("%s is not positive; a model that costs nothing is listed in busu.yaml, with the price 0", key)
	case nanos > MaxPerMillion:
		return 0, fmt.Errorf("%s is %s dollars, and no model costs that much; is it another unit?", key, nanos)
	}
	return nanos, nil
}
