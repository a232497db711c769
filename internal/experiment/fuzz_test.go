package experiment

import (
	"encoding/json"
	"testing"
	"time"
)

// Whatever is asked for is refused, or can be assigned, planned, judged and shown.
func FuzzStart(f *testing.F) {
	for _, s := range []string{
		`{"name":"a","control_strategy":"complexity","test_strategy":"hybrid","sample_size":2000}`,
		`{"name":"a","control":{"model":"small"},"test":{"strategy":"hybrid","parameters":{"x":1}},"test_share":0.1,"sample_size":300,"alpha":0.1,"margins":{"good":1}}`,
		`{"name":"a","arms":[{"name":"a","share":0.5,"model":"small"},{"name":"b","share":0.25,"model":"large"},{"name":"c","share":0.25,"strategy":"hybrid"}],
		  "sample_size":1000,"primary_metric":"cost","unit":"session","observation":"1h","feedback_window":"0s","min_duration":"0s","max_duration":"2h","layer":"x","layer_share":0.5,"slow_ms":1.5,"cuped":true}`,
		`{"arms":[{}],"phases":null,"sample_size":-1,"test_share":1e999}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var s Start
		if json.Unmarshal(body, &s) != nil {
			return
		}
		e, err := New(s, given1, known)
		if err != nil {
			return
		}
		if err := e.Validate(known); err != nil {
			t.Fatalf("accepted and then refused: %v", err)
		}
		NewAssigner(&e).Assign("user", start)
		e.Plan(UsualGuess().Traffic(), 0)
		j := NewJudge(&e)
		for i := range 100 {
			u := plain(i, i%len(e.Arms), i%3 > 0)
			u.MaturesAt = start.Add(e.Maturity() + time.Duration(i))
			if err := j.Add(&u); err != nil {
				t.Fatal(err)
			}
		}
		if j.Advance(e.End()) == nil {
			t.Fatal("no decision at the end")
		}
		if _, err := json.Marshal(e.Results(j.State(), Live{})); err != nil {
			t.Fatal(err)
		}
		e.Hash()
	})
}
