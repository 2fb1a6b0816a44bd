#!/usr/bin/env bash
# Runs every fuzz target for a while: fuzz.sh 30s. What it finds is kept in the package's testdata/fuzz,
# where "go test" runs it again for ever.
set -euo pipefail
cd "$(dirname "$0")/.."
for_each=${1:-10s}
grep -rn --include='*_test.go' '^func Fuzz' . | sed -E 's|^(.*)/[^/]*:[0-9]+:func (Fuzz[A-Za-z0-9_]*).*|\1 \2|' | sort | while read -r package target; do
    printf '\n== %s in %s, %s\n' "$target" "$package" "$for_each"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$for_each" "$package"
done
