package apifuzz

import (
	"cmp"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/busuhq/busu/internal/contract"
)

// operation is a line of the document.
type operation struct {
	method, path string
	public       bool
	roles        []string
	everywhere   bool
	parameters   []*openapi3.Parameter
	body         *openapi3.MediaType // nil: none
	weight       int                 // how often it is drawn
}

// rare are operations that take seconds by what they promise, or read all there
// is; a run would do nothing else.
func rare(path string) bool {
	return slices.Contains([]string{"/users/{user_id}", "/reconcile", "/statements/{month}"}, path)
}

// operationsOf lists a document's operations, always in the same order.
func operationsOf(d *contract.Document) (all []operation) {
	for path, item := range d.Paths.Map() {
		for method, o := range item.Operations() {
			one := operation{method: method, path: path, weight: 8, everywhere: o.Extensions["x-busu-everywhere"] == true,
				public: o.Security != nil && len(*o.Security) == 0}
			roles, _ := o.Extensions["x-busu-roles"].([]any)
			for _, role := range roles {
				name, _ := role.(string)
				one.roles = append(one.roles, name)
			}
			for _, p := range slices.Concat(item.Parameters, o.Parameters) {
				one.parameters = append(one.parameters, p.Value)
			}
			if o.RequestBody != nil {
				one.body = o.RequestBody.Value.Content["application/json"]
				one.weight = 24
			}
			if rare(path) {
				one.weight = 1
			}
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.method, b.method)) })
	return all
}
