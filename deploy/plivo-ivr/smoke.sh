#!/bin/sh
# smoke.sh BASE_URL [OPERATOR_TOKEN] [FROM]: ten checks of a running plivo-ivr over HTTP.
# Example: deploy/plivo-ivr/smoke.sh http://127.0.0.1:8085/plivo-ivr
# It logs one call and one entry under ids of its own. It seeds no menus; without a main menu, or where
# webhooks must be signed, the checks of the call fail and say so.
set -eu
[ $# -ge 1 ] || {
    sed -n '2,5s/^# //p' "$0" >&2
    exit 2
}
BASE=${1%/} TOKEN=${2:-} FROM=${3:-+15550001111}
ID=smoke-$(date +%s)-$$
OUT=$(mktemp)
trap 'rm -f "$OUT"' EXIT
failed=0 n=0

# ask CURL_OPTIONS…: the status; the answer is in OUT.
ask() { curl -s -m 20 -o "$OUT" -w '%{http_code}' ${TOKEN:+-H "Authorization: Bearer $TOKEN"} "$@" || true; }
# expect WHAT STATUS PATTERN CURL_OPTIONS…
expect() {
    what=$1 status=$2 pattern=$3
    shift 3
    n=$((n + 1))
    got=$(ask "$@")
    if [ "$got" = "$status" ] && { [ -z "$pattern" ] || grep -q -- "$pattern" "$OUT"; }; then
        echo "ok $n - $what"
    else
        failed=$((failed + 1))
        echo "not ok $n - $what: wanted $status '$pattern', got $got $(head -c 300 "$OUT" | tr '\n' ' ')"
    fi
}

expect "index" 200 '"status":"running"' "$BASE/"
expect "both stores answer" 200 '"status":"healthy"' "$BASE/api/health"
expect "echo" 200 '"received":true' -d "CallUUID=$ID" "$BASE/api/webhook-test"
expect "a session begins" 200 '"ttl_seconds"' -X POST "$BASE/api/start-session?caller_id=$ID"
expect "and is found" 200 '"greeting"' "$BASE/api/get-session?caller_id=$ID"
expect "and moves on" 200 'updated_at' -X POST "$BASE/api/update-session?caller_id=$ID&step=main_menu"
expect "a call is answered with a menu" 200 'handle-input' --data-urlencode "CallUUID=$ID" --data-urlencode "From=$FROM" \
    --data-urlencode To=+15550002222 "$BASE/api/answer"
! grep -q 'system is unavailable' "$OUT" || echo "# is there a main menu? curl -X POST $BASE/api/seed-menus writes the sample menus"
expect "a wrong digit is offered the menu again" 200 'handle-input' -d "CallUUID=$ID" -d 'Digits=*' "$BASE/api/handle-input"
expect "the call ends" 200 '' -d "CallUUID=$ID" -d Duration=5 "$BASE/api/hangup"
expect "and is in the log" 200 "$ID" "$BASE/api/call-logs"
echo "$((n - failed)) of $n passed"
[ "$failed" = 0 ]
