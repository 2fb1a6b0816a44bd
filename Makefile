# Postrider. "make help" lists what can be made; "make demo" and "make test" are enough to begin with.

.DEFAULT_GOAL := help
.PHONY: help build cross demo test race bench fuzz format clean

FUZZTIME ?= 10s

# The program tells the commit that it was built from as its version: Go stamps it in where git can be asked.
stamp := $(shell git status --porcelain >/dev/null 2>&1 && echo true || echo false)

build: ## build bin/postrider: one static file
	CGO_ENABLED=0 go build -trimpath -buildvcs=$(stamp) -o bin/postrider ./cmd/postrider

demo: build ## build it, start it with a receiver for every contract, and show what happens (ARGS=--once ends by itself)
	bin/postrider demo $(ARGS)

test: ## all that CI does: formatting, laws, vet, staticcheck, tests, race detector; installs what they need
	bash tools/test.sh

race: ## the tests of the root package, ingest, deliver and the stores under the race detector
	CGO_ENABLED=1 go test -race -count=1 -timeout 8m . ./internal/ingest/... ./internal/deliver/... ./internal/store/...

cross: ## see that it builds for macOS too
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 go build -o /dev/null ./cmd/postrider

bench: build ## the product against a relay that keeps nothing, in one run, as ratios (ARGS="--help" for options)
	bin/postrider bench $(ARGS)

fuzz: ## every fuzz target for FUZZTIME (10s)
	bash tools/fuzz.sh $(FUZZTIME)

format: ## format the Go files
	go tool -modfile=tools/go.mod gofumpt -w .

clean: ## remove what was built
	rm -rf bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
