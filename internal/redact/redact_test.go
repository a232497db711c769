package redact

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

func rules(t testing.TB, own ...Expression) *Rules {
	t.Helper()
	r, err := Compile(Patterns(), own)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var order = Expression{"ORDER", `\bORD-[0-9]{4}\b`}

func TestWhatIsTakenOut(t *testing.T) {
	t.Parallel()
	r := rules(t, order, Expression{"WARD", `ward: (\w+)`})
	for text, want := range map[string]string{
		"Write to ada@example.org, please.":                           "Write to [EMAIL_1], please.",
		"ada@example.org and bob@example.org":                         "[EMAIL_1] and [EMAIL_2]",
		"ada@example.org or ada@example.org":                          "[EMAIL_1] or [EMAIL_1]",
		"<jürgen.groß@münchen.example.de>.":                           "<[EMAIL_1]>.",
		`"a\nada@example.org"`:                                        `"a\n[EMAIL_1]"`,
		"call +49 151 23456789 now":                                   "call [PHONE_1] now",
		"call (555) 123-4567.":                                        "call [PHONE_1].",
		"call 555-123-4567":                                           "call [PHONE_1]",
		"tel 030 1234567, fax 06 12 34 56 78":                         "tel [PHONE_1], fax [PHONE_2]",
		"4111 1111 1111 1111 12/27":                                   "[CARD_1] 12/27",
		"card 5555555555554444!":                                      "card [CARD_1]!",
		"378282246310005":                                             "[CARD_1]",
		"DE89 3704 0044 0532 0130 00 AND MORE":                        "[IBAN_1] AND MORE",
		"GB82WEST12345698765432":                                      "[IBAN_1]",
		"my key is sk-proj-abcdefghijklmnop1234":                      "my key is [SECRET_1]",
		"AKIAIOSFODNN7EXAMPLE":                                        "[SECRET_1]",
		"Authorization: Bearer abcdefghijklmnop1234":                  "Authorization: Bearer [SECRET_1]",
		"postgres://busu:geheim@db/busu":                              "postgres://busu:[SECRET_1]@db/busu",
		`API_KEY="correcthorse"`:                                      `API_KEY="[SECRET_1]"`,
		"-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----": "[SECRET_1]",
		"ORD-1234 in ward: seven":                                     "[ORDER_1] in ward: [WARD_1]",
		"[EMAIL_1] is ada@example.org":                                "[EMAIL_1] is [EMAIL_2]",
	} {
		taken := r.Begin()
		taken.Reserve(text)
		if got := taken.Redact(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestWhatStays(t *testing.T) {
	t.Parallel()
	r := rules(t, order)
	for _, text := range []string{
		"", "@", "a@b", "x @example.org", "12 @ 3.50", "2026-11-26T09:40:00Z", "on 01-02-2026 at 10:30", "1760000000000",
		"4111 1111 1111 1112", "x4111111111111111", "0.4111111111111111", "DE88370400440532013000", "3.14159265358979323846",
		"7f4111111111111111ab", "version 1.2.3-4", "ORD-12345", "[EMAIL_1]", "a risky-business-is-not-a-key", "12345678", "192.168.100.200",
	} {
		if got := r.Begin().Redact(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestExpressionsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, e := range []Expression{{"order", "x"}, {"", "x"}, {"A-B", "x"}, {"ORDER", "("}, {"ORDER", "x*"}, {"ORDER", `(?=x)`}, {strings.Repeat("A", 33), "x"}} {
		if _, err := Compile(nil, []Expression{e}); err == nil {
			t.Errorf("%+v was taken", e)
		}
	}
	if _, err := Compile([]string{"emails"}, nil); err == nil {
		t.Error("a pattern that there is not was taken")
	}
}

func TestPlaceholdersOfOthers(t *testing.T) {
	t.Parallel()
	taken := rules(t).Begin()
	taken.Reserve("[PERSON_2]")
	taken.Redact("ada@example.org")
	for _, p := range []string{"", "PERSON_1", "[PERSON_1", "x[PERSON_1]", "[person_1]", "[PERSON_2]", "[EMAIL_1]", "[PERSON_0]"} {
		if taken.Add(map[string]string{p: "Ada"}) == nil {
			t.Errorf("%q was taken", p)
		}
	}
	if err := taken.Add(map[string]string{"[PERSON_1]": "Ada"}); err != nil {
		t.Fatal(err)
	}
	if got := taken.Restorer().Text("[PERSON_1], [EMAIL_1], [PERSON_2]", false); got != "Ada, ada@example.org, [PERSON_2]" {
		t.Error(got)
	}
}

// check holds what is promised of every text.
func check(t *testing.T, r *Rules, text string, cut func(n int) int) {
	t.Helper()
	taken := r.Begin()
	taken.Reserve(text)
	redacted := taken.Redact(text)
	again := r.Begin()
	again.Reserve(redacted)
	if twice := again.Redact(redacted); twice != redacted {
		t.Fatalf("%q became %q, and then %q", text, redacted, twice)
	}
	restorer := taken.Restorer()
	if restorer == nil {
		if redacted != text {
			t.Fatalf("%q became %q, with nothing taken", text, redacted)
		}
		return
	}
	if back := restorer.Text(redacted, false); back != text {
		t.Fatalf("%q became %q, and back %q", text, redacted, back)
	}
	var pieces strings.Builder
	p := Piecewise{Restorer: restorer}
	for rest := redacted; rest != ""; {
		n := 1 + cut(len(rest))
		pieces.WriteString(p.Next(rest[:n]))
		rest = rest[n:]
	}
	pieces.WriteString(p.Rest())
	if pieces.String() != text {
		t.Fatalf("%q became %q, and piece by piece %q", text, redacted, pieces.String())
	}
}

// parts are what texts are made of that patterns look at.
var parts = []string{"ada@example.org", "bob@example.org", "4111111111111111", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "+49 151 23456789",
	"sk-abcdefghijklmnopqrst", "Bearer ", "password=", "[EMAIL_1]", "[EMAIL_", "1]", "[", "]", "_1]", "[ORDER_2]", "ORD-1234", " ", "-", ".", "1", "x", "\n", `\n`, "é", "\xff", "@", "555-123-4567"}

func TestWhatHolds(t *testing.T) {
	t.Parallel()
	r := rules(t, order, Expression{"EDGE", `^x|1$`}, Expression{"DASH", `-x`})
	draw := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var text strings.Builder
		for range draw.IntN(12) {
			text.WriteString(parts[draw.IntN(len(parts))])
		}
		check(t, r, text.String(), draw.IntN)
	}
}

func FuzzRedact(f *testing.F) {
	r := rules(f, order, Expression{"EDGE", `^x|1$`})
	for _, p := range parts {
		f.Add(p+p+" "+p, uint64(len(p)))
	}
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		check(t, r, text, rand.New(rand.NewPCG(seed, 1)).IntN)
	})
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	const doc = `{ "x":"a", "choices" : [{"delta":{"content":"a\u0041"},"index":1}, {"index":0,"f":{"arguments":{"a":1e0,"b":[true,"a",null]}}}], "n":1 , "index":7}`
	var seen []string
	same, err := Rewrite([]byte(doc), func(at Place, text string) string {
		seen = append(seen, at.Index+at.Name+"="+text)
		return text
	})
	if err != nil || string(same) != doc {
		t.Errorf("%s, %v", same, err)
	}
	if got := strings.Join(seen, " "); got != "7/x=a 7/1/content=aA 7/0/arguments=a 7/0/arguments=1e0 7/0/arguments=b 7/0/arguments=a" {
		t.Error(got)
	}
	with, err := Rewrite([]byte(doc), func(_ Place, text string) string { return strings.NewReplacer("a", `"<`, "1e0", "[N_1]").Replace(text) })
	const want = `{ "x":"\"<", "choices" : [{"delta":{"content":"\"<A"},"index":1}, {"index":0,"f":{"arguments":{"\"<":"[N_1]","b":[true,"\"<",null]}}}], "n":1 , "index":7}`
	if err != nil || string(with) != want {
		t.Errorf("%s, %v", with, err)
	}
	if _, err := Rewrite([]byte(`{"a"`), nil); err == nil {
		t.Error("half a document was taken")
	}
}

func FuzzRewrite(f *testing.F) {
	for _, doc := range []string{`{"a":["b",{"input":{"c":1}}],"index":"x"}`, `"\ud800"`, `[]`, ` 1 `, `{"index":{"index":[1]}}`, "\"\xff\\\"\""} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		same, err := Rewrite(doc, func(_ Place, text string) string { return text })
		if (err == nil) != json.Valid(doc) || err == nil && string(same) != string(doc) {
			t.Fatalf("%q became %q, %v", doc, same, err)
		}
		other, err := Rewrite(doc, func(_ Place, text string) string { return text + `"[X_1]\` })
		if err == nil && !json.Valid(other) {
			t.Fatalf("%q became %q", doc, other)
		}
	})
}

func TestValuesInJSON(t *testing.T) {
	t.Parallel()
	taken := rules(t, Expression{"NAME", `A".*a\\`}).Begin()
	redacted := taken.Redact(`A"d<a\`)
	if redacted != "[NAME_1]" {
		t.Fatal(redacted)
	}
	r := taken.Restorer()
	if got := r.Text(`{"to":"`+redacted+`"}`, true); got != `{"to":"A\"d<a\\"}` {
		t.Error(got)
	}
	if got := r.Text(redacted, false); got != `A"d<a\` {
		t.Error(got)
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	r := rules(t)
	for text, want := range map[string]string{
		`{"a\nada@example.org":"\nada@example.org", "n":4111111111111111, "x":[1,true]}`: `{"a\n[EMAIL_1]":"\n[EMAIL_1]", "n":"[CARD_1]", "x":[1,true]}`,
		"{ada@example.org": "{[EMAIL_1]", "": "", "4111111111111111": `"[CARD_1]"`,
	} {
		got := RewriteArguments(text, r.Begin().Redact)
		if got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
}
