package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/busuhq/busu/internal/certificate"
	"github.com/busuhq/busu/internal/certificatetest"
	"github.com/busuhq/busu/internal/httpapi"
)

// secured is an API over TLS, as the program serves it.
type secured struct {
	*stack
	addr      string
	authority *certificatetest.Authority
	shown     *certificate.Keeper
	mu        sync.Mutex
	files     map[string][]byte
}

func serveSecurely(t *testing.T, choose ...func(*setup)) *secured {
	t.Helper()
	s := &secured{stack: build(choose...), authority: certificatetest.New(t), files: map[string][]byte{}}
	s.renew(t, time.Now().Add(time.Hour))
	log := slog.New(slog.DiscardHandler)
	var err error
	if s.shown, err = certificate.Keep(certificate.Files{Certificate: "crt", Key: "key"}, tls.VersionTLS12, s.read, time.Now(), log); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	server := httpapi.Server(s.Handler, log)
	server.TLSConfig = s.shown.Config()
	go func() { _ = server.ServeTLS(httpapi.Bound(l, 100), "", "") }()
	t.Cleanup(func() { _ = server.Close() })
	return s
}

func (s *secured) read(path string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text, ok := s.files[path]; ok {
		return text, nil
	}
	return nil, fs.ErrNotExist
}

// renew puts a new certificate into the files, which nobody has looked at yet.
func (s *secured) renew(t *testing.T, until time.Time) (cert []byte) {
	t.Helper()
	cert, key := s.authority.Issue(t, certificatetest.Wish{Names: []string{"busu.example"}, Until: until})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files["crt"], s.files["key"] = cert, key
	return cert
}

// client is one that comes anew, and speaks these protocols.
func (s *secured) client(t *testing.T, protocols ...string) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.authority.Pool(), ServerName: "busu.example", NextProtos: protocols},
		ForceAttemptHTTP2: len(protocols) == 0}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (s *secured) ask(t *testing.T, client *http.Client, method, path, body, host string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

// TestOverTLS: by both versions of HTTP there are answers, in pieces too, with
// headers as ever; WebSockets come by HTTP/1.1, as browsers do that have another
// connection by HTTP/2.
func TestOverTLS(t *testing.T) {
	t.Parallel()
	s := serveSecurely(t)
	for want, client := range map[string]*http.Client{"HTTP/2.0": s.client(t), "HTTP/1.1": s.client(t, "http/1.1")} {
		for _, body := range []string{`{"prompt": "Hello"}`, `{"prompt": "Hello", "stream": true}`} {
			answer := s.ask(t, client, "POST", "/complete", body, "")
			text, err := io.ReadAll(answer.Body)
			if err != nil || answer.Proto != want || answer.StatusCode != 200 || !bytes.Contains(text, []byte("request_id")) || answer.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %s %s, %v", want, answer.Proto, answer.Status, err)
			}
		}
		conn, _, err := websocket.Dial(t.Context(), "wss://"+s.addr+"/metrics/live", &websocket.DialOptions{HTTPClient: s.client(t, "http/1.1")})
		if err != nil {
			t.Fatal(err)
		}
		next(t, conn)
		_ = conn.CloseNow()
	}
}

// TestManyStreamsOverOneConnection: HTTP/2 has them side by side, and one that is
// left ends alone.
func TestManyStreamsOverOneConnection(t *testing.T) {
	t.Parallel()
	m := new(memory)
	m.add(firstLane, 3)
	s := serveSecurely(t, func(c *setup) { c.source = m })
	s.run(t)
	client := s.client(t)
	var all []*bufio.Scanner
	var first *http.Response
	made := new(atomic.Int64)
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		made.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	for range 10 {
		answer := s.ask(t, client, "GET", "/stream/completions?from=start", "", "")
		if answer.Proto != "HTTP/2.0" || answer.StatusCode != 200 {
			t.Fatalf("%s %s", answer.Proto, answer.Status)
		}
		if first == nil {
			first = answer
			continue
		}
		all = append(all, bufio.NewScanner(answer.Body))
	}
	_ = first.Body.Close()
	m.add(firstLane, 1)
	for _, lines := range all {
		until(t, lines, `"4-0"`)
	}
	if n := made.Load(); n != 1 {
		t.Errorf("they take %d connections", n)
	}
}

// until reads lines up to one that holds a text.
func until(t *testing.T, lines *bufio.Scanner, text string) {
	t.Helper()
	for lines.Scan() {
		if strings.Contains(lines.Text(), text) {
			return
		}
	}
	t.Fatalf("the stream ends before %s: %v", text, lines.Err())
}

// TestNewCertificatesLeaveStreamsAlone: who is connected stays so, and who comes
// is shown the new one.
func TestNewCertificatesLeaveStreamsAlone(t *testing.T) {
	t.Parallel()
	m := new(memory)
	m.add(firstLane, 1)
	s := serveSecurely(t, func(c *setup) { c.source = m })
	s.run(t)
	leafOf := func(r *http.Response) []byte { return r.TLS.PeerCertificates[0].Raw }
	old := s.client(t)
	open := s.ask(t, old, "GET", "/stream/completions?from=start", "", "")
	lines := bufio.NewScanner(open.Body)
	until(t, lines, `"1-0"`)
	cert := s.renew(t, time.Now().Add(2*time.Hour))
	s.shown.Look(time.Now())
	m.add(firstLane, 1)
	until(t, lines, `"2-0"`)
	if again := s.ask(t, old, "GET", "/healthz", "", ""); !bytes.Equal(leafOf(again), leafOf(open)) {
		t.Error("a connection that was there is another now")
	}
	block, _ := pem.Decode(cert)
	if newcomer := s.ask(t, s.client(t), "GET", "/healthz", "", ""); !bytes.Equal(leafOf(newcomer), block.Bytes) {
		t.Error("who comes is shown the old certificate")
	}
}

// TestStrictTransport: browsers are told to stay with HTTPS where busu has a name
// with HTTPS's own port, and nowhere else.
func TestStrictTransport(t *testing.T) {
	t.Parallel()
	s := serveSecurely(t, func(s *setup) { s.adminKey = "the admin key" })
	client := s.client(t)
	for host, want := range map[string]string{
		"busu.example": "max-age=31536000", "busu.example:8000": "", "127.0.0.1": "", "127.0.0.1:8000": "", "[::1]": "", "[::1]:8000": "", "localhost": "", "LOCALHOST:1": "",
	} {
		for _, path := range []string{"/healthz", "/keys", "/none"} {
			if got := s.ask(t, client, "GET", path, "", host).Header.Get("Strict-Transport-Security"); got != want {
				t.Errorf("%s%s: %q, not %q", host, path, got, want)
			}
		}
	}
	answer := s.ask(t, client, "POST", "/session", `{"key": "the admin key"}`, "busu.example")
	if cookies := answer.Cookies(); answer.StatusCode != 200 || len(cookies) != 1 || !cookies[0].Secure {
		t.Errorf("signing in over TLS gives %s and %v", answer.Status, cookies)
	}
	plain := serve(t)
	if got := plain.send(t, "GET", "/healthz", "", "Host: busu.example").Header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("without TLS: %q", got)
	}
}

// TestSlowHandshakes are given up as slow headers are: before there are any.
func TestSlowHandshakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := certificatetest.New(t)
		cert, key := a.Issue(t, certificatetest.Wish{})
		read := func(path string) ([]byte, error) { return map[string][]byte{"crt": cert, "key": key}[path], nil }
		shown, err := certificate.Keep(certificate.Files{Certificate: "crt", Key: "key"}, tls.VersionTLS12, read, time.Now(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		network := pipes{make(chan net.Conn), make(chan struct{})}
		server := httpapi.Server(build().Handler, slog.New(slog.DiscardHandler))
		server.TLSConfig = shown.Config()
		go func() { _ = server.ServeTLS(network, "", "") }()
		defer func() { _ = server.Close() }()
		conn, err := network.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		go trickle(t.Context(), conn, "\x16\x03\x01\x01\x00", time.Second)
		_, err = io.ReadAll(conn)
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("it took %s, %v", took, err)
		}
		_ = conn.Close()
	})
}
