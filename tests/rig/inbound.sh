#!/bin/sh
# A farmer calls an extension over wideband and says what was harvested: it ends as a batch and
# an SMS. A caller to the missed-call number is not answered but called back, under the rules.
. "$(dirname "$0")/../lib.sh"
RIG=$FURROW_SOURCE/tests/rig
. "$RIG/rig_lib.sh"
. "$RIG/stack_lib.sh"
SAID='record commission for five bags of yirgacheffe grade A from farmer john'

stack_start
dialer_start
wait_for 20 "the dialer has its slot" dialer_ready
# The demo's flow; a softphone that speaks a file cannot wait for the beep, so it may be late.
sed 's/"silence_s": 5/"silence_s": 12/' "$FURROW_SOURCE/deploy/demo/coffee.json" >"$T/coffee.json"
furrow flow publish "$T/coffee.json" >>"$T/log/cli.log" 2>&1 || fail "flow publish"
furrow extension add 2001 --flow coffee >>"$T/log/cli.log" 2>&1 || fail "extension add"
in_held() { ari GET applications | grep -q -- '-in"'; }
wait_for 20 "somebody answers calls in" in_held

# Language 1 during the greeting; the prompts end, then the farmer speaks after the beep.
speak "$T/said.wav" "$SAID" 15 20
FARMER_NUMBER=+251911000777 FARMER_KEYS=1 FARMER_KEYS_AFTER_S=2 "$RIG/farmer_call.sh" "$T/said.wav" 2001 "$RIG_SIP_PORT" 90 >"$T/log/farmer.log" 2>&1 ||
    fail "the farmer's call: $(tail -3 "$T/log/farmer.log")"
wait_for 30 "the call has its end" sql_is "SELECT count(*) FROM calls WHERE direction = 'in' AND ended_at IS NOT NULL" 1
wait_for 60 "a batch" sql_is "SELECT count(*) FROM batches" 1
wait_for 30 "the jobs are done" jobs_done
check "what was heard" "$(echo "$SAID" | tr A-Z a-z)" "$(sql "SELECT lower(text) FROM transcripts")"
check "the batch" "commission|5|bags|300|yirgacheffe|a|john" \
    "$(sql "SELECT event, quantity::int, unit, quantity_kg::int, lower(variety), lower(grade), lower(farmer) FROM batches")"
check "sample rate" 16000 "$(sql "SELECT sample_rate FROM recordings")"
check "flow outcome" completed "$(sql "SELECT outcome FROM calls")"
check "language chosen" en "$(sql "SELECT language FROM calls")"
check "receipts" 1 "$(sql "SELECT count(*) FROM messages WHERE kind = 'receipt' AND state = 'sent' AND phone = 251911000777")"
sql "SELECT body FROM messages WHERE kind = 'receipt'" >"$T/receipt"
grep -q '5 bags (300 kg)' "$T/receipt" || fail "the receipt says something else: $(cat "$T/receipt")"
all_holds

# Missed call: number 2002 calls back over the trunk, which asks the gate like any other call.
sed -e 's/"survey"/"callbacks"/; s/"ring_timeout_s"/"keep_open": true, "ring_timeout_s"/' -e 's/"flow": "callbacks"/"flow": "survey"/' \
    "$RIG/survey-campaign.json" >"$T/callbacks.json"
furrow contacts import - --list people >>"$T/log/cli.log" 2>&1 <<CSV || fail import
phone,name
+251911000599,somebody else
CSV
furrow flow publish "$RIG/survey.json" >>"$T/log/cli.log" 2>&1 || fail "flow publish"
furrow trunk add rig --kind ari --endpoint 'PJSIP/{number}@trunk' --cps 10 --max-channels 5 >>"$T/log/cli.log" 2>&1 || fail "trunk add"
furrow campaign create "$T/callbacks.json" >>"$T/log/cli.log" 2>&1 || fail "campaign create"
furrow campaign start callbacks >>"$T/log/cli.log" 2>&1 || fail "campaign start"
furrow extension add 2002 --flow survey --missed-call --campaign callbacks >>"$T/log/cli.log" 2>&1 || fail "extension add"
# The call is refused before it is answered, so the caller's script ends early, with an error.
"$RIG/call_in.sh" missed 2002 +251911000501 "$RIG_SIP_PORT" "$T" >"$T/log/missed.log" 2>&1 &&
    fail "the call was let ring"
called_back() { invites | grep -q '|251911000501|'; }
wait_for 40 "the caller is called back" called_back
wait_for 40 "the callback is over" sql_is "SELECT final FROM campaign_contacts WHERE phone = 251911000501" completed
# On the do-not-call list nobody is called back.
furrow dnc add +251911000502 >>"$T/log/cli.log" 2>&1 || fail "dnc add"
"$RIG/call_in.sh" missed 2002 +251911000502 "$RIG_SIP_PORT" "$T" >"$T/log/missed2.log" 2>&1 &&
    fail "the second call was let ring"
wait_for 40 "the gate refused the callback" sql_is "SELECT final FROM campaign_contacts WHERE phone = 251911000502" DNC_INTERNAL
! invites | grep -q '|251911000502|' || fail "a number on the do-not-call list was called back"
stop dialer
stop worker
echo "ok: $(sql "SELECT batch_id FROM batches")"
