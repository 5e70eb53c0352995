#!/bin/sh
# The contract plivo-ivr where requests alone cannot show it: who is believed, the same request told
# twice, two at once, Redis lost in mid-call, another server for the next digit, the database away.
. "$(dirname "$0")/../lib.sh"
export FURROW_PUBLIC_URL=https://voice.example.test PLIVO_AUTH_TOKEN=tok-plivo FURROW_PLIVO_IVR_TOKEN=tok-operator \
    SALES_TRANSFER_NUMBER=+15551110001 SUPPORT_TRANSFER_NUMBER=+15551110002
pg_start
redis_start
serve() { # NAME: sets PORT
    rm -f "$T/port"
    start "$1" env FURROW_PORT=0 FURROW_PORT_FILE="$T/port" "$BIN/furrow-server"
    wait_for 30 "the server listens" test -s "$T/port"
    PORT=$(cat "$T/port")
}
serve server
FIRST=$PORT
tell() { "$FURROW_SOURCE/tests/system/hook_client.py" "$PORT" plivo "$@" | tr '\n' ' ' >"$T/answer" || fail "the client"; }
# answers STATUS PATTERN TOKEN PATH NAME=VALUE… OPTIONS
answers() {
    want_=$1 pattern_=$2 token_=$3 path_=$4
    shift 4
    tell "$token_" "/plivo-ivr/api/$path_" "$@"
    grep -q "^$want_ .*$pattern_" "$T/answer" || fail "$path_ $*: wanted $want_ '$pattern_', got $(cat "$T/answer")"
}
operator() { curl -s -o "$T/out" -w '%{http_code}' -H 'Authorization: Bearer tok-operator' "$@"; }
truth() { sql "SELECT (SELECT count(*) FROM calls), (SELECT count(*) FROM call_events), (SELECT string_agg(l::text, ' ' ORDER BY id) FROM call_logs l), (SELECT count(*) FROM menu_configurations)"; }
path_of() { sql "SELECT menu_path || user_inputs FROM (SELECT menu_path, (SELECT jsonb_agg(i->>'digit') FROM jsonb_array_elements(user_inputs) i) AS user_inputs FROM call_logs WHERE call_uuid = '$1') x"; }

# ---- credentials of operators ---------------------------------------------------------------
B="http://127.0.0.1:$PORT/plivo-ivr/api"
for place in 'GET setup-db' 'GET call-logs' 'GET call-history/+1555' 'POST seed-menus' 'GET menus' 'PUT menus/main_menu' 'POST log-call' \
    'POST start-session?caller_id=x' 'GET get-session?caller_id=x' 'POST update-session?caller_id=x&step=y'; do
    check "$place without a credential" 401 "$(curl -s -o "$T/out" -w '%{http_code}' -X "${place%% *}" "$B/${place#* }")"
done
check "a wrong credential" 401 "$(curl -s -o "$T/out" -w '%{http_code}' -H 'X-API-Key: tok-operatox' "$B/call-logs")"
grep -q '^{"error":' "$T/out" || fail "its shape: $(cat "$T/out")"
check "what is open" 200 "$(curl -s -o "$T/out" -w '%{http_code}' "$B/health")"
check "seeded" 200 "$(operator -X POST "$B/seed-menus")"
check "with X-API-Key" 200 "$(curl -s -o "$T/out" -w '%{http_code}' -H 'X-API-Key: tok-operator' "$B/call-logs")"

# ---- who is believed ------------------------------------------------------------------------
before=$(truth)
set -- answer CallUUID=c1 From=+15551234567 To=+15559990000
answers 403 signature tok-plivo "$@" --break signature
answers 403 signature tok-plivo "$@" --break nonce
answers 403 signature tok-wrong "$@"
answers 403 signature tok-plivo "$@" --break byte
answers 403 signature tok-plivo "$@" --break path
answers 413 '' tok-plivo "$@" --break big
answers 200 '<Speak .*unavailable.*<Hangup/>' tok-plivo "$@" --break encoding
answers 403 signature tok-wrong "$@" --break encoding
answers 200 '<Speak .*System error.*<Hangup/>' tok-plivo handle-input CallUUID=c1 Digits=1 --break encoding
answers 400 '' tok-plivo hangup CallUUID=c1 HangupCause=NORMAL_CLEARING Duration=1 --break encoding
for place in handle-input hangup call/x/1/keys; do
    answers 403 signature tok-wrong "$place" CallUUID=c1 Digits=1
done
check "changed by what was refused" "$before" "$(truth)"
! grep -q 'tok-plivo\|tok-operator\|15551234567' "$T/log/server.log" || fail "the log shows a token or a number"
curl -s "http://127.0.0.1:$PORT/metrics" | grep -q '^furrow_hook_requests_total{result="refused"} [1-9]' || fail "refusals are not counted"

# ---- told twice -----------------------------------------------------------------------------
answers 200 'https://voice.example.test/plivo-ivr/api/handle-input' tok-plivo "$@" --nonce n1
cp "$T/answer" "$T/first"
answers 200 'Invalid input' tok-plivo handle-input CallUUID=c1 Digits=9 --nonce n2
cp "$T/answer" "$T/second"
before=$(truth)
answers 200 'Invalid input' tok-plivo handle-input CallUUID=c1 Digits=9 --nonce n2
cmp -s "$T/answer" "$T/second" || fail "another answer to the same request: $(cat "$T/answer")"
answers 200 'Welcome' tok-plivo "$@" --nonce n1
cmp -s "$T/answer" "$T/first" || fail "the first request again, later: $(cat "$T/answer")"
answers 403 'nonce was used' tok-plivo handle-input CallUUID=c1 Digits=1 --nonce n2
check "changed by the same again" "$before" "$(truth)"

# ---- Redis lost in mid-call; another server -------------------------------------------------
[ "$(redis_do ttl ivr:session:c1)" -gt 1700 ] || fail "the session is not in Redis"
redis_do flushall >/dev/null
answers 200 'Invalid input' tok-plivo handle-input CallUUID=c1 Digits=8 --nonce n3
[ "$(redis_do ttl ivr:session:c1)" -gt 1700 ] || fail "the session is not in Redis again"
# One that is there and says nothing, either: it is asked before the answer and told after it.
kill -STOP "$(pid_of redis)"
answers 200 'Invalid input' tok-plivo handle-input CallUUID=c1 Digits=7 --nonce n31 --took "$T/took"
kill -CONT "$(pid_of redis)"
[ "$(cat "$T/took")" -lt 1000 ] || fail "a Redis that says nothing cost the caller $(cat "$T/took") ms"
redis_kill
answers 200 'Connecting you to Sales' tok-plivo handle-input CallUUID=c1 Digits=1 --nonce n4
check "unhealthy without Redis" 503 "$(curl -s -o "$T/out" -w '%{http_code}' "$B/health")"
grep -q '"status":"unhealthy","redis":"error.*"postgres":"ok"' "$T/out" || fail "health: $(cat "$T/out")"
redis_start
healthy() { [ "$(curl -s -o "$T/out" -w '%{http_code}' "$B/health")" = 200 ]; }
wait_for 20 "Redis is back" healthy
DATABASE_URL="postgres://furrow@/furrow?host=$T/pg-socket" serve other
answers 200 'Thank you for calling' tok-plivo "$(sed -n 's/.*plivo-ivr.api.\(call[^"]*dialled\)".*/\1/p' "$T/answer")" CallUUID=c1 DialStatus=busy --nonce n5
answers 200 '' tok-plivo hangup CallUUID=c1 Duration=20 HangupCause=NORMAL_CLEARING --nonce n6
check "the path and the digits" '["main_menu", "sales_transfer", "9", "8", "7", "1"]' "$(path_of c1)"
check "the session is gone" 0 "$(redis_do exists ivr:session:c1)"
check "on the same engine" "1 completed" "$(sql "SELECT count(*), min(outcome) FROM calls" | tr '|' ' ')"

# ---- at once, by both servers ---------------------------------------------------------------
answers 200 'Welcome' tok-plivo answer CallUUID=c2 From=+15551234567 To=+15559990000 --nonce m0
pids=
for n in 1 2 3; do
    for port in "$PORT" "$FIRST"; do
        "$FURROW_SOURCE/tests/system/hook_client.py" "$port" plivo tok-plivo /plivo-ivr/api/handle-input CallUUID=c2 Digits=7 --nonce "m$n" >"$T/at-$n-$port" &
        pids="$pids $!"
    done
done
# shellcheck disable=SC2086
wait $pids
check "each has its document" 6 "$(cat "$T"/at-* | grep -c '^200 ')"
check "three digits, told twice each, at once" '["main_menu", "7", "7", "7"]' "$(path_of c2)"
# Eight digits, each told three times, all of them at the same moment.
answers 200 'Welcome' tok-plivo answer CallUUID=c6 From=+15551234567 To=+15559990000 --nonce p0
PYTHONPATH="$FURROW_SOURCE/tests/system" python3 - "$PORT" "$FIRST" >"$T/out" <<'P' || fail "at once: $(cat "$T/out")"
import http.client, sys, threading, urllib.parse
from hook_client import BASE, sign
path, told, start = "/plivo-ivr/api/handle-input", {}, threading.Barrier(24)
def tell(n, port):
    pairs, nonce = [("CallUUID", "c6"), ("Digits", str(7 + n % 3))], "p-%d" % n
    headers = dict(sign("plivo", "tok-plivo", BASE + path, pairs, nonce, False), **{"Content-Type": "application/x-www-form-urlencoded"})
    c = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
    c.connect()
    start.wait()
    c.request("POST", path, urllib.parse.urlencode(pairs), headers)
    r = c.getresponse()
    told.setdefault(n, set()).add((r.status, r.read()))
all_ = [threading.Thread(target=tell, args=(n, sys.argv[1 + (n + k) % 2])) for n in range(8) for k in range(3)]
for t in all_: t.start()
for t in all_: t.join()
sys.exit(0 if all(len(a) == 1 and min(a)[0] == 200 for a in told.values()) and len(told) == 8 else str(told))
P
check "each digit once" 8 "$(sql "SELECT jsonb_array_length(user_inputs) FROM call_logs WHERE call_uuid = 'c6'")"
answers 403 'nonce was used' tok-plivo hangup CallUUID=c2 Duration=5 --nonce m1
check "the call goes on" t "$(sql "SELECT end_time IS NULL FROM call_logs WHERE call_uuid = 'c2'")"
answers 200 'Connecting you to Support' tok-plivo handle-input CallUUID=c2 Digits=2 --nonce m4

# ---- what a digit costs ---------------------------------------------------------------------
answers 200 'Welcome' tok-plivo answer CallUUID=c3 From=+15551234567 To=+15559990000 --nonce k0
connections=$(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'furrow-server'")
redis_do config resetstat >/dev/null
answers 200 'Invalid' tok-plivo handle-input CallUUID=c3 Digits=6 --nonce k1
check "one read and one write of the session" "1 1" "$(redis_do info commandstats | tr -d '\r' | sed -n 's/^cmdstat_\(get\|set\):calls=\([0-9]*\),.*/\2/p' | tr '\n' ' ' | sed 's/ $//')"
check "no new connection" "$connections" "$(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'furrow-server'")"

# ---- half an hour, anew with each step ------------------------------------------------------
answers 200 'Welcome' tok-plivo answer CallUUID=c8 From=+15551234567 To=+15559990000 --nonce r0
redis_do expire ivr:session:c8 100 >/dev/null
answers 200 'Invalid input' tok-plivo handle-input CallUUID=c8 Digits=7 --nonce r1
[ "$(redis_do ttl ivr:session:c8)" -gt 1700 ] || fail "a digit does not renew the session: $(redis_do ttl ivr:session:c8)"
answers 200 '' tok-plivo hangup CallUUID=c8 --nonce r2
check "a caller's session" 200 "$(operator -X POST "$B/start-session?caller_id=%2B1777")"
redis_do expire ivr:caller:1:+1777 100 >/dev/null
check "moved on" 200 "$(operator -X POST "$B/update-session?caller_id=%2B1777&step=x")"
[ "$(redis_do ttl ivr:caller:1:+1777)" -gt 1700 ] || fail "a step does not renew a caller's session: $(redis_do ttl ivr:caller:1:+1777)"

# ---- an expired session ---------------------------------------------------------------------
redis_do flushall >/dev/null
sql "UPDATE call_logs SET updated_at = updated_at - interval '31 minutes' WHERE call_uuid = 'c3'"
answers 200 'Your session has expired. Please call back.' tok-plivo handle-input CallUUID=c3 Digits=1 --nonce k2
answers 200 '' tok-plivo hangup CallUUID=c3 Duration=1900 --nonce k3
answers 200 'Welcome' tok-plivo answer CallUUID=c7 From=+15551234567 To=+15559990000 --nonce e0
sql "UPDATE call_logs SET updated_at = updated_at - interval '31 minutes' WHERE call_uuid = 'c7'"
redis_do flushall >/dev/null
answers 200 'Welcome' tok-plivo answer CallUUID=c7 From=+15551234567 To=+15559990000 --nonce e1
check "an expired call's id begins another" 2 "$(sql "SELECT count(*) FROM call_logs WHERE call_uuid LIKE 'c7%'")"
check "its log all the same" 1900 "$(sql "SELECT duration FROM call_logs WHERE call_uuid = 'c3'")"
check "sessions of callers survive Redis" 200 "$(operator -X POST "$B/start-session?caller_id=+1999")"
redis_do flushall >/dev/null
check "read from the copy" 200 "$(operator "$B/get-session?caller_id=+1999")"
sql "UPDATE caller_sessions SET expires_at = expires_at - interval '31 minutes'"
check "which lapses, too" 404 "$(operator "$B/get-session?caller_id=+1999")"

# ---- the database away ----------------------------------------------------------------------
answers 200 'Welcome' tok-plivo answer CallUUID=c4 From=+15557654321 To=+15559990000 --nonce d0
answers 200 'Connecting' tok-plivo handle-input CallUUID=c4 Digits=1 --nonce d1
stop other
PORT=$FIRST
pg_stop
answers 200 'Sorry, our system is unavailable. Please try later.</Speak><Hangup/>' tok-plivo answer CallUUID=c5 From=+15557654321 To=+15559990000 --nonce d2
answers 200 'System error. Please try later.</Speak><Hangup/>' tok-plivo handle-input CallUUID=c4 Digits=1 --nonce d3
answers 200 '' tok-plivo hangup CallUUID=c4 Duration=33 HangupCause=NORMAL_CLEARING --nonce d4
check "the session waits for its log" 1 "$(redis_do exists ivr:session:c4)"
check "operators hear of it" 503 "$(operator "$B/call-logs")"
cp "$T/out" "$T/refused"
check "unhealthy without the database" 503 "$(curl -s -o "$T/out" -w '%{http_code}' "$B/health")"
grep -q '"status":"unhealthy","redis":"ok","postgres":"error' "$T/out" || fail "health: $(cat "$T/out")"
! grep -qi 'pg-socket\|libpq' "$T/out" || fail "health tells too much: $(cat "$T/out")"
check "another contract's health" 200 "$(curl -s -o "$T/out" -w '%{http_code}' "http://127.0.0.1:$PORT/voice-ledger/voice/ivr/health")"
grep -q '"status":"degraded"' "$T/out" || fail "its calls are told to be well: $(cat "$T/out")"
mv "$T/refused" "$T/out"
grep -q '"error"' "$T/out" && ! grep -qi 'select\|pg-socket' "$T/out" || fail "what they hear: $(cat "$T/out")"
pg_start
wait_for 30 "the log is written once the database is back" sql_is "SELECT duration || ' ' || hangup_cause FROM call_logs WHERE call_uuid = 'c4'" '33 NORMAL_CLEARING'
check "and the caller's history" 1 "$(sql "SELECT total_calls FROM caller_history WHERE phone = 15557654321")"
gone_from_redis() { [ "$(redis_do exists ivr:session:c4)" = 0 ]; }
wait_for 10 "then the session goes" gone_from_redis
echo "ok"
