package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// errUnit says that a text is no duration or size.
var errUnit = errors.New("not a number with a unit")

// parseDuration reads Go's durations, whole days before them such as 90d or
// 1d12h, and a bare 0.
func parseDuration(s string) (time.Duration, error) {
	days, rest, hasDays := strings.Cut(s, "d")
	if !hasDays {
		return time.ParseDuration(s)
	}
	n, err := strconv.ParseUint(days, 10, 32)
	if err != nil || n > uint64(math.MaxInt64/day)-1 {
		return 0, errUnit
	}
	if rest == "" {
		return time.Duration(n) * day, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 || more >= day {
		return 0, errUnit
	}
	return time.Duration(n)*day + more, nil
}

// formatDuration writes what parseDuration reads, as short as it can be.
func formatDuration(d time.Duration) string {
	if d != 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// byteUnits are the units of sizes, the longest names first.
var byteUnits = []struct {
	name string
	size int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
}

// parseBytes reads whole sizes: 2GiB, 500MB, 1048576.
func parseBytes(s string) (int64, error) {
	size := int64(1)
	for _, unit := range byteUnits {
		if number, ok := strings.CutSuffix(s, unit.name); ok {
			s, size = strings.TrimRight(number, " "), unit.size
			break
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/size {
		return 0, errUnit
	}
	return n * size, nil
}

// formatBytes writes what parseBytes reads, in the largest unit that is exact.
func formatBytes(n int64) string {
	for _, unit := range byteUnits[:4] {
		if n != 0 && n%unit.size == 0 {
			return strconv.FormatInt(n/unit.size, 10) + unit.name
		}
	}
	return strconv.FormatInt(n, 10)
}
