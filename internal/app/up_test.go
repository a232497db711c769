package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/localstack"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/storetest"
)

func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := localstack.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr.String()
}

type answer struct {
	RequestID  string        `json:"request_id"`
	Response   string        `json:"response"`
	Model      string        `json:"model"`
	CostUSD    pricing.Nanos `json:"cost_usd"`
	SavingsUSD pricing.Nanos `json:"savings_usd"`
}

// ask posts n prompts at once and returns their answers.
func (p *process) ask(n int) []answer {
	p.t.Helper()
	answers := make([]answer, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			body := fmt.Sprintf(`{"prompt": "What is %d plus %d, and why?", "user_id": "user-%d"}`, i, i, i%7)
			r, err := http.Post(p.base+"/complete", "application/json", strings.NewReader(body))
			if err != nil {
				p.t.Error(err)
				return
			}
			defer r.Body.Close()
			if err := json.NewDecoder(r.Body).Decode(&answers[i]); err != nil || r.StatusCode != http.StatusOK {
				p.t.Errorf("status %d: %v", r.StatusCode, err)
			}
		})
	}
	all.Wait()
	return answers
}

// database connects to the private PostgreSQL that the welcome names.
func (p *process) database() *pgx.Conn {
	p.t.Helper()
	p.until("the welcome is written", func() bool { return strings.Contains(p.stdout.String(), "Ctrl-C") })
	return connect(p.t, regexp.MustCompile(`postgres://[^"]+`).FindString(p.stdout.String()))
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// sums are the ledger's own totals.
func sums(t *testing.T, conn *pgx.Conn) rollup.Sums {
	t.Helper()
	var s rollup.Sums
	err := conn.QueryRow(t.Context(), `
		SELECT count(*), count(*) FILTER (WHERE status IN ('error', 'canceled', 'interrupted')), count(*) FILTER (WHERE unpriced),
		       coalesce(sum(tokens_in), 0)::bigint, coalesce(sum(tokens_out), 0)::bigint,
		       coalesce(sum(cost_nanos), 0)::bigint, coalesce(sum(baseline_cost_nanos), 0)::bigint
		FROM completions`).Scan(&s.TotalRequests, &s.Errors, &s.Unpriced, &s.TokensIn, &s.TokensOut, &s.CostUSD, &s.BaselineCostUSD)
	if err != nil {
		t.Fatal(err)
	}
	s.SavingsUSD = s.BaselineCostUSD - s.CostUSD
	if s.BaselineCostUSD > 0 {
		s.SavingsPct = 100 * float64(s.SavingsUSD) / float64(s.BaselineCostUSD)
	}
	return s
}

// agree waits until the database has n requests, and then holds the live
// snapshot and the metrics against it, to the last nano-dollar.
func (p *process) agree(conn *pgx.Conn, n int64) {
	p.t.Helper()
	p.until(fmt.Sprintf("%d requests are stored", n), func() bool { return sums(p.t, conn).TotalRequests == n })
	want := sums(p.t, conn)
	var live rollup.Snapshot
	p.until("the live snapshot has them", func() bool {
		p.get("/metrics/live", &live)
		return live.Totals != nil && live.Totals.TotalRequests == n
	})
	if *live.Totals != want {
		p.t.Errorf("the live snapshot says %+v, the database %+v", *live.Totals, want)
	}
	var report rollup.Report
	p.get("/routing/metrics?window=1h", &report)
	if report.Sums != want || report.Source != rollup.SourceRedis {
		p.t.Errorf("the metrics of %s say %+v, the database %+v", report.Source, report.Sums, want)
	}
}

// The whole loop on stores of its own, for root and for others: a prompt is
// routed, answered, recorded, stored, counted and seen.
func TestUp(t *testing.T) {
	t.Parallel()
	users := map[string]*syscall.Credential{"as it is": nil}
	if os.Getuid() == 0 {
		users["as nobody"] = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	for name, as := range users {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := stateDir(t)
			if as != nil {
				if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
					t.Fatal(err)
				}
			}
			env := []string{"BUSU_STATE_DIR=" + filepath.Join(dir, "state"), "BUSU_CONFIG=" + configFile(t, quick)}
			p := start(t, as, env, "busu", "up")
			conn := p.database()

			feed, _, err := websocket.Dial(t.Context(), p.base+"/metrics/live?interval=1s", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer feed.CloseNow()
			var before rollup.Snapshot
			p.until("the feed has totals", func() bool {
				return wsjson.Read(t.Context(), feed, &before) == nil && before.Totals != nil
			})
			if before.Totals.TotalRequests != 0 {
				t.Fatalf("a new ledger begins with %+v", before.Totals)
			}

			answers := p.ask(40)
			p.followed(conn, answers[17])
			p.agree(conn, 40)
			var seen rollup.Snapshot
			p.until("the feed shows the requests", func() bool {
				return wsjson.Read(t.Context(), feed, &seen) == nil && seen.Totals.TotalRequests == 40
			})
			var refused struct{ Errors []struct{ Field string } }
			p.post("/complete", `{"prompt": 5, "max_tokens": -1, "colour": 1}`, http.StatusUnprocessableEntity, &refused)
			if len(refused.Errors) != 3 {
				t.Errorf("three fields are wrong and %+v are named", refused.Errors)
			}
			p.agree(conn, 40)
			t.Logf("stopped in %s", p.stop())
			gone(t.Context(), t, dir)
		})
	}
}

// followed finds an answer's row and holds one against the other.
func (p *process) followed(conn *pgx.Conn, a answer) {
	p.t.Helper()
	var model, status, user string
	var cost, saving pricing.Nanos
	p.until("the answer has its row", func() bool {
		return conn.QueryRow(p.t.Context(), `
			SELECT model, status, user_id, cost_nanos, baseline_cost_nanos - cost_nanos FROM completions WHERE id = $1`,
			a.RequestID).Scan(&model, &status, &user, &cost, &saving) == nil
	})
	if model != a.Model || status != "ok" || user == "" || cost != a.CostUSD || saving != a.SavingsUSD {
		p.t.Errorf("answer %+v, row %s %s %s %s %s", a, model, status, user, cost, saving)
	}
}

// A process that is killed leaves no servers behind and nothing half done: its
// requests under way become facts when it starts again on its data.
func TestUpSurvivesKill(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	state := filepath.Join(dir, "state")
	env := []string{"BUSU_STATE_DIR=" + state, "BUSU_CONFIG=" + configFile(t, slow)}
	p := start(t, nil, env, "busu", "up")
	const underWay = 5
	for i := range underWay {
		go func() { // answered never: the connection breaks
			r, err := http.Post(p.base+"/complete", "application/json", strings.NewReader(fmt.Sprintf(`{"prompt": "say %d"}`, i)))
			if err == nil {
				r.Body.Close()
			}
		}()
	}
	p.until("the requests are under way", func() bool { return p.metric("busu_journal_open_intents") == underWay })
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.end()
	gone(t.Context(), t, dir)

	again := start(t, nil, env, "busu", "up")
	conn := again.database()
	again.agree(conn, underWay)
	var interrupted int
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM completions WHERE status = 'interrupted' AND estimated`).Scan(&interrupted); err != nil || interrupted != underWay {
		t.Errorf("%d of %d requests are interrupted (%v)", interrupted, underWay, err)
	}
	again.stop()
	gone(t.Context(), t, dir)
}

// metric reads one value of /metrics.
func (p *process) metric(name string) float64 {
	r, err := http.Get(p.base + "/metrics")
	if err != nil {
		return -1
	}
	defer r.Body.Close()
	var value float64
	for {
		var key string
		if _, err := fmt.Fscanln(r.Body, &key, &value); err != nil && key == "" {
			if strings.Contains(err.Error(), "newline") || strings.Contains(err.Error(), "expected") {
				continue
			}
			return -1
		}
		if key == name {
			return value
		}
	}
}

// Ctrl-C stops everything within a second. Machines are noisy: once in three
// starts is enough.
func TestUpStopsWithinASecond(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	env := []string{"BUSU_STATE_DIR=" + filepath.Join(dir, "state"), "BUSU_CONFIG=" + configFile(t, slow)}
	var took []time.Duration
	for range 3 {
		p := start(t, nil, env, "busu", "up")
		go func() {
			_, _ = http.Post(p.base+"/complete", "application/json", strings.NewReader(`{"prompt": "hello"}`))
		}()
		p.until("a request is under way", func() bool { return p.metric("busu_journal_open_intents") == 1 })
		took = append(took, p.stop())
		gone(t.Context(), t, dir)
		if took[len(took)-1] < time.Second {
			return
		}
	}
	t.Errorf("it took %s to stop", took)
}

// What cannot work ends with exit code 1 and one line that says what to do.
func TestUpRefuses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	unwritable := stateDir(t)
	if err := os.Chmod(unwritable, 0o555); err != nil {
		t.Fatal(err)
	}
	newer := storetest.Postgres(t)
	if _, err := connect(t, newer).Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true);
		UPDATE schema_compatibility SET oldest = 99999`); err != nil {
		t.Fatal(err)
	}
	running := stateDir(t)
	start(t, nil, []string{"BUSU_STATE_DIR=" + running, "BUSU_CONFIG=" + configFile(t, quick)}, "busu", "up")

	for name, c := range map[string]struct {
		env  []string
		says string
		as   *syscall.Credential
	}{
		"port in use":         {[]string{"BUSU_ADDR=" + taken.Addr().String(), "BUSU_STATE_DIR=" + stateDir(t)}, "BUSU_ADDR", nil},
		"unwritable state":    {[]string{"BUSU_ADDR=" + freeAddr(t), "BUSU_STATE_DIR=" + unwritable + "/x"}, "BUSU_STATE_DIR", unprivileged()},
		"second in directory": {[]string{"BUSU_ADDR=" + freeAddr(t), "BUSU_STATE_DIR=" + running}, running, nil},
		"newer schema":        {[]string{"BUSU_ADDR=" + freeAddr(t), "BUSU_STATE_DIR=" + stateDir(t), "DATABASE_URL=" + newer, "REDIS_URL=" + storetest.Redis(t)}, "newer schema", nil},
		"bad configuration":   {[]string{"BUSU_CONFIG=" + configFile(t, "routing: {stratgy: x}")}, `did you mean "strategy"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := launch(t, c.as, append(c.env, "BUSU_LOG_LEVEL=error"), "busu", "up")
			if code := p.end(); code != 1 {
				t.Errorf("exit code %d", code)
			}
			said := strings.TrimSpace(p.stderr.String())
			if !strings.Contains(said, c.says) || strings.Contains(said, "\n") || p.stdout.String() != "" {
				t.Errorf("it said %q, without %q or in several lines", said, c.says)
			}
		})
	}
}

// unprivileged is who may not write everywhere, when we may.
func unprivileged() *syscall.Credential {
	if os.Getuid() == 0 {
		return &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	return nil
}
