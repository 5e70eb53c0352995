#!/bin/sh
# Calls at a provider whose flow waits: for an API, which has all the time it may take while no answer to the
# provider is late, and in a queue for an agent, whose phone rings when they are free.
. "$(dirname "$0")/../lib.sh"
. "$FURROW_SOURCE/tests/providers.sh"
# A minute of announcements is half a second here.
export FURROW_CLOCK=2027-03-01T09:00:00Z@60
pg_start
API_PORT=$(free_port) REST_PORT=$(free_port)
export API_PORT
start rest "$FURROW_SOURCE/tests/system/voice_waits.py" rest "$REST_PORT"
printf 'PRICES = s3cret\n' >"$T/secrets"
server_start FURROW_SECRETS_FILE="$T/secrets" FURROW_API_HOSTS="127.0.0.1:$API_PORT"
printf tok >"$T/token"
quietly furrow provider add tw --kind twilio --account AC01 --token-file "$T/token" --settings "{\"sip_domain\": \"pbx.example\", \"api_url\": \"http://127.0.0.1:$REST_PORT\"}"
quietly furrow provider add pl --kind plivo --account MA01 --token-file "$T/token" --settings "{\"sip_domain\": \"pbx.example\", \"api_url\": \"http://127.0.0.1:$REST_PORT\"}"
TW=/hooks/$(hook_of tw) PL=/hooks/$(hook_of pl)
flow() { # NAME FILE: publishes and gives the number to it
    quietly furrow flow publish "$2"
    furrow extension remove 15550100 >>"$T/log/cli.log" 2>&1 || true # the first has none before
    quietly furrow extension add 15550100 --flow "$1"
}
# story ACCOUNT-KIND HOOK WHAT CALL FROM…
story() {
    "$FURROW_SOURCE/tests/system/voice_waits.py" "$PORT" "$1" tok "$2" "$3" "$4" "$5" ${6:-} >"$T/story" 2>&1 || fail "$1 $3: $(cat "$T/story")"
}
outcome() { sql "SELECT c.outcome FROM calls c JOIN voice_sessions s ON s.call_id = c.id WHERE s.provider_call_id = '$1'"; }

# ---- an API ----
cat >"$T/price.json" <<J
{"furrow": 1, "name": "price", "language": "en", "entry": "ask", "nodes": {
 "ask": {"kind": "api", "method": "POST", "url": "http://127.0.0.1:$API_PORT/price", "headers": {"Authorization": "Bearer {secret:PRICES}"},
  "body": {"from": "{{call.phone}}"}, "timeout_s": 20, "into": {"price": "/price"},
  "exits": {"ok": "which", "http_error": "no", "timeout": "no", "bad_body": "no"}},
 "which": {"kind": "branch", "on": "{{vars.price}}", "cases": [{"is": 7, "exit": "seven"}], "exits": {"seven": "seven", "default": "no"}},
 "seven": {"kind": "hangup", "prompt": {"en": "Seven it is."}, "outcome": "seven"},
 "no": {"kind": "hangup", "prompt": {"en": "No price."}, "outcome": "no_price"}}}
J
flow price "$T/price.json"
story twilio "$TW" api CA00000000000000000000000000000001 +251911000001
check "outcome" seven "$(outcome CA00000000000000000000000000000001)"
story plivo "$PL" api 11111111-1111-4111-8111-111111111101 +251911000001
check "outcome" seven "$(outcome 11111111-1111-4111-8111-111111111101)"
sed "s/127.0.0.1:$API_PORT/127.0.0.1:1/" "$T/price.json" >"$T/elsewhere.json"
flow price "$T/elsewhere.json"
story twilio "$TW" refused CA00000000000000000000000000000002 +251911000002
check "why" http_refused "$(sql "SELECT data->>'name' FROM call_events WHERE kind = 'warning'")"

# ---- a queue ----
cat >"$T/help.json" <<J
{"furrow": 1, "name": "help", "language": "en", "entry": "q", "nodes": {
 "q": {"kind": "queue", "queue": "helpers", "max_wait_s": 3600, "exit_key": "1", "into": "place", "announce": {"en": "You are number {{vars.place}}."},
  "announce_every_s": 60, "exits": {"served": "bye", "timeout": "none", "full": "none", "left_by_key": "later", "failed": "none"}},
 "later": {"kind": "callback", "in_s": 600, "exits": {"scheduled": "told", "moved": "told", "duplicate": "told", "refused": "told"}},
 "told": {"kind": "hangup", "prompt": {"en": "We will call you back."}, "outcome": "called_back"},
 "none": {"kind": "hangup", "prompt": {"en": "Nobody is here."}, "outcome": "nobody"},
 "bye": {"kind": "hangup", "prompt": {"en": "Goodbye from us."}, "outcome": "served"}}}
J
flow help "$T/help.json"
story twilio "$TW" full CA00000000000000000000000000000011 +251911000011
quietly furrow agent add abeba --extension 2001 --queue helpers --confirm
agent_is() { sql_is "SELECT state FROM agents WHERE name = 'abeba'" "$1"; }
# Whoever logs in takes the caller who waits; the two talk, and the flow goes on after that.
served() { # KIND HOOK CALL
    quietly furrow agent login abeba
    sql "UPDATE agents SET state = 'on_call', call_id = gen_random_uuid()" >/dev/null
    mkfifo "$T/say.$1"
    start "caller_$1" sh -c "'$FURROW_SOURCE/tests/system/voice_waits.py' '$PORT' $1 tok '$2' served $3 +251911000012 <'$T/say.$1' >'$T/heard.$1' 2>&1"
    exec 9>"$T/say.$1"
    wait_for 20 "the caller has heard their place" grep -q waits "$T/heard.$1"
    check "who waits" 1 "$(sql 'SELECT count(*) FROM agent_waiters')"
    sql "UPDATE agents SET state = 'ready', call_id = NULL" >/dev/null
    echo >&9
    wait_for 20 "they talk" grep -q talks "$T/heard.$1"
    check "the agent" "on_call $(sql "SELECT call_id FROM voice_sessions WHERE provider_call_id = '$3'")" "$(sql "SELECT state || ' ' || call_id FROM agents")"
    echo >&9
    wait_for 20 "it ends" grep -q ok "$T/heard.$1"
    exec 9>&-
    check "outcome" served "$(outcome "$3")"
    check "the agent is free" t "$(sql "SELECT state = 'ready' AND call_id IS NULL FROM agents")"
    check "who it was" abeba "$(sql "SELECT e.data->>'value' FROM call_events e JOIN voice_sessions s ON s.call_id = e.call_id
        WHERE s.provider_call_id = '$3' AND e.kind = 'left' AND e.data->>'name' = 'served'")"
    check "who still waits" 0 "$(sql 'SELECT count(*) FROM agent_waiters')"
    quietly furrow agent logout abeba
}
served twilio "$TW" CA00000000000000000000000000000012
served plivo "$PL" 11111111-1111-4111-8111-111111111112
# Who does not press the key is paused, so that no further call is lost to them.
quietly furrow agent login abeba
story twilio "$TW" unanswered CA00000000000000000000000000000013 +251911000013
check "the agent" 'paused did not answer the phone' "$(sql "SELECT state || ' ' || note FROM agents")"
quietly furrow agent resume abeba
story plivo "$PL" unanswered 11111111-1111-4111-8111-111111111113 +251911000013
quietly furrow agent resume abeba
# Called back instead of waiting; and a hang-up while the agent's phone rings frees both.
sql "UPDATE agents SET state = 'on_call', call_id = gen_random_uuid()" >/dev/null
story twilio "$TW" leaves CA00000000000000000000000000000014 +251911000014
story plivo "$PL" leaves 11111111-1111-4111-8111-111111111114 +251911000014
sql "UPDATE agents SET state = 'ready', call_id = NULL" >/dev/null
story twilio "$TW" first CA00000000000000000000000000000015 +251911000015
check "their phone rings" on_call "$(sql 'SELECT state FROM agents')"
"$FURROW_SOURCE/tests/system/hook_client.py" "$PORT" twilio tok "$TW/status" CallSid=CA00000000000000000000000000000015 CallStatus=completed SequenceNumber=3 >"$T/answer"
check "hung up" "hung_up ready" "$(outcome CA00000000000000000000000000000015) $(sql 'SELECT state FROM agents')"
check "who still waits" 0 "$(sql 'SELECT count(*) FROM agent_waiters')"

# ---- from outside: fetched when an agent is free, redirected, hung up ----
sql "UPDATE agents SET state = 'on_call', call_id = gen_random_uuid()" >/dev/null
asked() { grep -qF -- "$1" "$T/log/rest.log"; }
fetched() { # KIND HOOK CALL: the address that it would ask next, and how that is asked for
    story "$1" "$2" first "$3" +251911000016
    next=$(sed -n 's/^next //p' "$T/story")
    grep -q "$3.*waits in queue helpers" <<L || fail "furrow call list: $(furrow call list)"
$(furrow call list)
L
    sql "UPDATE agents SET state = 'ready', call_id = NULL" >/dev/null
    wait_for 20 "the call is fetched to $next" asked "$4"
    sql "UPDATE agents SET state = 'on_call', call_id = gen_random_uuid()" >/dev/null
}
fetched twilio "$TW" CA00000000000000000000000000000016 "POST /2010-04-01/Accounts/AC01/Calls/CA00000000000000000000000000000016.json Url=https%3A%2F%2Fvoice.example.test%2Fhooks%2F"
grep -q "hold-.*&Method=POST Basic $(printf AC01:tok | base64)" "$T/log/rest.log" || fail "not to its next address: $(cat "$T/log/rest.log")"
quietly furrow call hangup CA00000000000000000000000000000016
asked "POST /2010-04-01/Accounts/AC01/Calls/CA00000000000000000000000000000016.json Status=completed" || fail "not hung up: $(cat "$T/log/rest.log")"
"$FURROW_SOURCE/tests/system/hook_client.py" "$PORT" twilio tok "$TW/status" CallSid=CA00000000000000000000000000000016 CallStatus=completed SequenceNumber=3 >"$T/answer"
fetched plivo "$PL" 11111111-1111-4111-8111-111111111116 'POST /v1/Account/MA01/Call/11111111-1111-4111-8111-111111111116/ {"aleg_method":"POST","aleg_url":"https://voice.example.test/hooks/'
quietly furrow call redirect 11111111-1111-4111-8111-111111111116 --url https://elsewhere.example/closed.xml
asked '{"aleg_method":"POST","aleg_url":"https://elsewhere.example/closed.xml","legs":"aleg"}' || fail "not redirected: $(cat "$T/log/rest.log")"
id=$(sql "SELECT call_id FROM voice_sessions WHERE provider_call_id LIKE '11111111-%6'")
FURROW_PUBLIC_URL=https://voice.example.test quietly furrow call redirect "$id"
asked "/voice/$id?at=" || fail "not back to its flow: $(cat "$T/log/rest.log")"
quietly furrow call hangup "$id"
asked "DELETE /v1/Account/MA01/Call/11111111-1111-4111-8111-111111111116/" || fail "not hung up: $(cat "$T/log/rest.log")"
sql "UPDATE voice_sessions SET provider_call_id = 'gone' WHERE call_id = '$id'" >/dev/null
furrow call hangup gone 2>"$T/refused" && fail "a call that is over was hung up"
grep -q "the call is over" "$T/refused" || fail "why not: $(cat "$T/refused")"
furrow call hangup nobody 2>"$T/refused" && fail "a call was hung up that there is not"
grep -q "'furrow call list' shows" "$T/refused" || fail "no hint: $(cat "$T/refused")"
"$FURROW_SOURCE/tests/system/hook_client.py" "$PORT" plivo tok "$PL/status" --nonce 991 CallUUID=gone CallStatus=completed >"$T/answer"

# ---- a campaign's call that finds no agent does not wait: it is abandoned, and counted ----
sql "UPDATE agents SET state = 'on_call', call_id = gen_random_uuid()" >/dev/null
printf 'phone\n+251911000077\n' >"$T/people.csv"
quietly furrow contacts import "$T/people.csv" --list people --region ET
quietly furrow trunk add tw --kind twilio --account tw --cps 1 --max-channels 5
printf '%s' '{"name": "placed", "list": "people", "flow": "help", "trunk": "tw", "windows": {"mon-sun": ["00:00-24:00"]},
    "regions": ["ET"], "caller_id": "+12025550100", "limits": {"per_24h": 3, "per_7d": 7, "min_gap_s": 600}}' >"$T/placed.json"
quietly furrow campaign create "$T/placed.json"
placed=$(sql "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, trunk_id, slot, number, state, intent_at)
    SELECT gen_random_uuid(), 1, k.id, 1, 251911000077, k.trunk_id, 0, 1, 'ringing', now() FROM campaigns k RETURNING id" | head -1)
sql "INSERT INTO agent_campaigns (campaign_id, tenant_id, anchored_at) SELECT id, 1, now() FROM campaigns" >/dev/null
sql "INSERT INTO agent_calls (attempt_id, tenant_id, campaign_id, reserved_at) SELECT '$placed', 1, id, now() FROM campaigns" >/dev/null
story twilio "$TW" placed CA00000000000000000000000000000021 +251911000077 "$placed"
check "abandoned" abandoned "$(sql "SELECT result FROM agent_calls WHERE attempt_id = '$placed'")"
echo ok
