#!/bin/sh
# The npm packages of Twilio and Plivo as peers: they sign a call's requests, write its documents anew, and ask of a
# REST API what `furrow call` asks.
. "$(dirname "$0")/../lib.sh"
command -v npm >/dev/null || skip "no node: './run deps'"
PEERS=$("$FURROW_SOURCE/tests/peers/install.sh") || skip "no clients of the providers"
. "$FURROW_SOURCE/tests/providers.sh"
pg_start
REST_PORT=$(free_port)
start rest "$FURROW_SOURCE/tests/system/voice_waits.py" rest "$REST_PORT"
server_start
printf 'tok+/=&1' >"$T/token"
for k in "twilio tw AC01" "plivo pl MA01"; do
    # shellcheck disable=SC2086
    set -- $k
    quietly furrow provider add "$2" --kind "$1" --account "$3" --token-file "$T/token" --settings "{\"sip_domain\": \"pbx.example\", \"api_url\": \"http://127.0.0.1:$REST_PORT\"}"
done
cat >"$T/all.json" <<'J'
{"furrow": 1, "name": "all", "language": "en", "languages": ["en", "fr"], "entry": "hello", "nodes": {
 "hello": {"kind": "say", "prompt": {"en": "Hello \"you\" & <them>", "fr": "Élan"}, "exits": {"done": "menu", "failed": "menu"}},
 "menu": {"kind": "collect", "prompt": {"en": "Press 1.", "fr": "1"}, "barge_in": true, "max": 4, "finish": "#", "exits": {"any": "speak", "invalid": "speak", "no_input": "speak"}},
 "speak": {"kind": "record", "prompt": {"en": "Speak.", "fr": "Parlez."}, "max_s": 60, "silence_s": 5, "beep": true, "exits": {"recorded": "ring", "empty": "ring", "failed": "ring"}},
 "ring": {"kind": "transfer", "to": "ext:2001", "confirm_key": "1", "record": true, "exits": {"completed": "wait", "busy": "wait", "no_answer": "wait", "failed": "wait"}},
 "wait": {"kind": "queue", "queue": "helpers", "exit_key": "9", "exits": {"served": "bye", "timeout": "bye", "full": "bye", "left_by_key": "bye", "failed": "bye"}},
 "bye": {"kind": "hangup", "prompt": {"en": "Goodbye.", "fr": "Au revoir."}}}}
J
quietly furrow flow publish "$T/all.json"
quietly furrow extension add 15550100 --flow all
quietly furrow agent add abeba --extension 2001 --queue helpers --confirm
# She is on a call, so that callers wait.
sql "UPDATE agents SET state = 'on_call', call_id = gen_random_uuid()" >/dev/null
# Calls for the REST requests to be about.
for k in "tw CAhangup" "tw CAmoved" "pl uuid-hangup" "pl uuid-moved"; do
    # shellcheck disable=SC2086
    set -- $k
    sql "INSERT INTO voice_sessions (call_id, tenant_id, account_id, provider_call_id, inbound, flow_revision_id, flow_sha256, dialled, language, tz_min, contact, begun_at, changed_at)
        SELECT gen_random_uuid(), 1, id, '$2', true, 1, '', '', '', 0, '{}', now(), now() FROM provider_accounts WHERE name = '$1'" >/dev/null
done
for c in CAhangup uuid-hangup; do quietly furrow call hangup $c; done
for c in CAmoved uuid-moved; do quietly furrow call redirect $c --url 'https://elsewhere.example/a?b=c&d'; done
(cd "$PEERS" && timeout 60 node --no-deprecation clients.js "$PORT" "$(cat "$T/token")" "/hooks/$(hook_of tw)" "/hooks/$(hook_of pl)" "$T/log/rest.log") >"$T/said" 2>&1 || fail "$(cat "$T/said")"
# Who waits hears a tune, or silence until it is made.
shown() { grep "^$1" "$T/said" | sed 's/ Pause//; s/ Wait//; s/ Play//'; }
check "what Twilio was shown" "twilio Dial Gather Hangup Record Redirect Say Sip" "$(shown twilio)"
check "what Plivo was shown" "plivo Dial GetInput Hangup Record Redirect Speak User" "$(shown plivo)"
echo ok
