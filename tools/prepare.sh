#!/usr/bin/env bash
# Makes sure that the programs which the tests need are here: Go, a C compiler (the race detector links
# with cgo) and Node (receivers in another language, and the runner of a Postman collection). What is
# missing is installed where that is possible, which is on Debian and Ubuntu as root; elsewhere it is named.
set -euo pipefail
cd "$(dirname "$0")/.."

has() { command -v "$1" >/dev/null 2>&1; }

if ! has go; then
    echo "prepare: go is not here. Install Go $(sed -n 's/^go //p' go.mod) or later from https://go.dev/dl/ and put it on PATH." >&2
    exit 1
fi

missing=()
has git || missing+=(git)
has gcc || missing+=(gcc libc6-dev)
has node || missing+=(nodejs)
has npm || missing+=(npm)

if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ] || ! has apt-get; then
        echo "prepare: the tests need what these Debian packages hold: ${missing[*]}. Install them and try again." >&2
        exit 1
    fi
    echo "prepare: installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends "${missing[@]}" ca-certificates >/dev/null
fi

for install in test/receivers/install.sh test/newman/install.sh; do
    if [ -e "$install" ]; then
        bash "$install"
    fi
done
