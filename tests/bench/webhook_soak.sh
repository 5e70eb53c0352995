#!/bin/sh
# webhook_soak.sh [--minutes N] [--rate WEBHOOKS_A_SECOND]: calls at a provider as signed webhooks at a steady rate (1000 for 10 minutes), every
# hundredth told twice, over 64 connections; memory at each minute as JSON lines. Exit 1 when one was lost or doubled, answered otherwise than it should be, or
# memory grew by more than a quarter after the first minute.
set -eu
minutes=10 rate=1000
while [ $# -gt 0 ]; do
    case $1 in
    --minutes) minutes=${2:?} && shift 2 ;;
    --rate) rate=${2:?} && shift 2 ;;
    *) echo 'usage: webhook_soak [--minutes N] [--rate WEBHOOKS_A_SECOND]' >&2; exit 2 ;;
    esac
done
. "$(dirname "$0")/../lib.sh"
. "$FURROW_SOURCE/tests/webhook_server.sh"
export FURROW_LOG_LEVEL=warn PG_FSYNC=on
pg_start
redis_start
webhook_server
rss_kb() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(pid_of server)/status"; }
code=0 minute=0 first=
: >"$T/answered" >"$T/finished"
while [ "$minute" -lt "$minutes" ]; do
    "$FURROW_BUILD/tests/webhook_load" --name soak --port "$PORT" --path "$HOOK" --token tok --rate "$rate" --seconds 60 --repeat 100 \
        --first $((minute * 10000000)) --answered "$T/a" --finished "$T/f" >"$T/said" || code=1
    cat "$T/a" >>"$T/answered"
    cat "$T/f" >>"$T/finished"
    alive server || fail "the server is gone"
    minute=$((minute + 1))
    [ -n "$first" ] || first=$(rss_kb)
    python3 -c 'import json, sys
line = json.loads(open(sys.argv[1]).readlines()[-1])
line.update(minute=int(sys.argv[2]), rss_kb=int(sys.argv[3]))
print(json.dumps(line), flush=True)
sys.exit(1 if line["sorry"] or line["shed"] else 0)' "$T/said" "$minute" "$(rss_kb)" || code=1
done
[ "$(rss_kb)" -le $((first + first / 4)) ] || code=1
exactly_once "$T/answered" "$T/finished"
[ "$LOST" = 0 ] && [ "$DOUBLED" = 0 ] || code=1
printf '{"bench":"webhook_soak","minutes":%d,"rate":%d,"accepted":%d,"lost":%d,"doubled":%d,"rss_kb_after_1_min":%d,"rss_kb":%d}\n' "$minutes" "$rate" \
    "$(cat "$T/answered" "$T/finished" | wc -l)" "$LOST" "$DOUBLED" "$first" "$(rss_kb)"
exit $code
