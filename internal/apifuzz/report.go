package apifuzz

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Report is what came of a run.
type Report struct {
	Requests int
	Repeated int // after 503 with Retry-After
	Findings []Finding

	seed    uint64
	took    time.Duration
	mu      sync.Mutex
	routes  map[string]map[int]int // operation → status → requests; 0: left before the answer
	manners map[manner]int
	time    map[string]time.Duration // of all answers of an operation
	slowest map[string]time.Duration
	seen    map[string]int // a finding's fault → how often
}

// Finding is a promise that was broken, with the first request that broke it.
type Finding struct {
	Route, Fault string
	Times        int
	Request      string // as it was sent, escaped and shortened
	Answer       string
}

func newReport(seed uint64) *Report {
	return &Report{seed: seed, routes: map[string]map[int]int{}, manners: map[manner]int{}, time: map[string]time.Duration{}, slowest: map[string]time.Duration{}, seen: map[string]int{}}
}

func (p *Report) repeat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Repeated++
}

const mostShown = 1500 // bytes of a request, and of its answer

func (p *Report) add(r *request, got answer, took time.Duration, faults []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Requests++
	p.manners[r.manner]++
	route := r.operation.method + " " + r.operation.path
	if p.routes[route] == nil {
		p.routes[route] = map[int]int{}
	}
	p.routes[route][got.Status]++
	p.time[route] += took
	p.slowest[route] = max(p.slowest[route], took)
	for _, fault := range faults {
		at, known := p.seen[route+": "+fault]
		if !known {
			at = len(p.Findings)
			p.seen[route+": "+fault] = at
			p.Findings = append(p.Findings, Finding{Route: route, Fault: fault, Request: shown(r.bytes("busu")), Answer: shown(fmt.Appendf(nil, "%d %v %s", got.Status, got.Header, got.Body))})
		}
		p.Findings[at].Times++
	}
}

func shown(text []byte) string {
	quoted := fmt.Sprintf("%q", text[:min(len(text), mostShown)])
	if len(text) > mostShown {
		quoted += fmt.Sprintf(" and %d bytes more", len(text)-mostShown)
	}
	return quoted
}

// Answered counts the requests to a route, such as POST /complete, that were
// answered with a status.
func (p *Report) Answered(route string, status int) int { return p.routes[route][status] }

// Unreached lists the routes that never answered with success, sorted.
func (p *Report) Unreached() (routes []string) {
	for route, by := range p.routes {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(by)), func(status int) bool { return status/100 <= 3 && status > 0 }) {
			routes = append(routes, route)
		}
	}
	slices.Sort(routes)
	return routes
}

// Write writes the report as a table in Markdown, and the findings.
func (p *Report) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests in %s with seed %d: %d valid, %d nearly, %d wild; %d times one was sent again after 503.\n\n", p.Requests, p.took.Round(time.Second), p.seed, p.manners[valid], p.manners[nearly], p.manners[wild], p.Repeated)
	total := map[int]int{}
	for _, by := range p.routes {
		for status, n := range by {
			total[status] += n
		}
	}
	statuses := slices.Sorted(maps.Keys(total))
	b.WriteString("| route | mean ms | slowest ms |")
	for _, status := range statuses {
		b.WriteString(" " + cmp.Or(strings.TrimPrefix(fmt.Sprint(status), "0"), "left") + " |")
	}
	b.WriteString("\n| --- |" + strings.Repeat(" ---: |", len(statuses)+2) + "\n")
	for _, route := range slices.Sorted(maps.Keys(p.routes)) {
		p.writeRow(&b, route, p.routes[route], statuses)
	}
	p.writeRow(&b, "all", total, statuses)
	fmt.Fprintf(&b, "\n%d findings.\n", len(p.Findings))
	for _, f := range p.Findings {
		fmt.Fprintf(&b, "\n- %s: %s (%d times)\n  sent: %s\n  came: %s\n", f.Route, f.Fault, f.Times, f.Request, f.Answer)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *Report) writeRow(b *strings.Builder, name string, by map[int]int, statuses []int) {
	n := 0
	for _, status := range statuses {
		n += by[status]
	}
	fmt.Fprintf(b, "| %s |", name)
	if slowest, ok := p.slowest[name]; ok {
		fmt.Fprintf(b, " %.1f | %d |", p.time[name].Seconds()*1000/float64(n), slowest.Milliseconds())
	} else {
		b.WriteString(" | |")
	}
	for _, status := range statuses {
		if by[status] > 0 {
			fmt.Fprintf(b, " %d", by[status])
		}
		b.WriteString(" |")
	}
	b.WriteByte('\n')
}
