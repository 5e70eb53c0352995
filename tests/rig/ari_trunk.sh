#!/bin/sh
# Our ARI client, trunk and phone on a real Asterisk (tests/rig/ari_drive.c): every way a
# call out ends, prompts, keys, recordings, transfers, calls in, a restart of Asterisk.
. "$(dirname "$0")/../lib.sh"
RIG=$FURROW_SOURCE/tests/rig
. "$RIG/rig_lib.sh"

ID=0a1b2c3d
asterisk_start $ID
uas_start
pg_start
export RIG_ARI_URL RIG_ARI_USER RIG_ARI_SECRET
speak "$T/prompt.wav" 'good morning' 0 0
sox "$T/prompt.wav" -r 8000 "$T/p8.wav" && mv "$T/p8.wav" "$T/prompt.wav"
chmod 644 "$T/prompt.wav"
out() { sed -n "s/^2519110$1|//p" "$T/log/drive.log"; }
has() { # NUMBER'S TAIL, LINE: told exactly so
    out "$1" | grep -qxF "$2" || fail "$1: no '$2' in: $(out "$1" | tr '\n' ';')"
}

# A transfer to a party who hangs up by itself after its answer.
EXTENSION=ext:251911000608
export EXTENSION
start drive env -u DATABASE_URL "$FURROW_BUILD/tests/ari_drive" "sound:$T/prompt" \
    251911000007 251911000107 251911000207 251911000307 251911000407 251911000507 \
    251911000607 251911000707 251911000807 251911000907
wait_for 60 "all calls are over" gone drive
# Debian's later ones all take requests over the WebSocket; those that do not say so themselves.
case $("$RIG/rig.sh" install) in
'Asterisk 20.'* | 'Asterisk 21.'* | 'Asterisk 22.'[0-3].*) ;;
*) grep -qxF '0|over the WebSocket' "$T/log/drive.log" || fail "requests went by HTTP" ;;
esac
for n in 0 1 2 3 4 5 6 7 8 9; do has 00${n}07 'accepted 0'; done
for n in 0 5 9; do
    has 00${n}07 answered
    has 00${n}07 played
done
has 00107 'ended up=0 us=0 timeout=0 cause=17 sip=486 dial=BUSY'
has 00207 'ended up=0 us=0 timeout=1 cause=19 sip=480 dial=-'
has 00207 ringing
has 00407 'ended up=0 us=0 timeout=0 cause=1 sip=404 dial=NOANSWER'
out 00307 | grep -q '^ended up=0 us=0 timeout=0 cause=21 sip=603' || fail "declined: $(out 00307)"
out 00707 | grep -q '^ended up=0 us=0 timeout=0 cause=34 sip=503' || fail "congestion: $(out 00707)"
out 00807 | grep -q '^ended up=0 us=0 timeout=0 cause=19 sip=480' || fail "away: $(out 00807)"
has 00507 'key 1'
has 00907 'key 9'
out 00607 | grep -q '^ended up=1 us=0' || fail "who hangs up: $(out 00607)"
out 00507 | grep -q '^ended up=1 us=1 timeout=0 cause=16' || fail "hung up by us: $(out 00507)"
out 00007 | grep -q '^recorded 0 ms=[1-9]' || fail "recording: $(out 00007)"
grep -q '^0|stored .* 1$' "$T/log/drive.log" || fail "the recording is not stored"
has 00007 'dialled 0 talked=1 cause=16'
check "INVITEs with our header" 10 "$(invites | cut -d'|' -f5 | sort -u | grep -c -- -)"
check "channels left" '[]' "$(ari GET channels)"
check "bridges left" '[]' "$(ari GET bridges)"

# Busy and unreachable extensions.
EXTENSION=ext:251911000108
mv "$T/log/drive.log" "$T/log/drive1.log"
start drive env -u DATABASE_URL "$FURROW_BUILD/tests/ari_drive" "sound:$T/nothing" 251911000007
wait_for 30 "the second drive is over" gone drive
has 00007 'play failed'
has 00007 'dialled 1 talked=0 cause=17'

# Calls in: served, missed and called back, refused, given up; and with Asterisk restarted.
mv "$T/log/drive.log" "$T/log/drive2.log"
start drive "$FURROW_BUILD/tests/ari_drive" "sound:$T/prompt"
in_connected() { [ "$(grep -c 'app=furrow-0a1b2c3d-in state=connected' "$T/log/drive.log")" -ge "$1" ]; }
call_in() { "$RIG/call_in.sh" "$1" "$2" "$3" "$RIG_SIP_PORT" "$T" >>"$T/log/in.log" 2>&1; }
told() { grep -qF "$1" "$T/log/drive.log"; }
wait_for 15 "calls in are awaited" in_connected 1
check "the lease" 1 "$(sql "SELECT count(*) FROM node_slots WHERE kind = 'dialer-in' AND slot = 0")"
call_in answered 2001 251911222001 || fail "a call in was not served"
wait_for 10 "the call in is over" told '251911222001|hung up'
told '251911222001|in 2001 tenant=1' || fail "the call in is not as it was"
told '251911222001|recorded' || fail "the call in was not recorded"
call_in missed 2002 251911222002 || true
wait_for 10 "the missed call is called back" told '251911222002|callback tenant=1 campaign=7'
call_in answered 2999 251911222003 && fail "a number without a flow was answered"
told 'no flow is published' || fail "why it was refused is not told"

"$RIG/rig.sh" restart "$T/asterisk" 2>>"$T/log/rig.log" || fail restart
wait_for 30 "it is connected again" in_connected 2
call_in answered 2001 251911222004 || fail "no call in after the restart"
wait_for 10 "the call in is over" told '251911222004|hung up'
check "channels left" '[]' "$(ari GET channels)"
stop drive
check "the lease is given back" 0 "$(sql "SELECT count(*) FROM node_slots WHERE kind = 'dialer-in'")"
grep -E 'Sanitizer|runtime error' "$T"/log/drive*.log && fail "a sanitizer complains"
echo ok
