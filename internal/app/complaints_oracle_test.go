package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/storetest"
)

// Complaint: from an answer, a number or the work that a request made, one
// tenant can tell what another one has asked before.
//
// Two worlds differ in one thing: in one of them Ann asks what Bob is going to
// ask, in the other something else. What Bob then gets to see must be the same
// in both, and so must be what was done for him, look-up by look-up: that, and
// no clock, is how long it takes.
func TestComplaintWhatAnotherTenantAsked(t *testing.T) {
	t.Parallel()
	o := &oracle{t: t, traces: newSpans(t)}
	o.vendor = newVendor(t, map[string]script{"gpt": o.answers})
	const configuration = `
providers: [{name: acme, kind: openai, base_url: "VENDOR/v1", api_key_env: ACME_API_KEY, retries: 0}]
models: [{id: gpt, provider: acme, tier: simple, input_usd_per_mtok: 1, output_usd_per_mtok: 10}]
`
	env := []string{"BUSU_ADMIN_KEY=" + adminKey, "OTEL_EXPORTER_OTLP_ENDPOINT=" + o.traces.URL}
	database, redis := storetest.Postgres(t), storetest.Redis(t)
	o.house = newHouseOn(t, o.vendor, database, redis, configuration, env...)
	o.compare(o.house.process, "memory", o.all)
	o.compare(o.house.process, "under way", o.atOnce)
	for _, level := range []string{"redis", "postgres"} {
		theirs := redis
		if level == "postgres" {
			theirs = storetest.Redis(t)
		}
		cold := start(t, nil, append(slices.Clone(env), "DATABASE_URL="+database, "REDIS_URL="+theirs, "ACME_API_KEY="+secretOf, "BUSU_STATE_DIR="+stateDir(t),
			"BUSU_CONFIG="+configFile(t, strings.ReplaceAll(configuration, "VENDOR", o.vendor.URL)+"\n"+planned)), "api")
		o.compare(cold, level, func(w *world) { o.cold(w, level) })
	}
}

// oracle is what Bob would ask.
type oracle struct {
	t      *testing.T
	house  *house // where Ann asks
	vendor *vendor
	traces *spans
	worlds int

	mu   sync.Mutex
	hold chan struct{} // until it is closed, the next call is not answered; nil: all are
}

// answers is the vendor's script.
func (o *oracle) answers(w http.ResponseWriter, r *http.Request, c call) {
	o.mu.Lock()
	hold := o.hold
	o.hold = nil
	o.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}
	says("the same for all who ask", usage{in: 10, out: 5})(w, r, c)
}

// world is one in which Ann asks what so many ask, and Bob what all ask.
type world struct {
	*oracle
	many     string
	nth      int
	at       *process // where Bob asks
	ann, bob access.Made
	seen     []string      // by Bob
	told     map[int]trace // that are to be among what was seen
	made     int           // answers, for Bob
	vain     bool          // something other than what the test is about came between
}

// compare holds that Bob sees the same in both worlds.
func (o *oracle) compare(at *process, where string, happens func(*world)) {
	o.t.Helper()
	o.knowsWhatIsKept(at)
	other, same := o.calm(at, "few", happens), o.calm(at, "all", happens)
	for i := range max(len(same), len(other)) {
		if a, b := entry(same, i), entry(other, i); a != b {
			o.t.Errorf("%s: Bob can tell what Ann asked. Where she asked the same he sees\n%s\nand else\n%s", where, a, b)
		}
	}
}

func entry(all []string, i int) string {
	if i < len(all) {
		return all[i]
	}
	return "nothing"
}

// knowsWhatIsKept waits until a process knows what is not in PostgreSQL: before
// that, it looks there for everything.
func (o *oracle) knowsWhatIsKept(p *process) {
	o.t.Helper()
	o.worlds++
	key, asked := o.key("eve", 0), 0
	p.until("a process knows what is kept", func() bool {
		asked++
		p.tell(key.Secret, http.MethodPost, "/complete", routed("/complete", fmt.Sprint("What is new, ", asked), false))
		return p.metric(`busu_cache_spared_total{level="postgres"}`) > 0
	})
}

// aDegraded is said where a store was late, or away.
var aDegraded = regexp.MustCompile(`"degraded":\s*\["|busu\.degraded=|(?i:x-busu-degraded)`)

// calm is what Bob sees in a world in which every store has answered in time: on
// a busy machine one may be late, and is then done without.
func (o *oracle) calm(at *process, many string, happens func(*world)) []string {
	o.t.Helper()
	levels := func(metric string) float64 {
		return at.metric(metric+`{level="redis"}`) + at.metric(metric+`{level="postgres"}`)
	}
	for range 50 {
		at.until("no level of the cache is away", func() bool { return levels("busu_cache_away") == 0 })
		before := levels("busu_cache_errors_total")
		o.worlds++
		w := &world{oracle: o, many: many, nth: o.worlds, at: at, told: map[int]trace{}}
		happens(w)
		for i, t := range w.told {
			w.seen[i] = o.traces.of(o.house, t)
		}
		if !w.vain && levels("busu_cache_errors_total") == before && !slices.ContainsFunc(w.seen, aDegraded.MatchString) {
			return w.seen
		}
	}
	o.t.Fatalf("each time a store was late, or Ann was not given her own answers: %v", many)
	return nil
}

// asks are ways to ask the same.
var asks = []struct {
	path   string
	stream bool
	key    string // that a repetition would have
}{
	{"/complete", false, ""}, {"/complete", true, ""}, {"/v1/chat/completions", false, ""}, {"/v1/chat/completions", true, ""},
	{"/complete", false, "the-same-key"}, {"/v1/chat/completions", true, "another-key"},
}

// meet gives both a key of a project of their own, and has Ann ask.
func (w *world) meet() (hers string) {
	w.ann, w.bob = w.key("ann", 0), w.key("bob", 0)
	for i, a := range asks {
		status, h, text := w.house.tell(w.ann.Secret, http.MethodPost, a.path, routed(a.path, w.text(w.many, i), a.stream), headersOf(a.key)...)
		hers = h.Get("X-Request-Id")
		if hers == "" || status != http.StatusOK {
			w.t.Fatalf("%s: %d %s", a.path, status, text)
		}
		w.house.tell(w.ann.Secret, http.MethodPost, "/feedback", fmt.Sprintf(`{"request_id": %q, "score": 0.9}`, hers))
	}
	w.kept(w.ann, len(asks))
	return hers
}

// all is whatever Bob can see where Ann has asked before, in the same process.
func (o *oracle) all(w *world) {
	hers := w.meet()
	w.settled(w.ann, len(asks))
	w.look(w.bob, http.MethodPost, "/recommendation", `{"prompt": "`+w.text("all", 0)+`"}`)
	for i := range asks {
		w.ask(w.key("bob", 600), i) // whose limits are as yet untouched
		w.ask(w.bob, i)             // his own answer is given again: to him, and only now
	}
	w.kept(w.bob, w.made)
	w.settled(w.bob, 2*len(asks)-2) // what has a key is not made again
	w.look(w.bob, http.MethodPost, "/feedback", fmt.Sprintf(`{"request_id": %q, "score": 0.1}`, hers))
	w.look(w.bob, http.MethodPost, "/recommendation", `{"prompt": "`+w.text("all", 0)+`"}`)
	for _, path := range []string{"/requests", "/requests/" + hers, "/requests?q=ada", "/usage", "/budgets", "/audit", "/snapshots", "/models",
		"/experiments", "/whoami", "/routing/metrics"} {
		w.look(w.bob, http.MethodGet, path, "")
	}
	w.look(w.bob, http.MethodDelete, "/users/ada", "")
}

// cold is what Bob sees of a process that has none of the answers in memory.
// Ann's come from the level that is looked at: they would come to him, too.
func (o *oracle) cold(w *world, level string) {
	w.meet()
	for i := range asks {
		w.ask(w.bob, i)
	}
	for i, a := range asks[:4] { // a repetition is not looked for
		_, h, _ := w.at.tell(w.ann.Secret, http.MethodPost, a.path, routed(a.path, w.text(w.many, i), a.stream), headersOf(a.key)...)
		w.vain = w.vain || h.Get("X-Busu-Cache") == "miss"
	}
}

// atOnce is what Bob sees while Ann still waits for her answer.
func (o *oracle) atOnce(w *world) {
	w.ann, w.bob = w.key("ann", 0), w.key("bob", 0)
	for i, a := range asks {
		hold, before := make(chan struct{}), len(w.vendor.got("gpt"))
		o.mu.Lock()
		o.hold = hold
		o.mu.Unlock()
		var waits sync.WaitGroup
		waits.Go(func() {
			r, err := w.at.open(w.t.Context(), a.path, routed(a.path, w.text(w.many, i), a.stream), "Authorization", "Bearer "+w.ann.Secret, "X-Busu-Cache", "default")
			if err != nil {
				w.t.Error(err)
				return
			}
			r.Body.Close()
		})
		w.at.until("Ann's call is under way", func() bool { return len(w.vendor.got("gpt")) > before })
		w.ask(w.bob, i)
		close(hold)
		waits.Wait()
	}
}

// ask asks what all ask, notes what is answered, what anybody can see counted and
// how often the vendor is called, and leaves room for the trace.
func (w *world) ask(key access.Made, i int) {
	w.t.Helper()
	a, calls, counts, t := asks[i], len(w.vendor.got("gpt")), w.counts(), w.traces.next()
	w.look(key, http.MethodPost, a.path, routed(a.path, w.text("all", i), a.stream), append(headersOf(a.key), "traceparent: "+t.parent())...)
	made := len(w.vendor.got("gpt")) - calls
	w.made += made
	var work strings.Builder
	fmt.Fprintf(&work, "%d calls of the vendor\n", made)
	after := w.counts()
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if after[name] != counts[name] {
			fmt.Fprintf(&work, "%s: %+g\n", name, after[name]-counts[name])
		}
	}
	w.seen = append(w.seen, work.String(), "")
	w.told[len(w.seen)-1] = t
}

var aCount = regexp.MustCompile(`(?m)^(busu_cache_(?:hits|misses|lookups|spared)_total\S*) (\S+)$`)

// counts are what GET /metrics tells everybody about looking for answers: it is
// counted before they are given, as what is stored is not.
func (w *world) counts() map[string]float64 {
	w.t.Helper()
	_, _, text := w.at.tell("", http.MethodGet, "/metrics", "")
	all := map[string]float64{}
	for _, line := range aCount.FindAllStringSubmatch(text, -1) {
		all[line[1]], _ = strconv.ParseFloat(line[2], 64)
	}
	return all
}

// look notes an answer.
func (w *world) look(key access.Made, method, path, body string, headers ...string) {
	w.t.Helper()
	status, h, text := w.at.tell(key.Secret, method, path, body, headers...)
	w.seen = append(w.seen, fmt.Sprintf("%s %s\n%d %s", method, blur(path), status, shape(h, text)))
}

// text is as long in all worlds, and in no two the same.
func (w *world) text(many string, i int) string {
	return fmt.Sprintf("What do %s ask, %03d%d?", many, w.nth, i)
}

// routed is a question that names no model.
func routed(path, text string, stream bool) string {
	return strings.Replace(question(path, "auto", text, "ada", stream), `"model": "auto", "prompt"`, `"prompt"`, 1)
}

func headersOf(key string) []string {
	if key == "" {
		return []string{"X-Busu-Cache: default"}
	}
	return []string{"X-Busu-Cache: default", "Idempotency-Key: " + key}
}

// key makes a key of somebody's project in this world, with a limit a minute
// unless that is 0: limits rise with time, so only of a new one the rest is known.
func (o *oracle) key(who string, limit int) (made access.Made) {
	o.t.Helper()
	limits := ""
	if limit > 0 {
		limits = fmt.Sprintf(`, "requests_per_minute": %d, "tokens_per_minute": %d, "concurrency": 5`, limit, 100*limit)
	}
	status, _, text := o.house.tell(adminKey, http.MethodPost, "/keys", fmt.Sprintf(`{"name": "test", "role": "admin", "project": "%s-%03d"%s}`, who, o.worlds, limits))
	if err := json.Unmarshal([]byte(text), &made); err != nil || status != http.StatusCreated {
		o.t.Fatalf("%d %s (%v)", status, text, err)
	}
	return made
}

// kept waits until n answers to what was asked with a key are kept.
func (w *world) kept(key access.Made, n int) {
	w.t.Helper()
	w.house.until("answers to "+key.Project+" are kept", func() bool {
		return w.count("SELECT count(*) FROM response_cache WHERE project = $1", key.Project) >= n
	})
}

// settled waits until what was asked with a key is in the ledger, and counted.
func (w *world) settled(key access.Made, rows int) {
	w.t.Helper()
	w.house.until("the ledger has all of "+key.Project, func() bool {
		var sums struct {
			Total int `json:"total_requests"`
		}
		_, _, text := w.house.tell(key.Secret, http.MethodGet, "/routing/metrics", "")
		return json.Unmarshal([]byte(text), &sums) == nil && sums.Total >= rows &&
			w.count("SELECT count(*) FROM completions WHERE project = $1", key.Project) >= rows
	})
}

func (w *world) count(query, project string) (n int) {
	w.t.Helper()
	if err := w.house.conn.QueryRow(w.t.Context(), query, project).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

var (
	anID   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	aTime  = regexp.MustCompile(`20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)?`)
	aWorld = regexp.MustCompile(`(ann|bob)-\d{3}`)
	aTook  = regexp.MustCompile(`"(p50|p95|p99|[a-z_]*_ms|[a-z_]*_us|created|prefix|reset_s|user_days|next_cursor|searched_to)":\s*("[^"]*"|[0-9.e+-]+|null)`)
	aSize  = regexp.MustCompile(`[0-9a-f]{20,}`)
)

// blur takes out of a text what differs from request to request.
func blur(text string) string {
	for _, part := range []*regexp.Regexp{anID, aTime, aWorld, aTook, aSize} {
		text = part.ReplaceAllString(text, "*")
	}
	return text
}

// shape is an answer without what differs from request to request.
func shape(h http.Header, text string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h)) {
		switch name {
		case "Date", "X-Request-Id", "Request-Id", "Content-Length", "Traceparent":
		default:
			fmt.Fprintf(&b, "%s: %s\n", name, blur(strings.Join(h[name], ",")))
		}
	}
	return b.String() + blur(text)
}
