package soak

import (
	"fmt"

	"github.com/busuhq/busu/bench/performance"
)

func method(o Options) string {
	return fmt.Sprintf(`
## Method

- One api, one worker, one aggregator, their stores, an upstream and who sends share the machine, with everything on as in
  [performance](performance.md); an experiment runs. Not in it: feedback, webhooks, listeners of live metrics, sign-ins.
- Samples every %s: RSS, files and sockets from /proc; heap, goroutines, connections and the journal from each process's /metrics; Redis from INFO,
  DBSIZE and XLEN; PostgreSQL from its own views; what goes on around from /proc/stat and pg_stat_activity. Who samples holds a connection to each,
  all the time.
- An hour's growth is the Theil–Sen slope, the median of the slopes between all pairs of samples; its interval is Sen's, made wider by how much a
  sample resembles the one before it (Yue and Wang 2004). *Flat*: surely not more than %g %% of the first quarter's median an hour, or than what is
  not worth a word (1 MB, 2 goroutines, a connection). *Grows*: surely more. *Open*: neither can be said.
- Bounded by design, and flat only once full: streams keep %s, the least there is, and Redis' memory follows; answers are kept for 30 s in memory
  and Redis (5 m by default), memory within 8 MiB, and for %s in PostgreSQL (a day); files of the journal are begun anew each minute (an hour) and
  go once stored. So the warm-up has to be %s; here it was %s. Models cost a tenth of what they do, for budgets to last.
- Live metrics keep cells of their windows, minutes for the hour and coarser ones for a day and a week, for each project, model and strategy: bounded,
  too, but the hour's are full after an hour, the day's after a day. What they take shows in the aggregator's memory and is not taken off;
  `+"`make soak SOAK='-warm 1h'`"+` judges by what comes after the first hour only.
`, every, 100*mostGrowth, span(retention), span(performance.LedgerAnswers), span(retention+settling), span(o.warm()))
}
