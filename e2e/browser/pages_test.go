package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/busuhq/busu/e2e/busu"
)

// page is one page of the dashboard.
type page struct {
	name  string // of its pictures
	hash  string // its address; {request} and {experiment} stand for ids
	title string
	empty string // what it says when there is nothing to show; "" where there always is something
	still bool   // needs no figures, so that nothing of it is late
	act   string // what a reader does before it is full, in JavaScript
	acted string // what is true then
}

var pages = []page{
	{name: "live", hash: "#/", title: "Live", empty: "Nothing has been routed yet."},
	{name: "savings", hash: "#/savings", title: "Savings", empty: "Nothing has been saved yet."},
	{name: "experiments", hash: "#/experiments", title: "Experiments", empty: "No experiment has been started yet."},
	{name: "experiment", hash: "#/experiments/{experiment}", title: experimentName},
	{name: "start", hash: "#/experiments/new", title: "Start an experiment", still: true},
	{name: "requests", hash: "#/requests", title: "Requests", empty: "No request is on record yet."},
	{name: "request", hash: "#/requests/{request}", title: "Requests"},
	{name: "models", hash: "#/models", title: "Models"},
	{name: "system", hash: "#/system", title: "System"},
	{name: "keys", hash: "#/keys", title: "Keys"},
	{name: "playground", hash: "#/playground", title: "Playground", still: true, act: `
		const prompt = document.querySelector("textarea");
		prompt.value = "Prove that there are infinitely many primes.";
		prompt.dispatchEvent(new Event("input", { bubbles: true }));`, acted: `document.querySelector("p.say")`},
	{name: "missing", hash: "#/no-such-page", title: "Not found", still: true},
}

// state is something that pages are looked at in.
type state struct {
	name  string
	enter func(context.Context) (leave func() error, err error)
	gated bool   // pages come through the gatekeeper
	shown string // what is true in each page when it has arrived, in JavaScript; settled is added
	ill   bool   // answers may be failures, which browsers note on the console
	hangs bool   // pages do not settle
}

// Everything that a page shows is there; some come as modules of their own.
const settled = `document.querySelector("#main > :not(.page-head, .crumb, .banner)") && !document.querySelector("#main .still, #main [aria-busy=true], #main .waiting")`

// inBanner is true when the banner over the page says so.
func inBanner(words string) string {
	return fmt.Sprintf(`document.querySelector(".banner strong")?.textContent === %q`, words)
}

const noBanner = `!document.querySelector(".banner")`

var states = []state{
	{name: "empty", shown: noBanner + ` && !document.querySelector(".failure")`, enter: asItIs},
	{name: "data", shown: noBanner + ` && !document.querySelector(".failure, .emp")`, enter: traffic},
	{name: "loading", shown: `document.querySelector("#main .still")`, enter: holdAnswers, gated: true, hangs: true},
	{name: "no-redis", shown: inBanner("Redis does not answer."), enter: freeze(busu.Redis), ill: true},
	{name: "no-postgres", shown: inBanner("PostgreSQL does not answer."), enter: freeze(busu.Postgres), ill: true},
}

// TestPages looks at every page in every state, one state after the other.
func TestPages(t *testing.T) {
	for _, s := range states {
		t.Run(s.name, func(t *testing.T) {
			ctx := soon(t)
			leave, err := s.enter(ctx)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := leave(); err != nil {
					t.Error(err)
				}
			})
			for _, p := range pages {
				if s.hangs && p.still || s.name == "empty" && strings.Contains(p.hash, "{") {
					continue
				}
				t.Run(p.name, func(t *testing.T) {
					t.Parallel()
					v := arrive(t, p, s)
					v.judge(t, s)
				})
			}
		})
		if s.name == "data" {
			t.Run("prefix", behindPrefix)
			t.Run("numbers", numbers)
			t.Run("zones", zones)
			t.Run("tables", tables)
			t.Run("load", measureLoad)
			t.Run("updates", measureUpdates)
			t.Run("steady", measureSteady)
			t.Run("hours", measureHours)
		}
	}
	t.Run("reconnecting", reconnecting)
}

func asItIs(context.Context) (func() error, error) { return done, nil }
func done() error                                  { return nil }

// quiet returns when everything that was answered is stored.
func quiet(ctx context.Context) error {
	for {
		var s struct {
			Pipeline *struct {
				JournalBacklog int `json:"journal_backlog"`
				Unread         int `json:"unread"`
				Pending        int `json:"pending"`
			}
		}
		body, err := server.Get(ctx, "/metrics/live")
		if err == nil {
			err = json.Unmarshal(body, &s)
		}
		if err != nil {
			return err
		}
		if p := s.Pipeline; p != nil && p.JournalBacklog+p.Unread+p.Pending == 0 {
			return nil
		}
	}
}

func holdAnswers(context.Context) (func() error, error) {
	gate.hold()
	return func() error { gate.open(); return nil }, nil
}

func freeze(program string) func(context.Context) (func() error, error) {
	return func(ctx context.Context) (func() error, error) {
		thaw, err := server.Freeze(program)
		if err != nil {
			return nil, err
		}
		return func() error {
			if err := thaw(); err != nil {
				return err
			}
			return errors.Join(server.Ready(context.Background()), quiet(context.Background()))
		}, nil
	}
}

// behindPrefix opens pages where a proxy has busu under a path of its own: they
// find their modules, their figures and the live feed there.
func behindPrefix(t *testing.T) {
	there := states[1]
	there.gated = true
	for _, p := range pages {
		v := arrive(t, p, there)
		addresses, _ := v.Requests()
		for _, a := range addresses {
			if u, err := url.Parse(a); err != nil || u.Host != "" && !strings.HasPrefix(u.Path, prefix+"/") {
				t.Errorf("%s asks for %s", p.name, a)
			}
		}
	}
}

// reconnecting kills busu beneath open pages, looks at them, starts it again
// and waits until they have come back by themselves.
func reconnecting(t *testing.T) {
	ctx := soon(t)
	data := states[1]
	visits := map[string]*visit{}
	for _, p := range pages {
		visits[p.name] = arrive(t, p, data)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	away := state{name: "reconnecting", ill: true}
	for _, p := range pages {
		v := visits[p.name]
		v.await(t, inBanner("busu does not answer."))
		v.judge(t, away)
	}
	if err := server.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		visits[p.name].await(t, data.shown+" && "+settled)
	}
}
