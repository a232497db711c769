package doctor

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/system"
)

const (
	oldestPostgres = 15
	oldestRedis    = 7
	skewWarn       = 1000 // milliseconds
	skewFail       = 60_000
	leastWAL       = 1024 // MiB, of max_wal_size: PostgreSQL's own default
)

// major is the first number of a version; 0 where there is none.
func major(version string) int {
	first, _, _ := strings.Cut(version, ".")
	first, _, _ = strings.Cut(first, " ")
	n, _ := strconv.Atoi(first)
	return n
}

func (j *judge) postgres(s Store) {
	if s.Private && s.Err != "" {
		j.say("postgres", Fail, "run busu up on this state directory, or set DATABASE_URL", "busu's own does not run: %s", s.Err)
		return
	}
	if s.Err != "" {
		j.say("postgres", Fail, "start it, or correct DATABASE_URL; where it runs, look at the network, its pg_hba.conf and its log", "%s", s.Err)
		return
	}
	if s.Settings == nil {
		return
	}
	set := s.Settings
	v := set["server_version"]
	j.say("postgres", when(major(v) < oldestPostgres, Fail), "update it: busu needs 15 or later", "version %s%s", v, own(s))
	j.setting(set, "fsync", "on", Fail, "switch it on: without it a crash of the machine ruins the database")
	j.setting(set, "full_page_writes", "on", Warn, "switch it on, unless the file system never tears a page")
	j.setting(set, "synchronous_commit", "on", Warn, "switch it on: what is off here can lose batches that were acknowledged")
	if wal, err := strconv.Atoi(set["max_wal_size"]); err == nil {
		j.say("postgres.max_wal_size", when(wal < leastWAL, Warn), "give it 1GB or more: checkpoints come too often", "%d MiB", wal)
	}
	most, _ := strconv.Atoi(set["max_connections"])
	used, _ := strconv.Atoi(set["connections"])
	if most > 0 {
		j.say("postgres.max_connections", when(used*10 > most*8, Warn), "raise it, run fewer processes, or put a pool between", "%d of %d in use", used, most)
	}
}

// setting is one that should have a value; remote_write and the like are more
// than on, of synchronous_commit.
func (j *judge) setting(set map[string]string, name, want string, bad State, do string) {
	v, told := set[name]
	if !told {
		return
	}
	fine := v == want || name == "synchronous_commit" && v != "off"
	j.say("postgres."+name, when(!fine, bad), do, "%s", v)
}

func own(s Store) string {
	if s.Private {
		return ", busu's own"
	}
	return ""
}

// young is how long a process may take until all is as it should be, in
// milliseconds.
const young = 30_000

// starting reports whether some process has just begun.
func starting(r *system.Redis) bool {
	return r != nil && slices.ContainsFunc(r.Processes, func(p system.Process) bool { return p.UptimeMS < young })
}

// rows judges what is in the database.
func (j *judge) rows(s Store, r *system.Postgres, starting bool) {
	if s.Err == "" && s.Settings["migrated"] == "no" {
		j.say("migrations", Warn, "start busu, or run busu migrate", "none was applied yet")
		return
	}
	if r == nil {
		return
	}
	switch v := r.Schema; {
	case v.Version > v.Known:
		j.say("migrations", Fail, "update this busu: it does not start on the database of a newer one", "the database is at %d, this release knows %d", v.Version, v.Known)
	case v.Version < v.Known:
		j.say("migrations", Warn, "start busu of this release, or run busu migrate", "the database is at %d of %d", v.Version, v.Known)
	default:
		j.say("migrations", OK, "", "up to date, at %d", v.Version)
	}
	j.clock("postgres.clock", r.ClockMS)
	switch ahead := r.Days.Ahead; {
	case ahead < 1 && starting:
		j.say("partitions", Warn, "a process has just started: look again in a minute", "for today and %d days", max(ahead, 0))
	case ahead < 0:
		j.say("partitions", Fail, "run a worker, which makes them, and look at its log", "none for today")
	default:
		j.say("partitions", when(ahead < 1, Fail), "run a worker, which makes them, and look at its log", "for today and %d days", ahead)
	}
	if r.Days.Strayed {
		j.say("partitions", Warn, "run a worker: rows move once their day is made", "rows have no day of their own")
	}
	for _, g := range r.Guards {
		if g.State == "tripped" {
			j.say("guard."+g.Project, Warn, "see busu guard status, and docs/operating.md on BusuGuardTripped", "it has tripped: the baseline answers all")
		}
	}
}

// replica judges where the dashboard reads. Nothing fails without it.
func (j *judge) replica(r *system.Replica) {
	if r == nil {
		return
	}
	const check = "postgres.replica"
	lag := "it is not known how far behind"
	if r.LagMS != nil {
		lag = "behind by " + seconds(*r.LagMS)
	}
	switch r.State {
	case system.ReplicaUsed:
		j.say(check, OK, "", "it follows the primary, %s", lag)
	case system.ReplicaAway:
		j.say(check, Warn, "start it, or correct DATABASE_READ_URL; the dashboard reads from the primary meanwhile", "it does not answer, or the primary does not")
	case system.ReplicaPrimary:
		j.say(check, Warn, "name a replica in DATABASE_READ_URL, or several with target_session_attrs=standby", "it takes what is written: it is no replica")
	case system.ReplicaOther:
		j.say(check, Warn, "name a streaming replica of DATABASE_URL's server, with the same database", "it is none of this database")
	case system.ReplicaSchema:
		j.say(check, Warn, "wait until the last migration has come to it", "it has another schema than the primary")
	default:
		j.say(check, Warn, "does it replay (pg_stat_wal_receiver, pg_is_wal_replay_paused()), and does its disk keep up?", "%s", lag)
	}
}

func (j *judge) clock(check string, aheadMS float64) {
	j.say(check, level(math.Abs(aheadMS), skewWarn, skewFail), "set both clocks by NTP", "%+d ms to this machine's", int64(aheadMS))
}

func (j *judge) redis(s Store, ledger bool) {
	check := "redis"
	if !ledger {
		check = "redis.cache"
	}
	if s.Private && s.Err != "" {
		j.say(check, Fail, "run busu up on this state directory, or set REDIS_URL", "busu's own does not run: %s", s.Err)
		return
	}
	if s.Err != "" {
		j.say(check, Fail, "start it, or correct "+s.Name+"; where it runs, look at the network and its password", "%s", s.Err)
		return
	}
	if s.Settings == nil {
		return
	}
	v := s.Settings["redis_version"]
	j.say(check, when(major(v) < oldestRedis && v != "", Fail), "update it: busu needs 7 or later", "version %s%s", v, own(s))
	policy, told := s.Settings["maxmemory-policy"]
	if !told {
		j.say(check+".settings", Warn, "see for yourself that appendonly is yes and maxmemory-policy noeviction", "it does not tell its settings")
		return
	}
	if !ledger {
		j.say(check+".maxmemory-policy", when(policy == "noeviction" && s.Settings["maxmemory"] != "0", Warn), "choose allkeys-lru: a full one takes no answers any more", "%s", policy)
		return
	}
	j.say("redis.maxmemory-policy", when(policy != "noeviction", Fail), "set noeviction: any other removes facts and positions when memory is short", "%s", policy)
	j.say("redis.appendonly", when(s.Settings["appendonly"] != "yes", Warn), "switch it on: else a restart forgets the streams, and facts must come from the journals again", "%s", s.Settings["appendonly"])
}

const (
	lagWarn  = 60_000 // milliseconds
	lagFail  = 600_000
	fullWarn = .7
	fullFail = .9
)

// streams judges what is on its way, and who carries it.
func (j *judge) streams(r *system.Redis) {
	if r == nil {
		return
	}
	j.clock("redis.clock", r.ClockMS)
	j.say("redis.memory", level(r.Fullness, fullWarn, fullFail), "give it more memory, or find the reader that holds the stream: GET /system", "%.0f %% of %s", 100*r.Fullness, size(r.BudgetBytes))
	jobs := map[string]int{}
	for _, p := range r.Processes {
		for _, job := range []string{"api", "worker", "aggregator"} {
			if p.Role == job || p.Role == system.RoleAll {
				jobs[job]++
			}
		}
	}
	if len(r.Processes) == 0 {
		j.say("processes", Warn, "start busu up, or api, worker and aggregator", "none runs")
	} else {
		s := when(jobs["aggregator"] == 0 || jobs["api"] == 0, Warn)
		if jobs["worker"] == 0 {
			s = Fail
		}
		j.say("processes", s, "start the one that is missing", "%d api, %d worker, %d aggregator", jobs["api"], jobs["worker"], jobs["aggregator"])
	}
	for _, p := range r.Processes {
		j.process(p)
	}
	j.lag(r)
	j.say("dead_letters", when(r.DeadLetters.Count > 0, Warn), "busu dead list says why; busu dead replay --all tries them again", "%d", r.DeadLetters.Count)
}

func (j *judge) lag(r *system.Redis) {
	var stored, counted float64
	for _, s := range r.Streams {
		stored, counted = max(stored, s.OldestMS), max(counted, s.UncountedMS)
	}
	j.say("lag.stored", level(stored, lagWarn, lagFail), "is there a worker, and does PostgreSQL take its batches? Its log says", "the oldest fact that is not stored is %s old", seconds(stored))
	j.say("lag.counted", level(counted, lagWarn, lagFail), "is there an aggregator, and can it keep up? More streams.partitions help", "the oldest that live metrics lack is %s old", seconds(counted))
}

func seconds(ms float64) string {
	return (time.Duration(ms) * time.Millisecond).Round(100 * time.Millisecond).String()
}

// process judges what one says of itself.
func (j *judge) process(p system.Process) {
	name := p.Role + "@" + p.Host
	for _, c := range p.Checks {
		if !c.OK && p.UptimeMS < young {
			j.say("process."+name, Warn, "it has just started: look again in a minute", "%s is not well there yet", c.Name)
		} else if !c.OK {
			j.say("process."+name, Fail, "its log says why", "%s is not well there, since %s", c.Name, c.Since.UTC().Format(time.RFC3339))
		}
	}
	if p.Journal == nil || p.Journal.MaxBytes == 0 {
		return
	}
	full := float64(p.Journal.Bytes) / float64(p.Journal.MaxBytes)
	s := level(full, .5, fullFail)
	if s == OK && p.Journal.Failing {
		s = Warn
	}
	j.say("journal."+name, s, "facts do not get to PostgreSQL: look at Redis, the worker, PostgreSQL, in that order", "%.0f %% full, %d facts wait", 100*full, p.Journal.Backlog)
	if p.Journal.Corrupt > 0 {
		j.say("journal."+name, Fail, "replace the disk; busu reconcile says which facts are missing", "%d stretches cannot be read", p.Journal.Corrupt)
	}
}
