package soak

import "strings"

// kind is a figure that is watched.
type kind struct {
	name   string  // as samples have it
	title  string  // as the report has it
	little float64 // so much more in an hour is not worth a word
	bound  string  // what keeps it, where its design does; may be empty
}

// Names of figures that belong to no process of busu.
const (
	redisMemory     = "redis memory"
	redisData       = "redis data"
	redisResident   = "redis rss"
	redisKeys       = "redis keys"
	redisClients    = "redis clients"
	postgresClients = "postgres clients"
	databaseSize    = "database" // without answers that are kept
	ledgerAnswers   = "answers"
	behind          = "behind"
	uncounted       = "uncounted"
	minuteP50       = "p50"
	minuteP99       = "p99"
	streamPrefix    = "stream "
)

// Names of figures of a process, behind its name and a space.
const (
	resident          = "rss"
	heapInUse         = "heap"
	goroutines        = "goroutines"
	openFiles         = "files"
	sockets           = "sockets"
	callers           = "callers"
	redisConnections  = "redis connections"
	ledgerConnections = "postgres connections"
	journalSize       = "journal"
	journalBacklog    = "journal backlog"
)

const mega = 1e6 // bytes, as the report has them

// processNames are those of busu's processes, in the report's order.
func processNames() []string { return []string{"api", "worker", "aggregator"} }

// kinds are all figures that are judged; streams are the keys of streams.
func kinds(streams []string) (all []kind) {
	fills := map[string]string{"api": "its caches", "aggregator": "cells of its windows"}
	for _, p := range processNames() {
		all = append(all,
			kind{p + " " + resident, p + ": RSS, MB", 1, fills[p]},
			kind{p + " " + heapInUse, p + ": heap in use, MB", 1, fills[p]},
			kind{p + " " + goroutines, p + ": goroutines", 2, ""},
			kind{p + " " + openFiles, p + ": open files", 2, ""},
			kind{p + " " + sockets, p + ": open sockets", 2, ""},
			kind{p + " " + redisConnections, p + ": connections to Redis", 1, "its pool"},
			kind{p + " " + ledgerConnections, p + ": connections to PostgreSQL", 1, "its pool"})
	}
	all = append(all,
		kind{"api " + callers, "api: callers connected", 2, "who sends"},
		kind{"api " + journalSize, "api: journal, MB", 1, "what is stored goes, a file at a time"},
		kind{"api " + journalBacklog, "api: facts not shipped", 100, ""},
		kind{redisMemory, "Redis: memory, MB", 1, "streams, caches"},
		kind{redisData, "Redis: memory without buffers of clients, replicas and the append-only file, MB", 1, "streams, caches"},
		kind{redisResident, "Redis: RSS, MB", 1, "streams, caches"},
		kind{redisKeys, "Redis: keys", 5, "answers kept for their time"},
		kind{redisClients, "Redis: clients", 1, ""})
	for _, s := range streams {
		bound := "retention"
		if strings.HasPrefix(s, "busu:cache:") {
			bound = "answers kept for their time"
		}
		all = append(all, kind{streamPrefix + s, "Redis: entries of `" + s + "`", 10, bound})
	}
	return append(all,
		kind{postgresClients, "PostgreSQL: connections", 1, ""},
		kind{ledgerAnswers, "PostgreSQL: answers that are kept, MB", 1, "their time"},
		kind{behind, "facts that the worker has not stored", 100, ""},
		kind{uncounted, "oldest fact that live metrics do not count, s", .5, ""},
		kind{minuteP50, "p50 of a minute, ms", .05, ""},
		kind{minuteP99, "p99 of a minute, ms", .5, ""})
}
