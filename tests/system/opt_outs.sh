#!/bin/sh
# Opt-outs by other programs and by SMS: keys, what they may do, and that the wish acts at once.
. "$(dirname "$0")/../lib.sh"
ends() { # CODE COMMAND…
    wanted_=$1
    shift
    code_=0
    "$@" >"$T/out" 2>&1 || code_=$?
    check "exit code of $*: $(cat "$T/out")" "$wanted_" "$code_"
}
# ask KEY PATH BODY: the status; the answer is in $T/answer
ask() {
    curl -s -m 10 -o "$T/answer" -w '%{http_code}' -X POST -H "${1:+Authorization: Bearer }$1" \
        -H 'Content-Type: application/json' --data-binary "$3" "http://127.0.0.1:$PORT$2"
}
answers() { # STATUS KEY PATH BODY [PATTERN]
    got_=$(ask "$2" "$3" "$4")
    check "POST $3 $4: $(cat "$T/answer")" "$1" "$got_"
    [ -z "${5:-}" ] || grep -q -- "$5" "$T/answer" || fail "POST $3 $4 does not say '$5': $(cat "$T/answer")"
}
on_list() { sql "SELECT count(*) FROM dnc_entries WHERE removed_at IS NULL AND phone = $1 AND source = '$2'"; }
pg_start
server_start FURROW_METRICS_TOKEN=scrape

# What workers counted is on the metrics page, as counters and as histograms that add up.
sql "INSERT INTO job_counts (tenant_id, kind, done, buried, wait_ms, run_ms, wait_le, run_le) VALUES
    (1, 'asr', 7, 1, 4500, 9000, '{1,2,3,0,1,0,0,0,1}', '{0,0,0,8,0,0,0,0,0}')" >/dev/null
curl -s -m 20 -H 'Authorization: Bearer scrape' "http://127.0.0.1:$PORT/metrics" >"$T/answer" || fail "no /metrics"
for line in 'furrow_job_results_total{tenant="default",kind="asr",result="done"} 7' \
    'furrow_job_wait_seconds_bucket{tenant="default",kind="asr",le="0.025"} 3' \
    'furrow_job_wait_seconds_bucket{tenant="default",kind="asr",le="+Inf"} 8' \
    'furrow_job_wait_seconds_sum{tenant="default",kind="asr"} 4.500' \
    'furrow_job_run_seconds_count{tenant="default",kind="asr"} 8' 'furrow_database_up 1'; do
    grep -qxF "$line" "$T/answer" || fail "/metrics does not say '$line': $(grep furrow_job "$T/answer")"
done

# Who has no token sees no tenant, and of all tenants the sum.
furrow tenant add neighbour >/dev/null || fail "tenant add"
sql "INSERT INTO job_counts (tenant_id, kind, done, buried, wait_ms, run_ms, wait_le, run_le) SELECT id,
    'asr', 5, 0, 500, 1000, '{0,2,3,0,0,0,0,0,0}', '{0,0,0,5,0,0,0,0,0}' FROM tenants WHERE name = 'neighbour'" >/dev/null
curl -s -m 20 "http://127.0.0.1:$PORT/metrics" >"$T/answer" || fail "no /metrics"
! grep -n 'tenant\|default\|neighbour' "$T/answer" || fail "/metrics names a tenant to anybody"
for line in 'furrow_job_results_total{kind="asr",result="done"} 12' 'furrow_job_wait_seconds_bucket{kind="asr",le="0.025"} 5' \
    'furrow_job_wait_seconds_sum{kind="asr"} 5.000' 'furrow_job_run_seconds_count{kind="asr"} 13' 'furrow_outbox 0' 'furrow_database_up 1'; do
    grep -qxF "$line" "$T/answer" || fail "/metrics does not say '$line': $(grep -v '^#' "$T/answer")"
done
TENANTS=$(furrow --tenant neighbour key create mine --scope opt_outs 2>/dev/null)
for key in scrap scrapee "$TENANTS"; do
    check "/metrics to another key" 401 "$(curl -s -m 20 -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $key" "http://127.0.0.1:$PORT/metrics")"
done

ends 2 furrow key create website
ends 2 furrow key create website --scope everything
ends 2 furrow key create 'Web site' --scope opt_outs
SITE=$(furrow key create website --scope opt_outs 2>"$T/out") || fail "key create: $(cat "$T/out")"
GATEWAY=$(furrow key create gateway --scope sms --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["key"])')
ends 1 furrow key create website --scope sms
furrow key list >"$T/out" || fail "key list"
grep -q '^website .* may: opt_outs$' "$T/out" || fail "key list: $(cat "$T/out")"
! grep -q "$SITE" "$T/out" || fail "key list shows a key"
check "a key that is kept in the clear" 0 "$(sql "SELECT count(*) FROM api_keys k WHERE k::text LIKE '%$SITE%'")"

# Who asks.
answers 401 '' /v1/opt-outs '{"phone": "+251911223344"}' 'furrow key create'
answers 401 fk_wrong /v1/opt-outs '{"phone": "+251911223344"}'
answers 401 "$SITE"x /v1/opt-outs '{"phone": "+251911223344"}'
answers 403 "$GATEWAY" /v1/opt-outs '{"phone": "+251911223344"}' 'scopes'
answers 403 "$SITE" /v1/sms/inbound '{"from": "+251911223344", "text": "STOP"}'
check "nothing was written" 0 "$(sql 'SELECT count(*) FROM dnc_entries')"

# What is asked.
answers 200 "$SITE" /v1/opt-outs '{"phone": "+251911223344", "note": "unsubscribe page"}' '"added":true'
answers 200 "$SITE" /v1/opt-outs '{"phone": "0911 22 33 44", "region": "ET"}' '"added":false'
check "one entry" 1 "$(on_list 251911223344 api)"
furrow dnc check +251911223344 >"$T/out"
grep -q 'api, .*unsubscribe page' "$T/out" || fail "dnc check: $(cat "$T/out")"
furrow why +251911223344 >"$T/out"
grep -q 'DNC_INTERNAL' "$T/out" || fail "why: $(cat "$T/out")"
answers 400 "$SITE" /v1/opt-outs 'phone=1' 'bad_json'
answers 400 "$SITE" /v1/opt-outs '[]' 'one JSON object'
answers 400 "$SITE" /v1/opt-outs '{"phone": "+251911223345", "phone": "+251911223346"}'
answers 422 "$SITE" /v1/opt-outs '{}' '"field":"phone"'
answers 422 "$SITE" /v1/opt-outs '{"phone": "0911223344"}' '"hint"'
answers 422 "$SITE" /v1/opt-outs '{"phone": 251911223344}'
answers 404 "$SITE" /v1/opt-outs '{"phone": "+251911223347", "campaign": "harvset"}' 'harvset'
answers 413 "$SITE" /v1/opt-outs "{\"phone\": \"+251911223347\", \"note\": \"$(printf '%020000d' 0)\"}"
check "a refused request writes nothing" 1 "$(sql 'SELECT count(*) FROM dnc_entries')"

# STOP by SMS.
answers 200 "$GATEWAY" /v1/sms/inbound '{"from": "+251911223350", "text": "Thank you, when will you come to the bus stop?"}' '"action":"none"'
check "a message that says no such thing" 0 "$(on_list 251911223350 sms)"
answers 200 "$GATEWAY" /v1/sms/inbound '{"from": "+251911223350", "text": " Stop. "}' '"action":"opted_out","added":true'
check "STOP" 1 "$(on_list 251911223350 sms)"
answers 200 "$GATEWAY" /v1/sms/inbound '{"from": "+251911223351", "text": "አቁም"}' '"opted_out"'
answers 200 "$GATEWAY" /v1/sms/inbound '{"from": "+251911223352", "text": "Dhaabi"}' '"opted_out"'
answers 200 "$GATEWAY" /v1/sms/inbound '{"from": "+251911223350", "text": "/ship 1 Hamburg", "id": "g7"}' '"action":"command"'
answers 200 "$GATEWAY" /v1/sms/inbound '{"from": "+251911223350", "text": "/ship 1 Hamburg", "id": "g7"}' '"action":"command"'
check 'a command is kept once' 1 "$(sql "SELECT count(*) FROM commands WHERE source = 'sms' AND source_key = 'g7'")"
answers 200 "$GATEWAY" /v1/sms/inbound '{"from": "+251911223350", "text": "STOP"}' '"action":"opted_out","added":false'
check "answered once" 'reply am 1, reply en 1, reply om 1' "$(sql "SELECT string_agg(kind || ' ' || language || ' ' || n, ', ' ORDER BY language)
    FROM (SELECT kind, language, count(*) n FROM messages GROUP BY 1, 2) m")"
answers 200 "$GATEWAY" /v1/sms/inbound '{"from": "+251911223350", "text": "START", "id": "g-1"}' '"action":"opted_in","added":false'
check "START" 0 "$(on_list 251911223350 sms)"
answers 200 "$GATEWAY" /v1/sms/inbound '{"from": "+251911223354", "text": "HELP", "id": "g-2"}' '"action":"helped"'
answers 200 "$GATEWAY" /v1/sms/inbound '{"from": "+251911223354", "text": "HELP", "id": "g-2"}' '"action":"helped"'
check "told twice, answered once" 1 "$(sql "SELECT count(*) FROM messages WHERE phone = 251911223354")"
answers 422 "$GATEWAY" /v1/sms/inbound '{"from": "+251911223353"}' 'text'
answers 422 "$GATEWAY" /v1/sms/inbound '{"from": "COOP", "text": "STOP"}'

# Another tenant's key writes on its own list; a revoked one on none.
ends 0 furrow tenant add other
ends 1 furrow tenant add other
ends 2 furrow tenant add 'Other one'
furrow tenant list >"$T/out"
grep -q '^other ' "$T/out" || fail "tenant list: $(cat "$T/out")"
OTHER=$(furrow --tenant other key create website --scope opt_outs 2>"$T/out") || fail "the other's key: $(cat "$T/out")"
answers 200 "$OTHER" /v1/opt-outs '{"phone": "+251911223360"}' '"added":true'
check "of the other tenant" other "$(sql "SELECT t.name FROM dnc_entries d JOIN tenants t ON t.id = d.tenant_id WHERE phone = 251911223360")"
furrow dnc check +251911223360 >"$T/out" || true
grep -q 'is not on the do-not-call list' "$T/out" || fail "another tenant's wish shows: $(cat "$T/out")"
ends 0 furrow key revoke website
answers 401 "$SITE" /v1/opt-outs '{"phone": "+251911223361"}'
answers 200 "$OTHER" /v1/opt-outs '{"phone": "+251911223361"}' '"added":true'
! grep -rq -e "$SITE" -e "$GATEWAY" -e 251911223344 "$T/log/server.log" || fail "a key or a number in the clear in the log"

# Not recorded is not confirmed.
pg_kill
answers 503 "$OTHER" /v1/opt-outs '{"phone": "+251911223362"}' 'send it again'
pg_start
taken_again() { [ "$(ask "$OTHER" /v1/opt-outs '{"phone": "+251911223362"}')" = 200 ]; }
wait_for 20 "the server has its database again" taken_again
check "told again, recorded" 1 "$(on_list 251911223362 api)"
