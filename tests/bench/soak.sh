#!/bin/sh
# soak.sh [--minutes N]: everything of Furrow under a simulated campaign for N (5) minutes of
# real time; memory and open files of each process at the start and at the end, as JSON lines.
# Exit 1 when one of them grew by more than a quarter after the first minute.
set -eu
minutes=5
while [ $# -gt 0 ]; do
    case $1 in
    --minutes) minutes=${2:?} && shift 2 ;;
    *) echo 'usage: soak [--minutes N]' >&2; exit 2 ;;
    esac
done
. "$(dirname "$0")/../lib.sh"
export FURROW_CLOCK=2026-11-24T06:00:00Z@60 FURROW_LOG_LEVEL=warn

pg_start
redis_start
python3 - "$((minutes * 3000))" >"$T/people.csv" <<'PY'
import sys
print("phone")
for i in range(int(sys.argv[1])):
    print("+2519%08d" % (11000000 + i))
PY
furrow contacts import "$T/people.csv" --list farmers >>"$T/log/cli.log" 2>&1
furrow flow publish "$FURROW_SOURCE/deploy/demo/coffee.json" >>"$T/log/cli.log" 2>&1
furrow trunk add simulated --kind simulated --cps 1 --max-channels 500 \
    --settings '{"seed": 1, "answer": 0.6, "busy": 0.2, "no_answer": 0.2, "ring_s": [4, 18]}' >>"$T/log/cli.log" 2>&1
furrow campaign create "$FURROW_SOURCE/deploy/demo/campaign.json" >>"$T/log/cli.log" 2>&1
furrow campaign start coffee-harvest >>"$T/log/cli.log" 2>&1
start worker "$BIN/furrow-worker"
start server env FURROW_PORT=0 "$BIN/furrow-server"
start dialer "$BIN/furrow-dialer"

rss_kb() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(pid_of "$1")/status"; }
files() { ls "/proc/$(pid_of "$1")/fd" | wc -l; }
pause 60
for name in dialer worker server; do
    alive $name || fail "$name is gone"
    eval "rss_$name=$(rss_kb $name) files_$name=$(files $name)"
done
[ "$minutes" -le 1 ] || pause $(((minutes - 1) * 60))
code=0
for name in dialer worker server; do
    alive $name || fail "$name is gone"
    eval "before=\$rss_$name open=\$files_$name"
    after=$(rss_kb $name)
    [ "$after" -le $((before + before / 4)) ] || code=1
    printf '{"bench":"soak","process":"%s","minutes":%d,"rss_kb_after_1_min":%d,"rss_kb":%d,"files_after_1_min":%d,"files":%d}\n' \
        "$name" "$minutes" "$before" "$after" "$open" "$(files $name)"
done
printf '{"bench":"soak","attempts":%d,"calls":%d,"open_contacts":%d}\n' "$(sql 'SELECT count(*) FROM attempts')" \
    "$(sql 'SELECT count(*) FROM calls')" "$(sql "SELECT count(*) FROM campaign_contacts WHERE state <> 'final'")"
exit $code
