package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/rollup"
)

// History reads a project's history at now from the rollups: minutes, five
// minutes, hours or days as the step says, and what is not merged yet.
func (db *DB) History(ctx context.Context, project string, s rollup.Span, now time.Time) (rollup.History, error) {
	pieces, err := db.pieces(ctx, project, s, now)
	if err != nil {
		return rollup.History{}, fmt.Errorf("read history: %w", err)
	}
	return rollup.NewHistory(s, pieces, rollup.SourcePostgres, now)
}

// levelFor is the coarsest whose stretches steps are made of.
func levelFor(step time.Duration) level {
	found := minutes
	if step%fiveMinutes.step == 0 {
		found = fiveMinutes
	}
	for _, l := range coarse {
		if step%l.step == 0 {
			found = l
		}
	}
	return found
}

// pieces reads what is stored of the steps, one piece or several per name and
// step: adding them up here takes less than it would there. It is one statement,
// and so of one moment: a row that is merged meanwhile is seen once, in either
// table.
func (db *DB) pieces(ctx context.Context, project string, s rollup.Span, now time.Time) ([]rollup.Piece, error) {
	l := levelFor(s.Step)
	kinds := []string{rollup.KindAll, rollup.KindUnpriced}
	if s.By != "" {
		kinds = append(kinds, s.By)
	}
	of := func(start, table string) string {
		return `SELECT ` + start + ` AS at, kind, name, ` + rollupSums + ` FROM ` + table + `
			WHERE project = $1 AND ` + start + ` >= $2 AND ` + start + ` < $3 AND kind = ANY ($4)`
	}
	sql := of(l.start, l.table)
	if l == fiveMinutes {
		sql += ` AND minute >= ` + fiveMinutesSince + ` UNION ALL ` + of(minutes.start, minutes.table) + ` AND minute < ` + fiveMinutesSince
	}
	// Planned for these values: a plan for any would not know how much is asked for.
	rows, err := db.pool.Query(ctx, sql+` UNION ALL `+of("minute", "rollups_new"), pgx.QueryExecModeDescribeExec, project, s.From(now), s.To(now), kinds)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	r := pieceReader{step: int64(s.Step / time.Second)}
	pieces := make([]rollup.Piece, 0, s.Points()) // of all requests; for names as many as a history may have
	if s.By != "" {
		pieces = slices.Grow(pieces, s.Points()*(s.Top+1))
	}
	for rows.Next() {
		p, err := r.read(rows.RawValues())
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, p)
	}
	return pieces, rows.Err()
}

// pieceReader reads rows as PostgreSQL sends them, in binary: history reads tens
// of thousands, of which each value would be looked at by its type otherwise.
type pieceReader struct {
	step  int64 // in seconds
	names map[string]string
	room  []byte // for sketches
}

// epochOfPostgres is 2000-01-01 in Unix seconds.
const epochOfPostgres = 946_684_800

func (r *pieceReader) read(values [][]byte) (p rollup.Piece, err error) {
	var at int64
	c := &p.Cell
	for i, to := range [...]*int64{0: &at, 3: &c.Requests, 4: &c.Errors, 5: &c.CostNanos, 6: &c.BaselineNanos, 7: &c.TokensIn, 8: &c.TokensOut} {
		if to == nil {
			continue
		}
		if len(values[i]) != 8 {
			return p, fmt.Errorf("column %d of a rollup has %d bytes, not 8", i, len(values[i]))
		}
		*to = int64(binary.BigEndian.Uint64(values[i]))
	}
	p.Start = (at/int64(time.Second/time.Microsecond) + epochOfPostgres) / r.step * r.step
	p.Dim = rollup.Dim{Kind: r.name(values[1]), Name: r.name(values[2])}
	p.Latency, p.TTFT, p.Overhead = r.keep(values[9]), r.keep(values[10]), r.keep(values[11])
	return p, nil
}

// name gives the same text for the same name.
func (r *pieceReader) name(text []byte) string {
	known, ok := r.names[string(text)]
	if !ok {
		if r.names == nil {
			r.names = map[string]string{}
		}
		known = string(text)
		r.names[known] = known
	}
	return known
}

// keep copies what the next row overwrites.
func (r *pieceReader) keep(packed []byte) []byte {
	const atOnce = 256 << 10
	if len(r.room)+len(packed) > cap(r.room) {
		r.room = make([]byte, 0, max(atOnce, len(packed)))
	}
	from := len(r.room)
	r.room = append(r.room, packed...)
	return r.room[from:len(r.room):len(r.room)]
}
