#!/bin/sh
# The farmer's call, whole: it comes in at Twilio and at Plivo, is spoken with, downloaded with the
# account's token, heard by the real speech service, made a batch and answered by SMS; then the
# provider's copy is deleted. Narrowband speech waits for a person, with a polite SMS.
. "$(dirname "$0")/../lib.sh"
for tool in espeak-ng sox; do
    command -v $tool >/dev/null 2>&1 || skip "$tool is not installed: './run deps'"
done
speak() { # speak FILE RATE TEXT
    espeak-ng -v en-us -s 120 -w "$T/raw.wav" "$3" && sox "$T/raw.wav" -r "$2" -c 1 -b 16 "$1"
}
SAID='record commission for five bags of yirgacheffe grade A from farmer john'
speak "$T/wide.wav" 16000 "$SAID"
speak "$T/narrow.wav" 8000 "$SAID"
. "$FURROW_SOURCE/tests/providers.sh"
start asr "$BIN/furrow-asr-local" --port 0 --port-file "$T/asr.port"
start twilio "$FURROW_SOURCE/tests/system/provider_peer.py" "$T/tw.port" "$T/tw.jsonl" AC01 tok RE1="$T/wide.wav" RE2="$T/narrow.wav"
start plivo "$FURROW_SOURCE/tests/system/provider_peer.py" "$T/pl.port" "$T/pl.jsonl" MA01 tok r1="$T/wide.wav"
echo fine >"$T/mood"
start s3 "$FURROW_SOURCE/tests/system/s3_peer.py" "$T/s3.port" "$T/s3.jsonl" voices us-east-1 KEYID00 s3cret "$T/mood"
pg_start
redis_start
wait_for 20 "the providers are there" test -s "$T/tw.port" -a -s "$T/pl.port" -a -s "$T/s3.port"
FURROW_CONTENT_ENDPOINT=http://127.0.0.1:$(cat "$T/s3.port")
export FURROW_CONTENT_ENDPOINT FURROW_CONTENT_BUCKET=voices FURROW_CONTENT_KEY_ID=KEYID00 FURROW_CONTENT_SECRET=s3cret
wait_for 60 "the speech service is ready" test -s "$T/asr.port"
TW_API=http://127.0.0.1:$(cat "$T/tw.port") PL_API=http://127.0.0.1:$(cat "$T/pl.port")
FURROW_ASR_URL="http://127.0.0.1:$(cat "$T/asr.port")"
export FURROW_ASR_URL FURROW_RETRY_BASE_MS=100
start worker "$BIN/furrow-worker"
server_start FURROW_MEDIA_TOKEN=listen

printf tok >"$T/token"
quietly furrow provider add tw --kind twilio --account AC01 --token-file "$T/token" \
    --settings "{\"api_url\": \"$TW_API\", \"delete_recordings\": true}"
quietly furrow provider add pl --kind plivo --account MA01 --token-file "$T/token" --settings "{\"api_url\": \"$PL_API\"}"
quietly furrow sms set --account tw --sender +15550100
quietly furrow flow publish "$FURROW_SOURCE/deploy/demo/coffee.json"
quietly furrow extension add 15550100 --flow coffee
TW=$(hook_of tw) PL=$(hook_of pl)
call() { # KIND HOOK CALL_ID FROM RECORDING
    call_to +15550100 "$1" "$2" "$3" "$4" --keys 1 --recording "$5"
    heard 'hears Thank you'
}
state_of() { sql "SELECT r.state FROM recordings r JOIN voice_sessions s ON s.call_id = r.call_id WHERE s.provider_call_id = '$1'"; }
is_in() { [ "$(state_of "$1")" = "$2" ]; }
text_to() { sql "SELECT body FROM messages WHERE phone = $1 AND state = 'sent'"; }

A=CA00000000000000000000000000000001 B=11111111-1111-4111-8111-111111111101 C=CA00000000000000000000000000000003
call twilio "$TW" $A +251911000001 "$TW_API/2010-04-01/Accounts/AC01/Recordings/RE1,7"
call plivo "$PL" $B 251911000002 "$PL_API/v1/r1.wav,7"
call twilio "$TW" $C +251911000003 "$TW_API/2010-04-01/Accounts/AC01/Recordings/RE2,7"
wait_for 60 "what was said over Twilio is done" is_in $A 'done'
wait_for 60 "what was said over Plivo is done" is_in $B 'done'
wait_for 60 "narrowband speech waits for a person" is_in $C needs_person
check "one transcript" 1 "$(sql 'SELECT count(DISTINCT lower(text)) FROM transcripts')"
check "what was heard" "$(echo "$SAID" | tr A-Z a-z)" "$(sql 'SELECT min(lower(text)) FROM transcripts')"
check "batches" '5 300|5 300' "$(sql "SELECT string_agg(quantity || ' ' || quantity_kg, '|') FROM batches")"
wait_for 30 "three messages were sent" sql_is "SELECT count(*) FROM messages WHERE state = 'sent'" 3

# What was said lies in the bucket, nowhere else, and is read from there.
check "recordings below data_dir" '' "$(find "$FURROW_DATA_DIR/media" -type f)"
heard=$(sql "SELECT r.id FROM recordings r JOIN voice_sessions s ON s.call_id = r.call_id WHERE s.provider_call_id = '$A'")
furrow recordings audio "$heard" "$T/heard.wav" >"$T/log/audio" 2>&1 || fail "recordings audio"
cmp -s "$T/wide.wav" "$T/heard.wav" || fail "the bucket gave something else"
hash=$(sha256sum "$T/wide.wav" | cut -d' ' -f1)
curl -s -H 'Authorization: Bearer listen' "http://127.0.0.1:$PORT/recordings/$hash" | cmp -s - "$T/wide.wav" || fail "furrow-server gives no recording"
echo busy >"$T/mood"
check "the bucket is busy" 503 "$(curl -s -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer listen' "http://127.0.0.1:$PORT/recordings/$hash")"
echo fine >"$T/mood"

batch=$(sql "SELECT batch_id FROM batches WHERE phone = 251911000001")
for word in "$batch" '5 bags' '300'; do
    text_to 251911000001 | grep -q -- "$word" || fail "the receipt does not say '$word': $(text_to 251911000001)"
done
[ -n "$(text_to 251911000003)" ] || fail "nobody told the third caller what to do"
python3 - "$T/tw.jsonl" "$batch" <<'X' || fail "what Twilio was asked: $(cat "$T/tw.jsonl")"
import json, sys, urllib.parse
asked = [json.loads(line) for line in open(sys.argv[1])]
sent = [dict(urllib.parse.parse_qsl(a["body"])) for a in asked if a["path"].endswith("/Messages.json")]
assert sorted(s["To"] for s in sent) == ["+251911000001", "+251911000002", "+251911000003"], sent
assert all(s["From"] == "+15550100" and "/message/" in s["StatusCallback"] for s in sent), sent
assert any(sys.argv[2] in s["Body"] for s in sent), sent
assert all(a["known"] for a in asked), asked
gone = [a["path"] for a in asked if a["method"] == "DELETE"]
assert "/2010-04-01/Accounts/AC01/Recordings/RE1.json" in gone, gone
X
grep -q DELETE "$T/pl.jsonl" && fail "Plivo's copy was deleted, though nobody wants it"

# An address that is no place of the provider's is not asked, and a person hears why.
D=CA00000000000000000000000000000004
call twilio "$TW" $D +251911000004 "http://127.0.0.1:1/RE9,7"
wait_for 30 "it is given up" is_in $D failed
furrow recordings list --state failed | grep -q "no place of the provider's" || fail "why is not said: $(furrow recordings list --state failed)"
# Afaan Oromo is understood by nobody: it is keyed in, and becomes a batch by the same jobs. Plivo
# speaks neither it nor Amharic: prompts are recorded, and played from the bucket.
om=$(furrow prompts add "$T/narrow.wav")
python3 - "$FURROW_SOURCE/deploy/demo/farmer.json" "$om" >"$T/farmer.json" <<'X'
import json, sys
flow = json.load(open(sys.argv[1]))
for prompt in list(flow["prompts"].values()) + [flow["go_on"]["prompt"]]:
    prompt["om"] = prompt["am"] = {"audio": sys.argv[2]}
json.dump(flow, sys.stdout)
X
quietly furrow flow publish "$T/farmer.json"
quietly furrow extension add 15550103 --flow farmer
keyed() { call_to +15550103 "$1" "$2" "$3" "$4" --keys "$5" --twice; } # KIND HOOK CALL_ID FROM KEYS
keyed twilio "$TW" CA00000000000000000000000000000021 +251911000021 3,12,1,3,2,1
grep -q "hears https://voice.example.test/prompts/$om.wav" "$T/heard" || fail "its prompts are not played: $(cat "$T/heard")"
curl -s "http://127.0.0.1:$PORT/prompts/$om.wav" | cmp -s - "$T/narrow.wav" || fail "the prompt is not the one in the bucket"
keyed plivo "$PL" 11111111-1111-4111-8111-111111111121 251911000022 3,7,3,1,9
keyed plivo "$PL" 11111111-1111-4111-8111-111111111122 251911000023 3,40,2,1,1,2,41,2,4,5,1
batches() { sql "SELECT string_agg(phone || ' ' || event || ' ' || quantity || ' ' || unit || ' ' || quantity_kg || ' ' || variety || ' ' || grade, '|' ORDER BY phone) FROM batches WHERE phone BETWEEN 251911000021 AND 251911000023"; }
wait_for 30 "what was keyed in is two batches" sql_is "SELECT count(*) FROM batches WHERE phone IN (251911000021, 251911000023)" 2
check "keyed in" '251911000021 commission 12 bags 720 Jimma 2|251911000023 commission 41 kg 41 Harar 5' "$(batches)"
wait_for 30 "receipts in Afaan Oromo" sql_is "SELECT count(*) FROM messages WHERE language = 'om' AND kind = 'receipt' AND state = 'sent'" 2
text_to 251911000021 | grep -q 12 || fail "the receipt: $(text_to 251911000021)"
check "who pressed 9 is called no more, and nothing was sent off" "1 0" "$(sql "SELECT (SELECT count(*) FROM dnc_entries WHERE phone = 251911000022) || ' ' || (SELECT count(*) FROM recordings WHERE phone = 251911000022)")"

# What is kept no longer is deleted once it is processed and nobody else has the same audio.
old() { sql "UPDATE recordings r SET created_at = created_at - interval '91 days' FROM voice_sessions s WHERE s.call_id = r.call_id AND s.provider_call_id = '$1'"; }
expire() { furrow recordings expire "$@" 2>&1; }
expire --dry-run >"$T/expire" && fail "expired, though all is kept for ever"
quietly furrow tenant keep --recordings 90d
check "kept" "audio of recordings is kept for 90 days" "$(furrow tenant keep)"
old $A && old $C
check "dry" "1 recordings would lose their audio, 0 files of 0 bytes would be deleted" "$(expire --dry-run | head -1)"
check "deleted: the other has the same audio, the third waits for a person" "1 recordings lost their audio, 0 files of 0 bytes were deleted" "$(expire | head -1)"
expire | grep -q '^1 older ones are kept' || fail "what waits is not told: $(expire)"
furrow recordings audio "$heard" "$T/gone.wav" >"$T/expire" 2>&1 && fail "its audio is still given"
grep -q 'was deleted at' "$T/expire" || fail "why it is gone: $(cat "$T/expire")"
old $B
bytes=$(stat -c %s "$T/wide.wav")
check "dry" "1 recordings would lose their audio, 1 files of $bytes bytes would be deleted" "$(expire --dry-run | head -1)"
echo busy >"$T/mood"
expire >"$T/expire" && fail "deleted, though the bucket is busy"
echo fine >"$T/mood"
quietly furrow jobs add recordings.expire --key by-hand
wait_for 30 "the job has deleted it" sql_is "SELECT result->>'deleted' FROM jobs WHERE kind = 'recordings.expire' AND state = 'done'" 1
grep -q "\"DELETE\", \"path\": \"/voices/media/$(echo "$hash" | cut -c1-2)/$hash\".*\"mood\": \"fine\"" "$T/s3.jsonl" || fail "nothing was deleted in the bucket"
check "rows and hashes stay" "$hash|$hash" "$(sql "SELECT string_agg(sha256, '|') FROM recordings WHERE media_deleted_at IS NOT NULL")"

# The same by the addresses of the contract voice-ledger: from the call to the receipt.
quietly furrow caller add +251911000011 --name "Abebe Kebede" --approve
stop server
server_start FURROW_VOICE_LEDGER_ACCOUNT=tw
E=CA00000000000000000000000000000011
carrier() { # PATTERN PATH NAME=VALUE…
    pattern_=$1 path_=$2
    shift 2
    "$FURROW_SOURCE/tests/system/hook_client.py" "$PORT" twilio tok "/voice-ledger/voice/ivr/$path_" CallSid=$E From=+251911000011 To=+15550100 "$@" |
        tr '\n' ' ' >"$T/heard"
    grep -q "^200 .*$pattern_" "$T/heard" || fail "$path_: $(cat "$T/heard")"
}
carrier 'Abebe Kebede.*<Record .*voice-ledger/voice/ivr/recording"' incoming CallStatus=ringing
for again in first second; do
    carrier 'Thank you. Your recording has been received' recording RecordingUrl="$TW_API/2010-04-01/Accounts/AC01/Recordings/RE1" RecordingSid=RE1 RecordingDuration=7
done
carrier received status CallStatus=completed
wait_for 60 "what was said is done, and the caller knows" sql_is "SELECT count(*) || ' ' || count(*) FILTER (WHERE body LIKE '%5 bags (300 kg)%') FROM messages WHERE phone = 251911000011 AND state = 'sent'" '2 1'
check "once" '1 300 Abebe Kebede' "$(sql "SELECT count(*) || ' ' || min(b.quantity_kg)::int || ' ' || min(c.name) FROM batches b JOIN callers c ON c.phone = b.phone WHERE b.phone = 251911000011")"
echo "ok: one transcript over two providers; $(text_to 251911000003 | head -1)"
