package browser

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"testing"
)

// Where the reader is: half an hour beside most others, the whole year.
const (
	elsewhere = "Australia/Darwin"
	ahead     = 9*60 + 30 // minutes, of UTC
)

// sameHistory runs before the page: what was answered of the past stays, also
// over a reload, so that times differ by their zone only.
const sameHistory = `{
	const ask = window.fetch;
	window.fetch = async (...args) => {
		if (!String(args[0]).includes("/metrics/history")) return ask(...args);
		if (!sessionStorage.history) {
			const answer = await ask(...args);
			if (!answer.ok) return answer;
			sessionStorage.history = await answer.text();
		}
		return new Response(sessionStorage.history, { headers: { "Content-Type": "application/json" } });
	};
}`

// shownTimes are the times of a page: those of an axis, and those of a table.
var shownTimes = map[string]string{"the axis": "svg.timed .ax.m", "the table": "[aria-label='Requests by model'] tbody th"}

// zones turns the times of a page to UTC and back.
func zones(t *testing.T) {
	v := open(t, pageNamed("live").with("?window=1h&table=requests-by-model"), false, sameHistory)
	if err := v.MoveTo(soon(t), elsewhere); err != nil {
		t.Fatal(err)
	}
	v.do(t, `setTimeout(() => location.reload())`) // behind the answer to it
	here := v.timesIn(t, elsewhere)
	turn := `setTimeout(() => document.querySelector(".btn.zone").click())`
	v.do(t, turn)
	utc := v.timesIn(t, "UTC")
	if err := v.Look(soon(t), least); err != nil {
		t.Fatal(err)
	}
	v.await(t, `document.querySelector(".btn.zone").checkVisibility() && document.documentElement.scrollWidth <= innerWidth`)
	if err := v.Look(soon(t), wide); err != nil {
		t.Fatal(err)
	}
	v.do(t, turn)
	again := v.timesIn(t, elsewhere)
	for where, times := range here {
		if len(times) == 0 {
			t.Errorf("%s has no times", where)
		}
		if fmt.Sprint(times) != fmt.Sprint(again[where]) {
			t.Errorf("%s says %q, and when one has come back from UTC %q", where, times, again[where])
		}
		if got := later(t, utc[where], ahead); fmt.Sprint(got) != fmt.Sprint(later(t, times, 0)) {
			t.Errorf("%s says %q in %s and %q in UTC", where, times, elsewhere, utc[where])
		}
	}
}

// timesIn gives the times that the page shows when it has come in a zone.
func (v *visit) timesIn(t *testing.T, zone string) map[string][]string {
	t.Helper()
	v.awaitReload(t, fmt.Sprintf(`document.querySelector(".btn.zone")?.textContent === "Times in %s" && `, zone)+settled+` && document.querySelector("svg.timed .ax.m")`)
	found := map[string][]string{}
	for where, selector := range shownTimes {
		var times []string
		if err := v.Eval(soon(t), fmt.Sprintf(`[...document.querySelectorAll(%q)].map((e) => e.textContent)`, selector), &times); err != nil {
			t.Fatal(err)
		}
		found[where] = times
	}
	return found
}

// awaitReload waits for what is true in the page that comes, and may be of the one that goes.
func (v *visit) awaitReload(t *testing.T, expression string) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("after %v", patience))
	defer cancel()
	for isTrue := false; !isTrue; {
		err := v.Eval(ctx, `new Promise((done) => setTimeout(() => done(Boolean(`+expression+`)), 50))`, &isTrue)
		if ctx.Err() != nil {
			t.Fatalf("%s: never came true: %s: %v\nit shows: %s", v.page.name, expression, err, v.text(t))
		}
	}
}

var timeOfDay = regexp.MustCompile(`(\d\d):(\d\d)(?:[:.]|$)`)

// later gives the minutes of the day of times, moved by some.
func later(t *testing.T, times []string, by int) (minutes []int) {
	t.Helper()
	for _, text := range times {
		m := timeOfDay.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("%q is no time", text)
		}
		h, _ := strconv.Atoi(m[1])
		past, _ := strconv.Atoi(m[2])
		minutes = append(minutes, (60*h+past+by)%(24*60))
	}
	return minutes
}
