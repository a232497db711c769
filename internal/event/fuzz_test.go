package event_test

import (
	"bytes"
	"testing"

	"github.com/busuhq/busu/internal/event"
)

// Decode never panics, and what it accepts survives being written and read
// again, byte for byte.
func FuzzDecode(f *testing.F) {
	for _, body := range fixtures(f) {
		f.Add(body)
	}
	f.Add([]byte(`{"v":1,"type":"completion.recorded","ID":null,"metadata":{},"candidates":[null]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		first, err := event.Decode(body)
		if err != nil {
			return
		}
		once, err := event.Encode(first)
		if err != nil {
			t.Fatalf("cannot be encoded: %v", err)
		}
		second, err := event.Decode(once)
		if err != nil {
			t.Fatalf("cannot be decoded again: %v\n%s", err, once)
		}
		twice, err := event.Encode(second)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("written as\n%s\nthen as\n%s\n%v", once, twice, err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	c := golden()["typical"]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := event.Encode(c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	body, err := event.Encode(golden()["typical"])
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := event.Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	c := golden()["typical"]
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Validate(); err != nil {
			b.Fatal(err)
		}
	}
}
