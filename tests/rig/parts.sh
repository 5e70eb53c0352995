#!/bin/sh
# The rig proves itself, without any program of ours: Asterisk, the dialplan, the called
# parties of SIPp, both kinds of calls in. When this fails, no other rig test means anything.
. "$(dirname "$0")/../lib.sh"
RIG=$FURROW_SOURCE/tests/rig
. "$RIG/rig_lib.sh"

ID=0a1b2c3d
asterisk_start $ID
uas_start
ari_listen() { # NAME APP
    start "$1" "$RIG/ari_listen.py" "$RIG_ARI_URL" $RIG_ARI_USER $RIG_ARI_SECRET "$2"
    wait_for 10 "$1 is connected" grep -q Connected "$T/log/$1.log"
}
event() { # TYPE ID: the events of that type of that channel
    grep "\"type\":\"$1\"" "$T/log/out.log" "$T/log/in.log" 2>/dev/null | grep -F "\"id\":\"$2\""
}
originate() { # NUMBER ID
    ari POST "channels/$2?endpoint=PJSIP/$1@trunk&app=furrow-$ID-1&timeout=4" \
        "{\"variables\":{\"PJSIP_HEADER(add,X-Furrow-Attempt)\":\"attempt-$1\"}}" >/dev/null ||
        fail "originate $1"
}
cause_of() { event ChannelDestroyed "$1" | sed -n 's/.*"cause":\([0-9]*\).*/\1/p' | head -1; }
ends_with() { # WHO CHANNEL CAUSE
    wait_for 15 "$1 ends" event ChannelDestroyed "$2"
    check "cause of $1" "$3" "$(cause_of "$2")"
}

ari_listen out furrow-$ID-1
ari_listen in furrow-$ID-in

for behaviour in 0 1 2 3 4 5 6 7 8 9; do
    originate 251911000${behaviour}07 fw$ID-$behaviour
done
for behaviour in 0 5 6 9; do
    wait_for 15 "call $behaviour is answered" event StasisStart fw$ID-$behaviour
done
wait_for 15 "1 is pressed" event ChannelDtmfReceived fw$ID-5
event ChannelDtmfReceived fw$ID-5 | grep -q '"digit":"1"' || fail "not a 1"
wait_for 15 "9 is pressed" event ChannelDtmfReceived fw$ID-9
event ChannelDtmfReceived fw$ID-9 | grep -q '"digit":"9"' || fail "not a 9"
ends_with "the busy one" fw$ID-1 17
ends_with "the one who lets it ring" fw$ID-2 19
ends_with "the one who declines" fw$ID-3 21
ends_with "the unknown number" fw$ID-4 1
# A BYE without a Reason header names no cause; that the call was up says what it was.
ends_with "the one who hangs up" fw$ID-6 0
ends_with "the congested network" fw$ID-7 34
ends_with "the one who is away" fw$ID-8 19

# What the called parties saw is one INVITE each, with our header.
check "INVITEs" 10 "$(invites | wc -l)"
check "attempts" 10 "$(invites | cut -d'|' -f5 | grep -c '^attempt-251911000')"
check "Call-IDs" 10 "$(invites | cut -d'|' -f4 | sort -u | wc -l)"
check "answers" 4 "$(grep -c '^answer|' "$UAS_LOG")"

"$RIG/witness.py" "$UAS_LOG" 60 >"$T/log/witness.log" || fail "the witness sees a breach"

# They speak: a recording of one second holds sound.
ari POST "channels/fw$ID-0/record?name=fw$ID-0-s1&format=wav&maxDurationSeconds=3" >/dev/null || fail record
wait_for 20 "the recording ends" grep -q RecordingFinished "$T/log/out.log"
ari GET "recordings/stored/fw$ID-0-s1/file" >"$T/heard.wav" || fail "no recording"
peak=$(sox "$T/heard.wav" -n stat 2>&1 | sed -n 's/^Maximum amplitude: *0*\.\([0-9]*\).*/\1/p')
[ "${peak:-0}" -gt 10000 ] || fail "the recording is silent ($peak)"
ari DELETE "channels/fw$ID-0" >/dev/null

# A call in, narrowband, by a caller who gives up first.
"$RIG/call_in.sh" missed 2001 251911000001 "$RIG_SIP_PORT" "$T" >"$T/log/missed.log" 2>&1 || fail "missed call"
wait_for 10 "the missed call was seen" grep -q '"number":"251911000001"' "$T/log/in.log"
wait_for 10 "the missed call is over" grep -q StasisEnd "$T/log/in.log"

# A call in, wideband: the recording keeps 16 kHz.
speak "$T/said.wav" 'record commission for five bags of yirgacheffe grade A from farmer john'
FARMER_KEYS=2 FARMER_KEYS_AFTER_S=1 FARMER_KEYS_UNTIL="$T/key.heard" "$RIG/farmer_call.sh" "$T/said.wav" 2001 "$RIG_SIP_PORT" 30 >"$T/log/farmer.log" 2>&1 &
farmer=$!
in_channel() { grep StasisStart "$T/log/in.log" | grep '"number":"farmer"' | sed -n 's/.*"channel":{"id":"\([^"]*\)".*/\1/p'; }
has_channel() { [ -n "$(in_channel)" ]; }
wait_for 45 "the farmer's call is in Stasis" has_channel
channel=$(in_channel)
grep '"number":"farmer"' "$T/log/in.log" | grep -q '"args":\["2001"\]' || fail "the number dialled is not the argument"
ari POST "channels/$channel/answer" >/dev/null || fail answer
ari POST "channels/$channel/record?name=farmer-1&format=wav16&maxDurationSeconds=3" >/dev/null || fail record
key_two() { grep ChannelDtmfReceived "$T/log/in.log" | grep -q '"digit":"2"'; }
wait_for 10 "the farmer presses 2" key_two
: >"$T/key.heard"
recorded() { grep RecordingFinished "$T/log/in.log" | grep -q farmer-1; }
wait_for 20 "the farmer's recording ends" recorded
ari GET recordings/stored/farmer-1/file >"$T/farmer.wav" || fail "no recording of the farmer"
check "sample rate" 16000 "$(soxi -r "$T/farmer.wav")"
ari DELETE "channels/$channel" >/dev/null
wait $farmer || fail "the farmer's phone: $(tail -3 "$T/log/farmer.log")"

# After a kill it is back on the same ports, and nobody listens: the dialplan's fallback.
stop in
"$RIG/rig.sh" restart "$T/asterisk" 2>>"$T/log/rig.log" || fail restart
if "$RIG/call_in.sh" answered 2001 251911000001 "$RIG_SIP_PORT" "$T" >"$T/log/fallback.log" 2>&1; then
    fail "a call in was answered with no dialer connected"
fi
echo "ok: $("$RIG/rig.sh" install)"
