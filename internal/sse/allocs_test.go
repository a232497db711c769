package sse_test

import (
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/sse"
)

// TestAllocations holds what events of a stream take: reading many needs only
// the room that all of them share, and writing none where there is some.
func TestAllocations(t *testing.T) {
	const events, most = 1000, 6
	stream := strings.Repeat("data: {\"choices\":[{\"delta\":{\"content\":\" Lima\"}}]}\n\n", events)
	if n := testing.AllocsPerRun(20, func() {
		r := sse.NewReader(strings.NewReader(stream))
		for range events {
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
		}
	}); n > most {
		t.Errorf("%g allocations for %d events, more than %d", n, events, most)
	}
	room, data := make([]byte, 0, 1024), []byte(`{"a":1}`)
	if n := testing.AllocsPerRun(200, func() { sse.Append(room, "delta", data) }); n > 0 {
		t.Errorf("%g allocations to write into room that there is", n)
	}
}
