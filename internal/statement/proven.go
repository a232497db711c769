package statement

import (
	"errors"
	"math/big"

	"github.com/busuhq/busu/internal/savings"
)

const million = 1_000_000

// Proven is the comparison of routed users with those of the hold-out. The
// amounts are the means per request times Requests; without an interval they
// are left out.
type Proven struct {
	State         string    `json:"state"` // as savings has them; it is proven in "proven" only
	ConfidencePPM int64     `json:"confidence_ppm"`
	RoutedUsers   int64     `json:"routed_users"`
	HoldoutUsers  int64     `json:"holdout_users"`
	Requests      int64     `json:"requests"` // of the part routed, those that name a user
	PerRequest    *Interval `json:"per_request,omitempty"`
	Saving        *Interval `json:"saving,omitempty"`
}

// Interval is an amount in nano-dollars with what bounds it.
type Interval struct {
	Nanos int64 `json:"nanos"`
	Low   int64 `json:"low_nanos"`
	High  int64 `json:"high_nanos"`
}

// Holdout is what knowing costs.
type Holdout struct {
	Requests  int64 `json:"requests"`
	PaidNanos int64 `json:"paid_nanos"`
	Extra     int64 `json:"extra_nanos"` // more than if they had been routed, estimated
}

func prove(e Evidence, routed, holdout Counted) (Proven, Holdout, error) {
	t := e.Groups
	t.From, t.AsOf = e.Month.From(), e.Month.To()
	t.Window = savings.Window{Name: e.Month.String(), Days: e.Month.Days()}
	t.All = savings.Traffic{Requests: routed.Requests, CostNanos: routed.PaidNanos, BaselineNanos: routed.BaselineNanos}
	t.Kept = savings.Traffic{Requests: holdout.Requests, CostNanos: holdout.PaidNanos, BaselineNanos: holdout.BaselineNanos}
	r := savings.NewReport(t)
	p := Proven{State: r.Proven.State, ConfidencePPM: int64(savings.Confidence * million), RoutedUsers: r.Proven.RoutedUsers,
		HoldoutUsers: r.Proven.HoldoutUsers, Requests: routed.UserRequests}
	h := Holdout{Requests: holdout.Requests, PaidNanos: holdout.PaidNanos, Extra: int64(r.Holdout.Extra)}
	each := r.Proven.PerRequest
	if each.Low == nil || each.High == nil {
		return p, h, nil
	}
	p.PerRequest = &Interval{int64(each.Savings), int64(*each.Low), int64(*each.High)}
	var err error
	p.Saving, err = p.PerRequest.times(p.Requests)
	return p, h, err
}

func (i Interval) times(n int64) (*Interval, error) {
	nanos, err1 := scaled(i.Nanos, n, 1)
	low, err2 := scaled(i.Low, n, 1)
	high, err3 := scaled(i.High, n, 1)
	return &Interval{nanos, low, high}, errors.Join(err1, err2, err3)
}

// Share is a part of the proven saving, for those who resell.
type Share struct {
	PPM    int64  `json:"share_ppm"` // millionths
	Of     string `json:"of"`        // always the lower bound: what is shown to be saved at least
	Amount int64  `json:"amount_nanos"`
}

// OfLowerBound is what a share is of.
const OfLowerBound = "proven.saving.low_nanos"

// ErrShare refuses what is no share.
var ErrShare = errors.New("must be more than 0 and at most 1, in millionths at the finest, such as 0.2")

// ParseShare reads a share, such as 0.2, as millionths.
func ParseShare(text string) (ppm int64, err error) {
	r, ok := new(big.Rat).SetString(text)
	if len(text) > 16 || !ok {
		return 0, ErrShare
	}
	r.Mul(r, big.NewRat(million, 1))
	if !r.IsInt() || r.Sign() <= 0 || r.Cmp(big.NewRat(million, 1)) > 0 {
		return 0, ErrShare
	}
	return r.Num().Int64(), nil
}

// Charge adds the line of a share, in millionths, where a saving is proven, and
// says whether it did. It is of the lower bound of the interval and rounded
// down: with the confidence of the statement, not more is charged for than was
// saved.
func (s *Statement) Charge(ppm int64) (charged bool, err error) {
	s.Share = nil
	if s.Proven.State != savings.StateProven || s.Proven.Saving == nil || s.Proven.Saving.Low <= 0 {
		return false, nil
	}
	amount, err := scaled(s.Proven.Saving.Low, ppm, million)
	if err != nil {
		return false, err
	}
	s.Share = &Share{PPM: ppm, Of: OfLowerBound, Amount: amount}
	return true, nil
}
