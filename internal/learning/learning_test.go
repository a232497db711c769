package learning

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/busuhq/busu/internal/prompt"
)

// flat is a scale under which all words are equally rare and counters spread
// by one.
func flat() Scale {
	s := Scale{idf: make([]float32, prompt.Buckets)}
	for i := range s.idf {
		s.idf[i] = 1
	}
	for i := range s.std {
		s.std[i] = 1
	}
	return s
}

var flatOnce = sync.OnceValue(flat)

func vectorOf(text string) *Vector {
	var reader prompt.Reader
	f, words := reader.Read(text)
	var v Vector
	s := flatOnce()
	s.Vector(&v, &f, words)
	return &v
}

// topics are what prompts of these tests are about. The large model is better
// at proofs only.
var topics = []string{"prove the theorem of the prime", "translate the menu of the day", "list the capital of the country", "poem about the sea"}

func prompts(n int, r *rand.Rand) (texts []string, hard []bool) {
	for range n {
		topic := r.IntN(len(topics))
		texts = append(texts, fmt.Sprintf("%s %c%c", topics[topic], 'a'+r.IntN(26), 'a'+r.IntN(26)))
		hard = append(hard, topic == 0)
	}
	return texts, hard
}

// truth is the chance of a good answer.
func truth(model string, hard bool) float64 {
	switch {
	case !hard:
		return 0.8
	case model == "large":
		return 0.9
	default:
		return 0.2
	}
}

// taught applies n verdicts on a coin's choices, each turned to a coin's own
// with the chance noise.
func taught(t testing.TB, m *Model, n int, noise float64, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	texts, hard := prompts(n, r)
	for i, text := range texts {
		model := []string{"small", "large"}[r.IntN(2)]
		chance := truth(model, hard[i])
		if r.Float64() < noise {
			chance = 0.5
		}
		quality := 0.0
		if r.Float64() < chance {
			quality = 1
		}
		err := m.Learn(Verdict{Vector: vectorOf(text), Model: model, Quality: quality, Prior: 0.7,
			Candidates: []string{"small", "large"}, Propensity: 0.5})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func uplift(m *Model, text string) float64 {
	r := m.Read(vectorOf(text))
	return r.Predict("large", 0.7).Quality - r.Predict("small", 0.7).Quality
}

func TestLearnsWhereModelsDiffer(t *testing.T) {
	t.Parallel()
	m := New(nil, Assumed())
	if got := uplift(m, topics[0]); got != 0 {
		t.Errorf("without a verdict the models differ by %v", got)
	}
	taught(t, m, 1500, 0, 1)
	if got := uplift(m, topics[0]+" xy"); got < 0.4 {
		t.Errorf("on proofs the large model is thought %.2f better, want about 0.7", got)
	}
	for _, easy := range topics[1:] {
		if got := uplift(m, easy+" xy"); math.Abs(got) > 0.25 {
			t.Errorf("%q: the large model is thought %.2f better, want about 0", easy, got)
		}
	}
}

// TestGateOpensOnProof teaches what is true and what is only noise.
func TestGateOpensOnProof(t *testing.T) {
	t.Parallel()
	early, open, shut := 0, 0, 0
	for seed := range uint64(10) {
		m := New(nil, Assumed())
		taught(t, m, 20, 0, seed)
		if m.Weight() > 0.8 {
			early++
		}
		taught(t, m, 800, 0, seed+100)
		if m.Weight() > 0.5 {
			open++
		}
		noise := New(nil, Assumed())
		taught(t, noise, 800, 1, seed)
		if noise.Weight() < 0.3 {
			shut++
		}
	}
	if early > 2 || open < 9 || shut < 8 {
		t.Errorf("of 10 the gate was open %d times after 20 verdicts, %d times on much truth; and shut %d times on noise", early, open, shut)
	}
}

// TestEvidenceCounts repeats one prompt: evidence grows with each verdict, and
// never beyond them. A diagonal covariance makes it less.
func TestEvidenceCounts(t *testing.T) {
	t.Parallel()
	a := Assumed()
	a.shared = spread{}
	m := New(nil, a)
	v := vectorOf("the very same prompt")
	last := -1.0
	for n := range 50 {
		r := m.Read(v)
		got := r.Predict("small", 0.5).Evidence
		if got <= last || got > 1.01*float64(n) {
			t.Fatalf("after %d verdicts on a prompt there is evidence of %.1f, and %.1f before the last", n, got, last)
		}
		last = got
		if err := m.Learn(Verdict{Vector: v, Model: "small", Quality: 1, Prior: 0.5}); err != nil {
			t.Fatal(err)
		}
	}
	if last < 5 {
		t.Errorf("49 verdicts make evidence of only %.1f", last)
	}
	r := m.Read(v)
	if got := r.Predict("large", 0.5).Evidence; got != 0 {
		t.Errorf("a model without a verdict has evidence of %v", got)
	}
}

// TestBaseIsWhereTenantsStart has a new tenant inherit what all taught.
func TestBaseIsWhereTenantsStart(t *testing.T) {
	t.Parallel()
	base := New(nil, Assumed())
	taught(t, base, 1500, 0, 1)
	tenant := New(base.Clone(), Assumed())
	if got, want := uplift(tenant, topics[0]), uplift(base, topics[0]); math.Abs(got-want) > 1e-9 {
		t.Errorf("a new tenant expects an uplift of %v, the base %v", got, want)
	}
	before := base.Encode()
	taught(t, tenant, 100, 0, 2)
	if !slices.Equal(before, base.Encode()) {
		t.Error("a tenant's verdicts have changed the base")
	}
}

func TestRefusesWhatIsOutOfRange(t *testing.T) {
	t.Parallel()
	m := New(nil, Assumed())
	taught(t, m, 50, 0, 1)
	before := m.Encode()
	good := Verdict{Vector: vectorOf("hello"), Model: "small", Quality: 0.5, Prior: 0.5, Propensity: 0.5}
	damaged := *good.Vector
	damaged.value[0] = float32(math.NaN())
	far := *good.Vector
	far.index[0] = math.MaxUint16
	for name, change := range map[string]func(*Verdict){
		"quality NaN":      func(v *Verdict) { v.Quality = math.NaN() },
		"quality 1.1":      func(v *Verdict) { v.Quality = 1.1 },
		"quality −1":       func(v *Verdict) { v.Quality = -1 },
		"prior Inf":        func(v *Verdict) { v.Prior = math.Inf(1) },
		"propensity NaN":   func(v *Verdict) { v.Propensity = math.NaN() },
		"propensity 2":     func(v *Verdict) { v.Propensity = 2 },
		"no model":         func(v *Verdict) { v.Model = "" },
		"a name too long":  func(v *Verdict) { v.Model = strings.Repeat("x", maxName+1) },
		"a NaN in vectors": func(v *Verdict) { v.Vector = &damaged },
		"an index too far": func(v *Verdict) { v.Vector = &far },
	} {
		v := good
		change(&v)
		if err := m.Learn(v); !errors.Is(err, ErrVerdict) {
			t.Errorf("%s: the error is %v, want ErrVerdict", name, err)
		}
	}
	if !slices.Equal(before, m.Encode()) {
		t.Error("a refused verdict has changed the model")
	}
}

// TestStaysInRange applies the hardest verdicts ten thousand times.
func TestStaysInRange(t *testing.T) {
	t.Parallel()
	m := New(nil, Assumed())
	v := vectorOf("again and again")
	for i := range 10_000 {
		if err := m.Learn(Verdict{Vector: v, Model: "small", Quality: float64(i / 5000), Prior: 1,
			Candidates: []string{"small", "large"}, Propensity: 1e-300}); err != nil {
			t.Fatal(err)
		}
	}
	r := m.Read(v)
	p := r.Predict("small", 1)
	if !(p.Quality >= 0.01 && p.Quality <= 0.99) || !finite(p.Deviation) || !finite(p.Evidence) {
		t.Errorf("predicted %+v", p)
	}
	if _, err := Decode(m.Encode(), nil); err != nil {
		t.Errorf("its own snapshot is refused: %v", err)
	}
}

func TestModelsAreBounded(t *testing.T) {
	t.Parallel()
	m := New(nil, Assumed())
	v := vectorOf("x")
	for i := range MaxModels {
		if err := m.Learn(Verdict{Vector: v, Model: fmt.Sprint("m", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Learn(Verdict{Vector: v, Model: "one more"}); !errors.Is(err, ErrTooManyModels) {
		t.Errorf("the error is %v, want ErrTooManyModels", err)
	}
	if err := m.Learn(Verdict{Vector: v, Model: "m1"}); err != nil {
		t.Errorf("a model that is known is refused: %v", err)
	}
}

// TestFollowsChange turns the models' parts round.
func TestFollowsChange(t *testing.T) {
	t.Parallel()
	m := New(nil, Assumed())
	v := vectorOf("one kind of prompt")
	teach := func(n int, quality float64) {
		for range n {
			if err := m.Learn(Verdict{Vector: v, Model: "small", Quality: quality, Prior: 0.5}); err != nil {
				t.Fatal(err)
			}
		}
	}
	predicted := func() float64 { r := m.Read(v).Ungated(); return r.Predict("small", 0.5).Quality }
	teach(20_000, 1)
	if predicted() < 0.9 {
		t.Errorf("after good answers only, %.2f is predicted", predicted())
	}
	teach(4000, 0)
	if predicted() > 0.25 {
		t.Errorf("4,000 bad answers after 20,000 good ones: %.2f is still predicted", predicted())
	}
}

// TestForgets repeats one prompt: what is known of it grows to a bound and not
// for ever, or else nothing could change it any more.
func TestForgets(t *testing.T) {
	t.Parallel()
	m := New(nil, Assumed())
	v := vectorOf("one kind of prompt")
	after := func(n int) float64 {
		for range n {
			if err := m.Learn(Verdict{Vector: v, Model: "small", Quality: 1, Prior: 0.5}); err != nil {
				t.Fatal(err)
			}
		}
		r := m.Read(v)
		return r.Predict("small", 0.5).Evidence
	}
	early, late := after(10_000), after(90_000)
	if late > 3*early {
		t.Errorf("10,000 verdicts make evidence of %.0f, 100,000 of %.0f", early, late)
	}
}

// TestUnlikelyChoicesTellMore learns from one verdict, on a choice that was
// likely, and on one that was not.
func TestUnlikelyChoicesTellMore(t *testing.T) {
	t.Parallel()
	moved := func(propensity float64) float64 {
		m := New(nil, Assumed())
		v := vectorOf("hello")
		if err := m.Learn(Verdict{Vector: v, Model: "small", Quality: 1, Prior: 0.5,
			Candidates: []string{"small", "large"}, Propensity: propensity}); err != nil {
			t.Fatal(err)
		}
		r := m.Read(v).Ungated()
		return r.Predict("small", 0.5).Quality - 0.5
	}
	if likely, even, unlikely := moved(0.95), moved(0.5), moved(0.1); !(likely < even && even < unlikely) {
		t.Errorf("a likely choice moves the prediction by %v, an even one by %v, an unlikely one by %v", likely, even, unlikely)
	}
	if unlikely, hardly := moved(leastNoise/2), moved(1e-9); hardly != unlikely {
		t.Errorf("a choice that hardly ever comes moves the prediction by %v, not by %v: the bound does not hold", hardly, unlikely)
	}
	if even, unknown := moved(0.5), moved(0); even != unknown {
		t.Errorf("a choice of unknown propensity moves the prediction by %v, an even one by %v", unknown, even)
	}
}

func TestVector(t *testing.T) {
	t.Parallel()
	texts := []string{"", "x", "😀😀", "What is the capital of France?", strings.Repeat("日本語テキスト", 500), strings.Repeat("ab cd ", 40_000)}
	for _, text := range texts {
		v := vectorOf(text)
		squares, last := 0.0, -1
		for i := range v.n {
			if x := float64(v.value[i]); int(v.index[i]) < countersAt {
				squares += x * x
			} else if math.Abs(x) > 1 {
				t.Errorf("%.20q: counter %d weighs %v", text, v.index[i], x)
			}
			if int(v.index[i]) <= last {
				t.Errorf("%.20q: index %d follows %d", text, v.index[i], last)
			}
			last = int(v.index[i])
		}
		if last != biasAt || v.value[v.n-1] != 1 {
			t.Errorf("%.20q: there is no bias", text)
		}
		if squares != 0 && math.Abs(squares-1) > 1e-5 {
			t.Errorf("%.20q: the words' length is %v", text, math.Sqrt(squares))
		}
	}
	if words := vectorOf("good day").n - vectorOf("").n; words != 2 {
		t.Errorf("two words give %d places", words)
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	m := New(nil, Assumed())
	taught(t, m, 20, 0, 1)
	v := vectorOf(topics[0])
	verdict := Verdict{Vector: v, Model: "small", Quality: 1, Prior: 0.5, Candidates: []string{"small", "large"}, Propensity: 0.5}
	if n := testing.AllocsPerRun(100, func() {
		r := m.Read(v)
		_ = r.Predict("small", 0.5)
		if err := m.Learn(verdict); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("reading and learning allocate %v times", n)
	}
}

func BenchmarkLearn(b *testing.B) {
	m := New(nil, Assumed())
	v := vectorOf(strings.Repeat("Compare the economic causes of the war and justify your ranking. ", 3))
	verdict := Verdict{Vector: v, Model: "small", Quality: 1, Prior: 0.5, Candidates: []string{"small", "large"}, Propensity: 0.5}
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Learn(verdict); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(v.n), "places")
}

func BenchmarkPredictTen(b *testing.B) {
	m := New(nil, Assumed())
	v := vectorOf(strings.Repeat("Compare the economic causes of the war and justify your ranking. ", 3))
	names := make([]string, 10)
	for i := range names {
		names[i] = fmt.Sprint("model-", i)
		if err := m.Learn(Verdict{Vector: v, Model: names[i], Quality: 1, Prior: 0.5}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		r := m.Read(v)
		for _, id := range names {
			_ = r.Predict(id, 0.5)
		}
	}
}
