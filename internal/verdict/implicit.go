package verdict

import "time"

// Verdicts that nobody gave: an answer that is empty, refused or not the JSON
// that was asked for, a question that its user asked again at once. They are
// weaker than those that somebody gave. They teach only where none of these
// came in time, and only beside many of them.
const (
	// ImplicitSource is what their sources begin with.
	ImplicitSource = "implicit:"
	// ImplicitWait is how long somebody has to judge the answer.
	ImplicitWait = 2 * time.Minute

	// Regenerated is what happened when a user asked the same again, and not later
	// than RegeneratedWithin after the answer's request.
	Regenerated       = "regenerated"
	RegeneratedWithin = time.Minute
	// RegeneratedQuality is what it says of the answer: less than its user wanted,
	// and not that it is worth nothing.
	RegeneratedQuality = 0.25
)

// Tally counts the verdicts that taught a learner lately.
type Tally struct{ Given, Implicit int }

// implicitEvery is how many given verdicts one that nobody gave needs beside
// it. All of those are bad: alone, or many, they would teach that every model
// is, since what went well says nothing.
const implicitEvery = 10

func (t *Tally) full() bool { return t == nil || (t.Implicit+1)*implicitEvery > t.Given }

func (t *Tally) add(implicit bool) {
	switch {
	case t == nil:
	case implicit:
		t.Implicit++
	default:
		t.Given++
	}
}
