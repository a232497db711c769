package replay

import (
	"slices"
)

// Report is what an evaluation found at one point of the training. Where a
// strategy does not learn there is nothing online.
type Report struct {
	Strategy          string             `json:"strategy"`
	Datasets          []string           `json:"datasets"`
	Trained           int                `json:"n_train"`
	Tested            int                `json:"n_test"`
	Seed              uint64             `json:"seed"`
	APGR              float64            `json:"apgr"`            // of all rows together
	APGRByDataset     map[string]float64 `json:"apgr_by_dataset"` // without those where the strong model gains nothing
	CPT50             float64            `json:"cpt50"`           // least share of strong calls that recovers half of the gap
	CPT80             float64            `json:"cpt80"`
	StrongAt95        float64            `json:"strong_at_95"`        // least share that keeps 95 % of the strong model's quality
	CostSavedAt95     float64            `json:"cost_saved_at_95"`    // share of the strong model's cost
	AIQ               float64            `json:"aiq"`                 // area under the hull of cost and quality
	PGRAtStrongShare  float64            `json:"pgr_at_strong_share"` // recovered at the target share
	OnlinePGR         *float64           `json:"online_pgr"`          // recovered while learning, since its start
	OnlineStrongShare *float64           `json:"online_strong_share"`
	GateWeight        *float64           `json:"gate_weight"`
	DiffToPrior       Interval           `json:"diff_to_prior"` // in APGR, paired, 95 %
	NsPerDecision     float64            `json:"ns_per_decision"`
	Fixed             Fixed              `json:"fixed"`
}

// Fixed are policies that look at no prompt, and the policy itself at the
// target share of strong calls, which pays what the mix does.
type Fixed struct {
	Cheapest Point `json:"always_cheapest"`
	Baseline Point `json:"always_baseline"`
	Mix      Point `json:"equal_cost_mix"`
	Policy   Point `json:"policy"`
}

// Point is a mean quality at a mean cost in dollars.
type Point struct {
	Quality float64 `json:"quality"`
	Cost    float64 `json:"cost_usd"`
}

func (e *evaluation) report(m *moment) Report {
	f := e.field
	at := order(m.scored, f, e.o.Seed)
	c := newCurve(m.scored, f, at)
	points := sweep(m.scored, f)
	strong, weak := fixed(m.scored, f.strong), fixed(m.scored, f.weak)
	r := Report{
		Strategy: e.o.Strategy, Trained: m.trained, Tested: len(m.scored), Seed: e.o.Seed,
		APGR: c.area(), APGRByDataset: map[string]float64{},
		CPT50: c.reaching(0.5), CPT80: c.reaching(0.8),
		StrongAt95:       c.reaching((kept*strong.quality - weak.quality) / (strong.quality - weak.quality)),
		AIQ:              aiq(points, fixed(m.scored, f.cheapest).cost, e.dearest(m)),
		PGRAtStrongShare: c.at(e.o.StrongShare),
		DiffToPrior:      pairedDifference(uplifts(m.scored, f), at, order(m.prior, f, e.o.Seed), e.o.Seed),
		Fixed:            e.fixed(m),
	}
	if cost, ok := least(points, kept*strong.quality); ok && strong.cost > 0 {
		r.CostSavedAt95 = 1 - cost/strong.cost
	}
	for name, rows := range byDataset(m.scored) {
		r.Datasets = append(r.Datasets, name)
		if c := newCurve(rows, f, order(rows, f, e.o.Seed)); c != nil {
			r.APGRByDataset[name] = c.area()
		}
	}
	slices.Sort(r.Datasets)
	if len(m.scored) > 0 {
		r.NsPerDecision = float64(m.took.Nanoseconds()) / float64(len(m.scored))
	}
	r.addOnline(m)
	return r
}

// kept is the share of the strong model's quality that savings must keep.
const kept = 0.95

func (r *Report) addOnline(m *moment) {
	if m.online.requests == 0 {
		return
	}
	share := float64(m.online.strong) / float64(m.online.requests)
	r.OnlineStrongShare, r.GateWeight = &share, &m.weight
	if m.online.gap > 0 {
		pgr := m.online.gained / m.online.gap
		r.OnlinePGR = &pgr
	}
}

func uplifts(rows []scored, f *field) []float64 {
	u := make([]float64, len(rows))
	for i := range rows {
		u[i] = rows[i].uplift(f)
	}
	return u
}

func byDataset(rows []scored) map[string][]scored {
	sets := map[string][]scored{}
	for _, r := range rows {
		sets[r.dataset] = append(sets[r.dataset], r)
	}
	return sets
}

func (e *evaluation) dearest(m *moment) (cost float64) {
	for model := range e.field.names {
		cost = max(cost, fixed(m.scored, model).cost)
	}
	return cost
}

// fixed sets the policy at its target share, by q − λ·cost, beside the
// policies that look at no prompt.
func (e *evaluation) fixed(m *moment) Fixed {
	at := byWorth(m.scored, e.field, e.o.Seed)
	n := float64(len(at))
	var policy point
	for rank, i := range at {
		model := e.field.weak
		if float64(rank) < e.o.StrongShare*n {
			model = e.field.strong
		}
		policy.cost += m.scored[i].truth[model].Cost / n
		policy.quality += m.scored[i].truth[model].Quality / n
	}
	weak, strong := fixed(m.scored, e.field.weak), fixed(m.scored, e.field.strong)
	mix := point{cost: policy.cost, quality: weak.quality}
	if strong.cost > weak.cost {
		mix.quality += (policy.cost - weak.cost) / (strong.cost - weak.cost) * (strong.quality - weak.quality)
	}
	return Fixed{Cheapest: weak.public(), Baseline: strong.public(), Mix: mix.public(), Policy: policy.public()}
}

func (p point) public() Point { return Point{Quality: p.quality, Cost: p.cost} }
