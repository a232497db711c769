package simulate

import "time"

// fill is how busy each part of a setup may be, so that it bears half as much
// again.
const fill = .6

// What machines there are to choose from; none of it is measured.
const (
	apiCores      = 8
	workerCores   = 8
	perMaster     = 4 // partitions
	leastPostgres = 4 // cores
	listening     = 2
	network       = 300 * time.Microsecond // there and back within a zone
)

// Size is a setup for so many requests per second of which nothing is busier
// than fill.
func Size(rate int, c Costs) Setup {
	s := Setup{Network: network, Listening: listening, APICores: apiCores, WorkerCores: workerCores}.defaults()
	s.API = atLeast(3, rate, c.Request, apiCores)
	s.Workers = max(atLeast(2, rate, c.Store, workerCores), atLeast(2, rate, c.encode()+c.Row+(c.Transaction+c.Commit+network)/readAhead, s.Connections))
	s.Aggregators = atLeast(2, rate, c.Fold, 1)
	for s.Masters = atLeast(3, rate, c.redis(s), 1); ; s.Masters += 1 + s.Masters/8 {
		s.Partitions = max(perMaster*s.Masters, s.Aggregators)
		if each(int(s.calls(rate)), c.Call).Seconds()+float64(rate)*c.redis(s).Seconds() <= fill*float64(s.Masters) {
			break
		}
	}
	s.PostgresCores = atLeast(leastPostgres, rate, c.Row+c.RequestPostgres, 1)
	transactions := float64(s.Workers)/storeEvery.Seconds() + float64(rate)/readAhead // at most
	s.PostgresCores += int(transactions * c.Transaction.Seconds() / fill)
	return s
}

// redis is what its masters have to do for a fact.
func (c Costs) redis(s Setup) time.Duration {
	return c.Append + c.Read + time.Duration(1+s.Listening)*c.Tail
}

// calls are those in which facts are shipped, per second: in a cluster, an API
// process calls once for each partition that it has facts of, and then lets
// some come together; and those in which they are read and acknowledged.
func (s Setup) calls(rate int) float64 {
	each := float64(rate) / float64(s.API)
	cycle := s.Network.Seconds() + min(s.Gather.Seconds(), max(shipStep.Seconds(), shipMost/each))
	return float64(2+s.Listening) * float64(s.API) * min(each*cycle, float64(s.Partitions)) / cycle
}

func atLeast(n, rate int, cost time.Duration, cores int) int {
	need := float64(rate) * cost.Seconds() / fill / float64(cores)
	return max(n, int(need)+1)
}
