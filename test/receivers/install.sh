#!/usr/bin/env bash
# Makes sure that what the receivers run on is here: Node's packages of package.json, Flask, Sinatra and
# PHP. It changes nothing when all of it is. What is missing comes from Debian's packages (as root) and
# from npm, in the versions of package-lock.json.
set -euo pipefail
cd "$(dirname "$0")"

fail() {
    echo "receivers: $*" >&2
    exit 1
}

missing=()
command -v node >/dev/null && command -v npm >/dev/null || missing+=(nodejs npm)
/usr/bin/python3 -c 'import flask' 2>/dev/null || python3 -c 'import flask' 2>/dev/null || missing+=(python3-flask)
ruby -e 'require "sinatra/base"; require "webrick"' 2>/dev/null || missing+=(ruby-sinatra ruby-webrick)
command -v php >/dev/null || missing+=(php-cli)
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "these Debian packages are missing: ${missing[*]}. Install them as root and try again."
    fi
    echo "receivers: installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null || fail "apt-get cannot install: ${missing[*]}"
fi

# npm writes this file at the end of an installation: when it is older than the lock, something is due.
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    echo "receivers: installing Node's packages"
    npm ci --silent --no-audit --no-fund || fail "npm cannot install the packages of test/receivers/package-lock.json."
    touch node_modules/.package-lock.json
fi
