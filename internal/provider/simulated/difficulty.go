package simulated

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cue is how much a word speaks for a task.
type cue struct {
	task   task
	weight float64
}

// lexicon maps words to what they say about a prompt.
type lexicon struct {
	profiles [tasks]profile
	cues     map[string][]cue
	scripts  map[string]task
	demands  map[string]float64
}

func newLexicon() lexicon {
	l := lexicon{
		profiles: profiles(),
		cues:     map[string][]cue{},
		scripts:  scriptCues(),
		demands:  map[string]float64{},
	}
	for t, p := range l.profiles {
		l.learn(task(t), p.cues, 1)
		l.learn(task(t), p.hints, 0.25)
	}
	for weight, words := range demands() {
		for _, word := range strings.Fields(words) {
			l.demands[word] = weight
		}
	}
	return l
}

func (l lexicon) learn(t task, words string, weight float64) {
	for _, word := range strings.Fields(words) {
		l.cues[word] = append(l.cues[word], cue{t, weight})
	}
}

// reading is what was seen in a prompt.
type reading struct {
	task    task
	base    float64 // of the task
	words   int
	numbers int
	marks   int     // list items, semicolons, question marks: signs of several parts
	code    int     // lines that look like code
	demand  float64 // of demanding words, less the undemanding ones
}

// maxRead bounds the work for one prompt, in bytes; what comes later changes
// the length only.
const maxRead = 8000

func (l lexicon) read(prompt string) reading {
	head := prompt[:min(len(prompt), maxRead)]
	words := strings.FieldsFunc(strings.ToLower(head), betweenWords)
	r := reading{words: len(words) + utf8.RuneCountInString(prompt[len(head):])/6}
	var evidence [tasks]float64
	for i, word := range words {
		l.weigh(word, leading(i, len(words)), &evidence, &r)
	}
	for sign, t := range l.scripts {
		if strings.Contains(head, sign) {
			evidence[t] += 3
		}
	}
	r.marks, r.code = parts(head)
	evidence[coding] += 0.3 * float64(min(r.code, 6))
	evidence[debugging] += 0.3 * float64(min(r.code, 6))
	r.task = strongest(evidence)
	r.base = l.profiles[r.task].base
	return r
}

func (l lexicon) weigh(word string, weight float64, evidence *[tasks]float64, r *reading) {
	for _, c := range l.cues[word] {
		evidence[c.task] += weight * c.weight
	}
	r.demand += l.demands[word]
	if first, _ := utf8.DecodeRuneInString(word); unicode.IsDigit(first) {
		r.numbers++
		evidence[arithmetic] += 0.2
	}
}

// leading weighs a word by its place: what is asked stands at the beginning or
// the end, and what it is asked about lies between.
func leading(i, n int) float64 {
	switch {
	case i < 4:
		return 4
	case i < 14:
		return 2
	case i >= n-10:
		return 1.5
	}
	return 0.4
}

func betweenWords(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-'
}

func parts(text string) (marks, code int) {
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "- ") || strings.HasPrefix(trimmed, "* ") {
			marks++
		}
		marks += strings.Count(trimmed, ";") + strings.Count(trimmed, "?")
		if looksLikeCode(trimmed) {
			code++
		}
	}
	return marks, code
}

func looksLikeCode(line string) bool {
	for _, sign := range []string{"```", ":=", "()", "{", "};", "==", "=>", "return ", "def ", "func "} {
		if strings.Contains(line, sign) {
			return true
		}
	}
	return false
}

// strongest is the task with the most evidence; of equals, the harder one.
func strongest(evidence [tasks]float64) task {
	best := chat
	for t := range tasks {
		if evidence[t] > 0 && evidence[t] >= evidence[best] {
			best = t
		}
	}
	return best
}

// difficulty adds up what was seen, in [0, 1]. Every term is capped: no
// prompt is hard for one reason alone.
func (r reading) difficulty() float64 {
	d := r.base
	d += 0.030 * (math.Log1p(float64(r.words)) - 3) // 20 words change nothing
	d += min(0.10, 0.015*float64(r.numbers))
	d += min(0.10, 0.025*float64(max(0, r.marks-1)))
	d += min(0.10, 0.012*float64(r.code))
	d += max(-0.10, min(0.25, r.demand))
	return clamp(d)
}
