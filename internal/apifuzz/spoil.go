package apifuzz

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// spoiled writes a value as JSON, but for one place in it that is wrong, or is
// no JSON at all.
func (d *draw) spoiled(value any) []byte {
	w := writer{draw: d, at: d.IntN(places(value))}
	w.write(value)
	return w.out
}

func places(value any) int {
	n := 1
	switch v := value.(type) {
	case map[string]any:
		for _, member := range v {
			n += places(member)
		}
	case []any:
		for _, one := range v {
			n += places(one)
		}
	}
	return n
}

// writer writes JSON and counts down to the place that it spoils.
type writer struct {
	*draw
	at  int
	out []byte
}

func (w *writer) write(value any) {
	w.at--
	if w.at == -1 {
		w.spoil(value)
		return
	}
	switch v := value.(type) {
	case map[string]any:
		w.out = append(w.out, '{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				w.out = append(w.out, ',')
			}
			w.out = append(append(w.out, plain(name)...), ':')
			w.write(v[name])
		}
		w.out = append(w.out, '}')
	case []any:
		w.out = append(w.out, '[')
		for i, one := range v {
			if i > 0 {
				w.out = append(w.out, ',')
			}
			w.write(one)
		}
		w.out = append(w.out, ']')
	default:
		w.out = append(w.out, plain(v)...)
	}
}

// plain is JSON of what draw draws, which always has one.
func plain(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("%T has no JSON", value))
	}
	return text
}

// spoil writes what is wrong in place of a value: in an object rather with one
// of its members.
func (w *writer) spoil(value any) {
	members, ok := value.(map[string]any)
	if !ok || w.oneIn(4) {
		w.out = append(w.out, w.wrong()...)
		return
	}
	text := strings.TrimSuffix(string(plain(members)), "}")
	comma := ""
	if len(members) > 0 {
		comma = ","
	}
	some := "x"
	if names := slices.Sorted(maps.Keys(members)); len(names) > 0 {
		some = pick(w.draw, names)
	}
	switch w.IntN(4) {
	case 0: // one more that nobody knows
		text += comma + pick(w.draw, []string{`"promt":1`, `"__proto__":{"admin":true}`, `"":null`, `"Prompt":"a"`, `"project":"other"`, `"role":"admin"`}) + "}"
	case 1: // one twice
		text += comma + string(plain(some)) + ":" + w.wrong() + "}"
	case 2: // one is missing
		rest := maps.Clone(members)
		delete(rest, some)
		text = string(plain(rest))
	case 3: // one is something else
		rest := maps.Clone(members)
		delete(rest, some)
		text = strings.TrimSuffix(string(plain(rest)), "}")
		if len(rest) > 0 {
			text += ","
		}
		text += string(plain(some)) + ":" + w.wrong() + "}"
	}
	w.out = append(w.out, text...)
}

// wrong is in place of a value, JSON or not.
func (d *draw) wrong() string {
	if d.oneIn(12) {
		return d.long()
	}
	return pick(d, []string{
		`null`, `true`, `""`, `" "`, `[]`, `{}`, `[null]`, `[[[]]]`, `{"a":{"b":[{}]}}`, `"x"`,
		`0`, `-0`, `-1`, `0.5`, `1e-9`, `1e308`, `1e309`, `-1e999`, `9223372036854775807`, `9223372036854775808`, `-9223372036854775809`,
		`18446744073709551616`, `4294967296`, `2147483648`, `0.1e-400`, `123456789012345678901234567890.5`, strings.Repeat("9", 400),
		`NaN`, `Infinity`, `-Infinity`, `+1`, `01`, `1.`, `.5`, `0x10`, `1e`, `undefined`, `'x'`, `tru`, `nul`, `"x`, `[1,`, `{"a"`, `{,}`, `[,]`, `//`,
		`"\u0000"`, `"\ud83d"`, `"\ude00\ud83d"`, `"\x41"`, `"\u12"`, "\"\xff\xfe\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"a\nb\"", "\"a\x00b\"", "\"\x7f\"",
		`"2026-13-45T99:99:99Z"`, `"-1h"`, `"1000000h"`, `"1h1h"`, `"0s"`, `"NaN"`, `"*"`, `"../../etc/passwd"`, `"' OR 1=1 --"`, `"%00"`, `"${jndi:ldap://x}"`,
		`"http://169.254.169.254/"`, `"http://localhost/"`, `"https://0.0.0.0/"`, `"https://[::ffff:127.0.0.1]/"`, `"file:///etc/passwd"`, `"javascript:alert(1)"`,
		`"auto:"`, `"auto:nope"`, `"nope"`, `"019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11"`, `"9999-12-31T23:59:59Z"`, `"0001-01-01T00:00:00Z"`,
	})
}

// long is a value that is large in one of many ways.
func (d *draw) long() string {
	n := pick(d, []int{100, 257, 1_000, 10_000, 200_001})
	switch d.IntN(6) {
	case 0:
		return `"` + strings.Repeat("a", n) + `"`
	case 1:
		return `"` + strings.Repeat("é", n) + `"`
	case 2:
		return strings.Repeat("[", n) + strings.Repeat("]", n)
	case 3:
		return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n)
	case 4:
		return "[" + strings.Repeat(`"x",`, n) + `"x"]`
	default:
		var b strings.Builder
		for i := range min(n, 20_000) {
			fmt.Fprintf(&b, `,"k%d":"v"`, i)
		}
		return "{" + strings.TrimPrefix(b.String(), ",") + "}"
	}
}

// wild is a body that was never one.
func (d *draw) wild() []byte {
	switch d.IntN(8) {
	case 0:
		body := make([]byte, d.IntN(300))
		for i := range body {
			body[i] = byte(d.Uint32())
		}
		return body
	case 1:
		return []byte(d.wrong())
	case 2:
		return []byte(d.long())
	case 3:
		return []byte(pick(d, []string{"", " \n\t ", "hello", "a=1&b=2", "<?xml version=\"1.0\"?><a/>", "\ufeff{}", "{\x00\"\x00}\x00", "\x1f\x8b\x08\x00\x00\x00\x00\x00", "null", "[]", "42", `"prompt"`}))
	case 4:
		return []byte(`{"prompt": "a"}{"prompt": "b"}`)
	case 5:
		return []byte(strings.Repeat("[", 100_000))
	case 6:
		if d.oneIn(30) { // more than is taken
			return []byte(`{"prompt": "` + strings.Repeat("a", 5<<20) + `"}`)
		}
		return []byte(strings.Repeat(" ", 1000) + "{}")
	default:
		return []byte("--x\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nhello\r\n--x--\r\n")
	}
}
