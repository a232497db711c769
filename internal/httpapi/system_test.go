package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/reconcile"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/system"
)

// fakeSystem has one dead letter, 1-0, and notes what is asked for.
type fakeSystem struct {
	err  error
	away bool // both stores

	mu    sync.Mutex
	asked []string
}

func (f *fakeSystem) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
}

var busy = system.Process{ID: "0b6c8e0e", Role: "api", Host: "node-1", PID: 7, Version: "v1", StartedAt: sampleTime, UptimeMS: 9, HeardMS: 1,
	Checks:  []system.Check{{Name: "redis", OK: true, Since: sampleTime}},
	Journal: &system.Journal{ID: "j", Bytes: 1, MaxBytes: 2, Segments: 1, Backlog: 3, OldestMS: 4, Failing: true}}

func (f *fakeSystem) System(context.Context) system.Report {
	if f.away {
		return system.NewReport(sampleTime, system.Process{Role: "worker", Checks: []system.Check{}}, nil, nil)
	}
	back := int64(4)
	return system.NewReport(sampleTime, busy,
		&system.Redis{UsedBytes: 1, BudgetBytes: 2, Fullness: .5, Streams: []system.Stream{{Stream: "completions", Key: "busu:completions:{0}", Entries: 3}},
			DeadLetters: system.DeadLetters{Count: 1, OldestMS: 5}, Processes: []system.Process{busy},
			Leases: []system.Lease{{Name: "publisher", Owner: busy.ID, EndsMS: 3}}},
		&system.Postgres{Schema: system.Schema{Version: 16, Known: 16}, Days: system.Days{Ahead: 7, Until: "2026-12-03", Kept: 8},
			Leases:    []system.Lease{{Name: "judges", Owner: "somebody"}},
			Snapshots: []system.Snapshot{{Project: "default", Strategy: "hybrid", Number: 9, At: sampleTime, RolledBackTo: &back}},
			Guards:    []system.Guard{{Project: "default", State: "tripped", Since: &sampleTime}}})
}

func (f *fakeSystem) Page(_ context.Context, before string, count int) (system.DeadPage, error) {
	f.note("page %s %d", before, count)
	d, _ := f.Letter(context.Background(), "1-0")
	return system.DeadPage{Letters: []system.Dead{d.Dead}, Count: 1, NextCursor: &d.ID}, f.err
}

func (f *fakeSystem) Letter(_ context.Context, id string) (system.DeadBody, error) {
	if f.err == nil && id != "1-0" {
		return system.DeadBody{}, system.ErrNoLetter
	}
	entry, body := "0-9", `{"v":9}`
	return system.DeadBody{Body: &body, Dead: system.Dead{ID: id, At: sampleTime, Stream: "busu:completions:{0}", Entry: &entry,
		Reason: "version 9 is not known", Bytes: 7, Preview: body}}, f.err
}

func (f *fakeSystem) Replay(ctx context.Context, project, by, id string) error {
	f.note("replay %s %s %s", project, by, id)
	_, err := f.Letter(ctx, id)
	return err
}

func (f *fakeSystem) Discard(ctx context.Context, project, by, id string) error {
	f.note("discard %s %s %s", project, by, id)
	_, err := f.Letter(ctx, id)
	return err
}

func (f *fakeSystem) Reconcile(_ context.Context, window time.Duration) (reconcile.Answer, error) {
	f.note("reconcile %s", window)
	ledger := reconcile.NewLedger()
	ledger.Lane("j", "completions/0").Marked.Add(2)
	ledger.Project("default").Ever = rollup.Cell{Requests: 2}
	r := reconcile.Compare(ledger, nil)
	r.Budgets = append(r.Budgets, reconcile.BudgetReport{Scope: budget.Key, Name: "k", Period: budget.Day, Began: sampleTime.Truncate(24 * time.Hour), Stored: 3, Redis: 2, Problem: "1 is missing"})
	return reconcile.Answer{Window: rollup.LengthText(window), From: sampleTime, AsOf: sampleTime, Degraded: []string{"redis"},
		Report: r, Settled: r.Settled()}, f.err
}

func TestSystem(t *testing.T) {
	t.Parallel()
	var r system.Report
	serve(t).send(t, "GET", "/system", "").want(t, 200).decode(t, &r)
	if len(r.Processes) != 1 || r.Processes[0].Journal.Backlog != 3 || len(r.Degraded) != 0 {
		t.Errorf("answered %+v", r)
	}
	if len(r.Leases) != 2 || r.Leases[0].Process != nil || r.Leases[1].Process == nil || *r.Leases[1].Process != "api on node-1" {
		t.Errorf("the leases are %+v", r.Leases)
	}
	var without system.Report
	serve(t, func(s *setup) { s.system = &fakeSystem{away: true} }).send(t, "GET", "/system", "").want(t, 200).decode(t, &without)
	if !reflect.DeepEqual(without.Degraded, []string{"redis", "postgres"}) || without.Redis != nil || len(without.Processes) != 1 {
		t.Errorf("without stores %+v", without)
	}
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	f := new(fakeSystem)
	s := serve(t, func(set *setup) { set.system = f })
	var page system.DeadPage
	s.send(t, "GET", "/dead", "").want(t, 200).decode(t, &page)
	s.send(t, "GET", "/dead?cursor=5-1&limit=7", "").want(t, 200)
	if len(page.Letters) != 1 || page.Count != 1 || *page.NextCursor != "1-0" {
		t.Errorf("the page is %+v", page)
	}
	var letter system.DeadBody
	s.send(t, "GET", "/dead/1-0", "").want(t, 200).decode(t, &letter)
	if *letter.Body != `{"v":9}` || letter.Bytes != 7 || letter.Base64 != nil {
		t.Errorf("the letter is %+v", letter)
	}
	for request, status := range map[string]string{"POST /dead/1-0/replay": "replayed", "DELETE /dead/1-0": "deleted"} {
		method, path, _ := strings.Cut(request, " ")
		var done struct{ ID, Status string }
		s.send(t, method, path, "").want(t, 200).decode(t, &done)
		if done.ID != "1-0" || done.Status != status {
			t.Errorf("%s: %+v", request, done)
		}
	}
	slices.Sort(f.asked)
	want := []string{"discard default  1-0", "page  50", "page 5-1 7", "replay default  1-0"}
	if !slices.Equal(f.asked, want) {
		t.Errorf("asked for %q, want %q", f.asked, want)
	}
}

// TestNoDeadLetter: ids that cannot be, and those that are not there.
func TestNoDeadLetter(t *testing.T) {
	t.Parallel()
	f := new(fakeSystem)
	s := serve(t, func(set *setup) { set.system = f })
	for _, request := range []string{"GET /dead/2-0", "GET /dead/x", "POST /dead/2-0/replay", "POST /dead/+/replay", "DELETE /dead/2-0", "DELETE /dead/-"} {
		method, path, _ := strings.Cut(request, " ")
		if p := s.send(t, method, path, "").want(t, 404).problem(t); !strings.HasSuffix(p.Type, ":unknown-dead-letter") {
			t.Errorf("%s: %s", request, p.Type)
		}
	}
	if want := []string{"discard default  2-0", "replay default  2-0"}; len(f.asked) != 2 || !slices.Contains(want, f.asked[0]) {
		t.Errorf("what cannot be an id was looked for: %q", f.asked)
	}
}

func TestReconcile(t *testing.T) {
	t.Parallel()
	f := new(fakeSystem)
	s := serve(t, func(set *setup) { set.system = f })
	var a reconcile.Answer
	s.send(t, "GET", "/reconcile?window=7d", "").want(t, 200).decode(t, &a)
	s.send(t, "GET", "/reconcile", "").want(t, 200)
	if a.Settled || a.Window != "7d" || len(a.Lanes) != 1 || a.Lanes[0].Missing != 1 || a.Lanes[0].Problem == "" || a.Projects[0].Stored.TotalRequests != 2 ||
		len(a.Budgets) != 1 || a.Budgets[0].Stored != 3 || a.Budgets[0].Problem == "" {
		t.Errorf("answered %+v", a)
	}
	if want := []string{"reconcile 168h0m0s", "reconcile 24h0m0s"}; !slices.Equal(f.asked, want) {
		t.Errorf("asked for %q", f.asked)
	}
}

func TestSystemRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for path, field := range map[string]string{"/system?x=1": "x", "/dead?limit=0": "limit", "/dead?limit=201": "limit", "/dead?cursor=abc": "cursor",
		"/dead?after=1-0": "after", "/dead/1-0?x=1": "x", "/reconcile?window=32d": "window", "/reconcile?window=5": "window", "/reconcile?w=1h": "w"} {
		if p := s.send(t, "GET", path, "").want(t, 422).problem(t); !slices.Equal(p.fields(), []string{field}) {
			t.Errorf("%s: %v", path, p.fields())
		}
	}
	s = serve(t, func(set *setup) { set.system = &fakeSystem{err: errors.New("away")} })
	for _, request := range []string{"GET /dead", "GET /dead/1-0", "POST /dead/1-0/replay", "DELETE /dead/1-0", "GET /reconcile"} {
		method, path, _ := strings.Cut(request, " ")
		if got := s.send(t, method, path, "").want(t, http.StatusServiceUnavailable); got.Header.Get("Retry-After") == "" {
			t.Errorf("%s: without Retry-After", request)
		}
	}
}

// TestSystemTakesAKey like everything that is not public.
func TestSystemTakesAKey(t *testing.T) {
	t.Parallel()
	s := serve(t, func(set *setup) { set.adminKey = "secret" })
	for _, request := range []string{"GET /system", "GET /dead", "GET /dead/1-0", "POST /dead/1-0/replay", "DELETE /dead/1-0", "GET /reconcile"} {
		method, path, _ := strings.Cut(request, " ")
		s.send(t, method, path, "").want(t, 401)
		s.send(t, method, path, "", "x-api-key: secret").want(t, 200)
	}
}
