package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/judge"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

// The caller has the answer before the second model is even asked.
func TestSecondModelIsAskedBehindTheAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDuo(t)
		d.run()
		defer d.end()
		synctest.Wait() // all that runs waits for work
		first := d.complete(question())
		synctest.Wait() // all that begins without waiting has begun
		if calls := d.models.calls(); len(calls) != 1 {
			t.Fatalf("when the caller has the answer, %v were called", calls)
		}
		settle()
		calls := d.models.calls()
		if len(calls) != 4 || calls[1] == calls[0] || calls[2] != "judge-2026" || calls[3] != "judge-2026" {
			t.Fatalf("called were %v", calls)
		}
		all := d.archive.of(event.StrategyShadow)
		if len(all) != 1 {
			t.Fatalf("%d facts of second models", len(all))
		}
		second := all[0]
		if second.ID == first.ID || second.OriginID != first.ID || second.UserID != "" || second.Project != first.Project || second.Model == first.Model ||
			second.PlannedModel != second.Model || !slices.Equal(second.Features, first.Features) || second.Holdout || second.Cache != event.CacheMiss ||
			second.Status != event.StatusOK || second.Snapshot != first.Snapshot || !strings.Contains(second.Reason, first.Model) {
			t.Errorf("beside\n%+v\nstands\n%+v", *first, second)
		}
		if second.CostNanos == 0 || second.OriginCostNanos != second.CostNanos || second.BaselineCostNanos != 0 {
			t.Errorf("it cost %d, against %d", second.CostNanos, second.BaselineCostNanos)
		}
		intent := d.archive.intents[second.ID]
		if intent.Status != event.StatusInterrupted || intent.OriginID != first.ID || intent.BaselineCostNanos != 0 || intent.CostNanos == 0 {
			t.Errorf("the intent is %+v", intent)
		}
		total := 0.0
		for _, c := range second.Candidates {
			total += c.Probability
			if c.Prior == 0 || c.Model == second.Model && c.Probability != second.Propensity {
				t.Errorf("its candidates are %+v, the propensity %v", second.Candidates, second.Propensity)
			}
		}
		if math.Abs(total-1) > 1e-9 || math.Abs(second.Propensity-first.Propensity) > 1e-9 { // of two models
			t.Errorf("its propensity is %v beside %v, in all %v", second.Propensity, first.Propensity, total)
		}
		stats := d.Shadow.Stats()
		cost := second.CostNanos
		for _, f := range d.archive.of(event.StrategyJudge) {
			cost += f.CostNanos
			if f.OriginID != first.ID || f.Model != "judge" || f.Propensity != 0 || f.BaselineCostNanos != 0 || f.UserID != "" || len(f.Features) > 0 || f.Confidence != "" {
				t.Errorf("the judge's fact is %+v", f)
			}
		}
		if stats.Asked() != 1 || stats.Judged() != 1 || stats.Cost() != pricing.Nanos(cost) {
			t.Errorf("counted are %d asked, %d judged, %d spent of %d", stats.Asked(), stats.Judged(), stats.Cost(), cost)
		}
	})
}

// verdicts are the judge's, by request.
func (d *duo) verdicts() map[uuid.UUID]float64 {
	said := map[uuid.UUID]float64{}
	for _, f := range d.archive.feedback {
		if f.Source != "judge" || f.Project != "default" || f.FeedbackID == "" {
			d.t.Errorf("the feedback is %+v", f)
		}
		said[f.RequestID] = *f.Score
	}
	return said
}

// fair is a judge that knows which answer is better, and is fond of the first.
func fair(fond float64) func(context.Context, llm.Request) (llm.Response, error) {
	return func(_ context.Context, r llm.Request) (llm.Response, error) {
		var c judge.Case
		if err := json.Unmarshal([]byte(r.Messages[1].Content), &c); err != nil {
			return llm.Response{}, err
		}
		worth := map[bool]float64{true: .8, false: .3}
		reply := fmt.Sprintf(`{"a": %g, "b": %g}`, worth[c.A == "Paris."]+fond, worth[c.B == "Paris."])
		return llm.Response{Text: reply, FinishReason: llm.FinishStop, Usage: paris.Usage}, nil
	}
}

// Whichever model was planned, each answer gets what it is worth.
func TestJudgeRatesBothInBothOrders(t *testing.T) {
	t.Parallel()
	for _, planned := range []string{"cheap", "dear"} {
		synctest.Test(t, func(t *testing.T) {
			d := newDuo(t)
			d.models.answers["judge-2026"] = fair(.1)
			d.run()
			defer d.end()
			d.Strategies = always{d.Strategies, planned}
			first := d.complete(question())
			settle()
			second := d.archive.of(event.StrategyShadow)[0]
			want := map[uuid.UUID]float64{first.ID: .35, second.ID: .85}
			if planned == "dear" {
				want[first.ID], want[second.ID] = .85, .35
			}
			got := d.verdicts()
			for id, quality := range want {
				if math.Abs(got[id]-quality) > 1e-9 || len(got) != 2 {
					t.Errorf("%s planned: judged are %v, not %v", planned, got, want)
				}
			}
		})
	}
}

// What can go wrong in the background is counted, and gives no verdict.
func TestWhatTeachesNothingIsCounted(t *testing.T) {
	t.Parallel()
	fails := func(context.Context, llm.Request) (llm.Response, error) {
		return llm.Response{}, &llm.ProviderError{Provider: "vendor", Kind: llm.ErrorUnavailable}
	}
	breaks := func(context.Context, llm.Request) (llm.Response, error) { panic("broken") }
	for name, c := range map[string]struct {
		options func(*gateway.ShadowOptions)
		change  func(*duo)
		ask     func(*gateway.Request)
		want    gateway.Skip
		asked   int64
		judge   int
	}{
		"the second fails":         {change: func(d *duo) { d.models.answers["dear-2026"] = fails }, want: gateway.SkipFailed, asked: 1},
		"the second panics":        {change: func(d *duo) { d.models.answers["dear-2026"] = breaks }, want: gateway.SkipFailed},
		"the judge fails":          {change: func(d *duo) { d.models.answers["judge-2026"] = fails }, want: gateway.SkipJudge, asked: 1, judge: 1},
		"the judge chats":          {change: func(d *duo) { d.models.answers["judge-2026"] = text("A is better.") }, want: gateway.SkipJudge, asked: 1, judge: 1},
		"the judge likes firsts":   {change: func(d *duo) { d.models.answers["judge-2026"] = text(`{"a": 1, "b": 0}`) }, want: gateway.SkipContradiction, asked: 1, judge: 2},
		"no budget":                {options: func(o *gateway.ShadowOptions) { o.Budget = 1 }, want: gateway.SkipBudget},
		"no budget for the judge":  {options: func(o *gateway.ShadowOptions) { o.Budget = 17_000_000 }, want: gateway.SkipBudget, asked: 1},
		"spent by others":          {options: func(o *gateway.ShadowOptions) { o.Spent = spent(5e9) }, want: gateway.SkipBudget},
		"no room":                  {options: func(o *gateway.ShadowOptions) { o.Room = func(string) bool { return false } }, want: gateway.SkipBusy},
		"no room for the judge":    {options: func(o *gateway.ShadowOptions) { o.Room = func(p string) bool { return p != "court" } }, want: gateway.SkipBusy, asked: 1},
		"no ledger":                {change: func(d *duo) { d.archive.refuse = refusing }, want: gateway.SkipLedger},
		"too long for the judge":   {ask: func(r *gateway.Request) { r.Ask.Messages[0].Content = strings.Repeat("Why? ", judge.MaxBytes/5) }, want: gateway.SkipUnfit, asked: 1},
		"too long for its window":  {change: func(d *duo) { d.Candidates[2].Model.ContextTokens = 100 }, want: gateway.SkipUnfit, asked: 1},
		"the other has no price":   {change: func(d *duo) { d.Candidates[1].Price = pricing.Price{Unknown: true} }, want: gateway.SkipAlone},
		"nobody judges: no reason": {options: func(o *gateway.ShadowOptions) { o.Judge = "" }, asked: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if c.options == nil {
					c.options = func(*gateway.ShadowOptions) {}
				}
				d := newDuo(t, c.options)
				d.Strategies = always{d.Strategies, "cheap"}
				if c.change != nil {
					c.change(d)
				}
				d.run()
				defer d.end()
				synctest.Wait()
				r := question()
				if c.ask != nil {
					c.ask(&r)
				}
				d.complete(r)
				settle()
				if len(d.archive.feedback) != 0 {
					t.Errorf("there are verdicts: %+v", d.archive.feedback)
				}
				stats := d.Shadow.Stats()
				for _, why := range gateway.Skips() {
					want := int64(0)
					if why == c.want {
						want = 1
					}
					if got := stats.Skipped(why); got != want {
						t.Errorf("%s is counted %d times, not %d", why, got, want)
					}
				}
				if judged := len(d.archive.of(event.StrategyJudge)); stats.Asked() != c.asked || judged != c.judge || stats.Judged() != 0 {
					t.Errorf("%d were asked and %d judged, not %d and %d", stats.Asked(), judged, c.asked, c.judge)
				}
				for id := range d.archive.intents { // what was begun is in the ledger
					if !slices.ContainsFunc(d.archive.facts, func(f event.CompletionRecorded) bool { return f.ID == id }) {
						t.Errorf("intent %s has no fact", id)
					}
				}
			})
		})
	}
}

func spent(n pricing.Nanos) func(context.Context, time.Time) (pricing.Nanos, error) {
	return func(context.Context, time.Time) (pricing.Nanos, error) { return n, nil }
}

func refusing(f event.Fact) error {
	if f.(*event.CompletionRecorded).Background() {
		return fmt.Errorf("the journal is full")
	}
	return nil
}

// Only what can teach is drawn.
func TestWhatIsNotDrawn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options func(*gateway.ShadowOptions)
		change  func(*duo)
		ask     func(*gateway.Request)
	}{
		"a share of 0":       {options: func(o *gateway.ShadowOptions) { o.Share = 0 }},
		"a model by name":    {ask: func(r *gateway.Request) { r.Model = "cheap" }},
		"one model allowed":  {ask: func(r *gateway.Request) { r.Models = []string{"cheap"} }},
		"complexity":         {ask: func(r *gateway.Request) { r.Strategy = "complexity" }},
		"several answers":    {ask: func(r *gateway.Request) { r.Ask.N = 2 }},
		"another format":     {change: speaksAll, ask: func(r *gateway.Request) { r.Ask.Format = llm.FormatMessages }},
		"the hold-out":       {change: func(d *duo) { d.Holdout = func(string, string) bool { return true } }},
		"an answer cut off":  {change: func(d *duo) { d.models.answers["cheap-2026"] = cut }},
		"a fallback's":       {change: func(d *duo) { d.models.answers["cheap-2026"] = unavailable }},
		"a fallback's, dear": {change: func(d *duo) { d.Strategies, d.models.answers["dear-2026"] = always{d.Strategies, "dear"}, unavailable }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if c.options == nil {
					c.options = func(*gateway.ShadowOptions) {}
				}
				d := newDuo(t, c.options)
				d.Strategies = always{d.Strategies, "cheap"}
				if c.change != nil {
					c.change(d)
				}
				d.run()
				defer d.end()
				r := question()
				if c.ask != nil {
					c.ask(&r)
				}
				d.complete(r)
				settle()
				for _, f := range d.archive.facts {
					if f.Background() {
						t.Errorf("in the background there is %+v", f)
					}
				}
				for _, why := range gateway.Skips() {
					if d.Shadow.Stats().Skipped(why) != 0 {
						t.Errorf("it was drawn, and skipped as %s", why)
					}
				}
			})
		})
	}
}

func speaksAll(d *duo) {
	for i := range d.Candidates {
		d.Candidates[i].Formats = []llm.Format{llm.FormatChat, llm.FormatMessages}
	}
}

func cut(context.Context, llm.Request) (llm.Response, error) {
	r := paris
	r.FinishReason = llm.FinishLength
	return r, nil
}

func unavailable(context.Context, llm.Request) (llm.Response, error) {
	return llm.Response{}, &llm.ProviderError{Provider: "vendor", Kind: llm.ErrorUnavailable}
}

// The second model gets the question in our own words: the caller's body and
// pieces are the caller's.
func TestSecondModelIsAskedTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDuo(t)
		d.run()
		defer d.end()
		r := question()
		r.KeyID, r.Ask.Body, r.Ask.Headers = "key-1", []byte(`{"stream": true}`), map[string]string{"x": "y"}
		d.complete(r)
		settle()
		first, second := d.models.asked[0], d.models.asked[1]
		if second.Body != nil || second.Emit != nil || second.Headers != nil || second.Caller != "" || second.MaxTokens != 50 ||
			len(second.Messages) != 1 || second.Messages[0].Content != first.Messages[0].Content {
			t.Errorf("beside %+v, asked is %+v", first, second)
		}
		if f := d.archive.of(event.StrategyShadow)[0]; f.KeyID != "key-1" {
			t.Errorf("the key is %q", f.KeyID)
		}
	})
}

// However slow second models are, answers do not wait, and as many as are under
// way and wait are asked.
func TestCallersDoNotWaitForSecondModels(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDuo(t)
		d.Strategies = always{d.Strategies, "cheap"}
		d.models.answers["dear-2026"] = func(ctx context.Context, _ llm.Request) (llm.Response, error) {
			<-ctx.Done()
			return llm.Response{}, ctx.Err()
		}
		d.run()
		defer d.end()
		began := time.Now()
		const n = 200
		for range n {
			d.complete(question())
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		if took := time.Since(began); took != n*100*time.Millisecond {
			t.Errorf("callers waited for %s", took-n*100*time.Millisecond)
		}
		if full := d.Shadow.Stats().Skipped(gateway.SkipFull); full != n-64-8 {
			t.Errorf("%d of %d found no room", full, n)
		}
		d.end() // calls under way end with the process, and are in the ledger
		facts := d.archive.of(event.StrategyShadow)
		for _, f := range facts {
			if f.Status != event.StatusCanceled {
				t.Errorf("a call that was ended is %s", f.Status)
			}
		}
		if len(facts) != 8 || len(d.archive.intents) != n+8 {
			t.Errorf("%d calls were ended, of %d intents", len(facts), len(d.archive.intents))
		}
	})
}
