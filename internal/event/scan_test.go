package event

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// What scanCompletion accepts, it reads as encoding/json does.
func FuzzScanAgrees(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.json")
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(sample))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, ok := scanCompletion(body)
		if !ok {
			return
		}
		want := new(CompletionRecorded)
		if err := json.Unmarshal(body, want); err != nil {
			t.Fatalf("accepted what is not JSON: %v", err)
		}
		if !reflect.DeepEqual(c, want) {
			t.Fatalf("read\n%+v, not\n%+v", c, want)
		}
	})
}

const sample = `{"v":1,"type":"completion.recorded","id":"019ab0f5-4a00-7123-8abc-0123456789ab","at":"2025-11-23T10:00:00.123Z","journal":"bench","partition":0,"seq":1,"project":"default","user_id":"user-1","metadata":{"a":"b\u003c"},"strategy":"complexity","experiments":[{"experiment":"e","arm":"a"}],"holdout":true,"planned_model":"small","propensity":1,"complexity":0.123e-7,"confidence":"high","reason":"Short: ü 漢字 🙂 \"quoted\"","candidates":[{"model":"small","quality":0.9,"cost_nanos":12,"probability":1},{"model":"large","quality":0.99,"cost_nanos":900,"probability":0}],"provider":"simulated","model":"small","status":"ok","fallbacks":["x","y"],"cache":"miss","tokens_in":1,"tokens_out":2,"cost_nanos":3,"origin_cost_nanos":3,"baseline_cost_nanos":60,"baseline_model":"large","price_version":"2026-11","unpriced":true,"latency_us":4,"ttft_us":5,"overhead_us":6}`

func TestScanAcceptsWhatEncodeWrites(t *testing.T) {
	if _, ok := scanCompletion([]byte(sample)); !ok {
		t.Fatal("refused")
	}
}

func BenchmarkDecode(b *testing.B) {
	body := []byte(sample)
	b.Run("scan", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := scanCompletion(body); !ok {
				b.Fatal("refused")
			}
		}
	})
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := json.Unmarshal(body, new(CompletionRecorded)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("validate", func(b *testing.B) {
		c, _ := scanCompletion(body)
		for b.Loop() {
			_ = c.Validate()
		}
	})
	b.Run("encode", func(b *testing.B) {
		c, _ := scanCompletion(body)
		b.ReportAllocs()
		for b.Loop() {
			_, _ = Encode(c)
		}
	})
}
