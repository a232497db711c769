package apifuzz

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/contract"
)

// wire is one connection, opened again when it was closed.
type wire struct {
	addr     string
	patience time.Duration
	conn     net.Conn
	in       *bufio.Reader
}

// most is read of an answer that has no end.
const most = 32 << 20

func (w *wire) close() {
	if w.conn != nil {
		_ = w.conn.Close() // it has served
		w.conn = nil
	}
}

func (w *wire) open(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", w.addr)
	if err == nil {
		w.conn, w.in = conn, bufio.NewReader(conn)
	}
	return err
}

// exchange sends a request and reads its answer. A connection that the server
// has closed meanwhile, as it may, is opened anew, once.
func (w *wire) exchange(ctx context.Context, r *request) (answer, error) {
	used := w.conn != nil
	got, err := w.once(ctx, r)
	if err != nil {
		w.close()
		if used && !r.hangsUp && !r.broken && ctx.Err() == nil {
			if got, err = w.once(ctx, r); err != nil {
				w.close()
			}
		}
	}
	if r.hangsUp || r.broken || got.hurry {
		w.close()
	}
	return got, err
}

func (w *wire) once(ctx context.Context, r *request) (answer, error) {
	if err := w.open(ctx); err != nil {
		return answer{}, err
	}
	if err := w.conn.SetDeadline(time.Now().Add(w.patience)); err != nil {
		return answer{}, err
	}
	sent := make(chan error, 1)
	conn := w.conn
	go func() { // a server may answer before it has everything
		_, err := conn.Write(r.bytes(w.addr))
		if half, ok := conn.(*net.TCPConn); ok && r.framing == tooShort && err == nil {
			err = half.CloseWrite()
		}
		sent <- err
	}()
	if r.hangsUp {
		<-sent
		return answer{}, nil
	}
	got, err := w.read(r)
	if err != nil || got.hurry {
		w.close() // or the rest of the body would be written for as long as patience lasts
	}
	<-sent
	return got, err
}

// bytes is the request as it is sent.
func (r *request) bytes(addr string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", r.method, r.target)
	if !strings.Contains(strings.ToLower("\n"+strings.Join(r.headers, "\n")), "\nhost:") {
		fmt.Fprintf(&b, "Host: %s\r\n", addr)
	}
	for _, line := range r.headers {
		b.WriteString(line + "\r\n")
	}
	r.writeBody(&b)
	return b.Bytes()
}

func (r *request) writeBody(b *bytes.Buffer) {
	switch r.framing {
	case chunked, chunkedOddly, badChunks:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		for rest := r.body; len(rest) > 0; {
			n := min(len(rest), 1+len(r.body)/3)
			extension := ""
			if r.framing == chunkedOddly {
				extension = `;a="b";c`
			}
			fmt.Fprintf(b, "%x%s\r\n%s\r\n", n, extension, rest[:n])
			rest = rest[n:]
		}
		switch r.framing {
		case badChunks:
			b.WriteString("zz\r\nxx\r\n0\r\n\r\n")
		case chunkedOddly:
			b.WriteString("0\r\nX-Trailer: y\r\nAuthorization: Bearer other\r\n\r\n")
		default:
			b.WriteString("0\r\n\r\n")
		}
	case tooShort:
		fmt.Fprintf(b, "Content-Length: %d\r\n\r\n%s", len(r.body)+10, r.body)
	case leaves:
		fmt.Fprintf(b, "Content-Length: %d\r\n\r\n%s", len(r.body), r.body[:len(r.body)/2])
	default:
		if len(r.body) > 0 || r.method == http.MethodPost {
			fmt.Fprintf(b, "Content-Length: %d\r\n", len(r.body))
		}
		b.WriteString("\r\n")
		b.Write(r.body)
	}
}

// read reads an answer to its end, or, of one that has none, its beginning.
func (w *wire) read(r *request) (answer, error) {
	for {
		response, err := http.ReadResponse(w.in, &http.Request{Method: r.method})
		if err != nil {
			return answer{}, err
		}
		if response.StatusCode == http.StatusContinue {
			continue
		}
		got := answer{Answer: contract.Answer{Status: response.StatusCode, Header: response.Header}, hurry: response.Close}
		if response.StatusCode == http.StatusSwitchingProtocols {
			frame := make([]byte, 2)
			_, err := io.ReadFull(w.in, frame)
			got.hurry = true
			return got, err
		}
		if strings.HasPrefix(r.operation.path, "/stream/") && strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") && r.method != http.MethodHead {
			got.hurry = true
			got.Body, err = firstBlock(response.Body) // to close it would be to wait for its end
			return got, err
		}
		defer response.Body.Close()
		got.Body, err = io.ReadAll(io.LimitReader(response.Body, most))
		return got, err
	}
}

// firstBlock reads what a feed begins with.
func firstBlock(body io.Reader) (block []byte, err error) {
	lines := bufio.NewReader(body)
	for {
		line, err := lines.ReadBytes('\n')
		block = append(block, line...)
		if err != nil || len(line) == 1 {
			return block, err
		}
	}
}
