#!/bin/sh
# Webhooks of providers: who is believed, that a request told twice is done once, and that one
# that is refused changes nothing. Messages in and delivery reports, for each provider.
. "$(dirname "$0")/../lib.sh"
. "$FURROW_SOURCE/tests/providers.sh"
pg_start
server_start

printf tok-twilio >"$T/t1"
printf tok-plivo >"$T/t2"
printf key-at >"$T/t3"
printf tok-other >"$T/t4"
furrow provider add tw --kind twilio --account AC01 --token-file "$T/t1" >"$T/out" || fail "$(cat "$T/out")"
furrow provider add pl --kind plivo --account MA01 --token-file "$T/t2" >"$T/out" || fail "$(cat "$T/out")"
furrow provider add at --kind africastalking --account coop --token-file "$T/t3" >"$T/out" || fail "$(cat "$T/out")"
furrow tenant add other >/dev/null || fail "tenant add"
furrow --tenant other provider add tw --kind twilio --account AC02 --token-file "$T/t4" >"$T/out" || fail "$(cat "$T/out")"
TW=$(hook_of tw) PL=$(hook_of pl) AT=$(hook_of at)

# A number that is answered.
printf '{"furrow": 1, "name": "bye", "language": "en", "entry": "bye", "nodes": {"bye": {"kind": "hangup", "prompt": {"en": "Goodbye."}}}}' >"$T/bye.json"
furrow flow publish "$T/bye.json" >"$T/out" 2>&1 || fail "$(cat "$T/out")"
furrow extension add 15550188 --flow bye >"$T/out" 2>&1 || fail "$(cat "$T/out")"

ask() {
    "$FURROW_SOURCE/tests/system/hook_client.py" "$PORT" "$@" >"$T/said" || fail "the client"
    tr '\n' ' ' <"$T/said" >"$T/answer"
}
# answers STATUS PATTERN KIND TOKEN PATH NAME=VALUE…
answers() {
    want_=$1 pattern_=$2
    shift 2
    ask "$@"
    grep -q "^$want_ .*$pattern_" "$T/answer" || fail "$*: wanted $want_ '$pattern_', got $(cat "$T/answer")"
}
# All that a webhook could change.
truth() {
    sql "SELECT (SELECT count(*) FROM dnc_entries), (SELECT count(*) FROM dnc_entries WHERE removed_at IS NULL),
        (SELECT count(*) FROM messages), (SELECT string_agg(state || error || provider_id, ',' ORDER BY id) FROM messages),
        (SELECT count(*) FROM provider_events), (SELECT count(*) FROM calls), (SELECT count(*) FROM voice_sessions)"
}
refused() {
    before_=$(truth)
    answers "$@"
    check "changed by a refused $*" "$before_" "$(truth)"
}

# ---- who is believed --------------------------------------------------------------------
set -- "/hooks/$TW/sms" MessageSid=SM1 From=+251911000001 To=+15550100 Body=STOP
refused 403 'signature' twilio tok-twilio "$@" --break signature
refused 403 'signature' twilio tok-wrong "$@"
refused 403 'signature' twilio tok-other "$@"
refused 403 'signature' twilio tok-twilio "$@" --break byte
refused 403 'signature' twilio tok-twilio "$@" --break path
refused 413 '' twilio tok-twilio "$@" --break big
refused 400 'UTF-8' twilio tok-twilio "$@" --break encoding
refused 404 'no such path' twilio tok-twilio /hooks/00000000-0000-4000-8000-000000000000/sms Body=STOP
refused 404 '' twilio tok-twilio /hooks/nonsense/sms Body=STOP
set -- "/hooks/$PL/sms" MessageUUID=m1 From=251911000002 To=15550100 Text=STOP
refused 403 'signature' plivo tok-plivo "$@" --v2 --break signature
refused 403 'signature' plivo tok-plivo "$@" --v2 --break nonce
refused 403 'signature' plivo tok-wrong "$@" --v2
refused 403 'signature' plivo tok-plivo "$@" --break byte
refused 403 'signature' twilio tok-twilio "$@"
grep -q 'refused=unsigned: ' "$T/log/server.log" || fail "an unsigned one is not logged"
grep -q 'refused=signature: it is signed with another token, or for another URL than "https://voice.example.test"' "$T/log/server.log" || fail "a wrong signature is not logged"
answers 200 'Reject' twilio tok-twilio "/hooks/$TW/voice" CallSid=CA0 From=+251911000003 To=+15550177 CallStatus=ringing
grep -q 'refused=no_such_number to="+15550177"' "$T/log/server.log" || fail "the number that nobody answers is not named"
# A caller hears why nothing comes of it, if it is the provider who garbles; who is not, hears nothing.
set -- CallSid=CA1 From=+251911000003 To=+15550188 CallStatus=ringing
refused 200 '<Response>.*<Say .*sorry.*<Hangup/>' twilio tok-twilio "/hooks/$TW/voice" "$@" --break encoding
refused 403 'signature' twilio tok-wrong "/hooks/$TW/voice" "$@" --break encoding
refused 200 '<Response>.*<Say .*sorry.*<Hangup/>' twilio tok-twilio "/hooks/$TW/voice/00000000-0000-4000-8000-000000000001" "$@" --break encoding
refused 400 'UTF-8' twilio tok-twilio "/hooks/$TW/status" "$@" --break encoding
set -- CallUUID=CA1 From=251911000003 To=15550188 CallStatus=ringing
refused 200 '<Response>.*<Speak .*sorry.*<Hangup' plivo tok-plivo "/hooks/$PL/voice" "$@" --break encoding
refused 403 'signature' plivo tok-wrong "/hooks/$PL/voice" "$@" --break encoding
[ "$(grep -c 'status=200 refused=parameters are not UTF-8 text' "$T/log/server.log")" = 3 ] || fail "what is garbled is not logged"
! grep -q 'tok-\|251911000001' "$T/log/server.log" || fail "the log shows a token or a number"
curl -s "http://127.0.0.1:$PORT/metrics" | grep -q '^furrow_hook_requests_total{result="refused"} 1[0-9]' || fail "refusals are not counted"

# ---- STOP, START, HELP --------------------------------------------------------------------
in_force() { sql "SELECT count(*) FROM dnc_entries WHERE phone = $1 AND removed_at IS NULL AND source = 'sms'"; }
set -- "/hooks/$TW/sms" MessageSid=SM1 From=+251911000001 To=+15550100 Body=STOP
answers 200 '<Response></Response>' twilio tok-twilio "$@"
check "STOP over Twilio" 1 "$(in_force 251911000001)"
check "its answer" 1 "$(sql "SELECT count(*) FROM messages WHERE phone = 251911000001 AND kind = 'reply'")"
after=$(truth)
answers 200 '<Response></Response>' twilio tok-twilio "$@"
check "changed by the same again" "$after" "$(truth)"
answers 200 '<Response></Response>' twilio tok-twilio "/hooks/$TW/sms" MessageSid=SM2 From=+251911000001 To=+15550100 Body=START
check "START" 0 "$(in_force 251911000001)"
answers 200 '<Response></Response>' twilio tok-twilio "/hooks/$TW/sms" MessageSid=SM3 From=+251911000003 Body=አቁም
check "STOP in Amharic" 1 "$(in_force 251911000003)"
answers 200 '<Response></Response>' plivo tok-plivo "/hooks/$PL/sms" --v2 --nonce 1 MessageUUID=m2 From=251911000002 Text=dhaabi
check "STOP in Oromo over Plivo, without a plus" 1 "$(in_force 251911000002)"
after=$(truth)
refused 403 'nonce was used' plivo tok-plivo "/hooks/$PL/sms" --v2 --nonce 1 MessageUUID=m2 From=251911000009 Text=dhaabi
answers 200 '<Response></Response>' plivo tok-plivo "/hooks/$PL/sms" --v2 --nonce 1 MessageUUID=m2 From=251911000002 Text=dhaabi
check "changed by Plivo's same again" "$after" "$(truth)"
answers 200 '' africastalking - "/hooks/$AT/sms" id=a1 from=+251911000004 text=stop to=1234 date=x
check "STOP over Africa's Talking" 1 "$(in_force 251911000004)"
answers 200 '<Response></Response>' twilio tok-twilio "/hooks/$TW/sms" MessageSid=SM5 From=COOP Body=STOP
check "from a name, not a number" 4 "$(sql 'SELECT count(*) FROM dnc_entries')"
# Told again with a nonce of its own, after the person has changed their mind.
answers 200 '<Response></Response>' plivo tok-plivo "/hooks/$PL/sms" --v2 --nonce 2 MessageUUID=m3 From=251911000002 Text=jalqabi
answers 200 '<Response></Response>' plivo tok-plivo "/hooks/$PL/sms" --v2 --nonce 3 MessageUUID=m4 From=251911000002 Text=dhaabi
answers 200 '<Response></Response>' plivo tok-plivo "/hooks/$PL/sms" --v2 --nonce 4 MessageUUID=m3 From=251911000002 Text=jalqabi
check "an old START that is told late" 1 "$(in_force 251911000002)"

# A gateway that gives no ids: the second STOP is the same request as the first.
furrow provider add gw --kind http --token-file "$T/t3" --settings '{"inbound": {"from": "from", "text": "text", "region": "ET"}}' >"$T/out" || fail "$(cat "$T/out")"
GW=$(hook_of gw)
for word in STOP START STOP STOP; do
    answers 200 '' http - "/hooks/$GW/sms" from=0911000031 text=$word
done
check "STOP, START, STOP without ids" 1 "$(in_force 251911000031)"

# ---- delivery reports ---------------------------------------------------------------------
# A message that an account sent.
sent() { # PHONE PROVIDER PROVIDER_ID
    sql "INSERT INTO messages (id, tenant_id, dedupe_key, phone, kind, body, state, account_id, provider_id, created_at, sent_at)
        SELECT gen_random_uuid(), 1, '$3', $1, 'flow', 'x', 'sent', id, '$3', now(), now() FROM provider_accounts
        WHERE name = '$2' AND tenant_id = 1 RETURNING id"
}
state_of() { sql "SELECT state || ' ' || error FROM messages WHERE id = '$1'"; }
M=$(sent 251911000010 tw SM10)
answers 200 '' twilio tok-twilio "/hooks/$TW/message/$M" MessageSid=SM10 MessageStatus=delivered
check "delivered" 'delivered ' "$(state_of "$M")"
answers 200 '' twilio tok-twilio "/hooks/$TW/message/$M" MessageSid=SM10 MessageStatus=sent
check "a late 'sent'" 'delivered ' "$(state_of "$M")"
M=$(sent 251911000011 tw SM11)
answers 200 '' twilio tok-twilio "/hooks/$TW/message/$M" MessageSid=SM11 MessageStatus=undelivered ErrorCode=30003
check "undelivered, and why" t "$(sql "SELECT state = 'undelivered' AND error LIKE '%30003%' FROM messages WHERE id = '$M'")"
# Another account's message, and one that there is not.
M=$(sent 251911000012 pl P12)
refused_=$(state_of "$M")
answers 404 'no such message' twilio tok-twilio "/hooks/$TW/message/$M" MessageSid=SM12 MessageStatus=failed
check "another account's report" "$refused_" "$(state_of "$M")"
answers 404 'no such message' twilio tok-twilio "/hooks/$TW/message/00000000-0000-4000-8000-000000000000" MessageStatus=failed
answers 200 '' plivo tok-plivo "/hooks/$PL/message/$M" --v2 --nonce 5 MessageUUID=P12 Status=delivered ErrorCode=000
check "Plivo's report" 'delivered ' "$(state_of "$M")"
M=$(sent 251911000013 at ATXid_13)
answers 200 '' africastalking - "/hooks/$AT/message" id=ATXid_13 status=Success phoneNumber=+251911000013
check "Africa's Talking's report" 'delivered ' "$(state_of "$M")"

# ---- an account that is removed while a call is up -------------------------------------------
calls() { sql "SELECT (SELECT string_agg(c::text, ' ' ORDER BY id) FROM calls c), (SELECT string_agg(k::text, ' ' ORDER BY call_id) FROM ivr_sessions k),
    (SELECT count(*) FROM call_events), (SELECT count(*) FROM recordings), (SELECT count(*) FROM voice_sessions)"; }
answers 200 'Goodbye' plivo tok-plivo "/hooks/$PL/voice" CallUUID=L1 From=251911000077 To=15550188 CallStatus=ringing --nonce 61
furrow provider remove pl >"$T/out" 2>&1 && fail "removed under a call that is up"
grep -q "calls are up through provider 'pl' (1): 'furrow call list' shows them" "$T/out" || fail "why it is not removed: $(cat "$T/out")"
answers 200 '' plivo tok-plivo "/hooks/$PL/status" CallUUID=L1 CallStatus=completed --nonce 62
furrow provider remove pl >"$T/out" 2>&1 || fail "not removed after the call: $(cat "$T/out")"
# At once, while this server still knows the account, and after: nothing comes of what is told late, or anew.
before=$(truth; calls)
for n in 1 2 3; do
    ask plivo tok-plivo "/hooks/$PL/status" CallUUID=L1 CallStatus=completed --nonce "7$n"
    ask plivo tok-plivo "/hooks/$PL/voice" CallUUID="L2$n" From=251911000077 To=15550188 CallStatus=ringing --nonce "8$n"
    ! grep -q '>Goodbye' "$T/answer" || fail "a call is answered for an account that is gone"
    ask plivo tok-plivo "/hooks/$PL/sms" --v2 --nonce "9$n" MessageUUID="m9$n" From=251911000078 Text=dhaabi
done
refused_now() { ask plivo tok-plivo "/hooks/$PL/voice" CallUUID=L3 From=251911000077 To=15550188 CallStatus=ringing --nonce 64 && grep -q '^404 ' "$T/answer"; }
wait_for 20 "nobody knows it any more" refused_now
refused 404 'no such path' plivo tok-plivo "/hooks/$PL/status" CallUUID=L1 CallStatus=completed --nonce 65
check "changed by what was told to an account that is gone" "$before" "$(truth; calls)"
grep -q "path=\"/hooks/$PL/status\" status=404 refused=unknown" "$T/log/server.log" || fail "the log does not say that it is refused"

# ---- behind a proxy; without the database ---------------------------------------------------
stop server
server_start FURROW_PUBLIC_URL= FURROW_TRUSTED_PROXIES=10.0.0.0/8
refused 403 'signature' twilio tok-twilio "/hooks/$TW/sms" MessageSid=SM20 From=+251911000020 Body=STOP --header X-Forwarded-Host:voice.example.test
stop server
server_start FURROW_PUBLIC_URL= FURROW_TRUSTED_PROXIES='10.0.0.0/8, 127.0.0.1'
set -- "/hooks/$TW/sms" MessageSid=SM20 From=+251911000020 Body=STOP --header X-Forwarded-Host:voice.example.test
refused 403 'signature' twilio tok-twilio "$@"
grep -q 'refused=url: it is signed for "https://voice.example.test", and was expected at "http://voice.example.test"' "$T/log/server.log" ||
    fail "the log does not say for which URL it is signed"
answers 200 '<Response></Response>' twilio tok-twilio "$@" --header X-Forwarded-Proto:https
check "STOP behind a trusted proxy" 1 "$(in_force 251911000020)"
pg_stop
answers 503 'unavailable' twilio tok-twilio "/hooks/$TW/sms" MessageSid=SM21 From=+251911000021 Body=STOP --header X-Forwarded-Host:voice.example.test --header X-Forwarded-Proto:https
pg_start
code=0
FURROW_TRUSTED_PROXIES=everybody FURROW_PORT=0 "$BIN/furrow-server" >"$T/out" 2>&1 || code=$?
[ "$code" != 0 ] && grep -q "trusted_proxies 'everybody'" "$T/out" || fail "a broken trusted_proxies: $code $(cat "$T/out")"
code=0
FURROW_PUBLIC_URL=voice.example.test "$BIN/furrow-server" --check-config >"$T/out" 2>&1 || code=$?
[ "$code" != 0 ] && grep -q "public_url = 'voice.example.test': want http:// or https://" "$T/out" || fail "a public_url without a scheme: $code $(cat "$T/out")"
echo "ok"
