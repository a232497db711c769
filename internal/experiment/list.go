package experiment

import "time"

// List is a project's experiments, the newest first.
type List struct {
	Experiments []Listed  `json:"experiments"`
	AsOf        time.Time `json:"as_of"`    // when it was read
	Degraded    []string  `json:"degraded"` // what does not answer; it was read before
}

// Listed is an experiment with where it stands.
type Listed struct {
	Status
	Standing *Standing `json:"standing"` // null: that cannot be told now
}

// Standing is Results in short, as lists show them.
type Standing struct {
	AsOf    time.Time `json:"as_of"` // when it was read
	Verdict string    `json:"verdict"`
	SplitOK bool      `json:"split_ok"` // units were split as planned
	Users   int64     `json:"users"`    // that entered
	Matured int       `json:"matured"`  // and were analysed
	Target  int       `json:"target"`
}

// Standing is what lists show of results.
func (r *Results) Standing() Standing {
	return Standing{r.AsOf, r.Verdict, r.SRM.OK, r.Sample.Users, r.Sample.Matured, r.Sample.Target}
}
