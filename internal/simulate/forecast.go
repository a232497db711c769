package simulate

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Terms are what a forecast goes by besides what was measured. They are
// assumptions: prices and the largest machines differ from place to place.
type Terms struct {
	StreamFor                time.Duration // streams.retention
	RowsFor                  time.Duration // of what rows the disk is paid
	JournalRoom              int64         // bytes, journal.max_bytes
	CoreUSD, GBUSD, DiskUSD  float64       // a month: a core, a GB of memory, a GB of disk
	MostCores                int           // of one PostgreSQL
	MostWrites               float64       // bytes a second of its disk
	WritesPerRow             float64       // bytes written for a byte that stays: the log before the table, the table
	MostDisk                 float64       // bytes
	MostMemory               float64       // bytes of one Redis
	PostgresGB, RedisReserve float64       // memory of PostgreSQL per core; of Redis for each byte that it holds
}

// UsualTerms are those of docs/scale.md.
func UsualTerms() Terms {
	return Terms{StreamFor: 15 * time.Minute, RowsFor: 30 * 24 * time.Hour, JournalRoom: 2 << 30, CoreUSD: 25, GBUSD: 3, DiskUSD: .1,
		MostCores: 64, MostWrites: 2e9, WritesPerRow: 2.5, MostDisk: 64e12, MostMemory: 64e9, PostgresGB: 4, RedisReserve: 1.5}
}

// Rates are those of the forecasts.
func Rates() []int { return []int{10_000, 100_000, 1_000_000} }

// LoadOf is a load that is long enough to be steady at a rate, and short enough
// to wait for.
func LoadOf(rate int) Load {
	return Load{WarmUp: warmUp, For: warmUp + time.Duration(factsMeasured/float64(rate)*float64(time.Second))}
}

const (
	warmUp        = 1500 * time.Millisecond
	factsMeasured = 1e6
)

// Forecast is what to expect at a rate.
type Forecast struct {
	Rate  int // requests per second
	Setup Setup
	Outcome
	Stalled         time.Duration // p99 of the lag with the stalls that were measured
	StreamBytes     float64       // of all masters
	JournalBytes    float64       // of an API process, until what is stored is let go
	RowsPerDay      float64       // bytes
	Outage          time.Duration // how long PostgreSQL may be away before a journal is full; its segments wait until then
	Cores, MemoryGB float64
	USD             float64 // a month
	Full            string  // what is full first in this setup
	FullAt          float64 // requests per second
	Needs           []Need  // what cannot be had at will, fullest first
}

// Need is a part of the largest that there is.
type Need struct {
	What  string
	Share float64
}

// releaseEvery is how often a journal lets go of what is stored.
const releaseEvery = 5 * time.Second

// Forecast simulates the least setup for a rate.
func (m Measured) Forecast(rate int, l Load, t Terms, stall time.Duration, seed uint64) (Forecast, error) {
	s := Size(rate, m.Costs)
	l.Rate = rate
	o, err := Run(s, m.Costs, l, seed)
	if err != nil {
		return Forecast{}, err
	}
	f := Forecast{Rate: rate, Setup: s, Outcome: o, Stalled: o.Lag.P99 + stall}
	r := float64(rate)
	f.StreamBytes = r*t.StreamFor.Seconds()*float64(m.EntryBytes) + float64(o.MostStreamed)*float64(m.EntryBytes)
	f.JournalBytes = r / float64(s.API) * float64(m.FactBytes) * (releaseEvery + f.Stalled).Seconds()
	f.RowsPerDay = r * 86400 * float64(m.RowBytes)
	f.Outage = time.Duration(float64(t.JournalRoom) / (r / float64(s.API) * float64(m.FactBytes)) * float64(time.Second))
	f.bill(m, t)
	f.Full, f.FullAt = m.fullFirst(s, r, o)
	f.Needs = m.needs(f, t)
	return f, nil
}

// bill adds up what is to be paid for.
func (f *Forecast) bill(m Measured, t Terms) {
	s, cache := f.Setup, float64(f.Rate)*m.RequestCache.Seconds()/fill
	f.Cores = float64(s.API*s.APICores+s.Workers*s.WorkerCores+s.Aggregators+s.Masters+s.PostgresCores) + float64(int(cache)+1)
	f.MemoryGB = f.StreamBytes/1e9*t.RedisReserve + float64(s.API)*float64(m.APIMemory)/1e9 + float64(s.Workers+s.Aggregators) + t.PostgresGB*float64(s.PostgresCores)
	f.USD = f.Cores*t.CoreUSD + f.MemoryGB*t.GBUSD + f.RowsPerDay/1e9*t.RowsFor.Hours()/24*t.DiskUSD
}

// fullFirst is the part that is full first when more comes, and the rate at
// which it is. Transactions become fewer for each fact as connections fill up:
// these, and PostgreSQL, are full when all carry whole batches.
func (m Measured) fullFirst(s Setup, rate float64, o Outcome) (string, float64) {
	perFact := (m.Transaction+m.Commit+s.Network).Seconds()/float64(s.ReadBatch) + (m.encode() + m.Row).Seconds()
	perRow := m.Transaction.Seconds()/float64(s.ReadBatch) + (m.Row + m.RequestPostgres).Seconds()
	full := map[string]float64{connectionsName: float64(s.Workers*s.Connections) / perFact, postgresName: float64(s.PostgresCores) / perRow}
	for name, busy := range o.Busy {
		if _, is := full[name]; !is && busy > 0 {
			full[name] = rate / busy
		}
	}
	first := slices.SortedFunc(maps.Keys(full), func(a, b string) int { return cmp.Or(cmp.Compare(full[a], full[b]), cmp.Compare(a, b)) })[0]
	return first, full[first]
}

// needs are the parts of what there is only one of, or only so large.
func (m Measured) needs(f Forecast, t Terms) []Need {
	all := []Need{
		{"PostgreSQL's cores", f.Busy[postgresName] * float64(f.Setup.PostgresCores) / float64(t.MostCores)},
		{"writing of PostgreSQL's disk", float64(f.Rate) * float64(m.RowBytes) * t.WritesPerRow / t.MostWrites},
		{"room on PostgreSQL's disk", f.RowsPerDay * t.RowsFor.Hours() / 24 / t.MostDisk},
		{"memory of a master of Redis", f.StreamBytes / float64(f.Setup.Masters) * t.RedisReserve / t.MostMemory},
	}
	slices.SortStableFunc(all, func(a, b Need) int { return cmp.Compare(b.Share, a.Share) })
	return all
}
