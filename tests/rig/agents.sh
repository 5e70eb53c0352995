#!/bin/sh
# Agents on a real Asterisk: who answers is put through to the agent who was reserved, the agent
# confirms by key where that is asked, who does not answer the phone is paused, and a call
# that finds nobody hears the flow's message. SIPp plays the called parties and the agents.
. "$(dirname "$0")/../lib.sh"
RIG=$FURROW_SOURCE/tests/rig
. "$RIG/rig_lib.sh"

pg_start
redis_start
asterisk_start "$(sql 'SELECT id FROM installation')"
export FURROW_ARI_URL="$RIG_ARI_URL" FURROW_ARI_USER="$RIG_ARI_USER" FURROW_ARI_SECRET="$RIG_ARI_SECRET"
export FURROW_ARI_EXTENSION_ENDPOINT='PJSIP/{number}@trunk'
uas_start
quietly() { "$@" >>"$T/log/cli.log" 2>&1 || fail "$*"; }

# queue NAME FIRST: a campaign of three people, its flow, and who waits for an agent of NAME.
queue() {
    cat >"$T/$1-flow.json" <<EOF
{"furrow": 1, "name": "$1", "language": "en", "entry": "q", "nodes": {
  "q": {"kind": "queue", "queue": "$1", "exits": {"served": "talked", "timeout": "sorry",
    "full": "sorry", "left_by_key": "sorry", "failed": "sorry"}},
  "talked": {"kind": "hangup", "outcome": "talked"},
  "sorry": {"kind": "hangup", "prompt": {"en": "Nobody is free."}, "outcome": "nobody"}}}
EOF
    cat >"$T/$1.json" <<EOF
{"name": "$1", "list": "$1", "flow": "$1", "trunk": "rig", "caller_id": "+251115550100",
 "windows": {"mon-sun": ["00:00-24:00"]}, "close_guard_s": 0, "holidays": false, "retry": {"max_attempts": 1},
 "ring_timeout_s": 15, "limits": {"per_24h": 0, "per_7d": 0, "min_gap_s": 0},
 "mode": {"kind": "progressive", "queue": "$1"}}
EOF
    printf 'phone\n+2519110%02d001\n+2519110%02d002\n+2519110%02d003\n' "$2" "$2" "$2" >"$T/$1.csv"
    quietly furrow contacts import "$T/$1.csv" --list "$1"
    quietly furrow flow publish "$T/$1-flow.json"
    quietly furrow campaign create "$T/$1.json"
}
quietly furrow trunk add rig --kind ari --endpoint 'PJSIP/{number}@trunk' --cps 20 --max-channels 20
queue sales 10
queue careful 20
queue away 30
# By the third digit from the end: 6 hangs up after a while, 5 presses 1, 1 is busy.
quietly furrow agent add abeba --extension 251911040608 --queue sales
quietly furrow agent add chaltu --extension 251911040508 --queue careful --confirm
quietly furrow agent add dawit --extension 251911040108 --queue away
for a in abeba chaltu dawit; do quietly furrow agent login $a; done
start dialer env FURROW_DRAIN_S=1 "$BIN/furrow-dialer"
for c in sales careful away; do quietly furrow campaign start $c; done

outcomes() {
    sql "SELECT string_agg(outcome || ' ' || n, ', ' ORDER BY outcome) FROM (SELECT c.outcome, count(*) n FROM calls c
        JOIN campaigns k ON k.id = c.campaign_id WHERE k.name = '$1' GROUP BY 1) x"
}
done_is() { sql_is "SELECT state FROM campaigns WHERE name = '$1'" 'done'; }
wait_for 60 "the people of sales are talked to" done_is sales
check "how the calls of sales ended" 'talked 3' "$(outcomes sales)"
# What the dialer measured is what was counted: on a busy machine one may be late.
sed -n 's/.*queue="sales" .*answer_to_agent_ms=\([0-9]*\).*/\1/p' "$T/log/dialer.log" >"$T/took"
check "rings that were answered" 3 "$(grep -c . "$T/took")"
in_time=$(awk '$1 <= 2000' "$T/took" | grep -c . || true)
[ "$in_time" -ge 1 ] || fail "nobody was put through in time: $(tr '\n' ' ' <"$T/took")"
check "in time" "$in_time" "$(sql "SELECT count(*) FROM agent_calls a JOIN campaigns k ON k.id = a.campaign_id
    WHERE k.name = 'sales' AND a.result = 'connected'")"
check "answered and abandoned" "3 $((3 - in_time))" "$(sql "SELECT p.answered || ' ' || p.abandoned FROM abandon_periods p
    JOIN campaigns k ON k.id = p.campaign_id WHERE k.name = 'sales' AND p.anchor = 'calendar_month'")"
# One after the other, for there is one agent.
check "at once" 0 "$(sql "SELECT count(*) FROM agent_calls a JOIN agent_calls b ON b.agent_id = a.agent_id
    AND b.attempt_id > a.attempt_id AND b.reserved_at < a.over_at")"
check "rings of abeba's phone" 3 "$(invites | grep -c '|+\{0,1\}251911040608|')"

# Her phone presses 1 a second and a half after its answer; nobody hangs up before the end.
wait_for 60 "chaltu talks" sql_is "SELECT count(*) FROM agent_calls a JOIN agents g ON g.id = a.agent_id
    WHERE g.name = 'chaltu' AND g.state = 'on_call' AND a.connected_at IS NOT NULL" 1
waited=$(sed -n 's/.*queue="careful" .*answer_to_agent_ms=\([0-9]*\).*/\1/p' "$T/log/dialer.log")
[ "$waited" -ge 1400 ] || fail "chaltu was put through $waited ms after the answer, before her key"

wait_for 60 "dawit is paused" sql_is "SELECT state || ' ' || note FROM agents WHERE name = 'dawit'" 'paused did not answer the phone'
wait_for 20 "the first of away heard the message" sql_is "SELECT count(*) FROM calls c JOIN campaigns k
    ON k.id = c.campaign_id WHERE k.name = 'away' AND c.outcome = 'nobody' AND c.ended_at IS NOT NULL" 1
check "what was counted" '1 1' "$(sql "SELECT p.answered || ' ' || p.abandoned FROM abandon_periods p
    JOIN campaigns k ON k.id = p.campaign_id WHERE k.name = 'away' AND p.anchor = 'calendar_day'")"
check "calls of away" 1 "$(sql "SELECT count(*) FROM attempts a JOIN campaigns k ON k.id = a.campaign_id WHERE k.name = 'away'")"
# Chaltu talks still: the end of the dialer ends that call and its bridge.
stop dialer
wait_for 10 "no bridge is left" sh -c "[ \"\$(curl -sf -u '$RIG_ARI_USER:$RIG_ARI_SECRET' '$RIG_ARI_URL/bridges')\" = '[]' ]"
echo "ok: from the answer to the agent $(sort -n "$T/took" | tr '\n' ' ')ms"
