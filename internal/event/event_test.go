package event_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
)

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*event.CompletionRecorded){
		"older version":         func(c *event.CompletionRecorded) { c.V = 0 },
		"newer version":         func(c *event.CompletionRecorded) { c.V = 2 },
		"unknown type":          func(c *event.CompletionRecorded) { c.Type = "feedback.recorded" },
		"no id":                 func(c *event.CompletionRecorded) { c.ID = uuid.Nil },
		"random id":             func(c *event.CompletionRecorded) { c.ID[6] = c.ID[6]&0x0f | 0x40 },
		"id of another variant": func(c *event.CompletionRecorded) { c.ID[8] |= 0xc0 },
		"time not in id":        func(c *event.CompletionRecorded) { c.At = c.At.Add(time.Millisecond) },
		"time finer than id":    func(c *event.CompletionRecorded) { c.At = c.At.Add(1) },
		"time too early":        func(c *event.CompletionRecorded) { at(c, time.Date(2019, 12, 31, 23, 59, 59, 999e6, time.UTC)) },
		"time too late":         func(c *event.CompletionRecorded) { at(c, time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)) },
		"no journal":            func(c *event.CompletionRecorded) { c.Journal = "" },
		"long journal":          func(c *event.CompletionRecorded) { c.Journal = strings.Repeat("j", 1025) },
		"negative partition":    func(c *event.CompletionRecorded) { c.Partition = -1 },
		"huge partition":        func(c *event.CompletionRecorded) { c.Partition = 1 << 16 },
		"no seq":                func(c *event.CompletionRecorded) { c.Seq = 0 },
		"negative seq":          func(c *event.CompletionRecorded) { c.Seq = -1 },
		"huge seq":              func(c *event.CompletionRecorded) { c.Seq = 1<<53 + 1 },
		"no project":            func(c *event.CompletionRecorded) { c.Project = "" },
		"long project":          func(c *event.CompletionRecorded) { c.Project = strings.Repeat("p", 1025) },
		"long user":             func(c *event.CompletionRecorded) { c.UserID = strings.Repeat("u", 1025) },
		"long session":          func(c *event.CompletionRecorded) { c.SessionID = strings.Repeat("s", 1025) },
		"long caller id":        func(c *event.CompletionRecorded) { c.CallerID = strings.Repeat("c", 1025) },
		"long model":            func(c *event.CompletionRecorded) { c.Model = strings.Repeat("m", 1025) },
		"no strategy":           func(c *event.CompletionRecorded) { c.Strategy = "" },
		"no status":             func(c *event.CompletionRecorded) { c.Status = "" },
		"unknown status":        func(c *event.CompletionRecorded) { c.Status = "OK" },
		"no cache":              func(c *event.CompletionRecorded) { c.Cache = "" },
		"unknown cache":         func(c *event.CompletionRecorded) { c.Cache = "hit" },
		"negative propensity":   func(c *event.CompletionRecorded) { c.Propensity = -0.1 },
		"propensity above 1":    func(c *event.CompletionRecorded) { c.Propensity = 1.1 },
		"propensity NaN":        func(c *event.CompletionRecorded) { c.Propensity = math.NaN() },
		"complexity NaN":        func(c *event.CompletionRecorded) { c.Complexity = math.NaN() },
		"complexity infinite":   func(c *event.CompletionRecorded) { c.Complexity = math.Inf(1) },
		"candidate's quality":   func(c *event.CompletionRecorded) { c.Candidates[0].Quality = math.NaN() },
		"candidate's chance":    func(c *event.CompletionRecorded) { c.Candidates[0].Probability = 2 },
		"candidate's cost":      func(c *event.CompletionRecorded) { c.Candidates[1].CostNanos = -1 },
		"candidate's huge cost": func(c *event.CompletionRecorded) { c.Candidates[1].CostNanos = 1<<53 + 1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, spoil)
		})
	}
}

func at(c *event.CompletionRecorded, when time.Time) {
	ms := when.UnixMilli()
	for i := range 6 {
		c.ID[i] = byte(ms >> (40 - 8*i))
	}
	c.At = when
}

func TestValidateRefusesAmounts(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]func(*event.CompletionRecorded) *int64{
		"tokens_in":           func(c *event.CompletionRecorded) *int64 { return &c.TokensIn },
		"tokens_in_cached":    func(c *event.CompletionRecorded) *int64 { return &c.TokensInCached },
		"tokens_out":          func(c *event.CompletionRecorded) *int64 { return &c.TokensOut },
		"tokens_reasoning":    func(c *event.CompletionRecorded) *int64 { return &c.TokensReasoning },
		"cost_nanos":          func(c *event.CompletionRecorded) *int64 { return &c.CostNanos },
		"origin_cost_nanos":   func(c *event.CompletionRecorded) *int64 { return &c.OriginCostNanos },
		"baseline_cost_nanos": func(c *event.CompletionRecorded) *int64 { return &c.BaselineCostNanos },
		"latency_us":          func(c *event.CompletionRecorded) *int64 { return &c.LatencyUS },
		"ttft_us":             func(c *event.CompletionRecorded) *int64 { return &c.TTFTUS },
		"overhead_us":         func(c *event.CompletionRecorded) *int64 { return &c.OverheadUS },
	} {
		for _, amount := range []int64{-1, math.MinInt64, 1<<53 + 1, math.MaxInt64} {
			err := refused(t, func(c *event.CompletionRecorded) { *of(c) = amount })
			if err != nil && !strings.Contains(err.Error(), name+" ") {
				t.Errorf("%s = %d is refused without its name: %v", name, amount, err)
			}
		}
	}
	refused(t, func(c *event.CompletionRecorded) { c.Snapshot = -1 })
}

func TestValidateRefusesTextThatCannotBeStored(t *testing.T) {
	t.Parallel()
	texts := map[string]func(*event.CompletionRecorded, string){
		"experiment":     func(c *event.CompletionRecorded, s string) { c.Experiments[0].Experiment = s },
		"arm":            func(c *event.CompletionRecorded, s string) { c.Experiments[0].Arm = s },
		"candidate":      func(c *event.CompletionRecorded, s string) { c.Candidates[1].Model = s },
		"fallback":       func(c *event.CompletionRecorded, s string) { c.Fallbacks = []string{"a", s} },
		"degraded":       func(c *event.CompletionRecorded, s string) { c.Degraded = []string{"a", s} },
		"metadata name":  func(c *event.CompletionRecorded, s string) { c.Metadata = map[string]string{s: "a"} },
		"metadata value": func(c *event.CompletionRecorded, s string) { c.Metadata = map[string]string{"a": s} },
	}
	for name, of := range map[string]func(*event.CompletionRecorded) *string{
		"journal":        func(c *event.CompletionRecorded) *string { return &c.Journal },
		"project":        func(c *event.CompletionRecorded) *string { return &c.Project },
		"key_id":         func(c *event.CompletionRecorded) *string { return &c.KeyID },
		"user_id":        func(c *event.CompletionRecorded) *string { return &c.UserID },
		"session_id":     func(c *event.CompletionRecorded) *string { return &c.SessionID },
		"caller_id":      func(c *event.CompletionRecorded) *string { return &c.CallerID },
		"strategy":       func(c *event.CompletionRecorded) *string { return &c.Strategy },
		"planned_model":  func(c *event.CompletionRecorded) *string { return &c.PlannedModel },
		"confidence":     func(c *event.CompletionRecorded) *string { return &c.Confidence },
		"reason":         func(c *event.CompletionRecorded) *string { return &c.Reason },
		"provider":       func(c *event.CompletionRecorded) *string { return &c.Provider },
		"model":          func(c *event.CompletionRecorded) *string { return &c.Model },
		"error_kind":     func(c *event.CompletionRecorded) *string { return &c.ErrorKind },
		"finish_reason":  func(c *event.CompletionRecorded) *string { return &c.FinishReason },
		"baseline_model": func(c *event.CompletionRecorded) *string { return &c.BaselineModel },
		"price_version":  func(c *event.CompletionRecorded) *string { return &c.PriceVersion },
	} {
		texts[name] = func(c *event.CompletionRecorded, s string) { *of(c) = s }
	}
	for name, set := range texts {
		for _, bad := range []string{"a\x00b", "\xff", "cut \xe2\x82"} {
			if refused(t, func(c *event.CompletionRecorded) { set(c, bad) }) == nil {
				t.Errorf("%s = %q", name, bad)
			}
		}
	}
}

// refused checks that a good fact is refused once it is spoilt.
func refused(t *testing.T, spoil func(*event.CompletionRecorded)) error {
	t.Helper()
	c := golden()["typical"]
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	spoil(c)
	err := c.Validate()
	if err == nil {
		t.Errorf("accepted: %+v", c)
	}
	return err
}

func TestEncodeRefusesNaN(t *testing.T) {
	t.Parallel()
	c := golden()["typical"]
	c.Candidates[0].Quality = math.NaN()
	if body, err := event.Encode(c); err == nil {
		t.Errorf("encoded as %s", body)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nothing":            ``,
		"null":               `null`,
		"an array":           `[]`,
		"a number":           `1`,
		"not JSON":           `{"v":1,`,
		"two events":         string(fixtures(t)["minimal"]) + string(fixtures(t)["minimal"]),
		"no type":            `{"v":1}`,
		"unknown type":       `{"v":1,"type":"x"}`,
		"only a type":        `{"v":1,"type":"completion.recorded"}`,
		"null id":            strings.Replace(string(fixtures(t)["minimal"]), `"016f5e66-e800-7000-8000-000000000000"`, `null`, 1),
		"deep nesting":       `{"v":1,"type":"completion.recorded","x":` + strings.Repeat("[", 5<<20),
		"deep and closed":    `{"v":1,"type":"completion.recorded","x":` + strings.Repeat("[", 1<<20) + strings.Repeat("]", 1<<20) + `}`,
		"deep objects":       strings.Repeat(`{"a":`, 1<<20),
		"5 MB type":          `{"v":1,"type":"` + strings.Repeat("é", 5<<19) + `"}`,
		"5 MB time":          `{"v":1,"type":"completion.recorded","at":"` + strings.Repeat("x", 5<<20) + `"}`,
		"5 MB number":        `{"v":1,"type":"completion.recorded","seq":` + strings.Repeat("9", 5<<20) + `}`,
		"5 MB status":        strings.Replace(string(fixtures(t)["minimal"]), `"ok"`, `"`+strings.Repeat("s", 5<<20)+`"`, 1),
		"5 MB without sense": strings.Repeat("\xff\x00", 5<<19),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fact, err := event.Decode([]byte(body))
			if err == nil {
				t.Fatalf("decoded as %+v", fact)
			}
			if len(err.Error()) > 400 {
				t.Errorf("the reason has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestDecodeSkipsNewFields(t *testing.T) {
	t.Parallel()
	body := strings.Replace(string(fixtures(t)["minimal"]), "{", `{"new": {"deep": [1, {"v": 2}]}, "big": "`+strings.Repeat("x", 5<<20)+`",`, 1)
	if _, err := event.Decode([]byte(body)); err != nil {
		t.Fatal(err)
	}
}

func TestDecodeGivesUTC(t *testing.T) {
	t.Parallel()
	body := strings.Replace(string(fixtures(t)["minimal"]), "2020-01-01T00:00:00Z", "2020-01-01T05:30:00+05:30", 1)
	fact, err := event.Decode([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if got := fact.Head().At; got.Location() != time.UTC || !got.Equal(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("at is %s", got)
	}
}

func TestNewCompletion(t *testing.T) {
	t.Parallel()
	before := time.Now().Truncate(time.Millisecond)
	c := event.NewCompletion(uuid.Must(uuid.NewV7()))
	if c.At.Before(before) || c.At.After(time.Now()) || c.At.Location() != time.UTC {
		t.Errorf("at is %s, made at %s", c.At, before)
	}
	c.LatencyUS, c.CostNanos, c.BaselineCostNanos = 1500, 30, 10
	if c.Latency() != 1500*time.Microsecond || c.SavingsNanos() != -20 {
		t.Errorf("latency %s, savings %d", c.Latency(), c.SavingsNanos())
	}
}

func TestFailed(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]bool{event.StatusOK: false, event.StatusCutOff: false, event.StatusEmpty: false,
		event.StatusError: true, event.StatusCanceled: true, event.StatusInterrupted: true} {
		if c := (&event.CompletionRecorded{Status: status}); c.Failed() != want {
			t.Errorf("%s: failed is %t", status, c.Failed())
		}
	}
}

func TestStreamNames(t *testing.T) {
	t.Parallel()
	s, err := event.ParseStream(event.Completions.String())
	if err != nil || s != event.Completions {
		t.Errorf("parsed %v, %v", s, err)
	}
	for _, name := range []string{"", "Completions", "dead"} {
		if s, err := event.ParseStream(name); err == nil {
			t.Errorf("%q is stream %d", name, s)
		}
	}
}

// The partition of a user is part of the contract: who reads one partition
// sees all that a user does, whatever version wrote it.
func TestPartition(t *testing.T) {
	t.Parallel()
	c := golden()["typical"]
	for user, want := range map[string]int{"user-42": 171, "Ω用户🙂": 226, "a": 44, "": 251} {
		c.UserID = user
		if got := event.Partition(c, 256); got != want {
			t.Errorf("%q is in partition %d of 256, want %d", user, got, want)
		}
		for _, n := range []int{-1, 0, 1} {
			if got := event.Partition(c, n); got != 0 {
				t.Errorf("%q is in partition %d of %d", user, got, n)
			}
		}
	}
	counts := make([]int, 4)
	for i := range 4000 {
		c.UserID = fmt.Sprint("user-", i)
		counts[event.Partition(c, len(counts))]++
	}
	for p, n := range counts {
		if n < 900 || n > 1100 {
			t.Errorf("partition %d got %d of 4000 users", p, n)
		}
	}
}
