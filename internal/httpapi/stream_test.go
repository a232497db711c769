package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/storetest"
)

func TestMain(m *testing.M) {
	redisdb.Quiet()
	storetest.Main(m)
}

// streams is an API over a real Redis.
type streams struct {
	*stack
	db    *redisdb.DB
	plain *redis.Client
	r     *rand.Rand
	seq   int64
}

func serveStreams(t *testing.T, url string, partitions int) *streams {
	t.Helper()
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	s := &streams{plain: redis.NewClient(o), r: rand.New(rand.NewPCG(1, 2))}
	if s.db, err = redisdb.Open(url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.db.Close(), s.plain.Close()); err != nil {
			t.Error(err)
		}
	})
	s.stack = serve(t, func(c *setup) { c.source, c.partitions = s.db, partitions })
	s.run(t)
	return s
}

// run runs the hubs until the test ends.
func (s *stack) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	for _, hub := range s.Hubs {
		running.Go(func() { _ = hub.Run(ctx) })
	}
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// fact makes an entry, changed by change.
func (s *streams) fact(t *testing.T, partition int, change ...func(*event.CompletionRecorded)) event.Entry {
	t.Helper()
	c := eventtest.Completion(s.r, time.Now().UTC())
	s.seq++
	c.Journal, c.Partition, c.Seq = "test", partition, s.seq
	for _, f := range change {
		f(c)
	}
	body, err := event.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	return event.Entry{Lane: event.Lane{Stream: event.Completions, Partition: partition}, Body: body}
}

func (s *streams) append(t *testing.T, entries ...event.Entry) {
	t.Helper()
	if err := s.db.Append(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
}

// message is one block of an event stream.
type message struct{ name, id, data string }

// listener reads an event stream.
type listener struct {
	t        *testing.T
	response *http.Response
	lines    *bufio.Reader
	cancel   context.CancelFunc
	last     string // id
}

func (s *stack) listen(t *testing.T, client *http.Client, path, last string) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); response.Body.Close() })
	if h := response.Header; response.StatusCode != 200 || h.Get("Content-Type") != "text/event-stream" || h.Get("Cache-Control") != "no-store" {
		t.Fatalf("status %d, headers %v", response.StatusCode, h)
	}
	l := &listener{t: t, response: response, lines: bufio.NewReader(response.Body), cancel: cancel, last: last}
	if m, err := l.block(); err != nil || m.id == "" || m.name != "" || m.data != "" {
		t.Fatalf("the stream begins with %+v (%v)", m, err)
	}
	return l
}

// block reads as the standard for event streams says.
func (l *listener) block() (m message, err error) {
	var data []string
	for {
		line, err := l.lines.ReadString('\n')
		if err != nil {
			return m, err
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			m.name = value
		case "id":
			m.id, l.last = value, value
		case "data":
			data = append(data, value)
		case "":
			if line == "\n" {
				m.data = strings.Join(data, "\n")
				return m, nil
			}
		}
	}
}

// next is the next event, without the marks in between.
func (l *listener) next() message {
	l.t.Helper()
	for {
		m, err := l.block()
		if err != nil {
			l.t.Fatalf("the stream ends with %v", err)
		}
		if m.name != "" {
			return m
		}
	}
}

// want reads these facts, byte for byte, and nothing in between.
func (l *listener) want(entries ...event.Entry) {
	l.t.Helper()
	for i, e := range entries {
		if m := l.next(); m.name != event.TypeCompletionRecorded || m.data != string(e.Body) || m.id == "" {
			l.t.Fatalf("event %d of %d is %+v, want %s", i, len(entries), m, e.Body)
		}
	}
}

// Clients that are cut off anywhere, while facts arrive in two partitions, get
// each fact once, those of a partition in order.
func TestStreamResumesExactly(t *testing.T) {
	t.Parallel()
	s := serveStreams(t, storetest.Redis(t), 2)
	const total = 4000
	var all [2][]string
	var batches [][]event.Entry
	for n := 0; n < total; {
		var batch []event.Entry
		for range 1 + s.r.IntN(150) {
			if n++; n > total {
				break
			}
			e := s.fact(t, s.r.IntN(2))
			all[e.Partition] = append(all[e.Partition], string(e.Body))
			batch = append(batch, e)
		}
		batches = append(batches, batch)
	}
	var appending sync.WaitGroup
	defer appending.Wait()
	var clients sync.WaitGroup
	for seed := range uint64(4) {
		first := s.listen(t, http.DefaultClient, "/stream/completions", "")
		clients.Go(func() {
			r, l := rand.New(rand.NewPCG(seed, 1)), first
			var got [2][]string
			for len(got[0])+len(got[1]) < total && !t.Failed() {
				for range min(r.IntN(300), total-len(got[0])-len(got[1])) {
					m := l.next()
					partition := strings.Count(m.data, `"partition":1,`)
					got[partition] = append(got[partition], m.data)
				}
				l.cancel()
				l = s.listen(t, http.DefaultClient, "/stream/completions", l.last)
			}
			for p := range got {
				if !slices.Equal(got[p], all[p]) {
					t.Errorf("client %d: partition %d gave %d facts, not the %d there are in their order", seed, p, len(got[p]), len(all[p]))
				}
			}
		})
	}
	appending.Go(func() {
		for _, batch := range batches {
			if err := s.db.Append(t.Context(), batch); err != nil {
				t.Error(err)
			}
		}
	})
	clients.Wait()
}

func TestStreamBegins(t *testing.T) {
	t.Parallel()
	s := serveStreams(t, storetest.Redis(t), 1)
	old := []event.Entry{s.fact(t, 0), s.fact(t, 0)}
	s.append(t, old...)
	now := s.listen(t, http.DefaultClient, "/stream/completions", "")
	start := s.listen(t, http.DefaultClient, "/stream/completions?from=start", "")
	start.want(old[0])
	byQuery := s.listen(t, http.DefaultClient, "/stream/completions?from=start&last_event_id="+start.last, "")
	byHeader := s.listen(t, http.DefaultClient, "/stream/completions?last_event_id=0:0-0", start.last)
	fresh := s.fact(t, 0)
	s.append(t, fresh)
	now.want(fresh)
	start.want(old[1], fresh)
	byQuery.want(old[1], fresh)
	byHeader.want(old[1], fresh)
	s.listen(t, http.DefaultClient, "/stream/completions", now.last).cancel()
}

// Filters choose, the caller's project always does, and what is left out still
// moves the client on.
func TestStreamFilters(t *testing.T) {
	t.Parallel()
	s := serveStreams(t, storetest.Redis(t), 1)
	is := func(project, user, model, experiment string) event.Entry {
		return s.fact(t, 0, func(c *event.CompletionRecorded) {
			c.Project, c.UserID, c.Model, c.Experiments = project, user, model, nil
			c.Provider, c.Strategy, c.Status, c.Cache, c.CacheMatch = "of "+model, "hybrid", event.StatusOK, event.CacheMiss, ""
			if user == "bob" {
				c.Strategy, c.Status, c.Cache, c.CacheMatch = "learning", event.StatusCutOff, event.CacheRedis, "exact"
			}
			if experiment != "" {
				c.Experiments = []event.Arm{{Experiment: "else", Arm: "test"}, {Experiment: experiment, Arm: "control"}}
			}
		})
	}
	ada, bob, comma := is("default", "ada", "small", ""), is("default", "bob", "large", "e1"), is("default", "a,b", "small", "e2")
	other, broken := is("other", "ada", "small", "e1"), event.Entry{Lane: ada.Lane, Body: []byte(`{"project": "default`)}
	nameless := event.Entry{Lane: ada.Lane, Body: []byte(`{"project":"default","type":"x\nid: 9:9-9"}`)}
	s.append(t, other, ada, broken, bob, nameless, comma, other)
	end := s.fact(t, 0, func(c *event.CompletionRecorded) {
		c.Project, c.Model, c.UserID, c.Experiments = "default", "end", "end", nil
		c.Provider, c.Strategy, c.Status, c.Cache, c.CacheMatch = "end", "end", event.StatusEmpty, event.CacheMemory, "exact"
	})
	s.append(t, end)
	var checking sync.WaitGroup
	defer checking.Wait()
	for query, want := range map[string][]event.Entry{
		"":                                  {ada, bob, comma, end},
		"&user_id=ada":                      {ada},
		"&user_id=ada&user_id=bob":          {ada, bob},
		"&user_id=a%2Cb":                    {comma},
		"&model=small&model=end":            {ada, comma, end},
		"&experiment=e1":                    {bob},
		"&experiment=else":                  {bob, comma},
		"&experiment=else&model=small":      {comma},
		"&user_id=&model=large&user_id=bob": {bob},
		"&user_id=nobody":                   {},
		"&provider=of+small":                {ada, comma},
		"&strategy=learning&strategy=end":   {bob, end},
		"&status=ok&status=cut_off":         {ada, bob, comma},
		"&cache=redis":                      {bob},
		"&cache=hit":                        {bob, end},
		"&cache=hit&status=empty":           {end},
	} {
		l := s.listen(t, http.DefaultClient, "/stream/completions?from=start"+query, "")
		last, err := s.db.End(t.Context(), ada.Lane)
		if err != nil {
			t.Fatal(err)
		}
		checking.Go(func() {
			var got []event.Entry
			for l.last != "0:"+last {
				m, err := l.block()
				if err != nil {
					t.Errorf("%s: %v", query, err)
					return
				}
				if m.name != "" {
					got = append(got, event.Entry{Lane: ada.Lane, Body: []byte(m.data)})
				}
			}
			same := func(a, b event.Entry) bool { return string(a.Body) == string(b.Body) }
			if !slices.EqualFunc(got, want, same) {
				t.Errorf("%s: got %s", query, got)
			}
		})
	}
}

func TestStreamOfDecisions(t *testing.T) {
	t.Parallel()
	s := serveStreams(t, storetest.Redis(t), 1)
	l := s.listen(t, http.DefaultClient, "/stream/decisions?experiment=e1", "")
	if l.last != "0:0-0" {
		t.Errorf("a stream that is not there begins at %s", l.last)
	}
	for _, body := range []string{
		`{"v":1,"type":"experiment.started","project":"default","experiment_id":"e2"}`,
		`{"v":1,"type":"experiment.decided","project":"other","experiment_id":"e1"}`,
		`{"v":1,"type":"experiment.decided","project":"default",` + "\n" + `"experiment_id":"e1"}`,
	} {
		if err := s.plain.XAdd(t.Context(), &redis.XAddArgs{Stream: "busu:decisions", Values: []any{"event", body}}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if m := l.next(); m.name != "experiment.decided" || m.data != "{\"v\":1,\"type\":\"experiment.decided\",\"project\":\"default\",\n\"experiment_id\":\"e1\"}" {
		t.Errorf("got %+v", m)
	}
}
