package routellm

import (
	"fmt"
	"io/fs"
)

// question is one of MT-Bench: two turns on one thing.
type question struct {
	ID       int      `json:"question_id"`
	Category string   `json:"category"`
	Turns    []string `json:"turns"`
}

// judgement is what a judge gave a model's answer to one turn, 1 to 10.
type judgement struct {
	Question int     `json:"question_id"`
	Model    string  `json:"model"`
	Score    float64 `json:"score"`
}

// mean is one over what came so far.
type mean struct{ sum, n float64 }

// readMTBench routes by the first turn, and takes for quality the mean score of
// both turns, by tenths.
func readMTBench(root fs.FS) (Set, error) {
	b, err := newBuilder(root, "mtbench", "mt_bench", "mt_bench")
	if err != nil {
		return Set{}, err
	}
	const judgements, questions = "mt_bench/judgements.jsonl", "mt_bench/question.jsonl"
	scores := map[string]map[int]mean{strong: {}, weakInTheirs: {}}
	err = readLines(root, judgements, func(j judgement) {
		if of := scores[j.Model]; of != nil {
			m := of[j.Question]
			of[j.Question] = mean{m.sum + j.Score, m.n + 1}
		}
	})
	if err != nil {
		return Set{}, err
	}
	var bad error
	err = readLines(root, questions, func(q question) {
		s, w := scores[strong][q.ID], scores[weakInTheirs][q.ID]
		switch {
		case len(q.Turns) == 0 || s.n == 0 || w.n == 0:
			bad = fmt.Errorf("%s: question %d has no turn, or no judgement of one of the models in %s", questions, q.ID, judgements)
		case b.anyContaminated(q.Turns):
			b.set.Contaminated++
		default:
			b.add(q.Category, q.Turns[0], map[string]outcome{
				strong: {quality: s.sum / s.n / 10, tokens: mtBenchTokens},
				weak:   {quality: w.sum / w.n / 10, tokens: mtBenchTokens},
			})
		}
	})
	if err == nil {
		err = bad
	}
	if err != nil {
		return Set{}, err
	}
	return b.done(questions)
}

func (b *builder) anyContaminated(turns []string) bool {
	for _, t := range turns {
		if b.contaminated[t] {
			return true
		}
	}
	return false
}
