package experiments

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/bench/product"
	"github.com/busuhq/busu/internal/experiment"
)

const (
	unitsAtOnce  = 2000 // as the worker's judge hears them
	decisionGoal = 1000
	pageGoal     = 10
	reads        = 50
)

// used is the processor time of this process and all that it has started.
func used() time.Duration {
	children := measure.Children()
	total := measure.OwnUsage()
	for _, child := range children[os.Getpid()] {
		total += measure.FamilyUsage(child, children)
	}
	return total
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// judge hears all users, as the worker does, and takes the time of what is the
// engine's: sums, looks and the decision.
func (b *bench) judge(ctx context.Context) error {
	var engine, engineCPU time.Duration
	began, cpu := time.Now(), used()
	hearings := 0
	for more := true; more; hearings++ {
		var err error
		more, err = b.DB.Hear(ctx, b.record.ID, time.Now(), unitsAtOnce, func(h *experiment.Hearing) error {
			begun, own := time.Now(), measure.OwnUsage()
			defer func() { engine, engineCPU = engine+time.Since(begun), engineCPU+measure.OwnUsage()-own }()
			return h.Judge()
		})
		if err != nil {
			return err
		}
	}
	took, spent := time.Since(began), used()-cpu
	s, err := b.DB.Experiment(ctx, b.record.Project, b.record.ID)
	if err != nil || s.State != experiment.StateDecided {
		return fmt.Errorf("it is %s and not decided: %w", s.State, err)
	}
	b.add(figure{"engine: all users, looks and the decision", ms(engine), decisionGoal, fmt.Sprintf("CPU %s ms", measure.Number(ms(engineCPU)))})
	b.add(figure{"all of it: rows of users and requests read, judged, stored", ms(took), 0,
		fmt.Sprintf("%d hearings; %s users a second; CPU %s ms", hearings, measure.Number(float64(b.Users)/took.Seconds()), measure.Number(ms(spent)))})
	return nil
}

// page reads what results are made of.
func (b *bench) page(ctx context.Context) error {
	var took []time.Duration
	size := 0
	for range reads {
		began := time.Now()
		s, state, live, err := b.DB.Progress(ctx, b.record.Project, b.record.ID, true)
		if err != nil {
			return err
		}
		results := s.Results(state, live)
		page, err := results.Page()
		if err != nil {
			return err
		}
		if results.Sample.Users != int64(b.Users) {
			return fmt.Errorf("%d of %d users have entered", results.Sample.Users, b.Users)
		}
		took, size = append(took, time.Since(began)), len(page)
	}
	b.add(figure{"results from PostgreSQL, p50", measure.Percentile(took, .5) / 1000, 0, fmt.Sprintf("%d KB", size/1024)})
	b.add(figure{"results from PostgreSQL, the longest of 50", measure.Percentile(took, 1) / 1000, 0, ""})
	return nil
}

func (b *bench) recount(ctx context.Context) error {
	began := time.Now()
	_, found, err := b.DB.Recount(ctx, b.record.ID, false)
	if err == nil && len(found.Differences) > 0 {
		err = fmt.Errorf("recomputed, there are differences: %+v", found.Differences)
	}
	if err != nil {
		return err
	}
	b.add(figure{"busu experiments recompute", ms(time.Since(began)), 0, fmt.Sprintf("%d users", found.Units)})
	return nil
}

// read asks the real binary for results at a constant rate, however long it takes
// to answer.
func (b *bench) read(ctx context.Context) (err error) {
	p, err := product.Up(ctx, b.Dir, "DATABASE_URL="+b.URL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	ask := func() error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Base+"/experiments/"+b.record.ID+"/results", nil)
		if err != nil {
			return err
		}
		response, err := client.Do(r)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if _, err = io.Copy(io.Discard, response.Body); err == nil && response.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %d", response.StatusCode)
		}
		return err
	}
	for range 50 {
		if err := ask(); err != nil {
			return err
		}
	}
	cpu := used()
	took, err := b.flood(ctx, ask)
	if err != nil {
		return err
	}
	note := fmt.Sprintf("%d readers; CPU of all, this one included, %.0f %% of a core", len(took), 100*(used()-cpu).Seconds()/b.For.Seconds())
	b.add(figure{fmt.Sprintf("results over HTTP at %d a second, p50", b.Rate), measure.Percentile(took, .5) / 1000, 0, note})
	b.add(figure{fmt.Sprintf("results over HTTP at %d a second, p99", b.Rate), measure.Percentile(took, .99) / 1000, pageGoal, ""})
	return nil
}

// flood asks at a constant rate. What is asked late because others wait counts
// from when it was due.
func (b *bench) flood(ctx context.Context, ask func() error) ([]time.Duration, error) {
	n := int(b.For.Seconds() * float64(b.Rate))
	took, errs := make([]time.Duration, n), make([]error, n)
	var all sync.WaitGroup
	began := time.Now()
	for i := range n {
		due := began.Add(time.Duration(float64(i) / float64(b.Rate) * float64(time.Second)))
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Until(due)):
		}
		all.Go(func() {
			errs[i] = ask()
			took[i] = time.Since(due)
		})
	}
	all.Wait()
	return took, errors.Join(errs...)
}

// write writes the report.
func (b *bench) write() error {
	var s strings.Builder
	m := b.machine
	fmt.Fprintf(&s, "# An experiment of %s users\n\nWritten by `make bench-experiments`; do not edit.\n\n", measure.Number(float64(b.Users)))
	m.WriteTable(&s, b.started, time.Since(b.started),
		[2]string{"load before", m.Load},
		[2]string{"software", fmt.Sprintf("%s, PostgreSQL %s", m.Go, m.Postgres)},
	)
	s.WriteString("\nIn milliseconds. CPU is processor time, which other work on the machine changes little.\n\n| what | measured | goal | | |\n| --- | ---: | ---: | --- | --- |\n")
	for _, f := range b.figures {
		goal, verdict := "", ""
		if f.goal > 0 {
			goal, verdict = "≤ "+measure.Number(f.goal), "met"
			if f.value > f.goal {
				verdict = "**missed**"
			}
		}
		fmt.Fprintf(&s, "| %s | %s | %s | %s | %s |\n", f.what, measure.Number(f.value), goal, verdict, f.note)
	}
	s.WriteString("\nEach user has one request. The engine is what the judge does with what was read: totals of users, sums, a hundred looks, the decision;\n" +
		"`go test -bench . ./internal/experiment` measures it alone. Over HTTP results come out of the caches of a process, which reads Redis or\n" +
		"PostgreSQL once a second; latencies count from when a request was due.\n")
	if b.Report == "" {
		_, err := io.WriteString(os.Stdout, s.String())
		return err
	}
	return os.WriteFile(b.Report, []byte(s.String()), 0o644)
}
