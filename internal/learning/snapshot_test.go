package learning

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"
)

// TestCheckpointAndTail cuts one sequence of verdicts at many places: what
// comes out is the same, byte for byte.
func TestCheckpointAndTail(t *testing.T) {
	t.Parallel()
	const parts, each = 5, 250 // passes an ageing
	step := func(m *Model, part uint64) {
		taught(t, m, each, 0.2, part)
		m.Controller.Observe(Goal{BudgetNanos: 1e9}, Decided{At: time.Unix(int64(part), 5), Turning: 1, CostUSD: 1})
	}
	whole := New(nil, Assumed())
	for part := range uint64(parts) {
		step(whole, part)
	}
	for cut := range uint64(parts + 1) {
		m := New(nil, Assumed())
		for part := range uint64(parts) {
			if part == cut {
				var err error
				if m, err = Decode(m.Encode(), nil); err != nil {
					t.Fatal(err)
				}
			}
			step(m, part)
		}
		if !bytes.Equal(m.Encode(), whole.Encode()) {
			t.Errorf("a checkpoint after %d verdicts changes the model", cut*each)
		}
	}
	again, err := Decode(whole.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if uplift(again, topics[0]) != uplift(whole, topics[0]) || again.Applied() != parts*each || again.Weight() != whole.Weight() {
		t.Error("a model that was stored predicts something else")
	}
	if kept := len(whole.Encode()); kept > 40_000 {
		t.Errorf("a model of few words takes %d bytes", kept)
	}
}

// TestNeedsItsBase decodes a tenant's model on its base, and on others.
func TestNeedsItsBase(t *testing.T) {
	t.Parallel()
	base := New(nil, Assumed())
	taught(t, base, 100, 0, 1)
	tenant := New(base.Clone(), Assumed())
	taught(t, tenant, 100, 0, 2)
	again, err := Decode(tenant.Encode(), base)
	if err != nil || uplift(again, topics[0]) != uplift(tenant, topics[0]) {
		t.Errorf("on its base it predicts something else (%v)", err)
	}
	for _, other := range []*Model{nil, tenant.Clone(), New(nil, Assumed())} {
		if other != nil {
			other.applied++
		}
		if _, err := Decode(tenant.Encode(), other); !errors.Is(err, ErrCorrupt) {
			t.Errorf("on another base the error is %v, want ErrCorrupt", err)
		}
	}
}

// TestRefusesCorruptSnapshots damages each byte, and cuts at each.
func TestRefusesCorruptSnapshots(t *testing.T) {
	t.Parallel()
	m := New(nil, Assumed())
	taught(t, m, 3, 0, 1)
	good := m.Encode()
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if _, err := Decode(bad, nil); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("byte %d changed: the error is %v, want ErrCorrupt", i, err)
		}
		if _, err := Decode(good[:i], nil); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut to %d bytes: the error is %v, want ErrCorrupt", i, err)
		}
	}
}

// TestRefusesNumbersOutOfRange writes models that no verdicts lead to, with a
// checksum that is right.
func TestRefusesNumbersOutOfRange(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*Model){
		"a weight that is no number":      func(m *Model) { m.heads["small"].cells[biasAt].weight = float32(math.NaN()) },
		"a weight beyond the limit":       func(m *Model) { m.heads["small"].cells[biasAt].weight = 11 },
		"a variance below zero":           func(m *Model) { m.shared.cells[biasAt].variance = -0.1 },
		"a variance that is infinite":     func(m *Model) { m.shared.cells[biasAt].variance = float32(math.Inf(1)) },
		"noise of zero":                   func(m *Model) { m.assumed.noise = 0 },
		"a gate that is no number":        func(m *Model) { m.gate.gain = math.NaN() },
		"a price λ below zero":            func(m *Model) { m.Controller.Lambda = -1 },
		"a price λ that is no number":     func(m *Model) { m.Controller.Lambda = math.NaN() },
		"a model without a name":          func(m *Model) { m.heads[""] = m.heads["small"] },
		"a budget's time before all time": func(m *Model) { m.Controller.last = -1 },
	} {
		m := New(nil, Assumed())
		taught(t, m, 20, 0, 1)
		spoil(m)
		if _, err := Decode(m.Encode(), nil); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: the error is %v, want ErrCorrupt", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	m := New(nil, Assumed())
	taught(f, m, 3, 0, 1)
	f.Add(m.Encode())
	f.Add([]byte(snapshotMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= 4 { // a fuzzer does not find checksums
			binary.LittleEndian.PutUint32(b[len(b)-4:], checksum(b[:len(b)-4]))
		}
		m, err := Decode(b, nil)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("the error is %v, want ErrCorrupt", err)
			}
			return
		}
		if _, err := Decode(m.Encode(), nil); err != nil {
			t.Errorf("what was read is refused when written again: %v", err)
		}
		_ = uplift(m, topics[0])
	})
}
