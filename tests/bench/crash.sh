#!/bin/sh
# crash.sh [--rounds N] [--instants N] [--seed S] [--process NAME]: the model of the attempt
# protocol with larger bounds; N (1000) seeded rounds in which everything fails at once
# (tests/crash/rounds), and a tenth as many over a provider; on a real Asterisk the windows of a dialer's death and, for each process,
# a campaign in which it is killed -9 at N (20) seeded instants. One JSON line each, exit 1 when
# any promise broke. --rounds 0 and --instants 0 leave those out.
set -eu
instants=20
rounds=1000
seed=1
processes='dialer worker server redis postgres asterisk'
while [ $# -gt 0 ]; do
    case $1 in
    --rounds) rounds=${2:?} && shift 2 ;;
    --instants) instants=${2:?} && shift 2 ;;
    --seed) seed=${2:?} && shift 2 ;;
    --process) processes=${2:?} && shift 2 ;;
    *) echo 'usage: crash [--rounds N] [--instants N] [--seed S] [--process NAME]' >&2; exit 2 ;;
    esac
done
here=$(cd "$(dirname "$0")" && pwd)
code=0
began=$(date +%s)
if said=$("$here/../model/attempt.sh" "$FURROW_BUILD/tests/model_moves" 3 2 2 2>&1); then held=true; else held=false code=1; fi
printf '%s\n' "$said" >&2
printf '{"bench":"crash","model":"attempt","deaths":3,"losses":2,"flushes":2,"held":%s,"seconds":%d}\n' $held $(($(date +%s) - began))
if [ "$rounds" -gt 0 ]; then
    "$here/../crash/rounds" --rounds "$rounds" --seed "$seed" --long --json || code=1
    "$here/../crash/rounds" --rounds $(((rounds + 9) / 10)) --seed "$seed" --long --provider --json || code=1
fi
[ "$instants" -gt 0 ] || exit $code
began=$(date +%s)
if said=$("$here/../crash/dialer_windows.sh" 2>&1); then held=true; else held=false code=1; fi
printf '%s\n' "$said" | tail -40 >&2
printf '{"bench":"crash","process":"dialer","windows":true,"held":%s,"seconds":%d}\n' $held $(($(date +%s) - began))
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
