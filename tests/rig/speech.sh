#!/bin/sh
# A farmer's words survive the way: spoken by a softphone over G.722, recorded by Asterisk
# at 16 kHz, understood word for word by the local speech service.
. "$(dirname "$0")/../lib.sh"
RIG=$FURROW_SOURCE/tests/rig
. "$RIG/rig_lib.sh"
SAID='record commission for five bags of yirgacheffe grade A from farmer john'
ID=0a1b2c3d

asterisk_start $ID
start in "$RIG/ari_listen.py" "$RIG_ARI_URL" $RIG_ARI_USER $RIG_ARI_SECRET furrow-$ID-in
start asr "$BIN/furrow-asr-local" --port 0 --port-file "$T/asr.port" --request-log "$T/asr.jsonl"
wait_for 10 "ARI is connected" grep -q Connected "$T/log/in.log"
wait_for 60 "the speech service is ready" test -s "$T/asr.port"

speak "$T/said.wav" "$SAID"
start farmer "$RIG/farmer_call.sh" "$T/said.wav" 2001 "$RIG_SIP_PORT" 60
has_channel() { grep -q StasisStart "$T/log/in.log"; }
wait_for 45 "the call is in Stasis" has_channel
channel=$(grep StasisStart "$T/log/in.log" | sed -n 's/.*"channel":{"id":"\([^"]*\)".*/\1/p')
ari POST "channels/$channel/answer" >/dev/null || fail answer
ari POST "channels/$channel/record?name=said&format=wav16&maxDurationSeconds=12" >/dev/null || fail record
wait_for 30 "the recording ends" grep -q RecordingFinished "$T/log/in.log"
ari GET recordings/stored/said/file >"$T/heard.wav" || fail "no recording"
check "sample rate" 16000 "$(soxi -r "$T/heard.wav")"
curl -sf -m 60 -F file=@"$T/heard.wav" -F model=local \
    "http://127.0.0.1:$(cat "$T/asr.port")/v1/audio/transcriptions" >"$T/text.json" || fail transcription
text=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["text"])' <"$T/text.json")
check "what was understood" "$(echo "$SAID" | tr A-Z a-z)" "$(echo "$text" | tr A-Z a-z)"
ari DELETE "recordings/stored/said" >/dev/null || fail "the recording cannot be deleted"
wait_for 20 "the farmer's phone is down" gone farmer
echo "ok: $text"
