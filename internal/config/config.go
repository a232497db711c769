// Package config turns the environment and busu.yaml into one validated value.
//
// Load reads everything, collects every mistake with its line and a hint, and
// gives either a Config that is right as a whole or Problems. Nothing else in
// the program looks at environment variables. A Config is read, never changed.
package config

import (
	"log/slog"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/webhook"
)

// Process says which of the commands the configuration is for.
type Process string

// The processes. They differ in their default address, and in that only an
// API needs a key to be heard beyond this machine.
const (
	All        Process = "up" // busu up, and the operator's commands
	API        Process = "api"
	Worker     Process = "worker"
	Aggregator Process = "aggregator"
)

// Config is everything that an operator can decide.
type Config struct {
	Process  Process
	File     string        // BUSU_CONFIG; "" when there is no file
	Addr     string        // BUSU_ADDR, or the process's default; host:port
	Admin    string        // BUSU_ADMIN_ADDR: profiles, and how much is logged; "" means that nobody may look
	StateDir string        // BUSU_STATE_DIR: embedded stores and spool
	Drain    time.Duration // BUSU_DRAIN: how long a process that is to stop goes on answering, though it is not ready

	TLS            TLS    // of both listeners
	MaxConnections int    // BUSU_MAX_CONNECTIONS of callers at once; 0: as many as the open files allow
	Caller         Caller // how our commands ask a busu that runs

	Database   StoreURL // DATABASE_URL; unset means embedded
	Read       StoreURL // DATABASE_READ_URL: a replica for the dashboard; unset means none
	Redis      StoreURL // REDIS_URL: the ledger; unset means embedded
	RedisCache StoreURL // REDIS_CACHE_URL; equal to Redis when not given
	AdminKey   Secret   // BUSU_ADMIN_KEY; unset means that the API is open

	ReadMaxLag time.Duration // DATABASE_READ_MAX_LAG: how far behind the replica may be to be read from

	WebhookSecret Secret // BUSU_WEBHOOK_SECRET; unset means one that the database holds
	StatementKey  Secret // BUSU_STATEMENT_KEY in PEM; unset means that statements are not signed

	LogLevel  slog.Level
	LogFormat LogFormat
	OTLP      OTLP

	Providers []Provider
	Models    []Model // never empty; ids are unique, providers exist
	Prices    Prices
	Routing   Routing
	Shadow    Shadow
	Cache     Cache
	Retention Retention
	Streams   Streams
	Journal   Journal
	Limits    Limits
	Webhooks  Webhooks
	Keys      Keys
	Sessions  Sessions
	OIDC      OIDC
	Redaction Redaction

	Notes    []string // what was decided for the operator, for start-up to say
	Warnings []string // what works but should be changed
}

// LogFormat is how log lines are written.
type LogFormat string

// Log formats. Auto is text on a terminal and JSON otherwise.
const (
	LogAuto LogFormat = "auto"
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// OTLP is where traces go.
type OTLP struct {
	Endpoint string      // OTEL_EXPORTER_OTLP_ENDPOINT; "" means that there are none
	Headers  OTLPHeaders // OTEL_EXPORTER_OTLP_HEADERS
	Ratio    float64     // OTEL_TRACES_SAMPLER_ARG: of those that begin here, 0 to 1
}

// Kinds of providers.
const (
	KindOpenAI    = "openai" // any endpoint that speaks OpenAI's chat completions
	KindAnthropic = "anthropic"
	KindGemini    = "gemini"
	KindSimulated = "simulated"
)

// Provider is one account with one vendor.
type Provider struct {
	Name           string
	Kind           string
	BaseURL        string // without a trailing slash; "" for simulated
	APIKeyEnv      string // where the key came from, for messages; "" for none
	APIKey         Secret
	Headers        []Header // sent with every call, sorted by name; never a key
	MaxConcurrency int      // calls under way at the same time
	Queue          int      // calls that may wait for one of these to end
	Retries        int      // further attempts at the same model

	Timeout           time.Duration // all attempts at one model, with the waits between them
	AttemptTimeout    time.Duration // one of them; at most Timeout, as the next two
	FirstTokenTimeout time.Duration // until the first piece of a streamed answer
	IdleTimeout       time.Duration // from one piece to the next

	Simulation Simulation // of kind simulated only
}

// Header is one HTTP header.
type Header struct{ Name, Value string }

// Simulation is how the simulated provider behaves.
type Simulation struct {
	Seed        uint64  // the same seed and prompt give the same answer
	Speed       float64 // 1: realistic latency, 2: twice as fast, 0: no waiting
	FailureRate float64 // share of calls that fail, 0 to 1
}

// Model is a model that callers can name, with its price.
type Model struct {
	llm.Model
	Price pricing.Price   // in force when the configuration was loaded
	Later []pricing.Dated // what comes into force after that, in order
}

// PriceAt is the price in force at a moment.
func (m Model) PriceAt(at time.Time) pricing.Price { return pricing.PriceAt(m.Price, m.Later, at) }

// Prices are where prices come from that the models do not state.
type Prices struct {
	File  string        // as it is written; "" for the built-in table alone
	Table pricing.Table // the file's rows over the built-in ones
}

// Strategies.
const (
	StrategyComplexity = "complexity"
	StrategyLearning   = "learning"
	StrategyHybrid     = "hybrid"
)

// Routing is how a model is chosen.
type Routing struct {
	Strategy      string
	BaselineModel string  // what savings are measured against; always a known model
	QualityTarget float64 // share of the baseline's quality to keep, 0 to 1

	// Instead of the quality to keep, one of these may be the goal.
	DailyBudget pricing.Nanos // 0: none
	StrongShare float64       // share of requests for the baseline model, 0 to 1; 0: none

	Holdout           float64       // share of users always sent to the baseline, 0 to 1
	Observation       time.Duration // of a user for the comparison with the hold-out, from the day's first request on
	DefaultExperiment string        // "" for none
}

// Cache is how answers are reused.
type Cache struct {
	Enabled      bool
	TTL          time.Duration // in memory and in Redis
	PostgresTTL  time.Duration // in PostgreSQL; at least TTL
	Scope        string        // who shares answers: key, project or all
	SingleFlight string        // who waits for the same answer under way: process or cluster
	Similar      bool          // also answers to prompts that mean the same
	MemoryBytes  int64         // of each process
	RedisBytes   int64         // in all
}

// Scopes of a cache.
const (
	ScopeKey     = "key"
	ScopeProject = "project"
	ScopeAll     = "all"
)

// Reaches of a single flight.
const (
	FlightProcess = "process"
	FlightCluster = "cluster"
)

// Retention is how long what is kept.
type Retention struct {
	Prompts     string // none or full
	Features    time.Duration
	Completions time.Duration
	Projects    []ProjectRetention // that keep less
}

// ProjectRetention is how long a project keeps what it keeps for less than the
// others.
type ProjectRetention struct {
	Project     string
	Completions time.Duration // at most that of all
	Answers     time.Duration // at most Cache.PostgresTTL; 0: none is kept
}

// Streams are the public streams.
type Streams struct {
	Partitions int // facts are spread over
	// ReadPartitions are stored from, counted and listened to: at least
	// Partitions, and more where there were more once.
	ReadPartitions int
	Retention      time.Duration
	Groups         []string // outside consumer groups that may hold trimming back
}

// Journal is the record on disk.
type Journal struct {
	MaxBytes int64
	Sync     time.Duration // how often it is forced to disk; 0: before every answer
	// RotateAfter is how old what a file holds becomes before another one is
	// begun, and the file goes once all in it is stored.
	RotateAfter time.Duration
}

// Limits are of spending and of rates.
type Limits struct {
	WhenUnavailable string // what happens when they cannot be read: closed or open
	Projects        []ProjectBudget
	Alerts          Alerts
}

// Alerts are about budgets of which a share is spent.
type Alerts struct {
	NotifyURL string // of a webhook; "": none is sent
}

// ProjectBudget is what the requests of a project may cost, in all.
type ProjectBudget struct {
	Project string
	Budget  pricing.Nanos
	Period  string // day or month
}

// Webhooks is where they may go.
type Webhooks struct{ Allow webhook.Allow }

// Keys is how keys are treated.
type Keys struct {
	Grace time.Duration // how long known ones go on while none can be read
}

// Provider finds a provider by name.
func (c Config) Provider(name string) (Provider, bool) {
	for _, p := range c.Providers {
		if p.Name == name {
			return p, true
		}
	}
	return Provider{}, false
}

// Model finds a model by its id.
func (c Config) Model(id string) (Model, bool) {
	for _, m := range c.Models {
		if m.ID == id {
			return m, true
		}
	}
	return Model{}, false
}

// PriceChanges lists the moments after loading at which the price of any model
// changes, in order.
func (c Config) PriceChanges() []time.Time {
	var changes []time.Time
	for _, m := range c.Models {
		for _, later := range m.Later {
			changes = append(changes, later.From)
		}
	}
	slices.SortFunc(changes, time.Time.Compare)
	return slices.CompactFunc(changes, time.Time.Equal)
}

// Baseline is the model that savings are measured against.
func (c Config) Baseline() Model {
	m, _ := c.Model(c.Routing.BaselineModel)
	return m
}
