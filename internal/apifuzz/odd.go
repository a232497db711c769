package apifuzz

import (
	"fmt"
	"strings"
)

// dress adds headers that browsers, proxies, and those who try things send.
func (d *draw) dress(r *request) {
	for range 1 + d.IntN(3) {
		line := pick(d, []string{
			"Accept: text/csv", "Accept: text/event-stream", "Accept: */*;q=0", "Accept: \xff", "Accept-Encoding: gzip, br", "Accept-Language: de",
			"Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-origin", "Referer: https://evil.example/",
			"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization", "Host: evil.example", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: evil.example",
			"X-Forwarded-Proto: https", "Forwarded: for=127.0.0.1;host=evil", "X-Original-URL: /keys", "X-Rewrite-URL: /keys", "X-HTTP-Method-Override: DELETE", "X-Real-IP: ::1",
			"Cookie: a=b", "Cookie: " + strings.Repeat("a=b; ", 500), "Content-Encoding: gzip", "Content-Encoding: br", "Range: bytes=0-1", "Range: bytes=9-,-1,0-0", "If-None-Match: *",
			"If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT", "X-Request-Id: " + strings.Repeat("i", 300), "X-Request-Id: \xff\xfe", "X-Request-Id: a", "anthropic-version: 2023-06-01",
			"anthropic-beta: x", "X-Busu-Project: acme", "X-Busu-Project: ../x", "X-Busu-Project: *", "X-Busu-Cache: bypass", "X-Busu-Cache: nope", "X-Busu-Max-Cost-Usd: NaN", "X-Busu-Min-Quality: 2",
			"X-Busu-Strategy: \xff", "X-Busu-User: " + strings.Repeat("u", 300), "Last-Event-ID: 0:0-0", "Last-Event-ID: 0:99999999999999999999-0", "Last-Event-ID: \xff", "Idempotency-Key: " + strings.Repeat("k", 256),
			"Idempotency-Key: ", "Idempotency-Key: \xff", "Expect: 100-continue", "Connection: close", "Connection: keep-alive, Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
			"TE: trailers", "Trailer: X", "Max-Forwards: 0", "Via: 1.1 evil", "X-Long: " + strings.Repeat("x", 20_000), "User-Agent: ", "X-Empty:", "Date: yesterday", "From: a@b",
		})
		r.headers = append(r.headers, line)
		if strings.HasPrefix(line, "Origin") || strings.HasPrefix(line, "Sec-Fetch-Site") || strings.HasPrefix(line, "Host") {
			r.ordinary = false
		}
	}
	if d.oneIn(12) { // what net/http itself refuses, before anything of ours is asked
		r.broken, r.ordinary = true, false
		r.headers = append(r.headers, pick(d, []string{"Bad Header: x", ": x", "No-Colon", "X-Nul: a\x00b", "Host: a\r\nHost: b", "Host: a b", "Expect: nonsense", "Transfer-Encoding: gzip",
			"Transfer-Encoding: chunked, chunked", "Content-Length: -1", "Content-Length: 1\r\nContent-Length: 2", " folded: x", "X-Huge: " + strings.Repeat("x", 80_000), "Content-Length: 99999999999999999999"}))
	}
	if d.oneIn(40) {
		for i := range 900 {
			r.headers = append(r.headers, fmt.Sprintf("X-Many-%d: x", i))
		}
	}
	if strings.HasPrefix(r.operation.path, "/metrics/live") && d.oneIn(2) {
		r.headers = append(r.headers, pick(d, [][]string{
			{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="},
			{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 12", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="},
			{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x"},
			{"Connection: Upgrade", "Upgrade: websocket"},
			{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Extensions: permessage-deflate; x=\"", "Sec-WebSocket-Protocol: a, b"},
		})...)
	}
}

// framing is how a body is told from what follows it.
type framing int

const (
	byLength framing = iota
	chunked
	chunkedOddly // with extensions and a trailer
	badChunks
	tooShort // less than was announced, and then nothing
	leaves   // in the middle, or before the answer
)

// frame draws one that a manner allows.
func (d *draw) frame(r *request) framing {
	f := byLength
	switch {
	case d.oneIn(5):
		f = chunked
	case r.manner == wild && d.oneIn(4):
		f = pick(d, []framing{chunkedOddly, badChunks, tooShort, leaves})
	}
	if f == leaves {
		r.hangsUp = true
	}
	if f == badChunks || f == tooShort || f == chunkedOddly {
		r.broken = true
	}
	return f
}
