package history

import "time"

// follows is a figure that is followed over sizes.
type follows struct {
	name   string
	of     func(*grown) float64
	beside func(besides) (float64, bool) // the same in the report of Run; nil: it is not there
	line   string                        // its name in the drawing; "": it is not there
	rate   bool                          // more is better
}

// Columns of the tables of Run's report, behind the name.
const (
	cellP50, cellP99, cellCPU          = 0, 1, 4
	cellRows, cellTableMB, cellIndexMB = 0, 1, 2
)

var rollupTables = []string{"rollups_minutes", "rollups_five_minutes", "rollups_hours", "rollups_days"}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

// figures are all that are followed.
func figures() []follows {
	list := []follows{
		{name: "stored, of what was added, rows/s", of: func(g *grown) float64 { return g.filling.perSecond() }, rate: true},
		{name: "— CPU of a row, µs", of: func(g *grown) float64 { return g.filling.perRow() }},
		{name: "— CPU of merging its rollups, µs", of: func(g *grown) float64 { return float64(g.mergeCPU.Microseconds()) / float64(g.added) }},
		{name: "stored, of now, 100 at a time, rows/s", of: func(g *grown) float64 { return g.inserts.perSecond() }, rate: true},
		{name: "— CPU of a row, µs", of: func(g *grown) float64 { return g.inserts.perRow() }, line: "CPU, storing a row"},
		{name: "table, bytes of a row", of: func(g *grown) float64 { return perRow(g, g.tables["completions"].bytes) },
			beside: func(b besides) (float64, bool) { return b.bytes(cellTableMB, "completions") }},
		{name: "its indexes, bytes of a row", of: func(g *grown) float64 { return perRow(g, g.tables["completions"].indexes) },
			beside: func(b besides) (float64, bool) { return b.bytes(cellIndexMB, "completions") }},
		{name: "rollups with indexes, bytes of a row", of: rollupBytes,
			beside: func(b besides) (float64, bool) {
				tables, ok := b.bytes(cellTableMB, rollupTables...)
				indexes, also := b.bytes(cellIndexMB, rollupTables...)
				return tables + indexes, ok && also
			}},
		{name: "the database, bytes of a row", of: func(g *grown) float64 { return perRow(g, g.database) }},
		{name: "the database, MB", of: func(g *grown) float64 { return float64(g.database) / 1e6 }, line: "the database"},
		{name: "rows of a day that is dropped", of: func(g *grown) float64 { return float64(g.drop.rows) }, line: "rows of a day"},
		{name: "dropping it, ms", of: func(g *grown) float64 { return milliseconds(g.drop.took) }, line: "dropping a day"},
		{name: "— an insert before it, p50, ms", of: func(g *grown) float64 { return milliseconds(g.calm.p50) }},
		{name: "— the longest of those before it, ms", of: func(g *grown) float64 { return milliseconds(g.calm.longest) }},
		{name: "— the longest during it, ms", of: func(g *grown) float64 { return milliseconds(g.drop.waits.longest) }},
	}
	for _, q := range []struct{ name, as, line string }{
		{askNewest, "the newest page", "CPU, newest page"}, {askFailures, "failures", ""}, {askUser, "of a user", ""},
		{askOne, "one request", ""}, {askHistory, "history of 30 d in hours", "CPU, history of 30 d"},
	} {
		list = append(list,
			follows{name: q.as + ", p50, ms", of: func(g *grown) float64 { return g.answers[q.name].p50 }, beside: cellOf(q.name, cellP50)},
			follows{name: "— p99, ms", of: func(g *grown) float64 { return g.answers[q.name].p99 }, beside: cellOf(q.name, cellP99)},
			follows{name: "— CPU, ms", of: func(g *grown) float64 { return g.answers[q.name].cpu }, beside: cellOf(q.name, cellCPU), line: q.line})
	}
	return list
}

func perRow(g *grown, bytes int64) float64 { return float64(bytes) / float64(g.rows) }

func rollupBytes(g *grown) float64 {
	var bytes int64
	for _, table := range rollupTables {
		bytes += g.tables[table].bytes + g.tables[table].indexes
	}
	return perRow(g, bytes)
}

func cellOf(row string, column int) func(besides) (float64, bool) {
	return func(b besides) (float64, bool) { return b.cell(row, column) }
}

// bytes are those of tables for a completion.
func (b besides) bytes(column int, tables ...string) (float64, bool) {
	rows, ok := b.cell("completions", cellRows)
	total := 0.
	for _, table := range tables {
		mb, found := b.cell(table, column)
		total, ok = total+mb*1e6, ok && found
	}
	return total / rows, ok && rows > 0
}
