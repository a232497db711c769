package httpapi_test

import (
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/contract"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/webhook"
)

// Who reads of an experiment does not get the secrets in the address that it
// tells.
func TestDeliveriesOfAnExperiment(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var quiet, loud struct {
		ID        string
		NotifyURL string `json:"notify_url"`
	}
	s.post(t, "/experiments/start", startBody).want(t, 201).decode(t, &quiet)
	body := strings.Replace(startBody, `{"name": "one"`, `{"name": "two", "notify_url": "https://example.com/hook?token=secret"`, 1)
	s.post(t, "/experiments/start", body).want(t, 201).decode(t, &loud)
	if loud.NotifyURL != "https://example.com/hook?***" {
		t.Errorf("it is started with %q", loud.NotifyURL)
	}
	var list struct {
		Deliveries []struct{ Type, State, URL string }
	}
	if s.send(t, "GET", "/experiments/"+quiet.ID+"/deliveries", "").want(t, 200).decode(t, &list); list.Deliveries == nil || len(list.Deliveries) != 0 {
		t.Errorf("deliveries of nobody are %v", list.Deliveries)
	}
	at := "/experiments/" + loud.ID
	if s.send(t, "GET", at+"/deliveries", "").want(t, 200).decode(t, &list); len(list.Deliveries) != 2 || list.Deliveries[1].State != "failed" {
		t.Errorf("deliveries are %v", list.Deliveries)
	}
	for _, got := range []reply{s.send(t, "GET", at, ""), s.send(t, "GET", "/experiments", ""), s.send(t, "GET", at+"/deliveries", ""),
		s.post(t, at+"/ramp", `{"test_share": 0.2}`), s.post(t, at+"/extend", `{"sample_size": 4000}`), s.post(t, at+"/stop", ""), s.post(t, at+"/archive", "")} {
		if text := string(got.want(t, 200).Body); strings.Contains(text, "secret") || !strings.Contains(text, "https://example.com/hook?***") {
			t.Errorf("it is answered %s", text)
		}
	}
	s.send(t, "GET", "/experiments/none/deliveries", "").want(t, 404)
	s.send(t, "GET", at+"/deliveries?x=1", "").want(t, 422)
}

// What is sent to notify_url is what the document says of it.
func TestWebhooksAreAsDocumented(t *testing.T) {
	t.Parallel()
	e := experiment.Start{Name: "one", ControlStrategy: "complexity", TestStrategy: "hybrid", SampleSize: 2000, NotifyURL: "https://example.com/"}.
		Experiment(experiment.Given{ID: knownExperiment, Project: "default", Salt: "s", At: sampleTime})
	id := uuid.Must(uuid.NewV7())
	f := event.NewExperimentDecided(id, true)
	f.Outcome, f.Winner, f.Reason, f.Verdict, f.PValue, f.AlwaysValidP, f.Units = "win", "test", "primary", "Test is better.", .01, .02, 2000
	decided, err := e.DecidedNotice(f)
	if err != nil {
		t.Fatal(err)
	}
	stopped, err := e.StoppedNotice(id, sampleTime)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	documented := doc.Webhooks["experimentEnded"].Post.RequestBody.Value.Content.Get("application/json").Schema.Value
	for _, m := range []webhook.Message{decided, stopped} {
		body := decoded(t, m.Body)
		if err := documented.VisitJSON(body, openapi3.EnableJSONSchema2020()); err != nil {
			t.Errorf("%s: %v", m.Kind, err)
		}
		if extra := contract.Undocumented(documented, body); len(extra) > 0 {
			t.Errorf("%s: %v is not documented", m.Kind, extra)
		}
	}
}
