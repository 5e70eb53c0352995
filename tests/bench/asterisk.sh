#!/bin/sh
# asterisk.sh [--cps N] [--seconds S]: calls out over a real Asterisk to SIPp, everything on
# this machine: each is answered after 200 ms, hears a prompt of one second and is hung up on;
# the ledger's Postgres syncs to disk. One JSON line: the rate held, what went wrong, and the
# processor time of each process over those seconds, in percent of one core.
cps=200
seconds=60
while [ $# -gt 0 ]; do
    case $1 in
    --cps) cps=${2:?} && shift 2 ;;
    --seconds) seconds=${2:?} && shift 2 ;;
    *) echo 'usage: asterisk [--cps N] [--seconds S]' >&2; exit 2 ;;
    esac
done
PG_FSYNC=on
. "$(dirname "$0")/../lib.sh"
RIG=$FURROW_SOURCE/tests/rig
. "$RIG/rig_lib.sh"
. "$RIG/stack_lib.sh"
command -v sipp >/dev/null || skip "SIPp is not installed: './run deps'"

people() {
    echo phone
    awk -v n=$((cps * (seconds + 15))) 'BEGIN { for (i = 0; i < n; i++) printf "+2519%08d\n", 10000000 + i }'
}
documents() {
    cat >"$T/hello.json" <<'JSON'
{"furrow": 1, "name": "hello", "language": "en", "languages": ["en"], "entry": "hello",
 "nodes": {"hello": {"kind": "say", "prompt": {"en": {"text": "Good day to you."}},
                     "exits": {"done": "end", "failed": "end"}}}}
JSON
    cat >"$T/campaign.json" <<'JSON'
{"name": "bench", "list": "people", "flow": "hello", "trunk": "rig", "windows": {"mon-sun": ["00:00-24:00"]},
 "close_guard_s": 0, "holidays": false, "ring_timeout_s": 10}
JSON
}
uas_answers() {
    (cd "$T" && start uas sipp -sf "$RIG/sipp/answering.xml" -i 127.0.0.1 -mi 127.0.0.1 -p "$RIG_UAS_PORT" \
        -nostdin -l 5000 -trace_stat -stf "$T/uas.csv" -fd 1)
    wait_for 20 "the called parties are there" uas_listens
}
# ticks NAME: of a process and its children that live, in clock ticks.
ticks() {
    for p in $1 $(pgrep -P "$1" | tr '\n' ' '); do
        sed 's/.*) //' "/proc/$p/stat" 2>/dev/null || true
    done | awk '{ t += $12 + $13 } END { print t + 0 }'
}
percent() { awk -v a="$1" -v b="$2" -v s="$seconds" -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%.1f", (b - a) * 100 / hz / s }'; }
begun() { sql "SELECT count(*) FROM attempts WHERE ringing_at IS NOT NULL"; }
have_begun() { [ "$(begun)" -ge "$1" ]; }

pg_start
redis_start
asterisk_start "$(sql 'SELECT id FROM installation')"
export FURROW_ARI_URL="$RIG_ARI_URL" FURROW_ARI_USER="$RIG_ARI_USER" FURROW_ARI_SECRET="$RIG_ARI_SECRET"
export FURROW_LOG_LEVEL=warn FURROW_MAX_RECORDING_BACKLOG=0
uas_answers
documents
people >"$T/people.csv"
{
    furrow contacts import "$T/people.csv" --list people --region ET
    furrow flow publish "$T/hello.json"
    furrow trunk add rig --kind ari --endpoint 'PJSIP/{number}@trunk' --cps "$cps" --max-channels 2000
    furrow campaign create "$T/campaign.json"
    furrow campaign start bench
} >>"$T/log/cli.log" 2>&1 || fail "the campaign"
asterisk=$(cat "$T/asterisk/pid")
dialer_start
wait_for 60 "calls begin" have_begun $((cps * 3))
names='dialer postgres redis uas asterisk'
pid_of_named() { [ "$1" = asterisk ] && echo "$asterisk" || pid_of "$1"; }
for n in $names; do eval "before_$n=$(ticks "$(pid_of_named "$n")")"; done
from=$(sql "SELECT extract(epoch FROM clock_timestamp())")
pause "$seconds"
to=$(sql "SELECT extract(epoch FROM clock_timestamp())")
for n in $names; do eval "after_$n=$(ticks "$(pid_of_named "$n")")"; done
pause 4
rate=$(sql "SELECT round(count(*) / ($to - $from), 1) FROM attempts WHERE ringing_at >= to_timestamp($from) AND ringing_at < to_timestamp($to)")
errors=$(sql "SELECT count(*) FROM attempts WHERE ringing_at >= to_timestamp($from) AND ringing_at < to_timestamp($to)
    AND (disposition IS DISTINCT FROM 'completed' OR answered_at IS NULL)")
withdrawn=$(sql "SELECT count(*) FROM attempts WHERE state = 'withdrawn'")
printf '{"bench":"asterisk","cps":%s,"seconds":%s,"rate":%s,"errors":%s,"withdrawn":%s,"cpu_percent":{' \
    "$cps" "$seconds" "$rate" "$errors" "$withdrawn"
sep=
for n in $names; do
    eval "b=\$before_$n a=\$after_$n"
    printf '%s"%s":%s' "$sep" "$n" "$(percent "$b" "$a")"
    sep=,
done
printf '}}\n'
