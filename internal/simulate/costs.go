package simulate

import "time"

// Costs are what the parts of the pipeline take, as they were measured.
// Those per fact are of long batches.
type Costs struct {
	Request         time.Duration // CPU of the API for a routed request, journal and shipping included
	RequestPostgres time.Duration // CPU of PostgreSQL for a request, apart from its fact: answers that are kept
	RequestCache    time.Duration // CPU of the Redis behind REDIS_CACHE_URL for a request

	Append time.Duration // CPU of Redis to add a fact to its stream
	Read   time.Duration // CPU of Redis to hand a fact to a worker, and have it acknowledged
	Tail   time.Duration // CPU of Redis to show a fact to the aggregator, or to one process with listeners
	Store  time.Duration // CPU of the worker for a fact
	Row    time.Duration // CPU of PostgreSQL for a fact, rollups and marks included
	Fold   time.Duration // CPU of the aggregator for a fact

	Call        time.Duration // CPU of Redis for a call, however many facts are in it
	Transaction time.Duration // CPU of PostgreSQL for a transaction, however many facts are in it
	Commit      time.Duration // what a transaction takes besides CPU: its statements' ways, and its wait for the disk

	FactBytes  int64 // of a fact, in the journal
	EntryBytes int64 // of a fact in its stream, in Redis's memory
	RowBytes   int64 // of a row with its indexes
	APIMemory  int64 // of an API process, in bytes
}

// decode is the part of a worker's work on a fact before it is given to
// PostgreSQL.
func (c Costs) decode() time.Duration { return c.Store / 2 }
func (c Costs) encode() time.Duration { return c.Store - c.decode() }

func each(n int, cost time.Duration) time.Duration { return time.Duration(n) * cost }

// Setup is which processes and machines there are.
type Setup struct {
	API, APICores              int // processes, and cores of each
	Partitions, Masters        int // of Redis
	Workers, WorkerCores       int
	Aggregators                int // of one core
	PostgresCores              int
	Listening                  int           // API processes with listeners to the stream
	Network                    time.Duration // there and back, between machines
	Machine                    int           // cores that all share; 0: each has those above to itself
	Quantum                    time.Duration // of the kernel's turns
	Connections                int           // to PostgreSQL, of a worker
	ShipBatch, ReadBatch       int
	Gather, SaveEvery, Publish time.Duration
}

// The product's own numbers.
const (
	shipBatch    = 256
	readBatch    = 1000
	readAhead    = 250 // entries at once from which on the next batch is read while one is stored
	tailBatch    = 2500
	connections  = 8
	gather       = 25 * time.Millisecond // of an API process for fewer than shipMost facts, looked for every shipStep
	shipStep     = 5 * time.Millisecond
	shipMost     = 64
	storeEvery   = 25 * time.Millisecond // from a transaction of fewer than readAhead facts until its loops read again
	storeFor     = 3 * time.Millisecond  // that loops of a process wait for each other
	tailEvery    = 25 * time.Millisecond
	saveEvery    = 250 * time.Millisecond
	publishEvery = 250 * time.Millisecond
	keepEvery    = 100 * time.Millisecond
)

// defaults fills in the product's own numbers.
func (s Setup) defaults() Setup {
	s.Quantum, s.Connections, s.ShipBatch, s.ReadBatch = 3*time.Millisecond, connections, shipBatch, readBatch
	s.Gather, s.SaveEvery, s.Publish = gather, saveEvery, publishEvery
	return s
}
