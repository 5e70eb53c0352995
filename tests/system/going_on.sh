#!/bin/sh
# Numbers that are only rung, and lines that drop: whoever rang is called back under the campaign's
# rules; whoever was cut off is asked, once and within the hour, whether to go on.
. "$(dirname "$0")/../lib.sh"
. "$FURROW_SOURCE/tests/providers.sh"
pg_start
server_start
printf tok >"$T/token"
quietly furrow provider add tw --kind twilio --account AC01 --token-file "$T/token"
quietly furrow provider add pl --kind plivo --account MA01 --token-file "$T/token"
TW=$(hook_of tw) PL=$(hook_of pl)
R=https://api.twilio.com/2010-04-01/Accounts/AC01/Recordings/RE1

quietly furrow flow publish "$FURROW_SOURCE/deploy/demo/coffee.json" --for asterisk
printf 'phone\n+251911000077\n' >"$T/people.csv"
quietly furrow contacts import "$T/people.csv" --list people --region ET
quietly furrow trunk add tw --kind twilio --account tw --cps 1 --max-channels 5
printf '%s' '{"name": "placed", "list": "people", "flow": "coffee", "trunk": "tw", "windows": {"mon-sun": ["00:00-24:00"]},
    "regions": ["ET"], "caller_id": "+12025550100", "limits": {"per_24h": 3, "per_7d": 7, "min_gap_s": 600}}' >"$T/placed.json"
quietly furrow campaign create "$T/placed.json"
printf '+251911000003\n' >"$T/stop"
quietly furrow dnc import "$T/stop"

# A number that is only rung: nobody is answered, whoever rang is called back by the campaign.
quietly furrow extension add 15550101 --flow coffee --missed-call --campaign placed
ring() { call_to +15550101 "$@" --twice; } # KIND HOOK CALL_ID FROM
waits() { sql "SELECT count(*) || ' ' || max(k.priority) || ' ' || max(k.state) FROM campaign_contacts k JOIN contacts c ON c.id = k.contact_id WHERE c.phone = $1"; }
ring twilio "$TW" CA00000000000000000000000000000041 +251911000041
heard 'is rejected'
ring twilio "$TW" CA00000000000000000000000000000042 +251911000041
check "rung twice, called back once, before all others" "1 10000 pending" "$(waits 251911000041)"
ring plivo "$PL" 11111111-1111-4111-8111-111111111143 251911000043
heard 'is hung up on'
check "rung over Plivo" "1 10000 pending" "$(waits 251911000043)"
ring twilio "$TW" CA00000000000000000000000000000044 anonymous
heard 'is rejected'
ring twilio "$TW" CA00000000000000000000000000000045 +251911000003
check "calls that were not answered" 0 "$(sql "SELECT count(*) FROM voice_sessions WHERE provider_call_id LIKE '%004_'")"
furrow why +251911000003 >"$T/why" 2>&1 || true
grep -q 'asked not to be called\|DNC_INTERNAL\|do-not-call' "$T/why" || fail "who opted out would be called back: $(cat "$T/why")"

# A line that drops: the same number is asked whether to go on, once, within the hour.
quietly furrow flow publish "$FURROW_SOURCE/deploy/demo/farmer.json" --for asterisk
quietly furrow extension add 15550102 --flow farmer
farmer() { call_to +15550102 "$@"; } # KIND HOOK CALL_ID FROM OPTIONS…
kept() { sql "SELECT coalesce(string_agg(phone::text, ' ' ORDER BY phone), '') FROM kept_calls"; }
over() { tell twilio tok "/hooks/$TW/status" CallSid="$1" CallStatus=completed; }
D=CA0000000000000000000000000000005
farmer twilio "$TW" ${D}1 +251911000051 --keys 1 --hang-up 2
over ${D}1
check "kept" 251911000051 "$(kept)"
farmer twilio "$TW" ${D}2 +251911000052 --keys 1 --recording "$R,4"
not_heard 'cut off'
heard 'hears To send what you have said'
over ${D}2
farmer twilio "$TW" ${D}3 +251911000051 --keys 1,1 --recording "$R,4" --twice
heard 'hears Hello again. Your last call was cut off'
not_heard 'coffee cooperative'
heard 'hears After the tone'
heard 'hears Thank you'
check "sent off when it was confirmed, once" "command finished 1" "$(sql "SELECT r.pipeline || ' ' || r.state || ' ' || count(*) OVER () FROM recordings r JOIN voice_sessions s ON s.call_id = r.call_id WHERE s.provider_call_id = '${D}3'")"
check "kept no longer" '' "$(kept)"
# Who hangs up after speaking has said it; what is kept is forgotten after the hour; over Plivo too.
farmer twilio "$TW" ${D}4 +251911000051 --recording "$R,4" --hang-up 2
not_heard 'cut off'
over ${D}4
check "sent off by the hang-up" command "$(sql "SELECT r.pipeline FROM recordings r JOIN voice_sessions s ON s.call_id = r.call_id WHERE s.provider_call_id = '${D}4'")"
check "nothing left to go on with" '' "$(kept)"
P=11111111-1111-4111-8111-11111111115
farmer plivo "$PL" ${P}1 251911000053 --keys 1 --hang-up 2
tell plivo tok "/hooks/$PL/status" --nonce 5150001 CallUUID=${P}1 CallStatus=completed From=251911000053 To=15550102 Event=Hangup
check "kept over Plivo" 251911000053 "$(kept)"
farmer plivo "$PL" ${P}2 251911000053 --keys 1,1 --recording "https://media.plivo.com/r2.wav,5"
heard 'hears Hello again'
heard 'hears Thank you'
farmer plivo "$PL" ${P}3 251911000053 --hang-up 1
tell plivo tok "/hooks/$PL/status" --nonce 5150003 CallUUID=${P}3 CallStatus=completed From=251911000053 To=15550102 Event=Hangup
check "who has done nothing has nothing to go on with" '' "$(kept)"
farmer twilio "$TW" ${D}6 +251911000056 --keys 1 --hang-up 2
over ${D}6
sql "UPDATE kept_calls SET at = at - interval '61 minutes'"
farmer twilio "$TW" ${D}7 +251911000056 --recording "$R,4" --keys 1
not_heard 'cut off'
heard 'hears Thank you'

echo "ok: $(sql 'SELECT count(*) FROM calls') calls"
