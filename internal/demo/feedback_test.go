package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/provider/simulated"
)

func (f *fakeBusu) feedback(t *testing.T, w http.ResponseWriter, r *http.Request) {
	var v verdict
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&v); err != nil || r.Method != http.MethodPost {
		t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.judged = append(f.judged, v)
	if f.deaf != nil && f.deaf(len(f.judged)) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// Users say of some answers what the simulator knows of them, once each.
func TestUsersJudge(t *testing.T) {
	t.Parallel()
	f := newFakeBusu(t, nil)
	f.deaf = func(n int) bool { return n == 3 || n == 5 }
	const n, rate = 1000, .3
	r, err := Drive(t.Context(), Options{BaseURL: f.server.URL, Requests: n, Concurrency: 1, Seed: 4, TruthSeed: 7, Feedback: rate})
	if err != nil {
		t.Fatal(err)
	}
	sent := len(f.judged)
	if math.Abs(float64(sent)-n*rate) > 60 || r.Feedback.Refused != 2 || r.Feedback.Sent() != sent-2 {
		t.Errorf("%d of %d answers were judged, the report says %+v", sent, n, r.Feedback)
	}
	if r.Feedback.Ratings < sent/3 || r.Feedback.Thumbs < sent/3 {
		t.Errorf("half of the verdicts are ratings: %+v", r.Feedback)
	}
	asked := map[string]map[string]any{} // one at a time: ids are in the order of prompts
	for i, body := range f.seen {
		asked[fmt.Sprintf("id-%d", i+1)] = body
	}
	truth := simulated.New(simulated.Options{Seed: 7})
	var ups, downs int
	for _, v := range f.judged {
		body := asked[v.RequestID]
		if body == nil {
			t.Fatalf("%s is judged twice, or is none of the requests", v.RequestID)
		}
		delete(asked, v.RequestID)
		want, _ := truth.Truth(body["prompt"].(string), f.models[v.RequestID])
		says := v.Rating >= 4
		if v.Correct != nil {
			says = *v.Correct
		}
		if says != want.Good || (v.Correct != nil) == (v.Rating != 0) || v.Rating == 3 {
			t.Errorf("%+v on an answer that is %+v", v, want)
		}
		count(&ups, says)
		count(&downs, !says)
	}
	if ups == 0 || downs == 0 {
		t.Errorf("%d good and %d bad: this cannot fail", ups, downs)
	}
	var b bytes.Buffer
	r.Write(&b)
	if want := fmt.Sprintf("%d verdicts sent by that truth, %d ratings and %d thumbs; 2 were not taken", sent-2, r.Feedback.Ratings, r.Feedback.Thumbs); !strings.Contains(b.String(), want) {
		t.Errorf("%q is missing in\n%s", want, b.String())
	}
}

// Whose quality nobody knows is not judged, and neither is anything by default.
func TestNobodyJudgesWhatNobodyKnows(t *testing.T) {
	t.Parallel()
	f := newFakeBusu(t, nil)
	if _, err := Drive(t.Context(), Options{BaseURL: f.server.URL, Requests: 50}); err != nil || len(f.judged) != 0 {
		t.Errorf("%d verdicts without a rate: %v", len(f.judged), err)
	}
	j := judges{truth: simulated.New(simulated.Options{}), rate: 1}
	out := outcome{status: http.StatusOK, answer: answer{RequestID: "id", Provider: "simulated", Model: simulated.Small}}
	if _, ok := j.verdictOn(out); !ok {
		t.Error("a rate of one leaves an answer out")
	}
	out.answer.Provider = "openai"
	if v, ok := j.verdictOn(out); ok {
		t.Errorf("an answer of a real model is judged: %+v", v)
	}
	for _, rate := range []float64{-.1, 1.1, math.NaN()} {
		if _, err := Drive(t.Context(), Options{BaseURL: f.server.URL, Feedback: rate}); err == nil {
			t.Errorf("a rate of %g is taken", rate)
		}
	}
}
