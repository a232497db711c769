package cache

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
)

func fullEntry() *Entry {
	return &Entry{Project: "p", UserID: "ü\x00", RequestID: uuid.UUID{1, 2, 3}, At: time.Unix(1_795_000_000, 123).UTC(), Provider: "v", Model: "m",
		CostNanos: 1 << 40, Estimated: true, Experiments: []event.Arm{{Experiment: "e", Arm: "test"}, {Experiment: "f", Arm: "control"}}, Holdout: true,
		Response: llm.Response{Model: "m-1", Text: "text \xff", Refusal: "no", FinishReason: "stop",
			ToolCalls: []llm.ToolCall{{ID: "1", Name: "f", Arguments: `{"a":1}`}, {Name: "g"}},
			Usage:     llm.Usage{In: 1, CachedIn: 2, CacheWriteIn: 3, Out: 4, Reasoning: 5}, Body: []byte("{ \"a\" : 1 }\n")},
		exact: [32]byte{9, 8, 7}}
}

// Every field comes back, whatever fields will come.
func TestEntriesComeBack(t *testing.T) {
	t.Parallel()
	e := fullEntry()
	for i := range reflect.ValueOf(*e).NumField() {
		if reflect.ValueOf(*e).Field(i).IsZero() {
			t.Errorf("%s is not set: set it in fullEntry", reflect.TypeOf(*e).Field(i).Name)
		}
	}
	for i := range reflect.ValueOf(e.Response).NumField() {
		name := reflect.TypeOf(e.Response).Field(i).Name
		if reflect.ValueOf(e.Response).Field(i).IsZero() && name != "Others" { // several answers are not kept
			t.Errorf("Response.%s is not set: set it in fullEntry", name)
		}
	}
	for name, e := range map[string]*Entry{"full": e, "empty": {At: time.Unix(0, 0).UTC()}, "empty body": {At: time.Unix(0, 0).UTC(), Response: llm.Response{Body: []byte{}}}} {
		got, err := decodeEntry(e.Encode(nil))
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%s: got\n%+v\nwant\n%+v, %v", name, got, e, err)
		}
	}
}

// Entries that were written by this release are read by the next, or entryVersion
// changes.
func TestEntriesStayReadable(t *testing.T) {
	t.Parallel()
	const golden = "02017003c3bc0001020300000000000000000000000000f6819cbdabbf8fe9310176016d808080808040010201650474657374016607636f6e74726f6c010908070000000000000000000000000000000000000000000000000000000000036d2d31067465787420ff026e6f0201310166077b2261223a317d000167000473746f70020406080a010c7b20226122203a2031207d0a"
	if got := hex.EncodeToString(fullEntry().Encode(nil)); got != golden {
		t.Errorf("the form has changed: change entryVersion with it\n%s", got)
	}
	const before = "01017003c3bc0001020300000000000000000000000000f6819cbdabbf8fe9310176016d8080808080400201650474657374016607636f6e74726f6c010908070000000000000000000000000000000000000000000000000000000000036d2d31067465787420ff026e6f0201310166077b2261223a317d000167000473746f70020406080a010c7b20226122203a2031207d0a"
	old, err := hex.DecodeString(before)
	if err != nil {
		t.Fatal(err)
	}
	want := fullEntry()
	want.Estimated = false
	if got, err := decodeEntry(old); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("what the release before has written is read as %+v, %v", got, err)
	}
}

// FuzzDecodeEntry reads any bytes without harm; what it reads it writes again.
func FuzzDecodeEntry(f *testing.F) {
	f.Add(fullEntry().Encode(nil))
	f.Add((&Entry{}).Encode(nil))
	f.Add([]byte{entryVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		e, err := decodeEntry(in)
		if err != nil {
			return
		}
		again, err := decodeEntry(e.Encode(nil))
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Errorf("%x is read as %+v, and that as %+v, %v", in, e, again, err)
		}
	})
}

func TestEveryPieceOfAnEntryIsRefused(t *testing.T) {
	t.Parallel()
	whole := fullEntry().Encode(nil)
	for n := range whole {
		if e, err := decodeEntry(bytes.Clone(whole[:n])); err == nil {
			t.Errorf("%d of %d bytes are read as %+v", n, len(whole), e)
		}
	}
}

func BenchmarkEntry(b *testing.B) {
	e := fullEntry()
	e.Response.Text = string(bytes.Repeat([]byte("a word "), 100))
	body := e.Encode(nil)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			e.Encode(nil)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decodeEntry(body); err != nil {
				b.Fatal(err)
			}
		}
	})
}
