package apidocs

import (
	"slices"
	"strings"
	"testing"
)

func TestMarkdown(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                             "",
		"One.\nStill one.\n\nTwo.":     "<p>One.\nStill one.</p><p>Two.</p>",
		"**Bold `code`** and `a<b`":    "<p><strong>Bold <code>code</code></strong> and <code>a&lt;b</code></p>",
		"a < b & c":                    "<p>a &lt; b &amp; c</p>",
		"- one\n  more\n- two\nbehind": "<ul><li>one\nmore</li><li>two</li></ul><p>behind</p>",
		"1. one\n2. two":               "<ol><li>one</li><li>two</li></ol>",
		"```\n<x>\n\n- no\n```\nafter": `<pre tabindex="0"><code>&lt;x&gt;` + "\n\n" + `- no</code></pre><p>after</p>`,
		"    code\n      more":         `<pre tabindex="0"><code>code` + "\n  " + `more</code></pre>`,
		"| a | b |\n| --- | --- |\n| 1 | `x|y` |": `<div class="tw" tabindex="0" role="group" aria-label="Table"><table><thead><tr><th scope="col">a</th><th scope="col">b</th></tr></thead>` +
			`<tbody><tr><td>1</td><td><code>x|y</code></td></tr></tbody></table></div>`,
		"[here](#complete)":           `<p><a href="#complete">here</a></p>`,
		"[RFC](https://rfc.example)":  `<p><a href="https://rfc.example">RFC</a></p>`,
		"[no](javascript:alert`1`)":   "<p>[no](javascript:alert`1`)</p>",
		"[no](data:text/html,x)":      "<p>[no](data:text/html,x)</p>",
		"a `b":                        "<p>a `b</p>",
		"messages[2].role, <b>x</b>.": "<p>messages[2].role, &lt;b&gt;x&lt;/b&gt;.</p>",
	} {
		if got := string(markdown(text)); got != want {
			t.Errorf("%q is\n%s\nwant\n%s", text, got, want)
		}
	}
}

// FuzzMarkdown: whatever it is given, only elements of ours come out, closed.
func FuzzMarkdown(f *testing.F) {
	for _, seed := range []string{"a `b` **c**", "| a |\n|---|\n| `|` |", "- x\n  y", "```\nx", "[a](https://b\"c)", "<script>", "    x\n\n1. y", "**`**`"} {
		f.Add(seed)
	}
	ours := []string{"r", "p", "ul", "ol", "li", "pre", "code", "div", "table", "thead", "tbody", "tr", "th", "td", "strong", "a"}
	f.Fuzz(func(t *testing.T, text string) {
		clean := strings.Map(func(r rune) rune { // XML has no other control characters
			if r < ' ' && r != '\n' || r == '\uFFFE' || r == '\uFFFF' {
				return -1
			}
			return r
		}, strings.ToValidUTF8(text, ""))
		out := string(markdown(clean))
		all, err := elements("<r>" + out + "</r>")
		if err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		for _, e := range all {
			if !slices.Contains(ours, e.name) || len(e.attr) > 4 || strings.HasPrefix(e.attr["href"], "javascript") {
				t.Fatalf("%s %v in %s", e.name, e.attr, out)
			}
		}
	})
}
