package statement

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
)

// canonical writes a value in the one form that is signed, that of RFC 8785
// for what statements hold: no blanks; names in ASCII, in the order of their
// bytes; strings in UTF-8, of which only the quote, the backslash and control
// characters are escaped, the shortest way; numbers are integers of 64 bits, in
// decimal.
func canonical(v any) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	parsed, err := parse(text.Bytes())
	if err != nil {
		return nil, err
	}
	return appendCanonical(nil, parsed)
}

// parse reads one JSON value and nothing else.
func parse(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one value")
	}
	return v, nil
}

func appendCanonical(to []byte, v any) (_ []byte, err error) {
	switch v := v.(type) {
	case map[string]any:
		to = append(to, '{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				to = append(to, ',')
			}
			if slices.ContainsFunc([]byte(name), func(b byte) bool { return b < ' ' || b > '~' }) {
				return nil, fmt.Errorf("the name %q is not in ASCII", name)
			}
			to = append(appendString(to, name), ':')
			if to, err = appendCanonical(to, v[name]); err != nil {
				return nil, err
			}
		}
		return append(to, '}'), nil
	case []any:
		to = append(to, '[')
		for i, element := range v {
			if i > 0 {
				to = append(to, ',')
			}
			if to, err = appendCanonical(to, element); err != nil {
				return nil, err
			}
		}
		return append(to, ']'), nil
	case string:
		return appendString(to, v), nil
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is no integer of 64 bits", v)
		}
		return strconv.AppendInt(to, n, 10), nil
	case bool:
		return strconv.AppendBool(to, v), nil
	default:
		return append(to, "null"...), nil
	}
}

func appendString(to []byte, s string) []byte {
	short := map[byte]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}
	to = append(to, '"')
	for _, b := range []byte(s) {
		switch escaped, ok := short[b]; {
		case ok:
			to = append(to, '\\', escaped)
		case b < ' ':
			to = fmt.Appendf(to, `\u%04x`, b)
		default:
			to = append(to, b)
		}
	}
	return append(to, '"')
}
