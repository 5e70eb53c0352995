#!/bin/sh
# crash.sh [--instants N] [--seed S] [--process NAME]: for each process a campaign on a real
# Asterisk, in which it is killed -9 at N (20) seeded instants; one JSON line a process, exit 1
# when any promise broke. First the model of the attempt protocol with larger bounds.
set -eu
instants=20
seed=1
processes='dialer worker server redis postgres asterisk'
while [ $# -gt 0 ]; do
    case $1 in
    --instants) instants=${2:?} && shift 2 ;;
    --seed) seed=${2:?} && shift 2 ;;
    --process) processes=${2:?} && shift 2 ;;
    *) echo 'usage: crash [--instants N] [--seed S] [--process NAME]' >&2; exit 2 ;;
    esac
done
here=$(cd "$(dirname "$0")" && pwd)
code=0
began=$(date +%s)
if said=$("$here/../model/attempt.sh" "$FURROW_BUILD/tests/model_moves" 3 2 2 2>&1); then held=true; else held=false code=1; fi
printf '%s\n' "$said" >&2
printf '{"bench":"crash","model":"attempt","deaths":3,"losses":2,"flushes":2,"held":%s,"seconds":%d}\n' $held $(($(date +%s) - began))
for process in $processes; do
    deaths=
    for _ in $(seq "$instants"); do deaths="$deaths $process"; done
    began=$(date +%s)
    # shellcheck disable=SC2086 # one word a death
    if said=$("$here/../crash/kill_one.sh" "$seed" $deaths 2>&1); then held=true; else held=false code=1; fi
    printf '%s\n' "$said" | tail -40 >&2
    printf '{"bench":"crash","process":"%s","seed":%d,"instants":%d,"held":%s,"seconds":%d}\n' \
        "$process" "$seed" "$instants" $held $(($(date +%s) - began))
done
exit $code
