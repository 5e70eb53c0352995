#!/bin/sh
# People who talk, as an operator sees them: a progressive campaign over the simulated carrier
# calls nobody while no agent is logged in, never more people than there are agents, and
# counts what was abandoned; an agent's pause waits for the call that is theirs.
. "$(dirname "$0")/../lib.sh"
export FURROW_CLOCK='2026-11-24T08:00:00Z@20'
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
quietly() { "$@" >>"$T/log/cli.log" 2>&1 || fail "$*"; }
quietly furrow contacts import "$T/people.csv" --list people
quietly furrow flow publish "$T/flow.json"
quietly furrow trunk add sim --kind simulated --cps 5 --max-channels 20 \
    --settings '{"seed": 3, "answer": 1, "busy": 0, "no_answer": 0, "rejected": 0, "bad_number": 0, "ring_s": [2, 6]}'
quietly furrow campaign create "$T/campaign.json"
quietly furrow campaign start offer
sed 's/"queue": "sales"/"queue": "help"/; s/"name": "offer"/"name": "other"/' "$T/campaign.json" >"$T/other.json"
furrow campaign create "$T/other.json" 2>"$T/refused" && fail "a campaign was made whose flow leads to no agent"
grep -q "flow 'offer' has no queue node for 'help'" "$T/refused" || fail "not said why: $(cat "$T/refused")"
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
stop dialer
echo "ok: 10 people, 2 agents, $(sql "SELECT max(answered_at) - min(reserved_at) FROM agent_calls") of virtual time"
