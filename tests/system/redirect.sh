#!/bin/sh
# A live call is put into another flow, at Twilio and at Plivo, in and out: what is asked of the provider stands in
# the call's row before, whatever becomes of the request the call gets there, and once.
. "$(dirname "$0")/../lib.sh"
FURROW_SECRET_KEY=$("$BIN/furrow" provider key 2>/dev/null)
export FURROW_SECRET_KEY FURROW_PUBLIC_URL=https://voice.example.test
pg_start
REST_PORT=$(free_port)
start rest "$FURROW_SOURCE/tests/system/voice_waits.py" rest "$REST_PORT"
start server env FURROW_PORT=0 FURROW_PORT_FILE="$T/port" "$BIN/furrow-server"
wait_for 20 "the server listens" test -s "$T/port"
PORT=$(cat "$T/port")
quietly() { "$@" >>"$T/log/cli.log" 2>&1 || fail "$*"; }
printf tok >"$T/token"
quietly furrow provider add tw --kind twilio --account AC01 --token-file "$T/token" --settings "{\"api_url\": \"http://127.0.0.1:$REST_PORT\"}"
quietly furrow provider add pl --kind plivo --account MA01 --token-file "$T/token" --settings "{\"api_url\": \"http://127.0.0.1:$REST_PORT\"}"
hook_of() { furrow provider show "$@" --json | python3 -c 'import json, sys
print("/hooks/" + json.load(sys.stdin)["webhooks"].split("/hooks/")[1])'; }
TW=$(hook_of tw) PL=$(hook_of pl)
cat >"$T/menu.json" <<'J'
{"furrow": 1, "name": "menu", "language": "en", "languages": ["en", "fr"], "entry": "l", "nodes": {
 "l": {"kind": "language", "prompt": {"en": "1 or 2.", "fr": "1 ou 2."}, "choices": {"1": "en", "2": "fr"}, "exits": {"chosen": "m", "invalid": "m", "no_input": "m"}},
 "m": {"kind": "collect", "prompt": {"en": "Press one.", "fr": "Tapez un."}, "max": 1, "timeout_s": 5, "exits": {"1": "bye", "invalid": "bye", "no_input": "bye"}},
 "bye": {"kind": "hangup", "prompt": {"en": "Goodbye.", "fr": "Au revoir."}, "outcome": "menu_done"}}}
J
cat >"$T/help.json" <<'J'
{"furrow": 1, "name": "help", "language": "en", "languages": ["en", "fr"], "entry": "h", "nodes": {
 "h": {"kind": "collect", "prompt": {"en": "How may we help?", "fr": "Comment vous aider ?"}, "max": 1, "timeout_s": 5, "exits": {"1": "bye", "invalid": "bye", "no_input": "bye"}},
 "bye": {"kind": "hangup", "prompt": {"en": "We will help.", "fr": "Nous aiderons."}, "outcome": "helped"}}}
J
quietly furrow flow publish "$T/menu.json"
quietly furrow flow publish "$T/help.json"
quietly furrow extension add 15550100 --flow menu
NONCE=0
# ask KIND PATH CALL [NAME=VALUE…]: a request of the call; its answer is in $T/answer, the addresses it names in $T/next.
ask() {
    kind_=$1 path_=$2 call_=$3
    shift 3
    NONCE=$((NONCE + 1))
    id_=CallSid
    [ "$kind_" = twilio ] || id_=CallUUID
    "$FURROW_SOURCE/tests/system/hook_client.py" "$PORT" "$kind_" tok "$path_" $id_="$call_" From="${CALLER:-+251911000001}" To=+15550100 "CallStatus=${STATUS:-in-progress}" --nonce "n$NONCE" "$@" |
        tr '\n' ' ' >"$T/answer"
    grep -o 'https://voice.example.test[^"<]*' "$T/answer" | sed 's,https://voice.example.test,,' >"$T/next"
}
says() { grep -q "^200 .*$1" "$T/answer" || fail "wanted '$1', got $(cat "$T/answer")"; }
action() { grep -m1 "/$1" "$T/next" || fail "no address of $1: $(cat "$T/answer")"; }
fetched() { # where the provider was told last that the call goes on
    python3 -c 'import re, sys, urllib.parse
print(re.findall(r"/hooks/[^\s\"&]*\?at=\d+", urllib.parse.unquote(sys.stdin.read()))[-1])' <"$T/log/rest.log"
}
events() { sql "SELECT string_agg(kind, ' ' ORDER BY id) FROM call_events WHERE call_id = '$1' AND kind LIKE 'redirect%'"; }
call_of() { sql "SELECT call_id FROM voice_sessions WHERE provider_call_id = '$1'"; }
asks() { grep -c "$1" "$T/log/rest.log" || true; }

# KIND HOOK CALL: in French as far as the menu, then to the other flow, and on in it.
goes_over() {
    STATUS=ringing ask "$1" "$2/voice" "$3"
    ask "$1" "$(action 1/)" "$3" Digits=2
    says 'Tapez un'
    old=$(action 2/)
    quietly furrow call redirect "$3" --flow help
    id=$(call_of "$3")
    check "it stands there before the call asks" help "$(sql "SELECT f.name FROM voice_sessions s JOIN flow_revisions r ON r.id = s.redirect_revision_id JOIN flows f ON f.id = r.flow_id WHERE s.call_id = '$id'")"
    check "the provider was asked" 1 "$(asks "$3")"
    quietly furrow call redirect "$3" --flow help
    check "asked again: the provider too, for it may not have heard" 2 "$(asks "$3")"
    check "and it was said once" redirect_asked "$(events "$id")"
    ask "$1" "$(fetched)" "$3"
    says 'Comment vous aider'
    cp "$T/answer" "$T/first"
    new=$(action 3/)
    # The same again, and a key of the menu that was on its way: nothing of it acts in the new flow.
    ask "$1" "$(fetched)" "$3"
    cmp -s "$T/answer" "$T/first" || fail "the provider asks twice: $(cat "$T/answer")"
    ask "$1" "$old" "$3" Digits=1
    cmp -s "$T/answer" "$T/first" || fail "a key of the flow before: $(cat "$T/answer")"
    furrow call redirect "$3" --flow help >"$T/out" 2>&1 || fail "$(cat "$T/out")"
    grep -q "in flow 'help@1' already" "$T/out" || fail "once more: $(cat "$T/out")"
    check "what was not asked" 2 "$(asks "$3")"
    ask "$1" "$new" "$3" Digits=1
    says 'Nous aiderons'
    STATUS=completed ask "$1" "$2/status" "$3"
    check "outcome" helped "$(sql "SELECT outcome FROM calls WHERE id = '$id'")"
    check "said" 'redirect_asked redirected' "$(events "$id")"
    check "by whom" "$(id -un)" "$(sql "SELECT data->>'by' FROM call_events WHERE call_id = '$id' AND kind = 'redirect_asked'")"
    furrow call redirect "$3" --flow help >"$T/out" 2>&1 && fail "a call that is over went over"
    grep -q 'the call is over' "$T/out" || fail "over: $(cat "$T/out")"
}
goes_over twilio "$TW" CA00000000000000000000000000000001
goes_over plivo "$PL" 11111111-1111-4111-8111-111111111101

# ---- the provider does not answer: the call goes over with its next request ----
CALLER=+251911000002 # who has chosen no language yet
STATUS=ringing ask twilio "$TW/voice" CA2
stop rest
furrow call redirect CA2 --flow help >"$T/out" 2>&1 && fail "nobody was asked"
grep -q "goes over to flow 'help@1' with its next request" "$T/out" || fail "no word of it: $(cat "$T/out")"
ask twilio "$(action 1/)" CA2 Digits=1
says 'How may we help'
check "said" 'redirect_asked redirected' "$(events "$(call_of CA2)")"
start rest "$FURROW_SOURCE/tests/system/voice_waits.py" rest "$REST_PORT"
wait_for 20 "the provider is back" curl -s -o /dev/null -X POST -d x "http://127.0.0.1:$REST_PORT/x"

# ---- the provider knows no such call any more: it is left where it was ----
STATUS=ringing ask twilio "$TW/voice" gone
furrow call redirect gone --flow help >"$T/out" 2>&1 && fail "a call that the provider does not know went over"
check "said" 'redirect_asked redirect_refused' "$(events "$(call_of gone)")"
check "nothing is waited for" 0 "$(sql 'SELECT count(*) FROM voice_sessions WHERE redirect_revision_id IS NOT NULL')"

# ---- a call that was placed ----
printf 'phone\n+251911000077\n' >"$T/people.csv"
quietly furrow contacts import "$T/people.csv" --list people --region ET
quietly furrow trunk add tw --kind twilio --account tw --cps 1 --max-channels 5
printf '%s' '{"name": "placed", "list": "people", "flow": "menu", "trunk": "tw", "windows": {"mon-sun": ["00:00-24:00"]},
    "regions": ["ET"], "caller_id": "+12025550100", "limits": {"per_24h": 3, "per_7d": 7, "min_gap_s": 600}}' >"$T/placed.json"
quietly furrow campaign create "$T/placed.json"
placed=$(sql "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, trunk_id, slot, number, state, intent_at)
    SELECT gen_random_uuid(), 1, k.id, 1, 251911000077, k.trunk_id, 0, 1, 'ringing', now() FROM campaigns k RETURNING id" | head -1)
ask twilio "$TW/voice/$placed" CA4
says '1 or 2'
quietly furrow call redirect "$placed" --flow help
ask twilio "$(fetched)" CA4
says 'How may we help'
ask twilio "$(action 2/)" CA4 Digits=1
says 'We will help'
check "outcome" helped "$(sql "SELECT outcome FROM calls WHERE id = '$placed'")"

# ---- what cannot be ----
furrow call redirect "$placed" --flow nowhere >"$T/out" 2>&1 && fail "there is no such flow"
grep -q "nowhere" "$T/out" || fail "which: $(cat "$T/out")"
code=0
furrow call redirect CA4 --flow help --url https://x.example/ >"$T/out" 2>&1 || code=$?
check "both" 2 "$code"
echo ok
