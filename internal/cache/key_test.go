package cache_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
)

func project() cache.Keys { return cache.Keys{Scope: cache.ScopeProject} }

func key(t *testing.T, k cache.Keys, q cache.Question) cache.Key {
	t.Helper()
	got, ok := k.Of(q)
	if !ok {
		t.Fatalf("no key for %+v, body %s", *q.Request, q.Request.Body)
	}
	return got
}

// full is a question with every field set.
func full() cache.Question {
	half, most := 0.5, 0.9
	return cache.Question{
		Project: "p", KeyID: "k", Holdout: true, Constraints: []string{"region=eu"},
		Experiments: []event.Arm{{Experiment: "e", Arm: "control"}},
		Request: &llm.Request{
			Format: llm.FormatMessages, Model: "m",
			Body: []byte(`{"model":"m","messages":[{"role":"user","content":"x"}],"unknown":1}`),
			Messages: []llm.Message{{Role: llm.RoleUser, Content: "a",
				Parts:     []llm.Part{{Kind: llm.PartText, Text: "b", URL: "c", MediaType: "d", Data: "e", Name: "f", Detail: "g"}},
				ToolCalls: []llm.ToolCall{{ID: "h", Name: "i", Arguments: "j"}}, ToolCallID: "k", Name: "l", Refusal: "m"}},
			MaxTokens: 7, Temperature: &half, TopP: &most, Stop: []string{"n"}, N: 1,
			Tools:      []llm.Tool{{Name: "o", Description: "p", Parameters: json.RawMessage(`{"q":1}`), Strict: true}},
			ToolChoice: llm.ToolChoice{Mode: "r", Name: "s"}, SerialTools: true,
			ResponseFormat: llm.ResponseFormat{Type: "t", Name: "u", Schema: json.RawMessage(`{"v":1}`), Strict: true}, Effort: "w",
		},
	}
}

// leaves visits every field that v is made of, down to single values.
func leaves(path string, v reflect.Value, visit func(path string, v reflect.Value)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			leaves(path+"."+v.Type().Field(i).Name, v.Field(i), visit)
		}
	case reflect.Pointer:
		leaves(path, v.Elem(), visit)
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			for i := range v.Len() {
				leaves(fmt.Sprintf("%s[%d]", path, i), v.Index(i), visit)
			}
		}
		visit(path, v)
	default:
		visit(path, v)
	}
}

// change gives a value another value.
func change(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Int:
		v.SetInt(v.Int() + 1)
	case reflect.Uint8:
		v.SetUint(v.Uint() - 1)
	case reflect.Float64:
		v.SetFloat(v.Float() / 3)
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"anthropic-beta": "x"}))
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(strings.Replace(string(v.Bytes()), "1", "2", 1)))
			return
		}
		v.Set(reflect.AppendSlice(v, v))
	}
}

// Whatever field of a question is changed, and whatever fields will come: the
// key is another one, unless the field is on this list.
func TestEveryFieldThatMattersChangesTheKey(t *testing.T) {
	t.Parallel()
	without := map[string]string{
		".Stream":         "an answer can be given in pieces or whole",
		".KeyID":          "the scope is the project",
		".Request.Model":  "models are named when the answer is looked up",
		".Request.Emit":   "an answer can be given in pieces or whole",
		".Request.N":      "several answers are not kept",
		".Request.Caller": "it says whose turn it is in a queue",
	}
	q := full()
	want, seen := key(t, project(), q), map[cache.Key]string{}
	seen[want] = "nothing"
	leaves("", reflect.ValueOf(&q), func(path string, v reflect.Value) {
		if _, ok := without[path]; ok {
			return
		}
		before := reflect.New(v.Type()).Elem()
		before.Set(v)
		change(v)
		got := key(t, project(), q)
		if other, ok := seen[got]; ok {
			t.Errorf("a change of %s and a change of %s have the same key", path, other)
		}
		seen[got] = path
		v.Set(before)
	})
	if got := key(t, project(), q); got != want || len(seen) < 40 {
		t.Fatalf("the question was not restored, or only %d fields were looked at", len(seen))
	}
	q.Request.Model, q.Request.Emit = "other", func(llm.Chunk) error { return nil }
	q.KeyID = "other"
	if got := key(t, project(), q); got != want {
		t.Error("the model or emit changes the key")
	}
	q.Request.N = 2
	if _, ok := project().Of(q); ok {
		t.Error("a request for several answers has a key")
	}
}

// Where one text ends and the next begins counts.
func TestTextsDoNotRunTogether(t *testing.T) {
	t.Parallel()
	message := func(all ...string) cache.Question {
		r := &llm.Request{}
		for i := 0; i < len(all); i += 2 {
			r.Messages = append(r.Messages, llm.Message{Role: all[i], Content: all[i+1]})
		}
		return cache.Question{Project: "p", Request: r}
	}
	seen := map[cache.Key]int{}
	for i, q := range []cache.Question{message("user", "ab"), message("usera", "b"), message("user", "a", "", "b"), message("user", "", "a", "b"),
		{Project: "p", Request: &llm.Request{Stop: []string{"a", "b"}}}, {Project: "p", Request: &llm.Request{Stop: []string{"ab"}}},
		{Project: "p", Request: &llm.Request{Stop: []string{"a"}, Effort: "b"}}} {
		k := key(t, project(), q)
		if other, ok := seen[k]; ok {
			t.Errorf("%d and %d have the same key", i, other)
		}
		seen[k] = i
	}
}

func body(text string) cache.Question {
	return cache.Question{Project: "p", Request: &llm.Request{Body: []byte(text)}}
}

// random makes a JSON value that an unknown member may have.
func random(r *rand.Rand, depth int) any {
	switch n := r.IntN(7); {
	case n == 0:
		return r.IntN(100)
	case n == 1:
		return r.Float64()
	case n == 2:
		return r.IntN(2) == 0
	case n < 5 || depth == 0:
		return fmt.Sprintf("text \"%d\" ü\n", r.IntN(1000))
	case n == 5:
		var list []any
		for range r.IntN(4) {
			list = append(list, random(r, depth-1))
		}
		return list
	default:
		object := map[string]any{}
		for range 1 + r.IntN(4) {
			object[fmt.Sprint("m", r.IntN(50))] = random(r, depth-1)
		}
		return object
	}
}

// rewrite writes a value another way: members shuffled, with white space.
func rewrite(r *rand.Rand, v any) string {
	space := func() string { return strings.Repeat(" ", r.IntN(2)) + strings.Repeat("\n\t", r.IntN(2)) }
	switch v := v.(type) {
	case map[string]any:
		var members []string
		for name, value := range v {
			members = append(members, space()+fmt.Sprintf("%q", name)+space()+":"+rewrite(r, value))
		}
		slices.Sort(members)
		r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		return space() + "{" + strings.Join(members, ",") + "}" + space()
	case []any:
		var values []string
		for _, value := range v {
			values = append(values, rewrite(r, value))
		}
		return space() + "[" + strings.Join(values, ",") + "]" + space()
	default:
		raw, _ := json.Marshal(v)
		return space() + string(raw) + space()
	}
}

// Neither the order of members, nor white space, nor what changes no answer
// changes the key of a body; any other member does.
func TestOnlyWhatMattersOfABodyChangesTheKey(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		b := map[string]any{"model": "m", "messages": []any{map[string]any{"role": "user", "content": "hello"}}, "temperature": 0.7}
		for range 1 + r.IntN(4) {
			b[fmt.Sprint("unknown", r.IntN(9))] = random(r, 3)
		}
		want := key(t, project(), body(rewrite(r, b)))
		for _, name := range []string{"model", "stream", "stream_options", "user", "safety_identifier", "metadata", "store"} {
			if r.IntN(2) == 0 {
				b[name] = random(r, 2)
			}
		}
		if got := key(t, project(), body(rewrite(r, b))); got != want {
			t.Fatalf("seed %d: %s has another key", seed, rewrite(r, b))
		}
		name := pickKey(r, b)
		b[name] = []any{b[name]}
		same := key(t, project(), body(rewrite(r, b))) == want
		if without := slices.Contains([]string{"model", "stream", "stream_options", "user", "safety_identifier", "metadata", "store"}, name); same != without {
			t.Fatalf("seed %d: another %s: the same key: %v", seed, name, same)
		}
	}
}

func pickKey(r *rand.Rand, m map[string]any) string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names[r.IntN(len(names))]
}

// Only those that a body has at its top change no answer: a tool's model or a
// message's user is something else.
func TestNamesCountBelowTheTop(t *testing.T) {
	t.Parallel()
	if key(t, project(), body(`{"a":{"user":"x"}}`)) == key(t, project(), body(`{"a":{"user":"y"}}`)) {
		t.Error("what is below the top was left out")
	}
}

// Tenants never share a key, whatever else they share.
func TestScopes(t *testing.T) {
	t.Parallel()
	ask := func(s cache.Scope, project, keyID string) cache.Key {
		q := full()
		q.Project, q.KeyID = project, keyID
		return key(t, cache.Keys{Scope: s, Similar: true}, q)
	}
	tenants := [][2]string{{"p", "k"}, {"p", "k2"}, {"p2", "k"}, {"pk", ""}, {"", "pk"}, {"p", ""}}
	for i, a := range tenants {
		for j, b := range tenants {
			for scope, shared := range map[cache.Scope]bool{cache.ScopeKey: i == j, cache.ScopeProject: a[0] == b[0], cache.ScopeAll: true} {
				if got := ask(scope, a[0], a[1]).Sum == ask(scope, b[0], b[1]).Sum; got != shared {
					t.Errorf("scope %s: %q and %q share: %v", scope, a, b, got)
				}
			}
		}
	}
	if ask(cache.ScopeAll, "", "").Sum == ask(cache.ScopeProject, "", "").Sum {
		t.Error("scopes share a key")
	}
}

func TestConstraintsHaveNoOrder(t *testing.T) {
	t.Parallel()
	with := func(c ...string) cache.Key {
		q := full()
		q.Constraints = c
		return key(t, project(), q)
	}
	if with("a", "b") != with("b", "a") || with("a", "b") == with("a") || with("a", "b") == with("ab") {
		t.Error("the order of constraints counts, or one of them does not")
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	k := key(t, project(), full())
	if k.Within([]string{"a", "b"}) != k.Within([]string{"b", "a"}) {
		t.Error("the order of models counts")
	}
	seen := map[[32]byte]bool{k.Sum: true}
	for _, models := range [][]string{nil, {"a"}, {"b"}, {"a", "b"}, {"ab"}} {
		if w := k.Within(models); seen[w] {
			t.Errorf("%q has the name of others", models)
		} else {
			seen[w] = true
		}
	}
}

// What pieces put together do not say cannot be kept from pieces, and cannot
// be given in pieces.
func TestWhatOnlyABodySaysHasNoKeyInPieces(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		`{"messages":[],"temperature":0,"seed":1,"user":"x"}`: true,
		`{"messages":[],"logprobs":false,"audio":null}`:       true,
		`{"messages":[],"logprobs":true}`:                     false,
		`{"messages":[],"modalities":["text","audio"]}`:       false,
		`{"messages":[],"thinking":{"type":"enabled"}}`:       false,
	} {
		q := body(text)
		if _, got := project().Of(q); !got {
			t.Errorf("%s has no key", text)
		}
		q.Stream = true
		if _, got := project().Of(q); got != ok {
			t.Errorf("%s in pieces has a key: %v", text, got)
		}
	}
	for _, text := range []string{``, `[]`, `"x"`, `{`, `{"a":1} x`} {
		if _, ok := project().Of(body(text)); ok {
			t.Errorf("%q has a key", text)
		}
	}
}

// A key changes only with keyVersion: what is kept would not be found.
func TestKeysStay(t *testing.T) {
	t.Parallel()
	if got := key(t, project(), full()).Name(); got != "q7AdZf2ZVypKzKiD8j5xf72asXdDKaYWyBjuHh4U42k" {
		t.Errorf("the key of a question has become %s: change keyVersion with the canonical form", got)
	}
}

func BenchmarkKey(b *testing.B) {
	for name, size := range map[string]int{"300B": 200, "4KB": 4000, "64KB": 64000} {
		b.Run(name, func(b *testing.B) {
			text := strings.Repeat("a word ", size/7)
			raw, _ := json.Marshal(map[string]any{"model": "auto", "temperature": 0, "stream": true,
				"messages": []any{map[string]any{"role": "system", "content": "Be short."}, map[string]any{"role": "user", "content": text}}})
			q := cache.Question{Project: "p", Request: &llm.Request{Body: raw,
				Messages: []llm.Message{{Role: "system", Content: "Be short."}, {Role: "user", Content: text}}}}
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := project().Of(q); !ok {
					b.Fatal("no key")
				}
			}
		})
	}
}
