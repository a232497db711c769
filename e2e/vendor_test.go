package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
)

// vendor stands in for OpenAI and for Anthropic where a test needs one that
// misbehaves: each of its models does one thing.
type vendor struct {
	canceled atomic.Int64 // calls whose caller left before they had ended

	mu    sync.Mutex
	tries map[string]int // of the flaky models, by user
}

func newVendor() http.Handler {
	v := &vendor{tries: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /canceled", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strconv.FormatInt(v.canceled.Load(), 10))
	})
	mux.HandleFunc("POST /v1/chat/completions", v.chat)
	mux.HandleFunc("POST /v1/messages", v.messages)
	return mux
}

// asked is what of a request matters here.
type asked struct {
	Model    string `json:"model"`
	Stream   bool   `json:"stream"`
	User     string `json:"user"`
	Metadata struct {
		UserID string `json:"user_id"`
	} `json:"metadata"`
}

func read(w http.ResponseWriter, r *http.Request) (body []byte, a asked, ok bool) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &a)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return nil, a, false
	}
	return body, a, true
}

func (v *vendor) chat(w http.ResponseWriter, r *http.Request) {
	body, a, ok := read(w, r)
	if !ok {
		return
	}
	switch a.Model {
	case "mirror-upstream":
		answer(w, http.StatusOK, fmt.Sprintf(`{"id":"m","object":"chat.completion","created":1,"model":"mirror-upstream","zzz_from_vendor":1,
			"choices":[{"index":0,"message":{"role":"assistant","content":%s},"finish_reason":"stop"}],
			"usage":{"prompt_tokens":5,"completion_tokens":5,"total_tokens":10}}`, quote(string(body))))
	case "refuses":
		answer(w, http.StatusBadRequest, `{"error":{"message":"the prompt is too salty","type":"invalid_request_error","param":null,"code":null}}`)
	case "flaky":
		if v.try(a.User) < 3 {
			w.Header().Set("Retry-After-Ms", "20")
			answer(w, http.StatusTooManyRequests, `{"error":{"message":"slow down","type":"rate_limit_error"}}`)
			return
		}
		answer(w, http.StatusOK, `{"id":"f","object":"chat.completion","created":1,"model":"flaky",
			"choices":[{"index":0,"message":{"role":"assistant","content":"third time lucky"},"finish_reason":"stop"}],
			"usage":{"prompt_tokens":5,"completion_tokens":5,"total_tokens":10}}`)
	case "breaks":
		frame(w, "", `{"id":"b","object":"chat.completion.chunk","created":1,"model":"breaks","choices":[{"index":0,"delta":{"role":"assistant","content":"half"},"finish_reason":null}]}`)
		panic(http.ErrAbortHandler)
	case "endless":
		frame(w, "", `{"id":"e","object":"chat.completion.chunk","created":1,"model":"endless","choices":[{"index":0,"delta":{"role":"assistant","content":"and"},"finish_reason":null}]}`)
		v.waitForTheEnd(r)
	default:
		answer(w, http.StatusNotFound, `{"error":{"message":"no such model","type":"invalid_request_error","code":"model_not_found"}}`)
	}
}

func (v *vendor) messages(w http.ResponseWriter, r *http.Request) {
	_, a, ok := read(w, r)
	if !ok {
		return
	}
	switch a.Model {
	case "claude-flaky":
		if v.try(a.Metadata.UserID) < 3 {
			answer(w, 529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)
			return
		}
		answer(w, http.StatusOK, `{"id":"msg_1","type":"message","role":"assistant","model":"claude-flaky","content":[{"type":"text","text":"third time lucky"}],
			"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":5}}`)
	case "claude-endless":
		frame(w, "message_start", `{"type":"message_start","message":{"id":"msg_2","type":"message","role":"assistant","model":"claude-endless","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":1}}}`)
		frame(w, "content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)
		frame(w, "content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"and"}}`)
		v.waitForTheEnd(r)
	default:
		answer(w, http.StatusNotFound, `{"type":"error","error":{"type":"not_found_error","message":"no such model"}}`)
	}
}

func (v *vendor) try(user string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tries[user]++
	return v.tries[user]
}

// waitForTheEnd returns when the caller has left.
func (v *vendor) waitForTheEnd(r *http.Request) {
	<-r.Context().Done()
	v.canceled.Add(1)
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func frame(w http.ResponseWriter, name, data string) {
	w.Header().Set("Content-Type", "text/event-stream")
	if name != "" {
		fmt.Fprintf(w, "event: %s\n", name)
	}
	fmt.Fprintf(w, "data: %s\n\n", data)
	_ = http.NewResponseController(w).Flush()
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}
