package httpapi

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/spreadsheet"
)

// Kinds of rows. What a row has no value for is empty.
const (
	rowMetric   = "metric"   // an arm against the control
	rowArm      = "arm"      // what its units did, a metric each
	rowSegment  = "segment"  // exploratory
	rowLook     = "look"     // the primary metric's difference at a look
	rowExposure = "exposure" // users of an arm who had entered by then
	rowSummary  = "summary"  // of the whole
)

// csvColumns are those of every row. The first nineteen stay where they are.
var csvColumns = [...]string{"experiment_id", "name", "state", "outcome", "winner", "metric", "arm", "control", "test",
	"difference", "difference_low", "difference_high", "lift", "lift_low", "lift_high", "primary", "guardrail", "margin", "ok",
	"row", "reading", "at", "users", "value", "value_low", "value_high", "segment", "segment_value", "exploratory", "p_value_always_valid"}

// csvRow is a row by the names of its columns.
type csvRow map[string]string

// sendResults answers with all of the results, a row for each figure, as
// spreadsheets and data frames take it: filter by the column row.
func sendResults(c echo.Context, all []experiment.Page) error {
	return sendTable(c, func(to io.Writer) error {
		w := csv.NewWriter(to)
		_ = w.Write(csvColumns[:])
		for _, page := range all {
			r, err := page.Results()
			if err != nil {
				return err
			}
			for _, row := range csvRows(&r) {
				row["experiment_id"], row["name"], row["state"] = r.ID, spreadsheet.Text(r.Name), r.State
				row["outcome"], row["winner"] = shown(r.Outcome), shown(r.Winner)
				cells := make([]string, len(csvColumns))
				for i, name := range csvColumns {
					cells[i] = row[name]
				}
				_ = w.Write(cells)
			}
		}
		w.Flush()
		return w.Error()
	})
}

func csvRows(r *experiment.Results) (rows []csvRow) {
	rows = summaryRows(r)
	for i := range r.Metrics {
		rows = append(rows, metricRow(&r.Metrics[i]))
	}
	for i := range r.Arms {
		rows = append(rows, armRows(&r.Arms[i])...)
	}
	for i := range r.Segments {
		rows = append(rows, segmentRow(r.Primary, &r.Segments[i]))
	}
	for _, p := range r.Series.Difference {
		rows = append(rows, csvRow{"row": rowLook, "metric": string(r.Primary), "arm": p.Arm, "at": p.At.Format(time.RFC3339Nano), "users": shown(&p.Units),
			"difference": shown(&p.Value), "difference_low": shown(p.Low), "difference_high": shown(p.High),
			"lift": shown(&p.Lift), "lift_low": shown(p.LiftLow), "lift_high": shown(p.LiftHigh), "p_value_always_valid": shown(&p.P)})
	}
	for _, p := range r.Series.Exposures {
		for _, a := range r.Arms {
			rows = append(rows, csvRow{"row": rowExposure, "arm": a.Arm, "at": p.At.Format(time.RFC3339Nano), "users": strconv.FormatInt(p.ByArm[a.Arm], 10)})
		}
	}
	return rows
}

func summaryRows(r *experiment.Results) (rows []csvRow) {
	for _, figure := range [][2]string{
		{"p_value", shown(&r.PValue)}, {"p_value_always_valid", shown(&r.AlwaysP)}, {"srm_p_value", shown(&r.SRM.PValue)}, {"power", shown(&r.Power)}, {"mde", shown(r.MDE)},
		{"users", shown(&r.Sample.Users)}, {"matured", shown(&r.Sample.Matured)}, {"target", shown(&r.Sample.Target)},
	} {
		rows = append(rows, csvRow{"row": rowSummary, "metric": figure[0], "value": figure[1], "at": r.AsOf.Format(time.RFC3339Nano)})
	}
	return append(rows, csvRow{"row": rowSummary, "metric": "verdict", "reading": r.Verdict})
}

func metricRow(m *experiment.MetricResult) csvRow {
	return csvRow{"row": rowMetric, "metric": string(m.Name), "arm": m.Arm, "control": shown(&m.Control), "test": shown(&m.Test),
		"difference": shown(&m.Diff.Value), "difference_low": shown(m.Diff.Low), "difference_high": shown(m.Diff.High),
		"lift": shown(&m.Lift), "lift_low": shown(m.Low), "lift_high": shown(m.High), "reading": m.Reading,
		"primary": strconv.FormatBool(m.Primary), "guardrail": strconv.FormatBool(m.Guardrail), "margin": shown(m.Margin), "ok": shown(m.OK)}
}

func armRows(a *experiment.ArmResult) (rows []csvRow) {
	quantile := func(q *experiment.QuantileResult) (value, low, high string) {
		if q == nil {
			return "", "", ""
		}
		return shown(&q.Value), shown(q.Low), shown(q.High)
	}
	p50, low50, high50 := quantile(a.LatencyP50)
	p95, low95, high95 := quantile(a.LatencyP95)
	for _, figure := range [][4]string{
		{"requests", shown(&a.Requests)}, {"good", shown(&a.Good)}, {"answered", shown(&a.Answered)}, {"rated", shown(&a.Rated)},
		{"slow", shown(&a.Slow)}, {"cached", shown(&a.Cached)}, {"fell_back", shown(&a.FellBack)},
		{"cost_usd", shown(&a.CostUSD)}, {"paid_usd", shown(&a.PaidUSD)}, {"quality_score", shown(a.Quality)}, {"avg_latency_ms", shown(&a.AvgLatencyMS)},
		{"latency_p50_ms", p50, low50, high50}, {"latency_p95_ms", p95, low95, high95}, {"design_effect", shown(&a.DesignEffect)},
	} {
		rows = append(rows, csvRow{"row": rowArm, "arm": a.Arm, "users": shown(&a.Users), "metric": figure[0],
			"value": figure[1], "value_low": figure[2], "value_high": figure[3]})
	}
	return rows
}

func segmentRow(primary experiment.Metric, s *experiment.SegmentResult) csvRow {
	row := csvRow{"row": rowSegment, "metric": string(primary), "arm": s.Arm, "segment": s.By, "segment_value": spreadsheet.Text(s.Value), "exploratory": strconv.FormatBool(s.Exploratory),
		"users": shown(new(s.Users.Control + s.Users.Test)), "control": shown(&s.Control), "test": shown(&s.Test),
		"lift": shown(s.Lift), "lift_low": shown(s.Low), "lift_high": shown(s.High), "reading": s.Reading}
	if d := s.Diff; d != nil {
		row["difference"], row["difference_low"], row["difference_high"] = shown(&d.Value), shown(d.Low), shown(d.High)
	}
	return row
}

// shown is a value, or nothing where there is none.
func shown[T any](v *T) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(*v)
}
