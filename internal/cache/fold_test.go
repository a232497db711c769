package cache

import (
	"strings"
	"testing"
	"unicode"

	"github.com/busuhq/busu/internal/llm"
)

func similar(t *testing.T, text string) Key {
	t.Helper()
	k, ok := Keys{Scope: ScopeProject, Similar: true}.Of(Question{Project: "p",
		Request: &llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Content: text}}}})
	if !ok {
		t.Fatalf("%q has no key", text)
	}
	return k
}

func TestWhatSaysTheSameSharesAKey(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{"What is the capital of France?", "what is the capital of france", " What  is the\ncapital of France ?!", "WHAT IS THE CAPITAL OF FRANCE...", "What is the capital of France？"},
		{"Wie heißt du?", "wie heißt du"},
		{"cafe\u0301", "caf\u00e9", "CAFÉ."},
		{"ｆｕｌｌ　ｗｉｄｔｈ １２", "full width 12"},
		{"the ﬁle", "the file"},
		{"a\u00a0b", "a b"},
		{"turn on", "Turn on.", "turn  ON"},
		{"How old is she in 2020?", "how old is she in 2020."},
	} {
		want := similar(t, same[0])
		for _, other := range same[1:] {
			got := similar(t, other)
			if got.Sum != want.Sum {
				t.Errorf("%q and %q are kept apart", same[0], other)
			}
			if got.Exact == want.Exact {
				t.Errorf("%q and %q count as the same words", same[0], other)
			}
		}
	}
}

func TestWhatSaysSomethingElseNeverMeets(t *testing.T) {
	t.Parallel()
	seen := map[[32]byte]string{}
	for _, text := range []string{
		"turn on", "turn off", "turn on off", "turnon", "do not turn on", "don't turn on", "turn on?no",
		"What is 2² in words", "What is 22 in words", "What is 2₂ in words", "What is ② in words", "What is 2 in words",
		"1½ cups", "11⁄2 cups", "11/2 cups", "xⁿ", "xn",
		"What is 5!", "What is 5", "What is n!", "What is n", "5! = 120", "5 = 120",
		"C++", "C#", "C", "print Foo;", "print foo;", "if x:\n  a\nb", "if x:\n  a\n  b", "if x: a b",
		"`A`", "`a`", "Translate \"May\"", "Translate \"may\"", "A=1", "a=1", "...", "?", "!", "", "a/b", "a b", "1.5", "15", "1 5", "-5", "5 -",
	} {
		k := similar(t, text)
		if other, ok := seen[k.Sum]; ok {
			t.Errorf("%q and %q share a key", text, other)
		}
		seen[k.Sum] = text
	}
}

// Only what the user says is folded: in the words of our own and in a body.
func TestOnlyWhatTheUserSaysIsFolded(t *testing.T) {
	t.Parallel()
	of := func(body string) Key {
		k, ok := Keys{Similar: true}.Of(Question{Request: &llm.Request{Body: []byte(body)}})
		if !ok {
			t.Fatalf("%s has no key", body)
		}
		return k
	}
	for _, c := range []struct {
		name, a, b string
		same       bool
	}{
		{"user", `{"messages":[{"role":"user","content":"Hi there"}]}`, `{"messages":[{"content":"hi  there.","role":"user"}]}`, true},
		{"parts", `{"messages":[{"role":"user","content":[{"type":"text","text":"Hi there"}]}]}`, `{"messages":[{"role":"user","content":[{"text":"hi there!","type":"text"}]}]}`, true},
		{"system", `{"messages":[{"role":"system","content":"Hi there"}]}`, `{"messages":[{"role":"system","content":"hi there"}]}`, false},
		{"tool", `{"messages":[{"role":"tool","content":"Hi there"}]}`, `{"messages":[{"role":"tool","content":"hi there"}]}`, false},
		{"another part", `{"messages":[{"role":"user","content":[{"type":"x","text":"Hi there"}]}]}`, `{"messages":[{"role":"user","content":[{"type":"x","text":"hi there"}]}]}`, false},
		{"unknown member", `{"messages":[{"role":"user","content":"hi","x":"A"}]}`, `{"messages":[{"role":"user","content":"hi","x":"a"}]}`, false},
		{"unknown at the top", `{"messages":[{"role":"user","content":"hi"}],"x":"A"}`, `{"messages":[{"role":"user","content":"hi"}],"x":"a"}`, false},
		{"twice", `{"messages":[{"role":"user","content":"hi","content":"ho"}]}`, `{"messages":[{"role":"user","content":"ho"}]}`, false},
		{"no messages", `{"input":"Hi"}`, `{"input":"hi"}`, false},
	} {
		if got := of(c.a).Sum == of(c.b).Sum; got != c.same {
			t.Errorf("%s: %s and %s share a key: %v", c.name, c.a, c.b, got)
		}
	}
}

// Folding twice is folding once, and no word is lost or made.
func FuzzFold(f *testing.F) {
	for _, s := range []string{"What is 2²?", "turn on", "ﬁ ½ İ ẞ", "n!", "a ?", "\u0301²\u0301", "Ａ！", "ʰ", "º."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := fold(text)
		if twice := fold(once); twice != once {
			t.Errorf("%q becomes %q, then %q", text, once, twice)
		}
		ascii := strings.IndexFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) < 0
		letters := func(s string) string {
			return strings.ToLower(strings.Map(func(r rune) rune {
				if unicode.IsLetter(r) || unicode.IsDigit(r) {
					return r
				}
				return -1
			}, s))
		}
		if ascii && letters(once) != letters(text) {
			t.Errorf("%q becomes %q", text, once)
		}
	})
}
