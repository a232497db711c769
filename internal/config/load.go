package config

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/pricing"
)

// loader is a configuration while it is read.
type loader struct {
	cfg         Config
	env         environment
	doc         document
	now         time.Time
	providerAt  map[string]value // where the file names each provider
	modelAt     map[string]value // and each model
	modelsGiven bool
}

// FromEnvironment loads the configuration of this process from its
// environment and file system.
func FromEnvironment(p Process) (Config, error) {
	return Load(p, os.LookupEnv, os.ReadFile, time.Now())
}

// Load reads the variables that env knows and the files that they name; now
// decides which prices are in force. The error is Problems when the
// configuration is wrong: all of them at once.
func Load(p Process, env func(string) (string, bool), read func(string) ([]byte, error), now time.Time) (Config, error) {
	prices, err := pricing.Builtin()
	if err != nil {
		return Config{}, err
	}
	l := loader{
		cfg:        defaults(),
		env:        environment{lookup: env, read: read, secrets: map[string]secretRead{}},
		now:        now,
		providerAt: map[string]value{},
		modelAt:    map[string]value{},
	}
	l.cfg.Process, l.cfg.Prices.Table = p, prices
	l.environment()
	l.file()
	if err := append(l.env.problems, l.doc.problems...).sorted(); err != nil {
		return Config{}, err
	}
	return l.cfg, nil
}

// environment reads what the contract lists, except the providers' keys, which
// are read where a provider needs them.
func (l *loader) environment() {
	e, c := &l.env, &l.cfg
	c.File = e.text("BUSU_CONFIG", "")
	c.StateDir = filepath.Clean(e.text("BUSU_STATE_DIR", ".local"))
	c.Drain = e.duration("BUSU_DRAIN", "0s", 0)
	c.AdminKey = e.adminKey()
	c.WebhookSecret = e.webhookSecret()
	c.StatementKey = e.statementKey()
	c.Addr = e.addr(c.Process, c.AdminKey)
	c.Admin = e.adminAddr(c.AdminKey)
	c.TLS = e.tls(l.now)
	c.MaxConnections = e.maxConnections()
	c.Caller = e.caller(l.now)
	c.Database = e.store("DATABASE_URL", "postgres", "postgresql")
	c.Read, c.ReadMaxLag = e.replica(c.Database)
	c.Redis = e.store("REDIS_URL", redisSchemes()...)
	c.RedisCache = e.store("REDIS_CACHE_URL", redisSchemes()...)
	if !c.RedisCache.IsSet() {
		c.RedisCache = c.Redis
	}
	c.LogLevel = e.logLevel()
	c.LogFormat = e.logFormat()
	c.OTLP = e.otlp()
}

// file reads busu.yaml and gives every section that it leaves out its default:
// prices and providers first, then models, then what names models.
func (l *loader) file() {
	sections := l.sections()
	if v, given := sections["prices"]; given {
		l.priceFile(v)
	}
	l.readProviders(sections["providers"])
	if v, given := sections["models"]; given {
		l.modelsGiven = v.list(l.model) > 0
	}
	l.completeModels()
	for _, section := range []field{
		{"routing", l.routing}, {"shadow", l.shadow}, {"cache", l.cache}, {"retention", l.retention},
		{"streams", l.streams}, {"journal", l.journal}, {"webhooks", l.webhooks}, {"limits", l.limits}, {"keys", l.keys},
		{"sessions", l.sessionsSection}, {"oidc", l.oidc}, {"redaction", l.redaction},
	} {
		if v, given := sections[section.name]; given {
			section.read(v)
		}
	}
	l.completeRouting()
	l.notePrices()
	l.noteIdle()
}

var index = regexp.MustCompile(`\[[0-9]+\]`)

// noteIdle tells of settings that somebody made and that do nothing yet.
func (l *loader) noteIdle() {
	var found []string
	for _, path := range l.doc.given {
		path = index.ReplaceAllString(path, "")
		if slices.Contains(idle, path) && !slices.Contains(found, path) {
			found = append(found, path)
		}
	}
	if len(found) > 0 {
		l.note("no effect in this build yet: %s", strings.Join(found, ", "))
	}
}

// sections splits the file at its top.
func (l *loader) sections() map[string]value {
	top, ok := l.open()
	if !ok {
		return nil
	}
	var fields []field
	for _, name := range []string{"providers", "models", "prices", "routing", "shadow", "cache", "retention", "streams", "journal", "limits", "webhooks", "keys", "sessions", "oidc", "redaction"} {
		fields = append(fields, field{name, func(value) {}})
	}
	return top.object(fields...)
}

// readProviders reads those of the file, or takes the defaults. A section in
// which every provider is wrong does not bring in others.
func (l *loader) readProviders(v value) {
	if v.doc != nil && v.list(l.provider) > 0 {
		return
	}
	l.defaultProviders()
}

// open reads and parses the file; ok is false when there is none to use.
func (l *loader) open() (top value, ok bool) {
	if l.cfg.File == "" {
		return value{}, false
	}
	l.doc.file = filepath.Base(l.cfg.File)
	text, err := l.env.read(l.cfg.File)
	if err != nil {
		l.env.wrong("BUSU_CONFIG", "the file it names cannot be read ("+reason(err)+")", "check the path, or unset it to run on defaults")
		return value{}, false
	}
	return l.doc.parse(text)
}

// defaultProviders are those whose keys are set, and with none the simulated.
func (l *loader) defaultProviders() {
	for _, known := range presets {
		if known.keyEnv == "" {
			continue
		}
		key, set := l.env.secret(known.keyEnv)
		if !set {
			continue
		}
		p := known.provider(key)
		if len(catalog(p, l.cfg.Prices.Table, l.now)) == 0 {
			l.note("%s is set, but the price table has no model of %s: list some in busu.yaml to use it", known.keyEnv, known.name)
			continue
		}
		l.cfg.Providers = append(l.cfg.Providers, p)
		l.note("%s is set: provider %s serves", known.keyEnv, known.name)
	}
	if len(l.cfg.Providers) == 0 {
		simulated, _ := presetNamed(KindSimulated)
		l.cfg.Providers = []Provider{simulated.provider(Secret{})}
		l.note("no provider serves by its key: the simulated provider answers, at no cost; set %s for real models", oneOf(presetKeys()))
	}
}

func presetKeys() []string {
	var keys []string
	for _, p := range presets {
		if p.keyEnv != "" {
			keys = append(keys, p.keyEnv)
		}
	}
	return keys
}

func (l *loader) completeRouting() {
	if r := &l.cfg.Routing; r.Observation == 0 {
		r.Observation = usualObservation
		if l.cfg.Process == All && !slices.ContainsFunc(l.cfg.Providers, func(p Provider) bool { return p.Kind != KindSimulated }) {
			r.Observation = simulatedObserved
		}
	}
	l.warnOfGuard()
	if l.cfg.Routing.BaselineModel != "" {
		return
	}
	if l.cfg.Routing.BaselineModel = defaultBaseline(l.cfg.Models); l.cfg.Routing.BaselineModel == "" {
		return // no model, which is a mistake of its own
	}
	l.note("savings are measured against %s, the cheapest model of the most demanding tier; routing.baseline_model names another", l.cfg.Routing.BaselineModel)
}

// warnOfGuard warns of a goal that the guard of savings does not let stand: it
// gives everybody the baseline when answers are shown to be worse by more than
// it allows for (savings.Margin). The default goal is nearer to that than
// what is said of quality mostly shows.
func (l *loader) warnOfGuard() {
	r := &l.cfg.Routing
	aims := r.Strategy != StrategyComplexity && r.DailyBudget == 0 && r.StrongShare == 0
	if !aims || r.Holdout == 0 || r.QualityTarget >= defaults().Routing.QualityTarget {
		return
	}
	l.warn("routing.quality_target %s lets answers be worse than the baseline's by up to %s %%, and the guard allows for 2 points: "+
		"once it is shown (routing.holdout), everybody gets the baseline; raise the target to 0.95, or to 0.98 to be sure",
		decimal(r.QualityTarget), decimal(math.Round(1000*(1-r.QualityTarget))/10))
}

func (l *loader) note(format string, args ...any) {
	l.cfg.Notes = append(l.cfg.Notes, strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (l *loader) warn(format string, args ...any) {
	l.cfg.Warnings = append(l.cfg.Warnings, fmt.Sprintf(format, args...))
}
