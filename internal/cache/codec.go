package cache

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
)

// Entries travel as bytes of a form of their own: a version, then every field
// in order, texts behind their length. It writes a body as it is, which JSON
// could not, and is read without looking at every byte.

// entryVersion is the form that is written. Of others only the one before is
// read, which did not say what was estimated: else the answer is made again.
const (
	entryVersion = 2
	certainEntry = 1
)

// errEntry says that bytes are no entry in the form that is known.
var errEntry = errors.New("not an entry of this version")

// Encode appends the entry to out.
func (e *Entry) Encode(out []byte) []byte {
	out = append(out, entryVersion)
	out = appendBytes(out, e.Project)
	out = appendBytes(out, e.UserID)
	out = append(out, e.RequestID[:]...)
	out = binary.AppendVarint(out, e.At.UnixNano())
	out = appendBytes(out, e.Provider)
	out = appendBytes(out, e.Model)
	out = binary.AppendVarint(out, e.CostNanos)
	out = append(out, flagOf(e.Estimated))
	out = binary.AppendUvarint(out, uint64(len(e.Experiments)))
	for _, a := range e.Experiments {
		out = appendBytes(out, a.Experiment)
		out = appendBytes(out, a.Arm)
	}
	out = append(out, flagOf(e.Holdout))
	out = append(out, e.exact[:]...)
	return appendResponse(out, &e.Response)
}

func appendResponse(out []byte, r *llm.Response) []byte {
	out = appendBytes(out, r.Model)
	out = appendBytes(out, r.Text)
	out = appendBytes(out, r.Refusal)
	out = binary.AppendUvarint(out, uint64(len(r.ToolCalls)))
	for _, c := range r.ToolCalls {
		out = appendBytes(out, c.ID)
		out = appendBytes(out, c.Name)
		out = appendBytes(out, c.Arguments)
	}
	out = appendBytes(out, r.FinishReason)
	for _, n := range [...]int64{r.Usage.In, r.Usage.CachedIn, r.Usage.CacheWriteIn, r.Usage.Out, r.Usage.Reasoning} {
		out = binary.AppendVarint(out, n)
	}
	out = append(out, flagOf(r.Body != nil))
	return appendBytes(out, r.Body)
}

func flagOf(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// decodeEntry reads what Encode wrote. The entry's texts are views of in: nobody
// may change it from then on.
func decodeEntry(in []byte) (*Entry, error) {
	d := decoder{in: in}
	version := d.byte()
	if version != entryVersion && version != certainEntry {
		return nil, errEntry
	}
	e := &Entry{Project: d.text(), UserID: d.text()}
	copy(e.RequestID[:], d.bytes(len(e.RequestID)))
	e.At = time.Unix(0, d.number()).UTC()
	e.Provider, e.Model, e.CostNanos = d.text(), d.text(), d.number()
	e.Estimated = version != certainEntry && d.byte() == 1
	for range d.count() {
		e.Experiments = append(e.Experiments, event.Arm{Experiment: d.text(), Arm: d.text()})
	}
	e.Holdout = d.byte() == 1
	copy(e.exact[:], d.bytes(len(e.exact)))
	d.response(&e.Response)
	if d.failed || len(d.in) > 0 {
		return nil, errEntry
	}
	return e, nil
}

// decoder reads from the front of in. When something is missing it gives zero
// values and has failed.
type decoder struct {
	in     []byte
	failed bool
}

func (d *decoder) response(r *llm.Response) {
	r.Model, r.Text, r.Refusal = d.text(), d.text(), d.text()
	for range d.count() {
		r.ToolCalls = append(r.ToolCalls, llm.ToolCall{ID: d.text(), Name: d.text(), Arguments: d.text()})
	}
	r.FinishReason = d.text()
	for _, n := range [...]*int64{&r.Usage.In, &r.Usage.CachedIn, &r.Usage.CacheWriteIn, &r.Usage.Out, &r.Usage.Reasoning} {
		*n = d.number()
	}
	whole := d.byte() == 1
	if body := d.bytes(d.count()); whole {
		r.Body = slices.Clip(body)
	}
}

func (d *decoder) bytes(n int) []byte {
	if n > len(d.in) {
		d.failed, d.in = true, nil
		return nil
	}
	b := d.in[:n]
	d.in = d.in[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

// count reads how many follow; each takes a byte at least.
func (d *decoder) count() int {
	n, size := binary.Uvarint(d.in)
	if size <= 0 || n > uint64(len(d.in)-size) {
		d.failed, d.in = true, nil
		return 0
	}
	d.in = d.in[size:]
	return int(n)
}

func (d *decoder) text() string { return document.View(d.bytes(d.count())) }

func (d *decoder) number() int64 {
	n, size := binary.Varint(d.in)
	if size <= 0 {
		d.failed, d.in = true, nil
		return 0
	}
	d.in = d.in[size:]
	return n
}
