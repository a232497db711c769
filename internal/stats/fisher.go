package stats

// FisherTest is Fisher's exact test's outcome.
type FisherTest struct {
	P        float64 // two-sided: of all tables that are no more probable than this one
	Less     float64 // one-sided: A succeeds less often
	Greater  float64 // one-sided: A succeeds more often
	Testable bool    // false without trials, or with too many to count tables
}

const (
	// fisherMost are trials up to which tables are counted; far below them a
	// chi-square test says the same.
	fisherMost = 100_000_000
	// fisherEqual is what R allows for rounding where probabilities are equal.
	fisherEqual = 1 + 1e-7
)

// FisherExact tests whether two arms succeed equally often by counting the
// tables with the same margins: for counts too small for ChiSquare (Fisher
// 1935; Agresti, Categorical Data Analysis, 3rd ed., 3.5).
func FisherExact(a, b Binomial) FisherTest {
	if !a.sound() || !b.sound() || a.Trials > fisherMost || b.Trials > fisherMost {
		return FisherTest{P: 1, Less: 1, Greater: 1}
	}
	tables := hypergeometric(a.Trials, b.Trials, a.Successes+b.Successes)
	observed := tables.at(a.Successes)
	test := FisherTest{Testable: true}
	for i, p := range tables.p {
		if p <= observed*fisherEqual {
			test.P += p
		}
		if successes := tables.first + int64(i); successes <= a.Successes {
			test.Less += p
		}
	}
	for i := len(tables.p) - 1; i >= 0 && tables.first+int64(i) >= a.Successes; i-- {
		test.Greater += tables.p[i]
	}
	test.P, test.Less, test.Greater = min(1, test.P), min(1, test.Less), min(1, test.Greater)
	return test
}

// hypergeometric is how many of the successes fall to the first of two arms.
func hypergeometric(a, b, successes int64) distribution {
	low, high := max(0, successes-b), min(a, successes)
	mode := int64((float64(a) + 1) * (float64(successes) + 1) / (float64(a) + float64(b) + 2))
	return byRatios(low, high, mode, func(x int64) float64 {
		return float64(a-x) / float64(x+1) * (float64(successes-x) / float64(b-successes+x+1))
	})
}
