#!/bin/sh
# The main job on this machine, start to end, on real parts: import, do-not-call
# list, flow, campaign, scheduler, dialer, flow engine, recordings, speech
# recognition, understanding, batches, SMS. Called by './run demo'.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
BUILD=${FURROW_BUILD:-$ROOT/build/release}
SEED=1
KEEP=no
ROWS=2000
VOICES=400
START=2026-11-24T08:30:00Z # a Tuesday, half past eleven in Addis Ababa, half past eight in London
SCALE=60                   # one real second is a minute of the simulated day

usage() {
    cat <<TEXT
usage: ./run demo [--seed N] [--keep] [--small]

Runs the main job with a simulated carrier on a declared virtual clock that starts
at $START and runs $SCALE times as fast, so it works at any hour.
  --seed N   another set of people and outcomes; the same N gives the same table
  --keep     leave the data in var/demo afterwards
  --small    200 rows and 40 voices

example: ./run demo --seed 7
TEXT
}

while [ $# -gt 0 ]; do
    case $1 in
    --seed) SEED=${2:?--seed wants a number}; shift 2 ;;
    --keep) KEEP=yes; shift ;;
    --small) ROWS=200 VOICES=40; shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "demo: unknown option '$1'" >&2; usage >&2; exit 2 ;;
    esac
done
case $SEED in '' | *[!0-9]*) echo "demo: --seed wants a whole number, got '$SEED'" >&2; exit 2 ;; esac

say() { printf '%s\n' "$*"; }
step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || step() { printf '\n%s\n' "$*"; }

DIR=${FURROW_DEMO_DIR:-$ROOT/var/demo}
FURROW=$BUILD/bin/furrow
UP_PID=
finish() {
    code=$?
    trap - EXIT INT TERM
    if [ -n "$UP_PID" ] && kill -0 "$UP_PID" 2>/dev/null; then
        kill -INT "$UP_PID" 2>/dev/null || true
        wait "$UP_PID" 2>/dev/null || true
    fi
    if [ "$code" -ne 0 ]; then
        say "the demo failed; logs and data are in $DIR" >&2
    elif [ "$KEEP" = no ]; then
        rm -rf "$DIR" ${FURROW_DATA_DIR:+"$FURROW_DATA_DIR"}
    fi
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

rm -rf "$DIR"
mkdir -p "$DIR"
chmod 755 "$DIR"
unset DATABASE_URL REDIS_URL FURROW_ASR_URL FURROW_TENANT FURROW_PACKS_DIR
began=$(date +%s)

step "1  The people: $ROWS messy contacts, a do-not-call list, $VOICES spoken answers (seed $SEED)"
"$HERE/make-contacts" --seed "$SEED" --rows "$ROWS" --contacts "$DIR/contacts.csv" --dnc "$DIR/dnc.csv"
"$HERE/make-voices" --seed "$SEED" --count "$VOICES" "$DIR/voices"
chmod -R a+rX "$DIR"

step "2  Everything on this machine: Postgres, Redis, speech service, server, workers, dialer"
say "   virtual clock: starts $START, $SCALE times as fast as real time"
export FURROW_CLOCK="$START@$SCALE" FURROW_LOG_LEVEL=warn FURROW_PORT=0
"$FURROW" up --dir "$DIR/run" --ready-file "$DIR/ready" >"$DIR/up.log" 2>&1 &
UP_PID=$!
waited=0
until [ -f "$DIR/ready" ]; do
    kill -0 "$UP_PID" 2>/dev/null || { cat "$DIR/up.log" >&2; exit 1; }
    [ "$waited" -lt 600 ] || { say "furrow up is not ready after 60 s" >&2; exit 1; }
    waited=$((waited + 1))
    timeout 0.1 tail -f /dev/null || true
done
. "$DIR/ready"

step "3  Import, do-not-call list, flow, trunk, campaign"
"$FURROW" contacts import "$DIR/contacts.csv" --list farmers --region ET --rejects "$DIR/rejects.csv"
"$FURROW" dnc import "$DIR/dnc.csv"
"$FURROW" flow publish "$HERE/coffee.json"
"$FURROW" trunk add simulated --kind simulated --cps 1 --max-channels 60 \
    --settings "$(sed -e "s/\"SEED\"/$SEED/" -e "s|VOICES|$DIR/voices/manifest.json|" "$HERE/trunk.json")"
"$FURROW" campaign create "$HERE/campaign.json"

step "4  The campaign"
"$FURROW" run coffee-harvest
"$HERE/wait-for-jobs" "$DATABASE_URL"

step "5  What happened"
"$HERE/table" "$DATABASE_URL" "$FURROW" "$FURROW_LOG_DIR/asr-requests.jsonl" \
    "$DIR/voices/manifest.json" coffee-harvest >"$DIR/table.txt" ||
    { cat "$DIR/table.txt"; exit 1; }
cat "$DIR/table.txt"

step "6  Why"
"$HERE/examples" "$DATABASE_URL" coffee-harvest | while read -r number; do
    "$FURROW" why "$number" --campaign coffee-harvest --brief
done

step "Done in $(($(date +%s) - began)) s of real time"
