package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/usage"
)

// Usage reads what requests add up to, from the rollups of days where they
// tell, else from rows. It is one statement, and so of one moment. More rows
// than an answer holds are a usage.TooManyError.
func (db *DB) Usage(ctx context.Context, q usage.Query) (usage.Report, error) {
	sql, kinds := usageOfRows(q), []string(nil)
	if q.Source() == usage.SourceRollups {
		sql, kinds = usageOfRollups(q), []string{rollup.KindAll, rollup.KindUnpriced}
		if q.Has(usage.Model) {
			kinds = append(kinds, rollup.KindModel)
		}
	}
	args := []any{pgx.QueryExecModeDescribeExec, q.Project, q.From, q.To, usage.MostRows + 1}
	if kinds != nil {
		args = append(args, kinds)
	}
	rows, err := db.pool.Query(ctx, sql, args...)
	if err != nil {
		return usage.Report{}, fmt.Errorf("read usage: %w", err)
	}
	found, unpriced, err := scanUsage(rows, q)
	if err != nil {
		return usage.Report{}, fmt.Errorf("read usage: %w", err)
	}
	return usage.NewReport(q, found, unpriced)
}

// usageColumns are the dimensions in rows and in rollups.
func usageColumns(d usage.Dimension) (row, rolled string) {
	switch d {
	case usage.Project:
		return `project`, `project`
	case usage.Key:
		return `coalesce(key_id, '')`, ``
	case usage.User:
		return `coalesce(user_id, '')`, ``
	case usage.Model:
		return `coalesce(model, '')`, `model`
	default:
		return `to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD')`, `to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD')`
	}
}

func usageOfRows(q usage.Query) string {
	var by []string
	for _, d := range q.By {
		row, _ := usageColumns(d)
		by = append(by, row)
	}
	return `SELECT ` + strings.Join(append(by, `count(*)`, `count(*) FILTER (WHERE `+failed+`)`, `coalesce(sum(tokens_in), 0)::bigint`,
		`coalesce(sum(tokens_out), 0)::bigint`, `coalesce(sum(cost_nanos), 0)::bigint`, `coalesce(sum(baseline_cost_nanos), 0)::bigint`,
		`count(*) FILTER (WHERE unpriced)`), ", ") + `
		FROM completions WHERE ($1 = '' OR project = $1) AND at >= $2 AND at < $3` + grouped(len(by)) + ` LIMIT $4`
}

// usageOfRollups adds up days, and what is not merged yet. Requests that no
// model answered are all less those of models.
func usageOfRollups(q usage.Query) string {
	var by []string
	for _, d := range q.By {
		_, rolled := usageColumns(d)
		by = append(by, rolled)
	}
	of := func(start, table string) string {
		return `SELECT project, ` + start + ` AS at, kind, name, requests, errors, tokens_in, tokens_out, cost_nanos, baseline_cost_nanos
			FROM ` + table + ` WHERE ($1 = '' OR project = $1) AND ` + start + ` >= $2 AND ` + start + ` < $3 AND kind = ANY ($5)`
	}
	sum := func(column string) string {
		return `coalesce(sum(sign * ` + column + `) FILTER (WHERE kind <> '` + rollup.KindUnpriced + `'), 0)::bigint`
	}
	return `SELECT ` + strings.Join(append(by, sum("requests"), sum("errors"), sum("tokens_in"), sum("tokens_out"), sum("cost_nanos"), sum("baseline_cost_nanos"),
		`coalesce(sum(requests) FILTER (WHERE kind = '`+rollup.KindUnpriced+`'), 0)::bigint`), ", ") + `
		FROM (` + of("day", "rollups_days") + ` UNION ALL ` + of("minute", "rollups_new") + `) AS stored
		CROSS JOIN LATERAL (
			SELECT CASE kind WHEN '` + rollup.KindModel + `' THEN name ELSE '' END AS model, 1 AS sign
			UNION ALL SELECT '', -1 WHERE kind = '` + rollup.KindModel + `') AS answered` + grouped(len(by)) + ` LIMIT $4`
}

// grouped groups by the first columns, and sorts by them.
func grouped(columns int) string {
	if columns == 0 {
		return ""
	}
	var places []string
	for i := range columns {
		places = append(places, fmt.Sprint(i+1))
	}
	list := strings.Join(places, ", ")
	return ` GROUP BY ` + list + ` ORDER BY ` + list
}

func scanUsage(rows pgx.Rows, q usage.Query) (found []usage.Row, unpriced int64, err error) {
	names := make([]string, len(q.By))
	var f usage.Figures
	var of int64
	var into []any
	read := 0
	for i := range names {
		into = append(into, &names[i])
	}
	into = append(into, &f.Requests, &f.Errors, &f.TokensIn, &f.TokensOut, &f.Cost, &f.Baseline, &of)
	_, err = pgx.ForEachRow(rows, into, func() error {
		if read++; read > usage.MostRows {
			return usage.TooManyError{}
		}
		unpriced += of
		if f.Requests == 0 && len(q.By) > 0 { // it only says what has no price
			return nil
		}
		row := usage.Row{Figures: f}
		for i, d := range q.By {
			name := names[i]
			switch d {
			case usage.Project:
				row.Project = &name
			case usage.Key:
				row.Key = &name
			case usage.User:
				row.User = &name
			case usage.Model:
				row.Model = &name
			case usage.Day:
				row.Day = &name
			}
		}
		found = append(found, row)
		return nil
	})
	return found, unpriced, err
}
