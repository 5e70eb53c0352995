#!/bin/sh
# demo.sh [--seed N]: the whole demo twice with one seed; the second table must be the first.
# One JSON line; exit 1 and the difference when they differ.
set -eu
seed=1
while [ $# -gt 0 ]; do
    case $1 in
    --seed) seed=${2:?} && shift 2 ;;
    *) echo 'usage: demo [--seed N]' >&2; exit 2 ;;
    esac
done
. "$(dirname "$0")/../lib.sh"
began=$(date +%s)
for run in first second; do
    FURROW_DEMO_DIR=$T/$run "$FURROW_SOURCE/deploy/demo/demo.sh" --keep --seed "$seed" >"$T/log/$run" 2>&1 ||
        fail "the demo"
done
same=true
diff "$T/first/table.txt" "$T/second/table.txt" >&2 || same=false
printf '{"bench":"demo","seed":%d,"same_table":%s,"seconds_of_both":%d}\n' "$seed" $same $(($(date +%s) - began))
[ $same = true ]
