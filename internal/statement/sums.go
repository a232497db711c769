package statement

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// ErrTooMuch says that an amount does not fit into 64 bits.
var ErrTooMuch = errors.New("the amounts add up to more than there is room for")

func plus(a, b int64) (int64, error) {
	if c := a + b; (c > a) == (b > 0) {
		return c, nil
	}
	return 0, ErrTooMuch
}

// scaled is a·b/c, rounded down.
func scaled(a, b, c int64) (int64, error) {
	product := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	quotient, _ := product.DivMod(product, big.NewInt(c), new(big.Int)) // Euclidean, and c > 0: down
	if !quotient.IsInt64() {
		return 0, ErrTooMuch
	}
	return quotient.Int64(), nil
}

// figures are the sums of a line, in one order.
func (c *Counted) figures() []*int64 {
	return []*int64{&c.Requests, &c.Errors, &c.TokensIn, &c.TokensOut, &c.PaidNanos, &c.BaselineNanos, &c.Unpriced, &c.UserRequests}
}

func (c *Counted) add(other Counted) error {
	theirs := other.figures()
	for i, mine := range c.figures() {
		sum, err := plus(*mine, *theirs[i])
		if err != nil {
			return err
		}
		*mine = sum
	}
	return nil
}

// add makes parts, totals and the modelled saving from the lines.
func (s *Statement) add() error {
	s.Totals, s.Parts, s.PriceVersions, s.BaselineModels = Counted{}, []Part{}, []string{}, []string{}
	of := map[string]*Counted{}
	for _, name := range Parts() {
		s.Parts = append(s.Parts, Part{Part: name})
	}
	for i := range s.Parts {
		of[s.Parts[i].Part] = &s.Parts[i].Counted
	}
	for _, l := range s.Lines {
		part := of[l.Part]
		if part == nil {
			return fmt.Errorf("a line is of the part %q, which there is not", l.Part)
		}
		if err := errors.Join(part.add(l.Counted), s.Totals.add(l.Counted)); err != nil {
			return err
		}
		s.PriceVersions = append(s.PriceVersions, l.PriceVersion)
		s.BaselineModels = append(s.BaselineModels, l.BaselineModel)
	}
	s.PriceVersions, s.BaselineModels = distinct(s.PriceVersions), distinct(s.BaselineModels)
	var err error
	s.ModelledNanos, err = plus(of[PartRouted].BaselineNanos, -of[PartRouted].PaidNanos)
	return err
}

// distinct sorts names and leaves out the empty one.
func distinct(names []string) []string {
	slices.Sort(names)
	names = slices.Compact(names)
	return slices.DeleteFunc(names, func(s string) bool { return s == "" })
}

func compareLines(a, b Line) int {
	return cmp.Or(cmp.Compare(slices.Index(Parts(), a.Part), slices.Index(Parts(), b.Part)), cmp.Compare(a.KeyID, b.KeyID), cmp.Compare(a.Model, b.Model),
		cmp.Compare(a.BaselineModel, b.BaselineModel), cmp.Compare(a.PriceVersion, b.PriceVersion))
}
