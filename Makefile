# Needs Go, make and git; nothing else. `make` lists the targets.

GO       ?= go
BIN      := bin/console
VERSION  ?= $(or $(shell git describe --tags --always --dirty 2>/dev/null),dev)
FUZZTIME ?= 30s
BENCH    ?= .
ARGS     ?=
IMAGE    ?= correction-console

# The version is stamped by the linker, not by go's look into git, which fails in a
# checkout that belongs to somebody else.
export GOFLAGS := $(strip $(GOFLAGS) -buildvcs=false)
export CGO_ENABLED ?= 0
export GO FUZZTIME

.DEFAULT_GOAL := help
.PHONY: help demo run build generate fmt lint check test test-race test-browser test-crash test-crash-full test-faults-full test-model-full test-load-full fuzz bench cover screenshots docker clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' Makefile

demo: build ## Start the console with a built-in simulator and sample orders
	$(BIN) demo $(ARGS)

run: build ## Start the console with the settings of the environment (CONSOLE_…)
	$(BIN) serve $(ARGS)

build: ## Build bin/console, static and stripped
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BIN) ./cmd/console

generate: ## Generate Go from the templates
	$(GO) tool templ generate

fmt: ## Format Go and templates
	$(GO) tool templ fmt .
	scripts/check-format -w

lint: ## Vet and staticcheck
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) tool staticcheck -tags crashtest ./internal/store/sqlite ./cmd/console

check: ## Everything that is checked without running the tests: freshness, format, lint, imports, modules
	scripts/check-generated
	scripts/check-format
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) tool staticcheck -tags crashtest ./internal/store/sqlite ./cmd/console
	$(GO) test -count=1 ./internal/archtest
	$(GO) mod verify
	$(GO) mod tidy -diff

test: ## All tests, those in the browser included (installs Chromium on Debian when it may)
	scripts/test

test-race: ## All tests but those in the browser under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -short -timeout 30m $$($(GO) list ./... | grep -v /internal/browser)

test-browser: ## Only the tests in the browser
	$(GO) test -timeout 20m -count=1 ./internal/browser/...

test-crash: ## Kill the real program, at random and at each step, and compare with the truth (4 minutes)
	$(GO) test -v -timeout 20m -count=1 ./internal/crashtest

test-crash-full: ## The same with 10,000 kills and 4,800 crashes at a step (two hours)
	CRASH_KILLS=10000 CRASH_CELLS=20 $(GO) test -v -timeout 8h -count=1 ./internal/crashtest

test-disk-full: ## Everything that is tried with failing disks and restored copies (root, strace; an hour)
	CONSOLE_DISK_FULL=1 $(GO) test -count=1 -timeout 120m -v -run '^Test(SystemCalls|FullDisk|FullJournal|ReadOnlyDisk|LowDisk|Recover)' ./internal/disktest ./cmd/console

test-faults-full: ## The fault matrix with 6,000 calls, in virtual time (FAULTS_SEED=n repeats a run; 5 minutes)
	FAULTS_PER_CELL=100 $(GO) test -v -timeout 60m -count=1 -run '^Test(Faults|Failover)' ./internal/faulttest

test-model-full: ## The model test with 200,000 sequences (RAPID_SEED=n repeats a run; three hours)
	RAPID_CHECKS=100000 $(GO) test -v -timeout 12h -count=1 -run '^TestModel' ./internal/faulttest

test-load-full: ## People at work while others attack the real program (LOAD_SEED=n repeats a run; 15 minutes)
	LOAD_SECONDS=900 $(GO) test -v -timeout 40m -count=1 ./internal/loadtest

fuzz: ## Run every fuzz target for FUZZTIME (30s)
	scripts/fuzz

bench: ## Measure; ratios are printed by the benchmarks (BENCH=regexp)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 90m ./internal/bench/... ./internal/store/... ./internal/ledger/...

cover: ## Test coverage of all packages, in coverage.out
	$(GO) test -timeout 20m -coverpkg=./... -coverprofile=coverage.out ./...
	$(GO) tool cover -func=coverage.out | tail -n 1

screenshots: ## Pictures of the pages in screenshots/
	SCREENSHOTS='$(CURDIR)/screenshots' $(GO) test -count=1 -timeout 20m -run '^TestScreenshots' ./internal/browser/...

docker: ## Build the container image correction-console
	docker build --build-arg VERSION='$(VERSION)' -t '$(IMAGE):$(VERSION)' -t '$(IMAGE):latest' .

clean: ## Remove what was built
	rm -rf bin dist screenshots coverage.out
