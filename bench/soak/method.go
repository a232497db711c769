package soak

import "fmt"

func method(o Options) string {
	return fmt.Sprintf(`
## Method

- One api, one worker, one aggregator, their stores, an upstream and who sends share the machine, with everything on as in
  [performance](performance.md); an experiment runs. Not in it: feedback, webhooks, listeners of live metrics, sign-ins.
- Samples every %s: RSS, files and sockets from /proc; heap, goroutines, connections and the journal from each process's /metrics; Redis from INFO,
  DBSIZE and XLEN; PostgreSQL from its own views. Who samples holds a connection to each, all the time.
- An hour's growth is the Theil–Sen slope, the median of the slopes between all pairs of samples; its interval is Sen's, made wider by how much a
  sample resembles the one before it (Yue and Wang 2004). *Flat*: surely not more than %g %% of the first quarter's median an hour, or than what is
  not worth a word (1 MB, 2 goroutines, a connection). *Grows*: surely more. *Open*: neither can be said.
- Bounded by design, and flat only once full: streams keep %s, the least there is, and Redis' memory follows; answers are kept for 30 s in memory
  and Redis, memory within 8 MiB; files of the journal are begun anew each minute (1 h by default) and go once stored. So the warm-up is %s.
- Live metrics keep cells for their longest window, a few KB for each model and strategy; that window is longer than the run.
`, every, 100*mostGrowth, retention, o.warm())
}
