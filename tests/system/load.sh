#!/bin/sh
# More to do than can be done: the database is held by a lock. Whoever can ask again is told so, whoever
# listens hears the apology, and who is not the provider is nobody; then all of it goes on.
. "$(dirname "$0")/../lib.sh"
FURROW_SECRET_KEY=$("$BIN/furrow" provider key 2>/dev/null)
export FURROW_SECRET_KEY FURROW_PUBLIC_URL=https://voice.example.test
pg_start
redis_start
serve() {
    rm -f "$T/port"
    start server env FURROW_PORT=0 FURROW_PORT_FILE="$T/port" "$@" "$BIN/furrow-server"
    wait_for 20 "the server listens" test -s "$T/port"
    PORT=$(cat "$T/port")
}
# Two threads: as soon as two callers wait for the database, nothing else is served.
serve FURROW_THREADS=2 FURROW_SHED_REST_AFTER_MS=300 FURROW_SHED_CALLBACK_AFTER_MS=300 FURROW_SHED_VOICE_AFTER_MS=300 \
    FURROW_HOOK_STATEMENT_MS=0 FURROW_HOOK_ANSWER_MS=0
quietly() { "$@" >>"$T/log/cli.log" 2>&1 || fail "$*"; }
printf tok >"$T/token"
quietly furrow provider add tw --kind twilio --account AC01 --token-file "$T/token"
HOOK=/hooks/$(furrow provider show tw --json | python3 -c 'import json, sys
print(json.load(sys.stdin)["webhooks"].split("/hooks/")[1])')
cat >"$T/menu.json" <<'J'
{"furrow": 1, "name": "menu", "language": "en", "entry": "m", "nodes": {
 "m": {"kind": "collect", "prompt": {"en": "Press one."}, "max": 1, "timeout_s": 5, "exits": {"1": "bye", "invalid": "bye", "no_input": "bye"}},
 "bye": {"kind": "hangup", "prompt": {"en": "Goodbye."}, "outcome": "done"}}}
J
quietly furrow flow publish "$T/menu.json"
quietly furrow extension add 15550100 --flow menu
KEY=$(furrow key create app --scope opt_outs --scope voice --json | python3 -c 'import json, sys
print(json.load(sys.stdin)["key"])')
# says FILE STATUS WORD: an answer has that status and says that
says() { tr '\n' ' ' <"$1" | grep -q "^$2 .*$3"; }
ask() { "$FURROW_SOURCE/tests/system/hook_client.py" "$PORT" twilio "$@"; }
# call SID [TOKEN]: the first webhook of a call in
call() { ask "${2:-tok}" "$HOOK/voice" CallSid="$1" From=+251911000001 To=+15550100 CallStatus=ringing; }
rest() { curl -s -m 60 -D "$T/head" -o "$T/body" -w '%{http_code}' "http://127.0.0.1:$PORT$@" -H "Authorization: Bearer $KEY"; }
opt_out() { rest /v1/opt-outs -H 'Content-Type: application/json' -d '{"phone": "+251911000009"}'; }
upload() { rest /voice-ledger/voice/upload-async -F "file=@$T/long.wav"; }
told() { ask tok "$HOOK/status" CallSid=CA0 CallStatus=completed "SequenceNumber=$1"; }
counted() { curl -s -m 60 "http://127.0.0.1:$PORT/metrics" | grep -q "^$1"; }
ready_is() { curl -s -m 60 "http://127.0.0.1:$PORT/readyz" | grep -q "$1"; }
head -c 200000 /dev/zero >"$T/long.wav"

call CA0 >"$T/answer"
says "$T/answer" 200 'Press one' || fail "a call: $(cat "$T/answer")"
check "nothing is wrong" ok "$(curl -s "http://127.0.0.1:$PORT/healthz")"
ready_is '"degraded":false' || fail "nothing is wrong: $(curl -s "http://127.0.0.1:$PORT/readyz")"

# ---- held ----
hold() {
    mkfifo "$T/holds.$1"
    start "holder$1" psql "$DATABASE_URL" -XqAt -f "$T/holds.$1"
    exec 9>"$T/holds.$1"
    echo 'BEGIN; LOCK TABLE voice_sessions, dnc_entries IN ACCESS EXCLUSIVE MODE;' >&9
    wait_for 20 "the tables are locked" sql_is "SELECT count(*) > 0 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted" t
}
hold 1
for n in 1 2; do
    start "caller$n" sh -c "'$FURROW_SOURCE/tests/system/hook_client.py' '$PORT' twilio tok '$HOOK/voice' CallSid=CA$n From=+25191100000$n To=+15550100 CallStatus=ringing >'$T/caller$n'"
done
wait_for 30 "two callers wait for the database" counted 'furrow_requests_running{class="voice"} 2'
call CA3 >"$T/answer"
says "$T/answer" 200 '<Say .*<Hangup/>' || fail "a caller beyond that hears the apology: $(cat "$T/answer")"
call CA4 wrong >"$T/answer"
grep -q '^403 ' "$T/answer" || fail "forged: $(cat "$T/answer")"
told 1 >"$T/answer"
grep -q '^503 ' "$T/answer" && grep -q '^Retry-After: 5' "$T/answer" || fail "a status callback: $(cat "$T/answer")"
# It is not looked at: a stranger, and who knows no webhook of ours, hears the same and learns nothing.
same() { sed -e '/^Date:/d' "$1" | cmp -s - "$T/told"; }
sed -e '/^Date:/d' "$T/answer" >"$T/told"
ask wrong "$HOOK/status" CallSid=CA0 CallStatus=completed SequenceNumber=7 >"$T/answer"
same "$T/answer" || fail "a forged status callback: $(cat "$T/answer")"
ask tok /hooks/00000000-0000-4000-8000-000000000000/status CallSid=CA0 CallStatus=completed SequenceNumber=8 >"$T/answer"
same "$T/answer" || fail "a status callback to nobody: $(cat "$T/answer")"
check "a request to the API" 503 "$(opt_out)"
grep -qi '^Retry-After: 5' "$T/head" && grep -q overloaded "$T/body" || fail "a request to the API: $(cat "$T/head" "$T/body")"
check "an upload" 503 "$(upload)"
grep -qi '^Retry-After: 5' "$T/head" && grep -q '"detail"' "$T/body" || fail "an upload: $(cat "$T/head" "$T/body")"
curl -s "http://127.0.0.1:$PORT/healthz" | grep -q '^degraded: .*shed' || fail "/healthz does not say it"
check "ready" 503 "$(rest /readyz)"
grep -q '"degraded":true' "$T/body" || fail "/readyz: $(cat "$T/body")"
curl -s -m 60 "http://127.0.0.1:$PORT/metrics" >"$T/metrics"
for class in rest callback voice; do
    grep -q "^furrow_requests_shed_total{class=\"$class\"} [1-9]" "$T/metrics" || fail "shed requests of class $class are not counted"
done
grep -q '^furrow_hook_requests_total{result="shed"} 1' "$T/metrics" || fail "shed webhooks are not counted"

# ---- and let go ----
echo 'COMMIT;' >&9
exec 9>&-
for n in 1 2; do
    wait_for 30 "the caller who waited is served" says "$T/caller$n" 200 'Press one'
done
call CA3 >"$T/answer"
says "$T/answer" 200 'Press one' || fail "after that: $(cat "$T/answer")"
told 1 >"$T/answer"
grep -q '^200 ' "$T/answer" || fail "the status callback again: $(cat "$T/answer")"
opt_out | grep -q '^2' || fail "the request to the API again: $(cat "$T/body")"
wait_for 30 "nothing is wrong any more" ready_is '"degraded":false'
check "calls, each once" 4 "$(sql 'SELECT count(*) FROM calls')"

# ---- as it is without being told: what takes too long is given up, and a caller waits for no more than a second ----
stop server
unset FURROW_HOOK_ANSWER_MS
serve FURROW_THREADS=1
within_a_second() { # WHAT FILE: by the client's watch
    [ "$(cat "$2")" -lt 1000 ] || fail "$1 took $(cat "$2") ms"
}
call CA5 >"$T/answer"
says "$T/answer" 200 'Press one' || fail "before it: $(cat "$T/answer")"
hold 2
# One after another, before the one before is through: some wait for the lock, some for the thread, some for both.
for n in 1 2 3 4 5 6 7 8; do
    start "held$n" sh -c "'$FURROW_SOURCE/tests/system/hook_client.py' '$PORT' twilio tok '$HOOK/voice' CallSid=CA6$n From=+25191100000$n To=+15550100 CallStatus=ringing --took '$T/took$n' >'$T/held$n'"
done
for n in 1 2 3 4 5 6 7 8; do
    wait_for 30 "a held caller is answered" test -s "$T/held$n"
    says "$T/held$n" 200 '<Say .*<Hangup/>' || fail "given up: $(cat "$T/held$n")"
    within_a_second "a held caller's apology" "$T/took$n"
done
# A status callback, which nobody listens to, has more time.
told 9 >"$T/answer" &
wait_for 30 "the status callback waits" counted 'furrow_requests_running{class="callback"} 1'
echo 'COMMIT;' >&9
exec 9>&-
wait $!
grep -q '^200 ' "$T/answer" || fail "the status callback that waited: $(cat "$T/answer")"

# ---- a database that is there and says nothing ----
call CA7 >"$T/answer"
says "$T/answer" 200 'Press one' || fail "before it: $(cat "$T/answer")"
freeze() { kill "-$1" $(pgrep -P "$(pid_of postgres)") "$(pid_of postgres)"; }
# Of several accounts at once, each of which would be looked up again by now: that too is of the same second.
hook_of() { furrow provider show "$1" --json | python3 -c 'import json, sys
print("/hooks/" + json.load(sys.stdin)["webhooks"].split("/hooks/")[1])'; }
hooks=$HOOK
for n in 2 3 4 5 6; do
    quietly furrow provider add "tw$n" --kind twilio --account "AC0$n" --token-file "$T/token"
    hooks="$hooks $(hook_of "tw$n")"
done
for hook in $hooks; do
    ask tok "$hook/voice" CallSid=CA80 From=+251911000001 To=+15550100 CallStatus=ringing >"$T/answer"
    says "$T/answer" 200 'Press one' || fail "before it: $(cat "$T/answer")"
done
looked_up=$(date +%s)
no_longer_fresh() { [ "$(date +%s)" -gt $((looked_up + 3)) ]; }
wait_for 20 "the accounts were looked up over two seconds ago" no_longer_fresh
freeze STOP
asked='' n=0
for hook in $hooks; do
    n=$((n + 1))
    timeout 8 "$FURROW_SOURCE/tests/system/hook_client.py" "$PORT" twilio tok "$hook/voice" CallSid=CA8 From=+251911000001 To=+15550100 CallStatus=ringing \
        --took "$T/took$n" >"$T/silent$n" &
    asked="$asked $!"
done
wait $asked || :
# Nor by those who come later, when a connection is to be made first.
for n in 7 8 9; do
    timeout 8 "$FURROW_SOURCE/tests/system/hook_client.py" "$PORT" twilio tok "$HOOK/voice" CallSid="CA8$n" From=+251911000001 To=+15550100 \
        CallStatus=ringing --took "$T/took$n" >"$T/silent$n" || :
done
freeze CONT
for n in 1 2 3 4 5 6 7 8 9; do
    says "$T/silent$n" 200 '<Say .*<Hangup/>' || fail "silent: $(cat "$T/silent$n")"
    within_a_second "the apology of a silent database" "$T/took$n"
done
served_again() { call CA9 | grep -q 'Press one'; }
wait_for 20 "callers are served again" served_again

# ---- and to who may ask again ----
stop server
serve FURROW_API_STATEMENT_MS=300 FURROW_PLIVO_IVR_TOKEN=
opt_out | grep -q '^2' || fail "before it: $(cat "$T/body")"
freeze STOP
# One after the other, and all at once: nobody waits for ever, whatever was asked.
refused() { # NAME PATH [CURL OPTIONS…]
    name_=$1
    shift
    code_=$(curl -s -m 15 -D "$T/head.$name_" -o "$T/body.$name_" -w '%{http_code}' -H "Authorization: Bearer $KEY" "http://127.0.0.1:$PORT$@") || :
    [ "$code_" = 503 ] && grep -qi '^Retry-After: [0-9]' "$T/head.$name_" || echo "$name_: $code_ $(cat "$T/head.$name_")" >>"$T/unrefused"
}
: >"$T/unrefused"
refused opt_out /v1/opt-outs -H 'Content-Type: application/json' -d '{"phone": "+251911000008"}'
refused again /v1/opt-outs -H 'Content-Type: application/json' -d '{"phone": "+251911000008"}'
asked=
for ask in 'task /voice-ledger/voice/status/00000000-0000-4000-8000-000000000000' "upload /voice-ledger/voice/upload-async -F file=@$T/long.wav" \
    'verify /voice-ledger/verify/VRF-ABCDEFGH-01234567' 'menus /plivo-ivr/api/menus'; do
    refused $ask & # in its words
    asked="$asked $!"
done
wait $asked
code=$(curl -s -m 10 -o "$T/metrics" -w '%{http_code}' "http://127.0.0.1:$PORT/metrics") || :
freeze CONT
check "requests to a database that says nothing" '' "$(cat "$T/unrefused")"
check "metrics meanwhile" 200 "$code"
opted_out() { opt_out | grep -q '^2'; }
wait_for 20 "requests are served again" opted_out
check "what was refused is not written" 0 "$(sql 'SELECT count(*) FROM dnc_entries WHERE phone = 251911000008')"
echo ok
