#!/bin/sh
# uploads.sh: the voice API's uploads, small ones and of 25 MB, and how long a request that has
# nothing to do with them waits meanwhile; memory of the server. JSON lines.
set -eu
. "$(dirname "$0")/../lib.sh"
command -v sox >/dev/null 2>&1 || skip "sox is not installed: './run deps'"
pg_start
redis_start
start server env FURROW_PORT=0 FURROW_PORT_FILE="$T/port" FURROW_LOG_LEVEL=warn "$BIN/furrow-server" --profile voice-ledger
wait_for 20 "the server listens" test -s "$T/port"
KEY=$(furrow key create bench --scope voice 2>/dev/null)
sox -n -r 16000 -c 1 -b 16 "$T/small.wav" synth 7 sine 440
sox -n -r 44100 -c 2 -b 16 "$T/large.wav" synth 145 sine 440
python3 - "$(cat "$T/port")" "$KEY" "$(pid_of server)" "$T/small.wav" "$T/large.wav" <<'PY'
import http.client, json, multiprocessing, sys, threading, time

port, key, pid = int(sys.argv[1]), sys.argv[2], sys.argv[3]
HEADERS = {"X-API-Key": key, "Content-Type": "multipart/form-data; boundary=b"}


def body(path):
    return (b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
            + open(path, "rb").read() + b"\r\n--b--\r\n")


def send(data, times, out):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    for _ in range(times):
        at = time.monotonic()
        c.request("POST", "/voice/upload-async", data, HEADERS)
        r = c.getresponse()
        r.read()
        assert r.status == 200, r.status
        out.put(time.monotonic() - at)


def ask(stop, out):
    while not stop.is_set():
        at = time.monotonic()
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        c.request("GET", "/voice/health")
        c.getresponse().read()
        out.append(time.monotonic() - at)
        stop.wait(0.01)


def ms(times, share):
    return round(sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1000, 1)


def anonymous_kb():
    return next(int(l.split()[1]) for l in open(f"/proc/{pid}/status") if l.startswith("RssAnon"))


def measure(what, path, senders, each):
    data, out, stop, health = body(path), multiprocessing.Queue(), threading.Event(), []
    other = threading.Thread(target=ask, args=(stop, health))
    all_ = [multiprocessing.Process(target=send, args=(data, each, out)) for _ in range(senders)]
    at, memory = time.monotonic(), 0
    for p in all_: # before the thread: a fork beside one may inherit its locks
        p.start()
    other.start()
    times = []
    while len(times) < senders * each:
        times.append(out.get(timeout=300))
        memory = max(memory, anonymous_kb())
    took = time.monotonic() - at
    for p in all_:
        p.join()
        assert p.exitcode == 0
    stop.set()
    other.join()
    print(json.dumps({"bench": "uploads", "what": what, "bytes": len(data), "at_a_time": senders,
                      "per_s": round(len(times) / took, 1), "p50_ms": ms(times, .5), "p99_ms": ms(times, .99),
                      "other_p50_ms": ms(health, .5), "other_p99_ms": ms(health, .99), "other_max_ms": ms(health, 1),
                      "memory_kb": memory}), flush=True)


measure("7 s of speech", sys.argv[4], 8, 100)
measure("25 MB", sys.argv[5], 16, 2)
PY
