package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/provider/simulated"
)

// Options say what to send and where.
type Options struct {
	BaseURL     string  // of the API, such as http://127.0.0.1:8000
	APIKey      string  // sent as a bearer token; empty: none
	Requests    int     // how many; default 500
	Concurrency int     // how many at once; default 8
	Seed        uint64  // of the traffic
	Users       int     // who ask; default 3000
	Feedback    float64 // the share of answers that users judge, where their quality is known
	TruthSeed   uint64  // the simulated provider's seed, to know how good its answers are
	Client      *http.Client
	Progress    func(done, total int) // called from one goroutine after each request
}

// Drive sends the traffic and reports on it. When ctx ends first, the report
// covers what was answered until then and says so; that is no error. An error
// means that going on was pointless, and says what to do: nothing answers at
// the address, something else than busu does, or it wants a key.
func Drive(ctx context.Context, o Options) (Report, error) {
	o, err := o.withDefaults()
	if err != nil {
		return Report{}, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	before, known := total(ctx, o)
	tally, start := newTally(o), time.Now()
	for outcome := range send(ctx, o) {
		if err == nil {
			err = tally.hopeless(outcome)
		}
		if err != nil {
			stop() // and drain, so that the senders can end
			continue
		}
		tally.add(outcome)
		o.Progress(tally.done(), o.Requests)
	}
	r := tally.report(time.Since(start))
	if err == nil && ctx.Err() == nil && known && r.Answered > 0 {
		r.Live = watch(ctx, o, before, tally.recorded(), tally.last)
	}
	return r, err
}

func (o Options) withDefaults() (Options, error) {
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return o, fmt.Errorf("%q is not the address of an API; it should look like http://127.0.0.1:8000", o.BaseURL)
	}
	if o.Requests < 0 || o.Concurrency < 0 || o.Users < 0 {
		return o, errors.New("the numbers of requests, of users and of requests at once must not be negative")
	}
	if !(o.Feedback >= 0 && o.Feedback <= 1) {
		return o, errors.New("the share of answers that are judged is between 0 and 1")
	}
	o.BaseURL = strings.TrimRight(o.BaseURL, "/")
	o.Requests = orDefault(o.Requests, 500)
	o.Concurrency = min(orDefault(o.Concurrency, 8), o.Requests)
	o.Users = orDefault(o.Users, 3000)
	if o.Client == nil {
		transport := &http.Transport{MaxIdleConns: o.Concurrency, MaxIdleConnsPerHost: o.Concurrency, Proxy: http.ProxyFromEnvironment}
		o.Client = &http.Client{Transport: transport, Timeout: 2 * time.Minute}
	}
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	return o, nil
}

func orDefault(n, standard int) int {
	if n == 0 {
		return standard
	}
	return n
}

// send posts the prompts, o.Concurrency at a time, and closes the channel when
// all are answered or ctx has ended. What ctx interrupted is not an outcome.
func send(ctx context.Context, o Options) <-chan outcome {
	prompts, outcomes := make(chan Prompt), make(chan outcome)
	go func() {
		defer close(prompts)
		traffic := New(o.Seed, o.Users)
		for range o.Requests {
			select {
			case prompts <- traffic.Next():
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() {
		defer close(outcomes)
		defer o.Client.CloseIdleConnections()
		judges := judges{truth: simulated.New(simulated.Options{Seed: o.TruthSeed}), rate: o.Feedback, seed: o.Seed}
		var senders sync.WaitGroup
		for range o.Concurrency {
			senders.Go(func() {
				for prompt := range prompts {
					if out := post(ctx, o, prompt); out.err == nil || ctx.Err() == nil {
						out.feedback = judges.judge(ctx, o, out)
						outcomes <- out
					}
				}
			})
		}
		senders.Wait()
	}()
	return outcomes
}

// outcome is what became of one prompt.
type outcome struct {
	prompt  Prompt
	status  int    // HTTP's, 0 when nothing came back
	problem string // what a refusal says
	answer  answer // when status is 200
	latency time.Duration
	at      time.Time // when it came
	err     error     // no answer, or one that cannot be understood

	feedback Feedback // that followed
}

// answer is what of the contract's answer the demo looks at.
type answer struct {
	RequestID    string            `json:"request_id"`
	FinishReason string            `json:"finish_reason"`
	Provider     string            `json:"provider"`
	Model        string            `json:"model"`
	Strategy     string            `json:"strategy"`
	Cache        string            `json:"cache"`
	Cost         pricing.Nanos     `json:"cost_usd"`
	Baseline     pricing.Nanos     `json:"baseline_cost_usd"`
	Fallbacks    []json.RawMessage `json:"fallbacks"`
	Degraded     []string          `json:"degraded"`
}

// maxAnswerBytes is more than the longest answer the API gives.
const maxAnswerBytes = 8 << 20

func post(ctx context.Context, o Options, prompt Prompt) outcome {
	out := outcome{prompt: prompt}
	body, err := json.Marshal(map[string]any{"prompt": prompt.Text, "user_id": prompt.UserID, "max_tokens": prompt.MaxTokens})
	if err != nil {
		out.err = err
		return out
	}
	request, err := newRequest(ctx, o, http.MethodPost, "/complete", body)
	if err != nil {
		out.err = err
		return out
	}
	start := time.Now()
	response, err := o.Client.Do(request)
	if err != nil {
		out.err = err
		return out
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	out.at = time.Now()
	out.latency, out.status, out.err = out.at.Sub(start), response.StatusCode, err
	if err == nil {
		out.read(text)
	}
	return out
}

func newRequest(ctx context.Context, o Options, method, path string, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, o.BaseURL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if len(body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("User-Agent", "busu-demo")
	if o.APIKey != "" {
		request.Header.Set("Authorization", "Bearer "+o.APIKey)
	}
	return request, nil
}

func (out *outcome) read(body []byte) {
	if out.status != http.StatusOK {
		out.problem = problemIn(body)
		return
	}
	if err := json.Unmarshal(body, &out.answer); err != nil {
		out.err = fmt.Errorf("the answer is not the contract's: %w", err)
	} else if out.answer.RequestID == "" {
		out.err = errors.New("the answer is not the contract's: it has no request_id")
	}
}

// problemIn is what problem+json says, or the beginning of any other body.
func problemIn(body []byte) string {
	var problem struct{ Title, Detail string }
	text := string(body)
	if json.Unmarshal(body, &problem) == nil && problem.Title+problem.Detail != "" {
		text = problem.Detail
		if text == "" {
			text = problem.Title
		}
	}
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	if runes := []rune(text); len(runes) > 160 {
		text = string(runes[:160]) + "…"
	}
	return strconv.Quote(text)
}
