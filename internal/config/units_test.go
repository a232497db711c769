package config

import (
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0": 0, "20ms": 20 * time.Millisecond, "60s": time.Minute, "1h30m": 90 * time.Minute,
		"90d": 90 * day, "1d12h": 36 * time.Hour, "0d": 0, "106750d": 106750 * day,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "d", "1.5d", "-1d", "+1d", "1d25h", "1d-1h", "1dd", "1d1d", "99999999d", "5 m", "1y"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
}

func FuzzDurationRoundTrip(f *testing.F) {
	f.Add(int64(0))
	f.Add(int64(20 * time.Millisecond))
	f.Add(int64(36 * time.Hour))
	f.Add(int64(400 * day))
	f.Fuzz(func(t *testing.T, nanos int64) {
		d := time.Duration(nanos)
		if d < 0 {
			return
		}
		if got, err := parseDuration(formatDuration(d)); err != nil || got != d {
			t.Errorf("%v is written %s and read %v, %v", d, formatDuration(d), got, err)
		}
	})
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "1048576": 1 << 20, "512MiB": 512 << 20, "2GiB": 2 << 30, "2 GiB": 2 << 30, "1kB": 1000, "1KB": 1000, "5B": 5, "3TB": 3e12,
	} {
		got, err := parseBytes(text)
		if err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
		if again, err := parseBytes(formatBytes(want)); err != nil || again != want {
			t.Errorf("%d is written %s and read %d", want, formatBytes(want), again)
		}
	}
	for _, text := range []string{"", "GiB", "-1", "1.5GiB", "2XB", "9223372036854775807KiB", "1GiBB", "1 G iB"} {
		if got, err := parseBytes(text); err == nil {
			t.Errorf("%q is %d, want an error", text, got)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	keys := []string{"strategy", "baseline_model", "quality_target", "holdout", "api_key_env"}
	for word, want := range map[string]string{
		"stratgy": "strategy", "Strategy": "strategy", "srtategy": "strategy", "holdot": "holdout", "hold_out": "holdout",
		"baselinemodel": "baseline_model", "api_key": "api_key_env", "colour": "", "x": "", "": "",
	} {
		if got := nearest(word, keys); got != want {
			t.Errorf("%q is nearest to %q, want %q", word, got, want)
		}
	}
}

func TestStoreURLWithoutPassword(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                                      "",
		"host=db password=hunter2":              "[set]",
		"postgres://db/busu":                    "postgres://db/busu",
		"postgres://busu:pw@db:5432/busu":       "postgres://busu:***@db:5432/busu",
		"postgres://busu@db/busu":               "postgres://***@db/busu",
		"postgres://u:p@ss@db/busu":             "postgres://u:***@db/busu",
		"postgres://u:p/a?b@db/busu":            "postgres://u:***@db/busu",
		"redis://:pw@a:1,b:2/0":                 "redis://:***@a:1,b:2/0",
		"redis://r/0?addr=x:1&addr=y:2":         "redis://r/0?addr=x%3A1&addr=y%3A2",
		"redis://r?password=pw&db=1":            "redis://r?db=1&password=***",
		"redis://r?%zz":                         "redis://r?***",
		"postgres://d/x?sslmode=disable&k=v@pw": "postgres://***@pw",
	} {
		if got := NewStoreURL(raw).String(); got != want {
			t.Errorf("%s is shown as %s, want %s", raw, got, want)
		}
	}
}
