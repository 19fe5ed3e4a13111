# Run `make` for the list of targets.

GO       ?= go
FUZZTIME ?= 10s
RACETIME ?= 20m
SEEDS    ?= 20
BIN      := bin

.DEFAULT_GOAL := help
.PHONY: help check test race fuzz cases bench demo tools build clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' \
		$(MAKEFILE_LIST)

check: ## what must hold before a change goes in: format, vet, lint, layout, modules
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then \
		echo "not formatted, run gofmt -w:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) mod verify
	$(GO) test ./cmd/layout
	@if command -v golangci-lint >/dev/null; then golangci-lint run ./...; \
		else echo "golangci-lint is not installed, skipped; make tools installs it"; fi

test: ## all tests
	$(GO) test ./...

race: ## all tests under the race detector, in random order
	$(GO) test -race -shuffle=on -timeout $(RACETIME) ./...

fuzz: ## each fuzz target for FUZZTIME (default 10s)
	@grep -rl --include='*_test.go' '^func Fuzz' . | while read -r file; do \
		sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(.*/\1/p' "$$file" | while read -r target; do \
			echo "$$target in $$(dirname "$$file")"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) \
				"$$(dirname "$$file")" || exit 1; \
		done || exit 1; \
	done

cases: build ## the pipeline tests of testdata/cases, under SEEDS interleavings (default 20)
	@for seed in $$(seq 0 $(SEEDS)); do \
		$(BIN)/tideline test --shuffle-seed "$$seed" testdata/cases/*/ || exit 1; done

bench: ## the benchmarks: cmd/bench is the main job, the others its parts
	$(GO) test -p 1 -timeout 60m -run '^$$' -bench . -benchtime 3x ./cmd/bench
	$(GO) test -p 1 -timeout 60m -run '^$$' -bench . -benchmem ./timeline/... ./processors/... ./views/...

demo: ## the demo on the embedded broker
	$(GO) run ./cmd/tideline demo

build: ## bin/tideline
	$(GO) build -trimpath -o $(BIN)/tideline ./cmd/tideline

tools: ## install the linter that check uses
	$(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.10.1

clean: ## remove what was built
	rm -rf $(BIN)
