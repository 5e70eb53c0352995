# stack_lib.sh - the whole of Furrow on a real Asterisk, for the rig and crash tests: every
# server and program by name (start, stop, kill9 and *_start again), a campaign over SIPp's
# called parties, and the checks that hold after every run. Source after rig_lib.sh.

# What the called parties do stands in their number: 251911000<behaviour><nn>.
BEHAVIOURS='0 1 2 3 4 5 6 7 8 9'
GAP_S=3 # between two calls to one number, stated in the campaign

asr_start() {
    start asr "$BIN/furrow-asr-local" --port "${ASR_PORT:-0}" --port-file "$T/asr.port" \
        --request-log "$T/asr.jsonl"
    wait_for 60 "the speech service is ready" test -s "$T/asr.port"
    ASR_PORT=$(cat "$T/asr.port")
    export FURROW_ASR_URL="http://127.0.0.1:$ASR_PORT"
}
worker_start() { start worker "$BIN/furrow-worker"; }
server_start() {
    start server env FURROW_PORT="${SERVER_PORT:-0}" FURROW_PORT_FILE="$T/server.port" "$BIN/furrow-server"
    wait_for 20 "the server listens" test -s "$T/server.port"
    SERVER_PORT=$(cat "$T/server.port")
}
# dialer_start [ENV=VALUE…]
dialer_start() { start dialer env FURROW_RECORDING_LOOK_MS=1500 "$@" "$BIN/furrow-dialer"; }
dialer_ready() { [ "$(sql "SELECT count(*) FROM node_slots WHERE kind = 'dialer' AND lease_until > clock_timestamp()")" != 0 ]; }
asterisk_kill() { "$RIG/rig.sh" kill "$T/asterisk"; }
asterisk_again() { "$RIG/rig.sh" restart "$T/asterisk" 2>>"$T/log/rig.log" || fail "Asterisk does not start again"; }

# Everything but the dialer.
stack_start() {
    pg_start
    redis_start
    asterisk_start "$(sql 'SELECT id FROM installation')"
    export FURROW_ARI_URL="$RIG_ARI_URL" FURROW_ARI_USER="$RIG_ARI_USER" FURROW_ARI_SECRET="$RIG_ARI_SECRET"
    uas_start
    asr_start
    worker_start
    server_start
}

# contacts_csv PER_BEHAVIOUR: so many people of each behaviour.
contacts_csv() {
    echo 'phone,name'
    for b in $BEHAVIOURS; do
        n=1
        while [ "$n" -le "$1" ]; do
            printf '+251911000%s%02d,person %s-%s\n' "$b" "$n" "$b" "$n"
            n=$((n + 1))
        done
    done
}

# campaign_make PER_BEHAVIOUR CPS CHANNELS: list, flow, trunk and campaign `survey`, started.
campaign_make() {
    contacts_csv "$1" >"$T/contacts.csv"
    furrow contacts import "$T/contacts.csv" --list people >>"$T/log/cli.log" 2>&1 || fail "import"
    furrow flow publish "$RIG/survey.json" >>"$T/log/cli.log" 2>&1 || fail "flow publish"
    furrow trunk add rig --kind ari --endpoint 'PJSIP/{number}@trunk' --cps "$2" --max-channels "$3" \
        >>"$T/log/cli.log" 2>&1 || fail "trunk add"
    furrow campaign create "$RIG/survey-campaign.json" >>"$T/log/cli.log" 2>&1 || fail "campaign create"
    furrow campaign start survey >>"$T/log/cli.log" 2>&1 || fail "campaign start"
}
campaign_done() { sql_is "SELECT state FROM campaigns WHERE name = 'survey'" 'done'; }
jobs_done() { sql_is "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')" 0; }
# Recordings whose end came after their call's, or was lost with a process, are settled by
# the dialer's looks; their jobs follow. With its own bound, so that a stuck one is a failure.
recordings_settled() { sql_is "SELECT count(*) FROM recordings WHERE state = 'live'" 0; }
settled() {
    wait_for 40 "no recording is left without an end" recordings_settled
    wait_for 40 "the jobs are done" jobs_done
}

# ---- what must hold after every run ---------------------------------------------------

# witness: no attempt under two Call-IDs, no two calls closer than the gap, none after the end.
witness() {
    sql "SELECT '+' || phone || ' ' || extract(epoch FROM final_at) || ' ' || final
           FROM campaign_contacts WHERE state = 'final'" >"$T/finals"
    "$RIG/witness.py" "$UAS_LOG" "$GAP_S" --finals "$T/finals" >"$T/witness" || fail "the called parties saw: $(cat "$T/witness")"
}
nothing_open() {
    check "contacts that are not final" 0 "$(sql "SELECT count(*) FROM campaign_contacts WHERE state <> 'final'")"
    check "open attempts" 0 "$(sql "SELECT count(*) FROM attempts WHERE state IN ('intent', 'released', 'ringing', 'answered')")"
    check "calls without an end" 0 "$(sql "SELECT count(*) FROM calls WHERE ended_at IS NULL")"
}
# Every INVITE that the called parties saw stands in the ledger as a call.
ledger_knows_all() {
    invites | cut -d'|' -f5 | sort -u | grep . >"$T/seen" || true
    sql "SELECT id FROM attempts WHERE state IN ('ended', 'unknown')" | sort >"$T/ledger"
    strangers=$(comm -23 "$T/seen" "$T/ledger")
    [ -z "$strangers" ] || sql "SELECT id, state, slot, intent_at, released_at, ended_at, note FROM attempts ORDER BY id" >"$T/log/attempts.log"
    [ -z "$strangers" ] || FAIL_LINES=300 fail "calls that the ledger does not count: $strangers"
}
# Every recording has come to a result or to a failure that is listed for a person.
recordings_accounted() {
    check "recordings still on their way" 0 "$(sql "SELECT count(*) FROM recordings WHERE state IN ('live', 'finished', 'stored', 'transcribed')
        AND NOT EXISTS (SELECT FROM jobs j WHERE j.state = 'buried' AND j.unique_key = recordings.id::text)")"
    check "failures without a reason" 0 "$(sql "SELECT count(*) FROM recordings WHERE state IN ('failed', 'lost_media') AND error = ''")"
}
all_holds() {
    nothing_open
    ledger_knows_all
    witness
    recordings_accounted
}
summary() {
    sql "SELECT string_agg(n || ' ' || d, ', ' ORDER BY d) FROM (SELECT coalesce(disposition, state) d, count(*) n FROM attempts GROUP BY 1) x"
}
