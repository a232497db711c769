package event

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scanCompletion reads what Encode writes, several times faster than
// encoding/json. It is no JSON parser: whatever is written differently (other
// fields or another order of them, spaces, null, rare escapes) it refuses, and
// encoding/json decides. What it accepts, it reads as encoding/json would.
func scanCompletion(body []byte) (*CompletionRecorded, bool) {
	s := scanner{text: string(body)} // one copy, which all texts of the fact share
	c := new(CompletionRecorded)
	s.open('{')
	s.header(&c.Header)
	s.plan(c)
	s.outcome(c)
	s.amounts(c)
	s.open('}')
	return c, !s.refused && s.at == len(s.text)
}

func (s *scanner) header(h *Header) {
	s.first = true
	s.field("v", func() { h.V = int(s.integer()) })
	s.field("type", func() { h.Type = s.string() })
	s.field("id", func() { s.accept(h.ID.UnmarshalText([]byte(s.plain()))) })
	s.field("at", func() { s.accept(h.At.UnmarshalText([]byte(s.plain()))) })
	s.field("journal", func() { h.Journal = s.string() })
	s.field("partition", func() { h.Partition = int(s.integer()) })
	s.field("seq", func() { h.Seq = s.integer() })
}

func (s *scanner) plan(c *CompletionRecorded) {
	s.word("project", &c.Project)
	s.word("key_id", &c.KeyID)
	s.word("user_id", &c.UserID)
	s.word("session_id", &c.SessionID)
	s.word("caller_id", &c.CallerID)
	s.field("metadata", func() { c.Metadata = s.dictionary() })
	s.word("strategy", &c.Strategy)
	s.field("experiments", func() { c.Experiments = scanList(s, (*scanner).arm) })
	s.field("holdout", func() { c.Holdout = s.boolean() })
	s.word("planned_model", &c.PlannedModel)
	s.field("propensity", func() { c.Propensity = s.float() })
	s.number("snapshot", &c.Snapshot)
	s.field("complexity", func() { c.Complexity = s.float() })
	s.word("confidence", &c.Confidence)
	s.word("reason", &c.Reason)
	s.field("candidates", func() { c.Candidates = scanList(s, (*scanner).candidate) })
	s.field("features", func() { c.Features = s.bytes() })
}

func (s *scanner) outcome(c *CompletionRecorded) {
	s.word("provider", &c.Provider)
	s.word("model", &c.Model)
	s.word("status", &c.Status)
	s.word("error_kind", &c.ErrorKind)
	s.word("finish_reason", &c.FinishReason)
	s.field("fallbacks", func() { c.Fallbacks = scanList(s, (*scanner).string) })
	s.field("degraded", func() { c.Degraded = scanList(s, (*scanner).string) })
	s.word("cache", &c.Cache)
	s.word("cache_match", &c.CacheMatch)
	s.word("implicit", &c.Implicit)
	s.field("origin_id", func() { s.accept(c.OriginID.UnmarshalText([]byte(s.plain()))) })
}

func (s *scanner) amounts(c *CompletionRecorded) {
	s.number("tokens_in", &c.TokensIn)
	s.number("tokens_in_cached", &c.TokensInCached)
	s.number("tokens_in_cache_write", &c.TokensInCacheWrite)
	s.number("tokens_out", &c.TokensOut)
	s.number("tokens_reasoning", &c.TokensReasoning)
	s.number("cost_nanos", &c.CostNanos)
	s.number("origin_cost_nanos", &c.OriginCostNanos)
	s.number("baseline_cost_nanos", &c.BaselineCostNanos)
	s.word("baseline_model", &c.BaselineModel)
	s.word("price_version", &c.PriceVersion)
	s.field("unpriced", func() { c.Unpriced = s.boolean() })
	s.field("estimated", func() { c.Estimated = s.boolean() })
	s.number("latency_us", &c.LatencyUS)
	s.number("ttft_us", &c.TTFTUS)
	s.number("overhead_us", &c.OverheadUS)
}

func (s *scanner) arm() (a Arm) {
	s.open('{')
	s.first = true
	s.word("experiment", &a.Experiment)
	s.word("arm", &a.Arm)
	s.open('}')
	return a
}

func (s *scanner) candidate() (c Candidate) {
	s.open('{')
	s.first = true
	s.word("model", &c.Model)
	s.field("quality", func() { c.Quality = s.float() })
	s.field("prior", func() { c.Prior = s.float() })
	s.number("cost_nanos", &c.CostNanos)
	s.field("probability", func() { c.Probability = s.float() })
	s.field("unpriced", func() { c.Unpriced = s.boolean() })
	s.open('}')
	return c
}

// scanner goes through a text once. Where that is not what it expects, it is
// refused, and what it returns from then on means nothing.
type scanner struct {
	text    string
	at      int
	first   bool // no field of this object was read yet
	refused bool
}

func (s *scanner) accept(err error) { s.refused = s.refused || err != nil }

// open takes one byte.
func (s *scanner) open(c byte) {
	if s.at >= len(s.text) || s.text[s.at] != c {
		s.refused = true
		return
	}
	s.at++
}

// field reads a field if it is the next one.
func (s *scanner) field(name string, read func()) {
	if s.next(name) {
		read()
	}
}

func (s *scanner) word(name string, to *string) {
	if s.next(name) {
		*to = s.string()
	}
}

func (s *scanner) number(name string, to *int64) {
	if s.next(name) {
		*to = s.integer()
	}
}

// next takes the comma, the name and the colon of a field if they come next.
func (s *scanner) next(name string) bool {
	rest := s.text[s.at:]
	skip := 0
	if !s.first {
		if rest == "" || rest[0] != ',' {
			return false
		}
		skip = 1
	}
	end := skip + len(name) + 3
	if len(rest) < end || rest[skip] != '"' || rest[skip+1:end-2] != name || rest[end-2] != '"' || rest[end-1] != ':' {
		return false
	}
	s.first = false
	s.at += end
	return true
}

// plain reads a text without escapes.
func (s *scanner) plain() string {
	s.open('"')
	rest := s.text[min(s.at, len(s.text)):]
	end := strings.IndexByte(rest, '"')
	if s.refused || end < 0 {
		s.refused = true
		return ""
	}
	for i := range end {
		if c := rest[i]; c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			s.refused = true
			return ""
		}
	}
	s.at += end + 1
	return rest[:end]
}

// bytes reads a text in base64. An empty one is left to encoding/json.
func (s *scanner) bytes() []byte {
	text := s.plain()
	b, err := base64.StdEncoding.DecodeString(text)
	s.refused = s.refused || err != nil || text == ""
	return b
}

func (s *scanner) string() string {
	s.open('"')
	if s.refused {
		return ""
	}
	start, ascii := s.at, true
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '"':
			t := s.text[start:s.at]
			s.at++
			s.refused = s.refused || !ascii && !utf8.ValidString(t) // encoding/json would repair it
			return t
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			s.refused = true
			return ""
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	s.refused = true
	return ""
}

// escaped reads the rest of a text that holds escapes.
func (s *scanner) escaped(start int) string {
	end := s.at
	for end < len(s.text) && s.text[end] != '"' {
		if s.text[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(s.text) {
		s.refused = true
		return ""
	}
	b := make([]byte, 0, end-start)
	b = append(b, s.text[start:s.at]...)
	for s.at < end && !s.refused {
		if c := s.text[s.at]; c != '\\' {
			s.refused = c < ' '
			b = append(b, c)
			s.at++
			continue
		}
		b = s.escape(b)
	}
	s.at = end + 1
	s.refused = s.refused || !utf8.Valid(b)
	return string(b)
}

// escape reads one escape.
func (s *scanner) escape(b []byte) []byte {
	const short, meaning = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if i := strings.IndexByte(short, s.text[s.at+1]); i >= 0 {
		s.at += 2
		return append(b, meaning[i])
	}
	if s.text[s.at+1] != 'u' || s.at+6 > len(s.text) {
		s.refused = true
		return b
	}
	code, err := strconv.ParseUint(s.text[s.at+2:s.at+6], 16, 16)
	s.at += 6
	s.refused = err != nil || code >= 0xD800 && code < 0xE000 // a half of a pair
	return utf8.AppendRune(b, rune(code))
}

const maxDigits = 18 // fit into an int64 whatever they are

func (s *scanner) integer() int64 {
	start := s.at
	if s.at < len(s.text) && s.text[s.at] == '-' {
		s.at++
	}
	digits := s.at
	var n int64
	for ; s.at < len(s.text) && s.text[s.at]-'0' <= 9 && s.at-digits <= maxDigits; s.at++ {
		n = n*10 + int64(s.text[s.at]-'0')
	}
	if count := s.at - digits; count == 0 || count > maxDigits || count > 1 && s.text[digits] == '0' || s.inNumber() {
		s.refused = true
	}
	if digits > start {
		return -n
	}
	return n
}

// inNumber reports whether a number goes on with a fraction or an exponent.
func (s *scanner) inNumber() bool {
	return s.at < len(s.text) && strings.IndexByte(".eE", s.text[s.at]) >= 0
}

// float reads what strconv writes: digits, perhaps a fraction and an exponent.
func (s *scanner) float() float64 {
	start := s.at
	for s.at < len(s.text) && strings.IndexByte("0123456789+-.eE", s.text[s.at]) >= 0 {
		s.at++
	}
	t := s.text[start:s.at]
	f, err := strconv.ParseFloat(t, 64)
	s.accept(err)
	s.refused = s.refused || !jsonNumber(t)
	return f
}

// jsonNumber tells JSON's numbers from those that only strconv takes.
func jsonNumber(t string) bool {
	t = strings.TrimPrefix(t, "-")
	whole, rest := digitsOf(t)
	if whole == 0 || whole > 1 && t[0] == '0' {
		return false
	}
	if strings.HasPrefix(rest, ".") {
		var fraction int
		if fraction, rest = digitsOf(rest[1:]); fraction == 0 {
			return false
		}
	}
	if rest == "" {
		return true
	}
	rest = rest[1:] // ParseFloat has made sure that it is an exponent
	if rest != "" && (rest[0] == '+' || rest[0] == '-') {
		rest = rest[1:]
	}
	exponent, rest := digitsOf(rest)
	return exponent > 0 && rest == ""
}

func digitsOf(t string) (n int, rest string) {
	for n < len(t) && t[n]-'0' <= 9 {
		n++
	}
	return n, t[n:]
}

func (s *scanner) boolean() bool {
	switch rest := s.text[s.at:]; {
	case strings.HasPrefix(rest, "true"):
		s.at += len("true")
		return true
	case strings.HasPrefix(rest, "false"):
		s.at += len("false")
	default:
		s.refused = true
	}
	return false
}

func scanList[T any](s *scanner, read func(*scanner) T) []T {
	items := []T{}
	s.open('[')
	for !s.refused {
		if len(items) == 0 && strings.HasPrefix(s.text[s.at:], "]") {
			break
		}
		items = append(items, read(s))
		if strings.HasPrefix(s.text[s.at:], "]") {
			break
		}
		s.open(',')
	}
	s.open(']')
	return items
}

func (s *scanner) dictionary() map[string]string {
	m := map[string]string{}
	s.open('{')
	for !s.refused {
		if len(m) == 0 && strings.HasPrefix(s.text[s.at:], "}") {
			break
		}
		key := s.string()
		s.open(':')
		_, twice := m[key]
		s.refused = s.refused || twice
		m[key] = s.string()
		if strings.HasPrefix(s.text[s.at:], "}") {
			break
		}
		s.open(',')
	}
	s.open('}')
	return m
}
