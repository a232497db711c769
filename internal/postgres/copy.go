package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/rollup"
)

// copyCompletions sends facts by COPY in PostgreSQL's binary format, written
// by hand: choosing an encoder for every value is what pgx spends most on.
// into is the statement up to the table.
func copyCompletions(ctx context.Context, conn *pgx.Conn, into string, facts []*event.CompletionRecorded) error {
	const each = 1 << 10
	b := copyBuffer{bytes: make([]byte, 0, (len(facts)+1)*each)}
	b.bytes = append(b.bytes, "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	for _, f := range facts {
		b.completion(f)
	}
	b.bytes = binary.BigEndian.AppendUint16(b.bytes, math.MaxUint16) // −1: the end
	if b.err != nil {
		return b.err
	}
	_, err := conn.PgConn().CopyFrom(ctx, bytes.NewReader(b.bytes),
		into+" ("+strings.Join(completionColumns, ", ")+") FROM STDIN BINARY")
	return err
}

// copyBuffer is rows in the binary format of COPY.
type copyBuffer struct {
	bytes []byte
	err   error
}

// completion appends a row in the order of completionColumns.
func (b *copyBuffer) completion(c *event.CompletionRecorded) {
	b.bytes = binary.BigEndian.AppendUint16(b.bytes, uint16(len(completionColumns)))
	b.raw(c.ID[:])
	b.time(c.At)
	b.text(c.Project)
	b.texts(c.KeyID, c.UserID, c.SessionID, c.CallerID)
	b.json(len(c.Metadata), c.Metadata)
	b.text(c.Strategy)
	b.json(len(c.Experiments), c.Experiments)
	b.bool(c.Holdout)
	b.text(c.PlannedModel)
	b.float(c.Propensity)
	b.bigint(c.Snapshot)
	b.float(c.Complexity)
	b.texts(c.Confidence, c.Reason)
	b.json(len(c.Candidates), c.Candidates)
	b.texts(c.Provider, c.Model)
	b.text(c.Status)
	b.texts(c.ErrorKind, c.FinishReason)
	b.array(c.Fallbacks)
	b.array(c.Degraded)
	b.text(c.Cache)
	b.texts(c.CacheMatch)
	b.optionalID(c.OriginID)
	b.bigint(c.TokensIn, c.TokensInCached, c.TokensInCacheWrite, c.TokensOut, c.TokensReasoning, c.CostNanos, c.OriginCostNanos, c.BaselineCostNanos)
	b.text(c.BaselineModel)
	b.texts(c.PriceVersion)
	b.bool(c.Unpriced)
	b.bool(c.Estimated)
	b.bigint(c.LatencyUS, c.TTFTUS, c.OverheadUS)
	b.smallint(rollup.Bin(c.LatencyUS), rollup.Bin(c.TTFTUS), rollup.Bin(c.OverheadUS))
	b.text(c.Journal)
	b.size(4)
	b.bytes = binary.BigEndian.AppendUint32(b.bytes, uint32(c.Partition))
	b.bigint(c.Seq)
}

func (b *copyBuffer) size(n int) { b.bytes = binary.BigEndian.AppendUint32(b.bytes, uint32(n)) }
func (b *copyBuffer) null()      { b.size(-1) }

func (b *copyBuffer) raw(v []byte) {
	b.size(len(v))
	b.bytes = append(b.bytes, v...)
}

func (b *copyBuffer) optionalID(id uuid.UUID) {
	if id == uuid.Nil {
		b.null()
		return
	}
	b.raw(id[:])
}

func (b *copyBuffer) text(v string) {
	b.size(len(v))
	b.bytes = append(b.bytes, v...)
}

// texts are NULL when they are empty, so that "no user" needs no special value.
func (b *copyBuffer) texts(vs ...string) {
	for _, v := range vs {
		if v == "" {
			b.null()
		} else {
			b.text(v)
		}
	}
}

func (b *copyBuffer) array(vs []string) {
	if vs == nil {
		b.null()
		return
	}
	at := len(b.bytes)
	b.size(0)
	dims := uint32(1)
	if len(vs) == 0 {
		dims = 0
	}
	for _, n := range []uint32{dims, 0, 25} { // no NULLs; of text
		b.bytes = binary.BigEndian.AppendUint32(b.bytes, n)
	}
	if dims == 1 {
		b.size(len(vs))
		b.size(1) // lower bound
	}
	for _, v := range vs {
		b.text(v)
	}
	binary.BigEndian.PutUint32(b.bytes[at:], uint32(len(b.bytes)-at-4))
}

func (b *copyBuffer) json(n int, v any) {
	if n == 0 {
		b.null()
		return
	}
	text, err := json.Marshal(v)
	b.err = errors.Join(b.err, err)
	b.size(len(text) + 1)
	b.bytes = append(append(b.bytes, 1), text...) // version of jsonb
}

func (b *copyBuffer) bool(v bool) {
	b.size(1)
	if v {
		b.bytes = append(b.bytes, 1)
	} else {
		b.bytes = append(b.bytes, 0)
	}
}

func (b *copyBuffer) float(v float64) {
	b.size(8)
	b.bytes = binary.BigEndian.AppendUint64(b.bytes, math.Float64bits(v))
}

func (b *copyBuffer) bigint(vs ...int64) {
	for _, v := range vs {
		b.size(8)
		b.bytes = binary.BigEndian.AppendUint64(b.bytes, uint64(v))
	}
}

func (b *copyBuffer) smallint(vs ...int16) {
	for _, v := range vs {
		b.size(2)
		b.bytes = binary.BigEndian.AppendUint16(b.bytes, uint16(v))
	}
}

// postgresEpoch is where timestamps begin, in Unix microseconds.
const postgresEpoch = 946_684_800_000_000

func (b *copyBuffer) time(t time.Time) { b.bigint(t.UnixMicro() - postgresEpoch) }

// isDuplicate reports whether a row was there already.
func isDuplicate(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23505"
}
