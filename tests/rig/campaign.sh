#!/bin/sh
# A campaign of fifty people on a real Asterisk: every kind of called party, five of each.
# What SIPp saw, what the ledger says and what the flow heard must be the same story.
. "$(dirname "$0")/../lib.sh"
RIG=$FURROW_SOURCE/tests/rig
. "$RIG/rig_lib.sh"
. "$RIG/stack_lib.sh"
EACH=5

stack_start
dialer_start
campaign_make $EACH 10 20
wait_for 120 "the campaign is done" campaign_done
wait_for 60 "the jobs are done" jobs_done
all_holds

# ends BEHAVIOUR HOW: how those contacts ended, all of them.
ends() {
    check "how '$1' ended" "$2 $EACH" "$(sql "SELECT string_agg(final || ' ' || n, ', ' ORDER BY final) FROM
        (SELECT final, count(*) n FROM campaign_contacts WHERE phone / 100 % 10 = $1 GROUP BY 1) x")"
}
# attempts BEHAVIOUR 'DISPOSITION CAUSE N': the attempts of those contacts.
attempts() {
    check "attempts of '$1'" "$2" "$(sql "SELECT string_agg(disposition || ' ' || cause || ' ' || n, ', ' ORDER BY disposition, cause)
        FROM (SELECT disposition, coalesce(cause, -1) cause, count(*) n FROM attempts WHERE phone / 100 % 10 = $1
        AND state <> 'withdrawn' GROUP BY 1, 2) x")"
}
ends 0 completed
ends 1 busy
ends 2 no_answer
ends 3 rejected
ends 4 bad_number
ends 5 completed
ends 6 completed
ends 7 congestion
ends 8 no_answer
ends 9 opted_out
attempts 1 "busy 17 $((EACH * 2))"
attempts 2 "no_answer 19 $((EACH * 2))"
attempts 3 "rejected 21 $EACH"
attempts 4 "bad_number 1 $EACH"
attempts 7 "congestion 34 $((EACH * 2))"
attempts 8 "no_answer 19 $((EACH * 2))"
check "answered attempts" $((EACH * 4)) "$(sql "SELECT count(*) FROM attempts WHERE answered_at IS NOT NULL")"

# What they did in the flow.
outcomes() {
    sql "SELECT string_agg(outcome || ' ' || n, ', ' ORDER BY outcome) FROM (SELECT outcome, count(*) n
        FROM calls WHERE phone / 100 % 10 = $1 GROUP BY 1) x"
}
check "flow outcomes of those who speak" "completed $EACH" "$(outcomes 0)"
check "flow outcomes of those who press 1" "completed $EACH" "$(outcomes 5)"
check "flow outcomes of those who hang up" "hung_up $EACH" "$(outcomes 6)"
check "flow outcomes of those who press 9" "opted_out $EACH" "$(outcomes 9)"
check "answers '1'" $EACH "$(sql "SELECT count(*) FROM calls WHERE results -> 'answer' ->> 'value' = '1' AND phone / 100 % 10 = 5")"
check "other answers" 0 "$(sql "SELECT count(*) FROM calls WHERE coalesce(results -> 'answer' ->> 'value', '') <> '' AND phone / 100 % 10 NOT IN (5, 9)")"
check "do-not-call entries by key" $EACH "$(sql "SELECT count(*) FROM dnc_entries WHERE source = 'keypress' AND removed_at IS NULL AND phone / 100 % 10 = 9")"
# Those who speak are recorded; what a narrowband phone says is listed for a person.
check "recordings for a person" $EACH "$(sql "SELECT count(*) FROM recordings WHERE phone / 100 % 10 = 0 AND state = 'needs_person' AND sample_rate = 8000")"
check "listed" $EACH "$(furrow recordings list --state needs_person --json | grep -c '"needs_person"')"
recording=$(sql "SELECT id FROM recordings WHERE state = 'needs_person' LIMIT 1")
furrow recordings transcribe "$recording" --text 'record commission for five bags of yirgacheffe grade A from farmer john' >>"$T/log/cli.log" 2>&1 || fail transcribe
wait_for 30 "a person's words become a batch" sql_is "SELECT quantity_kg::int FROM batches WHERE recording_id = '$recording'" 300
check "recordings of those who speak" $EACH "$(sql "SELECT count(*) FROM recordings WHERE phone / 100 % 10 = 0")"
check "recordings deleted at the switch" 0 "$(ari GET recordings/stored | grep -c '"name"' || true)"

# Each call that the parties saw has one answer, and the words of `why` explain it.
check "calls seen" "$(sql "SELECT count(*) FROM attempts WHERE state = 'ended'")" "$(invites | cut -d'|' -f4 | sort -u | wc -l)"
furrow why +251911000901 --campaign survey >"$T/why" || fail why
grep -qi 'opted_out\|DNC_INTERNAL' "$T/why" || fail "why does not explain an opt-out: $(cat "$T/why")"
furrow why +251911000401 --campaign survey | grep -q bad_number || fail "why does not explain a bad number"
stop dialer
stop worker
stop server
echo "ok: $(summary); $(cat "$T/witness")"
