#!/bin/sh
# kill_one.sh SEED PROCESS…: kill -9 of each process, one after the other, at a seeded instant
# of one running campaign on a real Asterisk; it is started again. The same process may be named
# again and again. Afterwards: no attempt twice, every contact final, every finished recording a
# result or a listed failure.
#   PROCESS  dialer, worker, server, redis, postgres, asterisk
. "$(dirname "$0")/../lib.sh"
RIG=$FURROW_SOURCE/tests/rig
. "$RIG/rig_lib.sh"
. "$RIG/stack_lib.sh"
SEED=${1:?which seed}
shift
BEHAVIOURS='0 1 4 5 6 8'
EACH=$(($# > 6 ? 5 + $# / 2 : $# > 1 ? 10 : 4))
CPS=$(($# > 6 ? 1 : $# > 1 ? 3 : 5))

# Between the call before and about the last first one, by the seed alone.
moment() { python3 -c "import random; print('%.2f' % random.Random('$1 $SEED $3').uniform(0.2, $2))"; }
calls_seen() { invites | cut -d'|' -f4 | sort -u | wc -l; }
more_than() { [ "$(calls_seen)" -gt "$1" ]; }
kill_and_start() {
    case $1 in
    dialer) kill9 dialer && dialer_start ;;
    worker) kill9 worker && worker_start ;;
    server) kill9 server && server_start ;;
    redis) redis_kill && redis_start ;;
    postgres) pg_kill && pg_start ;;
    asterisk) asterisk_kill && asterisk_again ;;
    *) fail "no process '$1'" ;;
    esac
    [ "$1" = asterisk ] || alive "$1" || fail "$1 did not come back"
}

stack_start
dialer_start
wait_for 20 "the dialer has its slot" dialer_ready
campaign_make $EACH $CPS 12
story=
deaths=0
for process in "$@"; do
    before=$(calls_seen)
    wait_for 60 "a call before $process dies" more_than "$before"
    deaths=$((deaths + 1))
    at=$(moment "$process" "$([ $# -gt 1 ] && echo 1 || echo 4)" $deaths)
    pause "$at"
    kill_and_start "$process"
    story="$story $process($at s, $(calls_seen) calls)"
done
wait_for $((150 + 5 * $#)) "the campaign is done after the deaths of$story (seed $SEED)" campaign_done
settled
all_holds
echo "ok: killed $deaths times,$story: $(summary); $(cat "$T/witness")"
