package endpoint

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// plain calls hosts without TLS, such as models that run next door: it writes
// and reads in the goroutine of the call. http.Transport has two more for each
// connection, and hands every call to one and from the other. That is a quarter
// of what a routed request takes, of which this saves more than half.
//
// It knows one way to ask only, a POST whose body is at hand and fits into what
// the kernel buffers, so that writing it waits for nobody. Everything else is
// http.Transport's. Answers are read by http.ReadResponse: what frames them, and
// what is wrong with them, is decided as it is there.
type plain struct {
	dialer net.Dialer

	mu     sync.Mutex
	idle   map[string][]*wire // by host; those that were used last are at the end
	sweeps bool               // a sweep is to come
	closed bool               // nothing is kept any more
}

// wire is a connection, of one call at a time.
type wire struct {
	host  string
	conn  net.Conn
	alive func() bool
	in    *bufio.Reader
	head  int64     // bytes that the head of an answer may still have; while its body is read, any
	out   []byte    // memory for requests
	since time.Time // it is idle
}

const (
	mostPlainBody = 32 << 10 // bytes; a socket takes 64 KiB at least before it makes anyone wait
	mostHead      = 64 << 10 // of an answer, as with http.Transport
	mostInterim   = 5        // answers before the answer, such as 103
	idleFor       = 90 * time.Second
)

// newPlain is nil where a proxy is to be asked for such hosts.
func newPlain() *plain {
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "http", Host: "vendor.invalid"}})
	if proxy != nil || err != nil {
		return nil
	}
	return &plain{dialer: newDialer()}
}

// serves reports whether a body goes to u this way. Names that are not ASCII and
// addresses with a zone are http.Transport's.
func (p *plain) serves(u *url.URL, body []byte) bool {
	return u.Scheme == "http" && len(body) <= mostPlainBody &&
		!strings.ContainsFunc(u.Host, func(r rune) bool { return r <= ' ' || r == '%' || r > '~' })
}

// post sends body and gives the answer once its head is there. It is asked again
// only where nothing of the request can have left.
func (p *plain) post(ctx context.Context, u *url.URL, header http.Header, body []byte) (*http.Response, error) {
	if err := ctx.Err(); err != nil { // a connection that is kept could answer before it is closed
		return nil, err
	}
	for {
		w, used, err := p.take(ctx, u.Host)
		if err != nil {
			return nil, err
		}
		response, wrote, err := p.ask(ctx, w, u, header, body)
		if err != nil && used && !wrote && ctx.Err() == nil {
			continue // it was closed while it was idle
		}
		return response, err
	}
}

// ask has w bring one request and its answer. wrote says that the host may have
// seen some of the request.
func (p *plain) ask(ctx context.Context, w *wire, u *url.URL, header http.Header, body []byte) (_ *http.Response, wrote bool, err error) {
	stop := context.AfterFunc(ctx, func() { _ = w.conn.Close() })
	give := &answer{plain: p, wire: w, stop: stop}
	defer func() {
		if err != nil {
			give.end(false)
		}
	}()
	if w.out, err = appendRequest(w.out[:0], u, header, body); err != nil {
		return nil, false, err
	}
	if n, err := w.conn.Write(w.out); err != nil {
		return nil, n > 0, err
	}
	response, err := w.read(ctx)
	if err != nil {
		return nil, true, err
	}
	give.keep = !response.Close
	if response.Body == http.NoBody {
		give.end(give.keep)
		return response, true, nil
	}
	give.body, response.Body = response.Body, give
	return response, true, nil
}

// appendRequest writes a request. Names are canonical, as http.Header has them.
func appendRequest(b []byte, u *url.URL, header http.Header, body []byte) ([]byte, error) {
	b = append(append(b, "POST "...), u.RequestURI()...)
	b = append(append(b, " HTTP/1.1\r\nHost: "...), u.Host...)
	for name, values := range header {
		for _, value := range values {
			if strings.ContainsAny(name, " :\r\n\x00") || strings.ContainsAny(value, "\r\n\x00") {
				return b, fmt.Errorf("the header %q holds a sign that no header can carry", name)
			}
			b = append(append(append(append(b, "\r\n"...), name...), ": "...), value...)
		}
	}
	b = strconv.AppendInt(append(b, "\r\nContent-Length: "...), int64(len(body)), 10)
	return append(append(b, "\r\n\r\n"...), body...), nil
}

// read reads the head of an answer.
func (w *wire) read(ctx context.Context) (*http.Response, error) {
	w.head = mostHead
	if _, err := w.in.Peek(1); err != nil {
		return nil, fmt.Errorf("no answer: %w", err)
	}
	if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.GotFirstResponseByte != nil {
		trace.GotFirstResponseByte()
	}
	for range mostInterim {
		response, err := http.ReadResponse(w.in, nil)
		if err != nil {
			return nil, fmt.Errorf("no answer: %w", err)
		}
		if response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols {
			w.head = -1
			return response, nil
		}
	}
	return nil, errors.New("no answer: one that is not the last follows the other")
}

// errHead is an answer whose head has no end.
var errHead = errors.New("the head of the answer is larger than any can be")

// Read is where in reads from.
func (w *wire) Read(b []byte) (int, error) {
	if w.head < 0 {
		return w.conn.Read(b)
	}
	if w.head == 0 {
		return 0, errHead
	}
	n, err := w.conn.Read(b[:min(int64(len(b)), w.head)])
	w.head -= int64(n)
	return n, err
}

// answer is the body of one, and gives its connection to the next call once it
// is read to its end. Close may come at any time, also while it is read.
type answer struct {
	body  io.ReadCloser // is never closed: that would read what is left
	plain *plain
	wire  *wire
	stop  func() bool // ends the watch over the call's context
	keep  bool        // the host does
	ended sync.Once
}

func (a *answer) Read(b []byte) (int, error) {
	n, err := a.body.Read(b)
	if err != nil {
		a.end(errors.Is(err, io.EOF) && a.keep)
	}
	return n, err
}

func (a *answer) Close() error {
	a.end(false)
	return nil
}

// end gives the connection back, or closes it: the host sees at once that nobody
// listens any more.
func (a *answer) end(again bool) {
	a.ended.Do(func() {
		if a.stop() && again && a.wire.in.Buffered() == 0 && a.plain.put(a.wire) {
			return
		}
		_ = a.wire.conn.Close()
	})
}
