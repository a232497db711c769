// Package usage says what requests of some days add up to, by project, key,
// user, model and day.
package usage

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/spreadsheet"
)

// Dimension is what rows are told apart by.
type Dimension string

// The dimensions, in the order of columns.
const (
	Project Dimension = "project"
	Key     Dimension = "key"
	User    Dimension = "user"
	Model   Dimension = "model"
	Day     Dimension = "day"
)

// Dimensions lists them.
func Dimensions() []Dimension { return []Dimension{Project, Key, User, Model, Day} }

// Where usage is read. Rollups know no users, and of keys neither models nor
// what is called in the background.
const (
	SourceRollups = "rollups"
	SourceRows    = "rows"
)

// Limits of a question.
const (
	MostDays     = 3660 // read from rollups
	MostRowDays  = 92   // read from rows
	MostRows     = 50_000
	usualDays    = 30
	dayOf        = 24 * time.Hour
	earliestYear = 2000
)

// Query is what is asked. The days are in UTC; To is not included.
type Query struct {
	Project  string // "" for all
	From, To time.Time
	By       []Dimension // in the order of Dimensions
}

// Usual are the days that are meant where none are named: the last 30, with
// today.
func Usual(now time.Time) (from, to time.Time) {
	to = now.UTC().Truncate(dayOf).AddDate(0, 0, 1)
	return to.AddDate(0, 0, -usualDays), to
}

// Has reports whether rows are told apart by d.
func (q Query) Has(d Dimension) bool { return slices.Contains(q.By, d) }

// Source is where the answer is read: rollups, if they tell.
func (q Query) Source() string {
	if q.Has(Key) || q.Has(User) {
		return SourceRows
	}
	return SourceRollups
}

// ParseBy reads dimensions separated by commas.
func ParseBy(text string) ([]Dimension, error) {
	var by []Dimension
	given := map[Dimension]bool{}
	for name := range strings.SplitSeq(text, ",") {
		d := Dimension(name)
		if text != "" && (!slices.Contains(Dimensions(), d) || given[d]) {
			return nil, fmt.Errorf("must be some of project, key, user, model and day, each once, separated by commas")
		}
		given[d] = true
	}
	for _, d := range Dimensions() {
		if given[d] {
			by = append(by, d)
		}
	}
	return by, nil
}

// Validate says which part of the query is wrong, and how; "" for none.
func (q Query) Validate() (part, fault string) {
	days := int(q.To.Sub(q.From) / dayOf)
	most := MostDays
	if q.Source() == SourceRows {
		most = MostRowDays
	}
	switch {
	case q.From.Year() < earliestYear:
		return "from", "must not be before 2000-01-01"
	case days < 1:
		return "to", "must be after from: it is the first day that does not count"
	case days > most && most == MostRowDays:
		return "from", fmt.Sprintf("is %d days before to, and by key or user at most %d are read: ask for fewer, or without key and user", days, most)
	case days > most:
		return "from", fmt.Sprintf("is %d days before to, at most are %d", days, most)
	}
	return "", ""
}

// Row is what some requests add up to. What rows are not told apart by is left
// out; what is not known is the empty text.
type Row struct {
	Project *string `json:"project,omitempty"`
	Key     *string `json:"key_id,omitempty"`
	User    *string `json:"user_id,omitempty"`
	Model   *string `json:"model,omitempty"`
	Day     *string `json:"day,omitempty"`
	Figures
}

// Figures are the sums.
type Figures struct {
	Requests  int64         `json:"requests"`
	Errors    int64         `json:"errors"`
	TokensIn  int64         `json:"tokens_in"`
	TokensOut int64         `json:"tokens_out"`
	Cost      pricing.Nanos `json:"cost_usd"`
	Baseline  pricing.Nanos `json:"baseline_cost_usd"`
}

// Report is the answer.
type Report struct {
	From     string      `json:"from"`
	To       string      `json:"to"` // not included
	By       []Dimension `json:"by"`
	Rows     []Row       `json:"rows"`
	Totals   Figures     `json:"totals"`
	Unpriced int64       `json:"unpriced_requests"` // of models without a price: their cost is left out
	Source   string      `json:"source"`
}

// TooManyError says that there are more rows than an answer holds.
type TooManyError struct{}

func (TooManyError) Error() string {
	return fmt.Sprintf("has more than %d rows: ask for fewer days or dimensions", MostRows)
}

// NewReport makes the answer from rows.
func NewReport(q Query, rows []Row, unpriced int64) (Report, error) {
	r := Report{From: q.From.Format(time.DateOnly), To: q.To.Format(time.DateOnly), By: append([]Dimension{}, q.By...), Rows: append([]Row{}, rows...),
		Unpriced: unpriced, Source: q.Source()}
	if len(rows) > MostRows {
		return r, TooManyError{}
	}
	for _, row := range rows {
		r.Totals.Requests += row.Requests
		r.Totals.Errors += row.Errors
		r.Totals.TokensIn += row.TokensIn
		r.Totals.TokensOut += row.TokensOut
		r.Totals.Cost += row.Cost
		r.Totals.Baseline += row.Baseline
	}
	return r, nil
}

// WriteCSV writes the rows, those of the dimensions first.
func (r *Report) WriteCSV(to io.Writer) error {
	w := csv.NewWriter(to)
	names := map[Dimension]string{Project: "project", Key: "key_id", User: "user_id", Model: "model", Day: "day"}
	var head []string
	for _, d := range r.By {
		head = append(head, names[d])
	}
	_ = w.Write(append(head, "requests", "errors", "tokens_in", "tokens_out", "cost_usd", "baseline_cost_usd"))
	for _, row := range r.Rows {
		var cells []string
		for _, v := range []*string{row.Project, row.Key, row.User, row.Model, row.Day} {
			if v != nil {
				cells = append(cells, spreadsheet.Text(*v))
			}
		}
		for _, n := range []int64{row.Requests, row.Errors, row.TokensIn, row.TokensOut} {
			cells = append(cells, strconv.FormatInt(n, 10))
		}
		_ = w.Write(append(cells, row.Cost.String(), row.Baseline.String()))
	}
	w.Flush()
	return w.Error()
}
