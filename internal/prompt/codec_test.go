package prompt

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var texts = []string{
	"", "x", "What is the capital of France?", "Prove that $\\sqrt{2}$ is irrational, step by step.",
	strings.Repeat("the same words again and again. ", 6000), strings.Repeat("字", 3000), "🙂🙂🙂",
	strings.Repeat("QUJD", 5000), "```go\nfunc main() {}\n```\n1. a\n2. b\nA) yes\nB) no", "\xff\xfe",
}

func TestFeaturesSurviveTheirCodec(t *testing.T) {
	t.Parallel()
	var r Reader
	for _, text := range texts {
		f, words := r.Read(text)
		words = slices.Clone(words)
		b := Append(nil, &f, words)
		got, gotWords, err := Decode(b)
		if err != nil || !reflect.DeepEqual(got, f) || !slices.Equal(gotWords, words) {
			t.Errorf("%.20q: read %+v, %d words, %v", text, got, len(gotWords), err)
		}
		if len(b) > 5<<10 {
			t.Errorf("%.20q takes %d bytes", text, len(b))
		}
		for n := range b {
			if _, _, err := Decode(b[:n]); !errors.Is(err, ErrFeatures) {
				t.Fatalf("%.20q: the first %d of %d bytes are read, %v", text, n, len(b), err)
			}
		}
		if _, _, err := Decode(append(b, 0)); !errors.Is(err, ErrFeatures) {
			t.Errorf("%.20q: a byte too many is read", text)
		}
	}
}

// All of the counters are in it: one that is forgotten would be zero afterwards.
func TestEveryCounterIsEncoded(t *testing.T) {
	t.Parallel()
	f := new(Features)
	v := reflect.ValueOf(&f.Counters).Elem()
	for i := range v.NumField() {
		switch field := v.Field(i); field.Kind() {
		case reflect.Int:
			field.SetInt(int64(i + 1))
		case reflect.Array:
			for k := range field.Len() {
				field.Index(k).SetInt(int64(k + 1))
			}
		default:
			field.SetUint(1)
		}
	}
	got, _, err := Decode(Append(nil, f, nil))
	if err != nil || got.Counters != f.Counters {
		t.Errorf("read %+v, %v", got.Counters, err)
	}
}

func FuzzDecode(f *testing.F) {
	var r Reader
	for _, text := range texts {
		features, words := r.Read(text)
		f.Add(Append(nil, &features, words))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		features, words, err := Decode(b)
		if err != nil {
			return
		}
		again, sameWords, err := Decode(Append(nil, &features, words))
		if err != nil || again != features || !slices.Equal(words, sameWords) {
			t.Fatalf("%+v became %+v, %v", features, again, err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	var r Reader
	f, words := r.Read(strings.Repeat("What is the capital of France, and why was it chosen? ", 3))
	var buffer []byte
	b.ReportAllocs()
	for b.Loop() {
		buffer = Append(buffer[:0], &f, words)
	}
}
