#!/bin/sh
# No speech model understands Afaan Oromo: a farmer who chooses it keys in what is delivered, on a real phone line, hears
# it again, and gets a batch and a receipt in that language. Who wants to begin anew may.
. "$(dirname "$0")/../lib.sh"
RIG=$FURROW_SOURCE/tests/rig
. "$RIG/rig_lib.sh"
. "$RIG/stack_lib.sh"
FLOW=$FURROW_SOURCE/deploy/demo/farmer.json

pg_start
redis_start
asterisk_start "$(sql 'SELECT id FROM installation')"
export FURROW_ARI_URL="$RIG_ARI_URL" FURROW_ARI_USER="$RIG_ARI_USER" FURROW_ARI_SECRET="$RIG_ARI_SECRET"
worker_start
dialer_start
wait_for 20 "the dialer has its slot" dialer_ready
furrow flow publish "$FLOW" >>"$T/log/cli.log" 2>&1 || fail "flow publish"
furrow extension add 2001 --flow farmer >>"$T/log/cli.log" 2>&1 || fail "extension add"
in_held() { ari GET applications | grep -q -- '-in"'; }
wait_for 20 "somebody answers calls in" in_held

# keyed NAME FROM NODE:KEYS…: a call in which those keys are pressed as each node is come to; silent itself.
keyed() {
    name_=$1 from_=$2
    shift 2
    sox -D -n -r 16000 -c 1 -b 16 "$T/silence.wav" trim 0 90
    start "$name_" env FARMER_NUMBER="$from_" FARMER_CONSOLE="$T/$name_.console" \
        "$RIG/farmer_call.sh" "$T/silence.wav" 2001 "$RIG_SIP_PORT" 90
    for step_ in "$@"; do
        wait_for 40 "$name_ comes to ${step_%%:*}" comes_to "${from_#+}" "${step_%%:*}"
        "$RIG/press.py" "$(cat "$T/$name_.console")" "${step_#*:}"
    done
    wait_for 60 "$name_ is over" gone "$name_"
}
# comes_to PHONE NODE: it is the last that the number's call has come to.
comes_to() {
    [ "$(sql "SELECT e.node FROM call_events e JOIN calls c ON c.id = e.call_id WHERE c.phone = $1 AND e.kind = 'entered'
        ORDER BY e.id DESC LIMIT 1")" = "$2" ]
}

keyed farmer +251911000701 language:3 bags:12# unit:1 variety:3 grade:2 keyed:1
wait_for 30 "the call has its end" sql_is "SELECT outcome FROM calls WHERE phone = 251911000701" completed
wait_for 30 "a batch" sql_is "SELECT count(*) FROM batches" 1
wait_for 30 "the receipt is sent" sql_is "SELECT count(*) FROM messages WHERE kind = 'receipt' AND state = 'sent' AND phone = 251911000701" 1
check "the batch" "commission|12|bags|720|Jimma|2" "$(sql "SELECT event, quantity::int, unit, quantity_kg::int, variety, grade FROM batches")"
check "language" om "$(sql "SELECT language FROM messages WHERE kind = 'receipt'")"
sql "SELECT body FROM messages WHERE kind = 'receipt'" >"$T/receipt"
grep -q 12 "$T/receipt" || fail "the receipt says something else: $(cat "$T/receipt")"
# What was keyed in was said again before it was sent, and every prompt was there to be heard.
check "asked before it was sent" 1 "$(sql "SELECT count(*) FROM call_events WHERE kind = 'entered' AND node = 'keyed'")"
check "what went wrong in the flow" '' "$(sql "SELECT string_agg(kind || ' ' || node || ' ' || data::text, ', ') FROM call_events WHERE kind IN ('warning', 'error')")"
spoken=$(find "$FURROW_DATA_DIR/prompts" -name '*.wav' -size +8k | wc -l)
[ "$spoken" -ge 8 ] || fail "no more than $spoken prompts were spoken"

# Remembered: the second call asks for no language. 2 at the end begins anew.
keyed again +251911000701 bags:7# unit:2 variety:1 grade:5 keyed:2 bags:8# unit:2 variety:1 grade:5 keyed:1
wait_for 30 "a second batch" sql_is "SELECT count(*) FROM batches" 2
check "it is what was keyed in last" "8|kg|8|Yirgacheffe|5" "$(sql "SELECT quantity::int, unit, quantity_kg::int, variety, grade FROM batches ORDER BY number DESC LIMIT 1")"
stop dialer
stop worker

# The same flow tried at the terminal.
printf '3\n12#\n1\n3\n2\n1\n' | furrow flow run "$FLOW" --from +251911000702 >"$T/tried" 2>&1 || fail "flow run: $(cat "$T/tried")"
grep -q '12 galchite' "$T/tried" || fail "what was keyed in is not said again: $(cat "$T/tried")"
grep -q 'record_commission' "$T/tried" && grep -q 'Galatoomi' "$T/tried" || fail "it does not end well: $(cat "$T/tried")"
echo "ok: $spoken prompts"
