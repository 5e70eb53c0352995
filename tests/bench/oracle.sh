#!/bin/sh
# oracle.sh [--full]: the gate beside the oracle on a million random cases (ten with --full),
# 20,000 of them with the next allowed instant. One JSON line.
set -eu
n=1000000
[ "${1:-}" != --full ] || n=10000000
here=$(cd "$(dirname "$0")" && pwd)
began=$(date +%s)
if said=$(PYTHONTZPATH=/usr/share/zoneinfo /usr/bin/python3 "$here/../oracle/compare.py" \
    "$FURROW_BUILD/bin/furrow" --cases $n --next 20000 --seed "$(date +%j)" 2>&1); then held=true; else held=false; fi
printf '%s\n' "$said" >&2
printf '{"bench":"oracle","cases":%d,"agree":%s,"seconds":%d}\n' $n $held $(($(date +%s) - began))
[ $held = true ]
