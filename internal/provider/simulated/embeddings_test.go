package simulated

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

func embedding64(t *testing.T, text string) []float32 {
	t.Helper()
	packed, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(packed)%4 != 0 {
		t.Fatalf("%q: %v", text, err)
	}
	var v []float32
	for four := range slices.Chunk(packed, 4) {
		v = append(v, math.Float32frombits(binary.LittleEndian.Uint32(four)))
	}
	return v
}

func embeddings(t *testing.T, model, body string) (llm.Response, []json.RawMessage) {
	t.Helper()
	r, err := New(Options{}).Complete(t.Context(), llm.Request{Format: llm.FormatEmbeddings, Model: model, Body: []byte(body)})
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	var w struct {
		Object string
		Model  string
		Data   []struct {
			Object    string
			Index     int
			Embedding json.RawMessage
		}
		Usage struct {
			Prompt int64 `json:"prompt_tokens"`
			Total  int64 `json:"total_tokens"`
		}
	}
	if err := json.Unmarshal(r.Body, &w); err != nil {
		t.Fatal(err)
	}
	var all []json.RawMessage
	for i, d := range w.Data {
		if d.Object != "embedding" || d.Index != i {
			t.Errorf("item %d is %+v", i, d)
		}
		all = append(all, d.Embedding)
	}
	if w.Object != "list" || w.Model != model || w.Usage.Prompt != r.Usage.In || w.Usage.Total != r.Usage.In || r.Usage.In == 0 || r.Usage.Out != 0 {
		t.Errorf("%.200s with usage %+v", r.Body, r.Usage)
	}
	return r, all
}

func TestEmbeddingForms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body   string
		n, dim int
		in     int64
	}{
		"text":           {`{"model":"x","input":"hello world"}`, 1, 256, 2},
		"texts":          {`{"input":["hello","a b c"],"encoding_format":"float"}`, 2, 256, 4},
		"tokens":         {`{"input":[1,2,3]}`, 1, 256, 3},
		"lists":          {`{"input":[[1],[2,3]],"dimensions":8}`, 2, 8, 3},
		"one coordinate": {`{"input":"hello world","dimensions":1}`, 1, 1, 2},
		"signs":          {`{"input":"?!"}`, 1, 256, 2},
	} {
		for _, model := range []string{Embedding, Small} {
			r, vectors := embeddings(t, model, c.body)
			if len(vectors) != c.n || r.Usage.In != c.in {
				t.Errorf("%s: %d vectors, usage %+v", name, len(vectors), r.Usage)
			}
			for _, raw := range vectors {
				var v []float64
				if err := json.Unmarshal(raw, &v); err != nil {
					t.Fatal(err)
				}
				length := 0.0
				for _, x := range v {
					length += x * x
				}
				if len(v) != c.dim || math.Abs(length-1) > 1e-5 {
					t.Errorf("%s: %d numbers of length %v", name, len(v), length)
				}
			}
		}
	}
}

func TestBase64EmbeddingsAreTheSameNumbers(t *testing.T) {
	t.Parallel()
	_, plain := embeddings(t, Embedding, `{"input":"The cat sat","dimensions":32}`)
	_, coded := embeddings(t, Embedding, `{"input":"The cat sat","dimensions":32,"encoding_format":"base64"}`)
	var numbers []float32
	var text string
	if err := json.Unmarshal(plain[0], &numbers); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(coded[0], &text); err != nil {
		t.Fatal(err)
	}
	if got := embedding64(t, text); !slices.Equal(got, numbers) {
		t.Errorf("%v, want %v", got, numbers)
	}
}

func TestSimilarTextsAreNear(t *testing.T) {
	t.Parallel()
	nearness := func(a, b string) float64 {
		sum := 0.0
		for i, x := range vector(a, dimensions) {
			sum += float64(x * vector(b, dimensions)[i])
		}
		return sum
	}
	const text = "How do I reset the password of my account?"
	same, near, form, far := nearness(text, " how do I reset the password of my ACCOUNT "), nearness(text, "I want to reset my account password"),
		nearness("translate this sentence", "translating those sentences"), nearness(text, "Seven owls fly over Lisbon at night")
	if same < .999 || near < .6 || form < .3 || math.Abs(far) > .3 {
		t.Errorf("same %.2f, near %.2f, other forms %.2f, far %.2f", same, near, form, far)
	}
}

func TestImpossibleEmbeddingsAreRejected(t *testing.T) {
	t.Parallel()
	emit := func(llm.Chunk) error { return nil }
	for _, r := range []llm.Request{
		{Model: "gigantic", Body: []byte(`{"input":"a"}`)},
		{Model: Embedding},
		{Model: Embedding, Body: []byte(`{"input":"a"}`), Emit: emit},
		{Model: Embedding, Body: []byte(`{}`)},
		{Model: Embedding, Body: []byte(`{"input":""}`)},
		{Model: Embedding, Body: []byte(`{"input":["a",""]}`)},
		{Model: Embedding, Body: []byte(`{"input":[]}`)},
		{Model: Embedding, Body: []byte(`{"input":[[]]}`)},
		{Model: Embedding, Body: []byte(`{"input":{"a":1}}`)},
		{Model: Embedding, Body: []byte(`{"input":null}`)},
		{Model: Embedding, Body: []byte(`{"input":"a","dimensions":0}`)},
		{Model: Embedding, Body: []byte(`{"input":"a","dimensions":99999}`)},
		{Model: Embedding, Body: []byte(`{"input":"a","encoding_format":"hex"}`)},
	} {
		r.Format = llm.FormatEmbeddings
		if _, err := New(Options{}).Complete(t.Context(), r); kindOfError(err) != llm.ErrorRejected {
			t.Errorf("%s: %v", r.Body, err)
		}
	}
}

func TestEmbeddingsFailAsOthersDo(t *testing.T) {
	t.Parallel()
	failed := 0
	for i := range 200 {
		_, err := New(Options{FailureRate: .5}).Complete(t.Context(), llm.Request{Format: llm.FormatEmbeddings, Model: Embedding,
			Body: fmt.Appendf(nil, `{"input":"text %d"}`, i)})
		if err != nil {
			failed++
		}
	}
	if failed < 70 || failed > 130 {
		t.Errorf("%d of 200 failed", failed)
	}
}

func FuzzEmbeddings(f *testing.F) {
	f.Add([]byte(`{"input":"hello","dimensions":3}`))
	f.Add([]byte(`{"input":[[1,2],[3]],"encoding_format":"base64"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := New(Options{}).Complete(t.Context(), llm.Request{Format: llm.FormatEmbeddings, Model: Embedding, Body: body})
		if err == nil && !json.Valid(r.Body) || err != nil && kindOfError(err) != llm.ErrorRejected {
			t.Fatalf("%q: %.200s, %v", body, r.Body, err)
		}
	})
}
