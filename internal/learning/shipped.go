package learning

import _ "embed"

// shipped is made by busu eval fit-prior; docs/routing.md says from what.
//
//go:embed prior.bin
var shipped []byte

// Shipped is the prior that ships with busu.
func Shipped() (*Prior, error) { return DecodePrior(shipped) }
