package httpapi_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/lineup"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/stats"
	"github.com/busuhq/busu/internal/system"
)

func (f *fakeSystem) Lineup(ctx context.Context, project string, w rollup.Window) (lineup.Report, error) {
	f.note("models %s %s", project, w.Name)
	report, _ := fakeMetrics{}.Report(ctx, project, w)
	tier, breaker := "simple", rollup.BreakerClosed
	r := lineup.Report{BaselineModel: "large", Degraded: []string{}, Learned: []system.Snapshot{snapshot(7)},
		Models: []lineup.Model{{ID: "small", Provider: "openai", Tier: &tier, Purpose: "chat", Formats: []string{"chat"}, Lacks: []string{"tools"}, Breaker: &breaker},
			{ID: "embedding", Purpose: "embedding", Formats: []string{}, Lacks: []string{}}}}
	r.Curve = lineup.NewCurve([]lineup.Decision{{Planned: "small", Baseline: "large", Candidates: []event.Candidate{
		{Model: "small", Quality: .9, CostNanos: 10}, {Model: "large", Quality: .95, CostNanos: 900}}}}, "hybrid", 100)
	var users stats.Moments
	for range 40 {
		users.Add(1, .5)
	}
	r.Fill(report, lineup.Judged{Routed: map[string]*lineup.Quality{"small": lineup.QualityOf(users, 2)}})
	return r, f.err
}

func snapshot(n int64) system.Snapshot {
	return system.Snapshot{Project: "default", Strategy: "hybrid", Number: n, At: sampleTime, Verdicts: 3, Weight: .5, Lambda: 100}
}

func (f *fakeSystem) List(_ context.Context, project, strategy string, before int64, most int) (all []system.Snapshot, _ error) {
	f.note("snapshots %s %s %d", project, strategy, most)
	for n := min(before-1, 9); n > 0 && len(all) < most; n-- {
		all = append(all, snapshot(n))
	}
	return all, f.err
}

func (f *fakeSystem) RollBack(_ context.Context, project, by, strategy string, to int64) (system.Snapshot, error) {
	f.note("roll back %s %s %s %d", project, by, strategy, to)
	if f.err == nil && to > 9 {
		return system.Snapshot{}, learning.ErrNoSnapshot
	}
	s := snapshot(10)
	s.RolledBackTo = &to
	return s, f.err
}

func TestLineup(t *testing.T) {
	t.Parallel()
	var r lineup.Report
	serve(t).send(t, "GET", "/models?window=1h", "").want(t, 200).decode(t, &r)
	if r.Window != "1h" || len(r.Models) != 2 || r.Models[0].Requests != 2 || *r.Models[0].Quality.Low != .5 || len(r.Curve.Policies) != 4 {
		t.Errorf("answered %+v", r)
	}
}

func TestSnapshotPages(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var numbers []int64
	for cursor, live := "", true; ; live = false {
		var page struct {
			Snapshots []struct {
				Snapshot int64
				Live     bool
			}
			NextCursor *string `json:"next_cursor"`
		}
		s.send(t, "GET", "/snapshots?limit=4"+cursor, "").want(t, 200).decode(t, &page)
		for i, entry := range page.Snapshots {
			if numbers = append(numbers, entry.Snapshot); entry.Live != (live && i == 0) {
				t.Errorf("%+v is said to be live, or not", entry)
			}
		}
		if page.NextCursor == nil {
			break
		}
		cursor = "&cursor=" + *page.NextCursor
	}
	if !slices.Equal(numbers, []int64{9, 8, 7, 6, 5, 4, 3, 2, 1}) {
		t.Errorf("the pages have %v", numbers)
	}
}

func TestRollBack(t *testing.T) {
	t.Parallel()
	f := new(fakeSystem)
	s := serve(t, func(set *setup) { set.system = f })
	var back struct {
		Snapshot, RolledBackTo int64
		Live                   bool
	}
	s.post(t, "/snapshots/7/rollback?strategy=learning", "").want(t, 200).decode(t, &back)
	if back.Snapshot != 10 || !back.Live || !slices.Equal(f.asked, []string{"roll back default  learning 7"}) {
		t.Errorf("answered %+v, asked for %q", back, f.asked)
	}
	for _, number := range []string{"99", "0", "-1", "x", "99999999999999999999"} {
		if p := s.post(t, "/snapshots/"+number+"/rollback", "").want(t, 404).problem(t); !strings.HasSuffix(p.Type, ":unknown-snapshot") {
			t.Errorf("%s: %s", number, p.Type)
		}
	}
}

func TestLineupRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for request, field := range map[string]string{"GET /models?window=2h": "window", "GET /models?x=1": "x", "GET /snapshots?strategy=complexity": "strategy",
		"GET /snapshots?cursor=x": "cursor", "GET /snapshots?limit=501": "limit", "GET /snapshots?x=1": "x", "POST /snapshots/7/rollback?strategy=no": "strategy"} {
		method, path, _ := strings.Cut(request, " ")
		if p := s.send(t, method, path, "").want(t, 422).problem(t); !slices.Equal(p.fields(), []string{field}) {
			t.Errorf("%s: %v", path, p.fields())
		}
	}
	s = serve(t, func(set *setup) { set.system = &fakeSystem{err: errors.New("away")} })
	for _, request := range []string{"GET /models", "GET /snapshots", "POST /snapshots/7/rollback"} {
		method, path, _ := strings.Cut(request, " ")
		s.send(t, method, path, "").want(t, 503)
	}
}
