# busu. `make help` lists what there is.

GO      ?= go
BIN     := .local/bin
# Go's own stamp of the commit and of changed files, also where GOFLAGS says otherwise; without a repository that git may read there is none.
STAMP   := $(if $(shell git rev-parse -q --verify HEAD 2>/dev/null),-buildvcs=auto)
FLAGS   := -trimpath $(STAMP)
SOURCES := $(shell find cmd internal schema -type f -not -name '*_test.go' 2>/dev/null) go.mod go.sum

# The race detector needs a C compiler; without one the tests run without it and say so.
RACE := $(shell command -v gcc >/dev/null 2>&1 || command -v clang >/dev/null 2>&1 && echo -race)

.PHONY: help run build test e2e screenshots check shipping security pin-images sbom manual release-check reproducible fuzz fuzz-api chaos bench bench-pipeline bench-answers bench-history bench-growth bench-live bench-experiments bench-scale soak rolling simulate clean

# What gosec finds and is no fault. Of the product and its tests' support; bench and e2e run on a developer's machine only.
#   G104  errors that nobody looks at: of hashes, which have none, and of closing what has failed already; staticcheck finds others
#   G115  narrowing conversions: codecs bound what they read before they convert it, and are fuzzed; what they write is in memory
#   G404  math/rand: jitter, samples and simulations that a seed repeats. TestSecretsAreRandom holds it out of the rooms that make secrets
# and by path:
#   localstack        starts the programs it has found, in a directory of its own that another user, as whom they run, must pass; the
#                     "password" (G101) is a hint; the walk (G122) is through what it has just unpacked
#   chaos, simulate, storetest  start and kill programs, keep files and write reports where they are told to: tools of developers, in no image
#   cmd/busu          reads and writes the files that its operator names, with the mode that his umask leaves; who asks a busu verifies
#                     what it is shown itself (G402), by name and authority, or as this machine's own certificate
#   document/view     unsafe (G103): a text that shares the bytes of a body, which nobody changes
#   flight/pieces     the context of a call (G118) is ended by who makes the call, behind it, and by the last who leaves
#   journal, flock    files under BUSU_STATE_DIR
#   session/seal      no nonce is given (G407): the cipher of cipher.NewGCMWithRandomNonce makes its own
#   redisdb/address   skip_verify (G402) is the word of the operator, in the address of a cluster, as go-redis has it for one server
#   tracing/names, config/signin   names of attributes and variables with "token" and "secret" in them (G101)
#   httpapi/session, httpapi/signon   cookies (G124) are secure where there is TLS: TestSecureCookies; what ends one holds nothing
GOSEC_EXCEPT := -exclude=G104,G115,G404 -exclude-rules="internal/localstack/.*:G101,G122,G204,G301,G302,G304,G306;internal/(chaos|simulate|storetest)/.*:G118,G204,G301,G302,G304,G306,G702,G703;cmd/busu/.*:G301,G304,G306,G402,G703;internal/document/view.go:G103;internal/flight/pieces.go:G118;internal/(journal|flock)/.*:G304;internal/session/seal.go:G407;internal/redisdb/address.go:G402;internal/(tracing/names|config/signin).go:G101;internal/httpapi/(session|signon).go:G124"

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(BIN)/busu ## build busu and run it with stores of its own: API, worker, aggregator, dashboard
	@exec $(BIN)/busu up

build: $(BIN)/busu ## build all commands into .local/bin
	CGO_ENABLED=0 $(GO) build $(FLAGS) -o $(BIN)/ ./cmd/...

$(BIN)/busu: $(SOURCES)
	@echo "building busu (about a minute the first time)" >&2
	@mkdir -p $(BIN)
	@CGO_ENABLED=0 $(GO) build $(FLAGS) -o $@ ./cmd/busu

test: ## run all tests against a real PostgreSQL and Redis, which it brings along
	@$(if $(RACE),,echo "no C compiler: the race detector stays off" >&2)
	$(GO) run ./internal/storetest/withstores -- $(GO) test $(RACE) -timeout 20m ./...

e2e: ## hold busu against the unmodified clients of OpenAI, Anthropic and Vercel, and against Chromium, which it fetches
	cd e2e && $(GO) test -count=1 -timeout 20m ./...

screenshots: ## take pictures of every page and state into .local/screenshots, and those that documents show into docs/screenshots
	cd e2e && GOFLAGS="$$GOFLAGS $(STAMP)" $(GO) test -count=1 -timeout 20m ./browser -run 'TestPages/' -pictures ../../.local/screenshots

check: ## formatting, vet, staticcheck, tidy and verified modules, alerts
	@unformatted=$$(gofmt -l cmd internal schema examples bench e2e deploy); test -z "$$unformatted" || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	$(GO) vet ./...
	cd e2e && $(GO) vet ./... && $(GO) mod tidy -diff
	cd bench && $(GO) vet ./... && $(GO) mod tidy -diff
	cd deploy && $(GO) vet ./... && $(GO) mod tidy -diff
	GOOS=darwin $(GO) vet ./internal/localstack ./internal/journal ./internal/flock
	$(GO) mod tidy -diff && $(GO) mod verify
	$(GO) tool -modfile=tools/go.mod staticcheck ./...
	@if command -v promtool >/dev/null 2>&1; then promtool check rules deploy/prometheus/alerts.yaml && promtool test rules deploy/prometheus/alerts_test.yaml; \
	else echo "no promtool: the alerts are not tried (Debian's package prometheus has it)" >&2; fi

shipping: ## render the chart, and hold it, the compose files, the units and the release's configuration against the code
	cd deploy && $(GO) test -count=1 ./... # for what it reads lies outside of its module

security: ## gosec, and govulncheck where its database can be reached
	$(GO) tool -modfile=tools/go.mod gosec -quiet -exclude-generated $(GOSEC_EXCEPT) ./cmd/... ./internal/... ./schema/...
	@said=$$($(GO) tool -modfile=tools/go.mod govulncheck ./... 2>&1); code=$$?; echo "$$said"; \
	case "$$said" in *"fetching vulnerabilities"*) echo "the vulnerability database cannot be reached: nothing is said of known vulnerabilities" >&2;; *) exit $$code;; esac

IMAGE_FILES := Dockerfile docker-compose.yml docker-compose.scale.yml

pin-images: ## pin the images of Dockerfile and compose files by digest, or renew the digests (needs docker and the registries)
	@docker buildx version >/dev/null 2>&1 || { echo "no docker with buildx: digests can only be asked of the registries, by docker buildx imagetools inspect IMAGE" >&2; exit 1; }
	@for image in $$(sed -nE 's/^(FROM|[[:space:]]+image:) ([^ @$$]+[:][^ @$$]+)(@sha256:[0-9a-f]+)?( AS .*)?$$/\2/p' $(IMAGE_FILES) | sort -u); do \
		digest=$$(docker buildx imagetools inspect "$$image" --format '{{.Manifest.Digest}}') || exit 1; \
		case "$$digest" in sha256:*) ;; *) echo "$$image: no digest: $$digest" >&2; exit 1;; esac; \
		sed -i -E "s|^(FROM\|[[:space:]]+image:) $$image(@sha256:[0-9a-f]+)?( AS .*)?$$|\1 $$image@$$digest\3|" $(IMAGE_FILES) && echo "$$image@$$digest"; done

sbom: build ## list what is in each command (CycloneDX) into .local/sbom
	@mkdir -p .local/sbom
	@for name in busu api worker aggregator; do \
		$(GO) tool -modfile=tools/go.mod cyclonedx-gomod bin -json -std -noserial -output .local/sbom/$$name.cdx.json $(BIN)/$$name || exit 1; done

manual: $(BIN)/busu ## write the page for man and the completions of shells into .local/manual
	@mkdir -p .local/manual/completions
	@$(BIN)/busu man > .local/manual/busu.1
	@for shell in bash zsh fish; do $(BIN)/busu completion $$shell > .local/manual/completions/busu.$$shell || exit 1; done

release-check: ## hold .goreleaser.yaml against goreleaser, which it builds (minutes, the first time)
	$(GO) run github.com/goreleaser/goreleaser/v2@v2.16.0 check

reproducible: ## build twice, in folders of different names and lengths, and compare
	@a=$$(mktemp -d) && b=$$(mktemp -d)/another/place && mkdir -p $$b && for dir in $$a $$b; do \
		cp -R go.mod go.sum cmd internal schema $$dir && (cd $$dir && CGO_ENABLED=0 $(GO) build $(FLAGS) -buildvcs=false -o out/ ./cmd/...) || exit 1; done; \
	(cd $$a/out && sha256sum *) | tee $$a/sums && (cd $$b/out && sha256sum -c --quiet $$a/sums) && echo "the same, bit for bit"; code=$$?; rm -rf $$a $${b%/another/place}; exit $$code

fuzz: ## fuzz every decoder for a while (FUZZTIME=30s each)
	@for pair in $$(grep -rl --include='*_test.go' '^func Fuzz' internal | while read f; do \
		grep -o '^func Fuzz[A-Za-z0-9]*' $$f | sed "s|^func |$$(dirname $$f):|"; done); do \
		$(GO) test ./$${pair%%:*} -run '^$$' -fuzz "^$${pair##*:}\$$" -fuzztime $${FUZZTIME:-30s} -fuzzminimizetime 20x || exit 1; \
	done

fuzz-api: ## send busu 100,000 requests of all kinds (REQUESTS=, SEED=) by everybody, and hold every answer against openapi.yaml (about 10 minutes)
	$(GO) run ./internal/storetest/withstores -- $(GO) test ./internal/app -run '^TestAPIUnderFuzz$$' -count=1 -timeout 2h -v \
		-args -fuzz-requests $${REQUESTS:-100000} -fuzz-seed $${SEED:-1} -fuzz-report $(CURDIR)/.local/api-fuzz.md

chaos: ## kill processes and stores under load, a hundred times for each way Redis can write, and report (about 10 minutes)
	$(GO) run ./internal/chaos/run -out docs/reliability.md $(CHAOS)

bench: ## measure busu with everything on beside bare proxies and peers (about 15 minutes; BENCH=-quick for one) into docs/
	cd bench && $(GO) run ./cmd/performance -out ../docs/performance.md -plot ../docs/performance.svg $(BENCH)

bench-pipeline: ## measure the pipeline beside its limits and peers (about 7 minutes) into docs/
	cd bench && $(GO) run ./cmd/pipeline -out ../docs/pipeline-benchmark.md

bench-answers: ## measure what callers get, streams, cached answers, floods, added latency (about 6 minutes) into docs/
	cd bench && $(GO) run ./cmd/answers -out ../docs/answers-benchmark.md

bench-history: ## fill a database (ROWS=500000; kept and used again in DIR) and measure history and the request explorer into docs/
	cd bench && $(GO) run ./cmd/history -rows $${ROWS:-500000} -asks $${ASKS:-200} -dir "$${DIR:-}" -out ../docs/history-benchmark.md

bench-growth: ## fill one database on over SIZES (100000,300000,1000000,3000000) and measure how figures grow, into docs/ (about 5 minutes a million)
	cd bench && $(GO) run ./cmd/history -grow $${SIZES:-100000,300000,1000000,3000000} -asks $${ASKS:-200} -dir "$${DIR:-}" \
		-beside ../docs/history-benchmark.md -out ../docs/growth.md -plot ../docs/growth.svg

bench-live: ## measure live metrics under 5,000 listeners and 1,000 requests a second into docs/
	cd bench && $(GO) run ./cmd/live -out ../docs/live-benchmark.md

bench-experiments: ## judge an experiment of a million users and read its results (about 5 minutes) into docs/
	cd bench && $(GO) run ./cmd/experiments -users $${USERS:-1000000} -out ../docs/experiments-benchmark.md

bench-scale: ## measure three API processes, two workers and a Redis Cluster beside one of each on the same cores (about 3 minutes) into docs/scale.md
	$(GO) run ./internal/storetest/withstores -- $(GO) test ./internal/app -run '^TestScaledOut$$' -count=1 -timeout 20m -v \
		-args -scale-for 10s -scale-rounds 5 -scale-report $(CURDIR)/docs/scale.md

soak: ## answer at SHARE=.6 of the limit FOR=2h, and say which memory, goroutines, connections, streams grow (the disk takes 1 to 2 KB a request) into docs/
	cd bench && $(GO) run ./cmd/soak -for $${FOR:-2h} -share $${SHARE:-.6} -out ../docs/soak.md -plot ../docs/soak.svg $(SOAK)

rolling: ## restart every process under 500 requests a second (RATE=), three times (ROUNDS=), and hold that each was answered and stored once (2 minutes)
	$(GO) run ./internal/storetest/withstores -- $(GO) test ./internal/app -run '^TestRollingRestart$$' -count=1 -timeout 30m -v \
		-args -rolling-rate $${RATE:-500} -rolling-rounds $${ROUNDS:-3}

simulate: ## simulate the pipeline at up to 1,000,000 requests a second with what the benchmarks measured, into docs/scale.md
	$(GO) run ./internal/simulate/run -out docs/scale.md

clean: ## remove what was built and the private stores, with their data
	rm -rf .local
