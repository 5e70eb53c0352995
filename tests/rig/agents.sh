#!/bin/sh
# Agents on a real Asterisk: who answers is put through to the agent who was reserved, the agent
# confirms by key where that is asked, who does not answer the phone is paused, and a call
# that finds nobody hears the flow's message. SIPp plays the called parties and the agents.
# Besides: a transfer that must be confirmed, answering machines, and two Asterisks that share
# the calls and stand in for each other.
. "$(dirname "$0")/../lib.sh"
RIG=$FURROW_SOURCE/tests/rig
. "$RIG/rig_lib.sh"

pg_start
redis_start
asterisk_start "$(sql 'SELECT id FROM installation')"
export FURROW_ARI_URL="$RIG_ARI_URL" FURROW_ARI_USER="$RIG_ARI_USER" FURROW_ARI_SECRET="$RIG_ARI_SECRET"
export FURROW_ARI_EXTENSION_ENDPOINT='PJSIP/{number}@trunk'
uas_start

# queue NAME FIRST [BEHAVIOUR]: a campaign of three people, its flow, and who waits for an agent of NAME.
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
    printf 'phone\n+2519110%s01\n+2519110%s02\n+2519110%s03\n' "$2${3:-0}" "$2${3:-0}" "$2${3:-0}" >"$T/$1.csv"
    quietly furrow contacts import "$T/$1.csv" --list "$1"
    quietly furrow flow publish "$T/$1-flow.json"
    quietly furrow campaign create "$T/$1.json"
}
quietly furrow trunk add rig --kind ari --endpoint 'PJSIP/{number}@trunk' --cps 20 --max-channels 20
queue sales 10
queue careful 20
queue away 30
queue lined 40 6

# plain NAME FLOW MORE: a campaign without agents over the people on standard input.
plain() {
    { echo phone; cat; } >"$T/$1.csv"
    cat >"$T/$1.json" <<EOF
{"name": "$1", "list": "$1", "flow": "$2", "trunk": "rig", "caller_id": "+251115550100",
 "windows": {"mon-sun": ["00:00-24:00"]}, "close_guard_s": 0, "holidays": false, "retry": {"max_attempts": 1},
 "ring_timeout_s": 15, "limits": {"per_24h": 0, "per_7d": 0, "min_gap_s": 0}$3}
EOF
    quietly furrow contacts import "$T/$1.csv" --list "$1"
    quietly furrow campaign create "$T/$1.json"
}
cat >"$T/hand-flow.json" <<'EOF'
{"furrow": 1, "name": "hand", "language": "en", "entry": "first", "nodes": {
  "first": {"kind": "transfer", "to": "ext:251911060608", "confirm_key": "1",
    "exits": {"no_answer": "second", "completed": "wrong", "busy": "wrong", "failed": "wrong"}},
  "second": {"kind": "transfer", "to": "ext:251911069508", "confirm_key": "1",
    "exits": {"completed": "talked", "no_answer": "wrong", "busy": "wrong", "failed": "wrong"}},
  "talked": {"kind": "hangup", "outcome": "talked"},
  "wrong": {"kind": "hangup", "outcome": "wrong"}}}
EOF
for f in heard left; do
    cat >"$T/$f-flow.json" <<EOF
{"furrow": 1, "name": "$f", "language": "en", "entry": "x", "nodes": {
  "x": {"kind": "hangup", "prompt": {"en": "Call us."}, "outcome": "$f"}}}
EOF
    quietly furrow flow publish "$T/$f-flow.json"
done
quietly furrow flow publish "$T/hand-flow.json"
# By the fourth digit from the end: 7 is a machine, 8 a person who says hello.
echo +251911060001 | plain hand hand ''
printf '+251911057001\n+251911058001\n' | plain tape heard ', "machine": {"action": "message", "flow": "left"}'
printf '+251911057002\n+251911058002\n' | plain off heard ', "machine": {"action": "hang_up"}'
# By the third digit from the end: 6 hangs up after a while, 5 presses 1, 1 is busy.
quietly furrow agent add abeba --extension 251911040608 --queue sales
quietly furrow agent add chaltu --extension 251911040508 --queue careful --confirm
quietly furrow agent add dawit --extension 251911040108 --queue away
for a in abeba chaltu dawit; do quietly furrow agent login $a; done
quietly furrow agent add tigist --extension 251911041008 --queue lined
quietly furrow agent login tigist --line
check "before the line is up" 'paused their line rings' "$(sql "SELECT state || ' ' || note FROM agents WHERE name = 'tigist'")"
echo 'node_weight = 1' >"$T/dialer.conf"
start dialer env FURROW_DRAIN_S=1 "$BIN/furrow-dialer" --config "$T/dialer.conf"
for c in sales careful away lined hand tape off; do quietly furrow campaign start $c; done

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

# Her phone rang once; each of her calls was put through to the open line, which goes on.
wait_for 30 "the people of lined are talked to" done_is lined
check "how the calls of lined ended" 'hung_up 3' "$(outcomes lined)"
check "those put through" 3 "$(sql "SELECT count(*) FROM agent_calls a JOIN campaigns k ON k.id = a.campaign_id
    WHERE k.name = 'lined' AND a.connected_at IS NOT NULL")"
check "rings of tigist's phone" 1 "$(invites | grep -c '|251911041008|')"
furrow agent list --queue lined | grep -q 'ready .*line open' || fail "not listed: $(furrow agent list)"
lined_ms=$(sed -n 's/.*queue="lined" .*answer_to_agent_ms=\([0-9]*\).*/\1/p' "$T/log/dialer.log" | sort -n | tr '\n' ' ')
held() { ari GET bridges | python3 -c 'import json, sys; print(sum(len(b["channels"]) for b in json.load(sys.stdin) if b["bridge_type"] == "holding"))'; }
held_is() { [ "$(held)" = "$1" ]; }
wait_for 10 "her line is back in the holding bridge" held_is 1
quietly furrow agent logout tigist
line_is_down() { [ "$(held)" = 0 ]; }
wait_for 10 "her line is hung up" line_is_down
check "tigist" 'logged_out ' "$(sql "SELECT state || ' ' || note FROM agents WHERE name = 'tigist'")"

# The phone that was hung up before its key is nobody's; the other one was put through by it.
wait_for 30 "the transfer is over" done_is hand
check "the transfer" 'talked 1' "$(outcomes hand)"
check "its legs" 'no_answer, completed' "$(sql "SELECT string_agg(data->>'name', ', ' ORDER BY e.id) FROM call_events e JOIN calls c ON c.id = e.call_id
    JOIN campaigns k ON k.id = c.campaign_id WHERE k.name = 'hand' AND e.kind = 'left' AND e.node IN ('first', 'second')")"

# Machines and people are told apart by how they speak; the message comes after the beep.
heard() {
    sql "SELECT string_agg(a.disposition || ' ' || a.answered_by || ' ' || coalesce(c.outcome, '-'), ', ' ORDER BY a.phone) FROM attempts a
        JOIN campaigns k ON k.id = a.campaign_id LEFT JOIN calls c ON c.id = a.id WHERE k.name = '$1'"
}
wait_for 40 "the machine has its message" done_is tape
wait_for 10 "the others are told apart" done_is off
check "a message" 'message machine left, completed human heard' "$(heard tape)"
check "hung up" 'machine machine -, completed human heard' "$(heard off)"
spoken_ms=$(($(wc -c <"$T/uas/machine.once") / 8))
after_ms=$(sql "SELECT (extract(epoch FROM c.started_at - a.answered_at) * 1000)::int FROM attempts a JOIN calls c ON c.id = a.id WHERE a.phone = 251911057001")
[ "$after_ms" -ge "$spoken_ms" ] || fail "the message began $after_ms ms after the answer, the beep ended after $spoken_ms"

# Two Asterisks, each with its dialer. Three of four calls go over the second one.
RIG_SECOND=$T/asterisk2
FIRST_PORT=$RIG_SIP_PORT
"$RIG/rig.sh" start "$RIG_SECOND" INSTALLATION="$(sql 'SELECT id FROM installation')" TRUNK_ADDRESS="127.0.0.1:$RIG_UAS_PORT" 2>>"$T/log/rig.log" || fail "no second Asterisk"
on_exit '"$RIG/rig.sh" kill "$RIG_SECOND"'
SECOND_PORT=$(sed -n 's/^RIG_SIP_PORT=//p' "$RIG_SECOND/env")
start second env FURROW_DRAIN_S=1 FURROW_ARI_LOST_S=5 FURROW_NODE_WEIGHT=3 FURROW_ARI_URL="$(sed -n 's/^RIG_ARI_URL=//p' "$RIG_SECOND/env")" "$BIN/furrow-dialer"
people() { # FIRST COUNT
    seq "$1" $(($1 + $2 - 1)) | sed 's/^/+251911/'
}
over() { # PORT, NUMBERS' BEGINNING: the calls that came from there
    grep "^from|$2" "$UAS_LOG" | grep -c ":$1" || true
}
people 600600 40 | plain shared heard ', "pacing": {"cps": 16}'
people 700600 40 | plain failover heard ', "pacing": {"cps": 16}'
wait_for 20 "both know of each other" sh -c "grep -q 'share=0.250' '$T/log/dialer.log' && grep -q 'share=0.750' '$T/log/second.log'"
quietly furrow campaign start shared
wait_for 60 "the calls are shared" done_is shared
a=$(over "$FIRST_PORT" 2519116) b=$(over "$SECOND_PORT" 2519116)
check "calls of both" 40 "$((a + b))"
[ "$b" -ge 25 ] && [ "$b" -le 35 ] || fail "of 40 calls $b went over the second Asterisk, not about 30"

# The first one becomes a spare: it works when the second one has died in the middle of it.
echo 'node_priority = 1' >"$T/dialer.conf"
kill -HUP "$(pid_of dialer)"
wait_for 10 "the first is a spare" sql_is "SELECT count(*) FROM node_slots WHERE held LIKE 'a dialer of a lower node_priority%'" 1
furrow node list | grep -q 'weight 1, priority 1' || fail "not listed: $(furrow node list)"
quietly furrow campaign start failover
some_went() { [ "$(over "$SECOND_PORT" 2519117)" -ge 8 ]; }
wait_for 20 "calls go over the second" some_went
check "calls over the spare" 0 "$(over "$FIRST_PORT" 2519117)"
"$RIG/rig.sh" kill "$RIG_SECOND"
the_rest_went() { [ "$(over "$FIRST_PORT" 2519117)" -ge 15 ]; }
wait_for 30 "the rest goes over the first" the_rest_went
furrow node list | grep -q 'its Asterisk is not connected' || fail "not listed: $(furrow node list)"
# What may have gone out when it died is given up when it does not come back, and not tried again.
wait_for 40 "everybody was called" done_is failover
check "numbers called twice" '' "$(grep '^from|251911[67]' "$UAS_LOG" | cut -d'|' -f2 | sort | uniq -d)"
check "open attempts" 0 "$(sql "SELECT count(*) FROM attempts a JOIN campaigns k ON k.id = a.campaign_id WHERE k.name = 'failover'
    AND a.state IN ('intent', 'released', 'ringing', 'answered')")"
check "given up" 1 "$(grep -c 'given up: the switch is lost' "$T/log/second.log")"
stop second

# Chaltu talks still: the end of the dialer ends that call and its bridge.
stop dialer
wait_for 10 "no bridge is left" sh -c "[ \"\$(curl -sf -u '$RIG_ARI_USER:$RIG_ARI_SECRET' '$RIG_ARI_URL/bridges')\" = '[]' ]"
echo "ok: from the answer to the agent $(sort -n "$T/took" | tr '\n' ' ')ms; $a and $b calls over two Asterisks; to the open line ${lined_ms}ms; a message $((after_ms - spoken_ms)) ms after the beep"
