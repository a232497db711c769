package chat

import (
	"fmt"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/llm"
)

// counts are the numbers of a usage, none of them negative.
type counts struct {
	in, cached, written, out, reasoning, total int64
	err                                        error
}

// maxCount is the largest count that is believed: sums of a few of them must
// not run over.
const maxCount = 1 << 53

func readUsage(v gjson.Result) (*llm.Usage, error) {
	if !v.IsObject() {
		return nil, fmt.Errorf("the usage is %s, not an object", document.Show(v))
	}
	var c counts
	v.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "prompt_tokens":
			c.raise(&c.in, v)
		case "completion_tokens":
			c.raise(&c.out, v)
		case "total_tokens":
			c.raise(&c.total, v)
		case "prompt_cache_hit_tokens", "cached_tokens": // DeepSeek's and Moonshot's
			c.raise(&c.cached, v)
		case "prompt_tokens_details":
			c.raise(&c.cached, v.Get("cached_tokens"))
			c.raise(&c.written, v.Get("cache_write_tokens"))
		case "completion_tokens_details":
			c.raise(&c.reasoning, v.Get("reasoning_tokens"))
		}
		return c.err == nil
	})
	if c.err != nil {
		return nil, c.err
	}
	u := c.usage()
	return &u, nil
}

// raise brings n up to what v says. What is missing or null says nothing.
func (c *counts) raise(n *int64, v gjson.Result) {
	if v.Type == gjson.Null {
		return
	}
	told, err := strconv.ParseInt(v.Raw, 10, 64)
	if err != nil { // some write 12.0
		f, _ := strconv.ParseFloat(v.Raw, 64)
		told = int64(max(-maxCount-1, min(f, maxCount+1)))
		if float64(told) != f {
			told = maxCount + 1
		}
	}
	if v.Type != gjson.Number || told > maxCount {
		c.err = fmt.Errorf("a count of tokens is %s", document.Show(v))
		return
	}
	*n = max(*n, told)
}

// usage makes counts that hold together: cached and written within the prompt,
// reasoning within the output.
func (c *counts) usage() llm.Usage {
	out := c.out
	if separate := c.reasoning > 0 && c.total-c.in == out+c.reasoning; separate {
		out += c.reasoning // xAI counts reasoning beside the completion; OpenAI inside it
	}
	cached := min(c.in, c.cached)
	return llm.Usage{
		In:           c.in,
		CachedIn:     cached,
		CacheWriteIn: min(c.in-cached, c.written),
		Out:          out,
		Reasoning:    min(out, c.reasoning),
	}
}

// usage writes a usage object's members.
func (w *writer) usage(u llm.Usage) {
	w.whole("prompt_tokens", u.In)
	w.whole("completion_tokens", u.Out)
	w.whole("total_tokens", u.In+u.Out)
	w.member("prompt_tokens_details", func() {
		w.whole("cached_tokens", u.CachedIn)
		if u.CacheWriteIn > 0 {
			w.whole("cache_write_tokens", u.CacheWriteIn)
		}
	})
	w.member("completion_tokens_details", func() { w.whole("reasoning_tokens", u.Reasoning) })
}
