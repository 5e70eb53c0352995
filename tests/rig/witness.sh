#!/bin/sh
# The witness sees what it must see: each kind of breach in an invented log is found, and a
# log without one is clean. Needs no Asterisk.
. "$(dirname "$0")/../lib.sh"
WITNESS=$FURROW_SOURCE/tests/rig/witness.py

invite() { printf 'invite|%s.000000.%s.000000|%s|%s|%s\n' "$@"; }
finds() { # WHAT EXPECTED: the log on standard input must give just that breach
    cat >"$T/calls"
    if "$WITNESS" "$T/calls" 60 --finals "$T/finals" >"$T/out"; then
        fail "$1 was not seen"
    fi
    grep -q "$2" "$T/out" || fail "$1: $(cat "$T/out")"
    grep -q ' 1 breaches$' "$T/out" || fail "$1: more than that: $(cat "$T/out")"
}

printf '+251911000001 1100 completed\n' >"$T/finals"
{
    invite 1000 0 251911000001 call-a attempt-a
    invite 1000 0 251911000001 call-a attempt-a
    invite 1060 0 251911000001 call-b attempt-b
    invite 1001 0 251911000002 call-c attempt-c
    echo 'answer|1002.000000.0.000000|251911000002|call-c|attempt-c'
} >"$T/calls"
"$WITNESS" "$T/calls" 60 --finals "$T/finals" >"$T/out" || fail "a clean log: $(cat "$T/out")"
check "counts" "3 calls, 3 attempts, 2 numbers, 0 breaches" "$(cat "$T/out")"

{
    invite 1000 0 251911000001 call-a attempt-a
    invite 1080 0 251911000001 call-b attempt-a
} | finds "an attempt sent twice" 'attempt-a was sent 2 times'
{
    invite 1000 900000 251911000001 call-a attempt-a
    invite 1060 500000 251911000001 call-b attempt-b
} | finds "a gap too short" 'twice within 59.600 s'
{
    invite 1000 0 251911000001 call-a attempt-a
    invite 1101 0 251911000001 call-b attempt-b
} | finds "a call after the end" '1.000 s after it was final (completed)'
invite 1000 0 251911000001 call-a '' | finds "a call without attempt id" 'carries no attempt id'
echo ok
