package performance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/busuhq/busu/bench/measure"
)

// TestRequests are HTTP and JSON, and no two of them alike.
func TestRequests(t *testing.T) {
	t.Parallel()
	r := ask{model: "auto", key: "secret", user: true, stream: true, headers: []string{"X-Busu-Cache: default"}}.recipe(7_000_000_000, 0)
	seen := map[string]bool{}
	var wire []byte
	for i := range 3 * users {
		wire = r.request(wire, i)
		q, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Fatal(err)
		}
		var chat struct {
			Model, User string
			Stream      bool
			Messages    []struct{ Role, Content string }
		}
		if err := json.Unmarshal(body, &chat); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		prompt := chat.Messages[0].Content
		if seen[prompt] || !strings.Contains(prompt, "700000") || chat.Model != "auto" || !chat.Stream || chat.User[len("user-"):] != leading(i%users) {
			t.Fatalf("request %d: %s", i, body)
		}
		seen[prompt] = true
		if q.Header.Get("Authorization") != "Bearer secret" || q.Header.Get("X-Busu-Cache") != "default" || q.URL.Path != "/v1/chat/completions" {
			t.Fatalf("request %d: %v %s", i, q.Header, q.URL)
		}
	}
	again := ask{model: "auto"}.recipe(0, 10)
	if !bytes.Equal(again.request(nil, 3), again.request(nil, 13)) {
		t.Error("of ten questions the third is not asked again")
	}
}

// TestMix is as Mix says, and repeats no question but those that it is to.
func TestMix(t *testing.T) {
	t.Parallel()
	r := &rig{key: "secret", experiment: "trial"}
	m := r.mix(5_000_000, 9_000_000)
	asked, streams, experiments, users := map[string]int{}, 0, 0, map[string]bool{}
	const n = 10_000
	for i := range n {
		q, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(m.request(nil, i))))
		if err != nil {
			t.Fatal(err)
		}
		var chat struct {
			User     string
			Stream   bool
			Messages []struct{ Content string }
		}
		if err := json.NewDecoder(q.Body).Decode(&chat); err != nil {
			t.Fatal(err)
		}
		asked[chat.Messages[0].Content]++
		users[chat.User] = true
		if chat.Stream {
			streams++
		}
		if q.Header.Get("X-Busu-Experiment") == "trial" {
			experiments++
		}
	}
	again := 0
	for question, times := range asked {
		if times > 1 {
			again += times
			if times != n/5/questions {
				t.Errorf("%q is asked %d times", question, times)
			}
		}
	}
	if again != n/5 || len(asked) != n*4/5+questions || streams != n/10 || experiments != n/5 || len(users) != n*4/5+40 {
		t.Errorf("%d asked again, %d different ones, %d streams, %d in the experiment, %d users", again, len(asked), streams, experiments, len(users))
	}
}

// TestLasting leaves no model of a stand at its price, and no answer for a day.
func TestLasting(t *testing.T) {
	t.Parallel()
	was := (&bench{}).busuYAML()
	is := lasting().Replace(was)
	before, after := strings.Split(was, "\n"), strings.Split(is, "\n")
	for i, line := range before {
		if (strings.Contains(line, "usd_per_mtok") || strings.HasPrefix(line, "cache:")) == (line == after[i]) {
			t.Errorf("%q became %q", line, after[i])
		}
	}
}

func leading(n int) string { return fmt.Sprintf("%0*d", userDigits, n) }

func resultsForTest(rounds int) *results {
	r := &results{measure.NewResults(rounds), Options{Rounds: rounds}}
	r.Machine = &measure.Machine{}
	return r
}

// TestGoals are of scenarios that there are; what is missing is left out.
func TestGoals(t *testing.T) {
	t.Parallel()
	r := resultsForTest(1)
	for _, s := range (&bench{}).scenarios() {
		r.Scenarios = append(r.Scenarios, s.Name)
		r.Add(s.Name, 0, measure.Figures{apiCPU: 10, perSecond: 1000, measure.P50: 300, measure.P99: 500, rssMB: 60, readyMS: 100})
	}
	r.Add(openMock, 0, measure.Figures{measure.P50: 100, measure.P99: 200})
	r.Add(openEcho, 0, measure.Figures{measure.P50: 200, measure.P99: 300})
	text := r.report("")
	for _, want := range []string{
		"÷ Bifrost's, estimated | 0.56 | 0.56–0.56 | ≤ 0.55 | ≤ 0.42 | **missed**; Bifrost is not at hand",
		"added p50 at 1,000/s ÷ Bifrost's, estimated | 1.33 |", "Echo with one GET | 1.00 | 1.00–1.00 | ≥ 0.70 | ≥ 0.95 | met |",
		"RSS of the API at 1,000 routed requests/s, MB | 60.0 | 60.0–60.0 | ≤ 80.0 | ≤ 40.0 | reached |", "ready, stores up, ms | 100 ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	r.options.Peers = []Peer{{Name: "other"}}
	r.Add(closedPeer("other"), 0, measure.Figures{apiCPU: 20})
	r.Add(openPeer("other"), 0, measure.Figures{measure.P50: 700, measure.P99: 1200})
	text = r.report("")
	for _, want := range []string{
		"routed request ÷ other's | 0.50 | 0.50–0.50 | ≤ 0.55 | ≤ 0.42 | reached |", "added p50 at 1,000/s ÷ other's | 0.33 | 0.33–0.33 | ≤ 0.70 | ≤ 0.45 | met |",
		"added p99 at 1,000/s ÷ other's | 0.30 |", "÷ Bifrost's, estimated",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("beside a peer, %q is not in\n%s", want, text)
		}
	}
	r.options.Peers = []Peer{{Name: bifrost}}
	r.Add(closedPeer(bifrost), 0, measure.Figures{apiCPU: 20})
	if text := r.report(""); !strings.Contains(text, "÷ bifrost's | 0.50 | 0.50–0.50 | ≤ 0.55 | ≤ 0.42 | reached |") || strings.Contains(text, "estimated") {
		t.Errorf("the peer is measured, and not compared to:\n%s", text)
	}
	text = resultsForTest(1).report("")
	for _, unmeasured := range []string{"RSS of the API", "## 32 callers", "## At 1,000", "## Streams", "## Troubles", "## Before and after"} {
		if strings.Contains(text, unmeasured) {
			t.Errorf("%q, which was not measured, is in\n%s", unmeasured, text)
		}
	}
}

// TestByHand stays when a report is written again.
func TestByHand(t *testing.T) {
	t.Parallel()
	r := resultsForTest(1)
	first := r.report("")
	if !strings.Contains(first, "## What was profiled and changed") {
		t.Fatal(first)
	}
	edited := strings.Replace(first, "## What limits now", "## What limits now\n\nThe speed of light.", 1)
	if again := r.report(edited); again != edited {
		t.Errorf("it became\n%s", again)
	}
}

func TestBeforeAndAfter(t *testing.T) {
	t.Parallel()
	r := resultsForTest(1)
	r.Add(cacheBefore, 0, measure.Figures{perSecond: 49, p95MS: 250})
	r.Add(cacheAfter, 0, measure.Figures{perSecond: 9000, p95MS: 51})
	text := r.report("")
	for _, want := range []string{"| 49.0 | 9,000 | 50 → 500 | met |", "| 250 | 51.0 | 200 → 50 | **missed** |"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestPlot(t *testing.T) {
	t.Parallel()
	r := resultsForTest(1)
	f := measure.Figures{}
	for name, share := range percentiles() {
		f[name] = 100 * share
	}
	r.Add(openRouted, 0, f)
	lines := r.plot().Panels[0].Lines
	if len(lines) != 1 || len(lines[0].Points) != 6 || lines[0].Points[5].X < 1.99 || lines[0].Points[5].X > 2.01 || lines[0].Points[5].Y != 99 {
		t.Errorf("%+v", lines)
	}
}

func TestParsePeer(t *testing.T) {
	t.Parallel()
	p, err := ParsePeer("portkey=http://127.0.0.1:8787/v1,model=mock-1,header=x-a: b,header=x-host: http://127.0.0.1:9900/v1,pid=12")
	if err != nil || p.Name != "portkey" || p.Addr != "127.0.0.1:8787" || p.Path != "/v1" || p.Model != "mock-1" || p.PID != 12 ||
		len(p.Headers) != 2 || p.Headers[1] != "x-host: http://127.0.0.1:9900/v1" {
		t.Errorf("%+v: %v", p, err)
	}
	for _, bad := range []string{"", "name", "name=ftp://x:1", "name=http://host/v1", "name=http://h:1,speed=2", "name=http://h:1,pid=x"} {
		if p, err := ParsePeer(bad); err == nil {
			t.Errorf("%q is %+v", bad, p)
		}
	}
}

// TestPeerIsFound by who listens.
func TestPeerIsFound(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if p, err := ParsePeer("us=http://" + l.Addr().String() + "/v1"); err != nil || p.PID != os.Getpid() {
		t.Errorf("%+v: %v", p, err)
	}
}
