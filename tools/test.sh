#!/usr/bin/env bash
# Everything that has to hold before a change goes in, the quickest to fail first. It stops at the first
# step that fails and says how long each one took. "make test" runs it, and so does CI.
set -euo pipefail
cd "$(dirname "$0")/.."

# The packages whose goroutines meet: they run under the race detector as well.
raced=(. ./internal/ingest/... ./internal/deliver/... ./internal/store/...)

step() { # step NAME COMMAND...
    local name=$1 begun=$SECONDS
    shift
    printf '\n== %s: %s\n' "$name" "$*"
    if ! "$@"; then
        printf '== %s FAILED after %d s\n' "$name" $((SECONDS - begun)) >&2
        exit 1
    fi
    printf '== %s: %d s\n' "$name" $((SECONDS - begun))
}

formatted() {
    local files
    files=$(find . -name '*.go' -not -path '*/node_modules/*' -not -path '*/testdata/*' -exec gofmt -l {} +)
    if [ -n "$files" ]; then
        printf 'not formatted; "make format" mends it:\n%s\n' "$files" >&2
        return 1
    fi
}

step prepare bash tools/prepare.sh
step format formatted
step laws go test -count=1 ./internal/archtest
step vet go vet ./...
step staticcheck go tool -modfile=tools/go.mod staticcheck ./...
# Tests that are marked parallel wait for real programs and for time limits more than they compute.
step test go test -count=1 -timeout 8m -parallel 8 ./...
step race env CGO_ENABLED=1 go test -race -count=1 -timeout 8m "${raced[@]}"
printf '\nAll of it holds, after %d s.\n' "$SECONDS"
