// Package replay says how good a routing policy is, by replaying recorded
// outcomes of real models through the strategies that serve: each prompt was
// answered by every model, so what any choice would have cost and scored is
// known.
//
// It follows RouteLLM's measures: with r(·) the mean quality, s the strong and
// w the weak model, a policy recovers PGR = (r(policy) − r(w)) / (r(s) − r(w))
// of the gap, and APGR is the area under PGR as the share of strong calls goes
// from none to all. Chance gets 0.5.
package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/prompt"
)

// Result is how a model answered a prompt.
type Result struct {
	Quality float64 `json:"quality"` // 0 … 1
	Cost    float64 `json:"cost"`    // dollars
}

// Row is a prompt with the outcomes of every model.
type Row struct {
	ID       string            `json:"id"`
	Dataset  string            `json:"dataset"`
	Domain   string            `json:"domain"`
	Prompt   string            `json:"prompt"`
	Overlap  bool              `json:"overlap"` // repeats a question of another set
	Outcomes map[string]Result `json:"outcomes"`
}

// Read reads rows, one JSON object a line.
func Read(r io.Reader) ([]Row, error) {
	var rows []Row
	for d := json.NewDecoder(r); ; {
		var row Row
		if err := d.Decode(&row); errors.Is(err, io.EOF) {
			return rows, nil
		} else if err != nil {
			return nil, fmt.Errorf("row %d: %w", len(rows)+1, err)
		}
		if err := row.check(); err != nil {
			return nil, fmt.Errorf("row %d (%s): %w", len(rows)+1, row.ID, err)
		}
		rows = append(rows, row)
	}
}

func (r Row) check() error {
	if r.ID == "" || r.Prompt == "" {
		return errors.New("id and prompt must not be empty")
	}
	if len(r.Outcomes) < 2 {
		return fmt.Errorf("%d outcomes: a choice takes two or more", len(r.Outcomes))
	}
	for model, o := range r.Outcomes {
		if !(o.Quality >= 0 && o.Quality <= 1) {
			return fmt.Errorf("%s: quality %v is not in 0 … 1", model, o.Quality)
		}
		if !(o.Cost >= 0) || math.IsInf(o.Cost, 0) {
			return fmt.Errorf("%s: cost %v is not an amount of dollars", model, o.Cost)
		}
	}
	return nil
}

// modelsOf lists the models of all rows, by name. All rows must have the same.
func modelsOf(rows []Row) ([]string, error) {
	if len(rows) == 0 {
		return nil, errors.New("there are no rows")
	}
	models := slices.Sorted(maps.Keys(rows[0].Outcomes))
	for _, r := range rows {
		if !slices.Equal(models, slices.Sorted(maps.Keys(r.Outcomes))) {
			return nil, fmt.Errorf("%s has outcomes of other models than %s: evaluate such files apart", r.ID, rows[0].ID)
		}
	}
	return models, nil
}

// item is a row made ready: read once, its outcomes in the order of models.
type item struct {
	row      *Row
	features prompt.Features
	words    []prompt.Word
	tokens   float64 // of the prompt, estimated
	results  []Result
}

func ready(rows []Row, models []string) []item {
	items := make([]item, len(rows))
	var reader prompt.Reader
	for i := range rows {
		f, words := reader.Read(rows[i].Prompt)
		items[i] = item{row: &rows[i], features: f, words: slices.Clone(words),
			tokens: float64(prompt.EstimateTokens(rows[i].Prompt))}
		for _, m := range models {
			items[i].results = append(items[i].results, rows[i].Outcomes[m])
		}
	}
	return items
}

func (it *item) example() learning.Example {
	return learning.Example{Features: it.features, Words: it.words}
}
