package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/system"
)

// healthy is an installation that nothing is to be said against.
func healthy() Facts {
	return Facts{
		Configuration: Configuration{File: "busu.yaml", Certificate: &Certificate{15 * 24 * time.Hour, 90 * 24 * time.Hour}, Listeners: []Listener{{Name: "api", Addr: "0.0.0.0:8000", Keyed: true}, {Name: "admin", Addr: "127.0.0.1:8009", Loopback: true}}},
		Host: Host{StateDir: "/var/lib/busu", FreeBytes: 50 * gib, JournalBytes: 100, JournalMost: 2 * gib, Files: 65536, Processors: 2, GroupCPUs: 2,
			GroupMemory: gib, KeptBytes: 64 * mib},
		Postgres: Store{Settings: map[string]string{"server_version": "15.8 (Debian)", "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on",
			"max_wal_size": "1024", "max_connections": "100", "connections": "12", "migrated": "yes"}},
		Redis:   Store{Name: "REDIS_URL", Settings: map[string]string{"redis_version": "7.0.15", "appendonly": "yes", "maxmemory-policy": "noeviction", "maxmemory": "0"}},
		Cache:   &Store{Name: "REDIS_CACHE_URL", Settings: map[string]string{"redis_version": "8.0.2", "maxmemory-policy": "allkeys-lru", "maxmemory": "1000"}},
		Rows:    &system.Postgres{ClockMS: -3, Schema: system.Schema{Version: 7, Known: 7}, Days: system.Days{Ahead: 7}},
		Replica: &system.Replica{State: system.ReplicaUsed, LagMS: new(40.0)},
		Streams: &system.Redis{ClockMS: 2, Fullness: .1, BudgetBytes: gib, Streams: []system.Stream{{OldestMS: 20}},
			Processes: []system.Process{{Role: "up", Host: "a", UptimeMS: young, Checks: []system.Check{{Name: "redis", OK: true}}, Journal: &system.Journal{Bytes: 1, MaxBytes: 100}}}},
		Providers: []Provider{{Name: "openai", KeyEnv: "OPENAI_API_KEY", Probe: &Probe{Status: 200, Took: time.Second}}, {Name: "ollama"}},
	}
}

func TestHealthy(t *testing.T) {
	t.Parallel()
	verdicts := Judge(healthy())
	for _, v := range verdicts {
		if v.State != OK || v.Do != "" || v.Seen == "" {
			t.Errorf("%+v", v)
		}
	}
	if Worst(verdicts) != OK || len(verdicts) < 25 {
		t.Errorf("%d verdicts, at worst %s", len(verdicts), Worst(verdicts))
	}
}

// TestBroken: each thing that can be wrong gives the verdict that it should,
// with what to do, and no other.
func TestBroken(t *testing.T) {
	t.Parallel()
	process := func(f *Facts) *system.Process { return &f.Streams.Processes[0] }
	for name, c := range map[string]struct {
		harm  func(*Facts)
		check string
		state State
		seen  string
	}{
		"wrong configuration":    {func(f *Facts) { f.Configuration = Configuration{Err: "BUSU_ADDR: no"} }, "configuration", Fail, "BUSU_ADDR: no"},
		"a warning":              {func(f *Facts) { f.Configuration.Warnings = []string{"plain http"} }, "configuration", Warn, "plain http"},
		"an old certificate":     {func(f *Facts) { f.Configuration.Certificate.Left = 13 * 24 * time.Hour }, "certificate", Warn, "13.0 more days"},
		"a short one, aged":      {func(f *Facts) { f.Configuration.Certificate = &Certificate{5 * time.Hour, 24 * time.Hour} }, "certificate", Warn, "0.2 more days"},
		"open to all":            {func(f *Facts) { f.Configuration.Listeners[0].Keyed = false }, "listen.api", Fail, "open to all"},
		"no right to write":      {func(f *Facts) { f.Host.StateErr = "permission denied" }, "state", Fail, "permission"},
		"little disk":            {func(f *Facts) { f.Host.FreeBytes = gib + 1 }, "disk", Warn, "1.0 GiB free"},
		"no disk":                {func(f *Facts) { f.Host.FreeBytes = 1 }, "disk", Fail, "1 bytes free"},
		"few files":              {func(f *Facts) { f.Host.Files = 4096 }, "files", Warn, "4096"},
		"too few files":          {func(f *Facts) { f.Host.Files = 256 }, "files", Fail, "256"},
		"more than the quota":    {func(f *Facts) { f.Host.Processors = 32 }, "processors", Warn, "32 (GOMAXPROCS) with a quota of 2"},
		"limit switched off":     {func(f *Facts) { f.Host.MemoryLimit = "off" }, "memory", Warn, "GOMEMLIMIT=off"},
		"answers take it all":    {func(f *Facts) { f.Host.KeptBytes = gib }, "memory", Warn, "kept answers"},
		"no PostgreSQL":          {func(f *Facts) { f.Postgres, f.Rows = Store{Err: "refused"}, nil }, "postgres", Fail, "refused"},
		"old PostgreSQL":         {func(f *Facts) { f.Postgres.Settings["server_version"] = "14.2" }, "postgres", Fail, "14.2"},
		"no fsync":               {func(f *Facts) { f.Postgres.Settings["fsync"] = "off" }, "postgres.fsync", Fail, "off"},
		"torn pages":             {func(f *Facts) { f.Postgres.Settings["full_page_writes"] = "off" }, "postgres.full_page_writes", Warn, "off"},
		"commits lost":           {func(f *Facts) { f.Postgres.Settings["synchronous_commit"] = "off" }, "postgres.synchronous_commit", Warn, "off"},
		"small log":              {func(f *Facts) { f.Postgres.Settings["max_wal_size"] = "64" }, "postgres.max_wal_size", Warn, "64 MiB"},
		"connections used up":    {func(f *Facts) { f.Postgres.Settings["connections"] = "81" }, "postgres.max_connections", Warn, "81 of 100"},
		"no replica":             {func(f *Facts) { f.Replica = &system.Replica{State: system.ReplicaAway} }, "postgres.replica", Warn, "does not answer"},
		"a promoted replica":     {func(f *Facts) { f.Replica.State = system.ReplicaPrimary }, "postgres.replica", Warn, "no replica"},
		"another's replica":      {func(f *Facts) { f.Replica.State = system.ReplicaOther }, "postgres.replica", Warn, "none of this"},
		"an unmigrated replica":  {func(f *Facts) { f.Replica.State = system.ReplicaSchema }, "postgres.replica", Warn, "another schema"},
		"an old replica":         {func(f *Facts) { f.Replica = &system.Replica{State: system.ReplicaBehind, LagMS: new(61_000.0)} }, "postgres.replica", Warn, "1m1s"},
		"never migrated":         {func(f *Facts) { f.Postgres.Settings["migrated"], f.Rows = "no", nil }, "migrations", Warn, "none"},
		"behind":                 {func(f *Facts) { f.Rows.Schema.Version = 6 }, "migrations", Warn, "6 of 7"},
		"ahead":                  {func(f *Facts) { f.Rows.Schema.Version = 8 }, "migrations", Fail, "knows 7"},
		"clock":                  {func(f *Facts) { f.Rows.ClockMS = -2000 }, "postgres.clock", Warn, "-2000 ms"},
		"clock far off":          {func(f *Facts) { f.Streams.ClockMS = 90_000 }, "redis.clock", Fail, "+90000 ms"},
		"no days":                {func(f *Facts) { f.Rows.Days.Ahead = 0 }, "partitions", Fail, "0 days"},
		"days at the start":      {func(f *Facts) { f.Rows.Days.Ahead, process(f).UptimeMS = -1, 1000 }, "partitions", Warn, "0 days"},
		"no day":                 {func(f *Facts) { f.Rows.Days.Ahead = -1 }, "partitions", Fail, "none for today"},
		"a check at the start":   {func(f *Facts) { process(f).Checks[0].OK, process(f).UptimeMS = false, 1000 }, "process.up@a", Warn, "yet"},
		"no private PostgreSQL":  {func(f *Facts) { f.Postgres, f.Rows = Store{Private: true, Err: "x"}, nil }, "postgres", Fail, "own does not run"},
		"no private Redis":       {func(f *Facts) { f.Redis, f.Streams = Store{Private: true, Err: "x"}, nil }, "redis", Fail, "own does not run"},
		"strayed":                {func(f *Facts) { f.Rows.Days.Strayed = true }, "partitions", Warn, "no day"},
		"guard":                  {func(f *Facts) { f.Rows.Guards = []system.Guard{{Project: "p", State: "tripped"}} }, "guard.p", Warn, "tripped"},
		"no Redis":               {func(f *Facts) { f.Redis, f.Streams = Store{Name: "REDIS_URL", Err: "refused"}, nil }, "redis", Fail, "refused"},
		"old Redis":              {func(f *Facts) { f.Redis.Settings["redis_version"] = "6.2" }, "redis", Fail, "6.2"},
		"not kept":               {func(f *Facts) { f.Redis.Settings["appendonly"] = "no" }, "redis.appendonly", Warn, "no"},
		"evicts facts":           {func(f *Facts) { f.Redis.Settings["maxmemory-policy"] = "allkeys-lru" }, "redis.maxmemory-policy", Fail, "allkeys-lru"},
		"does not tell":          {func(f *Facts) { f.Redis.Settings = map[string]string{"redis_version": "7.2"} }, "redis.settings", Warn, "does not tell"},
		"no Redis for answers":   {func(f *Facts) { f.Cache.Settings, f.Cache.Err = nil, "refused" }, "redis.cache", Fail, "refused"},
		"answers are not let go": {func(f *Facts) { f.Cache.Settings["maxmemory-policy"] = "noeviction" }, "redis.cache.maxmemory-policy", Warn, "noeviction"},
		"Redis fills":            {func(f *Facts) { f.Streams.Fullness = .8 }, "redis.memory", Warn, "80 %"},
		"Redis is full":          {func(f *Facts) { f.Streams.Fullness = .95 }, "redis.memory", Fail, "95 %"},
		"nothing runs":           {func(f *Facts) { f.Streams.Processes = nil }, "processes", Warn, "none runs"},
		"no worker":              {func(f *Facts) { process(f).Role = "api" }, "processes", Fail, "0 worker"},
		"a check fails":          {func(f *Facts) { process(f).Checks[0].OK = false }, "process.up@a", Fail, "redis is not well"},
		"journal fills":          {func(f *Facts) { process(f).Journal.Bytes = 60 }, "journal.up@a", Warn, "60 % full"},
		"journal is full":        {func(f *Facts) { process(f).Journal.Bytes = 95 }, "journal.up@a", Fail, "95 % full"},
		"journal does not ship":  {func(f *Facts) { process(f).Journal.Failing = true }, "journal.up@a", Warn, "full"},
		"journal is corrupt":     {func(f *Facts) { process(f).Journal.Corrupt = 1 }, "journal.up@a", Fail, "cannot be read"},
		"late":                   {func(f *Facts) { f.Streams.Streams[0].OldestMS = 90_000 }, "lag.stored", Warn, "1m30s"},
		"very late":              {func(f *Facts) { f.Streams.Streams[0].UncountedMS = 700_000 }, "lag.counted", Fail, "11m40s"},
		"dead letters":           {func(f *Facts) { f.Streams.DeadLetters.Count = 3 }, "dead_letters", Warn, "3"},
		"only simulated":         {func(f *Facts) { f.Providers = []Provider{{Name: "simulated", Simulated: true}} }, "providers", Warn, "simulated"},
		"refused key":            {func(f *Facts) { f.Providers[0].Probe.Status = 401 }, "provider.openai", Fail, "refuses the key"},
		"provider away":          {func(f *Facts) { f.Providers[0].Probe = &Probe{Err: "no such host"} }, "provider.openai", Fail, "no such host"},
		"provider in trouble":    {func(f *Facts) { f.Providers[0].Probe.Status = 503 }, "provider.openai", Warn, "503"},
	} {
		f := healthy()
		c.harm(&f)
		var bad []Verdict
		for _, v := range Judge(f) {
			if v.State != OK {
				bad = append(bad, v)
			}
		}
		if len(bad) == 1 {
			if v := bad[0]; v.Check == c.check && v.State == c.state && strings.Contains(v.Seen, c.seen) && v.Do != "" && Worst(bad) == c.state {
				continue
			}
		}
		t.Errorf("%s: %+v", name, bad)
	}
}

// TestNothingKnown: what could not be asked is not judged.
func TestNothingKnown(t *testing.T) {
	t.Parallel()
	for _, v := range Judge(Facts{}) {
		if v.State != OK {
			t.Errorf("%+v", v)
		}
	}
}
