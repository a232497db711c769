package app

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/journal"
	"github.com/busuhq/busu/internal/telemetry"
)

// startJournal opens a journal, and ships it and those that others have left.
func startJournal(cfg config.Config, s *stores, r telemetry.Registerer, log *slog.Logger, life *lifecycle) (*journal.Journal, error) {
	dir, options := filepath.Join(cfg.StateDir, "journal"), JournalOptions(cfg, log)
	j, err := journal.OpenFree(dir, options)
	if err != nil {
		return nil, fmt.Errorf("the state directory cannot be used (%w): choose another with BUSU_STATE_DIR", err)
	}
	life.onClose("journal", func(context.Context) error { return j.Close() })
	shipper := &journal.Shipper{Journal: j, Stream: s.redis, Marks: s.postgres, Log: log}
	adopter := &journal.Adopter{Dir: dir, Options: options, Stream: s.redis, Marks: s.postgres, Log: log}
	life.start("shipper", shipper.Run, adopter.Run)
	countJournal(r, j, shipper)
	s.presence.keeps(j, shipper)
	return j, nil
}

// JournalOptions are the configured ones.
func JournalOptions(cfg config.Config, log *slog.Logger) journal.Options {
	return journal.Options{Partitions: cfg.Streams.Partitions, MaxBytes: cfg.Journal.MaxBytes, Sync: cfg.Journal.Sync,
		SegmentAge: cfg.Journal.RotateAfter, Boot: journal.BootID(), Log: log}
}

func countJournal(r telemetry.Registerer, j *journal.Journal, s *journal.Shipper) {
	telemetry.Gauge(r, "busu_journal_bytes", "Size of the journal.",
		func() float64 { return float64(j.Stats().Bytes) })
	telemetry.Gauge(r, "busu_journal_max_bytes", "Size at which new requests are refused.",
		func() float64 { return float64(j.Stats().MaxBytes) })
	telemetry.Gauge(r, "busu_journal_open_intents", "Requests under way.",
		func() float64 { return float64(j.Stats().OpenIntents) })
	telemetry.Gauge(r, "busu_journal_backlog", "Facts that are not shipped yet.",
		func() float64 { return float64(s.Backlog()) })
	telemetry.Counter(r, "busu_journal_corrupt_total", "Stretches of the journal that could not be read.",
		func() float64 { return float64(j.Stats().Corrupt) })
}
