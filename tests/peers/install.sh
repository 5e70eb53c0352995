#!/bin/sh
# The providers' own clients into build/peers, by the lockfile. Says their folder.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
TO=$(cd "$HERE/../.." && pwd)/build/peers
mkdir -p "$TO"
cp "$HERE/package.json" "$HERE/package-lock.json" "$HERE/clients.js" "$TO/"
if [ ! -d "$TO/node_modules/twilio" ] || ! cmp -s "$HERE/package-lock.json" "$TO/.installed"; then
    (cd "$TO" && timeout 240 npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1) ||
        { tail -5 "$TO/npm.log" >&2; echo "the providers' clients could not be installed ($TO/npm.log)" >&2; exit 1; }
    cp "$HERE/package-lock.json" "$TO/.installed"
fi
echo "$TO"
