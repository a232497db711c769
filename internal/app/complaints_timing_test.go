package app

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/stats"
	"github.com/busuhq/busu/internal/storetest"
)

// BenchmarkWhatAnotherTenantAsked times what Bob asks, by turns of chance after
// Ann has asked the same and after she has asked something else, and compares
// both: medians in microseconds, and how likely so large a difference is by
// chance (Welch's test of the logarithms). docs/security.md has the figures.
//
//	go test ./internal/app -run '^$' -bench WhatAnotherTenantAsked -benchtime 2000x
func BenchmarkWhatAnotherTenantAsked(b *testing.B) {
	all := newTenants()
	s := newShop(b, all, numbered(b, func(int64) {}).URL, config.ScopeProject, storetest.Postgres(b), storetest.Redis(b))
	chance := rand.New(rand.NewPCG(8, 8))
	var same, other []float64
	for i := 0; b.Loop(); i++ {
		text := fmt.Sprintf("What do all ask, %08d?", i)
		asked := chance.IntN(2) == 0
		if asked {
			s.ask("ann/1", text, false)
		} else {
			s.ask("ann/1", fmt.Sprintf("What do few ask, %08d?", i), false)
		}
		began := time.Now()
		_, from := s.ask("bob/1", text, false)
		took := float64(time.Since(began).Nanoseconds()) / 1e3
		if from != "miss" {
			b.Fatalf("Bob's answer comes from %s", from)
		}
		if asked {
			same = append(same, took)
		} else {
			other = append(other, took)
		}
	}
	if len(same) < 2 || len(other) < 2 {
		return
	}
	b.ReportMetric(middle(same), "µs-same")
	b.ReportMetric(middle(other), "µs-other")
	b.ReportMetric(stats.Welch(stats.Describe(logs(same)), stats.Describe(logs(other)), 0.95).P, "p")
}

func middle(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func logs(values []float64) []float64 {
	all := make([]float64, len(values))
	for i, v := range values {
		all[i] = math.Log(v)
	}
	return all
}
