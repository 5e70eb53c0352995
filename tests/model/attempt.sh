#!/bin/sh
# attempt.sh MODEL_MOVES [DEATHS LOSSES FLUSHES]: spin checks attempt.pml against the table of
# moves that the program runs on, up to so many deaths, losses and flushes; and that three broken
# protocols are found.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
MOVES=${1:?the program model_moves}
DEATHS=${2:-2} LOSSES=${3:-1} FLUSHES=${4:-1}
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
fail() { echo "FAIL: $*" >&2; exit 1; }

cd "$T"
cp "$HERE/attempt.pml" .
"$MOVES" >moves.pml
make_pan() { # NAME CFLAGS SPIN_DEFINES…
    name=$1 flags=$2
    shift 2
    spin "$@" -a attempt.pml >spin.log || fail "spin: $(cat spin.log)"
    # shellcheck disable=SC2086 # a word each
    gcc -O1 -w $flags -DCOLLAPSE -DMEMLIM=6000 -o "$name" pan.c
}
ran() { # NAME ARGS…: complete and without an error; prints its states
    "./$@" -m2000000 >"$1.log" 2>&1 || true
    grep -q 'errors: 0' "$1.log" && ! grep -qE 'max search depth too small|out of memory|aborted' "$1.log" ||
        { spin $bounds -t -p attempt.pml 2>/dev/null | tail -40 >&2 || true; fail "$1: $(grep -E 'pan:|errors' "$1.log")"; }
    sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$1.log"
}

bounds="-DDEATHS=$DEATHS -DLOSSES=$LOSSES -DFLUSHES=$FLUSHES"
# shellcheck disable=SC2086
make_pan safety -DSAFETY $bounds
states=$(ran safety)
# shellcheck disable=SC2086
make_pan cycles '-DNP -DNOFAIR' $bounds
ran cycles -l >/dev/null
for broken in RESEND LEAK TIDY; do
    make_pan broken -DSAFETY -DDEATHS=1 -DLOSSES=1 -DFLUSHES=0 -DBROKEN_$broken
    ./broken -m2000000 >broken.log 2>&1 || true
    grep -q 'assertion violated' broken.log || fail "a protocol that is broken ($broken) was not found"
done
echo "ok: $states states with up to $DEATHS deaths, $LOSSES losses, $FLUSHES flushes: no attempt sent twice, every one ends, no slot leaks"
