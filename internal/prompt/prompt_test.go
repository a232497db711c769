package prompt

import (
	"math"
	"strings"
	"testing"
)

type tier string

const (
	simple    tier = "simple"
	moderate  tier = "moderate"
	demanding tier = "complex"
)

func tierOf(score float64) tier {
	switch {
	case score < ModerateFrom:
		return simple
	case score < ComplexFrom:
		return moderate
	default:
		return demanding
	}
}

const goRefactoring = "Refactor this:\n```go\nfunc f(a []int) int {\n\ts := 0\n\tfor _, x := range a {\n\t\ts += x\n\t}\n\treturn s\n}\n```\nso that it runs concurrently without data races."

// golden are prompts written for this test, and what is to be said of them.
var golden = []struct {
	prompt      string
	tier        tier
	description string
}{
	{"What is the capital of France?", simple, "short factual question"},
	{"Who wrote Hamlet?", simple, "short factual question"},
	{"What drives terrorism in the region?", simple, "short factual question"},
	{"Is a classical guitar a first-class instrument?", simple, "short question"},
	{"Translate 'good morning' to Spanish.", simple, "short routine language task"},
	{"Fix the typo in: I lvoe cats", simple, "short routine language task"},
	{"hi", simple, "greeting"},
	{"Thanks!", simple, "greeting"},
	{"What is 2+2?", simple, "short calculation"},
	{"Write a haiku about autumn.", simple, "short request"},
	{"Summarize this sentence: The cat sat on the mat because it was tired.", simple, "short request"},
	{"Explain photosynthesis.", simple, "short request with a demand for reasoning"},
	{"Give me three names for a dog.", simple, "short request with several parts"},
	{"Write a SQL query for the second highest salary.", simple, "short request with 1 hint of code"},
	{"Was ist die Hauptstadt von Frankreich?", simple, "short question with words outside the English lexicon"},
	{"法国的首都是哪里？", simple, "short prompt in a non-Latin script"},
	{"😀😀😀", simple, "text without words"},
	{"", simple, "empty prompt"},
	{"x", simple, "short request"},
	{strings.Repeat("aGVsbG8gd29ybGQ", 10), simple, "text without words"},
	{"Prove that the square root of 2 is irrational.", moderate, "proof or derivation"},
	{"Maria has 3 boxes with 12 pencils each. She gives half of them to her brother and then buys 7 more. " +
		"How many pencils does she have now?", moderate, "multi-step arithmetic"},
	{"A train travels 60 miles per hour for 2.5 hours, then twice as fast for 30 minutes. How far did it travel in total?",
		moderate, "multi-step arithmetic with 2 linked clauses and words outside the English lexicon"},
	{"Vergleiche die wirtschaftlichen und politischen Ursachen des Ersten Weltkriegs, analysiere die Rolle der Bündnisse " +
		"und begründe in drei Abschnitten, welche Ursache am schwersten wog. Belege jede Aussage mit einem Beispiel und " +
		"nenne Gegenargumente.", moderate, "request with words outside the English lexicon"},
	{"My mother is sick and I do not know whether I should tell my brother, who has exams this week. What would you do?",
		moderate, "question with 1 negation and words outside the English lexicon"},
	{"Write a Python function that merges two sorted linked lists in O(n) time. It must not use recursion, should handle " +
		"duplicates, and include unit tests.", demanding, "coding task with 1 negation and 4 constraints"},
	{"Compare the economic and political causes of the First World War, analyse how the alliances contributed, and discuss " +
		"which mattered most. Structure the essay in three sections and justify your ranking.",
		demanding, "task that asks for reasoning with several parts and 2 linked clauses"},
	{"Design a multi-tenant rate limiter for an API gateway in Go: explain the architecture, compare token bucket with " +
		"sliding window, handle Redis outages, and include the code of the core algorithm.",
		demanding, "coding task with a demand for reasoning and 2 constraints"},
	{goRefactoring, demanding, "coding task with 1 negation and 2 linked clauses"},
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, g := range golden {
		f := Read(g.prompt)
		if got := tierOf(f.Complexity); got != g.tier {
			t.Errorf("%q: complexity %.3f is %s, want %s", g.prompt, f.Complexity, got, g.tier)
		}
		if got := f.Describe(); got != g.description {
			t.Errorf("%q: described as %q, want %q", g.prompt, got, g.description)
		}
	}
}

// TestTraps guards against words found inside other words, and against layout
// taken for something else.
func TestTraps(t *testing.T) {
	t.Parallel()
	tests := []struct {
		prompt string
		what   string
		count  func(*Counters) int
		want   int
	}{
		{"What is the capital of France?", "code, for the api in capital", ofClass(Code), 0},
		{"terrorism and its causes", "code, for the error in terrorism", ofClass(Code), 0},
		{"classical music for the middle class", "code, for class", ofClass(Code), 0},
		{"the expression on her face when she saw the press", "code", ofClass(Code), 0},
		{"Some notable, knotty nothings", "negations, for not", ofClass(Negation), 0},
		{"She plans, explained and designed it", "demands, for inflected words", ofClass(Demand), 0},
		{"How many apples?", "demands, for how many", ofClass(Demand), 0},
		{"How does it work?", "demands", ofClass(Demand), 1},
		{"an API, the api; (Api)", "code", ofClass(Code), 3},
		{"I don't, you don’t, they DON'T", "negations", ofClass(Negation), 3},
		{"a well-known state-of-the-art and/or method", "operators, for hyphens", operators, 0},
		{"from 3 - 2 to 4*5 and a = b", "operators", operators, 3},
		{"it costs $5", "formulas, for a price", func(c *Counters) int { return c.Formulas }, 0},
		{"solve $x$", "formulas", func(c *Counters) int { return c.Formulas }, 2},
		{"version 1.25.3 costs 1,000", "numbers", func(c *Counters) int { return c.Numbers }, 2},
		{"version 1.25 of e.g.x", "sentences", func(c *Counters) int { return c.Sentences }, 1},
		{"I. Newton was here", "options", func(c *Counters) int { return c.Options }, 1},
		{"Pick:\nA. one\nb) two\n3. three\n- four", "options", func(c *Counters) int { return c.Options }, 2},
		{"Pick:\nA. one\nb) two\n3. three\n- four", "list items", func(c *Counters) int { return c.ListItems }, 2},
		{"```\na\nb\n```\nc", "lines of code", func(c *Counters) int { return c.CodeLines }, 2},
		{strings.Repeat("QUJD+/=4", 20), "operators in base64", operators, 0},
		{strings.Repeat("日本語", 40), "blobs, for text without spaces", func(c *Counters) int { return c.Blobs }, 0},
		{"日本語のテキスト", "words", words, 4},
		{"naïve café", "words", words, 2},
		{"cafe\u0301 au lait", "words, with a combining accent", words, 3},
		{"Ελληνικά; Αυτό είναι\u037e", "questions, for a semicolon", func(c *Counters) int { return c.Questions }, 1},
	}
	for _, tt := range tests {
		c := Scan(tt.prompt)
		if got := tt.count(&c); got != tt.want {
			t.Errorf("%q: %d %s, want %d", tt.prompt, got, tt.what, tt.want)
		}
	}
}

func ofClass(class WordClass) func(*Counters) int {
	return func(c *Counters) int { return c.Of(class) }
}

func operators(c *Counters) int { return c.Operators }

func words(c *Counters) int { return c.Words }

// TestHarderIsNotLower appends what makes a prompt harder.
func TestHarderIsNotLower(t *testing.T) {
	t.Parallel()
	harder := []string{
		"\n```python\ndef f(x):\n    return x * 2\n```",
		" Explain why, compare both and justify it.",
		" It must not be longer than exactly two lines.",
		" Then she buys 3 more than twice as many, at 4 each. How many in total?",
	}
	for _, g := range golden {
		before := Read(g.prompt).Complexity
		for _, more := range harder {
			if after := Read(g.prompt + more).Complexity; after < before {
				t.Errorf("%q: %.3f; with %q only %.3f", g.prompt, before, more, after)
			}
		}
	}
}

// TestWindows shows that words in the middle of a long text are counted but
// not looked up.
func TestWindows(t *testing.T) {
	t.Parallel()
	filler := strings.Repeat("lorem ", 1000)
	tests := []struct {
		prompt string
		want   int
	}{
		{"python " + filler, 1},
		{filler + "python " + filler, 0},
		{filler + " python", 1},
	}
	for _, tt := range tests {
		c := Scan(tt.prompt)
		if got := c.Of(Code); got != tt.want {
			t.Errorf("found %d words of code, want %d", got, tt.want)
		}
		if want := len(strings.Fields(tt.prompt)); c.Words != want {
			t.Errorf("counted %d words, want %d", c.Words, want)
		}
	}
}

func TestContributionsMakeTheScore(t *testing.T) {
	t.Parallel()
	for _, g := range golden {
		f := Read(g.prompt)
		z := bias
		for _, p := range f.Counters.Contributions() {
			z += p
		}
		if got := math.Log(f.Complexity / (1 - f.Complexity)); math.Abs(got-z) > 1e-9 {
			t.Errorf("%q: log-odds %.6f, contributions add up to %.6f", g.prompt, got, z)
		}
	}
}

func TestEstimateTokens(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want int64
	}{
		{"", 0},
		{"a", 1},
		{"What is the capital of France?", 8},
		{"法国的首都", 5},
		{"Столица Франции", 8},
		{"\xff\xfe", 2},
	}
	for _, tt := range tests {
		if got := EstimateTokens(tt.text); got != tt.want {
			t.Errorf("EstimateTokens(%q) = %d, want %d", tt.text, got, tt.want)
		}
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	for _, g := range golden {
		var f Features
		if n := testing.AllocsPerRun(100, func() { f = Read(g.prompt) }); n != 0 {
			t.Errorf("reading %q allocates %.0f times", g.prompt, n)
		}
		_ = f
	}
}

func FuzzRead(f *testing.F) {
	for _, g := range golden {
		f.Add(g.prompt)
	}
	f.Add("\xff\x00'’\u0301?\n\n```\n```\x80")
	f.Fuzz(func(t *testing.T, text string) {
		got := Read(text)
		if got != Read(text) {
			t.Error("two readings differ")
		}
		if c := got.Complexity; !(c >= 0 && c <= 1) {
			t.Errorf("complexity %v is not in [0,1]", c)
		}
		if n := len([]rune(text)); got.Counters.Characters != n {
			t.Errorf("counted %d characters of %d", got.Counters.Characters, n)
		}
		for class, n := range got.Counters.Classes {
			if n < 0 || n > got.Counters.Looked {
				t.Errorf("%d words of class %d among %d", n, class, got.Counters.Looked)
			}
		}
		if got.Describe() == "" || EstimateTokens(text) < 0 {
			t.Error("no description, or a negative number of tokens")
		}
	})
}

func BenchmarkRead(b *testing.B) {
	sizes := []struct{ name, text string }{
		{"question", golden[0].prompt},
		{"coding", goRefactoring},
		{"2000", strings.Repeat("The quick brown fox jumps over 13 lazy dogs. ", 45)[:2000]},
		{"200000", strings.Repeat("The quick brown fox jumps over 13 lazy dogs. ", 4500)[:200000]},
		{"200000cjk", strings.Repeat("天地玄黄宇宙洪荒", 25000)},
	}
	for _, s := range sizes {
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Read(s.text)
			}
		})
	}
}
