package replay

import (
	"strings"
	"testing"
)

// TestSecondAnswersImproveLearning: of as many requests, few of which get
// feedback, more is learned where some have a second model's answer judged.
func TestSecondAnswersImproveLearning(t *testing.T) {
	t.Parallel()
	mean := func(shadow float64) (apgr float64) {
		const seeds = 4
		for seed := range uint64(seeds) {
			o := options(t, Hybrid)
			o.Rate, o.Shadow, o.Seed = 0.05, shadow, seed
			reports := evaluated(t, synthetic(400, 1), synthetic(500, 2+seed), o)
			apgr += reports[len(reports)-1].APGR / seeds
		}
		return apgr
	}
	without, with := mean(0), mean(0.2)
	t.Logf("without second answers %.3f, with %.3f", without, with)
	if with < without+0.05 {
		t.Errorf("with second answers the order is worth %.3f, without %.3f", with, without)
	}
}

func TestSecondAnswersNeedAChoice(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*Options){
		func(o *Options) { o.Shadow = 1.1 },
		func(o *Options) { o.Shadow, o.Logging = .1, Uniform },
		func(o *Options) { o.Shadow, o.Feedback = .1, Full },
	} {
		o := options(t, Hybrid)
		change(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "shadow") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
