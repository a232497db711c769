// Package system says how busu itself fares: its processes, what they need, how
// far facts have come, what could not be processed, and who does what only one
// process should do. It is what operators look at first.
package system

import (
	"cmp"
	"slices"
	"time"
)

// RoleAll is the role of a process that does every job.
const RoleAll = "up"

// Process is what a process says of itself every few seconds.
type Process struct {
	ID        string    `json:"id"`   // of this run: leases name it
	Role      string    `json:"role"` // api, worker, aggregator, or up: all of them
	Host      string    `json:"host"`
	PID       int       `json:"pid"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
	UptimeMS  float64   `json:"uptime_ms"`
	HeardMS   float64   `json:"heard_ms"` // since it said so; by the clock of Redis
	Checks    []Check   `json:"checks"`
	Journal   *Journal  `json:"journal"` // nil: it keeps none
}

// Check is something that a process needs.
type Check struct {
	Name  string    `json:"name"`
	OK    bool      `json:"ok"`
	Since time.Time `json:"since"` // when it became so, as far as this process knows
}

// Journal is how full a process's journal is, and what waits in it.
type Journal struct {
	ID          string  `json:"id"`
	Bytes       int64   `json:"bytes"`
	MaxBytes    int64   `json:"max_bytes"` // at which requests are refused
	Segments    int     `json:"segments"`
	OpenIntents int     `json:"open_intents"` // requests under way
	Backlog     int64   `json:"backlog"`      // facts that are not shipped
	OldestMS    float64 `json:"oldest_ms"`    // how long the oldest of those waits; 0 for none
	Failing     bool    `json:"failing"`      // the stream did not take the last ones
	Corrupt     int64   `json:"corrupt"`      // stretches that could not be read
}

// Aged is what a process said some milliseconds ago, as it is now.
func (p Process) Aged(ms float64) Process {
	p.HeardMS = ms
	p.UptimeMS += ms
	if p.Journal != nil && p.Journal.OldestMS > 0 {
		j := *p.Journal
		j.OldestMS += ms
		p.Journal = &j
	}
	return p
}

// SortProcesses orders them by role, host and start.
func SortProcesses(all []Process) {
	slices.SortFunc(all, func(a, b Process) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Host, b.Host), a.StartedAt.Compare(b.StartedAt), cmp.Compare(a.ID, b.ID))
	})
}

// Stream is one partition of a stream, and how far its readers are.
type Stream struct {
	Stream      string  `json:"stream"` // completions, feedback, decisions
	Partition   int     `json:"partition"`
	Key         string  `json:"key"` // in Redis
	Entries     int64   `json:"entries"`
	MemoryBytes int64   `json:"memory_bytes"` // about
	Unread      int64   `json:"unread"`       // not yet handed to the worker
	Pending     int64   `json:"pending"`      // handed to the worker, not yet stored
	OldestMS    float64 `json:"oldest_ms"`    // age of the oldest that is not stored; 0 for none
	UncountedMS float64 `json:"uncounted_ms"` // age of the oldest that the aggregator has not counted; 0 for none
}

// DeadLetters are what could not be processed.
type DeadLetters struct {
	Count    int64   `json:"count"`
	OldestMS float64 `json:"oldest_ms"` // 0 for none
}

// Redis is what there is of the streams' side.
type Redis struct {
	UsedBytes   int64   `json:"used_bytes"`
	BudgetBytes int64   `json:"budget_bytes"`
	Fullness    float64 `json:"fullness"` // the share used; 0 where Redis does not say
	ClockMS     float64 `json:"clock_ms"` // how far its clock is ahead of this process's
	RoundTripMS float64 `json:"round_trip_ms"`

	Streams     []Stream    `json:"streams"`
	DeadLetters DeadLetters `json:"dead_letters"`
	Processes   []Process   `json:"-"`
	Leases      []Lease     `json:"-"` // to publish live metrics, to count partitions
}

// Days are the partitions that rows go to, a day each.
type Days struct {
	Ahead   int    `json:"ahead"`   // whole days after today that are there without a gap
	Until   string `json:"until"`   // the last of them, or today; "" when even today's is missing
	Kept    int    `json:"kept"`    // partitions in all
	Strayed bool   `json:"strayed"` // rows are in the default partition, which no day was made for
}

// Lease is the right to do what only one process should do.
type Lease struct {
	Name    string  `json:"name"`
	Owner   string  `json:"owner"`   // the process's id
	Process *string `json:"process"` // role and host of that; null when it is not among the processes
	EndsMS  float64 `json:"ends_ms"` // until it runs out, unless it is kept
}

// Schema is how far the database is migrated.
type Schema struct {
	Version int64 `json:"version"`
	Known   int64 `json:"known"` // the newest that this build brings
}

// Snapshot is what strategies of a project that learn go by.
type Snapshot struct {
	Project      string    `json:"project"`
	Strategy     string    `json:"strategy"`
	Number       int64     `json:"snapshot"`
	At           time.Time `json:"at"`
	Verdicts     int64     `json:"verdicts"`
	Weight       float64   `json:"weight"`
	Lambda       float64   `json:"lambda"`
	RolledBackTo *int64    `json:"rolled_back_to"`
}

// Guard is what a project's guard says.
type Guard struct {
	Project string     `json:"project"`
	State   string     `json:"state"` // armed or tripped
	Since   *time.Time `json:"since"` // null: always
}

// Postgres is what there is of the rows' side.
type Postgres struct {
	ClockMS     float64 `json:"clock_ms"` // how far its clock is ahead of this process's
	RoundTripMS float64 `json:"round_trip_ms"`

	Schema    Schema     `json:"schema"`
	Days      Days       `json:"days"`
	Leases    []Lease    `json:"-"`
	Snapshots []Snapshot `json:"-"`
	Guards    []Guard    `json:"-"`
}

// Replica is the PostgreSQL that the dashboard reads from while it can.
type Replica struct {
	State string   `json:"state"`
	LagMS *float64 `json:"lag_ms"` // since it had everything; nil: not known
}

// States of a replica. In all but the first the dashboard reads from the
// primary.
const (
	ReplicaUsed    = "used"
	ReplicaAway    = "away"           // it does not answer, or the primary has not yet
	ReplicaBehind  = "behind"         // by more than it may be
	ReplicaPrimary = "primary"        // it takes what is written: it was promoted, or never a replica
	ReplicaOther   = "other_database" // it is none of ours
	ReplicaSchema  = "other_schema"   // a migration is not there yet
)

// Report is all of it, as one process sees it.
type Report struct {
	AsOf      time.Time  `json:"as_of"`
	Degraded  []string   `json:"degraded"` // stores that do not answer: what they know is null
	Processes []Process  `json:"processes"`
	Redis     *Redis     `json:"redis"`
	Postgres  *Postgres  `json:"postgres"`
	Replica   *Replica   `json:"replica"` // nil: this process reads from none
	Leases    []Lease    `json:"leases"`
	Snapshots []Snapshot `json:"snapshots"`
	Guards    []Guard    `json:"guards"`
}

// NewReport puts together what each side knows; nil is a side that does not
// answer. Without Redis the only process known is the one that asks.
func NewReport(now time.Time, self Process, r *Redis, p *Postgres) Report {
	report := Report{AsOf: now.UTC(), Degraded: []string{}, Processes: []Process{self}, Redis: r, Postgres: p,
		Leases: []Lease{}, Snapshots: []Snapshot{}, Guards: []Guard{}}
	if r == nil {
		report.Degraded = append(report.Degraded, "redis")
	} else {
		report.addRedis(self, r)
	}
	if p == nil {
		report.Degraded = append(report.Degraded, "postgres")
	} else {
		report.Leases = append(report.Leases, p.Leases...)
		report.Snapshots = append(report.Snapshots, p.Snapshots...)
		report.Guards = append(report.Guards, p.Guards...)
	}
	SortProcesses(report.Processes)
	report.nameOwners()
	return report
}

func (report *Report) addRedis(self Process, r *Redis) {
	for _, p := range r.Processes {
		if p.ID != self.ID {
			report.Processes = append(report.Processes, p)
		}
	}
	report.Leases = append(report.Leases, r.Leases...)
}

// nameOwners says which processes have leases.
func (report *Report) nameOwners() {
	names := map[string]string{}
	for _, p := range report.Processes {
		names[p.ID] = p.Role + " on " + p.Host
	}
	for i := range report.Leases {
		if name, ok := names[report.Leases[i].Owner]; ok {
			report.Leases[i].Process = &name
		}
	}
	slices.SortFunc(report.Leases, func(a, b Lease) int { return cmp.Compare(a.Name, b.Name) })
}

// Action is what an operator changed by hand.
type Action struct {
	Project string
	By      string // the key; "" for the admin key, and without keys
	Action  string
	Target  string
}

// Actions that operators take.
const (
	ActionReplay   = "dead.replay"
	ActionDiscard  = "dead.delete"
	ActionRollBack = "snapshot.rollback"
)
