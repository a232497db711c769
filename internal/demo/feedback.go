package demo

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"

	"github.com/busuhq/busu/internal/provider/simulated"
)

// judges are users who judge some of the answers, by the simulator's own truth.
type judges struct {
	truth *simulated.Provider
	rate  float64 // the share of answers that are judged
	seed  uint64
}

// Feedback counts verdicts on answers.
type Feedback struct {
	Ratings int // sent: of one to five
	Thumbs  int // sent: up or down
	Refused int // that busu did not take
}

// verdict is what a user sends of an answer.
type verdict struct {
	RequestID string `json:"request_id"`
	Source    string `json:"source"`
	Rating    int    `json:"rating,omitempty"`
	Correct   *bool  `json:"correct,omitempty"`
}

// verdictOn is what the user says of an answer; false: nothing, as mostly. Half
// of those who say something give a rating, half a thumb.
func (j judges) verdictOn(out outcome) (verdict, bool) {
	truth, ok := truthOf(j.truth, out)
	mood := j.mood(out.prompt)
	if !ok || mood.Float64() >= j.rate {
		return verdict{}, false
	}
	v := verdict{RequestID: out.answer.RequestID, Source: "demo"}
	if mood.IntN(2) == 0 {
		v.Correct = &truth.Good
	} else {
		v.Rating = ratingOf(truth)
	}
	return v, true
}

// mood is the same for whoever asks the same again.
func (j judges) mood(p Prompt) *rand.Rand {
	h := fnv.New64a()
	_, _ = io.WriteString(h, p.UserID+"\n"+p.Text)
	return rand.New(rand.NewPCG(j.seed, h.Sum64()))
}

// ratingOf is 4 or 5 of a good answer, 1 or 2 of another.
func ratingOf(truth simulated.Verdict) int {
	switch s := truth.Score; {
	case truth.Good && s >= 0.8:
		return 5
	case truth.Good:
		return 4
	case s >= 0.2:
		return 2
	default:
		return 1
	}
}

// truthOf is how good the answer was; false where the simulator does not know.
func truthOf(p *simulated.Provider, out outcome) (simulated.Verdict, bool) {
	if out.err != nil || out.status != http.StatusOK || out.answer.Provider != "simulated" {
		return simulated.Verdict{}, false
	}
	return p.Truth(out.prompt.Text, out.answer.Model)
}

// judge sends what the user says of an answer, if anything.
func (j judges) judge(ctx context.Context, o Options, out outcome) (f Feedback) {
	v, ok := j.verdictOn(out)
	if !ok {
		return f
	}
	count(&f.Thumbs, v.Correct != nil)
	count(&f.Ratings, v.Correct == nil)
	if !v.send(ctx, o) {
		return Feedback{Refused: 1}
	}
	return f
}

func (v verdict) send(ctx context.Context, o Options) (taken bool) {
	body, err := json.Marshal(v)
	if err != nil {
		return false
	}
	request, err := newRequest(ctx, o, http.MethodPost, "/feedback", body)
	if err != nil {
		return false
	}
	response, err := o.Client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswerBytes)) // so that the connection serves again
	return err == nil && response.StatusCode == http.StatusAccepted
}

func (f Feedback) plus(g Feedback) Feedback {
	return Feedback{Ratings: f.Ratings + g.Ratings, Thumbs: f.Thumbs + g.Thumbs, Refused: f.Refused + g.Refused}
}

// Sent is how many verdicts busu has taken.
func (f Feedback) Sent() int { return f.Ratings + f.Thumbs }
