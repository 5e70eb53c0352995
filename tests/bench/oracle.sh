#!/bin/sh
# oracle.sh [--full]: the gate beside the oracle on a million random cases (ten with --full),
# of 120,000 the next allowed instant (20,000 have one), 1,000 of these by every minute before it.
# One JSON line.
set -eu
n=1000000
[ "${1:-}" != --full ] || n=10000000
here=$(cd "$(dirname "$0")" && pwd)
began=$(date +%s)
if said=$(PYTHONTZPATH=/usr/share/zoneinfo /usr/bin/python3 "$here/../oracle/compare.py" \
    "$FURROW_BUILD/bin/furrow" --cases $n --next 120000 --minutes 1000 --seed "$(date +%j)" 2>&1); then held=true; else held=false; fi
printf '%s\n' "$said" >&2
printf '{"bench":"oracle","cases":%d,"agree":%s,"seconds":%d}\n' $n $held $(($(date +%s) - began))
[ $held = true ]
