package gateway_test

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/busuhq/busu/internal/gateway"
)

// place removes what it says, or fails.
type place struct {
	removed map[string]int64
	err     error
	asked   *[]string
}

func (p place) ForgetUser(_ context.Context, project, user string) (map[string]int64, error) {
	*p.asked = append(*p.asked, project+"/"+user)
	return p.removed, p.err
}

func TestForgettersAreOne(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	var asked []string
	all := gateway.Forgetters{
		place{map[string]int64{"a": 1, "b": 2}, nil, &asked},
		place{nil, down, &asked},
		place{map[string]int64{"a": 3}, nil, &asked},
	}
	removed, err := all.ForgetUser(t.Context(), "p", "ann")
	if !errors.Is(err, down) || len(asked) != 3 || asked[2] != "p/ann" || !maps.Equal(removed, map[string]int64{"a": 4, "b": 2}) {
		t.Errorf("asked %v, removed %v, %v", asked, removed, err)
	}
	if _, err := (gateway.Forgetters{all[0], all[2]}).ForgetUser(t.Context(), "p", "ann"); err != nil {
		t.Error(err)
	}
}
