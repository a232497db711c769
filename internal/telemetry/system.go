package telemetry

import (
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/busuhq/busu/internal/system"
)

// seen is the collector of what all processes share: every one exports it as it
// sees it, so that one that is scraped is enough. In queries, take the maximum
// over instances.
type seen struct{ report func() system.Report }

// ExportSystem exports what a report says when it is asked for. report keeps it
// for a moment, and gives what it can within a few seconds.
func ExportSystem(r Registerer, report func() system.Report) { r.MustRegister(seen{report}) }

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// descriptions are what is exported. They are made anew each time: there are
// no globals.
type descriptions struct {
	entries, unread, pending, oldest, uncounted, memory *prometheus.Desc // by partition
	dead, deadOldest, days, strayed, guard, processes   *prometheus.Desc
	lease, clock, schema, replicaLag, replicaUsed       *prometheus.Desc
}

func describe() descriptions {
	lane := []string{"stream", "partition"}
	return descriptions{
		entries:    gauge("busu_stream_entries", "Entries in a stream.", lane...),
		memory:     gauge("busu_stream_memory_bytes", "What a stream takes in Redis, about.", lane...),
		unread:     gauge("busu_stream_unread", "Entries that were not handed to the worker yet.", lane...),
		pending:    gauge("busu_stream_pending", "Entries that the worker has and that are not stored yet.", lane...),
		oldest:     gauge("busu_stream_oldest_seconds", "Age of the oldest entry that is not stored; 0 for none.", lane...),
		uncounted:  gauge("busu_stream_uncounted_seconds", "Age of the oldest entry that live metrics do not count; 0 for none.", lane...),
		dead:       gauge("busu_dead_letters", "Events that could not be processed."),
		deadOldest: gauge("busu_dead_letters_oldest_seconds", "Age of the oldest of them; 0 for none."),
		days:       gauge("busu_partition_days_ahead", "Days after today that rows have a partition for; -1: not even today."),
		strayed:    gauge("busu_partition_strayed", "Whether rows are in the default partition, which no day was made for."),
		guard:      gauge("busu_guard_tripped", "Whether the guard of a project has tripped.", "project"),
		processes:  gauge("busu_processes", "Processes that do a job.", "role"),
		lease:      gauge("busu_lease_held", "Whether some process does what only one should.", "name"),
		clock:      gauge("busu_clock_ahead_seconds", "How far a store's clock is ahead of this process's.", "store"),
		schema:     gauge("busu_schema_version", "How far the database is migrated."),
		replicaLag: gauge("busu_postgres_replica_lag_seconds", "How long ago the read replica had everything."),

		replicaUsed: gauge("busu_postgres_replica_used", "Whether the dashboard reads from the replica, and not from the primary."),
	}
}

// Describe implements prometheus.Collector.
func (s seen) Describe(to chan<- *prometheus.Desc) {
	d := describe()
	for _, desc := range []*prometheus.Desc{d.entries, d.unread, d.pending, d.oldest, d.uncounted, d.memory, d.dead, d.deadOldest,
		d.days, d.strayed, d.guard, d.processes, d.lease, d.clock, d.schema, d.replicaLag, d.replicaUsed} {
		to <- desc
	}
}

// Collect implements prometheus.Collector. What a store knows that does not
// answer is left out: it is not 0.
func (s seen) Collect(to chan<- prometheus.Metric) {
	d, r := describe(), s.report()
	put := func(desc *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	if r.Redis != nil {
		d.redis(r.Redis, put)
		for role, n := range roles(r.Processes) {
			put(d.processes, float64(n), role)
		}
	}
	if p := r.Postgres; p != nil {
		put(d.days, float64(p.Days.Ahead))
		put(d.strayed, number(p.Days.Strayed))
		put(d.clock, p.ClockMS/1000, "postgres")
		put(d.schema, float64(p.Schema.Version))
		for _, g := range r.Guards {
			put(d.guard, number(g.State == "tripped"), g.Project)
		}
	}
	if replica := r.Replica; replica != nil {
		put(d.replicaUsed, number(replica.State == system.ReplicaUsed))
		if replica.LagMS != nil {
			put(d.replicaLag, *replica.LagMS/1000)
		}
	}
	for name, held := range leases(r) {
		put(d.lease, number(held), name)
	}
}

func (d descriptions) redis(r *system.Redis, put func(desc *prometheus.Desc, value float64, labels ...string)) {
	for _, s := range r.Streams {
		lane := []string{s.Stream, strconv.Itoa(s.Partition)}
		put(d.entries, float64(s.Entries), lane...)
		put(d.memory, float64(s.MemoryBytes), lane...)
		put(d.unread, float64(s.Unread), lane...)
		put(d.pending, float64(s.Pending), lane...)
		put(d.oldest, s.OldestMS/1000, lane...)
		put(d.uncounted, s.UncountedMS/1000, lane...)
	}
	put(d.dead, float64(r.DeadLetters.Count))
	put(d.deadOldest, r.DeadLetters.OldestMS/1000)
	put(d.clock, r.ClockMS/1000, "redis")
}

// roles counts who does what: a process that is all of them does every job.
func roles(all []system.Process) map[string]int {
	jobs := map[string]int{"api": 0, "worker": 0, "aggregator": 0}
	for _, p := range all {
		for job := range jobs {
			if p.Role == job || p.Role == system.RoleAll {
				jobs[job]++
			}
		}
	}
	return jobs
}

// leases says of those that always should be held whether they are, and of the
// others that they are.
func leases(r system.Report) map[string]bool {
	held := map[string]bool{}
	if r.Redis != nil {
		held["publisher"] = false
		for _, s := range r.Redis.Streams {
			if s.Stream == "completions" {
				held["aggregator/"+strconv.Itoa(s.Partition)] = false
			}
		}
	}
	for _, l := range r.Leases {
		held[strings.ToValidUTF8(l.Name, "")] = true
	}
	return held
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
