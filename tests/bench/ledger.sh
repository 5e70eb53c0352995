#!/bin/sh
# ledger.sh [--calls N] [--at-a-time N] [--no-limit]: farmers who call the contract voice-ledger at once, each as Twilio asks for them: greeted
# by name, recorded, told that it was received, the recording's and the call's end. Every tenth webhook comes twice at once, as a provider repeats
# it. JSON lines; exit 1 when a call or recording is lost or doubled, a caller hears anything else, or (but for --no-limit) p99 is over 1 s.
set -eu
calls=3000 at=64 limit=1000
while [ $# -gt 0 ]; do
    case $1 in
    --calls) calls=${2:?} && shift 2 ;;
    --at-a-time) at=${2:?} && shift 2 ;;
    --no-limit) limit=0 && shift ;;
    *) echo 'usage: ledger [--calls N] [--at-a-time N] [--no-limit]' >&2; exit 2 ;;
    esac
done
. "$(dirname "$0")/../lib.sh"
export FURROW_LOG_LEVEL=warn PG_FSYNC=on
pg_start
redis_start
for n in 1 2 3; do quietly furrow caller add "+25191100010$n" --name "Farmer $n" --approve; done
server_start ${SERVER_ENV:-}
code=0
python3 - "$PORT" "$calls" "$at" "$limit" <<'PY' || code=1
import http.client, json, sys, threading, time, urllib.parse

port, calls, at, limit = map(int, sys.argv[1:])
lock, times, wrong, numbers = threading.Lock(), [], [], iter(range(calls))
BASE, FORM = "/voice-ledger/voice/ivr/", {"Content-Type": "application/x-www-form-urlencoded"}
RECORDING = "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE%d"


def ask(c, path, says, form):
    begun = time.monotonic()
    c.request("POST", BASE + path, urllib.parse.urlencode(form), FORM)
    r = c.getresponse()
    text = r.read().decode()
    with lock:
        times.append(time.monotonic() - begun)
        if r.status != 200 or says not in text:
            wrong.append("%s %d: %s" % (path, r.status, text[:300]))


def webhook(c, other, twice, *what):
    if not twice:
        return ask(c, *what)
    again = threading.Thread(target=ask, args=(other, *what))
    again.start()
    ask(c, *what)
    again.join()


def farmer():
    c, other = (http.client.HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(2))
    while True:
        with lock:
            n = next(numbers, None)
        if n is None:
            return
        who = n % 3 + 1
        call = {"CallSid": "CA%08d" % n, "From": "+25191100010%d" % who, "To": "+15550100", "CallStatus": "in-progress"}
        recording = dict(call, RecordingSid="RE%d" % n, RecordingUrl=RECORDING % n, RecordingDuration="7")
        for i, what in enumerate((("incoming", "Welcome to Voice Ledger, Farmer %d!" % who, call),
                                  ("recording", "Your recording has been received", recording),
                                  ("recording-status", "received", dict(recording, RecordingStatus="completed")),
                                  ("status", "", dict(call, CallStatus="completed", CallDuration="20")))):
            webhook(c, other, (4 * n + i) % 10 == 0, *what)


begun = time.monotonic()
all_ = [threading.Thread(target=farmer) for _ in range(at)]
for t in all_:
    t.start()
for t in all_:
    t.join()
took = time.monotonic() - begun
times.sort()
p50, p99 = (round(times[int(len(times) * share)] * 1000, 1) for share in (.5, .99))
print(json.dumps({"bench": "ledger", "calls": calls, "at_a_time": at, "calls_per_s": round(calls / took, 1), "webhooks": len(times),
                  "p50_ms": p50, "p99_ms": p99, "max_ms": round(times[-1] * 1000, 1), "wrong": len(wrong)}), flush=True)
for w in wrong[:3]:
    print(w, file=sys.stderr)
sys.exit(1 if wrong or (limit and p99 > limit) else 0)
PY
each() { sql "SELECT count(*), count(DISTINCT $2) FROM $1" | tr '|' ' '; }
ended=$(sql "SELECT count(*) FROM calls WHERE ended_at IS NOT NULL")
for what in 'calls id' 'recordings call_id' 'recordings location'; do
    [ "$(each $what)" = "$calls $calls" ] || { echo "$what: $(each $what) of $calls" >&2; code=1; }
done
jobs=$(sql "SELECT count(*), count(DISTINCT unique_key) FROM jobs WHERE kind = 'recording.fetch'" | tr '|' ' ')
[ "$jobs" = "$calls $calls" ] || { echo "jobs: $jobs of $calls" >&2; code=1; }
[ "$ended" = "$calls" ] || { echo "ended: $ended of $calls" >&2; code=1; }
printf '{"bench":"ledger","calls":%s,"ended":%s,"recordings":%s,"jobs":%s}\n' "$(sql 'SELECT count(*) FROM calls')" "$ended" \
    "$(sql 'SELECT count(*) FROM recordings')" "${jobs% *}"
exit $code
