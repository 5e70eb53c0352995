#!/bin/sh
# kill_one.sh PROCESS [SEED]: kill -9 of one process at a seeded instant of a running campaign
# on a real Asterisk; it is started again. Afterwards: no attempt twice, every contact final,
# every finished recording a result or a listed failure.
#   PROCESS  dialer, worker, server, redis, postgres, asterisk
. "$(dirname "$0")/../lib.sh"
RIG=$FURROW_SOURCE/tests/rig
. "$RIG/rig_lib.sh"
. "$RIG/stack_lib.sh"
PROCESS=${1:?which process}
SEED=${2:-1}
BEHAVIOURS='0 1 4 5 6 8'

# Between the first call and about the last first one, by the seed alone.
moment=$(python3 -c "import random; print('%.2f' % random.Random('$PROCESS $SEED').uniform(0.2, 4.5))")

stack_start
dialer_start
wait_for 20 "the dialer has its slot" dialer_ready
campaign_make 4 5 12
wait_for 30 "the first call" grep -q '^invite|' "$UAS_LOG"
pause "$moment"
before=$(invites | cut -d'|' -f4 | sort -u | wc -l)
case $PROCESS in
dialer) kill9 dialer && dialer_start ;;
worker) kill9 worker && worker_start ;;
server) kill9 server && server_start ;;
redis) redis_kill && redis_start ;;
postgres) pg_kill && pg_start ;;
asterisk) asterisk_kill && asterisk_again ;;
*) fail "no process '$PROCESS'" ;;
esac
alive "$PROCESS" || [ "$PROCESS" = asterisk ] || fail "$PROCESS did not come back"
wait_for 150 "the campaign is done after the death of $PROCESS at $moment s (seed $SEED)" campaign_done
wait_for 60 "the jobs are done" jobs_done
all_holds
echo "ok: $PROCESS killed $moment s after the first call, after $before calls: $(summary); $(cat "$T/witness")"
