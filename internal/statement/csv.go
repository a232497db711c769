package statement

import (
	"encoding/csv"
	"io"
	"strconv"

	"github.com/busuhq/busu/internal/spreadsheet"
)

// WriteCSV writes the lines, an amount a column, in nano-dollars.
func (s *Statement) WriteCSV(to io.Writer) error {
	w := csv.NewWriter(to)
	_ = w.Write([]string{"project", "month", "state", "part", "key_id", "model", "baseline_model", "price_version", "requests", "errors",
		"tokens_in", "tokens_out", "paid_nanos", "baseline_nanos", "unpriced_requests", "user_requests"})
	for _, l := range s.Lines {
		row := []string{s.Project, s.Month, s.State, l.Part, spreadsheet.Text(l.KeyID), spreadsheet.Text(l.Model), spreadsheet.Text(l.BaselineModel), spreadsheet.Text(l.PriceVersion)}
		for _, n := range l.figures() {
			row = append(row, strconv.FormatInt(*n, 10))
		}
		_ = w.Write(row)
	}
	w.Flush()
	return w.Error()
}
