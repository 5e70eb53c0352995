# webhook_server.sh - a furrow-server whose number +15550100 is a menu, for webhook_load; sourced after lib.sh by
# tests/bench/webhooks.sh, tests/bench/webhook_soak.sh and tests/system/webhooks.sh. Sets PORT and HOOK (the path of the first webhook; the token is tok).
. "$FURROW_SOURCE/tests/providers.sh"

webhook_server() { # NAME=VALUE… of the environment
    printf tok >"$T/token"
    cat >"$T/menu.json" <<'J'
{"furrow": 1, "name": "menu", "language": "en", "entry": "m", "nodes": {
 "m": {"kind": "collect", "prompt": {"en": "Press one."}, "max": 1, "timeout_s": 5, "exits": {"1": "bye", "invalid": "bye", "no_input": "bye"}},
 "bye": {"kind": "hangup", "prompt": {"en": "Well pressed."}, "outcome": "done"}}}
J
    quietly furrow provider add tw --kind twilio --account AC01 --token-file "$T/token"
    quietly furrow flow publish "$T/menu.json"
    quietly furrow extension add 15550100 --flow menu
    server_start "$@"
    HOOK=/hooks/$(hook_of tw)/voice
}

# exactly_once ANSWERED FINISHED: what was accepted, as webhook_load has it, against the database. Sets LOST and DOUBLED.
exactly_once() {
    sql 'DROP TABLE IF EXISTS peer_answered, peer_finished' 2>/dev/null
    sql 'CREATE TABLE peer_answered (sid text); CREATE TABLE peer_finished (sid text)'
    psql "$DATABASE_URL" -XqAt -c "\\copy peer_answered FROM '$1'" -c "\\copy peer_finished FROM '$2'" || fail "copy"
    LOST=$(sql "SELECT (SELECT count(*) FROM peer_answered p WHERE NOT EXISTS (SELECT FROM voice_sessions s JOIN calls c ON c.id = s.call_id
            WHERE s.provider_call_id = p.sid))
        + (SELECT count(*) FROM peer_finished p WHERE NOT EXISTS (SELECT FROM voice_sessions s JOIN calls c ON c.id = s.call_id
            WHERE s.provider_call_id = p.sid AND c.outcome = 'done'))")
    # Each call once, in each call each step once: two steps, one result of one key.
    DOUBLED=$(sql "SELECT (SELECT count(*) - count(DISTINCT provider_call_id) FROM voice_sessions)
        + (SELECT count(*) FROM ivr_sessions WHERE seq > 2) + (SELECT count(*) FROM calls) - (SELECT count(*) FROM voice_sessions)")
}
