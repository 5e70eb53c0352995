#!/bin/sh
# The voice API as an app uses it: real server, worker, speech service and voice. Every
# status, the same key twice, another tenant, 8 kHz, a dead worker.
. "$(dirname "$0")/../lib.sh"
for tool in espeak-ng sox; do
    command -v $tool >/dev/null 2>&1 || skip "$tool is not installed: './run deps'"
done
[ -x "$BIN/furrow-asr-local" ] || skip "furrow-asr-local is not built"
speak() { # speak FILE RATE TEXT
    espeak-ng -v en-us -s 120 -w "$T/raw.wav" "$3" && sox "$T/raw.wav" -r "$2" -c 1 -b 16 "$1"
}
SAID='record commission for five bags of yirgacheffe grade A from farmer john'
speak "$T/said.wav" 16000 "$SAID"
speak "$T/narrow.wav" 8000 "$SAID"
sox "$T/said.wav" -r 44100 -c 2 "$T/wide.aiff"
sox "$T/said.wav" "$T/said.flac"
sox -n -r 16000 -c 1 -b 16 "$T/silence.wav" trim 0 1
sox -n -r 8000 -c 1 -b 8 "$T/long.wav" trim 0 601
echo 'no sound at all' >"$T/words.txt"
head -c 30000 "$T/said.wav" | tail -c 20000 >"$T/junk"
cat >"$T/junk.mp3" <"$T/words.txt"
{ printf 'RIFF\377\377\377\177WAVEfmt '; head -c 3000 /dev/zero; } >"$T/broken.wav"
start asr "$BIN/furrow-asr-local" --port 0 --port-file "$T/asr.port"
pg_start
redis_start
wait_for 60 "the speech service is ready" test -s "$T/asr.port"
FURROW_ASR_URL="http://127.0.0.1:$(cat "$T/asr.port")"
export FURROW_ASR_URL FURROW_RETRY_BASE_MS=100
start server env FURROW_PORT=0 FURROW_PORT_FILE="$T/port" FURROW_VOICE_WAIT_S=50 "$BIN/furrow-server" --profile voice-ledger
wait_for 20 "the server listens" test -s "$T/port"
URL=http://127.0.0.1:$(cat "$T/port")

KEY=none
# ask STATUS PATH CURL-OPTIONS…: the answer is in $T/out.
ask() {
    status_=$1 path_=$2
    shift 2
    got_=$(curl -s -m 60 -o "$T/out" -D "$T/headers" -w '%{http_code}' -H "X-API-Key: $KEY" "$@" "$URL$path_") || fail "$path_: no answer"
    [ "$got_" = "$status_" ] || fail "$path_ $*: expected $status_, got $got_: $(cat "$T/out")"
}
# holds EXPRESSION: of the answer, as Python's `a`.
holds() {
    python3 -c 'import json, sys
a = json.load(open(sys.argv[1]))
if not eval(sys.argv[2]): sys.exit(sys.argv[2] + "\n" + json.dumps(a, indent=1))' "$T/out" "$1" || fail "the answer"
}
field() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$T/out" "$1"; }
header() { grep -qi "^$1" "$T/headers" || fail "no header $1: $(cat "$T/headers")"; }

# --- open, and who may not ------------------------------------------------------------------
ask 200 /
holds "a['status'] == 'operational' and 'POST /voice/transcribe' in a['endpoints']"
ask 200 /voice/health
holds "a['database_available'] and a['openai_api_configured'] and a['ffmpeg_available'] in (True, False)"
ask 500 /voice/transcribe -F "file=@$T/said.wav"
holds "a['detail'] == 'API key not configured'"
KEY=$(furrow key create app --scope voice 2>/dev/null)
APP=$KEY
printf 'voice-ledger-secret-of-2024\n' >"$T/old-key"
furrow key create old --scope voice --key-file "$T/old-key" >/dev/null 2>&1 || fail "an old key"
SMS=$(furrow key create sms --scope sms 2>/dev/null)
furrow tenant create other >/dev/null 2>&1 || sql "INSERT INTO tenants (name) VALUES ('other')"
OTHER=$(furrow --tenant other key create app --scope voice 2>/dev/null)
for KEY in wrong "" "${APP}x"; do
    ask 401 /voice/transcribe -F "file=@$T/said.wav"
    holds "a['detail'] == 'Invalid API key'"
done
KEY=$SMS ask 403 /voice/transcribe -F "file=@$T/said.wav"
KEY=$APP
# Without a worker nothing is promised; what is not waited for is kept.
ask 503 /voice/transcribe -F "file=@$T/said.wav"
header Retry-After
holds "'No worker' in a['detail']"
ask 200 /voice/upload-async -F "file=@$T/said.wav"
FIRST=$(field task_id)
holds "a['status'] == 'processing' and a['status_url'] == '/voice/status/' + a['task_id']"
ask 200 "/voice/status/$FIRST"
holds "(a['status'], a['progress'], a['result'], a['error']) == ('PENDING', 0, None, None)"

# --- what is refused, and nothing is left of it --------------------------------------------
ask 422 /voice/transcribe -X POST
holds "a['detail'][0]['loc'] == ['body', 'file'] and a['detail'][0]['type'] == 'missing'"
ask 422 /voice/process-command -F "other=x"
ask 422 /voice/process-command -F "file=text"
ask 422 /voice/upload-async -H 'Content-Type: application/json' -d '{}'
ask 422 /asr-nlu -F "file=@$T/said.wav" -F language=amharic/x
ask 415 /voice/transcribe -H 'Content-Type: audio/wav' --data-binary "@$T/said.wav"
ask 400 /voice/transcribe -H 'Content-Type: multipart/form-data; boundary=x' --data-binary "@$T/said.wav"
ask 400 /voice/transcribe -F "file=@$T/words.txt"
holds "a['detail'] == 'Audio validation failed: Unsupported audio format: .txt. Supported formats: .wav, .mp3, .m4a, .aac, .flac, .ogg, .wma'"
ask 400 /voice/process-command -F "file=@$T/junk.mp3"
holds "a['detail'].startswith('Audio validation failed: Unsupported audio format: .mp3 by its name')"
ask 400 /voice/upload-async -F "file=@$T/junk;filename=../../etc/x.wav"
holds "a['detail'] == 'Invalid audio format. Supported: .wav, .mp3, .m4a, .ogg, .aiff'"
head -c 26300000 /dev/zero >"$T/huge"
ask 400 /voice/upload-async -F "file=@$T/huge"
holds "a['detail'] == 'Audio file too large (max 25MB)'"
ask 413 /voice/transcribe -F "file=@$T/huge"
ask 413 /voice/transcribe -H 'Transfer-Encoding: chunked' -F "file=@$T/huge"
KEY=wrong ask 401 /voice/transcribe -F "file=@$T/huge"
rm "$T/huge"
ask 404 /voice/status/nonsense
ask 404 /voice/status/00000000-0000-4000-8000-000000000000
holds "'Task not found' in a['detail']"
KEY=$OTHER ask 404 "/voice/status/$FIRST"
ask 405 /voice/transcribe
check "what was kept" 1 "$(sql 'SELECT count(*) FROM recordings')"
check "files" 1 "$(find "$T/data/uploads" -type f | wc -l)"

# --- what is done -------------------------------------------------------------------------------
start worker "$BIN/furrow-worker"
is_over() { ask 200 "/voice/status/$1" && grep -qE '"(SUCCESS|FAILURE)"' "$T/out"; }
wait_for 60 "what was sent first is done" is_over "$FIRST"
holds "(a['status'], a['progress'], a['stage'], a['error']) == ('SUCCESS', 100, 'Complete', None)"
holds "a['result']['transcript'].lower() == '$SAID'.lower() and a['result']['intent'] == 'record_commission'"
holds "a['result']['entities']['quantity'] == 5 and a['result']['entities']['batch_id'] is None and a['result']['batch']['quantity_kg'] == 300"
holds "a['result']['audio_metadata']['sample_rate'] == 16000 and a['result']['audio_metadata']['format'] == 'wav'"
holds "a['result']['batch']['status'] == 'PENDING_VERIFICATION' and a['result']['batch']['verification_token'].startswith('VRF-')"
holds "a['result']['batch']['message'] == 'Successfully commissioned 5 bags of Yirgacheffe from John' and a['result']['batch']['epcis_event']['bizStep']"
ask 200 /voice/transcribe -F "file=@$T/wide.aiff"
holds "a['transcript'].lower() == '$SAID'.lower() and a['language'] == 'en'"
holds "(a['audio_metadata']['sample_rate'], a['audio_metadata']['channels'], a['audio_metadata']['format']) == (44100, 2, 'aiff')"
holds "3 < a['audio_metadata']['duration_seconds'] < 12 and a['audio_metadata']['file_size_mb'] > 0.5"
grep -Eq '"duration_seconds":[0-9]+(\.[0-9]{1,3})?,' "$T/out" || fail "a duration that nobody measures so: $(cat "$T/out")"
check "a transcript is no command" 1 "$(sql 'SELECT count(*) FROM batches')"
ask 200 /asr-nlu -H "Authorization: Bearer $APP" -F "file=@$T/said.flac;filename=x.mp3"
holds "a['intent'] == 'record_commission' and a['entities']['product'] == 'Yirgacheffe' and a['audio_metadata'] is None"
check "told, not done" 1 "$(sql 'SELECT count(*) FROM batches')"
KEY='voice-ledger-secret-of-2024' ask 200 /voice/process-command -F "file=@$T/said.wav"
holds "a['result']['quantity_kg'] == 300 and a['error'] is None and a['intent'] == 'record_commission' and a['audio_metadata']['channels'] == 1"
ask 200 /voice/process-command -F "file=@$T/silence.wav"
holds "a['transcript'] == '' and a['result'] is None and a['error'].startswith('Nothing was heard')"
ask 422 /voice/transcribe -F "file=@$T/narrow.wav"
holds "'16 kHz' in a['detail'] and a['task_id'] in a['status_url']"
ask 200 "$(field status_url)"
holds "a['status'] == 'FAILURE' and 'wait' in a['error']"
ask 422 /voice/transcribe -F "file=@$T/said.wav" -F language=om
ask 400 /voice/transcribe -F "file=@$T/broken.wav"
holds "a['detail'].startswith('Audio validation failed: ')"
ask 400 /voice/process-command -F "file=@$T/long.wav"
holds "a['detail'] == 'Audio validation failed: Audio too long (max 600 seconds)'"
ask 200 /voice/upload-async -F "file=@$T/broken.wav"
LATE=$(field task_id)
wait_for 30 "the broken one fails" is_over "$LATE"
holds "a['status'] == 'FAILURE' and a['progress'] == 10 and a['error'].startswith('Audio validation failed')"
if command -v ffmpeg >/dev/null 2>&1; then
    ffmpeg -nostdin -loglevel error -i "$T/said.wav" "$T/said.m4a" 2>"$T/log/ffmpeg.log" || fail "ffmpeg writes no .m4a"
    ask 200 /voice/transcribe -F "file=@$T/said.m4a;filename=x.wav"
    holds "a['transcript'] and a['audio_metadata']['duration_seconds'] > 3 and a['audio_metadata']['format'] == 'm4a'"
    head -c 3000 "$T/said.m4a" >"$T/half.m4a"
    ask 400 /voice/transcribe -F "file=@$T/half.m4a"
fi

# --- the same key twice; too often --------------------------------------------------------------
ask 200 /voice/process-command -H 'Idempotency-Key: k1' -F "file=@$T/said.wav"
cp "$T/out" "$T/once"
batches=$(sql 'SELECT count(*) FROM batches')
ask 200 /voice/process-command -H 'Idempotency-Key: k1' -F "file=@$T/said.wav"
cmp -s "$T/out" "$T/once" || fail "another answer: $(cat "$T/out" "$T/once")"
check "one effect" "$batches" "$(sql 'SELECT count(*) FROM batches')"
ask 422 /voice/process-command -H 'Idempotency-Key: k1' -F "file=@$T/said.flac"
ask 422 /voice/upload-async -H 'Idempotency-Key: k1' -F "file=@$T/said.wav"
# Two at the same time are one.
before=$(sql 'SELECT count(*) FROM recordings')
for i in 1 2 3; do
    curl -s -m 60 -H "X-API-Key: $KEY" -H 'Idempotency-Key: k3' -F "file=@$T/said.wav" "$URL/voice/upload-async" >"$T/same.$i" &
    eval "same_$i=$!"
done
wait "$same_1" && wait "$same_2" && wait "$same_3" || fail "one of three at the same time"
check "answers" 1 "$(cat "$T/same.1" "$T/same.2" "$T/same.3" | sort -u | wc -l)"
check "one is kept" $((before + 1)) "$(sql 'SELECT count(*) FROM recordings')"
KEY=$OTHER ask 200 /voice/transcribe -H 'Idempotency-Key: k1' -F "file=@$T/said.wav"
furrow key limit app --per-minute 2 >/dev/null || fail "key limit"
ask 200 "/voice/status/$FIRST"
ask 200 "/voice/status/$FIRST"
ask 429 "/voice/status/$FIRST"
header Retry-After
furrow key limit app --per-minute none >/dev/null || fail "key limit none"
ask 200 "/voice/status/$FIRST"

# --- the speech service is away: told after a while, and done once it is back --------------------
stop server
rm "$T/port"
# What a server that died left: nobody's goes when one starts, what is still wanted stays.
GONE="$T/data/uploads/1-00000000-0000-4000-8000-00000000000a"
touch -d '2 hours ago' "$GONE" "$T/data/uploads/1-$FIRST"
sql "UPDATE recordings SET state = 'finished' WHERE id = '$FIRST'" >/dev/null
start server env FURROW_PORT=0 FURROW_PORT_FILE="$T/port" FURROW_VOICE_WAIT_S=1 \
    VOICE_LEDGER_API_KEY=the-key-of-before "$BIN/furrow-server" --profile voice-ledger
wait_for 20 "the server listens again" test -s "$T/port"
URL=http://127.0.0.1:$(cat "$T/port")
wait_for 20 "what is nobody's is removed" test ! -e "$GONE"
[ -e "$T/data/uploads/1-$FIRST" ] || fail "a file that is wanted was removed"
rm "$T/data/uploads/1-$FIRST"
sql "UPDATE recordings SET state = 'done' WHERE id = '$FIRST'" >/dev/null
KEY=the-key-of-before ask 200 "/voice/status/$FIRST"
KEY=the-key-of-befors ask 401 "/voice/status/$FIRST"
kill9 asr
ask 503 /voice/process-command -H 'Idempotency-Key: k2' -F "file=@$T/said.wav"
holds "'tried again' in a['detail']"
LATE=$(field task_id)
ask 200 "/voice/status/$LATE"
holds "a['status'] == 'TRANSCRIBING' and a['progress'] == 30 and a['error'] is None"
start asr "$BIN/furrow-asr-local" --port "$(cat "$T/asr.port")"
wait_for 60 "it is done after all" is_over "$LATE"
holds "a['status'] == 'SUCCESS' and a['result']['batch']['quantity_kg'] == 300"
ask 200 /voice/process-command -H 'Idempotency-Key: k2' -F "file=@$T/said.wav"

check "files left behind" '' "$(find "$T/data/uploads" "$T/data/media" -type f \( -path '*uploads*' -o -name 'part-*' \))"
check "messages to nobody" 0 "$(sql 'SELECT count(*) FROM messages')"

# --- it takes longer than a request may wait: told where to ask, and it goes on; whose it is ------
quietly furrow caller add +251911000009 --name Abebe --language en --approve
quietly furrow caller add +251911000010 --name Sara --language am --approve
quietly furrow jobs pause asr
for path in /voice/process-command /voice/transcribe /asr-nlu; do
    ask 504 "$path" -H "Idempotency-Key: k4$path" -F phone_number=+251911000009 -F "file=@$T/said.wav"
    holds "a['status_url'] == '/voice/status/' + a['task_id'] and 'status_url' in a['detail']"
    [ "$path" != /voice/process-command ] || LATE=$(field task_id)
done
ask 200 "/voice/status/$LATE"
holds "a['status'] == 'TRANSCRIBING'"
quietly furrow jobs resume asr
wait_for 60 "it went on" is_over "$LATE"
ask 200 /voice/process-command -H 'Idempotency-Key: k4/voice/process-command' -F phone_number=+251911000009 -F "file=@$T/said.wav"
holds "a['result']['quantity_kg'] == 300"
check "whose batch it is" 'Abebe 1' "$(sql "SELECT max(c.name) || ' ' || count(*) FROM batches b JOIN callers c ON c.id = b.created_by WHERE b.phone = 251911000009")"
wait_for 20 "who is told" sql_is "SELECT string_agg(phone || ' ' || kind, '|') FROM messages WHERE state = 'sent'" '251911000009 receipt'
ask 200 /voice/upload-async -F phone_number=+251911000010 -F "file=@$T/said.wav"
check "in the caller's own language" am "$(sql "SELECT language FROM recordings WHERE id = '$(field task_id)'")"
stop server
stop worker
echo ok
