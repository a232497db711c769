package simulated

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/busuhq/busu/internal/llm"
)

// shape is how an answer looks.
type shape int

const (
	prose shape = iota
	label
	object
	steps
	code
)

// write gives m's answer to asked, at most limit tokens long (0: no limit).
func (p *Provider) write(m model, asked string, limit int) llm.Response {
	asked = strings.TrimSpace(asked)
	reading := p.lexicon.read(asked)
	task := p.lexicon.profiles[reading.task]
	jitter := math.Exp(0.3 * normal(p.options.Seed, "length", m.name, asked))
	draft := draft{
		note:   fmt.Sprintf("[simulated model %s] No model was called; this text stands in for an answer.", m.name),
		topic:  gist(asked),
		good:   p.verdict(m, asked, p.difficulty(asked, reading)).Good,
		tokens: int64(task.tokens * m.talk * jitter),
		turn:   int(draw(p.options.Seed, "words", m.name, asked) % 97),
	}
	text, finish := draft.text(task.shape), llm.FinishStop
	if limit > 0 {
		if cut, shorter := cutTokens(text, int64(limit)); shorter {
			text, finish = cut, llm.FinishLength
		}
	}
	return llm.Response{Text: text, FinishReason: finish, Usage: llm.Usage{Out: countTokens(text)}}
}

// draft is what an answer is made of.
type draft struct {
	note   string
	topic  string
	good   bool
	tokens int64 // about how long the answer should be, note left out
	turn   int   // where in the phrases to begin
}

func (d draft) text(s shape) string {
	switch s {
	case label:
		return d.note + "\n" + d.pick(labels(d.good))
	case object:
		return d.object()
	case steps:
		return d.note + "\n" + d.grow(opening(d.good), phrases(d.good), "\n- ")
	case code:
		d.turn = 0 // code lines only make sense in their order
		return d.note + "\n```\n" + d.grow("// "+opening(d.good), codeLines(d.good), "\n") + "\n```"
	default:
		return d.note + "\n" + d.grow(opening(d.good), phrases(d.good), " ")
	}
}

// object is JSON when good and almost JSON when not, as weak models do it.
func (d draft) object() string {
	quote := func(s string) string {
		b, _ := json.Marshal(s) // strings always marshal
		return string(b)
	}
	body := fmt.Sprintf(`{"note": %s, "asked": %s, "complete": true, "items": [{"field": "first", "value": "as in the text"}, {"field": "second", "value": "as in the text"}]}`,
		quote(d.note), quote(d.topic))
	if d.good {
		return body
	}
	return strings.Replace(body, `"complete": true, "items": [`, `"complete": maybe, items: [...`, 1)
}

func (d draft) pick(from []string) string { return from[d.turn%len(from)] }

// grow joins the opening and as many phrases as the answer's length asks for.
func (d draft) grow(opening string, from []string, separator string) string {
	var b strings.Builder
	fmt.Fprintf(&b, opening, d.topic)
	for length := countTokens(b.String()); ; d.turn++ {
		phrase := d.pick(from)
		length += countTokens(phrase) + int64(len(strings.TrimSpace(separator)))
		if length > d.tokens {
			return b.String()
		}
		b.WriteString(separator)
		b.WriteString(phrase)
	}
}

// gist is the first words of a prompt, on one line.
func gist(asked string) string {
	const most = 9
	var words []string
	for word := range strings.FieldsSeq(asked[:min(len(asked), 400)]) {
		if len(words) == most {
			return strings.Join(words, " ") + " …"
		}
		words = append(words, cleaned(word))
	}
	return strings.Join(words, " ")
}

// cleaned keeps a quoted word short, valid, and free of fences and quotes.
func cleaned(word string) string {
	word = strings.ReplaceAll(strings.ToValidUTF8(word, ""), "`", "")
	word = strings.ReplaceAll(word, `"`, "'")
	if runes := []rune(word); len(runes) > 24 {
		return string(runes[:24]) + "…"
	}
	return word
}

func opening(good bool) string {
	if good {
		return `A sound answer to "%s" would stand here.`
	}
	return `Hmm, "%s"? I am not sure, but it is probably something like 17, or the other one.`
}

func labels(good bool) []string {
	if good {
		return []string{"(the right label)", "(the fitting category)", "(the correct class)"}
	}
	return []string{"(a wrong label)", "Could be any of them.", "none / all / unclear"}
}

func phrases(good bool) []string {
	if good {
		return []string{
			"It begins with the result, so that nobody has to search for it.",
			"It takes up every condition of the question, in the order in which they were given.",
			"Each step follows from the one before, and the figures are carried through to the end.",
			"Where the question leaves something open, it names the assumption instead of hiding it.",
			"It uses the asker's own words for the things that matter, and no more words than needed.",
			"The exceptions that matter in practice are mentioned briefly, with what to do about them.",
			"It checks the result against a rough estimate, and the two agree.",
			"It keeps to the requested form and length.",
			"It closes with the one thing to do next.",
		}
	}
	return []string{
		"It depends on many things, as is well known.",
		"Some say one thing and others say the opposite, and both are right.",
		"The second condition was left out, because it did not fit.",
		"Multiplying the figures gives a large number, which seems plausible.",
		"In general one should consider all aspects carefully.",
		"As said before, it depends.",
		"This may or may not apply here; please check elsewhere.",
		"The answer is therefore about twice as much, or half.",
	}
}

func codeLines(good bool) []string {
	if good {
		return []string{
			"// 1. check the input, and say what is wrong with it",
			"// 2. the ordinary case, in one pass",
			"// 3. the empty case and the largest one",
			"result := solve(input) // as asked, with the names of the question",
			"if err != nil { return err } // never swallowed",
			"// 4. a test for each condition that was named",
			"assert(result == expected)",
			"// cost: linear in the input, constant extra memory",
		}
	}
	return []string{
		"// TODO: handle the hard part",
		"result := input // should work in most cases",
		"try_again() // sometimes helps",
		"// the error is ignored here for simplicity",
		"while (true) { } // wait until it is done",
		"return 42 // placeholder",
		"// this does not compile yet, but the idea is clear",
	}
}
