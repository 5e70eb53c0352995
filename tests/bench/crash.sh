#!/bin/sh
# crash.sh [--rounds N] [--process NAME]: kill -9 of each process at N (20) seeded instants of a
# running campaign on a real Asterisk; one JSON line a round, exit 1 when any promise broke.
set -eu
rounds=20
processes='dialer worker server redis postgres asterisk'
while [ $# -gt 0 ]; do
    case $1 in
    --rounds) rounds=${2:?} && shift 2 ;;
    --process) processes=${2:?} && shift 2 ;;
    *) echo 'usage: crash [--rounds N] [--process NAME]' >&2; exit 2 ;;
    esac
done
here=$(cd "$(dirname "$0")" && pwd)
code=0
for process in $processes; do
    seed=1
    while [ $seed -le "$rounds" ]; do
        began=$(date +%s)
        if said=$("$here/../crash/kill_one.sh" $seed "$process" 2>&1); then held=true; else held=false code=1; fi
        [ $held = true ] || printf '%s\n' "$said" >&2
        printf '{"bench":"crash","process":"%s","seed":%d,"held":%s,"seconds":%d}\n' "$process" $seed $held $(($(date +%s) - began))
        seed=$((seed + 1))
    done
done
exit $code
