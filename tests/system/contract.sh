#!/bin/sh
# The requests of tests/contract/*.json, in order, against a started server: each profile alone
# at the root, at a host name, on a listener of its own, and below its base path beside all others.
. "$(dirname "$0")/../lib.sh"
pg_start
redis_start
FURROW_SECRET_KEY=$("$BIN/furrow" provider key 2>/dev/null)
export FURROW_SECRET_KEY SALES_TRANSFER_NUMBER=+15551110001 SUPPORT_TRANSFER_NUMBER=+15551110002
PROFILES='plivo-ivr ivr-simulator voice-ledger'
MAIN=$DATABASE_URL
RUN="$FURROW_SOURCE/tests/contract/run.py --bin $BIN"

# A database as after 'furrow migrate', for each server.
fresh_database() {
    export DATABASE_URL="host=$T/pg-socket user=furrow dbname=$1"
    psql -qX -h "$T/pg-socket" -U furrow -d postgres -c "CREATE DATABASE $1 TEMPLATE furrow" || fail "CREATE DATABASE $1"
    redis_do flushall >/dev/null
}
serve() { # OPTIONS…: sets PORT
    rm -f "$T/port"
    start server env FURROW_PORT=0 FURROW_PORT_FILE="$T/port" "$BIN/furrow-server" "$@"
    wait_for 30 "the server listens" test -s "$T/port"
    PORT=$(cat "$T/port")
}
conforms() { # PROFILE URL
    # shellcheck disable=SC2086
    $RUN --url "$2" "$FURROW_SOURCE"/tests/contract/"$1"-*.json >"$T/result" 2>&1 || fail "$1 at $2: $(cat "$T/result")"
    echo "$1 at $2: $(tail -1 "$T/result")"
}

for profile in $PROFILES; do
    fresh_database "alone_$(echo "$profile" | tr - _)"
    serve --profile "$profile"
    conforms "$profile" "http://127.0.0.1:$PORT"
    curl -sf "http://127.0.0.1:$PORT/readyz" >/dev/null || fail "$profile alone is not ready"
    [ "$(curl -s -o "$T/out" -w '%{http_code}' "http://127.0.0.1:$PORT/hooks/x/voice")" = 404 ] || fail "$profile alone serves hooks"
    [ "$profile" != voice-ledger ] || check "recordings with a job, and words that they are at work on" "2|2|t" \
        "$(sql "SELECT (SELECT count(*) FROM recordings WHERE state = 'finished' AND location LIKE 'https://api.twilio.com/%'), (SELECT count(*) FROM recordings r JOIN jobs j ON j.payload::text LIKE '%' || r.id || '%' WHERE j.kind = 'recording.fetch' AND r.source = 'twilio'), (SELECT count(*) = 2 FROM messages WHERE body LIKE '%Processing your recording%')")"
    if [ "$profile" = plivo-ivr ]; then
        "$FURROW_SOURCE/deploy/plivo-ivr/smoke.sh" "http://127.0.0.1:$PORT" >"$T/result" || fail "smoke: $(cat "$T/result")"
        curl -s "http://127.0.0.1:$PORT/" | python3 -c 'import json, re, sys
spec = {m.upper() + " " + re.sub(r"\{(\w+)\}", r"<\1>", p) for p, ms in json.load(open(sys.argv[1]))["paths"].items() for m in ms}
index = {re.sub(r"\?.*", "", e) for e in json.load(sys.stdin)["endpoints"].values()} | {"GET /", "GET /api"}
sys.exit(0 if spec == index else f"not in both: {spec ^ index}")' "$FURROW_SOURCE/deploy/plivo-ivr/openapi.json" || fail "openapi.json and the index differ"
    fi
    stop server
done

fresh_database beside
export FURROW_PLIVO_IVR_HOST=ivr.example.test FURROW_VOICE_LEDGER_LISTEN=127.0.0.1:0 FURROW_IVR_SIMULATOR_ORIGINS=https://a.example,https://b.example FURROW_VOICE_LEDGER_ORIGINS=https://d.example
serve
conforms plivo-ivr "http://127.0.0.1:$PORT/plivo-ivr"
said() { curl -s -o "$T/out" -D "$T/headers" -w '%{http_code}' "$@"; }
# At a host name, whatever its port, the contract is at the root; elsewhere the path is unknown.
check "at its host name" 200 "$(said -H 'Host: ivr.example.test:8085' "http://127.0.0.1:$PORT/api")"
check "at another host name" 404 "$(said "http://127.0.0.1:$PORT/api")"
grep -q '"hint"' "$T/out" || fail "our own shape of errors: $(cat "$T/out")"
check "its shape at the host name" 404 "$(said -H 'Host: IVR.example.test' "http://127.0.0.1:$PORT/nothing")"
check "its words" '{"error":"Not Found"}' "$(cat "$T/out")"
OWN=$(cat "$T/port.voice-ledger")
check "on its own listener" 404 "$(said "http://127.0.0.1:$OWN/voice/nonsense")"
check "its words there" '{"detail":"Not Found"}' "$(cat "$T/out")"
check "another contract there" 404 "$(said "http://127.0.0.1:$OWN/plivo-ivr/api")"
check "ready there" 200 "$(said "http://127.0.0.1:$OWN/readyz")"
# A list of origins: one of them, another.
check "an origin of the list" 404 "$(said -H 'Origin: https://b.example' "http://127.0.0.1:$PORT/ivr-simulator/x")"
grep -qi '^Access-Control-Allow-Origin: https://b.example' "$T/headers" || fail "not allowed: $(cat "$T/headers")"
check "another origin" 404 "$(said -H 'Origin: https://c.example' "http://127.0.0.1:$PORT/ivr-simulator/x")"
! grep -qi '^Access-Control-Allow-Origin' "$T/headers" || fail "allowed: $(cat "$T/headers")"
check "an origin of another contract's list" 401 "$(said -H 'Origin: https://d.example' -F file=x "http://127.0.0.1:$PORT/voice-ledger/voice/transcribe")"
grep -qi '^Access-Control-Allow-Origin: https://d.example' "$T/headers" || fail "the voice API is not allowed: $(cat "$T/headers")"
check "not of that one" 401 "$(said -H 'Origin: https://b.example' -F file=x "http://127.0.0.1:$PORT/voice-ledger/voice/transcribe")"
! grep -qi '^Access-Control-Allow-Origin' "$T/headers" || fail "the voice API is allowed: $(cat "$T/headers")"
stop server
unset FURROW_IVR_SIMULATOR_ORIGINS FURROW_VOICE_LEDGER_ORIGINS
fresh_database beside_again
serve
conforms ivr-simulator "http://127.0.0.1:$PORT/ivr-simulator"
conforms voice-ledger "http://127.0.0.1:$PORT/voice-ledger"
stop server

# With an account, a carrier's word must be signed.
fresh_database signed
printf tok >"$T/token"
furrow provider add tw --kind twilio --account AC01 --token-file "$T/token" >"$T/out" || fail "$(cat "$T/out")"
furrow caller add +251911000101 --name Abebe --approve >"$T/out" || fail "$(cat "$T/out")"
export FURROW_VOICE_LEDGER_ACCOUNT=tw FURROW_PUBLIC_URL=https://voice.example.test/
serve
carrier() { "$FURROW_SOURCE/tests/system/hook_client.py" "$PORT" twilio "$@" | tr '\n' ' ' >"$T/out" || fail "the client"; }
for how in signature byte path; do
    carrier tok /voice-ledger/voice/ivr/incoming CallSid=CA1 From=+251911000101 To=+15550100 --break "$how"
    grep -q '^403 {"detail":"the signature' "$T/out" || fail "a broken $how is believed: $(cat "$T/out")"
done
carrier tok /voice-ledger/voice/ivr/incoming CallSid=CA1 From=+251911000101 To=+15550100 --break encoding
grep -q '^200 .*<Say .*There was an error.*<Hangup/>' "$T/out" || fail "garbled: $(cat "$T/out")"
check "nothing was changed" 0 "$(sql 'SELECT count(*) FROM calls')"
carrier tok /voice-ledger/voice/ivr/incoming CallSid=CA1 From=+251911000101 To=+15550100
grep -q '^200 .*action="https://voice.example.test/voice-ledger/voice/ivr/recording"' "$T/out" || fail "not believed: $(cat "$T/out")"
cp "$T/out" "$T/first"
# The same again is nothing new, whatever has become of the call.
carrier tok /voice-ledger/voice/ivr/recording CallSid=CA1 From=+251911000101 RecordingUrl=https://api.twilio.com/2010-04-01/Accounts/AC01/Recordings/RE1 RecordingSid=RE1 RecordingDuration=4
grep -q '^200 .*Your recording has been received' "$T/out" || fail "recorded: $(cat "$T/out")"
carrier tok /voice-ledger/voice/ivr/incoming CallSid=CA1 From=+251911000101 To=+15550100
cmp -s "$T/out" "$T/first" || fail "the first request again: $(cat "$T/out")"
check "calls" 1 "$(sql 'SELECT count(*) FROM calls')"
# The audio that its documents name lies beside them.
mkdir -p "$T/data/prompts"
asset=$(printf audio | sha256sum | cut -c1-64)
printf RIFF >"$T/data/prompts/$asset.wav"
check "a prompt" 200 "$(said "http://127.0.0.1:$PORT/voice-ledger/prompts/$asset.wav")"
# Another server goes on with a call of the first.
carrier tok /voice-ledger/voice/ivr/incoming CallSid=CA2 From=+251911000101 To=+15550100
grep -q '^200 .*<Record' "$T/out" || fail "a call at the first server: $(cat "$T/out")"
stop server
serve
carrier tok /voice-ledger/voice/ivr/recording CallSid=CA2 From=+251911000101 RecordingUrl=https://api.twilio.com/2010-04-01/Accounts/AC01/Recordings/RE2 RecordingSid=RE2 RecordingDuration=4
grep -q '^200 .*Your recording has been received' "$T/out" || fail "the second server: $(cat "$T/out")"
check "one call of the two" 2 "$(sql 'SELECT count(*) FROM calls')"
# A call that is asked for in three languages at once, each several times, is in one of them, and nobody hears an apology.
python3 - "$FURROW_SOURCE/tests/system" "$PORT" >"$T/out" <<'X' || fail "languages at once: $(cat "$T/out")"
import concurrent.futures, http.client, sys, threading, urllib.parse
sys.path.insert(0, sys.argv[1])
from hook_client import BASE, sign
pairs = [("CallSid", "CA3"), ("From", "+251911000101"), ("To", "+15550100")]
ready = threading.Barrier(18)
def ask(lang):
    path = "/voice-ledger/voice/ivr/incoming?lang=" + lang
    headers = sign("twilio", "tok", BASE + path, pairs, "", False)
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[2]), timeout=20)
    c.connect()
    ready.wait(20)
    c.request("POST", path, urllib.parse.urlencode(pairs), headers)
    r = c.getresponse()
    return lang, r.status, r.read().decode()
with concurrent.futures.ThreadPoolExecutor(18) as pool:
    answers = set(pool.map(ask, ["en", "am", "om"] * 6))
for lang, status, text in sorted(answers):
    print(lang, status, " ".join(text.split()))
sys.exit(len(answers) != 3 or any(s != 200 or "<Record" not in t for _, s, t in answers))
X
check "it is in one language" 1 "$(sql "SELECT count(*) FROM voice_sessions WHERE provider_call_id LIKE 'CA3%' AND ended_at IS NULL")"
check "and was begun once in each at most" t "$(sql "SELECT count(*) BETWEEN 1 AND 3 FROM voice_sessions WHERE provider_call_id LIKE 'CA3%'")"
stop server
unset FURROW_VOICE_LEDGER_ACCOUNT FURROW_PUBLIC_URL

# The settings of the system before: its token signs, its address is ours.
fresh_database settings_of_before
furrow caller add +251911000101 --name Abebe --approve >"$T/out" || fail "$(cat "$T/out")"
export TWILIO_AUTH_TOKEN=tok-before NGROK_URL=https://voice.example.test
serve --profile voice-ledger
for how in signature byte path; do
    carrier tok-before /voice/ivr/incoming CallSid=CA1 From=+251911000101 To=+15550100 --break "$how"
    grep -q '^403 {"detail":"the signature' "$T/out" || fail "a broken $how is believed with a token alone: $(cat "$T/out")"
done
carrier tok-other /voice/ivr/recording-status RecordingSid=RE1 RecordingStatus=completed
grep -q '^403 ' "$T/out" || fail "another token is believed: $(cat "$T/out")"
check "nothing was changed" 0 "$(sql 'SELECT count(*) FROM calls')"
carrier tok-before /voice/ivr/incoming CallSid=CA1 From=+251911000101 To=+15550100
grep -q '^200 .*action="https://voice.example.test/voice/ivr/recording"' "$T/out" || fail "a token alone: $(cat "$T/out")"
! grep -q 'tok-before' "$T/log/server.log" || fail "the log shows the token"
stop server
unset TWILIO_AUTH_TOKEN NGROK_URL

# What is wrong in the configuration is said.
DATABASE_URL=$MAIN
refused() { # PATTERN COMMAND…
    pattern_=$1 code=0
    shift
    "$@" >"$T/out" 2>&1 || code=$?
    [ "$code" != 0 ] && grep -q "$pattern_" "$T/out" || fail "$*: $code $(cat "$T/out")"
}
export FURROW_PORT=0
refused "want one of all|plivo-ivr" "$BIN/furrow-server" --profile nonsense
refused "there is no 'nonsense'" env FURROW_CONTRACTS=plivo-ivr,nonsense "$BIN/furrow-server"
refused "no place for ivr-simulator to listen" env FURROW_IVR_SIMULATOR_LISTEN=nowhere "$BIN/furrow-server"
refused "nobody" env FURROW_VOICE_LEDGER_ACCOUNT=nobody "$BIN/furrow-server"
psql -qX -h "$T/pg-socket" -U furrow -d postgres -c 'CREATE DATABASE bare' || fail "CREATE DATABASE bare"
refused "the database is empty: run 'furrow migrate'" env DATABASE_URL="host=$T/pg-socket user=furrow dbname=bare" "$BIN/furrow-server"
refused "no tenant 'nobody'" env FURROW_PLIVO_IVR_TENANT=nobody "$BIN/furrow-server"
echo "ok"
