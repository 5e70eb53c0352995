#!/bin/sh
# People who talk, as an operator sees them: a progressive campaign over the simulated carrier
# calls nobody while no agent is logged in, never more people than there are agents, and
# counts what was abandoned; an agent's pause waits for the call that is theirs. Ratio and
# predictive place more calls than there are agents, and at no instant abandon more than the limit.
. "$(dirname "$0")/../lib.sh"
# Two seconds of the clock, within which an agent must be on the line, are a third of a real one.
export FURROW_CLOCK='2026-11-24T08:00:00Z@6'
pg_start
redis_start

cat >"$T/flow.json" <<'EOF'
{"furrow": 1, "name": "offer", "language": "en", "entry": "q", "nodes": {
  "q": {"kind": "queue", "queue": "sales", "exits": {"served": "talked", "timeout": "sorry",
    "full": "sorry", "left_by_key": "sorry", "failed": "sorry"}},
  "talked": {"kind": "hangup", "outcome": "talked"},
  "sorry": {"kind": "hangup", "prompt": {"en": "This was the cooperative. All of us are talking. Call us back."},
    "outcome": "nobody"}}}
EOF
cat >"$T/campaign.json" <<'EOF'
{"name": "offer", "list": "people", "flow": "offer", "trunk": "sim", "caller_id": "+251115550100",
 "windows": {"mon-sun": ["00:00-24:00"]}, "close_guard_s": 0, "holidays": false, "retry": {"max_attempts": 1},
 "limits": {"per_24h": 0, "per_7d": 0, "min_gap_s": 0}, "mode": {"kind": "progressive", "queue": "sales"}}
EOF
{
    echo phone
    for i in 10 11 12 13 14 15 16 17 18 19; do echo "+2519110000$i"; done
} >"$T/people.csv"
quietly furrow contacts import "$T/people.csv" --list people
quietly furrow flow publish "$T/flow.json"
quietly furrow trunk add sim --kind simulated --cps 5 --max-channels 20 \
    --settings '{"seed": 3, "answer": 1, "busy": 0, "no_answer": 0, "rejected": 0, "bad_number": 0, "ring_s": [2, 6]}'
quietly furrow campaign create "$T/campaign.json"
quietly furrow campaign start offer
sed 's/"queue": "sales"/"queue": "help"/; s/"name": "offer"/"name": "other"/' "$T/campaign.json" >"$T/other.json"
furrow campaign create "$T/other.json" 2>"$T/refused" && fail "a campaign was made whose flow leads to no agent"
grep -q "flow 'offer' has no queue node for 'help'" "$T/refused" || fail "not said why: $(cat "$T/refused")"
# Nor one that ends without a word for those whom no agent takes.
sed 's/"hangup", "prompt": .*/"hangup",/; s/"name": "offer"/"name": "mute"/' "$T/flow.json" >"$T/mute-flow.json"
quietly furrow flow publish "$T/mute-flow.json"
sed 's/"flow": "offer"/"flow": "mute"/; s/"name": "offer"/"name": "mute"/' "$T/campaign.json" >"$T/mute.json"
furrow campaign create "$T/mute.json" 2>"$T/refused" && fail "a campaign was made whose flow says nothing to the abandoned"
grep -q "flow 'mute', node 'q': by the exit 'full' the call ends without a word" "$T/refused" || fail "not said why: $(cat "$T/refused")"
quietly furrow agent add abeba --extension 2001 --queue sales
quietly furrow agent add dawit --extension 2002 --queue sales
start dialer "$BIN/furrow-dialer"
wait_for 30 "the campaign's people are in" sql_is "SELECT count(*) FROM campaign_contacts" 10
wait_for 30 "the dialer looks at the campaign" sql_is "SELECT count(*) FROM agent_campaigns" 1
check "calls without an agent" 0 "$(sql 'SELECT count(*) FROM attempts')"

furrow campaign watch offer --once >"$T/watch" || fail "watch"
grep -q "no agent of queue 'sales' is there: 'furrow agent login NAME'" "$T/watch" || fail "why nobody is called is not said: $(cat "$T/watch")"
grep -q '^agents   2 logged_out; abandoned today 0 of 0 answered' "$T/watch" || fail "agents: $(cat "$T/watch")"

quietly furrow agent login abeba
wait_for 30 "a call is abeba's" sql_is "SELECT state IN ('reserved', 'on_call') FROM agents WHERE name = 'abeba'" t
furrow agent pause abeba >"$T/pause" || fail "pause"
wait_for 30 "abeba has her pause" sql_is "SELECT state FROM agents WHERE name = 'abeba'" paused
furrow agent login abeba 2>"$T/again" && fail "who is paused was logged in again"
grep -q "'furrow agent resume' ends a pause" "$T/again" || fail "no hint: $(cat "$T/again")"
quietly furrow agent resume abeba
quietly furrow agent login dawit
wait_for 90 "the campaign is done" sql_is "SELECT state FROM campaigns" 'done'
check "who was talked to" 10 "$(sql "SELECT count(*) FROM calls WHERE outcome = 'talked'")"
check "calls without an agent of their own" 0 "$(sql 'SELECT count(*) FROM agent_calls WHERE agent_id IS NULL')"
# No two calls of one agent overlap.
check "calls of one agent at once" 0 "$(sql "SELECT count(*) FROM agent_calls a JOIN agent_calls b ON b.agent_id = a.agent_id
    AND b.attempt_id > a.attempt_id AND b.reserved_at < a.over_at")"
check "abandonment" '10 0 10' "$(furrow agent abandonment offer --json | python3 -c 'import json, sys
day = json.load(sys.stdin)["periods"][1]; print(day["answered"], day["abandoned"], day["answered"] - day["abandoned"])')"
furrow agent abandonment offer | grep -q "today .* 10 answered, .* 0 abandoned (0.00 %)" || fail "$(furrow agent abandonment offer)"
check "agents" 'abeba ready, dawit ready' "$(furrow agent list --json | python3 -c 'import json, sys
print(", ".join(a["name"] + " " + a["state"] for a in json.load(sys.stdin)))')"
took=$(sql "SELECT max(answered_at) - min(reserved_at) FROM agent_calls")

# many NAME PEOPLE AGENTS ANSWER BUSY MODE
many() {
    { echo phone; seq 251911000000 $((251911000000 + $2 - 1)) | sed 's/^/+/'; } >"$T/$1.csv"
    sed "s/\"queue\": \"sales\"/\"queue\": \"$1\"/; s/\"name\": \"offer\"/\"name\": \"$1\"/" "$T/flow.json" >"$T/$1-flow.json"
    sed "s/\"offer\"/\"$1\"/g; s/\"list\": \"people\"/\"list\": \"$1\"/; s/\"trunk\": \"sim\"/\"trunk\": \"$1\"/
        s/\"mode\": {.*}}/\"mode\": {\"kind\": $6, \"queue\": \"$1\", \"abandon_limit\": 3, \"margin\": 0}}/" "$T/campaign.json" >"$T/$1.json"
    quietly furrow contacts import "$T/$1.csv" --list "$1"
    quietly furrow flow publish "$T/$1-flow.json"
    quietly furrow trunk add "$1" --kind simulated --cps 10 --max-channels 60 --settings "{\"seed\": 5, \"answer\": $4,
        \"busy\": $5, \"no_answer\": 0, \"rejected\": 0, \"bad_number\": 0, \"ring_s\": [1, 3]}"
    quietly furrow campaign create "$T/$1.json"
    sql "INSERT INTO agents (tenant_id, name, extension, queue, state, since, created_at) SELECT 1, '$1-' || i, '$2' || i, '$1', 'ready', now(), now()
        FROM generate_series(10, 9 + $3) i" >/dev/null
    quietly furrow campaign start "$1"
}
many double 120 12 1 0 '"ratio", "ratio": 2'
many guessed 160 12 0.5 0.5 '"predictive"'
wait_for 90 "the people of ratio are called" sql_is "SELECT state FROM campaigns WHERE name = 'double'" 'done'
wait_for 90 "the people of predictive are called" sql_is "SELECT state FROM campaigns WHERE name = 'guessed'" 'done'
# All of it from the ledger's rows: an abandoned call counts from its answer, any other only from its agent.
OF="FROM agent_calls a JOIN campaigns k ON k.id = a.campaign_id"
worst() {
    sql "SELECT coalesce(max(lost * 10000 / answered), 0)::int FROM (SELECT sum(n) OVER (ORDER BY at) AS answered, sum(lost) OVER (ORDER BY at) AS lost FROM (
        SELECT CASE WHEN a.result = 'connected' THEN a.connected_at ELSE a.answered_at END AS at, 1 AS n, (a.result <> 'connected')::int AS lost
        $OF WHERE k.name = '$1' AND a.result IN ('connected', 'late', 'abandoned')) x) y"
}
at_once() {
    sql "SELECT max(s) FROM (SELECT sum(n) OVER (ORDER BY at, n) AS s FROM (SELECT a.reserved_at AS at, 1 AS n $OF WHERE k.name = '$1' AND a.result <> 'withdrawn'
        UNION ALL SELECT a.over_at, -1 $OF WHERE k.name = '$1' AND a.result <> 'withdrawn') x) y"
}
# Two each; by guess what brings each agent one answer at the lowest answer rate that there was.
most() {
    case $1 in
    double) echo 24 ;;
    *) sql "SELECT floor(12 / min((answered + 1.0) / (ended + 1))) FROM (SELECT count(*) OVER o AS ended, count(a.answered_at) OVER o AS answered
        $OF WHERE k.name = '$1' AND a.result <> 'withdrawn' AND a.over_at IS NOT NULL WINDOW o AS (ORDER BY a.over_at)) x WHERE ended >= 20" ;;
    esac
}
for c in double guessed; do
    calls=$(at_once $c) percent=$(worst $c)
    lost=$(sql "SELECT count(*) $OF WHERE k.name = '$c' AND a.result IN ('late', 'abandoned')")
    check "counted and in the rows, of $c" "$(sql "SELECT count(*) $OF WHERE k.name = '$c' AND a.result IN ('connected', 'late', 'abandoned')") $lost" \
        "$(sql "SELECT p.answered || ' ' || p.abandoned FROM abandon_periods p JOIN campaigns k ON k.id = p.campaign_id WHERE k.name = '$c' AND p.anchor = 'campaign30d'")"
    [ "$percent" -le 300 ] || fail "$c abandoned $percent in 10000 at its worst instant"
    [ "$calls" -gt 12 ] && [ "$calls" -le "$(most $c)" ] || fail "$c: at most $calls calls at once for 12 agents"
    summary="${summary:-}; $c: $calls calls at once for 12 agents, $lost lost, $percent in 10000 at the worst instant"
done
check "bookings that nothing has closed" 0 "$(sql 'SELECT count(*) FROM agent_calls WHERE over_at IS NULL')"
check "still on a call" 0 "$(sql "SELECT count(*) FROM agents WHERE call_id IS NOT NULL")"
stop dialer
echo "ok: 10 people, 2 agents, $took of virtual time$summary"
