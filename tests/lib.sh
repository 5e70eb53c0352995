# lib.sh - what every shell test shares; source it: . "$(dirname "$0")/../lib.sh"
#
# Gives $T, a temporary directory that is removed at the end together with every process
# started here, private PostgreSQL and Redis on unix sockets inside it, our own programs by
# name, and waiting for conditions with a bound. POSIX sh; nothing here sleeps.
set -eu
FURROW_SOURCE=${FURROW_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
FURROW_BUILD=${FURROW_BUILD:-$FURROW_SOURCE/build/dev}
BIN=$FURROW_BUILD/bin
T=$(mktemp -d "/tmp/furrow-t-XXXXXX")
chmod 755 "$T"
mkdir -p "$T/pids" "$T/log" "$T/data"
export FURROW_SOURCE FURROW_BUILD FURROW_DATA_DIR="$T/data"
# Tests run at any hour: their own packs are open around the clock.
export FURROW_PACKS_DIR="$FURROW_SOURCE/tests/data/packs"
# And at any load: who calls in waits for longer than a second before they hear the apology.
export FURROW_HOOK_ANSWER_MS=5000
unset DATABASE_URL REDIS_URL FURROW_TENANT FURROW_FAULT || true

say() { printf '%s\n' "$*" >&2; }
pause() { timeout "${1:-0.1}" tail -f /dev/null || true; }

# Shows the last words of everything before it gives up.
fail() {
    FAILED=said
    say "FAILED: $*"
    for f in "$T"/log/*; do
        [ -s "$f" ] || continue
        say "--- $(basename "$f")"
        tail -n "${FAIL_LINES:-15}" "$f" >&2
    done
    exit 1
}

# A real part that cannot be had: a skip here, a failure on CI.
skip() {
    say "SKIPPED: $*"
    [ "${CI:-}" != true ] || exit 1
    exit 77
}

# Called at the end in reverse order of registration: on_exit 'COMMAND'.
ON_EXIT=
on_exit() { ON_EXIT="$1
$ON_EXIT"; }

cleanup() {
    code=$?
    trap - EXIT INT TERM
    set +e
    [ "$code" = 0 ] || [ "$code" = 77 ] || [ -n "${FAILED:-}" ] || say "FAILED: a command ended with $code (sh -x shows which)"
    eval "$ON_EXIT"
    for f in "$T"/pids/*; do
        [ -f "$f" ] && kill -9 "$(cat "$f")" 2>/dev/null
    done
    if [ -n "${KEEP:-}" ]; then say "kept: $T"; else rm -rf "$T"; fi
    exit $code
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# wait_for SECONDS WHAT COMMAND…: until the command succeeds; fails the test at the bound.
wait_for() {
    wait_end_=$(($(date +%s) + $1))
    wait_what_=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$wait_end_" ] || fail "waited in vain: $wait_what_"
        pause
    done
}

# check WHAT EXPECTED ACTUAL
check() {
    [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}

free_port() {
    python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# ---- processes, by name -------------------------------------------------------------

# start NAME COMMAND…: in the background, words in log/NAME.log (appended).
start() {
    name_=$1
    shift
    setsid "$@" >>"$T/log/$name_.log" 2>&1 </dev/null &
    echo $! >"$T/pids/$name_"
}
pid_of() { cat "$T/pids/$1" 2>/dev/null || echo 0; }
alive() { [ "$(pid_of "$1")" != 0 ] && kill -0 "$(pid_of "$1")" 2>/dev/null; }
gone() { ! alive "$1"; }

# stop NAME [SECONDS]: SIGTERM, and it must end in time.
stop() {
    [ -f "$T/pids/$1" ] || return 0
    kill -TERM "$(pid_of "$1")" 2>/dev/null || true
    wait_for "${2:-20}" "$1 ends on SIGTERM" gone "$1"
    rm -f "$T/pids/$1"
}
kill9() {
    kill -9 "$(pid_of "$1")" 2>/dev/null || true
    wait "$(pid_of "$1")" 2>/dev/null || true
    rm -f "$T/pids/$1"
}

# ---- private servers ----------------------------------------------------------------

DROP=
if [ "$(id -u)" = 0 ]; then
    for u_ in furrow postgres nobody; do
        if id "$u_" >/dev/null 2>&1; then
            DROP="setpriv --reuid=$u_ --regid=$(id -g "$u_") --clear-groups"
            OWNER=$u_
            break
        fi
    done
fi
own() { [ -z "$DROP" ] || chown -R "$OWNER" "$@"; }

PG_BIN=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)

pg_ready() { "$PG_BIN/pg_isready" -q -h "$T/pg-socket"; }

# Starts it (again, with its data) and exports DATABASE_URL. The first time also migrates.
pg_start() {
    [ -n "$PG_BIN" ] || skip "PostgreSQL is not installed: './run deps'"
    first_=
    if [ ! -f "$T/pg/PG_VERSION" ]; then
        first_=yes
        mkdir -p "$T/pg" "$T/pg-socket"
        chmod 700 "$T/pg"
        own "$T/pg" "$T/pg-socket"
        $DROP "$PG_BIN/initdb" -D "$T/pg" -U furrow -A trust -E UTF8 --no-locale --no-sync \
            >"$T/log/initdb.log" 2>&1 || fail "initdb"
    fi
    # No fsync unless PG_FSYNC=on: a killed process loses nothing by it, only a killed machine would.
    start postgres $DROP "$PG_BIN/postgres" -D "$T/pg" -k "$T/pg-socket" -c listen_addresses= \
        -c fsync="${PG_FSYNC:-off}" -c max_connections=200 -c log_min_messages=fatal
    wait_for 30 "PostgreSQL is ready" pg_ready
    export DATABASE_URL="host=$T/pg-socket user=furrow dbname=furrow"
    [ -n "$first_" ] || return 0
    psql -qX -h "$T/pg-socket" -U furrow -d postgres -c 'CREATE DATABASE furrow' || fail "CREATE DATABASE"
    "$BIN/furrow" migrate >"$T/log/migrate.log" 2>&1 || fail "furrow migrate"
}
pg_stop() {
    kill -INT "$(pid_of postgres)" 2>/dev/null || true
    wait_for 30 "PostgreSQL stops" gone postgres
}
# Kills the postmaster; its children notice and end, and the next pg_start recovers.
pg_kill() {
    pg_children_=$(pgrep -P "$(pid_of postgres)" || true)
    kill9 postgres
    wait_for 30 "PostgreSQL's children end" all_gone $pg_children_
}
all_gone() {
    for p_ in "$@"; do
        ! kill -0 "$p_" 2>/dev/null || return 1
    done
}

redis_ready() { [ "$(redis-cli -s "$T/redis-socket/redis.sock" ping 2>/dev/null)" = PONG ]; }
redis_start() {
    mkdir -p "$T/redis" "$T/redis-socket"
    own "$T/redis" "$T/redis-socket"
    start redis $DROP redis-server --port 0 --unixsocket "$T/redis-socket/redis.sock" \
        --unixsocketperm 777 --dir "$T/redis" --save '' --appendonly no --daemonize no
    wait_for 30 "Redis is ready" redis_ready
    export REDIS_URL="unix://$T/redis-socket/redis.sock"
}
redis_stop() { stop redis; }
redis_kill() { kill9 redis; }
redis_do() { redis-cli -s "$T/redis-socket/redis.sock" "$@"; }

# sql 'SELECT …': as the superuser, past row security; fields separated by '|'.
sql() { psql "$DATABASE_URL" -XqAt -v ON_ERROR_STOP=1 -c "$1"; }
sql_is() { [ "$(sql "$1" 2>/dev/null)" = "$2" ]; } # for wait_for: sql_is QUERY VALUE

# ---- our own programs ---------------------------------------------------------------

furrow() { "$BIN/furrow" "$@"; }
# For what must succeed and whose words nobody looks at.
quietly() { "$@" >>"$T/log/cli.log" 2>&1 || fail "$*: $(tail -2 "$T/log/cli.log")"; }

# server_start [NAME=VALUE…]: a furrow-server named server, on a port of its own; sets PORT.
server_start() {
    rm -f "$T/port"
    start server env FURROW_PORT=0 FURROW_PORT_FILE="$T/port" "$@" "$BIN/furrow-server"
    wait_for 20 "the server listens" test -s "$T/port"
    PORT=$(cat "$T/port")
}
