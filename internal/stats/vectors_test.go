package stats_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/busuhq/busu/internal/stats"
)

// vector is a case that R and SciPy have computed.
type vector struct {
	ID     string             `json:"id"`
	Kind   string             `json:"kind"`
	Input  input              `json:"input"`
	Status string             `json:"status"`
	Expect map[string]float64 `json:"expect"`
	RTol   float64            `json:"rtol"`
	ATol   float64            `json:"atol"`
	Tags   []string           `json:"tags"`
}

// whole is a count, which may be written as 100.0.
type whole int64

func (w *whole) UnmarshalJSON(b []byte) error {
	var x float64
	if err := json.Unmarshal(b, &x); err != nil {
		return err
	}
	if x != math.Trunc(x) {
		return fmt.Errorf("%v is no whole number", x)
	}
	*w = whole(x)
	return nil
}

// input has the fields of all kinds.
type input struct {
	Table [][2]whole `json:"table"`
	Yates bool       `json:"yates"`

	Observed      []whole   `json:"observed"`
	Weights       []float64 `json:"weights"`
	Concentration float64   `json:"concentration"`

	Conf      float64 `json:"conf"`
	Successes whole   `json:"successes"`
	N         whole   `json:"n"`
	XA        whole   `json:"x_a"`
	NA        whole   `json:"n_a"`
	XB        whole   `json:"x_b"`
	NB        whole   `json:"n_b"`
	MeanA     float64 `json:"mean_a"`
	VarA      float64 `json:"var_a"`
	MeanB     float64 `json:"mean_b"`
	VarB      float64 `json:"var_b"`

	A    []float64 `json:"a"`
	B    []float64 `json:"b"`
	X    []float64 `json:"x"`
	YA   []float64 `json:"y_a"`
	YB   []float64 `json:"y_b"`
	PreA []float64 `json:"pre_a"`
	PreB []float64 `json:"pre_b"`
	NumA []float64 `json:"num_a"`
	NumB []float64 `json:"num_b"`
	DenA []float64 `json:"den_a"`
	DenB []float64 `json:"den_b"`

	Q         float64   `json:"q"`
	P         []float64 `json:"p"`
	PA        float64   `json:"p_a"`
	PB        float64   `json:"p_b"`
	PerArm    float64   `json:"n_per_arm"`
	Power     float64   `json:"power"`
	Delta     float64   `json:"delta"`
	SD        float64   `json:"sd"`
	Alpha     float64   `json:"alpha"`
	Statistic float64   `json:"statistic"`
	DF        whole     `json:"df"`
	NTotal    whole     `json:"n_total"`
	TStar     whole     `json:"t_star"`
	Diff      float64   `json:"diff"`
	SE        float64   `json:"se"`
	Margin    float64   `json:"margin"`
	CountA    whole     `json:"count_a"`
	CountB    whole     `json:"count_b"`
	Prior     float64   `json:"prior"`
	WeightB   float64   `json:"weight_b"`
}

type results map[string]float64

// kinds answers each kind of case. What is not testable answers only what such
// a case expects, so that a wrongly refused case fails for want of keys.
var kinds = map[string]func(input) results{
	"chisq_2x2":        chiSquare,
	"chisq_2x2_yates":  chiSquare,
	"chisq_kx2":        chiSquare,
	"srm_gof":          sampleRatio,
	"ssrm_logbf":       sampleRatioBayesFactor,
	"welch_summary":    welchOfSummaries,
	"welch_raw":        welchOfValues,
	"wilson":           wilson,
	"two_prop_ci":      twoProportions,
	"power_prop_n":     sampleSizeProportions,
	"power_prop_power": powerProportions,
	"mde_prop":         mdeProportions,
	"power_t_n":        sampleSizeMeans,
	"fisher_2x2":       fisher,
	"p_adjust":         adjust,
	"quantile_ci":      quantile,
	"ratio_delta":      ratio,
	"av_chisq":         alwaysValid,
	"av_cs":            confidenceSequence,
	"beta_mix_e":       betaMixture,
	"cuped":            cuped,
	"noninferiority":   nonInferiority,
}

func binomial(successes, trials whole) stats.Binomial {
	return stats.Binomial{Successes: int64(successes), Trials: int64(trials)}
}

func arms(table [][2]whole) []stats.Binomial {
	list := make([]stats.Binomial, len(table))
	for i, row := range table {
		list[i] = binomial(row[0], row[0]+row[1])
	}
	return list
}

func observed(in input) []int64 {
	list := make([]int64, len(in.Observed))
	for i, n := range in.Observed {
		list[i] = int64(n)
	}
	return list
}

func chiSquare(in input) results {
	list := arms(in.Table)
	test := stats.ChiSquare(list)
	if in.Yates {
		test = stats.ChiSquareYates(list[0], list[1])
	}
	r := results{"statistic": test.Statistic, "df": float64(test.DF), "p": test.P}
	if test.Testable {
		r["min_expected"], r["cramers_v"] = test.MinExpected, test.CramersV
		if len(list) == 2 {
			r["phi"] = test.CramersV
		}
	}
	return r
}

func sampleRatio(in input) results {
	test := stats.SampleRatio(observed(in), in.Weights)
	return results{"statistic": test.Statistic, "df": float64(test.DF), "p": test.P}
}

func sampleRatioBayesFactor(in input) results {
	return results{"log_bf": stats.SampleRatioBayesFactor(observed(in), in.Weights, in.Concentration)}
}

func comparison(c stats.Comparison) results {
	if !c.Testable {
		return results{"p": c.P}
	}
	return results{"diff": c.Diff, "se": c.SE, "t": c.Statistic, "z": c.Statistic, "df": c.DF, "p": c.P,
		"ci_low": c.Interval.Low, "ci_high": c.Interval.High}
}

func welchOfSummaries(in input) results {
	a := stats.Sample{N: int64(in.NA), Mean: in.MeanA, Variance: in.VarA}
	b := stats.Sample{N: int64(in.NB), Mean: in.MeanB, Variance: in.VarB}
	return comparison(stats.Welch(a, b, in.Conf))
}

func welchOfValues(in input) results {
	return comparison(stats.Welch(stats.Describe(in.A), stats.Describe(in.B), in.Conf))
}

func wilson(in input) results {
	i := stats.Wilson(binomial(in.Successes, in.N), in.Conf)
	return results{"low": i.Low, "high": i.High}
}

func (r results) lift(l stats.Lift) results {
	if l.Known {
		r["rel_lift"], r["rel_se"], r["rel_low"], r["rel_high"] = l.Value, l.SE, l.Interval.Low, l.Interval.High
	}
	return r
}

func twoProportions(in input) results {
	c := stats.CompareProportions(binomial(in.XA, in.NA), binomial(in.XB, in.NB), in.Conf)
	return results{"diff": c.Diff, "wald_low": c.Wald.Low, "wald_high": c.Wald.High,
		"newcombe_low": c.Newcombe.Low, "newcombe_high": c.Newcombe.High}.lift(c.Lift)
}

func size(n float64, ok bool) results {
	if !ok {
		return results{}
	}
	return results{"n_per_arm": n, "n_per_arm_ceil": math.Ceil(n)}
}

func sampleSizeProportions(in input) results {
	return size(stats.SampleSizeProportions(in.PA, in.PB, in.Alpha, in.Power))
}

func powerProportions(in input) results {
	return results{"power": stats.PowerProportions(in.PA, in.PB, in.PerArm, in.Alpha)}
}

func mdeProportions(in input) results {
	e, ok := stats.MDEProportions(in.PA, in.PerArm, in.Alpha, in.Power)
	if !ok {
		return results{}
	}
	return results{"p_b": e.B, "mde_abs": e.Absolute, "mde_rel": e.Relative}
}

func sampleSizeMeans(in input) results {
	return size(stats.SampleSizeMeans(in.Delta, in.SD, in.Alpha, in.Power))
}

func fisher(in input) results {
	list := arms(in.Table)
	test := stats.FisherExact(list[0], list[1])
	return results{"p_two_sided": test.P, "p_less": test.Less, "p_greater": test.Greater}
}

func adjust(in input) results {
	r := results{}
	for name, adjusted := range map[string][]float64{
		"holm": stats.Holm(in.P), "bh": stats.BenjaminiHochberg(in.P), "bonferroni": stats.Bonferroni(in.P),
	} {
		for i, p := range adjusted {
			r[fmt.Sprintf("%s[%d]", name, i)] = p
		}
	}
	return r
}

func quantile(in input) results {
	e := stats.Quantile(in.X, in.Q, in.Conf)
	r := results{"quantile": e.Value, "rank_low": float64(e.RankLow), "rank_high": float64(e.RankHigh), "coverage": e.Coverage}
	if e.Interval.BoundedBelow() {
		r["low"] = e.Interval.Low
	}
	if e.Interval.BoundedAbove() {
		r["high"] = e.Interval.High
	}
	return r
}

func moments(n, y []float64) stats.Moments {
	var m stats.Moments
	for i := range n {
		m.Add(n[i], y[i])
	}
	return m
}

func ratio(in input) results {
	c := stats.CompareRatios(moments(in.DenA, in.NumA), moments(in.DenB, in.NumB), in.Conf)
	r := comparison(c.Comparison).lift(c.Lift)
	r["ratio_a"], r["ratio_b"], r["var_a"], r["var_b"] = c.RatioA, c.RatioB, c.VarA, c.VarB
	return r
}

func alwaysValid(in input) results {
	mixture := stats.TuneMixture(in.Alpha, int64(in.TStar))
	test := mixture.Test(in.Statistic, int(in.DF), int64(in.NTotal))
	return results{"rho2": mixture.Rho2, "log_e": test.LogE, "p_always": test.P, "crit": test.Critical}
}

func confidenceSequence(in input) results {
	i := stats.TuneMixture(in.Alpha, int64(in.TStar)).Sequence(in.Diff, in.SE, int64(in.NTotal))
	return results{"halfwidth": (i.High - i.Low) / 2, "low": i.Low, "high": i.High}
}

func betaMixture(in input) results {
	return results{"log_e": stats.BetaMixture(int64(in.CountA), int64(in.CountB), in.Prior, in.Prior, in.WeightB)}
}

func cuped(in input) results {
	c := stats.CUPED(stats.Covaried{Y: in.YA, Pre: in.PreA}, stats.Covaried{Y: in.YB, Pre: in.PreB}, in.Conf)
	r := comparison(c.Comparison)
	r["theta"], r["adj_mean_a"], r["adj_mean_b"] = c.Theta, c.MeanA, c.MeanB
	return r
}

func nonInferiority(in input) results {
	test := stats.NonInferiority(in.Diff, in.SE, in.Margin, in.Alpha)
	r := results{"z": test.Z, "p": test.P, "lower_bound": test.LowerBound, "non_inferior": 0}
	if test.NonInferior {
		r["non_inferior"] = 1
	}
	return r
}

// optional are keys that say something by being there: an end that is bounded,
// a lift that is known.
var optional = []string{"low", "high", "rel_lift", "rel_se", "rel_low", "rel_high"}

// TestReferenceVectors holds the package against R and SciPy. Where
// BUSU_STATS_VECTORS names another file of the same schema, that is read.
func TestReferenceVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			answer, ok := kinds[v.Kind]
			if !ok {
				t.Fatalf("there is no answer to the kind %q", v.Kind)
			}
			got := answer(v.Input)
			if len(v.Expect) == 0 {
				t.Fatal("the case expects nothing")
			}
			for key, want := range v.Expect {
				value, ok := got[key]
				if !ok || !(math.Abs(value-want) <= v.ATol+v.RTol*math.Abs(want)) {
					t.Errorf("%s is %v (there: %v), want %v within %g, relative %g", key, value, ok, want, v.ATol, v.RTol)
				}
			}
			for key, value := range got {
				if math.IsNaN(value) || math.IsInf(value, 0) {
					t.Errorf("%s is %v", key, value)
				}
				if _, ok := v.Expect[key]; !ok && slices.Contains(optional, key) {
					t.Errorf("%s is %v where there is nothing to say", key, value)
				}
			}
		})
	}
}

func vectors(t *testing.T) []vector {
	t.Helper()
	path := os.Getenv("BUSU_STATS_VECTORS")
	if path == "" {
		path = filepath.Join("testdata", "ab.json")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Meta struct {
			Schema int `json:"schema"`
		} `json:"meta"`
		Cases []vector `json:"cases"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if file.Meta.Schema != 1 || len(file.Cases) == 0 {
		t.Fatalf("%s has schema %d and %d cases", path, file.Meta.Schema, len(file.Cases))
	}
	return file.Cases
}
