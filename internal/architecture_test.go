// Package internal_test holds the house plan as a test: which room may know
// which, and why.
package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/busuhq/busu/"

// A room may import those of the rooms it names, and with network set or
// libraries named, more than the standard library's pure part.
type room struct {
	may  []string // rooms of ours
	libs []string // modules of others
	io   bool     // an adapter: files, network, processes
	why  string   // what the rule protects
}

const (
	pure    = "domain rooms do no I/O, so that they can be tested, replayed and reasoned about"
	adapter = "adapters speak the domain's words and ignore each other"
	part    = "the gateway, the worker and the aggregator declare what they need and know no technology"
)

// plan is the house. A new room needs a line here: think where it belongs.
var plan = map[string]room{
	"internal/llm":         {why: pure},
	"internal/redact":      {why: pure + "; what asks others over HTTP is the courier"},
	"internal/sse":         {why: "a codec reads and writes; it knows no network"},
	"internal/pricing":     {may: []string{"llm"}, libs: []string{"github.com/goccy/go-yaml"}, why: pure},
	"internal/pricelist":   {may: []string{"llm", "pricing"}, why: pure},
	"internal/prompt":      {why: pure},
	"internal/learning":    {may: []string{"prompt"}, why: pure},
	"internal/routing":     {may: []string{"learning", "llm", "pricing", "prompt"}, why: pure},
	"internal/replay":      {may: []string{"learning", "llm", "pricing", "prompt", "routing"}, why: pure},
	"internal/routellm":    {may: []string{"replay"}, why: pure},
	"internal/webhook":     {libs: []string{"github.com/google/uuid"}, why: pure + "; it says what is sent where, and when, and sends nothing"},
	"internal/figure":      {why: "numbers in, a drawing out"},
	"internal/trafficlog":  {may: []string{"llm", "pricing"}, libs: []string{"github.com/tidwall/gjson"}, why: "a codec reads bytes and tells calls"},
	"internal/certificate": {why: pure + "; files come in through a function"},
	"internal/forecast":    {may: []string{"learning", "llm", "pricing", "prompt", "routing", "trafficlog"}, why: pure},
	"internal/event":       {libs: []string{"github.com/google/uuid"}, why: pure},
	"internal/rollup":      {may: []string{"event", "pricing"}, why: pure},
	"internal/requests":    {may: []string{"event", "llm", "pricing"}, libs: []string{"github.com/google/uuid"}, why: pure},
	"internal/verdict":     {may: []string{"event", "learning"}, libs: []string{"github.com/google/uuid"}, why: pure},
	"internal/judge":       {may: []string{"llm"}, why: pure},
	"internal/budget":      {may: []string{"pricing", "webhook"}, libs: []string{"github.com/google/uuid"}, why: pure + "; its desk and its books are others'"},
	"internal/reconcile":   {may: []string{"budget", "event", "pricing", "rollup"}, why: pure},
	"internal/limit":       {why: pure + "; its desk is others'"},
	"internal/system":      {why: pure},
	"internal/lineup":      {may: []string{"event", "pricing", "rollup", "savings", "stats", "system"}, why: pure},
	"internal/access":      {may: []string{"document", "event", "pricing"}, libs: []string{"golang.org/x/sync"}, why: pure},
	"internal/session":     {may: []string{"access"}, libs: []string{"github.com/google/uuid"}, why: pure},
	"internal/simulate":    {why: pure + "; reports come in as texts"},
	"internal/stats":       {libs: []string{"gonum.org/v1/gonum"}, why: pure + "; this one is numbers in, numbers out"},
	"internal/idempotency": {libs: []string{"github.com/sony/gobreaker"}, why: pure},
	"internal/apidocs":     {why: "a document in, a page out"},
	"internal/worker":      {may: []string{"budget", "event", "experiment", "learning", "llm", "pricing", "rollup", "routing", "savings", "verdict", "webhook"}, libs: []string{"github.com/google/uuid"}, why: part},
	"internal/gateway":     {may: []string{"budget", "cache", "chat", "event", "experiment", "flight", "judge", "learning", "llm", "pricing", "prompt", "redact", "routing"}, libs: []string{"github.com/google/uuid"}, why: part},
	"internal/aggregator":  {may: []string{"event", "rollup"}, why: part},
	"internal/tail":        {may: []string{"event"}, why: part + "; so does what follows the streams for listeners"},
	"internal/savings":     {may: []string{"pricing", "stats"}, why: pure},
	"internal/statement":   {may: []string{"savings", "spreadsheet"}, why: pure + "; keys and random bytes come in"},
	"internal/spreadsheet": {why: pure},
	"internal/usage":       {may: []string{"pricing", "spreadsheet"}, why: pure},
	"internal/experiment":  {may: []string{"document", "event", "prompt", "stats", "webhook"}, libs: []string{"github.com/google/uuid"}, why: pure},
	"internal/selftest":    {may: []string{"experiment", "stats"}, libs: []string{"gonum.org/v1/gonum", "golang.org/x/sync"}, why: pure},
	"internal/document":    {libs: []string{"github.com/tidwall/gjson"}, why: pure},
	"internal/messages":    {may: []string{"document", "llm"}, libs: []string{"github.com/tidwall/gjson"}, why: pure},
	"internal/chat":        {may: []string{"document", "llm"}, libs: []string{"github.com/tidwall/gjson"}, why: pure},
	"internal/flight":      {may: []string{"llm"}, why: pure},
	"internal/cache": {may: []string{"document", "event", "llm"}, libs: []string{"github.com/google/uuid", "github.com/sony/gobreaker", "golang.org/x/text"},
		why: "the cache declares what its levels do and knows no technology"},

	"internal/provider/openai":    {may: []string{"chat", "llm", "provider/endpoint"}, io: true, why: adapter},
	"internal/provider/endpoint":  {may: []string{"llm", "sse"}, io: true, why: adapter + "; this is what those of vendors stand on"},
	"internal/provider/anthropic": {may: []string{"llm", "messages", "provider/endpoint", "sse"}, io: true, why: adapter},
	"internal/provider/gemini":    {may: []string{"llm", "provider/endpoint"}, io: true, why: adapter},
	"internal/provider/simulated": {may: []string{"llm"}, io: true, why: adapter},
	"internal/openid":             {may: []string{"access", "session"}, libs: []string{"github.com/coreos/go-oidc", "golang.org/x/oauth2"}, io: true, why: adapter},
	"internal/courier":            {may: []string{"webhook"}, io: true, why: adapter},
	"internal/redacthook":         {io: true, why: adapter},
	"internal/doctor":             {may: []string{"system"}, why: pure + "; others gather the facts"},
	"internal/release":            {why: "what the build says of itself, and no more"},
	"internal/manual":             {libs: []string{"github.com/alecthomas/kong"}, why: "commands in, text out"},
	"internal/cgroup":             {why: "files in, limits out"},
	"internal/heap":               {may: []string{"cgroup"}, io: true, why: adapter + "; this one to Go's runtime"},
	"internal/admin":              {libs: []string{"github.com/prometheus/client_golang"}, io: true, why: "it shows a process as Go's runtime sees it, and knows no room"},
	"internal/flock":              {io: true, why: adapter},
	"internal/journal":            {may: []string{"event", "flock"}, libs: []string{"github.com/google/uuid", "golang.org/x/sys"}, io: true, why: adapter},
	"internal/redisdb":            {may: []string{"budget", "cache", "event", "idempotency", "limit", "pricing", "rollup", "system"}, libs: []string{"github.com/redis/go-redis", "github.com/google/uuid"}, io: true, why: adapter},
	"internal/provider/guard": {may: []string{"llm", "rollup"}, libs: []string{"github.com/sony/gobreaker"},
		why: "a guard decorates any provider; it knows no vendor, no network and no store"},
	"internal/postgres": {may: []string{"access", "budget", "cache", "event", "experiment", "learning", "lineup", "pricing", "reconcile", "requests", "rollup", "savings", "schema", "session", "statement", "stats", "system", "usage", "verdict", "webhook"}, io: true, why: adapter,
		libs: []string{"github.com/jackc/pgx", "github.com/pressly/goose", "github.com/google/uuid"}},
	"internal/telemetry": {may: []string{"event", "release", "system"}, libs: []string{"github.com/google/uuid", "github.com/prometheus/client_golang"}, why: adapter},
	"internal/dashboard": {libs: []string{"github.com/tdewolff/minify"}, io: true, why: adapter},
	"internal/tracing": {may: []string{"cache", "event", "llm", "routing", "worker"}, libs: []string{"go.opentelemetry.io/otel", "github.com/google/uuid"}, io: true,
		why: "tracing decorates what rooms call, and no room knows of it"},
	"internal/localstack": {libs: []string{"github.com/jackc/pgx", "github.com/redis/go-redis", "github.com/alicebob/miniredis"},
		io: true, why: adapter},
	"internal/httpapi": {may: []string{"access", "budget", "chat", "document", "event", "experiment", "gateway", "idempotency", "learning", "limit", "lineup", "llm", "messages", "pricing", "reconcile", "requests", "rollup", "routing", "savings", "session", "spreadsheet", "statement", "system", "tail", "usage", "webhook"}, io: true,
		libs: []string{"github.com/labstack/echo", "github.com/coder/websocket", "github.com/google/uuid", "github.com/prometheus/client_golang", "github.com/tidwall/gjson", "golang.org/x/sync"},
		why:  "transport asks the gateway and reads reports; it knows no store"},
	"internal/config": {may: []string{"access", "certificate", "llm", "pricing", "redact", "statement", "webhook"}, libs: []string{"github.com/goccy/go-yaml"}, io: true,
		why: "configuration describes the rooms and must not start them"},
	"internal/demo": {may: []string{"llm", "pricing", "provider/simulated"}, io: true,
		why: "the demo is a client: it knows busu over HTTP only, and the simulator's truth"},

	"internal/app": {may: []string{"*"}, libs: []string{"*"}, io: true, why: "the wiring knows everybody"},
	"cmd/api":      {may: []string{"app", "config"}, io: true, why: "commands are flags, signals and exit codes"},
	"cmd/worker":   {may: []string{"app", "config"}, io: true, why: "commands are flags, signals and exit codes"},
	"cmd/aggregator": {may: []string{"app", "config"}, io: true,
		why: "commands are flags, signals and exit codes"},
	"cmd/busu": {may: []string{"access", "app", "budget", "certificate", "cgroup", "config", "demo", "doctor", "event", "experiment", "figure", "forecast", "heap", "journal", "learning", "llm", "localstack", "manual", "postgres", "pricelist", "pricing", "reconcile", "redisdb", "release", "replay", "rollup", "routellm", "routing", "savings", "selftest", "statement", "system", "trafficlog", "webhook"}, libs: []string{"github.com/alecthomas/kong", "golang.org/x/sys"}, io: true,
		why: "commands are flags, signals and exit codes"},
	"schema": {why: "the schema is what all agree on; it depends on nothing"},

	"internal/chaos": {may: []string{"event", "localstack", "postgres", "pricing", "reconcile", "redisdb", "rollup", "sse", "storetest"},
		libs: []string{"github.com/jackc/pgx", "github.com/redis/go-redis"}, io: true,
		why: "chaos knows the processes as programs only, and looks into the stores that they leave behind"},
	"internal/simulate/run": {may: []string{"simulate"}, io: true, why: "commands are flags, signals and exit codes"},
	"internal/chaos/run":    {may: []string{"chaos"}, io: true, why: "commands are flags, signals and exit codes"},

	"internal/apifuzz":               {may: []string{"contract"}, libs: []string{"github.com/getkin/kin-openapi"}, io: true, why: "test support: it knows busu as its callers do, and the document"},
	"internal/contract":              {libs: []string{"github.com/getkin/kin-openapi"}, io: true, why: "test support: answers beside the document, and nothing of who answers"},
	"internal/provider/providertest": {may: []string{"llm"}, io: true, why: "test support"},
	"internal/eventtest":             {may: []string{"event"}, libs: []string{"github.com/google/uuid"}, why: "test support"},
	"internal/storetest":             {may: []string{"certificatetest", "localstack", "schema"}, libs: []string{"*"}, io: true, why: "test support"},
	"internal/storetest/withstores":  {may: []string{"localstack", "storetest"}, io: true, why: "test support"},
	"internal/certificatetest":       {io: true, why: "test support"},
	"internal/budgettest":            {may: []string{"budget", "pricing"}, why: "test support"},
	"internal/limittest":             {may: []string{"limit"}, why: "test support"},
	"internal/cachetest":             {may: []string{"cache", "event", "llm"}, libs: []string{"github.com/google/uuid"}, why: "test support"},
}

// impure are the packages of the standard library that reach outside.
var impure = []string{"net", "net/http", "os", "os/exec", "os/signal", "database/sql", "syscall", "io/ioutil", "log"}

// vague are names that say what code is, not what it is about.
var vague = []string{"util", "utils", "common", "helper", "helpers", "base", "types", "models", "shared", "misc", "pkg",
	"manager", "service", "services", "lib", "core"}

func TestImportsFollowThePlan(t *testing.T) {
	t.Parallel()
	rooms := map[string]map[string]string{} // room → import → file
	for file, imports := range sources(t) {
		dir := path.Dir(file)
		if rooms[dir] == nil {
			rooms[dir] = map[string]string{}
		}
		for _, i := range imports {
			rooms[dir][i] = file
		}
	}
	for dir, imports := range rooms {
		for _, part := range strings.Split(dir, "/") {
			if slices.Contains(vague, part) {
				t.Errorf("%s: %q says nothing about what is inside; put the code where it is used, or name the room after its subject", dir, part)
			}
		}
		r, ok := plan[dir]
		if !ok {
			t.Errorf("%s is not in the plan of architecture_test.go: decide which rooms it may know, and write down why", dir)
			continue
		}
		for i, file := range imports {
			if !r.allows(i) {
				t.Errorf("%s imports %s, which %s may not: %s", file, i, dir, r.why)
			}
		}
	}
	for dir := range plan {
		if rooms[dir] == nil {
			t.Errorf("%s is in the plan and not in the house", dir)
		}
	}
}

func (r room) allows(imported string) bool {
	if ours, ok := strings.CutPrefix(imported, module); ok {
		return allowed(r.may, strings.TrimPrefix(ours, "internal/"), func(a, b string) bool { return a == b })
	}
	if strings.Contains(strings.Split(imported, "/")[0], ".") {
		return allowed(r.libs, imported, func(library, i string) bool { return i == library || strings.HasPrefix(i, library+"/") })
	}
	return r.io || !slices.Contains(impure, imported)
}

func allowed(list []string, name string, match func(entry, name string) bool) bool {
	return slices.ContainsFunc(list, func(entry string) bool { return entry == "*" || match(entry, name) })
}

// sources maps each file that is not a test to its imports. It reads the files
// itself: a result that came from the go command could be a cached one.
func sources(t *testing.T) map[string][]string {
	t.Helper()
	root, err := os.OpenRoot("..")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	found := map[string][]string{}
	for _, top := range []string{"cmd", "internal", "schema"} {
		err := fs.WalkDir(root.FS(), top, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() && d.Name() == "testdata" {
				return cmpErr(err, fs.SkipDir)
			}
			if filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
				return nil
			}
			found[file], err = importsOf(root, file)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(found) < 50 {
		t.Fatalf("only %d files were found", len(found))
	}
	return found
}

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

func importsOf(root *os.Root, file string) ([]string, error) {
	text, err := root.ReadFile(file)
	if err != nil {
		return nil, err
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var imports []string
	for _, spec := range parsed.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		imports = append(imports, name)
	}
	return imports, nil
}

// The commands of the three jobs are flags and signals, no more.
func TestCommandsAreThin(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"api", "worker", "aggregator"} {
		text, err := os.ReadFile(filepath.Join("..", "cmd", command, "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(text), "\n"); lines > 40 {
			t.Errorf("cmd/%s has %d lines, more than 40: move what it does to internal/app", command, lines)
		}
	}
}

// What makes keys, secrets and signatures never draws from a seed.
func TestSecretsAreRandom(t *testing.T) {
	t.Parallel()
	for file, imports := range sources(t) {
		for _, dir := range []string{"internal/access", "internal/webhook", "internal/statement", "internal/config", "internal/httpapi"} {
			if path.Dir(file) == dir && slices.ContainsFunc(imports, func(i string) bool { return strings.HasPrefix(i, "math/rand") }) {
				t.Errorf("%s imports math/rand: what it draws can be guessed", file)
			}
		}
	}
}
