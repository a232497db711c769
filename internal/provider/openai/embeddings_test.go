package openai

import (
	"io"
	"net/http"
	"reflect"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

func TestEmbeddings(t *testing.T) {
	t.Parallel()
	const answer = `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-2e-3]}],"model":"e-1-2025","usage":{"prompt_tokens":8,"total_tokens":8}}`
	p := vendor(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/v1/embeddings" || string(body) != `{"input":["a","b"], "model":"e-1","dimensions":2}` {
			t.Errorf("%s %s", r.URL, body)
		}
		_, _ = io.WriteString(w, answer)
	})
	r := llm.Request{Format: llm.FormatEmbeddings, Model: "e-1", Body: []byte(`{"input":["a","b"], "model":"vectors","dimensions":2}`),
		Emit: func(llm.Chunk) error { t.Error("embeddings came in pieces"); return nil }}
	got, err := p.Complete(t.Context(), r)
	want := llm.Response{Model: "e-1-2025", Usage: llm.Usage{In: 8}, Body: []byte(answer)}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestBrokenEmbeddings(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]llm.ErrorKind{
		`{"data":[]}`: llm.ErrorMalformed,
		recorded:      llm.ErrorMalformed,
		`{"data":[{}`: llm.ErrorMalformed,
		`{"error":{"message":"later","code":429}}`: llm.ErrorRateLimited,
	} {
		p := vendor(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
		_, err := p.Complete(t.Context(), llm.Request{Format: llm.FormatEmbeddings, Model: "e", Body: []byte(`{"input":"a"}`)})
		mustFail(t, err, want)
	}
	p := vendor(t, func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") })
	_, err := p.Complete(t.Context(), llm.Request{Format: llm.FormatEmbeddings, Model: "e"})
	mustFail(t, err, llm.ErrorRejected)
}
