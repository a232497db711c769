package event

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
)

// Append writes what encoding/json writes, or the same error.
func FuzzAppendAgrees(f *testing.F) {
	for _, text := range []string{"plain", `"\`, "<&>", "\x00\n\x7f", "\xff\xfe", "\u2028 ü 漢字 🙂 \ufffd", ""} {
		f.Add(text, "other", int64(7), 0.5, uint64(12345), false)
	}
	for _, x := range []float64{0, math.Copysign(0, -1), 1, 1e-6, 9.9e-7, 1e21, 1e20, math.NaN(), math.Inf(1), math.MaxFloat64, math.SmallestNonzeroFloat64} {
		f.Add("a", "b", int64(-1), x, uint64(0), true)
	}
	f.Fuzz(func(t *testing.T, one, other string, n int64, x float64, at uint64, full bool) {
		agree(t, made(one, other, n, x, at, full))
	})
}

// made is a fact of anything, whole or not.
func made(one, other string, n int64, x float64, at uint64, full bool) *CompletionRecorded {
	c := &CompletionRecorded{Project: one, Reason: other, UserID: one, TokensIn: n, CostNanos: -n, Complexity: x, Holdout: full,
		Metadata: map[string]string{one: other, other: one, "": "x"}, Candidates: []Candidate{{Model: one, Quality: x, Probability: 1 - x}}}
	binary.BigEndian.PutUint64(c.ID[:], at)
	c.V, c.Seq, c.At = int(n), n, time.Unix(int64(at>>20), int64(at&0xfffff)).UTC()
	if !full {
		c.At = c.At.In(time.FixedZone(other, int(at%50000)))
		return c
	}
	c.Journal, c.KeyID, c.SessionID, c.CallerID, c.Strategy, c.Cache, c.Model = one, other, one, other, one, other, one
	c.Experiments = []Arm{{one, other}, {other, one}}
	c.Fallbacks, c.Degraded = []string{one, other, ""}, []string{other}
	c.Candidates = append(c.Candidates, Candidate{Model: other, CostNanos: n}, Candidate{})
	c.Features, c.OriginID = []byte(one), c.ID
	c.Candidates[0].Prior = x
	c.Snapshot, c.TokensInCached, c.TokensReasoning, c.Unpriced, c.Estimated = n, n, -n, true, n > 0
	c.Confidence, c.Provider, c.ErrorKind, c.FinishReason, c.PriceVersion = other, one, one, other, one
	return c
}

func agree(t *testing.T, c *CompletionRecorded) {
	t.Helper()
	want, wantErr := json.Marshal(c)
	got, err := Append([]byte("before{"), c)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("error %v, not %v", err, wantErr)
	}
	if rest, kept := bytes.CutPrefix(got, []byte("before{")); !kept || !bytes.Equal(rest, want) {
		t.Fatalf("written\n%s, not\n%s", got, want)
	}
}

// Lists and dictionaries that are there but empty are left out as well.
func TestAppendLeavesOutWhatIsEmpty(t *testing.T) {
	c := NewCompletion(uuid.Must(uuid.NewV7()))
	agree(t, c)
	c.Metadata, c.Fallbacks, c.Candidates, c.Experiments = map[string]string{}, []string{}, []Candidate{}, []Arm{}
	agree(t, c)
}

// A field that is added to the struct has to be added to Append and the scanner:
// without the one, facts would lose it; without the other, reading gets slow.
func TestNoFieldIsForgotten(t *testing.T) {
	c := new(CompletionRecorded)
	fill(t, reflect.ValueOf(c).Elem())
	agree(t, c)
	body, err := Append(nil, c)
	if err != nil {
		t.Fatal(err)
	}
	read, ok := scanCompletion(body)
	if !ok || !reflect.DeepEqual(read, c) {
		t.Fatalf("read %v\n%+v, not\n%+v", ok, read, c)
	}
}

// fill gives every field a value that is not its zero.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 11, 23, 12, 0, 0, 5e6, time.UTC)))
		return
	case uuid.UUID:
		v.Set(reflect.ValueOf(uuid.Must(uuid.NewV7())))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint8:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(.5)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0))
		fill(t, v.Index(1))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key)
		fill(t, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	default:
		t.Fatalf("no value for %s", v.Type())
	}
}

// What reading gives is written as encoding/json writes it.
func FuzzAppendAgreesOnWhatIsRead(f *testing.F) {
	f.Add([]byte(sample))
	f.Fuzz(func(t *testing.T, body []byte) {
		c := new(CompletionRecorded)
		if json.Unmarshal(body, c) == nil {
			agree(t, c)
		}
	})
}

func TestAppendAllocatesNothingForTheUsual(t *testing.T) {
	c, ok := scanCompletion([]byte(sample))
	if !ok {
		t.Fatal("refused")
	}
	c.Metadata = nil     // holds what has to be escaped
	c.Complexity = 0.123 // encoding/json writes what needs an exponent
	dst := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Append(dst, c); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

// TestMillionths: what is found without a search is what the search finds.
func TestMillionths(t *testing.T) {
	t.Parallel()
	for n := 0; n <= 1_000_000; n += 7 { // all take seconds
		v := float64(n) / 1e6
		for _, v := range []float64{v, math.Nextafter(v, 2)} {
			w := writer{b: []byte("{")}
			if w.float("x", v); string(w.b) != `{"x":`+strconv.FormatFloat(v, 'f', -1, 64) && v > 1e-6 {
				t.Fatalf("%s, not %g", w.b, v)
			}
		}
	}
}

func BenchmarkFloat(b *testing.B) {
	for name, v := range map[string]float64{"six decimals": 0.842317, "all": 0.84231742176} {
		b.Run(name, func(b *testing.B) {
			w := writer{b: make([]byte, 0, 64)}
			for b.Loop() {
				w.b = append(w.b[:0], '{')
				w.float("quality", v)
			}
		})
	}
}
