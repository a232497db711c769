package pricing

import "github.com/busuhq/busu/internal/llm"

// Line is one kind of tokens in the arithmetic of a cost.
type Line struct {
	What   string // input, cached_input, cache_write_input or output
	Tokens int64
	Price  Nanos // nano-dollars per million
}

// Lines shows how Cost comes about: the sum of tokens × price, divided by 10⁶
// once and rounded half up, and the price of the request by itself on top. It
// leaves out what there is none of.
func (p Price) Lines(u llm.Usage) (lines []Line, perRequest Nanos) {
	in, out := max(u.In, 0), max(u.Out, 0)
	if in == 0 && out == 0 {
		return nil, 0
	}
	cached := min(max(u.CachedIn, 0), in)
	written := min(max(u.CacheWriteIn, 0), in-cached)
	r := p.at(in)
	for _, l := range []Line{{"input", in - cached - written, r.Input}, {"cached_input", cached, r.CachedInput},
		{"cache_write_input", written, r.CacheWriteInput}, {"output", out, r.Output}} {
		if l.Tokens > 0 {
			lines = append(lines, l)
		}
	}
	return lines, max(p.PerRequest, 0)
}
