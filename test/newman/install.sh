#!/usr/bin/env bash
# Makes sure that newman, which runs Postman collections, is here in the version of package-lock.json. It
# changes nothing when it is. tools/prepare.sh sees to Node and npm first.
set -euo pipefail
cd "$(dirname "$0")"

# npm writes this file at the end of an installation: when it is older than the lock, something is due.
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    echo "newman: installing Node's packages"
    npm ci --silent --no-audit --no-fund || {
        echo "newman: npm cannot install the packages of test/newman/package-lock.json." >&2
        exit 1
    }
    touch node_modules/.package-lock.json
fi
