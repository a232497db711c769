package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/busuhq/busu/bench/measure"
)

// meter measures a stretch of time and the processor time that it took.
type meter struct {
	stores *stores
	began  time.Time
	before usage
}

// usage is processor time by who used it.
type usage struct{ client, redis, postgres time.Duration }

func (s *stores) start() *meter {
	m := &meter{stores: s, before: s.usage()}
	m.began = time.Now()
	return m
}

// figures are those of n events since start.
func (m *meter) figures(n int) figures {
	took := time.Since(m.began)
	u := m.stores.usage()
	each := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) / float64(n) }
	return figures{
		perSecond:   float64(n) / took.Seconds(),
		clientCPU:   each(u.client - m.before.client),
		redisCPU:    each(u.redis - m.before.redis),
		postgresCPU: each(u.postgres - m.before.postgres),
	}
}

func (s *stores) usage() usage {
	children := childrenByParent()
	return usage{client: ownUsage(),
		redis:    familyUsage(s.stack.Redis.Pid(), children),
		postgres: familyUsage(s.stack.Postgres.Pid(), children)}
}

func ownUsage() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// familyUsage is that of a process, of those that it has waited for, and of
// its living descendants.
func familyUsage(pid int, children map[int][]int) time.Duration {
	total := processUsage(pid)
	for _, child := range children[pid] {
		total += familyUsage(child, children)
	}
	return total
}

// clockTick is the unit of times in /proc, which is the same on all of Linux.
const clockTick = 10 * time.Millisecond

// Fields of /proc/<pid>/stat behind the name, see proc(5).
const (
	statParent    = 1
	statUserTime  = 11 // then system time, then both of waited-for children
	statTimesEnds = 15
)

func processUsage(pid int) time.Duration {
	fields := statFields(pid)
	if len(fields) < statTimesEnds {
		return 0
	}
	var ticks int64
	for _, field := range fields[statUserTime:statTimesEnds] {
		n, _ := strconv.ParseInt(field, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * clockTick
}

func statFields(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil // it has ended
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return strings.Fields(rest)
}

func childrenByParent() map[int][]int {
	paths, _ := filepath.Glob("/proc/[0-9]*")
	children := map[int][]int{}
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			continue
		}
		if fields := statFields(pid); len(fields) > statParent {
			parent, _ := strconv.Atoi(fields[statParent])
			children[parent] = append(children[parent], pid)
		}
	}
	return children
}

// askRedis asks Redis for one field of INFO.
func (s *stores) askRedis(ctx context.Context, section, field string) (string, error) {
	info, err := s.rdb.InfoMap(ctx, strings.ToLower(section)).Result()
	return info[section][field], err
}

// describe notes the stores' versions.
func (s *stores) describe(ctx context.Context, m *measure.Machine) (err error) {
	if m.Redis, err = s.askRedis(ctx, "Server", "redis_version"); err != nil {
		return err
	}
	return s.pool.QueryRow(ctx, "SHOW server_version").Scan(&m.Postgres)
}
