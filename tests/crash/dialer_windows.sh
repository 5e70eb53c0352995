#!/bin/sh
# The dialer dies by kill -9 in each window of an attempt's life: between intent and release,
# between release and send, between send and ringing; several times, under a running campaign
# on a real Asterisk. SIPp's own log then proves that nothing was sent twice.
. "$(dirname "$0")/../lib.sh"
RIG=$FURROW_SOURCE/tests/rig
. "$RIG/rig_lib.sh"
. "$RIG/stack_lib.sh"
BEHAVIOURS='0 1 3 5 6'
WINDOWS='intent-released:2 released-sent:1 sent-ringing:2 released-sent:2 sent-ringing:1 intent-released:1'
export FURROW_FAULT_LOG="$T/faults"

stack_start
: >"$FURROW_FAULT_LOG"
campaign_make 6 5 8
deaths=0
for window in $WINDOWS; do
    dialer_start FURROW_FAULT="$window"
    wait_for 60 "the dialer dies at $window" gone dialer
    deaths=$((deaths + 1))
    check "deaths noted" $deaths "$(wc -l <"$FURROW_FAULT_LOG")"
done
dialer_start
wait_for 150 "the campaign is done" campaign_done
settled
all_holds
for window in intent-released released-sent sent-ringing; do
    check "deaths at $window" 2 "$(grep -c "^$window " "$FURROW_FAULT_LOG")"
done
# What provably never went out was withdrawn; what may have gone out is counted.
[ "$(sql "SELECT count(*) FROM attempts WHERE state = 'withdrawn'")" -gt 0 ] || fail "no intent was withdrawn"
echo "ok: 6 deaths: $(summary); $(cat "$T/witness")"
