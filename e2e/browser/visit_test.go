package browser

import (
	"context"
	_ "embed"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/e2e/chrome"
)

const patience = time.Minute // for whatever is waited for; a quiet machine needs a twentieth

// soon is a context that a machine under load can live with.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 5*patience, fmt.Errorf("it took longer than %v", 5*patience))
	t.Cleanup(cancel)
	return ctx
}

var (
	wide   = chrome.View{Width: 1440, Height: 900}
	dark   = chrome.View{Width: 1440, Height: 900, Dark: true}
	narrow = chrome.View{Width: 390, Height: 844}
	least  = chrome.View{Width: 320, Height: 640}
	vast   = chrome.View{Width: 3840, Height: 2160}
)

// visit is a page in a tab.
type visit struct {
	*chrome.Tab
	page   page
	origin string
	judged bool // before: its judge is there
}

// arrive opens a page and returns when what the state says is shown.
func arrive(t *testing.T, p page, s state) *visit {
	t.Helper()
	v := open(t, p, s.gated, "")
	shown := "document.querySelector('h1')"
	if !s.hangs {
		shown += " && " + settled
	}
	if !s.hangs && !s.ill { // without figures, one thing has no name
		shown += fmt.Sprintf(" && document.querySelector('h1').textContent === %q", p.title)
	}
	if !p.still {
		shown += " && " + s.shown
	}
	if s.name == "empty" && p.empty != "" {
		shown += fmt.Sprintf(" && document.querySelector('.emp h2')?.textContent === %q", p.empty)
	}
	v.await(t, shown)
	if p.act != "" && s.name == "data" {
		v.do(t, p.act)
		v.await(t, shown+" && "+p.acted)
	}
	return v
}

func (v *visit) do(t *testing.T, script string) {
	t.Helper()
	if err := v.Eval(soon(t), "{"+script+"}", nil); err != nil {
		t.Fatal(err)
	}
}

// open opens a page in a tab of its own. script runs before the page's.
func open(t *testing.T, p page, gated bool, script string) *visit {
	t.Helper()
	origin := server.URL
	if gated {
		origin = gate.URL + prefix
	}
	return openAt(t, p, origin, script)
}

// openAt opens a page of some busu.
func openAt(t *testing.T, p page, origin, script string) *visit {
	t.Helper()
	ctx := soon(t)
	tab, err := browser.Open(ctx, wide)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tab.Close(context.WithoutCancel(ctx)) })
	v := &visit{Tab: tab, page: p, origin: origin}
	if err := tab.BeforeLoad(ctx, watch+script); err != nil {
		t.Fatal(err)
	}
	if err := tab.Navigate(ctx, v.origin+"/"+of(p.hash)); err != nil {
		t.Fatal(err)
	}
	return v
}

// of puts the ids of what traffic made where text has their names.
func of(text string) string {
	return strings.NewReplacer("{request}", ids.request, "{experiment}", ids.experiment).Replace(text)
}

func (v *visit) await(t *testing.T, expression string) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("after %v", patience))
	defer cancel()
	if err := v.Await(ctx, expression); err != nil {
		t.Fatalf("%s: %v\nfaults: %v\nit shows: %s", v.page.name, err, v.Faults(), v.text(t))
	}
}

func (v *visit) text(t *testing.T) string {
	var text string
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	const shown = `document.body.innerText + "\n" + [...document.querySelectorAll(".still, [aria-busy=true], .waiting")].map((e) => "not there yet: " + (e.closest("section") ?? e).innerText.slice(0, 60)).join("\n")`
	if err := v.Eval(ctx, shown, &text); err != nil {
		return err.Error()
	}
	return text
}

//go:embed watch.js
var watch string // notes what the page breaks of its policy, and what moves

//go:embed judge.js
var judgement string

// judge holds the page against what every page has to be, in every state.
func (v *visit) judge(t *testing.T, s state) {
	t.Helper()
	ctx := soon(t)
	v.takePictures(t, s)
	if err := v.Look(ctx, wide); err != nil {
		t.Fatal(err)
	}
	if !v.judged {
		if err := v.Eval(ctx, axe+";"+judgement+";0", nil); err != nil {
			t.Fatal(err)
		}
		v.judged = true
	}
	var complaints []string
	if err := v.Eval(ctx, "judge()", &complaints); err != nil {
		t.Fatal(err)
	}
	for _, c := range complaints {
		t.Errorf("%s, %s: %s", v.page.name, s.name, c)
	}
	for _, f := range v.Faults() {
		if !(s.ill && f.Kind == "network" && v.isOurs(f.URL)) {
			t.Errorf("%s, %s: %v", v.page.name, s.name, f)
		}
	}
	addresses, _ := v.Requests()
	for _, a := range addresses {
		if !v.isOurs(a) {
			t.Errorf("%s, %s: it asks for %s", v.page.name, s.name, a)
		}
	}
	looks := []chrome.View{dark, least}
	if s.name == "data" {
		looks = append(looks, vast)
	}
	for _, look := range looks {
		v.judgeLook(t, s, look)
	}
}

// judgeLook looks for what colours and width can break.
func (v *visit) judgeLook(t *testing.T, s state, look chrome.View) {
	t.Helper()
	ctx := soon(t)
	if err := v.Look(ctx, look); err != nil {
		t.Fatal(err)
	}
	var complaints []string
	if err := v.Eval(ctx, "judgeLook()", &complaints); err != nil {
		t.Fatal(err)
	}
	for _, c := range complaints {
		t.Errorf("%s, %s, %d wide, dark %v: %s", v.page.name, s.name, look.Width, look.Dark, c)
	}
}

func (v *visit) isOurs(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	origin, _ := url.Parse(v.origin)
	return u.Host == origin.Host || u.Scheme == "data" || u.Scheme == "blob" || u.Scheme == "about"
}
