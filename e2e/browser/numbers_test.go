package browser

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// figure is a number that a page shows, and the SQL that knows it.
type figure struct {
	page  string
	query string // of the page's address
	name  string
	shown string // JavaScript that gives the text
	sql   string // {request} stands for the id of the request that is looked at
}

// The pages Start and Playground show no figure that is stored: what they tell
// is predicted when they ask.

// cell gives the JavaScript for a cell of a panel's table, by the head of its
// column and the first cell of its row.
func cell(panel, row, column string) string {
	return fmt.Sprintf(`seen.cell(%q, %q, %q)`, panel, row, column)
}

func below(name string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".kpi")].find((k) => k.querySelector("dt").textContent === %q).querySelector(".s").textContent`, name)
}

func beside(name string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".kv dt")].find((k) => k.textContent === %q).nextElementSibling.textContent`, name)
}

// text gives the JavaScript for the words of the first thing that a selector finds.
func text(selector string) string {
	return fmt.Sprintf(`document.querySelector(%q).textContent`, selector)
}

// howMany gives that for how many things it finds.
func howMany(selector string) string {
	return fmt.Sprintf(`String(document.querySelectorAll(%q).length)`, selector)
}

// countedIn are the requests that an arm's figures are made of: until the end
// of the observation, the second behind a user's exposure, of the users whom the
// judge has counted.
func countedIn(arm string) string {
	return ` FROM completions c JOIN experiment_units u ON u.unit = c.user_id
		WHERE c.experiments IS NOT NULL AND u.counted AND u.arm = '` + arm + `' AND c.at <= u.exposed_at + interval '1 second'`
}

// judged tells that the judge counts nobody any more.
const judged = `SELECT count(*) > 0 AND (bool_and(u.judged) OR EXISTS (SELECT FROM experiment_decisions)) FROM experiment_units u`

const ofModel = ` FROM completions WHERE model = 'medium'`

const theRequest = ` FROM completions WHERE id = '{request}'`

// newest is the newest snapshot of what learns by itself.
const newest = ` FROM snapshots WHERE project = 'default' AND strategy = 'hybrid' ORDER BY snapshot DESC LIMIT 1`

var figures = []figure{
	{"live", "?window=24h", "requests", below("Requests"), `SELECT count(*) FROM completions`},
	{"live", "?window=24h", "errors", below("Errors"), `SELECT count(*) FROM completions WHERE status NOT IN ('ok', 'cut_off', 'empty', 'canceled')`},
	{"live", "?window=24h", "fell back", `(` + below("Errors") + `).split("·")[1]`, `SELECT 100.0 * count(*) FILTER (WHERE cardinality(fallbacks) > 0) / count(*) FROM completions`},
	{"live", "?window=24h", "cost", below("Cost"), `SELECT sum(cost_nanos) / 1e9 FROM completions`},
	{"live", "?window=24h", "baseline cost", `(` + below("Cost") + `).split("baseline")[1]`, `SELECT sum(baseline_cost_nanos) / 1e9 FROM completions`},
	{"live", "?window=24h", "hits in memory", `(` + below("Cache hits") + `).split("memory")[1]`, `SELECT 100.0 * count(*) FILTER (WHERE cache = 'memory') / count(*) FROM completions`},
	{"live", "?window=24h", "medium's share", cell("Where requests go", "medium", "Share"), `SELECT 100.0 * count(*) FILTER (WHERE model = 'medium') / count(*) FROM completions`},
	{"live", "?window=24h", "medium's requests", cell("Where requests go", "medium", "Requests"), `SELECT count(*)` + ofModel},
	{"live", "?window=24h", "medium's cost", cell("Where requests go", "medium", "Cost"), `SELECT sum(cost_nanos) / 1e9` + ofModel},
	{"live", "?window=24h", "medium's cost per 1,000", cell("Where requests go", "medium", "per 1,000"), `SELECT 1000 * sum(cost_nanos) / 1e9 / count(*)` + ofModel},
	{"live", "?window=24h", "medium's saving", cell("Where requests go", "medium", "Saving, modelled"), `SELECT sum(baseline_cost_nanos - cost_nanos) / 1e9` + ofModel},
	{"live", "?window=24h", "answered in all", `[...document.querySelectorAll(".line dt")].find((t) => t.textContent === "answered in all").nextElementSibling.textContent`, `SELECT count(*) FROM completions`},
	{"models", "?window=24h", "medium's share", cell("How each fares", "medium", "Share"), `SELECT 100.0 * count(*) FILTER (WHERE model = 'medium') / count(*) FROM completions`},
	{"models", "?window=24h", "the learned snapshot", beside("Published"), `SELECT snapshot` + newest},
	{"models", "?window=24h", "verdicts learned from", beside("Verdicts learned from"), `SELECT verdicts` + newest},
	{"models", "?window=24h", "medium's requests", cell("How each fares", "medium", "Requests"), `SELECT count(*)` + ofModel},
	{"models", "?window=24h", "medium's cost", cell("How each fares", "medium", "Spent"), `SELECT sum(cost_nanos) / 1e9` + ofModel},
	{"savings", "", "requests of the hold-out", `(` + beside("Hold-out") + `).split("users,")[1]`, `SELECT count(*) FROM completions WHERE holdout`},
	{"savings", "", "users of the hold-out", `(` + beside("Hold-out") + `).split("users")[1]`, `SELECT count(DISTINCT user_id) FROM completions WHERE holdout`},
	{"savings", "", "modelled saving", beside("Modelled, in all"), `SELECT sum(baseline_cost_nanos - cost_nanos) / 1e9 FROM completions WHERE NOT holdout`},
	{"savings", "", "modelled baseline", `(` + beside("Modelled, in all") + `).split(" of ")[1]`, `SELECT sum(baseline_cost_nanos) / 1e9 FROM completions WHERE NOT holdout`},
	{"experiment", "", "requests of the control", cell("Arms", "control complexity", "Requests"), `SELECT count(*)` + countedIn("control")},
	{"experiment", "", "cost of the test", cell("Arms", "test hybrid", "Cost, total"), `SELECT sum(origin_cost_nanos) / 1e9` + countedIn("test")},
	{"experiments", "", "users who entered", text(".exps tbody td:nth-of-type(4)"), `SELECT count(*) FROM experiment_units`},
	{"experiments", "", "users who have matured", text(".exps tbody td:nth-of-type(5)"), `SELECT count(*) FROM experiment_units WHERE counted`},
	{"requests", "", "tokens of the newest", `document.querySelector(".reqs tbody td.num").textContent`, `SELECT tokens_in FROM completions ORDER BY at DESC, id DESC LIMIT 1`},
	{"requests", "?model=medium", "tokens of medium's newest", `document.querySelector(".reqs tbody td.num").textContent`, `SELECT tokens_in` + ofModel + ` ORDER BY at DESC, id DESC LIMIT 1`},
	{"request", "", "tokens in", text(".detail .sum tr:nth-child(1)"), `SELECT tokens_in` + theRequest},
	{"request", "", "tokens out", text(".detail .sum tr:nth-child(2)"), `SELECT tokens_out` + theRequest},
	{"request", "", "cost", text(".detail .sum .tot b"), `SELECT cost_nanos / 1e9` + theRequest},
	{"request", "", "baseline cost", text(".detail .sum tr:last-child td:last-child"), `SELECT baseline_cost_nanos / 1e9` + theRequest},
	{"system", "", "migrations", beside("Migrations"), `SELECT max(version_id) FROM goose_db_version`},
	{"system", "", "the newest snapshot", text("[aria-label=Snapshots] tbody th"), `SELECT snapshot` + newest},
	{"system", "", "its verdicts", text("[aria-label=Snapshots] tbody td:nth-of-type(2)"), `SELECT verdicts` + newest},
	{"system", "", "its weight", text("[aria-label=Snapshots] tbody td:nth-of-type(3)"), `SELECT weight` + newest},
	{"keys", "", "keys", howMany("[aria-label=Keys] tbody tr"), `SELECT count(*) FROM keys WHERE revoked_at IS NULL`},
	{"keys", "", "search's budget", `(` + cell("Keys", "search", "Budget") + `).split(" of $")[1]`, `SELECT budget_nanos / 1e9 FROM keys WHERE name = 'search'`},
	{"keys", "", "what was done", howMany(".ev li"), `SELECT count(*) FROM audit`},
}

// numbers holds what pages show against SQL, while nothing changes.
func numbers(t *testing.T) {
	ctx := soon(t)
	url, err := server.DatabaseURL()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	await(t, conn, judged)
	visits := map[string]*visit{}
	for _, f := range figures {
		v := visits[f.page+f.query]
		if v == nil {
			v = arrive(t, pageNamed(f.page).with(f.query), states[1])
			v.do(t, `document.querySelectorAll("section [aria-label^='Show '][aria-label$=' as a table']").forEach((b) => b.click())`)
			visits[f.page+f.query] = v
		}
		if text, want, err := v.agree(t, conn, f); err != nil {
			t.Errorf("%s, %s: %v", f.page, f.name, err)
		} else if !agrees(text, want) {
			t.Errorf("%s, %s: the page says %q, the database %v", f.page, f.name, text, want)
		}
	}
}

// await asks a question again and again, until its answer is true.
func await(t *testing.T, conn *pgx.Conn, question string) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("after %v it is not true: %s", patience, question))
	defer cancel()
	for isTrue := false; !isTrue; {
		if err := conn.QueryRow(ctx, question).Scan(&isTrue); err != nil {
			t.Fatal(errors.Join(err, context.Cause(ctx)))
		}
	}
}

const behind = 10 * time.Second // what a page shows may be older than what is stored, by its polls and what answers them

// agree gives what the page says and what SQL says at the same moment, as soon
// as they are the same, or else at last.
func (v *visit) agree(t *testing.T, conn *pgx.Conn, f figure) (text string, want float64, err error) {
	t.Helper()
	ctx := soon(t)
	for until := time.Now().Add(behind); ; {
		if err = conn.QueryRow(ctx, `SELECT (`+of(f.sql)+`)::float8`).Scan(&want); err != nil {
			return "", 0, err
		}
		err = v.Eval(ctx, `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(`+f.shown+`))))`, &text)
		if err != nil || agrees(text, want) || time.Now().After(until) {
			return text, want, err
		}
	}
}

func pageNamed(name string) page {
	for _, p := range pages {
		if p.name == name {
			return p
		}
	}
	panic("no page " + name)
}

func (p page) with(query string) page {
	p.hash += query
	return p
}

var firstNumber = regexp.MustCompile(`[0-9][0-9,]*(\.[0-9]+)?`)

// agrees says whether the first number in text is want, to the digits shown.
func agrees(text string, want float64) bool {
	digits := strings.ReplaceAll(firstNumber.FindString(text), ",", "")
	got, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return false
	}
	if at := strings.Index(text, digits[:1]); strings.ContainsAny(text[:max(at, 0)], "−-") {
		got = -got
	}
	_, decimals, _ := strings.Cut(digits, ".")
	return math.Abs(got-want) <= 0.5000001*math.Pow10(-len(decimals))
}

// TestAgrees knows what agrees takes for the same.
func TestAgrees(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want float64
		same bool
	}{
		{"1,500 in the last hour", 1500, true}, {"1,500 in the last hour", 1501, false}, {"$1.79, baseline", 1.7949, true}, {"$1.79", 1.796, false},
		{"−$0.5", -0.5, true}, {"−$0.5", 0.5, false}, {"24.8 %", 24.84, true}, {"–", 0, false},
	} {
		if agrees(c.text, c.want) != c.same {
			t.Errorf("%q and %v: not %v", c.text, c.want, c.same)
		}
	}
}
