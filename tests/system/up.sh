#!/bin/sh
# furrow up: private servers come up, keep their data over a restart, come back when
# killed, and nothing is left running after Ctrl-C.
set -eu
dir=$(mktemp -d /tmp/furrow-up-XXXXXX)
chmod 755 "$dir"
up=
cleanup() {
    [ -z "$up" ] || kill -INT "$up" 2>/dev/null || true
    [ -z "$up" ] || wait "$up" 2>/dev/null || true
    rm -rf "$dir"
}
trap cleanup EXIT

fail() { echo "FAILED: $*" >&2; cat "$dir/up.log" >&2; exit 1; }
wait_until() { # wait_until WHAT COMMAND…: polls for at most 30 s
    what=$1; shift
    n=0
    until "$@" >/dev/null 2>&1; do
        n=$((n + 1))
        [ $n -lt 300 ] || fail "timed out: $what"
        timeout 0.1 tail -f /dev/null || true
    done
}
start() {
    unset DATABASE_URL REDIS_URL # else they would count as servers of the user's own
    rm -f "$dir/ready"
    "$FURROW_BUILD/bin/furrow" up --dir "$dir/data" --databases-only --ready-file "$dir/ready" \
        >"$dir/up.log" 2>&1 &
    up=$!
    wait_until "ready" test -f "$dir/ready"
    . "$dir/ready"
}
stop() {
    kill -INT "$up"
    wait "$up" || fail "exit code $? after Ctrl-C"
    up=
}
running() { pgrep -f "$dir/data" || true; }

start
psql "$DATABASE_URL" -qc "INSERT INTO tenants (name) VALUES ('kept')"
"$FURROW_BUILD/bin/furrow" up --dir "$dir/data" --databases-only >"$dir/second.log" 2>&1 &&
    fail "a second up in the same directory started"
grep -q 'already runs' "$dir/second.log" || fail "the second up did not say why"
if [ "$(id -u)" = 0 ]; then
    owner=$(ps -o user= -p "$(head -1 "$dir/data/postgres/postmaster.pid")")
    [ "$owner" != root ] || fail "postgres runs as root"
    for shared in media prompts slots uploads; do
        [ "$(stat -c %U "$dir/data/$shared")" = "$owner" ] || fail "our programs cannot write to $shared"
    done
fi
kill -9 "$(head -1 "$dir/data/postgres/postmaster.pid")"
wait_until "postgres comes back" psql "$DATABASE_URL" -qc 'SELECT 1'
stop
[ -z "$(running)" ] || fail "left running: $(running)"
start
[ "$(psql "$DATABASE_URL" -Atc "SELECT count(*) FROM tenants WHERE name = 'kept'")" = 1 ] ||
    fail "data was lost over a restart"
[ "$(redis-cli -s "${REDIS_URL#unix://}" ping)" = PONG ] || fail "redis does not answer"
stop
[ -z "$(running)" ] || fail "left running: $(running)"
echo ok
