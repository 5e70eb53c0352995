#!/bin/sh
# Twenty seconds of calls at a provider, 500 webhooks a second where the machine is fast enough, every tenth of them told twice: what was accepted is in
# the database once, and memory does not grow. Nothing is said of the speed.
# Then the database is killed under them: what was answered is there.
. "$(dirname "$0")/../lib.sh"
. "$FURROW_SOURCE/tests/webhook_server.sh"
seconds=${SECONDS_OF_SOAK:-20}
export FURROW_LOG_LEVEL=warn
pg_start
redis_start
webhook_server ASAN_OPTIONS="${ASAN_OPTIONS:-}:quarantine_size_mb=8"
rss_kb() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(pid_of server)/status"; }
load() { # SECONDS FIRST
    "$FURROW_BUILD/tests/webhook_load" --port "$PORT" --path "$HOOK" --token tok --connections 32 --rate 500 --seconds "$1" --first "$2" --repeat 10 \
        --answered "$T/a$2" --finished "$T/f$2" >"$T/said" || fail "webhooks: $(cat "$T/said")"
}
load 4 0
before=$(rss_kb)
load $((seconds - 8)) 1000000
alive server || fail "the server is gone"
after=$(rss_kb)
cat "$T/a0" "$T/a1000000" >"$T/answered"
cat "$T/f0" "$T/f1000000" >"$T/finished"
[ -s "$T/finished" ] || fail "no call came to its end: $(cat "$T/said")"
exactly_once "$T/answered" "$T/finished"
check "lost" 0 "$LOST"
check "doubled" 0 "$DOUBLED"
# Half as much again, and what a sanitizer keeps back of freed memory.
[ "$after" -le $((before + before / 2 + 65536)) ] || fail "memory grew from $before to $after kB"
# The database is killed while they come: what was answered was on the disk before.
start killed "$FURROW_BUILD/tests/webhook_load" --port "$PORT" --path "$HOOK" --token tok --connections 32 --rate 500 --seconds 5 --first 2000000 \
    --answered "$T/answered" --finished "$T/finished"
wait_for 30 "they come" sql_is "SELECT count(*) > 100 FROM voice_sessions WHERE provider_call_id >= 'CA$(printf %032x 2000000)'" t
pg_kill
pg_start
wait_for 120 "the calls end" gone killed
grep -q '"failed":0,"broken":0' "$T/log/killed.log" || fail "answers while the database was away: $(cat "$T/log/killed.log")"
exactly_once "$T/answered" "$T/finished"
check "lost by a killed database" 0 "$LOST"
check "doubled by a killed database" 0 "$DOUBLED"
echo "ok: $(cat "$T/said")"
