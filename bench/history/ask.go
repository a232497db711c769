package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/bench/product"
)

// question is what is asked, each time a little differently.
type question struct {
	name string
	path func(i int) string
	goal float64 // ms at p99; 0: none
}

// answer is what came of a question.
type answer struct {
	question
	p50, p99 float64 // ms
	cpu      float64 // ms of busu and PostgreSQL, on average
	bytes    int     // of the last answer
	rows     int     // on the last page
	further  bool    // the last page was not full and had a next one
}

const (
	historyGoal = 50
	pageGoal    = 100
)

func same(path string) func(int) string { return func(int) string { return path } }

// historyQuestions come uncached, by asking for a span that was not asked for
// before, and cached.
func historyQuestions() []question {
	// Minutes off the window change what is asked for, and not what is read.
	span := func(step string, minutes int, more string) func(int) string {
		return func(i int) string {
			return fmt.Sprintf("/metrics/history?window=%dm&step=%s%s", minutes-i%59, step, more)
		}
	}
	const day = 24 * 60
	return []question{
		{"24 h in 5 minutes", span("5m", day, ""), historyGoal},
		{"24 h in 5 minutes, by model", span("5m", day, "&by=model"), historyGoal},
		{"7 d in hours, by model", span("1h", 7*day, "&by=model"), historyGoal},
		{"30 d in hours", span("1h", 30*day, ""), historyGoal},
		{"30 d in days, by provider", span("1d", 30*day, "&by=provider"), historyGoal},
		{"90 d in days", span("1d", 90*day, ""), historyGoal},
		{"90 d in days, by model", span("1d", 90*day, "&by=model"), historyGoal},
		{"90 d in hours", span("1h", 90*day, ""), historyGoal},
		{"90 d in hours, by model, top 5", span("1h", 90*day, "&by=model&top=5"), historyGoal},
		{"90 d in days, by model, cached", same("/metrics/history?window=90d&step=1d&by=model"), historyGoal},
	}
}

func (b *bench) pageQuestions(cursors []string) []question {
	user := func(int) string { return b.crowd.user() }
	ago := func(d time.Duration) string { return b.now.Add(-d).Format(time.RFC3339) }
	page := func(format string, args ...func(int) string) func(int) string {
		return func(i int) string {
			var values []any
			for _, arg := range args {
				values = append(values, arg(i))
			}
			return "/requests?" + fmt.Sprintf(format, values...)
		}
	}
	list := []question{
		{name: "newest", path: same("/requests")},
		{name: "a later page", path: func(i int) string { return "/requests?cursor=" + cursors[i%len(cursors)] }},
		{name: "of a user", path: page("user_id=%s", user)},
		{name: "failures of a user", path: page("user_id=%s&failed=true", user)},
		{name: "of the busiest user, a rare model", path: same("/requests?user_id=user-00000&model=rare")},
		{name: "of a session", path: page("session_id=%s", func(int) string { return b.crowd.session() })},
		{name: "by the caller's id", path: page("caller_id=%s", func(i int) string { return b.crowd.caller(i % b.Rows / 3 * 3) })},
		{name: "of nobody", path: same("/requests?user_id=nobody")},
		{name: "failures", path: same("/requests?failed=true")},
		{name: "timeouts of a provider", path: same("/requests?error=timeout&provider=anthropic")},
		{name: "fallbacks", path: same("/requests?fallbacks=true")},
		{name: "degraded", path: same("/requests?degraded=true")},
		{name: "cut off", path: same("/requests?status=cut_off")},
		{name: "a usual model", path: same("/requests?model=small")},
		{name: "a rare model", path: same("/requests?model=rare")},
		{name: "a model that is not", path: same("/requests?model=nothing")},
		{name: "a provider that is hardly used", path: same("/requests?provider=openrouter")},
		{name: "from PostgreSQL's cache", path: same("/requests?cache=postgres")},
		{name: "a usual model, two strategies, hits", path: same("/requests?model=small&strategy=model&strategy=complexity&cache=hit")},
		{name: "hold-out", path: same("/requests?holdout=true")},
		{name: "an experiment a month ago", path: same("/requests?experiment=exp-1")},
		{name: "an experiment that is not", path: same("/requests?experiment=exp-2")},
		{name: "slow ones", path: same("/requests?min_latency_ms=10000")},
		{name: "dear ones", path: same("/requests?min_cost_usd=0.02")},
		{name: "so slow that there is none", path: same("/requests?min_latency_ms=10000000")},
		{name: "failures of a day two months ago", path: same("/requests?failed=true&from=" + ago(61*24*time.Hour) + "&to=" + ago(60*24*time.Hour))},
		{name: "slow ones of a usual model, last week", path: same("/requests?model=small&min_latency_ms=3000&from=" + ago(7*24*time.Hour))},
	}
	for i := range list {
		list[i].goal = pageGoal
	}
	return list
}

// busu is what is asked.
type busu struct{ *product.Process }

// ask starts busu on the database and asks it everything.
func (b *bench) ask(ctx context.Context) error {
	return b.askThose(ctx, func(question) bool { return true })
}

// askThose asks it some.
func (b *bench) askThose(ctx context.Context, wanted func(question) bool) (err error) {
	up, err := product.Up(ctx, b.Database.Dir, "DATABASE_URL="+b.URL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, up.Stop()) }()
	p := busu{up}
	cursors, ids, err := p.walk(ctx)
	if err != nil {
		return err
	}
	one := question{"one request", func(i int) string { return "/requests/" + ids[i%len(ids)] }, pageGoal}
	for _, q := range append(append(historyQuestions(), b.pageQuestions(cursors)...), one) {
		if !wanted(q) {
			continue
		}
		fmt.Fprintf(b.Progress, "%-42s", q.name)
		a, err := p.measure(ctx, q, b.Asks)
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		b.facts.answers = append(b.facts.answers, a)
		fmt.Fprintf(b.Progress, " p50 %8s ms  p99 %8s ms  CPU %8s ms  %d bytes\n", measure.Number(a.p50), measure.Number(a.p99), measure.Number(a.cpu), a.bytes)
	}
	return nil
}

// found is a page, as far as it matters here.
type found struct {
	Requests []struct {
		ID string `json:"request_id"`
	}
	Next *string `json:"next_cursor"`
}

// walk takes some pages, for cursors and ids.
func (p busu) walk(ctx context.Context) (cursors, ids []string, err error) {
	for next := ""; len(cursors) < 30; {
		body, err := p.get(ctx, "/requests?limit=200"+next)
		if err != nil {
			return nil, nil, err
		}
		var page found
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, nil, err
		}
		for _, r := range page.Requests {
			ids = append(ids, r.ID)
		}
		if page.Next == nil {
			return nil, nil, fmt.Errorf("there are only %d requests", len(ids))
		}
		next = "&cursor=" + *page.Next
		cursors = append(cursors, *page.Next)
	}
	return cursors, ids, nil
}

// measure asks a question n times, one after the other.
func (p busu) measure(ctx context.Context, q question, n int) (answer, error) {
	a := answer{question: q}
	used := others()
	var took []time.Duration
	for i := range n {
		began := time.Now()
		body, err := p.get(ctx, q.path(i))
		if err != nil {
			return a, err
		}
		took = append(took, time.Since(began))
		if i == n-1 {
			var page found
			if err := json.Unmarshal(body, &page); err != nil {
				return a, err
			}
			a.bytes, a.rows = len(body), len(page.Requests)
			a.further = page.Next != nil && a.rows < 50
		}
	}
	a.cpu = float64(others()-used) / float64(time.Millisecond) / float64(n)
	a.p50, a.p99 = measure.Percentile(took, .5)/1000, measure.Percentile(took, .99)/1000
	return a, nil
}

// others is the processor time of busu and the stores, which are this
// process's children.
func others() time.Duration {
	children, total := measure.Children(), time.Duration(0)
	for _, child := range children[os.Getpid()] {
		total += measure.FamilyUsage(child, children)
	}
	return total
}

func (p busu) get(ctx context.Context, path string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Base+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: status %d: %.300s", path, response.StatusCode, body)
	}
	return body, err
}
