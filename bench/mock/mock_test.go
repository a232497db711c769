package mock

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func start(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- Serve(l) }()
	t.Cleanup(func() {
		_ = l.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	r, err := http.Post(url+"/chat/completions", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

func TestWhole(t *testing.T) {
	t.Parallel()
	base := start(t)
	for range 3 {
		status, text := post(t, base+"/v1", `{"messages":[{"role":"user","content":"hello"}]}`)
		var r struct {
			Choices []struct{ Message struct{ Content string } }
			Usage   struct {
				Total int `json:"total_tokens"`
			}
		}
		if err := json.Unmarshal([]byte(text), &r); err != nil || status != 200 || len(text) != AnswerBytes || r.Usage.Total != 104 ||
			!strings.HasPrefix(r.Choices[0].Message.Content, word) {
			t.Errorf("%d: %s: %v", status, text, err)
		}
	}
	if status, _ := post(t, base+"/v1", strings.Repeat("x", 1<<20)); status != 200 {
		t.Error(status)
	}
	r, err := http.Get(base + "/readyz")
	if err != nil || r.StatusCode != 200 {
		t.Fatal(r, err)
	}
	_ = r.Body.Close()
}

func TestStream(t *testing.T) {
	t.Parallel()
	status, text := post(t, start(t)+Behaviour{Pace: time.Microsecond}.Path(), `{"stream": true}`)
	if status != 200 || strings.Count(text, "\n\n") != Events || strings.Count(text, word) != Words || !strings.HasSuffix(text, "data: [DONE]\n\n") {
		t.Errorf("%d: %s", status, text)
	}
	for line := range strings.Lines(text) {
		data, is := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if is && data != "[DONE]" && !json.Valid([]byte(data)) {
			t.Errorf("%s is no JSON", data)
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	base := start(t)
	if status, _ := post(t, base+Behaviour{Failures: 1}.Path(), `{}`); status != 500 {
		t.Error(status)
	}
	if status, _ := post(t, base+Behaviour{}.Path(), `{}`); status != 200 {
		t.Error(status)
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	b := Behaviour{Latency: 20 * time.Millisecond, Jitter: time.Millisecond, Pace: time.Microsecond, Failures: .05}
	if got, err := parse(b.Path() + "/chat/completions"); err != nil || got != b {
		t.Errorf("%+v: %v", got, err)
	}
	if got, err := parse("/v1/chat/completions"); err != nil || got != (Behaviour{}) {
		t.Errorf("%+v: %v", got, err)
	}
	for _, path := range []string{"/speed=1/v1", "/latency=x/v1", "/failures=/v1"} {
		if _, err := parse(path); err == nil {
			t.Errorf("%s means something", path)
		}
	}
}
