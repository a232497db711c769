package httpapi_test

import (
	"strings"
	"testing"
	"time"
)

func TestRampAnExperiment(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var started struct{ ID string }
	s.post(t, "/experiments/start", startBody).want(t, 201).decode(t, &started)
	at := "/experiments/" + started.ID
	var ramped struct {
		Phases []struct {
			From   time.Time
			Shares []float64
		}
	}
	s.post(t, at+"/ramp", `{"test_share": 0.2, "note": "nobody complained"}`).want(t, 200).decode(t, &ramped)
	if len(ramped.Phases) != 2 || ramped.Phases[1].Shares[1] != .2 {
		t.Errorf("ramped is %+v", ramped)
	}
	s.post(t, at+"/ramp", `{"shares": [0.5, 0.5], "at": "`+sampleTime.Add(5*time.Minute).Format(time.RFC3339)+`"}`).want(t, 200).decode(t, &ramped)
	if len(ramped.Phases) != 3 || ramped.Phases[2].Shares[0] != .5 || !ramped.Phases[2].From.Equal(sampleTime.Add(5*time.Minute).Truncate(time.Second)) {
		t.Errorf("ramped is %+v", ramped)
	}
	for body, fields := range map[string]string{
		`{}`:                     "shares",
		`{"shares": [0.5]}`:      "shares",
		`{"shares": [0.5, 0.6]}`: "shares",
		`{"shares": []}`:         "shares",
		`{"shares": 0.5}`:        "shares",
		`{"shares": [0.5, "x"]}`: "shares[1]",
		`{"test_share": 1}`:      "test_share",
		`{"test_share": "half"}`: "test_share",
		`{"test_share": 0.5, "shares": [0.5, 0.5]}`:                        "test_share",
		`{"test_share": 0.5, "at": "soon"}`:                                "at",
		`{"test_share": 0.5, "at": "2031-01-01T00:00:00Z"}`:                "at",
		`{"test_share": 0.5, "share": 1}`:                                  "share",
		`{"test_share": 0.5, "note": 1}`:                                   "note",
		`{"test_share": 0.5, "note": "` + strings.Repeat("x", 2000) + `"}`: "note",
	} {
		got := s.post(t, at+"/ramp", body).want(t, 422).problem(t)
		if strings.Join(got.fields(), ",") != fields {
			t.Errorf("%.100s: %v, want %s", body, got.Errors, fields)
		}
	}
	s.post(t, at+"/ramp", "").want(t, 400)
	s.post(t, "/experiments/none/ramp", `{"test_share": 0.5}`).want(t, 404)
	s.post(t, at+"/stop", "").want(t, 200)
	if p := s.post(t, at+"/ramp", `{"test_share": 0.5}`).want(t, 409).problem(t); !strings.HasSuffix(p.Type, ":experiment-ended") {
		t.Errorf("of one that has ended: %+v", p)
	}
}

func TestExtendAnExperiment(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var e struct {
		ID          string
		SampleSize  int    `json:"sample_size"`
		Planned     int    `json:"planned_sample_size"`
		MaxDuration string `json:"max_duration"`
	}
	s.post(t, "/experiments/start", startBody).want(t, 201).decode(t, &e)
	at := "/experiments/" + e.ID
	s.post(t, at+"/extend", `{"sample_size": 4000, "max_duration": "1440h", "note": "few come"}`).want(t, 200).decode(t, &e)
	if e.SampleSize != 4000 || e.Planned != 2000 || e.MaxDuration != "1440h0m0s" {
		t.Errorf("extended is %+v", e)
	}
	for body, field := range map[string]string{
		`{}`:                         "sample_size",
		`{"sample_size": 4000}`:      "sample_size",
		`{"sample_size": 0}`:         "sample_size",
		`{"sample_size": 1e12}`:      "sample_size",
		`{"sample_size": "many"}`:    "sample_size",
		`{"max_duration": "1h"}`:     "max_duration",
		`{"max_duration": "a year"}`: "max_duration",
		`{"max_duration": "9999h"}`:  "max_duration",
		`{"alpha": 0.1}`:             "alpha",
	} {
		if got := s.post(t, at+"/extend", body).want(t, 422).problem(t); strings.Join(got.fields(), ",") != field {
			t.Errorf("%s: %v, want %s", body, got.Errors, field)
		}
	}
	s.post(t, at+"/extend", "").want(t, 400)
	s.post(t, "/experiments/none/extend", `{"sample_size": 4000}`).want(t, 404)
	s.post(t, at+"/stop", "").want(t, 200)
	s.post(t, at+"/extend", `{"sample_size": 9000}`).want(t, 409)
}

func TestArchiveAnExperiment(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var e struct {
		ID         string
		ArchivedAt *time.Time `json:"archived_at"`
	}
	s.post(t, "/experiments/start", startBody).want(t, 201).decode(t, &e)
	at := "/experiments/" + e.ID
	if p := s.post(t, at+"/archive", "").want(t, 409).problem(t); !strings.HasSuffix(p.Type, ":experiment-running") {
		t.Errorf("while it runs: %+v", p)
	}
	s.post(t, "/experiments/none/archive", "").want(t, 404)
	s.post(t, at+"/archive?x=1", "").want(t, 422)
	s.post(t, at+"/stop", "").want(t, 200)
	if s.post(t, at+"/archive", "").want(t, 200).decode(t, &e); e.ArchivedAt == nil {
		t.Errorf("archived is %+v", e)
	}
	for path, want := range map[string]int{"/experiments": 0, "/experiments?archived=false": 0, "/experiments?archived=true": 1,
		"/experiments/results": 0, "/experiments/results?archived=true": 1} {
		var list struct{ Experiments, Results []struct{ ID string } }
		if s.send(t, "GET", path, "").want(t, 200).decode(t, &list); len(list.Experiments)+len(list.Results) != want {
			t.Errorf("%s lists %+v", path, list)
		}
	}
	s.send(t, "GET", at, "").want(t, 200)
	s.send(t, "GET", "/experiments?archived=perhaps", "").want(t, 422)
}
