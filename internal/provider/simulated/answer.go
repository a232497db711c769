package simulated

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
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

// reply is an answer before it is put into a format.
type reply struct {
	text   string
	calls  []llm.ToolCall
	finish string
	stop   string // the stop sequence that ended it
	usage  llm.Usage
	id     uint64
}

// write gives m's answer to r, whose question is asked.
func (p *Provider) write(m model, r llm.Request, asked string) reply {
	d, s := p.draft(m, strings.TrimSpace(asked), r.Messages)
	w := reply{finish: llm.FinishStop, id: d.id}
	if c, ok := trialIn(asked); ok {
		w.text = p.judge(c)
	} else if chosen := chosenTools(r); len(chosen) > 0 {
		w.calls, w.finish = d.calls(chosen, r.Format), llm.FinishToolCalls
	} else {
		w.text = d.formatted(s, r.ResponseFormat)
		w.endAt(r.Stop)
	}
	w.limit(int64(r.MaxTokens))
	w.usage = llm.Usage{In: promptTokens(r), Out: w.tokens()}
	return w
}

// endAt cuts the text before the first of the stop sequences.
func (w *reply) endAt(stop []string) {
	for _, sequence := range stop {
		if i := strings.Index(w.text, sequence); i >= 0 && sequence != "" {
			w.text, w.stop = w.text[:i], sequence
		}
	}
}

// limit cuts the answer to at most limit tokens (0: no limit), in the middle of
// a call's arguments if need be, as models do.
func (w *reply) limit(limit int64) {
	if limit <= 0 || w.tokens() <= limit {
		return
	}
	w.finish, w.stop = llm.FinishLength, ""
	w.text, _ = cutTokens(w.text, limit)
	left := limit - countTokens(w.text)
	for i := range w.calls {
		left -= countTokens(w.calls[i].Name)
		if left < 0 {
			w.calls = w.calls[:i]
			return
		}
		w.calls[i].Arguments, _ = cutTokens(w.calls[i].Arguments, left)
		left -= countTokens(w.calls[i].Arguments)
	}
}

// tokens counts all that was generated.
func (w *reply) tokens() int64 {
	n := countTokens(w.text)
	for _, call := range w.calls {
		n += countTokens(call.Name) + countTokens(call.Arguments)
	}
	return n
}

// draft is what an answer is made of.
type draft struct {
	note   string
	topic  string
	asked  string
	result string // what a tool answered, where that is the last message
	good   bool
	tokens int64  // about how long the answer should be, note left out
	turn   int    // where in the phrases to begin
	id     uint64 // tells this answer from others
}

// draft reads what m is asked, and gives the shape its answer has unless the
// request wants another one.
func (p *Provider) draft(m model, asked string, messages []llm.Message) (draft, shape) {
	reading := p.lexicon.read(asked)
	task := p.lexicon.profiles[reading.task]
	jitter := math.Exp(0.3 * normal(p.options.Seed, "length", m.name, asked))
	d := draft{
		note:   fmt.Sprintf("[simulated model %s] No model was called; this text stands in for an answer.", m.name),
		topic:  gist(asked),
		asked:  asked,
		good:   p.verdict(m, asked, p.difficulty(asked, reading)).Good,
		tokens: int64(task.tokens * m.talk * jitter),
		turn:   int(draw(p.options.Seed, "words", m.name, asked) % 97),
		id:     draw(p.options.Seed, "id", m.name, asked, strconv.Itoa(len(messages))),
	}
	if last := len(messages) - 1; last >= 0 && messages[last].Role == llm.RoleTool {
		d.result = gist(messages[last].Content)
	}
	return d, task.shape
}

// formatted is the text of the answer: in the shape s, or in the form that the
// request wants.
func (d draft) formatted(s shape, f llm.ResponseFormat) string {
	switch f.Type {
	case llm.ResponseJSONSchema:
		return d.instance(f.Schema)
	case llm.ResponseJSON:
		return d.validObject()
	}
	text := d.text(s)
	if d.result != "" && d.good && s != object {
		text += fmt.Sprintf("\nThe tool's result was used: \"%s\".", d.result)
	}
	return text
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
	if d.good {
		return d.sound()
	}
	return strings.Replace(d.sound(), `"complete": true, "items": [`, `"complete": maybe, items: [...`, 1)
}

// validObject is JSON in any case, as a provider's JSON mode makes sure.
func (d draft) validObject() string {
	if d.good {
		return d.sound()
	}
	return fmt.Sprintf(`{"note": %s, "asked": "something else", "complete": false, "items": []}`, quoted(d.note))
}

func (d draft) sound() string {
	return fmt.Sprintf(`{"note": %s, "asked": %s, "complete": true, "items": [{"field": "first", "value": "as in the text"}, {"field": "second", "value": "as in the text"}]}`,
		quoted(d.note), quoted(d.topic))
}

func quoted(s string) string {
	b, _ := json.Marshal(s) // strings always marshal
	return string(b)
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
