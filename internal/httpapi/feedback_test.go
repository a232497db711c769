package httpapi_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/event"
)

const judged = "019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11"

func (l *fakeLedger) verdicts() []event.FeedbackRecorded {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.verdict)
}

// The fact says what the caller said, under the id of the call.
func TestFeedbackIsRecorded(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for body, want := range map[string]string{
		`"rating": 5`:                      `5 <nil> <nil> "" "" ""`,
		`"rating": 1.0, "feedback_id": ""`: `1 <nil> <nil> "" "" ""`,
		`"correct": false`:                 `0 false <nil> "" "" ""`,
		`"correct": true, "score": null`:   `0 true <nil> "" "" ""`,
		`"score": 0`:                       `0 <nil> 0 "" "" ""`,
		`"score": 1e0, "rating": 2, "correct": false, "feedback_id": "f", "source": "grader", "comment": "ü\n🙂"`: `2 false 1 "f" "grader" "ü\n🙂"`,
	} {
		before := len(s.Ledger.verdicts())
		headers := []string{"Content-Type: application/json"} // so that what is asked is held against the document, too
		if strings.Contains(body, "null") {
			headers = nil
		}
		got := s.post(t, "/feedback", `{"request_id": "`+judged+`", `+body+`}`, headers...).want(t, 202)
		all := s.Ledger.verdicts()
		if len(all) != before+1 {
			t.Fatalf("%s: %d facts", body, len(all)-before)
		}
		f := all[before]
		if said := saidBy(&f); said != want {
			t.Errorf("%s is recorded as %s", body, said)
		}
		var answer struct {
			ID, Status string
			RequestID  string `json:"request_id"`
			FeedbackID string `json:"feedback_id"`
		}
		got.decode(t, &answer)
		id := got.Header.Get("X-Request-Id")
		if f.ID.String() != id || answer.ID != id || f.RequestID.String() != judged || answer.RequestID != judged ||
			answer.Status != "accepted" || answer.FeedbackID != f.FeedbackID || f.Project != event.DefaultProject {
			t.Errorf("%s with the id %s: answered %+v, recorded %+v", body, id, answer, f)
		}
	}
	if intents, facts := s.Ledger.counts(); intents+facts > 0 || s.Provider.calls.Load() > 0 {
		t.Error("feedback was taken for a request")
	}
}

func saidBy(f *event.FeedbackRecorded) string {
	correct, score := "<nil>", "<nil>"
	if f.Correct != nil {
		correct = fmt.Sprint(*f.Correct)
	}
	if f.Score != nil {
		score = fmt.Sprint(*f.Score)
	}
	return fmt.Sprintf("%d %s %s %q %q %q", f.Rating, correct, score, f.FeedbackID, f.Source, f.Comment)
}

// badFeedback are bodies that must be refused, with the fields to be named.
func badFeedback() []badInput {
	all := []badInput{
		{"nothing", `{}`, 422, "rating,request_id"},
		{"says nothing", `{"request_id": "` + judged + `"}`, 422, "rating"},
		{"says null", `{"request_id": "` + judged + `", "rating": null, "correct": null, "score": null}`, 422, "rating"},
		{"no request", `{"rating": 5}`, 422, "request_id"},
		{"request null", `{"request_id": null, "rating": 5}`, 422, "request_id"},
		{"unknown fields", `{"request_id": "` + judged + `", "rating": 5, "Rating": 5, "value": 1, "user_id": "u"}`, 422, "Rating,user_id,value"},
		{"rating twice", `{"request_id": "` + judged + `", "rating": 5, "rating": 1}`, 422, "rating"},
		{"everything", `{"request_id": 1, "rating": 0, "correct": 1, "score": 2, "feedback_id": 1, "source": [], "comment": {}, "x": 1}`, 422,
			"comment,correct,feedback_id,rating,request_id,score,source,x"},
	}
	for field, values := range map[string][]string{
		"rating":      {`0`, `6`, `-1`, `4.5`, `"5"`, `true`, `[]`, `{}`, `1e999`, `-1e999`, strings.Repeat("9", 5000)},
		"score":       {`-0.001`, `1.001`, `1e999`, `-1e999`, `"1"`, `true`, `[0]`, `{}`},
		"correct":     {`1`, `0`, `"true"`, `[]`, `{}`},
		"feedback_id": {`5`, `[]`, `"` + strings.Repeat("a", 257) + `"`, `"\u0000"`, `"\ud83d"`},
		"source":      {`5`, `{}`, `"` + strings.Repeat("é", 129) + `"`, `"a\u0000"`},
		"comment":     {`5`, `[]`, `"` + strings.Repeat("a", event.MaxComment+1) + `"`, `"\u0000"`, `"\udc00"`},
	} {
		for _, value := range values {
			good := `"correct": true`
			if field == "correct" {
				good = `"rating": 3`
			}
			all = append(all, badInput{fmt.Sprintf("%s %.40s", field, value),
				`{"request_id": "` + judged + `", ` + good + `, "` + field + `": ` + value + `}`, 422, field})
		}
	}
	for _, id := range []string{`""`, `"x"`, `5`, `[]`, `"` + judged[:35] + `"`, `"{` + judged + `}"`, `"urn:uuid:` + judged + `"`,
		`"` + strings.ReplaceAll(judged, "-", "") + `"`, `"019b0e4e-2b8a-4c3e-9d53-5a0f1c9f5b11"`, `"019b0e4e-2b8a-7c3e-cd53-5a0f1c9f5b11"`,
		`"00000000-0000-0000-0000-000000000000"`, `"` + judged + `\u0000"`} {
		all = append(all, badInput{"request " + id, `{"request_id": ` + id + `, "rating": 5}`, 422, "request_id"})
	}
	return all
}

func TestBadFeedback(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, bad := range slices.Concat(unreadable(), badFeedback()) {
		p := s.post(t, "/feedback", bad.body).want(t, bad.status).problem(t)
		if got := strings.Join(p.fields(), ","); got != bad.fields {
			t.Errorf("%s names %q, want %q", bad.name, got, bad.fields)
		}
		if p.Detail == "" || len(p.Detail) > 1000 {
			t.Errorf("%s: the detail is %.100q and %d bytes long", bad.name, p.Detail, len(p.Detail))
		}
	}
	if n := len(s.Ledger.verdicts()); n > 0 {
		t.Errorf("%d of what was refused were recorded", n)
	}
}

// What people see who look at the detail only.
func TestFeedbackDetailReads(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for body, want := range map[string]string{
		``:                                 `the body is empty: send a JSON object such as {"request_id": "…", "rating": 5}`,
		`{"request_id": "7", "score": 1}`:  `request_id is "7", must be the request_id of an answer (a UUIDv7)`,
		`{"request_id": "` + judged + `"}`: `rating is missing (or send correct or score)`,
		`{"request_id": "` + judged + `", "score": 1.5}`: `score is 1.5, must be a number from 0 to 1`,
	} {
		if got := s.post(t, "/feedback", body).problem(t).Detail; got != want {
			t.Errorf("%s is refused with\n%s, want\n%s", body, got, want)
		}
	}
}

func TestFeedbackWithoutALedger(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.ledger.refuseFacts = errDisk })
	got := s.post(t, "/feedback", `{"request_id": "`+judged+`", "rating": 5}`).want(t, 503)
	if p := got.problem(t); !strings.HasSuffix(p.Type, ":ledger-unavailable") || got.Header.Get("Retry-After") == "" || strings.Contains(string(got.Body), "device") {
		t.Errorf("%v: %+v", got.Header, p)
	}
}

func TestFeedbackNeedsAKey(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.adminKey = "secret" })
	body := `{"request_id": "` + judged + `", "rating": 5}`
	s.post(t, "/feedback", body).want(t, 401)
	s.post(t, "/feedback", body, "x-api-key: secret").want(t, 202)
}

func TestRepeatedFeedbackIsRecordedOnce(t *testing.T) {
	t.Parallel()
	redis, _ := repeating(t)
	s := serve(t, redis)
	body := `{"request_id": "` + judged + `", "rating": 5}`
	first := s.post(t, "/feedback", body, "Idempotency-Key: a").want(t, 202)
	again := s.post(t, "/feedback", body, "Idempotency-Key: a").want(t, 202)
	if !bytes.Equal(first.Body, again.Body) || first.Header.Get("X-Request-Id") != again.Header.Get("X-Request-Id") || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("first %s %v, then %s %v", first.Body, first.Header, again.Body, again.Header)
	}
	s.post(t, "/feedback", strings.Replace(body, "5", "4", 1), "Idempotency-Key: a").want(t, 422)
	s.post(t, "/complete", body, "Idempotency-Key: a").want(t, 422)
	if n := len(s.Ledger.verdicts()); n != 1 {
		t.Errorf("%d are recorded", n)
	}
}

// FuzzFeedback: whatever is posted is recorded or refused as documented, and
// never our mistake.
func FuzzFeedback(f *testing.F) {
	for _, seed := range slices.Concat(unreadable(), badFeedback()) {
		if len(seed.body) < 10_000 {
			f.Add([]byte(seed.body))
		}
	}
	f.Add([]byte(`{"request_id": "` + judged + `", "rating": 5, "correct": true, "score": 0.5, "feedback_id": "f", "source": "s", "comment": "c"}`))
	s := build()
	f.Fuzz(func(t *testing.T, body []byte) {
		s.Ledger.forget()
		r := httptest.NewRequestWithContext(t.Context(), "POST", "http://localhost/feedback", bytes.NewReader(body))
		got := s.record(r)
		validate(t, r, got)
		facts := s.Ledger.verdicts()
		switch got.Status {
		case 202:
			if len(facts) != 1 || facts[0].Validate() != nil {
				t.Errorf("recorded are %+v", facts)
			}
		case 400, 413, 422:
			if p := got.problem(t); len(facts) > 0 || len(p.Errors) > 0 != strings.HasSuffix(p.Type, ":invalid-request") {
				t.Errorf("recorded are %+v: %+v", facts, p)
			}
		default:
			t.Errorf("status %d: %s", got.Status, got.Body)
		}
	})
}
