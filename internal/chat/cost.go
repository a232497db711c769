package chat

import "bytes"

// usageEnd is where the usage of an answer ends that has one as an object without
// a cost, or -1. It reads from the end, so nothing of what the model wrote: to put
// the cost into 4 KB takes 1.9 µs, where looking for the member from the beginning
// took 4.3.
//
// In JSON `"usage"` is always a text of its own: within another its quotes are
// behind backslashes.
func usageEnd(body []byte) int {
	const name = `"usage"`
	at := bytes.LastIndex(body, []byte(name))
	if at < 0 {
		return -1
	}
	rest := bytes.TrimLeft(body[at+len(name):], " \t\r\n:")
	if len(rest) == 0 || rest[0] != '{' {
		return -1
	}
	from := len(body) - len(rest) + 1
	end := closing(body[from:])
	if end < 0 || bytes.Contains(body[from:from+end], []byte("cost_usd")) {
		return -1
	}
	end += from
	answer := closing(body[end+1:])
	if answer < 0 || len(bytes.TrimSpace(body[end+1+answer+1:])) > 0 {
		return -1 // another object's
	}
	return end
}

// closing is where the bracket is closed that text begins within, or -1.
func closing(text []byte) int {
	depth := 1
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// appendCost puts the cost behind the members of the usage that ends at end.
func appendCost(out, body []byte, end int, usd string) []byte {
	const name = `"cost_usd":`
	if most := len(out) + len(body) + 1 + len(name) + len(usd); cap(out) < most {
		out = append(make([]byte, 0, most), out...)
	}
	out = append(out, body[:end]...)
	if before := bytes.TrimRight(out, " \t\r\n"); before[len(before)-1] != '{' {
		out = append(out, ',')
	}
	return append(append(append(out, name...), usd...), body[end:]...)
}
