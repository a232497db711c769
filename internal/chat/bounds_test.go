package chat_test

import (
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/llm"
)

// TestLargeBodiesTakeBoundedTime has bodies of 1 MiB that are as hard as can
// be. Reading one takes some ten milliseconds; were anything quadratic in it,
// it would take minutes. The limit is far from both.
func TestLargeBodiesTakeBoundedTime(t *testing.T) {
	t.Parallel()
	const size, limit = 1 << 20, 30 * time.Second
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	list := func(s string) string { return "[" + strings.TrimSuffix(fill(s+","), ",") + "]" }
	object := func(s string) string { return "{" + strings.TrimSuffix(fill(s+","), ",") + "}" }
	bodies := map[string]string{
		"blanks":              asking("") + fill(" "),
		"a long text":         saying(`{"role":"user","content":"` + fill("word ") + `"}`),
		"backslashes":         saying(`{"role":"user","content":"` + fill(`\\`) + `"}`),
		"quotes":              saying(`{"role":"user","content":"` + fill(`\"`) + `"}`),
		"NUL":                 saying(`{"role":"user","content":"` + fill(`\u0000`) + `"}`),
		"surrogates":          saying(`{"role":"user","content":"` + fill(`\ud83d\ude00`) + `"}`),
		"halves":              saying(`{"role":"user","content":"` + fill(`\ud83d`) + `"}`),
		"many members":        object(`"a":1`),
		"one member, often":   object(`"model":1`),
		"members with a case": object(`"MODEL":1`),
		"a long name":         asking(`"` + fill("x") + `":1`),
		"long names":          object(`"` + strings.Repeat("x", 32<<10) + `":1`),
		"numbers as messages": `{"model":"m","messages":` + list("1") + `}`,
		"empty messages":      `{"model":"m","messages":` + list("{}") + `}`,
		"messages":            `{"model":"m","messages":` + list(`{"role":"user","content":"a"}`) + `}`,
		"crowded messages":    `{"model":"m","messages":` + list("{"+strings.Repeat(`"role":"",`, 120)+`"x":1}`) + `}`,
		"members of one":      saying(object(`"role":1`)),
		"parts":               saying(`{"role":"user","content":` + list(`{"type":"text","text":"a"}`) + `}`),
		"an image":            saying(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,` + fill("A") + `"}}]}`),
		"not a data URL":      saying(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:` + fill(";base64") + `"}}]}`),
		"a long number":       asking(`"n":` + fill("1")),
		"a small number":      asking(`"temperature":0.` + fill("0") + "1"),
		"stops":               asking(`"stop":` + list(`"a"`)),
		"metadata":            asking(`"metadata":` + object(`"a":"b"`)),
		"tools":               asking(`"tools":` + list(`{"type":"function","function":{"name":"f"}}`)),
		"a schema":            asking(`"tools":[{"type":"function","function":{"name":"f","parameters":` + object(`"a":{"type":"string"}`) + `}}]`),
		"lists":               asking(`"x":` + list(strings.Repeat("[", 100)+strings.Repeat("]", 100))),
		"brackets":            fill("["),
		"an open text":        `{"model":"` + fill(`\`),
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			if p, err := chat.Parse([]byte(body)); err == nil {
				p.Emit = func(llm.Chunk) error { return nil }
				if _, err := chat.Upstream(p.Request, chat.Dialect{NewLimit: true}); err != nil {
					t.Error(err)
				}
			}
			_, _ = chat.Decode([]byte(body))
			_, _ = chat.DecodeChunk([]byte(body))
			chat.WithCost([]byte(body), llm.Usage{}, "0.1")
			if took := time.Since(began); took > limit {
				t.Errorf("it took %s", took)
			}
		})
	}
}
