package event

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Encode gives the JSON of a fact.
func Encode(f Fact) ([]byte, error) { return Append(make([]byte, 0, usualBytes), f) }

const usualBytes = 3 << 9 // few facts take more

// Append appends the JSON of a fact to dst, as encoding/json writes it. The
// only kind of fact that comes by the thousand is written by hand, several times
// faster; what is rare in it is left to encoding/json.
func Append(dst []byte, f Fact) ([]byte, error) {
	if c, ok := f.(*CompletionRecorded); ok {
		w := writer{b: dst}
		if w.completion(c); !w.refused {
			return w.b, nil
		}
	}
	body, err := json.Marshal(f)
	return append(dst, body...), err
}

// writer appends to b. Where encoding/json would return an error it is refused.
type writer struct {
	b       []byte
	refused bool
}

func (w *writer) completion(c *CompletionRecorded) {
	w.b = append(w.b, '{')
	w.header(&c.Header)
	w.plan(c)
	w.outcome(c)
	w.amounts(c)
	w.b = append(w.b, '}')
}

func (w *writer) header(h *Header) {
	w.integer("v", int64(h.V))
	w.text("type", h.Type)
	w.id("id", h.ID)
	w.time("at", h.At)
	w.text("journal", h.Journal)
	w.integer("partition", int64(h.Partition))
	w.integer("seq", h.Seq)
}

func (w *writer) plan(c *CompletionRecorded) {
	w.text("project", c.Project)
	w.optional("key_id", c.KeyID)
	w.optional("user_id", c.UserID)
	w.optional("session_id", c.SessionID)
	w.optional("caller_id", c.CallerID)
	w.dictionary("metadata", c.Metadata)
	w.text("strategy", c.Strategy)
	w.arms("experiments", c.Experiments)
	w.flag("holdout", c.Holdout)
	w.text("planned_model", c.PlannedModel)
	w.float("propensity", c.Propensity)
	w.positive("snapshot", c.Snapshot)
	w.float("complexity", c.Complexity)
	w.optional("confidence", c.Confidence)
	w.optional("reason", c.Reason)
	w.candidates("candidates", c.Candidates)
	w.bytes("features", c.Features)
}

func (w *writer) outcome(c *CompletionRecorded) {
	w.optional("provider", c.Provider)
	w.optional("model", c.Model)
	w.text("status", c.Status)
	w.optional("error_kind", c.ErrorKind)
	w.optional("finish_reason", c.FinishReason)
	w.texts("fallbacks", c.Fallbacks)
	w.texts("degraded", c.Degraded)
	w.text("cache", c.Cache)
	w.optional("cache_match", c.CacheMatch)
	w.optional("implicit", c.Implicit)
	if c.OriginID != uuid.Nil {
		w.id("origin_id", c.OriginID)
	}
}

func (w *writer) amounts(c *CompletionRecorded) {
	w.integer("tokens_in", c.TokensIn)
	w.positive("tokens_in_cached", c.TokensInCached)
	w.positive("tokens_in_cache_write", c.TokensInCacheWrite)
	w.integer("tokens_out", c.TokensOut)
	w.positive("tokens_reasoning", c.TokensReasoning)
	w.integer("cost_nanos", c.CostNanos)
	w.integer("origin_cost_nanos", c.OriginCostNanos)
	w.integer("baseline_cost_nanos", c.BaselineCostNanos)
	w.text("baseline_model", c.BaselineModel)
	w.optional("price_version", c.PriceVersion)
	w.flag("unpriced", c.Unpriced)
	w.flag("estimated", c.Estimated)
	w.integer("latency_us", c.LatencyUS)
	w.integer("ttft_us", c.TTFTUS)
	w.integer("overhead_us", c.OverheadUS)
}

func (w *writer) arms(name string, arms []Arm) {
	for i, a := range arms {
		w.item(name, i)
		w.b = append(w.b, '{')
		w.text("experiment", a.Experiment)
		w.text("arm", a.Arm)
		w.b = append(w.b, '}')
	}
	w.end(len(arms))
}

func (w *writer) candidates(name string, candidates []Candidate) {
	for i, c := range candidates {
		w.item(name, i)
		w.b = append(w.b, '{')
		w.text("model", c.Model)
		w.float("quality", c.Quality)
		if c.Prior != 0 {
			w.float("prior", c.Prior)
		}
		w.integer("cost_nanos", c.CostNanos)
		w.float("probability", c.Probability)
		w.flag("unpriced", c.Unpriced)
		w.b = append(w.b, '}')
	}
	w.end(len(candidates))
}

func (w *writer) texts(name string, texts []string) {
	for i, t := range texts {
		w.item(name, i)
		w.string(t)
	}
	w.end(len(texts))
}

// item begins an item of a list, and the first one its field.
func (w *writer) item(name string, i int) {
	if i > 0 {
		w.b = append(w.b, ',')
		return
	}
	w.name(name)
	w.b = append(w.b, '[')
}

// end ends a list of n items. Without any there is no field.
func (w *writer) end(n int) {
	if n > 0 {
		w.b = append(w.b, ']')
	}
}

// name begins a field: the first one of an object without a comma.
func (w *writer) name(name string) {
	b := w.b
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(append(b, '"'), name...)
	w.b = append(b, `":`...)
}

func (w *writer) id(name string, v uuid.UUID) {
	w.name(name)
	w.b = append(w.b, '"')
	for i, part := range [...][]byte{v[:4], v[4:6], v[6:8], v[8:10], v[10:]} {
		if i > 0 {
			w.b = append(w.b, '-')
		}
		w.b = hex.AppendEncode(w.b, part)
	}
	w.b = append(w.b, '"')
}

// bytes are written in base64. Without any there is no field.
func (w *writer) bytes(name string, v []byte) {
	if len(v) == 0 {
		return
	}
	w.name(name)
	w.b = append(w.b, '"')
	w.b = base64.StdEncoding.AppendEncode(w.b, v)
	w.b = append(w.b, '"')
}

func (w *writer) text(name, v string) {
	w.name(name)
	w.string(v)
}

// optional, like positive and flag, leaves out what is empty.
func (w *writer) optional(name, v string) {
	if v != "" {
		w.text(name, v)
	}
}

func (w *writer) integer(name string, v int64) {
	w.name(name)
	w.b = strconv.AppendInt(w.b, v, 10)
}

func (w *writer) positive(name string, v int64) {
	if v != 0 {
		w.integer(name, v)
	}
}

func (w *writer) flag(name string, v bool) {
	if v {
		w.name(name)
		w.b = append(w.b, "true"...)
	}
}

// float writes the shortest digits that read back the same; as JavaScript does,
// with an exponent where the number is very small or large.
func (w *writer) float(name string, v float64) {
	w.name(name)
	size := math.Abs(v)
	switch {
	case v == 1:
		w.b = append(w.b, '1')
	case size != 0 && (size < 1e-6 || size >= 1e21) || math.IsNaN(v):
		w.other(v)
	case !w.millionths(v):
		w.b = strconv.AppendFloat(w.b, v, 'f', -1, 64)
	}
}

// millionths writes a number below 1 that has no more than six decimals, as most
// of ours do. No other number of up to 15 digits reads back as the same, so these
// are the shortest; they are found in a third of the time.
func (w *writer) millionths(v float64) bool {
	const one = 1e6
	n := uint32(v*one + 0.5)
	if !(v > 0 && v < 1) || float64(n)/one != v {
		return false
	}
	digits := [...]byte{'0', '.', '0', '0', '0', '0', '0', '0'}
	last := 0
	for i := len(digits) - 1; n > 0; i, n = i-1, n/10 {
		if digits[i] += byte(n % 10); last == 0 && digits[i] != '0' {
			last = i
		}
	}
	w.b = append(w.b, digits[:last+1]...)
	return true
}

// time writes UTC, which all times of ours are in.
func (w *writer) time(name string, v time.Time) {
	w.name(name)
	if v.Location() != time.UTC || v.Year() < 1 || v.Year() > 9999 {
		w.other(v)
		return
	}
	w.b = append(w.b, '"')
	w.b = v.AppendFormat(w.b, time.RFC3339Nano)
	w.b = append(w.b, '"')
}

// other leaves a value to encoding/json.
func (w *writer) other(v any) {
	text, err := json.Marshal(v)
	w.refused = w.refused || err != nil
	w.b = append(w.b, text...)
}

func (w *writer) dictionary(name string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	keys := make([]string, 0, 16) // on the stack
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	w.name(name)
	w.b = append(w.b, '{')
	for i, key := range keys {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.string(key)
		w.b = append(w.b, ':')
		w.string(m[key])
	}
	w.b = append(w.b, '}')
}

// string writes a text. Texts that hold something to escape are rare, except
// for quotes, and those that hold something to repair are rarer.
func (w *writer) string(v string) {
	before := len(w.b)
	w.b = append(w.b, '"')
	done := 0
	for i := plainLength(v); i < len(v); {
		c := v[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(v[i:])
			if r == utf8.RuneError || r == '\u2028' || r == '\u2029' {
				w.b = w.b[:before]
				w.other(v)
				return
			}
			i += size
			continue
		}
		switch {
		case c == '"' || c == '\\':
			w.b = append(append(w.b, v[done:i]...), '\\', c)
			done = i + 1
		case c < ' ' || c == '<' || c == '>' || c == '&':
			w.b = w.b[:before]
			w.other(v)
			return
		}
		i++
	}
	w.b = append(append(w.b, v[done:]...), '"')
}

// plain are the characters that are written as they are. Looked up, and a field's
// name appended at once, a fact takes a tenth less to be written.
var plain = func() (is [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		is[c] = c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
	}
	return is
}()

// plainLength is for how many bytes v is plain: nearly always all of them.
func plainLength(v string) int {
	i := 0
	for i < len(v) && plain[v[i]] {
		i++
	}
	return i
}
