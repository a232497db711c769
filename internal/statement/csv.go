package statement

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
)

// WriteCSV writes the lines, an amount a column, in nano-dollars.
func (s *Statement) WriteCSV(to io.Writer) error {
	w := csv.NewWriter(to)
	_ = w.Write([]string{"project", "month", "state", "part", "key_id", "model", "baseline_model", "price_version", "requests", "errors",
		"tokens_in", "tokens_out", "paid_nanos", "baseline_nanos", "unpriced_requests", "user_requests"})
	for _, l := range s.Lines {
		row := []string{s.Project, s.Month, s.State, l.Part, plain(l.KeyID), plain(l.Model), plain(l.BaselineModel), plain(l.PriceVersion)}
		for _, n := range l.figures() {
			row = append(row, strconv.FormatInt(*n, 10))
		}
		_ = w.Write(row)
	}
	w.Flush()
	return w.Error()
}

// plain keeps spreadsheets from taking a name for a formula.
func plain(name string) string {
	if strings.ContainsAny(name[:min(1, len(name))], "=+-@\t\r") {
		return "'" + name
	}
	return name
}
