package httpapi

import (
	"fmt"
	"slices"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/gateway"
)

// askedIn names the parts of a request that ask for what a key may limit.
type askedIn struct{ model, models, strategy, experiment string }

// grant refuses a request that asks for more than its key allows, and leaves to
// the plan no more than that.
func (a *API) grant(caller access.Caller, r *gateway.Request, in askedIn) error {
	k := caller.Key
	if k == nil {
		return nil
	}
	if r.Model != "" {
		if err := within(k.Models, in.model, r.Model); err != nil {
			return err
		}
	}
	for _, id := range r.Models {
		if err := within(k.Models, in.models, id); err != nil {
			return err
		}
	}
	if len(r.Models) == 0 {
		r.Models = k.Models
	}
	if r.Experiment != "" {
		if err := within(k.Experiments, in.experiment, r.Experiment); err != nil {
			return err
		}
	}
	switch {
	case len(k.Strategies) == 0 || r.Model != "":
	case r.Strategy != "":
		return within(k.Strategies, in.strategy, r.Strategy)
	case !slices.Contains(k.Strategies, a.Names.Default):
		r.Strategy = k.Strategies[0]
	}
	return nil
}

// within refuses what is not among the names that a key allows; none: any.
func within(allowed []string, field, name string) error {
	if len(allowed) == 0 || slices.Contains(allowed, name) {
		return nil
	}
	return &forbiddenError{field: field, detail: fmt.Sprintf("asks for %q, your key is limited to: %s", document.Cut(name), listing(allowed))}
}

// grantedTo are the names that a caller's key leaves.
func (n Names) grantedTo(caller access.Caller) Names {
	if caller.Key == nil {
		return n
	}
	n.Models, n.Embedders = common(n.Models, caller.Key.Models), common(n.Embedders, caller.Key.Models)
	n.Strategies = common(n.Strategies, caller.Key.Strategies)
	return n
}

func common(names, allowed []string) []string {
	if len(allowed) == 0 {
		return names
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(allowed, name) })
}
