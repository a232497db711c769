package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/busuhq/busu/e2e/busu"
)

const adminKey = "an-admin-key-of-enough-characters"

// guarded is a busu that asks for a key.
type guarded struct{ *busu.Busu }

// key makes a key, and gives it with its id.
func (g guarded) key(t *testing.T, role, project string) (secret, id string) {
	t.Helper()
	var made struct{ Key, ID string }
	g.tell(t, "POST", "/keys", fmt.Sprintf(`{"name": "of the test", "role": %q, "project": %q}`, role, project), &made)
	return made.Key, made.ID
}

func (g guarded) tell(t *testing.T, method, path, body string, into any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, g.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+adminKey)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s (%v)", method, path, answer.StatusCode, text, err)
	}
	if into != nil {
		if err := json.NewDecoder(bytes.NewReader(text)).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
}

// signIn fills in the form that is shown.
func (v *visit) signIn(t *testing.T, key string) {
	t.Helper()
	v.await(t, `document.querySelector("input[type=password]")`)
	v.do(t, fmt.Sprintf(`document.querySelector("input[type=password]").value = %q; document.querySelector("form:has(input[type=password])").requestSubmit();`, key))
}

const nav = `[...document.querySelectorAll(".nav a")].map((a) => a.textContent).join(" ")`

func headed(title string) string {
	return fmt.Sprintf(`document.querySelector("h1")?.textContent === %q`, title)
}

// TestSignIn is one browser's day: it signs in, sees what its keys may, is signed
// out while it works, and leaves.
func TestSignIn(t *testing.T) {
	ctx := soon(t)
	b, err := busu.Start(ctx, busu.Options{Root: "../..", Config: configuration, Env: []string{"BUSU_ADMIN_KEY=" + adminKey}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
	})
	g := guarded{b}
	signedOut := state{name: "signed-out", ill: true} // browsers note each 401
	v := openAt(t, page{name: "sign-in", hash: "#/savings"}, g.URL, "")
	v.await(t, headed("Sign in")+` && document.activeElement?.type === "password"`)
	v.judge(t, signedOut)
	v.signIn(t, "wrong")
	v.await(t, `document.querySelector("[role=alert], .fld .bad")?.textContent.includes("not accepted")`)
	completes, _ := g.key(t, "complete", "acme")
	v.signIn(t, completes)
	v.await(t, `document.querySelector(".fld .bad")?.textContent.includes("role admin, operate or read")`)
	reads, id := g.key(t, "read", "acme")
	v.signIn(t, reads)
	v.await(t, headed("Savings")+" && "+settled)
	v.await(t, nav+` === "Live Savings Experiments Requests Models HTTP reference"`)
	v.await(t, `!document.cookie && !JSON.stringify([{ ...localStorage }, { ...sessionStorage }]).includes("busu_")`)
	v.judge(t, signedOut)

	v.do(t, `location.hash = "#/keys"`)
	v.await(t, headed("Keys")+` && document.querySelector("#main").textContent.includes("It takes the role admin.")`)
	v.judge(t, signedOut)
	v.do(t, `location.hash = "#/experiments/new"`)
	v.await(t, headed("Start an experiment")+` && document.querySelector("#main").textContent.includes("It takes the role admin or operate.")`)
	v.do(t, `location.hash = "#/experiments"`)
	v.await(t, headed("Experiments")+" && "+settled+` && !document.querySelector(".page-head .btn.solid")`)
	g.tell(t, "POST", "/complete?project=acme", `{"prompt": "Hi", "user_id": "ada"}`, nil)
	v.do(t, `location.hash = "#/"`)
	v.await(t, headed("Live")+" && "+settled+` && document.querySelector("#main").textContent.includes("What happened")`)
	v.await(t, `!/from answer to ledger|In flight/.test(document.querySelector("#main").textContent)`) // of all projects
	v.judge(t, signedOut)

	g.tell(t, "DELETE", "/keys/"+id, "", nil)
	v.await(t, `document.querySelector("dialog[open] h2")?.textContent === "Sign in again"`)
	v.await(t, headed("Live")) // the page is still there
	v.judge(t, signedOut)
	v.signIn(t, adminKey)
	v.await(t, `!document.querySelector("dialog") && `+nav+`.includes("Keys")`)
	v.do(t, `location.hash = "#/experiments/new"`)
	v.await(t, `document.querySelector("input[name=name]")`)
	v.do(t, `document.querySelector("input[name=name]").value = "half a form"`)
	if err := b.Kill(); err != nil { // sessions survive it
		t.Fatal(err)
	}
	if err := b.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	v.await(t, `!document.querySelector("dialog") && document.querySelector("input[name=name]").value === "half a form"`)
	v.do(t, `fetch("session", { method: "DELETE" }).then(() => fetch("whoami"))`) // another tab
	v.await(t, `document.querySelector("dialog[open]")`)
	v.signIn(t, adminKey)
	v.await(t, `!document.querySelector("dialog") && document.querySelector("input[name=name]").value === "half a form"`)

	v.do(t, `document.querySelector(".btn.who").click()`)
	v.await(t, headed("Sign in"))
	var actions struct{ Acts []struct{ Action string } }
	g.tell(t, "GET", "/audit", "", &actions)
	var seen []string
	for _, a := range actions.Acts {
		seen = append(seen, a.Action)
	}
	all := strings.Join(seen, " ")
	for action, times := range map[string]int{"session.begin": 3, "session.end": 2, "session.refuse": 2} {
		if n := strings.Count(all, action); n != times {
			t.Errorf("%s is on record %d times, want %d: %s", action, n, times, all)
		}
	}
}
