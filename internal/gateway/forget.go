package gateway

import (
	"context"
	"errors"
)

// Forgetter removes what is kept of a user.
type Forgetter interface {
	// ForgetUser removes it, and returns how much by where it was. With an error
	// some may be left: repeat it.
	ForgetUser(ctx context.Context, project, user string) (removed map[string]int64, err error)
}

// Forgetters are asked one after the other, as one. What fails in one place
// does not keep it in the others.
type Forgetters []Forgetter

// ForgetUser implements Forgetter.
func (all Forgetters) ForgetUser(ctx context.Context, project, user string) (map[string]int64, error) {
	removed := map[string]int64{}
	var errs []error
	for _, f := range all {
		some, err := f.ForgetUser(ctx, project, user)
		for place, n := range some {
			removed[place] += n
		}
		errs = append(errs, err)
	}
	return removed, errors.Join(errs...)
}
