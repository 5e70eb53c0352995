#!/bin/sh
# Everything around a running campaign fails in turn: Redis is flushed, Asterisk restarted,
# Postgres restarted, worker and server killed. The campaign completes all the same.
. "$(dirname "$0")/../lib.sh"
RIG=$FURROW_SOURCE/tests/rig
. "$RIG/rig_lib.sh"
. "$RIG/stack_lib.sh"
BEHAVIOURS='0 1 4 5 6'

stack_start
dialer_start
wait_for 20 "the dialer has its slot" dialer_ready
campaign_make 8 4 10
seen() { [ "$(invites | cut -d'|' -f4 | sort -u | wc -l)" -ge "$1" ]; }
# Not only expected by us: Asterisk itself is writing it.
recording_now() {
    for name in $(sql "SELECT name FROM recordings WHERE state = 'live'"); do
        ari GET "recordings/live/$name" | grep -q '"state":"recording"' && CUT=$name && return 0
    done
    return 1
}

wait_for 30 "three calls" seen 3
redis_do FLUSHALL >/dev/null
wait_for 60 "calls go on after the flush" seen 6
kill9 worker
kill9 server
worker_start
server_start
wait_for 60 "calls go on without worker and server" seen 9
wait_for 60 "somebody is being recorded" recording_now
asterisk_kill
asterisk_again
wait_for 90 "calls go on after Asterisk's restart" seen 15
pg_stop
pg_start
wait_for 150 "the campaign is done" campaign_done
settled
all_holds
# The recording cut by Asterisk's death is listed, not forgotten.
sql "SELECT name, state, duration_ms, bytes, error FROM recordings" >"$T/log/recordings.log"
cut=$(sql "SELECT state FROM recordings WHERE name = '$CUT'")
case $cut in lost_media | needs_person | failed) ;; *) fail "the recording $CUT that was cut ended as '$cut'" ;; esac
lost=$(sql "SELECT count(*) FROM recordings WHERE state = 'lost_media'")
furrow recordings list --state lost_media >"$T/lost" || fail "recordings list"
[ "$lost" = 0 ] || grep -q lost_media "$T/lost" || fail "lost recordings are not listed"
echo "ok: the recording cut in the middle is $cut; $lost lost and listed; $(summary); $(cat "$T/witness")"
