package httpapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/pricing"
)

// maxModels bounds the models that a request may allow.
const maxModels = 100

// readConstraints takes what a caller asks of the plan: the most that an answer
// may cost, the least quality to be predicted of it, and who may answer.
func (a *API) readConstraints(o *object, r *gateway.Request) {
	if v, ok := o.take("max_cost_usd"); ok {
		r.MaxCost = greatestCost("max_cost_usd", v.Raw, v.Type == gjson.Number, o.faults)
	}
	if q := o.number("min_quality", 0, 1); q != nil {
		r.MinQuality = *q
	}
	v, ok := o.take("models")
	if !ok {
		return
	}
	if !v.IsArray() {
		o.fail("models", "is %s, must be a list of model ids", document.Show(v))
		return
	}
	var ids []string
	for _, id := range v.Array() {
		ids = append(ids, o.faults.Text("models", id))
	}
	r.Models = a.allowed("models", ids, o.faults)
}

// headerConstraints reads the same from the headers of /v1.
func (a *API) headerConstraints(h http.Header, r *gateway.Request, f *document.Faults) {
	if text := headerText(h, headerMaxCost, f); text != "" {
		r.MaxCost = greatestCost(headerMaxCost, text, true, f)
	}
	if text := headerText(h, headerMinQuality, f); text != "" {
		q, err := strconv.ParseFloat(text, 64)
		if err != nil || !(q >= 0 && q <= 1) {
			f.Add(document.CodeValue, headerMinQuality, "is %q, must be a number from 0 to 1", document.Cut(text))
		}
		r.MinQuality = q
	}
	if text := given(h, headerModels); text != "" {
		ids := strings.Split(text, ",")
		for i := range ids {
			ids[i] = strings.TrimSpace(ids[i])
		}
		r.Models = a.allowed(headerModels, ids, f)
	}
}

func greatestCost(name, text string, number bool, f *document.Faults) pricing.Nanos {
	n, err := pricing.ParseUSD(text)
	if !number || err != nil || n <= 0 {
		f.Add(document.CodeValue, name, "is %s, must be a number of US dollars above 0, no finer than 0.000000001", document.Cut(text))
		return 0
	}
	return n
}

// allowed checks a list of models.
func (a *API) allowed(name string, ids []string, f *document.Faults) []string {
	if len(ids) == 0 || len(ids) > maxModels {
		f.Add(document.CodeValue, name, "names %d models, must name 1 to %d", len(ids), maxModels)
		return nil
	}
	for _, id := range ids {
		if !slices.Contains(a.Names.Models, id) {
			f.Add(document.CodeValue, name, "names %q, which is none of: %s", document.Cut(id), listing(a.Names.Models))
			return nil
		}
	}
	return ids
}
