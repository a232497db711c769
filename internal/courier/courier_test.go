package courier

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/webhook"
)

func allowing(t *testing.T, entries ...string) webhook.Allow {
	t.Helper()
	a, err := webhook.ParseAllow(entries)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func testKeys(t *testing.T) webhook.Keys {
	t.Helper()
	k, err := webhook.ParseKeys(webhook.NewSecret() + "," + webhook.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func claim(to string) webhook.Claim {
	return webhook.Claim{Message: webhook.Message{ID: uuid.Must(uuid.NewV7()), Kind: "experiment.decided", URL: to, Body: []byte(`{"type": "experiment.decided"}`)}, Number: 3}
}

func TestMessageArrivesAsItWasSigned(t *testing.T) {
	t.Parallel()
	keys, now := testKeys(t), time.Now()
	c := claim("")
	var wrong atomic.Value
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = keys.Verify(r.Header.Get, body, now)
		}
		if err != nil || r.Method != http.MethodPost || string(body) != string(c.Body) || r.Header.Get("Content-Type") != "application/json" ||
			r.Header.Get(webhook.HeaderID) != c.ID.String() || r.URL.RequestURI() != "/hook?token=secret" {
			wrong.Store(fmt.Sprintf("%s %s, %s, %v: %v", r.Method, r.URL, body, r.Header, err))
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()
	c.URL = receiver.URL + "/hook?token=secret"
	a := New(allowing(t, "127.0.0.1")).Send(t.Context(), c, keys, now)
	if a.Number != 3 || a.Status != 204 || a.Error != "" || !a.At.Equal(now) || !(a.TookMS > 0) {
		t.Errorf("it came to %+v", a)
	}
	if w := wrong.Load(); w != nil {
		t.Errorf("received was %s", w)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	var strayed, sent atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed.Add(1) }))
	defer elsewhere.Close()
	let := make(chan struct{})
	handlers := map[string]http.HandlerFunc{
		"/200": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "thank you") },
		"/301": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusMovedPermanently)
		},
		"/307": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
		"/410":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) },
		"/429":      func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "120"); w.WriteHeader(429) },
		"/500":      func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "secret", 500) },
		"/endless":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, endless{&sent}) },
		"/headers":  func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", mostHeaders)) },
		"/slow":     func(http.ResponseWriter, *http.Request) { <-let },
		"/hangs-up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handlers[r.URL.Path](w, r) }))
	defer receiver.Close()
	defer close(let)
	c := New(allowing(t, "127.0.0.1"))
	c.within = 2 * time.Second
	keys := testKeys(t)
	for path, want := range map[string]webhook.Attempt{
		"/200": {Status: 200}, "/endless": {Status: 200},
		"/301": {Status: 301, Error: "redirects are not followed"}, "/307": {Status: 307, Error: "redirects are not followed"},
		"/410": {Status: 410, Error: "410"}, "/429": {Status: 429, Error: "429", RetryAfter: 2 * time.Minute}, "/500": {Status: 500, Error: "500"},
		"/headers": {Error: "header"}, "/slow": {Error: "longer than 2s"}, "/hangs-up": {Error: "EOF"},
	} {
		a := c.Send(t.Context(), claim(receiver.URL+path+"?token=secret"), keys, time.Now())
		if a.Status != want.Status || (a.Error == "") != (want.Error == "") || !strings.Contains(a.Error, want.Error) || a.RetryAfter != want.RetryAfter || a.CutOff {
			t.Errorf("%s: %+v", path, a)
		}
		if strings.Contains(a.Error, "secret") {
			t.Errorf("%s: the error says %s", path, a.Error)
		}
	}
	if n := strayed.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
	if n := sent.Load(); n > 32<<20 { // what is on its way, and not read
		t.Errorf("%d bytes of an answer were taken", n)
	}
}

// endless counts what is read of it.
type endless struct{ sent *atomic.Int64 }

func (e endless) Read(p []byte) (int, error) {
	e.sent.Add(int64(len(p)))
	return len(p), nil
}

func TestStoppingIsNobodysFault(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	let := make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { cancel(); <-let }))
	defer receiver.Close()
	defer close(let)
	if a := New(allowing(t, "127.0.0.1")).Send(ctx, claim(receiver.URL), testKeys(t), time.Now()); !a.CutOff || a.Error == "" {
		t.Errorf("it came to %+v", a)
	}
}

func TestOverTLS(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer receiver.Close()
	receiver.Config.ErrorLog = nil
	c := New(allowing(t, "127.0.0.1"))
	if a := c.Send(t.Context(), claim(receiver.URL), testKeys(t), time.Now()); !strings.Contains(a.Error, "certificate") {
		t.Errorf("a certificate that nobody knows: %+v", a)
	}
	pool := x509.NewCertPool()
	pool.AddCert(receiver.Certificate())
	c.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool}
	if a := c.Send(t.Context(), claim(receiver.URL), testKeys(t), time.Now()); a.Status != 200 || a.Error != "" {
		t.Errorf("it came to %+v", a)
	}
}

// A name of the public network that resolves to this machine reaches nobody,
// whatever record says so, unless it or the address is allowed.
func TestPrivateAddressIsRefusedWhenItIsDialled(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer receiver.Close()
	to, err := url.Parse(receiver.URL)
	if err != nil {
		t.Fatal(err)
	}
	const name = "hooks.example.com"
	for _, c := range []struct {
		resolves string
		allow    []string
		arrives  bool
	}{
		{"127.0.0.1", nil, false},
		{"::ffff:127.0.0.1", nil, false},
		{"10.0.0.1", nil, false},
		{"169.254.169.254", nil, false},
		{"64:ff9b::7f00:1", nil, false},
		{"127.0.0.1", []string{"10.0.0.0/8", "other.example.com"}, false},
		{"127.0.0.1", []string{"127.0.0.0/8"}, true},
		{"127.0.0.1", []string{name}, true},
	} {
		courier := New(allowing(t, c.allow...))
		courier.resolver = resolving(t, netip.MustParseAddr(c.resolves))
		before := reached.Load()
		conn, err := courier.dial(t.Context(), "tcp", net.JoinHostPort(name, to.Port()))
		if err == nil {
			conn.Close()
		}
		if (err == nil) != c.arrives || !c.arrives && !strings.Contains(err.Error(), "webhooks.allow") {
			t.Errorf("%s with %v: %v", c.resolves, c.allow, err)
		}
		scheme := "https"
		if courier.allow.Host(name) {
			scheme = "http"
		}
		a := courier.Send(t.Context(), claim(fmt.Sprintf("%s://%s:%s/", scheme, name, to.Port())), testKeys(t), time.Now())
		if sent := reached.Load() > before; sent != (scheme == "http") {
			t.Errorf("%s with %v: sent is %v: %+v", c.resolves, c.allow, sent, a)
		}
	}
}

// What was allowed when an experiment began may be so no more when it ends.
func TestAddressIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"http://example.com/", "http://127.0.0.1:1/", "https://localhost/", "gopher://example.com/", "x"} {
		a := New(webhook.Allow{}).Send(t.Context(), claim(to), testKeys(t), time.Now())
		if !strings.HasPrefix(a.Error, "the address ") {
			t.Errorf("%s: %+v", to, a)
		}
	}
}

// resolving asks a name server of the test's own, which gives every name one
// address.
func resolving(t *testing.T, ip netip.Addr) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(answer(buffer[:n], ip), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// answer is a DNS message (RFC 1035) that answers a question for an A or AAAA
// record with ip, where it is of that kind, and else with none.
func answer(question []byte, ip netip.Addr) []byte {
	end := 12
	for question[end] != 0 {
		end += 1 + int(question[end])
	}
	end += 5                                                  // the root, type and class
	out := append([]byte{}, question[:end]...)                // without what extends it
	copy(out[2:], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}) // an answer; one question
	kind, data := byte(1), ip.AsSlice()
	if ip.Is6() {
		kind = 28
	}
	if question[end-3] != kind {
		return out
	}
	out[7] = 1 // one record, of the name at 12, for a minute
	out = append(out, 0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, byte(len(data)))
	return append(out, data...)
}
