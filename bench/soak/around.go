package soak

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/busuhq/busu/bench/measure"
)

// What goes on around busu, and makes it slow without its doing: shares of the
// processors' time, and what keeps PostgreSQL from using room again.
const (
	cpuBusy           = "cpu busy"
	cpuTaken          = "cpu taken" // by other machines on the same host
	cpuWaiting        = "cpu waiting"
	oldestTransaction = "oldest transaction"
	longestVacuum     = "longest vacuum"
	notMerged         = "rollups_new"
	cpuOf             = "cpu of " // a program
)

// arounds are those figures in the order of the report, which has the median of
// some and the worst of others.
var arounds = []struct {
	name, title string
	worst       bool
}{
	{cpuBusy, "processors busy, %", false},
	{cpuTaken, "taken by others, %", true},
	{cpuWaiting, "waiting for the disk, %", true},
	{oldestTransaction, "oldest transaction, s", true},
	{longestVacuum, "longest vacuum, s", true},
	{notMerged, "rollups to merge, with empty room, MB", true},
	{ledgerAnswers, "answers that are kept, MB", true},
	{cpuOf + "api", "of the processors the API, %", false},
	{cpuOf + "worker", "worker, %", false},
	{cpuOf + "aggregator", "aggregator, %", false},
	{cpuOf + "redis-server", "Redis, %", false},
	{cpuOf + "postgres", "PostgreSQL, %", false},
	{cpuOf + "soak", "who sends, and the upstream, %", false},
}

// processors are counts of what the machine's have done, in ticks.
type processors struct {
	all, idle, waiting, taken float64
	programs                  map[string]float64
}

// readProcessors reads /proc/stat, where there is one.
func readProcessors() (p processors, ok bool) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return p, false
	}
	return parseProcessors(string(text))
}

// parseProcessors reads the first line: user, nice, system, idle, iowait, irq,
// softirq and steal, and more that is in these.
func parseProcessors(stat string) (p processors, ok bool) {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return p, false
	}
	var ticks [8]float64
	for i := range ticks {
		var err error
		if ticks[i], err = strconv.ParseFloat(fields[i+1], 64); err != nil || ticks[i] < 0 {
			return p, false
		}
		p.all += ticks[i]
	}
	p.idle, p.waiting, p.taken = ticks[3], ticks[4], ticks[7]
	return p, true
}

// sampleProcessors notes what they did since the sample before.
func (s *sampler) sampleProcessors(values map[string]float64) {
	p, ok := readProcessors()
	p.programs = readPrograms()
	if before := s.processors; ok && before.all > 0 && p.all > before.all {
		all := (p.all - before.all) / 100
		values[cpuTaken], values[cpuWaiting] = (p.taken-before.taken)/all, (p.waiting-before.waiting)/all
		values[cpuBusy] = 100 - (p.idle-before.idle)/all - values[cpuTaken] - values[cpuWaiting]
		for program, ticks := range p.programs {
			values[cpuOf+program] = max(ticks-before.programs[program], 0) / all
		}
	}
	s.processors = p
}

// readPrograms reads the ticks of all processes by the names of their programs,
// with those of their children that have ended.
func readPrograms() map[string]float64 {
	programs := map[string]float64{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		if program, ticks, ok := parseProcess(string(text)); ok {
			programs[program] += ticks
		}
	}
	return programs
}

// parseProcess reads a line of /proc/PID/stat: behind the program's name in
// brackets, which may have some itself, the 12th to 15th field.
func parseProcess(stat string) (program string, ticks float64, ok bool) {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return "", 0, false
	}
	fields := strings.Fields(stat[end+1:])
	if len(fields) < 15 {
		return "", 0, false
	}
	for _, field := range fields[11:15] {
		n, err := strconv.ParseFloat(field, 64)
		if err != nil || n < 0 {
			return "", 0, false
		}
		ticks += n
	}
	return stat[open+1 : end], ticks, true
}

// runningSQL finds transactions that keep room from being used again, which
// vacuums do not, and says which run for over five seconds, and vacuums for over
// a minute.
const runningSQL = `
	SELECT coalesce(max(age) FILTER (WHERE NOT vacuums AND holds), 0), coalesce(max(age) FILTER (WHERE vacuums), 0),
		coalesce(string_agg(round(age) || ' s: ' || left(regexp_replace(query, '\s+', ' ', 'g'), 100), '; ' ORDER BY age DESC)
			FILTER (WHERE age > CASE WHEN vacuums THEN 60 ELSE 5 END), ''),
		pg_table_size('rollups_new')
	FROM (SELECT extract(epoch FROM clock_timestamp() - xact_start)::float8 AS age, query, query LIKE 'autovacuum: VACUUM%' AS vacuums,
		backend_xmin IS NOT NULL OR backend_xid IS NOT NULL AS holds
		FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND xact_start IS NOT NULL) AS running`

func (s *sampler) sampleTransactions(ctx context.Context, values map[string]float64) error {
	var oldest, vacuum float64
	var long string
	var bytes int64
	if err := s.stand.Postgres().QueryRow(ctx, runningSQL).Scan(&oldest, &vacuum, &long, &bytes); err != nil {
		return fmt.Errorf("ask PostgreSQL what runs: %w", err)
	}
	if long != "" {
		s.longRunning = long
	}
	values[oldestTransaction], values[longestVacuum], values[notMerged] = oldest, vacuum, float64(bytes)/mega
	return nil
}

// writeAround tells of each stretch of minutes what went on around.
func (f *found) writeAround(b *strings.Builder) {
	if len(f.minutes) == 0 || len(f.samples.points[oldestTransaction]) == 0 {
		return
	}
	b.WriteString("\n## Around\n\nWhat makes all slow, or keeps PostgreSQL from using the room of removed rows again: medians of samples, and the worst where it says so.\n\n| minutes |")
	for _, a := range arounds {
		b.WriteString(" " + a.title)
		if a.worst {
			b.WriteString(", worst")
		}
		b.WriteString(" |")
	}
	b.WriteString("\n| --- |" + strings.Repeat(" ---: |", len(arounds)) + "\n")
	for from := 0; from < len(f.minutes); from += stretch {
		to := min(from+stretch, len(f.minutes))
		fmt.Fprintf(b, "| %d–%d |", from+1, to)
		for _, a := range arounds {
			var some []point
			for _, p := range f.samples.points[a.name] {
				if at := 60 * p.hours; at >= float64(from) && at < float64(to) {
					some = append(some, p)
				}
			}
			fmt.Fprintf(b, " %s |", aroundText(some, a.worst))
		}
		b.WriteString("\n")
	}
}

func aroundText(some []point, worst bool) string {
	if len(some) == 0 {
		return ""
	}
	x := medianOf(some)
	if worst {
		for _, p := range some {
			x = max(x, p.value)
		}
	}
	return measure.Number(x)
}
