package prompt

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestReaderReadsTheSame holds the reader to Read, over all that the other
// tests read: words come on top and change nothing.
func TestReaderReadsTheSame(t *testing.T) {
	t.Parallel()
	var r Reader
	for _, g := range golden {
		if got, _ := r.Read(g.prompt); got != Read(g.prompt) {
			t.Errorf("%q: a reader sees %+v, Read %+v", g.prompt, got, Read(g.prompt))
		}
	}
}

func wordsOf(text string) []Word {
	var r Reader
	_, words := r.Read(text)
	return words
}

func TestWords(t *testing.T) {
	t.Parallel()
	same := []struct{ name, a, b string }{
		{"case", "The CAT sat", "the cat SAT"},
		{"case beyond ASCII", "ÉTÉ Ωμέγα", "été ωμέγα"},
		{"order", "one two three", "three one two"},
		{"punctuation and layout", "one, two: three!", "(one)\n\n- two \"three\""},
		{"numbers", "buy 3 apples", "buy 12,000 apples"},
		{"apostrophes", "don't", "don’t"},
		{"scripts without spaces, whatever stands together", "日本語", "語 日本"},
		{"blobs", "see it " + strings.Repeat("QUJD", 30), "see it"},
	}
	for _, tt := range same {
		if a, b := wordsOf(tt.a), wordsOf(tt.b); len(a) == 0 || !slices.Equal(a, b) {
			t.Errorf("%s: %q gives %v, %q %v", tt.name, tt.a, a, tt.b, b)
		}
	}
	different := []struct{ name, a, b string }{
		{"words", "cat", "dog"},
		{"letters after a foreign one", "éa", "éb"},
		{"long words with one beginning", "internationalisation", "internationalisations"},
		{"counts", "no no", "no"},
	}
	for _, tt := range different {
		if a, b := wordsOf(tt.a), wordsOf(tt.b); slices.Equal(a, b) {
			t.Errorf("%s: %q and %q both give %v", tt.name, tt.a, tt.b, a)
		}
	}
	if got := wordsOf("tick tock Tick"); len(got) != 2 || got[0].Count+got[1].Count != 3 {
		t.Errorf("three words, one of them twice, give %v", got)
	}
	if got := wordsOf("3 + 4 😀"); len(got) != 0 {
		t.Errorf("a text without words gives %v", got)
	}
}

// TestWordsAreStable pins the hash: weights are stored by bucket, so another
// hash would read all of them as those of other words.
func TestWordsAreStable(t *testing.T) {
	t.Parallel()
	want := []Word{{Bucket: 21810, Count: 1}, {Bucket: 26513, Count: 1}, {Bucket: 32126, Count: 1}}
	if got := wordsOf("What's été 日"); !reflect.DeepEqual(got, want) {
		t.Errorf("the hash has changed: %+v, want %+v", got, want)
	}
}

// TestWordsFillTheBuckets checks that different words rarely meet: of n words
// in b places, n²/2b pairs are to be expected.
func TestWordsFillTheBuckets(t *testing.T) {
	t.Parallel()
	const n = 1000
	buckets, negative := map[uint16]bool{}, 0
	for i := range n {
		name := string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
		w := wordsOf(name)[0]
		buckets[w.Bucket] = true
		if w.Negative {
			negative++
		}
	}
	if met := n - len(buckets); met > 40 {
		t.Errorf("%d of %d words met another, 15 are to be expected", met, n)
	}
	if negative < n*2/5 || negative > n*3/5 {
		t.Errorf("%d of %d words are negative, want about half", negative, n)
	}
}

// TestWordsAreBounded looks at texts longer than the windows.
func TestWordsAreBounded(t *testing.T) {
	t.Parallel()
	filler := strings.Repeat("x ", 2000)
	if a, b := wordsOf("first "+filler+"middle "+filler+"last"), wordsOf("first "+filler+filler+"last"); !slices.Equal(keysOf(a), keysOf(b)) {
		t.Error("a word outside both windows was hashed")
	}
	if len(keysOf(wordsOf("first "+filler+"last"))) != 3 {
		t.Error("the words at both ends were not hashed")
	}
	total := 0
	for _, w := range wordsOf(strings.Repeat("日本語", 1000)) {
		total += int(w.Count)
	}
	if total != MaxWords {
		t.Errorf("%d words of a text without spaces, want the bound %d", total, MaxWords)
	}
}

func keysOf(words []Word) (keys []uint32) {
	for _, w := range words {
		keys = append(keys, uint32(w.Bucket))
	}
	return keys
}

func TestReaderAllocatesNothing(t *testing.T) {
	var r Reader
	text := strings.Repeat("Explain the capital's café 日本 in 3 lines. ", 60)
	r.Read(text)
	if n := testing.AllocsPerRun(50, func() { r.Read(text) }); n != 0 {
		t.Errorf("a warm reader allocates %v times", n)
	}
}

func BenchmarkReader(b *testing.B) {
	for name, text := range map[string]string{
		"short": "What is the capital of France?",
		"long":  strings.Repeat("Compare the economic causes of the war, and justify your ranking of them. ", 40),
	} {
		b.Run(name, func(b *testing.B) {
			var r Reader
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				r.Read(text)
			}
		})
	}
}
