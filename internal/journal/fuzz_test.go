package journal

import (
	"bytes"
	"testing"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
)

// Arbitrary bytes in place of a segment: Open refuses them or goes on, and
// what it goes on with stays as it is.
func FuzzOpen(f *testing.F) {
	s := newSample(f)
	for _, b := range s.image {
		f.Add(b)
		f.Add(b[:len(b)-5])
	}
	f.Add([]byte{})
	f.Add(make([]byte, 100))
	f.Fuzz(func(t *testing.T, b []byte) { checkOpens(t, b) })
}

// The same with whole records of arbitrary content, which bytes alone never
// hit upon because of the checksum.
func FuzzOpenRecords(f *testing.F) {
	s := newSample(f)
	for _, name := range s.names() {
		var payloads [3][]byte
		for i, end := range s.ends[name][1:] {
			payloads[min(i, 2)] = s.image[name][s.ends[name][i]+frameBytes : end]
		}
		f.Add(payloads[0], payloads[1], payloads[2])
	}
	f.Fuzz(func(t *testing.T, first, second, third []byte) {
		var b []byte
		for _, payload := range [][]byte{first, second, third} {
			record := append(beginRecord(nil), payload...)
			if err := endRecord(record); err != nil {
				t.Fatal(err)
			}
			b = append(b, record...)
		}
		checkOpens(t, b)
	})
}

func checkOpens(t *testing.T, segment []byte) {
	t.Helper()
	o := options(t.TempDir())
	writeFile(t, segmentPath(o.Dir, 1), string(segment))
	j, err := Open(o)
	if err != nil {
		if _, again := Open(o); again == nil || again.Error() != err.Error() {
			t.Fatalf("refused with %v, then with %v", err, again)
		}
		return
	}
	before := allFacts(t, j)
	kill(t, j)
	j, err = Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer kill(t, j)
	after := allFacts(t, j)
	if len(after) != len(before) {
		t.Fatalf("%d facts, then %d", len(before), len(after))
	}
	for i := range before {
		if !bytes.Equal(before[i].Body, after[i].Body) {
			t.Fatalf("fact %d was %q, then %q", i, before[i].Body, after[i].Body)
		}
	}
}

// What is read of damaged bytes is in them as a whole record.
func FuzzScan(f *testing.F) {
	s := newSample(f)
	for _, b := range s.image {
		f.Add(b, uint16(3))
	}
	f.Add(append(beginRecord(nil), appendFact(nil, factRecord{id: uuid.UUID{}, lane: event.Lane{Stream: 1}, seq: 1})...), uint16(0))
	f.Fuzz(func(t *testing.T, b []byte, at uint16) {
		if len(b) > 0 {
			b[int(at)%len(b)] ^= 1
		}
		end := int64(0)
		e, err := scan(b, func(at int64, payload []byte) error {
			record := append(beginRecord(nil), payload...)
			if err := endRecord(record); err != nil {
				return err
			}
			if at < end || !bytes.HasPrefix(b[at:], record) {
				t.Fatalf("record at %d, after %d, is not there", at, end)
			}
			end = at + int64(len(record))
			return nil
		})
		if err != nil || e.size != end || end > int64(len(b)) {
			t.Fatalf("%v, %+v of %d bytes", err, e, len(b))
		}
		if isWhole := end == int64(len(b)); isWhole && e.torn {
			t.Fatalf("%+v of %d bytes", e, len(b))
		}
	})
}
