package rollup_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/busuhq/busu/internal/rollup"
)

// A packed sketch reads back as it was, and any bytes give a sketch or an error.
func TestPackedSketches(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 9))
	for range 300 {
		var sketch rollup.Sketch
		for range r.IntN(200) {
			sketch.Count(rollup.Bin(r.Int64N(1<<r.IntN(53)+1)), 1+r.Int64N(1<<r.IntN(40)))
		}
		packed := sketch.AppendPacked(nil)
		if back, err := rollup.ParsePacked(packed); err != nil || !reflect.DeepEqual(back, sketch) {
			t.Fatalf("%v reads back as %v (%v)", sketch, back, err)
		}
		cell, back := rollup.Cell{Requests: 1, Latency: sketch, Overhead: sketch}, rollup.Cell{}
		text, err := json.Marshal(cell)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, cell) {
			t.Fatalf("%s reads back as %v (%v)", text, back, err)
		}
	}
	for _, text := range []string{`{"l":"*"}`, `{"l":"gA"}`, `{"l":{"1":1}}`} {
		if err := json.Unmarshal([]byte(text), new(rollup.Cell)); err == nil {
			t.Errorf("%s is taken for a cell", text)
		}
	}
}

func FuzzParsePacked(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 1, 5, 7, 0xe3, 7, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		sketch, err := rollup.ParsePacked(b)
		if err != nil {
			return
		}
		if again, err := rollup.ParsePacked(sketch.AppendPacked(nil)); err != nil || !reflect.DeepEqual(again, sketch) {
			t.Errorf("%v packs and reads back as %v (%v)", sketch, again, err)
		}
		sketch.Quantiles(.5, .99)
	})
}
