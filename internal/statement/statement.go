// Package statement says what a project used in a month, what it paid, and what
// routing saved, in integers of nano-dollars that add up, on a document that
// can be signed and checked by whoever has the public key.
//
// A statement is final when the ledger is shown to be whole for its month, and
// provisional, with the reasons, as long as it is not.
package statement

import (
	"slices"
	"time"

	"github.com/busuhq/busu/internal/savings"
)

// Parts of a month's requests, by who decided on the model and for what.
const (
	PartRouted  = "routed"  // a strategy decided
	PartHoldout = "holdout" // the baseline answered, to compare with
	PartNamed   = "named"   // the caller named the model
	PartShadow  = "shadow"  // busu's own: second answers
	PartJudge   = "judge"   // busu's own: verdicts on them
)

// Parts lists them.
func Parts() []string { return []string{PartRouted, PartHoldout, PartNamed, PartShadow, PartJudge} }

// Kind and Version say what a document is.
const (
	Kind    = "busu.statement"
	Version = 1
)

// States of a statement.
const (
	Final       = "final"       // the ledger is whole for the month
	Provisional = "provisional" // it is not, or not yet
)

// Sums are what requests add up to. Money is in nano-dollars.
type Sums struct {
	Requests      int64 `json:"requests"`
	Errors        int64 `json:"errors"`
	TokensIn      int64 `json:"tokens_in"`
	TokensOut     int64 `json:"tokens_out"`
	PaidNanos     int64 `json:"paid_nanos"`
	BaselineNanos int64 `json:"baseline_nanos"` // by the price table, the same tokens on the baseline
}

// Counted are sums with what only rows tell.
type Counted struct {
	Sums
	Unpriced     int64 `json:"unpriced_requests"` // of models without a price: their cost is left out
	UserRequests int64 `json:"user_requests"`     // that name a user
}

// Line is one line of a statement: what one key had of one model, at one price
// table. What is not known is empty.
type Line struct {
	Part          string `json:"part"`
	KeyID         string `json:"key_id"`
	Model         string `json:"model"`
	BaselineModel string `json:"baseline_model"`
	PriceVersion  string `json:"price_version"`
	Counted
}

// Part is what the lines of a part add up to.
type Part struct {
	Part string `json:"part"`
	Counted
}

// Statement is the document. Its JSON has integers only.
type Statement struct {
	Kind    string   `json:"kind"`
	Version int      `json:"version"`
	Project string   `json:"project"`
	Month   string   `json:"month"`
	From    string   `json:"from"`
	To      string   `json:"to"` // not included
	State   string   `json:"state"`
	Reasons []string `json:"reasons"` // why it is provisional
	Proof   Proof    `json:"completeness"`

	Totals         Counted  `json:"totals"`
	Parts          []Part   `json:"parts"`
	Lines          []Line   `json:"lines"`
	PriceVersions  []string `json:"price_versions"`
	BaselineModels []string `json:"baseline_models"`

	ModelledNanos int64   `json:"modelled_saving_nanos"` // of the part routed: baseline − paid
	Proven        Proven  `json:"proven"`
	Holdout       Holdout `json:"holdout"`
	Share         *Share  `json:"share,omitempty"`

	Signer    *Signer `json:"signer,omitempty"`
	Signature string  `json:"signature,omitempty"` // base64 of Ed25519 over all else; see Verify
}

// Journals is what is known of facts that may not be stored, of all projects.
type Journals struct {
	Watermark time.Time // up to when all that arrived is stored; zero: nothing is certain now
	Unasked   bool      // Redis could not say what journals announced last
	Waiting   int64     // facts of journals that live, announced and not stored yet
	Missing   int64     // facts of journals that are gone, numbered and not stored
	Open      int64     // requests that such journals never settled
	Buried    int64     // facts in the dead letters, of any time
}

// Certain reports whether waiting brings nothing: what was announced is stored.
func (j Journals) Certain() bool { return j.Waiting == 0 && !j.Watermark.IsZero() }

// Evidence is what the ledger says of a project's month, as of one moment.
type Evidence struct {
	Project string
	Month   Month
	AsOf    time.Time

	Journals
	Rollups Sums // that were counted as the rows were stored

	Counted    time.Time // up to when rows are counted for the comparison
	LastStored time.Time // of the month's rows
	Immature   int64     // users whose time for verdicts is not over

	Lines  []Line
	Groups savings.Tally // compared users: Routed, Holdout, Limit, Start, Since
}

// New makes the statement that the evidence allows.
func New(e Evidence) (Statement, error) {
	s := Statement{Kind: Kind, Version: Version, Project: e.Project, Month: e.Month.String(),
		From: stamp(e.Month.From()), To: stamp(e.Month.To()), Lines: append([]Line{}, e.Lines...), Reasons: []string{}}
	slices.SortFunc(s.Lines, compareLines)
	if err := s.add(); err != nil {
		return s, err
	}
	var err error
	if s.Proven, s.Holdout, err = prove(e, s.part(PartRouted), s.part(PartHoldout)); err != nil {
		return s, err
	}
	s.Proof = e.proof(s.Totals.Sums)
	s.State = Final
	if s.Reasons = e.doubts(s.Totals.Sums); len(s.Reasons) > 0 {
		s.State = Provisional
	}
	return s, nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (s *Statement) part(name string) Counted {
	for _, p := range s.Parts {
		if p.Part == name {
			return p.Counted
		}
	}
	return Counted{}
}
