package httpapi

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/experiment"
)

// readExperiment takes what an experiment is asked to be; which values make sense is
// the experiment's to say.
func readExperiment(o *object) experiment.Start {
	o.require("sample_size")
	s := experiment.Start{
		Name:            o.text("name", maxExperimentText),
		ControlStrategy: o.text("control_strategy", maxExperimentText), TestStrategy: o.text("test_strategy", maxExperimentText),
		Control: readArmOf(o, "control"), Test: readArmOf(o, "test"), Arms: readArms(o),
		TestShare: anyNumber(o, "test_share"), SampleSize: o.whole("sample_size", math.MinInt32, maxCount, 0),
		Primary: experiment.Metric(o.text("primary_metric", maxExperimentText)), Margins: readMargins(o), Alpha: anyNumber(o, "alpha"),
		Unit:        experiment.UnitKind(o.text("unit", maxExperimentText)),
		Observation: duration(o, "observation"), FeedbackWindow: duration(o, "feedback_window"),
		MinDuration: duration(o, "min_duration"), MaxDuration: duration(o, "max_duration"),
		Layer: o.text("layer", maxExperimentText), LayerShare: anyNumber(o, "layer_share"),
		Learn: experiment.Learn(o.text("learn", maxExperimentText)), NotifyURL: o.text("notify_url", maxNotifyURL),
		SlowMS: anyNumber(o, "slow_ms"), CUPED: o.boolean("cuped"),
	}
	return s
}

const (
	maxExperimentText = 1000 // bytes; the record says less of most
	maxNotifyURL      = 4000
	maxCount          = 1 << 53
	mostArms          = 100 // that are looked at; the record says less
)

// anyNumber takes any number, or nil when the member is not there.
func anyNumber(o *object, name string) *float64 { return o.number(name, -1e18, 1e18) }

func duration(o *object, name string) *experiment.Duration {
	text, ok := o.str(name)
	if !ok {
		return nil
	}
	d := new(experiment.Duration)
	if err := d.UnmarshalText([]byte(document.Cut(text))); err != nil {
		o.fail(name, "is no duration: write it like 90s, 24h or 1h30m")
	}
	return d
}

// nested takes an object within the body.
func nested(o *object, name string) *object {
	v, ok := o.take(name)
	if !ok {
		return nil
	}
	return objectAt(v, o.path+name, o.faults)
}

func objectAt(v gjson.Result, path string, f *document.Faults) *object {
	if !v.IsObject() {
		f.Add(document.CodeType, path, "is %s, must be an object", document.Show(v))
		return nil
	}
	return newObject(v, path+".", f)
}

func readArmOf(o *object, name string) *experiment.ArmSpec {
	arm := nested(o, name)
	if arm == nil {
		return nil
	}
	spec := readSpec(arm)
	arm.finish()
	return &spec
}

// readSpec takes what an arm does.
func readSpec(o *object) experiment.ArmSpec {
	spec := experiment.ArmSpec{Strategy: o.text("strategy", maxExperimentText), Model: o.text("model", maxExperimentText)}
	if parameters := nested(o, "parameters"); parameters != nil {
		spec.Parameters = map[string]json.RawMessage{}
		for name, value := range parameters.members {
			spec.Parameters[name] = json.RawMessage(value.Raw)
		}
	}
	return spec
}

func readArms(o *object) (arms []experiment.ArmShare) {
	v, ok := o.take("arms")
	if !ok {
		return nil
	}
	if !v.IsArray() {
		o.fail("arms", "is %s, must be a list of arms", document.Show(v))
		return nil
	}
	for i, one := range v.Array() {
		if i == mostArms {
			o.fail("arms", "are more than %d", mostArms)
			break
		}
		arm := objectAt(one, fmt.Sprintf("%sarms[%d]", o.path, i), o.faults)
		if arm == nil {
			continue
		}
		arm.require("name")
		arm.require("share")
		a := experiment.ArmShare{Name: arm.text("name", maxExperimentText), ArmSpec: readSpec(arm)}
		if share := anyNumber(arm, "share"); share != nil {
			a.Share = *share
		}
		arm.finish()
		arms = append(arms, a)
	}
	return arms
}

func readMargins(o *object) *experiment.StartMargins {
	m := nested(o, "margins")
	if m == nil {
		return nil
	}
	margins := &experiment.StartMargins{Good: anyNumber(m, "good"), Quality: anyNumber(m, "quality"), Slow: anyNumber(m, "slow")}
	m.finish()
	return margins
}
