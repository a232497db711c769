package cache

import (
	"bytes"
	"encoding/json"
	"math/big"
	"reflect"
	"strings"
	"testing"
)

// form is the canonical form of a text, and false when it is no JSON.
func form(text string) (string, bool) {
	c := canonical{in: []byte(text)}
	if c.value(0) != nil || c.end() != nil {
		return "", false
	}
	return string(c.out), true
}

func TestCanonicalForm(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{`{"a":1,"b":[true,null]}`, ` { "b" : [ true , null ] , "a" : 1 } `, "{\"b\":[true,null],\n\"a\":1e0}", `{"\u0061":10e-1,"b":[true,null]}`},
		{`1`, `1.0`, `1e0`, `10E-1`, `0.1e+1`, `0.0001e4`, `1.000e00`},
		{`0`, `-0`, `0.0`, `0e9`, `-0.00e-5`},
		{`-1234.5`, `-12345e-1`, `-1.2345E3`},
		{`123456789012345678901234567890`, `12345678901234567890123456789e1`},
		{`"é\n\/😀"`, `"\u00e9\u000a/\ud83d\ude00"`, `"\u00E9\n\u002f\uD83D\uDE00"`},
		{`{"b":{"d":1,"c":2},"a":[]}`, `{"a":[],"b":{"c":2,"d":1}}`},
	} {
		want, ok := form(same[0])
		if !ok {
			t.Fatalf("%s is refused", same[0])
		}
		for _, other := range same[1:] {
			if got, ok := form(other); !ok || got != want {
				t.Errorf("%s and %s differ: %q, %q", same[0], other, want, got)
			}
		}
	}
	seen := map[string]string{}
	for _, text := range []string{
		`1`, `-1`, `10`, `1e1000`, `1e1001`, `0.1`, `1e99999999999999999999`, `2e99999999999999999999`, `"1"`, `[1]`, `[[1]]`, `[1,1]`, `[11]`,
		`123456789012345678901234567890`, `123456789012345678901234567891`, `0.1234567890123456789`, `0.12345678901234567891`,
		`true`, `false`, `null`, `"true"`, `[]`, `{}`, `""`, `[""]`, `{"":""}`, `["",""]`, `" "`,
		`{"a":"b"}`, `["a","b"]`, `{"a":["b"]}`, `{"a":{"b":1}}`, `{"a":{},"b":1}`, `{"a":1,"a":2}`, `{"a":2,"a":1}`, `{"a":2}`, `{"a":1}`,
		`"\ud800"`, `"\ud801"`, `"\udc00"`, `"\ufffd"`, `"\ud800\ud800"`, `"a]"`, `["a"]`, `{"a}":1}`, `"A"`, `"a"`,
	} {
		got, ok := form(text)
		if !ok {
			t.Errorf("%s is refused", text)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%s and %s have the same form", text, other)
		}
		seen[got] = text
	}
	for _, text := range []string{``, ` `, `{`, `[`, `[1`, `[1,`, `[1,]`, `{"a"`, `{"a":`, `{"a":1,}`, `{a:1}`, `{"a" 1}`, `01`, `1.`, `.1`, `1e`, `1e+`, `-`, `+1`,
		`"`, `"a`, `"\`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"\n\"", `tru`, `nul`, `1 2`, `[] []`, strings.Repeat("[", 300) + strings.Repeat("]", 300)} {
		if got, ok := form(text); ok {
			t.Errorf("%s has the form %q", text, got)
		}
	}
}

// decode is what encoding/json understands, with numbers as fractions.
func decode(text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return exact(v)
}

func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		r, ok := new(big.Rat).SetString(v.String())
		if !ok {
			return v
		}
		return r.String()
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = exact(v[k])
		}
	}
	return v
}

// FuzzCanonical holds the canonical form against encoding/json: the same texts
// are JSON, and two have the same form when they mean the same.
func FuzzCanonical(f *testing.F) {
	f.Add(`{"a":1}`, `{ "a" : 1.0 }`)
	f.Add(`[1,2,{"b":"\u00e9"}]`, `[1,2,{"b":"é"}]`)
	f.Add(`{"messages":[{"role":"user","content":"x"}],"n":1}`, `{"n":1e0,"messages":[{"content":"x","role":"user"}]}`)
	f.Add(`"\ud83d\ude00"`, `"😀"`)
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > 1<<12 || len(b) > 1<<12 || hasLargeExponent(a) || hasLargeExponent(b) {
			return
		}
		forms := [2]string{}
		for i, text := range []string{a, b} {
			got, ok := form(text)
			if valid := json.Valid([]byte(text)); ok != valid && strings.Count(text, "[")+strings.Count(text, "{") < deepest {
				t.Fatalf("%q: has a form %v, is JSON %v", text, ok, valid)
			}
			if !ok {
				return
			}
			forms[i] = got
		}
		same := reflect.DeepEqual(decode([]byte(a)), decode([]byte(b)))
		if forms[0] == forms[1] && !same {
			t.Errorf("%q and %q differ and have the same form", a, b)
		}
		if same && forms[0] != forms[1] && !isAmbiguous(a) && !isAmbiguous(b) {
			t.Errorf("%q and %q mean the same: %q, %q", a, b, forms[0], forms[1])
		}
	})
}

// hasLargeExponent says that big.Rat would take long.
func hasLargeExponent(text string) bool {
	for i := range len(text) - 4 {
		if (text[i] == 'e' || text[i] == 'E') && strings.Trim(text[i+1:i+5], "+-0123456789") == "" {
			return true
		}
	}
	return false
}

// isAmbiguous says that encoding/json drops something: a member whose name
// comes twice, or what is no Unicode.
func isAmbiguous(text string) bool {
	c := canonical{in: []byte(text)}
	_ = c.value(0)
	return c.duplicates || strings.ToValidUTF8(text, "\ufffd") != text || strings.Contains(strings.ToLower(text), `\ud`)
}
