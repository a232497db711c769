package soak

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/bench/performance"
	"github.com/busuhq/busu/bench/product"
)

// every is how often samples are taken.
const every = 10 * time.Second

// samples are figures over time, by name.
type samples struct {
	began   time.Time
	points  map[string][]point
	missed  int   // samples that something could not be asked for
	problem error // of one of these
}

func newSamples(began time.Time) *samples {
	return &samples{began: began, points: map[string][]point{}}
}

func (s *samples) add(at time.Time, values map[string]float64) {
	hours := at.Sub(s.began).Hours()
	for name, v := range values {
		s.points[name] = append(s.points[name], point{hours, v})
	}
}

// last is the newest value of a figure; 0 where there is none.
func (s *samples) last(name string) float64 {
	if all := s.points[name]; len(all) > 0 {
		return all[len(all)-1].value
	}
	return 0
}

// sampler asks processes and stores.
type sampler struct {
	stand       *performance.Stand
	streams     []string
	processors  processors // at the sample before
	longRunning string     // what PostgreSQL was at for long, in the last sample of a minute where there was any
}

const (
	sampleWithin = 5 * time.Second
	scanAtOnce   = 1000
)

// findStreams notes the streams that there are, once all have been written to.
func (s *sampler) findStreams(ctx context.Context) error {
	s.streams = nil
	for keys := s.stand.Redis().ScanType(ctx, 0, "busu:*", scanAtOnce, "stream").Iterator(); ; {
		if !keys.Next(ctx) {
			slices.Sort(s.streams)
			s.streams = slices.Compact(s.streams)
			return keys.Err()
		}
		s.streams = append(s.streams, keys.Val())
	}
}

// take takes a sample. What cannot be asked is missing in it.
func (s *sampler) take(ctx context.Context) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, sampleWithin)
	defer cancel()
	values := map[string]float64{}
	var problems []error
	for name, p := range s.stand.Processes() {
		problems = append(problems, sampleProcess(ctx, values, name, p))
	}
	problems = append(problems, s.sampleRedis(ctx, values), s.samplePostgres(ctx, values), s.sampleTransactions(ctx, values))
	s.sampleProcessors(values)
	n, err := s.stand.Behind(ctx)
	if err == nil {
		values[behind] = float64(n)
	}
	return values, errors.Join(append(problems, err)...)
}

var errEnded = errors.New("has ended")

// tail is the end of what a process says.
func tail(said []byte) []byte {
	const most = 500
	return said[max(0, len(said)-most):]
}

func sampleProcess(ctx context.Context, values map[string]float64, name string, p *product.Process) error {
	rss := measure.Resident(p.PID())
	if rss == 0 {
		said, _ := p.Said()
		return fmt.Errorf("%s %w: it said last %s", name, errEnded, tail(said))
	}
	values[name+" "+resident] = float64(rss) / mega
	files, connected := descriptors(p.PID())
	values[name+" "+openFiles], values[name+" "+sockets] = float64(files), float64(connected)
	page, err := scrape(ctx, p.Base+"/metrics")
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for figure, from := range map[string]struct {
		metric string
		unit   float64
	}{
		heapInUse: {"go_memstats_heap_inuse_bytes", mega}, goroutines: {"go_goroutines", 1}, callers: {"busu_connections", 1},
		redisConnections: {"busu_redis_connections", 1}, ledgerConnections: {"busu_postgres_connections", 1},
		journalSize: {"busu_journal_bytes", mega}, journalBacklog: {"busu_journal_backlog", 1},
	} {
		if v, ok := page[from.metric]; ok {
			values[name+" "+figure] = v / from.unit
		}
	}
	if v, ok := page["busu_stream_uncounted_seconds"]; ok {
		values[uncounted] = v
	}
	return nil
}

// descriptors counts the open files of a process, and those of them that are
// sockets.
func descriptors(pid int) (files, sockets int) {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		to, err := os.Readlink(link)
		if err != nil {
			continue // closed meanwhile
		}
		files++
		if strings.HasPrefix(to, "socket:") {
			sockets++
		}
	}
	return files, sockets
}

// scrape reads a page for Prometheus; of values with labels, the largest.
func scrape(ctx context.Context, url string) (map[string]float64, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, r.Status)
	}
	return readPage(bufio.NewScanner(r.Body))
}

func readPage(lines *bufio.Scanner) (map[string]float64, error) {
	values := map[string]float64{}
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		x, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			continue
		}
		name, _, _ := strings.Cut(line[:at], "{")
		if old, ok := values[name]; !ok || x > old {
			values[name] = x
		}
	}
	return values, lines.Err()
}

func (s *sampler) sampleRedis(ctx context.Context, values map[string]float64) error {
	rdb := s.stand.Redis()
	info, err := rdb.InfoMap(ctx, "memory", "clients").Result()
	if err != nil {
		return fmt.Errorf("ask Redis: %w", err)
	}
	number := func(section, name string) float64 {
		x, _ := strconv.ParseFloat(info[section][name], 64)
		return x
	}
	used := number("Memory", "used_memory")
	buffers := number("Memory", "mem_clients_normal") + number("Memory", "mem_clients_slaves") + number("Memory", "mem_replication_backlog") + number("Memory", "mem_aof_buffer")
	values[redisMemory], values[redisData], values[redisResident] = used/mega, (used-buffers)/mega, number("Memory", "used_memory_rss")/mega
	values[redisClients] = number("Clients", "connected_clients")
	keys, err := rdb.DBSize(ctx).Result()
	if err != nil {
		return fmt.Errorf("ask Redis: %w", err)
	}
	values[redisKeys] = float64(keys)
	for _, stream := range s.streams {
		n, err := rdb.XLen(ctx, stream).Result()
		if err != nil {
			return fmt.Errorf("ask Redis: %w", err)
		}
		values[streamPrefix+stream] = float64(n)
	}
	return nil
}

// What the database takes: answers that are kept go after a while, rows do not.
const (
	bytesOfAnswers = "pg_total_relation_size('response_cache')"
	bytesOfRows    = "pg_database_size(current_database()) - " + bytesOfAnswers
)

func (s *sampler) samplePostgres(ctx context.Context, values map[string]float64) error {
	var clients, bytes, answers int64
	err := s.stand.Postgres().QueryRow(ctx, "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), "+bytesOfRows+", "+bytesOfAnswers).
		Scan(&clients, &bytes, &answers)
	if err != nil {
		return fmt.Errorf("ask PostgreSQL: %w", err)
	}
	values[postgresClients], values[databaseSize], values[ledgerAnswers] = float64(clients), float64(bytes)/mega, float64(answers)/mega
	return nil
}
