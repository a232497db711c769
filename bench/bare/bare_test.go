package bare

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/busuhq/busu/bench/mock"
)

// run serves a kind until the test ends, and says where.
func run(t *testing.T, kind, target string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, kind, target) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	})
	return l.Addr().String()
}

// TestAllAnswerAlike: what comes out is the upstream's answer.
func TestAllAnswerAlike(t *testing.T) {
	t.Parallel()
	upstream := run(t, Mock, "")
	var want any
	if err := json.Unmarshal(mock.Answer(), &want); err != nil {
		t.Fatal(err)
	}
	delete(want.(map[string]any)["choices"].([]any)[0].(map[string]any)["message"].(map[string]any), "refusal")
	for _, kind := range []string{Mock, ReverseProxy, EchoProxy, FastHTTP, EchoConstant} {
		base := "http://" + run(t, kind, upstream)
		r, err := http.Post(base+"/v1/chat/completions", "application/json", strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"hello"}]}`))
		if err != nil {
			t.Fatal(kind, err)
		}
		body, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil || r.StatusCode != http.StatusOK {
			t.Errorf("%s: %s, %v", kind, r.Status, err)
		}
		var got any
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(kind, err)
		}
		delete(got.(map[string]any)["choices"].([]any)[0].(map[string]any)["message"].(map[string]any), "refusal")
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s answers %s", kind, body)
		}
		if r, err := http.Get(base + "/readyz"); err != nil || r.StatusCode != http.StatusOK {
			t.Errorf("%s is not ready: %v", kind, err)
		}
	}
}

func TestUnknownKind(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := Serve(t.Context(), l, "nothing", ""); err == nil {
		t.Error("it is served")
	}
}
