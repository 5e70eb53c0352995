#!/bin/sh
# The peer of './run bench jobs' into build/bullmq, by the lockfile. Says its folder.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
TO=$(cd "$HERE/../../.." && pwd)/build/bullmq
mkdir -p "$TO"
cp "$HERE/package.json" "$HERE/package-lock.json" "$HERE/peer.js" "$TO/"
if [ ! -d "$TO/node_modules/bullmq" ] || ! cmp -s "$HERE/package-lock.json" "$TO/.installed"; then
    (cd "$TO" && npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1) ||
        { tail -5 "$TO/npm.log" >&2; echo "the peer could not be installed ($TO/npm.log)" >&2; exit 1; }
    cp "$HERE/package-lock.json" "$TO/.installed"
fi
echo "$TO"
