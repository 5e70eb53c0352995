#!/bin/sh
# webhooks.sh [--seconds N] [--rounds N] [--ours]: calls at a provider as signed webhooks, an answer and a key each, over 64 connections: how many
# a second furrow-server does, each step on the disk before its answer leaves, beside the same job done by Flask under gunicorn (2 workers of 4 threads, redis,
# psycopg2, Debian's packages), which waits for no disk. JSON lines; exit 1 below 8 times the peer or over 10 ms at p99.
set -eu
seconds=15 rounds=2 ours=
while [ $# -gt 0 ]; do
    case $1 in
    --seconds) seconds=${2:?} && shift 2 ;;
    --rounds) rounds=${2:?} && shift 2 ;;
    --ours) ours=yes && shift ;;
    *) echo 'usage: webhooks [--seconds N] [--rounds N] [--ours]' >&2; exit 2 ;;
    esac
done
. "$(dirname "$0")/../lib.sh"
. "$FURROW_SOURCE/tests/webhook_server.sh"
LOAD=$FURROW_BUILD/tests/webhook_load
export FURROW_LOG_LEVEL=warn PG_FSYNC=on
pg_start
redis_start
webhook_server ${SERVER_ENV:-}
peer() {
    export PEER_TOKEN=tok
    /usr/bin/python3 "$FURROW_SOURCE/tests/bench/flask/peer.py" >>"$T/log/peer.log" 2>&1 || fail "the peer's packages are missing: './run deps'"
    PEER_PORT=$(free_port)
    start peer /usr/bin/gunicorn --chdir "$FURROW_SOURCE/tests/bench/flask" -w 2 --threads 4 --keep-alive 60 --log-level warning \
        -b "127.0.0.1:$PEER_PORT" peer:app
    wait_for 30 "the peer listens" curl -s -o /dev/null "http://127.0.0.1:$PEER_PORT/"
}
[ -n "$ours" ] || peer
field() { python3 -c 'import json, sys
print(json.loads(open(sys.argv[1]).readlines()[-1])[sys.argv[2]])' "$1" "$2"; }
code=0 round=0
: >"$T/answered" >"$T/finished"
while [ "$round" -lt "$rounds" ]; do
    if [ -z "$ours" ]; then
        "$LOAD" --name flask --port "$PEER_PORT" --path /voice --token tok --seconds "$seconds" --warm-up 2 --first $((round * 10000000)) >"$T/flask.$round" ||
            fail "the peer: $(cat "$T/flask.$round")"
        cat "$T/flask.$round"
    fi
    "$LOAD" --name furrow --port "$PORT" --path "$HOOK" --token tok --seconds "$seconds" --warm-up 2 --first $((round * 10000000)) \
        --repeat 100 --answered "$T/a" --finished "$T/f" >"$T/furrow.$round" || code=1
    cat "$T/furrow.$round"
    cat "$T/a" >>"$T/answered"
    cat "$T/f" >>"$T/finished"
    round=$((round + 1))
done
exactly_once "$T/answered" "$T/finished"
[ "$LOST" = 0 ] && [ "$DOUBLED" = 0 ] || code=1
printf '{"bench":"webhooks","of":"furrow","accepted":%d,"lost":%d,"doubled":%d}\n' "$(cat "$T/answered" "$T/finished" | wc -l)" "$LOST" "$DOUBLED"
[ -n "$ours" ] && exit $code
python3 - "$T" "$rounds" <<'PY' || code=1
import json, statistics, sys
def all_of(name, what):
    return statistics.median(json.loads(open("%s/%s.%d" % (sys.argv[1], name, i)).readlines()[-1])[what] for i in range(int(sys.argv[2])))
ours, peer, p99 = all_of("furrow", "per_s"), all_of("flask", "per_s"), all_of("furrow", "p99_ms")
times = round(ours / peer, 1)
print(json.dumps({"bench": "webhooks", "furrow_per_s": ours, "flask_per_s": peer, "times": times, "p99_ms": p99, "required_times": 8, "required_p99_ms": 10}))
sys.exit(0 if times >= 8 and p99 <= 10 else 1)
PY
exit $code
