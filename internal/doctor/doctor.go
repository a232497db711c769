// Package doctor judges an installation: facts in, verdicts out. Who gathers the
// facts is others' business, so that each judgement is a line of a table.
package doctor

import (
	"fmt"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/system"
)

// State is what is thought of a check.
type State string

// The states. Something that fails must be changed before busu can be relied on.
const (
	OK   State = "ok"
	Warn State = "warn"
	Fail State = "fail"
)

// Verdict is what was seen of one thing, and what to do about it.
type Verdict struct {
	Check string `json:"check"`
	State State  `json:"state"`
	Seen  string `json:"seen"`
	Do    string `json:"do,omitempty"`
}

// Facts are all that can be judged. What could not be asked is left out.
type Facts struct {
	Configuration Configuration
	Host          Host
	Postgres      Store
	Redis         Store
	Cache         *Store // nil: the same as Redis
	Rows          *system.Postgres
	Replica       *system.Replica // nil: there is none
	Streams       *system.Redis
	Providers     []Provider
}

// Configuration is what an operator has decided.
type Configuration struct {
	Err       string // why it is wrong; then nothing else is known
	File      string // "" where there is none
	Warnings  []string
	Listeners []Listener
	Collector string // of traces; "" for none

	Certificate *Certificate // that listeners show; nil: there is no TLS
}

// Certificate is how much is left of one.
type Certificate struct{ Left, Whole time.Duration }

// soon is when a certificate should have been renewed: two weeks before it
// expires, of one that lives short a quarter of its life.
func (c Certificate) soon() time.Duration { return min(14*24*time.Hour, c.Whole/4) }

// Listener is where a process listens.
type Listener struct {
	Name, Addr string
	Keyed      bool // who has no key is refused
	Loopback   bool
}

// Host is the machine, or the container, as this process sees it. Sizes are in
// bytes, 0 where there is no limit.
type Host struct {
	StateDir     string
	StateErr     string // why it cannot be written to
	FreeBytes    int64  // where it is
	JournalBytes int64  // that the journals in it have
	JournalMost  int64  // that each may have
	Files        uint64 // that may be open at once
	Processors   int    // GOMAXPROCS
	GroupCPUs    float64
	GroupMemory  int64
	MemoryLimit  string // GOMEMLIMIT, as it is set; "" where it is not
	KeptBytes    int64  // answers kept in memory, at most
}

// Store is a store and how it is set up.
type Store struct {
	Name     string
	Private  bool // it is busu's own, which sets it up
	Err      string
	Settings map[string]string // by the store's own names; what it does not tell is left out
}

// Provider is one of those that are configured.
type Provider struct {
	Name      string
	KeyEnv    string // "" where it needs none
	Simulated bool
	Probe     *Probe // nil: it was not asked
}

// Probe is what came of asking a provider which models it has.
type Probe struct {
	Status int    // 0 where there was no answer
	Err    string // why
	Took   time.Duration
}

// Judge says what is to be thought of it all, in the order in which to read it.
func Judge(f Facts) []Verdict {
	var j judge
	j.configuration(f.Configuration)
	j.host(f.Host)
	j.postgres(f.Postgres)
	j.rows(f.Postgres, f.Rows, starting(f.Streams))
	j.replica(f.Replica)
	j.redis(f.Redis, true)
	if f.Cache != nil {
		j.redis(*f.Cache, false)
	}
	j.streams(f.Streams)
	j.providers(f.Providers)
	return j.verdicts
}

// Worst is the worst of the states.
func Worst(verdicts []Verdict) State {
	for _, s := range []State{Fail, Warn} {
		if slices.ContainsFunc(verdicts, func(v Verdict) bool { return v.State == s }) {
			return s
		}
	}
	return OK
}

// judge collects verdicts.
type judge struct{ verdicts []Verdict }

func (j *judge) say(check string, s State, do, seen string, args ...any) {
	if s == OK {
		do = ""
	}
	j.verdicts = append(j.verdicts, Verdict{Check: check, State: s, Seen: fmt.Sprintf(seen, args...), Do: do})
}

// when is bad if it holds, else OK.
func when(holds bool, bad State) State {
	if holds {
		return bad
	}
	return OK
}

// level is Fail beyond the one bound, Warn beyond the other.
func level(x, warn, fail float64) State {
	if x > fail {
		return Fail
	}
	return when(x > warn, Warn)
}

func (j *judge) configuration(c Configuration) {
	if c.Err != "" {
		j.say("configuration", Fail, "correct what is named; busu config check says the same", "%s", c.Err)
		return
	}
	from := c.File
	if from == "" {
		from = "environment and defaults"
	}
	j.say("configuration", OK, "", "valid: %s", from)
	for _, w := range c.Warnings {
		j.say("configuration", Warn, "see docs/configuration.md", "%s", w)
	}
	for _, l := range c.Listeners {
		switch {
		case l.Keyed:
			j.say("listen."+l.Name, OK, "", "%s, with a key", l.Addr)
		case l.Loopback:
			j.say("listen."+l.Name, OK, "", "%s, without a key: open to all who are on this machine, and to nobody else", l.Addr)
		default:
			j.say("listen."+l.Name, Fail, "set BUSU_ADMIN_KEY, or listen on 127.0.0.1", "%s is open to all who reach it", l.Addr)
		}
	}
	if t := c.Certificate; t != nil {
		j.say("certificate", when(t.Left < t.soon(), Warn), "renew it: the files are read again every ten seconds", "TLS; it is good for %.1f more days", t.Left.Hours()/24)
	}
	if c.Collector != "" {
		j.say("traces", OK, "", "told to %s", c.Collector)
	}
}

func (j *judge) providers(all []Provider) {
	if len(all) > 0 && !slices.ContainsFunc(all, func(p Provider) bool { return !p.Simulated }) {
		j.say("providers", Warn, "set a vendor's key, such as OPENAI_API_KEY, for real answers", "only simulated models answer")
		return
	}
	for _, p := range all {
		j.provider("provider."+p.Name, p)
	}
}

func (j *judge) provider(check string, p Provider) {
	key := "needs no key"
	if p.KeyEnv != "" {
		key = p.KeyEnv + " is set"
	}
	if p.Simulated {
		key = "simulated"
	}
	switch r := p.Probe; {
	case r == nil:
		j.say(check, OK, "", "%s", key)
	case r.Status == 0:
		j.say(check, Fail, "look at base_url, the network and its proxy, then at the vendor's status page", "%s; it cannot be reached: %s", key, r.Err)
	case r.Status == 401 || r.Status == 403:
		j.say(check, Fail, "put a key that is good into "+p.KeyEnv, "%s; it refuses the key (%d)", key, r.Status)
	case r.Status >= 500 || r.Status == 429:
		j.say(check, Warn, "look at the vendor's status page, and at the account's limits", "%s; it answers %d", key, r.Status)
	case r.Status == 404:
		j.say(check, OK, "", "%s; it can be reached, in %d ms, and lists no models", key, r.Took.Milliseconds())
	default:
		j.say(check, OK, "", "%s; it answers %d in %d ms", key, r.Status, r.Took.Milliseconds())
	}
}
