package chat

import (
	"fmt"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/llm"
)

// usageOf finds the usage: beside the choices, or where Groq and Moonshot put
// it in streams. It is nil where there is none.
func usageOf(doc, choice gjson.Result) (*llm.Usage, error) {
	for _, v := range []gjson.Result{doc.Get("usage"), doc.Get("x_groq.usage"), choice.Get("usage")} {
		if v.IsObject() && present(v) {
			return readUsage(v)
		}
	}
	return nil, nil
}

// counts are the numbers of a usage as they are written.
type counts struct {
	in, cached, written, out, reasoning, total int64
}

func readUsage(v gjson.Result) (*llm.Usage, error) {
	var c counts
	var err error
	v.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "prompt_tokens":
			err = count(&c.in, v)
		case "completion_tokens":
			err = count(&c.out, v)
		case "total_tokens":
			err = count(&c.total, v)
		case "prompt_cache_hit_tokens", "cached_tokens": // DeepSeek's and Moonshot's
			err = count(&c.cached, v)
		case "prompt_tokens_details":
			err = details(v, map[string]*int64{"cached_tokens": &c.cached, "cache_write_tokens": &c.written})
		case "completion_tokens_details":
			err = details(v, map[string]*int64{"reasoning_tokens": &c.reasoning})
		}
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	u := c.usage()
	return &u, nil
}

func details(v gjson.Result, wanted map[string]*int64) (err error) {
	v.ForEach(func(key, v gjson.Result) bool {
		if n := wanted[key.Str]; n != nil {
			err = count(n, v)
		}
		return err == nil
	})
	return err
}

// count raises n to what v says. null says nothing.
func count(n *int64, v gjson.Result) error {
	if v.Type == gjson.Null {
		return nil
	}
	told, err := strconv.ParseInt(v.Raw, 10, 64)
	if err != nil {
		var f float64 // some write 12.0
		f, err = strconv.ParseFloat(v.Raw, 64)
		if told = int64(f); float64(told) != f {
			err = strconv.ErrRange
		}
	}
	if err != nil {
		return fmt.Errorf("a count of tokens is %s", show(v))
	}
	*n = max(*n, told)
	return nil
}

// usage makes counts that hold together: none negative, cached and written
// within the prompt, reasoning within the output.
func (c counts) usage() llm.Usage {
	in, out, reasoning := max(c.in, 0), max(c.out, 0), max(c.reasoning, 0)
	if separate := reasoning > 0 && c.total-in == out+reasoning; separate {
		out += reasoning // xAI counts reasoning beside the completion; OpenAI inside it
	}
	cached := min(in, max(c.cached, 0))
	return llm.Usage{
		In:           in,
		CachedIn:     cached,
		CacheWriteIn: min(in-cached, max(c.written, 0)),
		Out:          out,
		Reasoning:    min(out, reasoning),
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
