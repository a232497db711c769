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
	sql   string
}

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
	{"models", "?window=24h", "medium's requests", cell("How each fares", "medium", "Requests"), `SELECT count(*)` + ofModel},
	{"models", "?window=24h", "medium's cost", cell("How each fares", "medium", "Spent"), `SELECT sum(cost_nanos) / 1e9` + ofModel},
	{"savings", "", "requests of the hold-out", `(` + beside("Hold-out") + `).split("users,")[1]`, `SELECT count(*) FROM completions WHERE holdout`},
	{"savings", "", "users of the hold-out", `(` + beside("Hold-out") + `).split("users")[1]`, `SELECT count(DISTINCT user_id) FROM completions WHERE holdout`},
	{"savings", "", "modelled saving", beside("Modelled, in all"), `SELECT sum(baseline_cost_nanos - cost_nanos) / 1e9 FROM completions WHERE NOT holdout`},
	{"savings", "", "modelled baseline", `(` + beside("Modelled, in all") + `).split(" of ")[1]`, `SELECT sum(baseline_cost_nanos) / 1e9 FROM completions WHERE NOT holdout`},
	{"experiment", "", "requests of the control", cell("Arms", "control complexity", "Requests"), `SELECT count(*)` + countedIn("control")},
	{"experiment", "", "cost of the test", cell("Arms", "test hybrid", "Cost, total"), `SELECT sum(origin_cost_nanos) / 1e9` + countedIn("test")},
	{"requests", "", "tokens of the newest", `document.querySelector(".reqs tbody td.num").textContent`, `SELECT tokens_in FROM completions ORDER BY at DESC, id DESC LIMIT 1`},
	{"requests", "?model=medium", "tokens of medium's newest", `document.querySelector(".reqs tbody td.num").textContent`, `SELECT tokens_in` + ofModel + ` ORDER BY at DESC, id DESC LIMIT 1`},
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
			v.do(t, `document.querySelectorAll("[aria-label^='Show '][aria-label$=' as a table']").forEach((b) => b.click())`)
			visits[f.page+f.query] = v
		}
		var want float64
		if err := conn.QueryRow(ctx, `SELECT (`+f.sql+`)::float8`).Scan(&want); err != nil {
			t.Fatal(err)
		}
		if text, err := v.shows(t, f.shown, want); err != nil {
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

// shows gives what the page says, as soon as that is want, or else at last.
func (v *visit) shows(t *testing.T, shown string, want float64) (text string, err error) {
	t.Helper()
	ctx := soon(t)
	for until := time.Now().Add(behind); ; {
		err = v.Eval(ctx, `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(`+shown+`))))`, &text)
		if err != nil || agrees(text, want) || time.Now().After(until) {
			return text, err
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
