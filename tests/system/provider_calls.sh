#!/bin/sh
# A campaign over Twilio: the dialer places its calls, the server runs their flow, and both meet in the
# ledger. Nobody is called twice, whatever becomes of the answer to a request, and who asks for no more
# calls gets none.
. "$(dirname "$0")/../lib.sh"
. "$FURROW_SOURCE/tests/providers.sh"
pg_start
redis_start
start carrier "$FURROW_SOURCE/tests/system/provider_carrier.py" "$T/carrier.port" "$T/calls.jsonl" tok "$T/port"
wait_for 20 "the carrier is there" test -s "$T/carrier.port"
server_start
printf tok >"$T/token"
quietly furrow provider add tw --kind twilio --account AC01 --token-file "$T/token" \
    --settings "{\"api_url\": \"http://127.0.0.1:$(cat "$T/carrier.port")\", \"cps\": 10}"
quietly furrow trunk add out --kind twilio --account tw --cps 10 --max-channels 20 --settings '{"look_s": 1}'
quietly furrow flow publish "$FURROW_SOURCE/deploy/demo/coffee.json"
{ echo phone; seq 251911000000 251911000009 | sed 's/^/+/'; } >"$T/people.csv"
quietly furrow contacts import "$T/people.csv" --list people
cat >"$T/campaign.json" <<'X'
{"name": "harvest", "list": "people", "flow": "coffee", "trunk": "out", "caller_id": "+15550100",
 "windows": {"mon-sun": ["00:00-24:00"]}, "close_guard_s": 0, "holidays": false, "retry": {"max_attempts": 1},
 "limits": {"per_24h": 0, "per_7d": 0, "min_gap_s": 0}}
X
quietly furrow campaign create "$T/campaign.json"
quietly furrow campaign start harvest
start dialer "$BIN/furrow-dialer"
wait_for 90 "everybody was called" sql_is "SELECT state FROM campaigns" 'done'
check "calls at the carrier" 10 "$(wc -l <"$T/calls.jsonl")"
check "people called twice" 0 "$(python3 -c 'import json, sys
to = [json.loads(l)["to"] for l in open(sys.argv[1])]; print(len(to) - len(set(to)))' "$T/calls.jsonl")"
check "how they ended" '251911000000 busy|251911000001 no_answer|251911000009 completed' "$(sql "SELECT string_agg(phone || ' ' ||
    disposition, '|' ORDER BY phone) FROM attempts WHERE phone IN (251911000000, 251911000001, 251911000009)")"
check "who was spoken with" 8 "$(sql "SELECT count(*) FROM attempts WHERE disposition = 'completed'")"
check "the one whose answer was lost" 'ended completed' "$(sql "SELECT state || ' ' || disposition FROM attempts WHERE phone = 251911000002")"
# What was answered, be it by a 503, is told again by a provider that is asked to, and by no other.
check "asked to tell again" 10 "$(grep -c '"StatusCallback": "[^"]*/status/[^"]*#rc=3&rp=5xx,ct,rt"' "$T/calls.jsonl")"
furrow provider show tw | grep -q "/status#rc=3&rp=5xx,ct,rt .*'Call status changes'" || fail "what is entered at the console: $(furrow provider show tw)"
check "recordings" 6 "$(sql "SELECT count(*) FROM recordings WHERE state = 'finished' AND source = 'twilio'")"
check "and is done with" opted_out "$(sql "SELECT final FROM campaign_contacts WHERE phone = 251911000009")"
check "no more calls" 1 "$(sql "SELECT count(*) FROM dnc_entries WHERE phone = 251911000009 AND removed_at IS NULL")"
check "still open" 0 "$(sql "SELECT count(*) FROM attempts WHERE state NOT IN ('ended', 'withdrawn', 'unknown')")"
# Of one nobody told the end: the dialer asked, and the server ends its flow.
wait_for 60 "every flow is over" sql_is "SELECT count(*) FROM calls WHERE ended_at IS NULL" 0
check "the one whose end was not told" 'ended completed hung_up' "$(sql "SELECT a.state || ' ' || a.disposition || ' ' || c.outcome
    FROM attempts a JOIN calls c ON c.id = a.id WHERE a.phone = 251911000003")"
check "sessions left open" 0 "$(sql "SELECT count(*) FROM voice_sessions WHERE ended_at IS NULL")"
stop dialer
echo ok
