package cache

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// errJSON says that a text is no JSON value, or one that is nested too deep.
var errJSON = errors.New("not a JSON value")

// deepest is how far values may be nested: deeper than what a provider takes.
const deepest = 200

// canonical writes JSON values so that equal ones read the same, and others
// never do: without white space, members sorted by name, strings without
// escapes and behind their length, numbers as digits and an exponent. Members
// with the same name all stay, in their order.
//
// It reads the text once and keeps no tree: a request passes here before it is
// answered.
type canonical struct {
	in  []byte
	at  int // in it
	out []byte

	duplicates bool // a name occurred twice in an object

	spans   []span // of members of the objects that are being read
	scratch []byte
}

// span is a member in out.
type span struct{ from, name, to int }

// Kinds of values in the canonical form. Each says how much follows.
const (
	kindNull   = 'n'
	kindTrue   = 't'
	kindFalse  = 'f'
	kindString = 's' // length, bytes
	kindNumber = 'd' // sign, length, digits, exponent
	kindRaw    = 'r' // length, a number as it was written
	kindArray  = '[' // values, then ']'
	kindObject = '{' // names and values, then '}'
)

// value reads one value, at a depth.
func (c *canonical) value(depth int) error {
	c.space()
	if c.at == len(c.in) || depth > deepest {
		return errJSON
	}
	switch b := c.in[c.at]; b {
	case '{':
		return c.object(depth)
	case '[':
		return c.array(depth)
	case '"':
		return c.string()
	case 't':
		return c.literal("true", kindTrue)
	case 'f':
		return c.literal("false", kindFalse)
	case 'n':
		return c.literal("null", kindNull)
	default:
		return c.number()
	}
}

// end reads white space up to the end of the text.
func (c *canonical) end() error {
	c.space()
	if c.at != len(c.in) {
		return errJSON
	}
	return nil
}

func (c *canonical) space() {
	for c.at < len(c.in) {
		switch c.in[c.at] {
		case ' ', '\t', '\n', '\r':
			c.at++
		default:
			return
		}
	}
}

// next reads one byte behind white space.
func (c *canonical) next() byte {
	c.space()
	if c.at == len(c.in) {
		return 0
	}
	c.at++
	return c.in[c.at-1]
}

func (c *canonical) literal(word string, kind byte) error {
	if !bytes.HasPrefix(c.in[c.at:], []byte(word)) {
		return errJSON
	}
	c.at += len(word)
	c.out = append(c.out, kind)
	return nil
}

func (c *canonical) array(depth int) error {
	c.at++
	c.out = append(c.out, kindArray)
	if c.space(); c.at < len(c.in) && c.in[c.at] == ']' {
		c.at++
		c.out = append(c.out, ']')
		return nil
	}
	for {
		if err := c.value(depth + 1); err != nil {
			return err
		}
		switch c.next() {
		case ',':
		case ']':
			c.out = append(c.out, ']')
			return nil
		default:
			return errJSON
		}
	}
}

func (c *canonical) object(depth int) error {
	mark := len(c.spans)
	c.out = append(c.out, kindObject)
	start := len(c.out)
	err := c.members(func(span) error { return c.value(depth + 1) })
	if err != nil {
		return err
	}
	c.sort(start, c.spans[mark:])
	c.spans = c.spans[:mark]
	c.out = append(c.out, '}')
	return nil
}

// members reads an object. value reads the value of the member whose name it
// is given, as a span without an end yet.
func (c *canonical) members(value func(span) error) error {
	c.at++
	if c.space(); c.at < len(c.in) && c.in[c.at] == '}' {
		c.at++
		return nil
	}
	for {
		if c.space(); c.at == len(c.in) || c.in[c.at] != '"' {
			return errJSON
		}
		s := span{from: len(c.out)}
		if err := c.string(); err != nil {
			return err
		}
		s.name = len(c.out)
		if c.next() != ':' {
			return errJSON
		}
		if err := value(s); err != nil {
			return err
		}
		if s.to = len(c.out); s.to > s.from {
			c.spans = append(c.spans, s)
		}
		switch c.next() {
		case ',':
		case '}':
			return nil
		default:
			return errJSON
		}
	}
}

// sort puts the members, which out has from start on, in the order of their
// names.
func (c *canonical) sort(start int, members []span) {
	byName := func(a, b span) int {
		return cmp.Or(bytes.Compare(c.out[a.from:a.name], c.out[b.from:b.name]), cmp.Compare(a.from, b.from))
	}
	if !slices.IsSortedFunc(members, byName) {
		slices.SortFunc(members, byName)
		c.scratch = c.scratch[:0]
		for i, m := range members {
			from := start + len(c.scratch)
			c.scratch = append(c.scratch, c.out[m.from:m.to]...)
			members[i] = span{from: from, name: from + m.name - m.from, to: from + m.to - m.from}
		}
		copy(c.out[start:], c.scratch)
	}
	for i := 1; i < len(members); i++ {
		a, b := members[i-1], members[i]
		c.duplicates = c.duplicates || bytes.Equal(c.out[a.from:a.name], c.out[b.from:b.name])
	}
}

// string reads a string. Without an escape its bytes stay as they are.
func (c *canonical) string() error {
	c.at++
	rest := c.in[c.at:]
	for i, b := range rest {
		switch {
		case b == '"':
			c.out = appendBytes(append(c.out, kindString), rest[:i])
			c.at += i + 1
			return nil
		case b == '\\':
			return c.escaped(i)
		case b < ' ':
			return errJSON
		}
	}
	return errJSON
}

// escaped reads a string whose first escape is so many bytes ahead.
func (c *canonical) escaped(ahead int) error {
	c.scratch = append(c.scratch[:0], c.in[c.at:c.at+ahead]...)
	c.at += ahead
	for c.at < len(c.in) {
		b := c.in[c.at]
		c.at++
		switch {
		case b == '"':
			c.out = appendBytes(append(c.out, kindString), c.scratch)
			return nil
		case b == '\\':
			if err := c.escape(); err != nil {
				return err
			}
		case b < ' ':
			return errJSON
		default:
			c.scratch = append(c.scratch, b)
		}
	}
	return errJSON
}

// escape reads what follows a backslash.
func (c *canonical) escape() error {
	if c.at == len(c.in) {
		return errJSON
	}
	b := c.in[c.at]
	c.at++
	switch b {
	case '"', '\\', '/':
	case 'b':
		b = '\b'
	case 'f':
		b = '\f'
	case 'n':
		b = '\n'
	case 'r':
		b = '\r'
	case 't':
		b = '\t'
	case 'u':
		return c.unicode()
	default:
		return errJSON
	}
	c.scratch = append(c.scratch, b)
	return nil
}

// unicode reads the digits of \uXXXX, and a second half that belongs to it. A
// half without the other has no UTF-8: it keeps three bytes of its own, so that
// it differs from all else.
func (c *canonical) unicode() error {
	r, ok := c.hex(c.at)
	if !ok {
		return errJSON
	}
	c.at += 4
	if utf16.IsSurrogate(r) {
		if low, ok := c.hex(c.at + 2); ok && c.in[c.at] == '\\' && c.in[c.at+1] == 'u' {
			if whole := utf16.DecodeRune(r, low); whole != utf8.RuneError {
				c.at += 6
				c.scratch = utf8.AppendRune(c.scratch, whole)
				return nil
			}
		}
		c.scratch = append(c.scratch, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
		return nil
	}
	c.scratch = utf8.AppendRune(c.scratch, r)
	return nil
}

func (c *canonical) hex(at int) (rune, bool) {
	if at+4 > len(c.in) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(c.in[at:at+4]), 16, 32)
	return rune(n), err == nil
}

// number reads a number. Its value is ±0.digits × 10^exponent with neither a
// leading nor a trailing zero among the digits, which any way of writing it
// comes to; no digit is lost. 0 has none, and no sign.
func (c *canonical) number() error {
	from := c.at
	negative := c.skip('-')
	whole := c.digits()
	if len(whole) == 0 || len(whole) > 1 && whole[0] == '0' {
		return errJSON
	}
	var fraction []byte
	if c.skip('.') {
		if fraction = c.digits(); len(fraction) == 0 {
			return errJSON
		}
	}
	shift, ok, err := c.exponent()
	if err != nil {
		return err
	}
	if !ok {
		c.out = appendBytes(append(c.out, kindRaw), c.in[from:c.at])
		return nil
	}
	c.appendNumber(negative, whole, fraction, shift)
	return nil
}

func (c *canonical) appendNumber(negative bool, whole, fraction []byte, shift int64) {
	c.scratch = append(append(c.scratch[:0], whole...), fraction...)
	digits := bytes.TrimLeft(c.scratch, "0")
	shift += int64(len(whole)) - int64(len(c.scratch)-len(digits))
	digits = bytes.TrimRight(digits, "0")
	sign := byte('+')
	if len(digits) == 0 {
		shift = 0
	} else if negative {
		sign = '-'
	}
	c.out = appendBytes(append(c.out, kindNumber, sign), digits)
	c.out = binary.AppendVarint(c.out, shift)
}

// exponent reads what may follow the digits of a number. ok is false where it
// is too large to reckon with.
func (c *canonical) exponent() (shift int64, ok bool, err error) {
	if !c.skip('e') && !c.skip('E') {
		return 0, true, nil
	}
	negative := c.skip('-')
	if !negative {
		c.skip('+')
	}
	digits := c.digits()
	if len(digits) == 0 {
		return 0, false, errJSON
	}
	n, err := strconv.ParseInt(string(digits), 10, 32)
	if negative {
		n = -n
	}
	return n, err == nil, nil
}

func (c *canonical) skip(b byte) bool {
	if c.at < len(c.in) && c.in[c.at] == b {
		c.at++
		return true
	}
	return false
}

func (c *canonical) digits() []byte {
	from := c.at
	for c.at < len(c.in) && '0' <= c.in[c.at] && c.in[c.at] <= '9' {
		c.at++
	}
	return c.in[from:c.at]
}

// appendBytes appends b behind its length.
func appendBytes[T string | ~[]byte](out []byte, b T) []byte {
	return append(binary.AppendUvarint(out, uint64(len(b))), b...)
}
