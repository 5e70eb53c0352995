#!/bin/sh
# A gateway described by its settings, a message tried, its report and a STOP by the webhooks:
# real binaries, a gateway of this test's own.
. "$(dirname "$0")/../lib.sh"
cat >"$T/gateway.py" <<'END'
import http.server, json, sys
class Gateway(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        open(sys.argv[1], "a").write(json.dumps({"auth": self.headers["Authorization"], **json.loads(body)}) + "\n")
        ok = "bad" not in body
        answer = json.dumps({"acknowledge": "success", "id": "g-1"} if ok else {"acknowledge": "error", "why": "bad text"})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer.encode())
    def log_message(self, *args): pass
s = http.server.HTTPServer(("127.0.0.1", 0), Gateway)
open(sys.argv[2], "w").write(str(s.server_port))
s.serve_forever()
END
start gateway python3 "$T/gateway.py" "$T/got" "$T/port"
pg_start
redis_start
FURROW_SECRET_KEY=$(furrow provider key 2>/dev/null)
FURROW_PUBLIC_URL=http://voice.example.test
export FURROW_SECRET_KEY FURROW_PUBLIC_URL
wait_for 20 "the gateway listens" test -s "$T/port"
start worker env FURROW_RETRY_BASE_MS=50 "$BIN/furrow-worker"
start server env FURROW_PORT=0 FURROW_PORT_FILE="$T/server.port" "$BIN/furrow-server"

settings='{"send": {"url": "http://127.0.0.1:'$(cat "$T/port")'/send", "content": "json",
  "headers": {"Authorization": "Bearer {token}"}, "body": {"to": "{to}", "from": "{from}", "text": "{text}", "cb": "{report_url}"},
  "id": "/id", "error": "/why", "ok_at": "/acknowledge", "ok_is": ["success"]},
  "report": {"id": "id", "status": "status", "states": {"delivered": "delivered"}},
  "inbound": {"from": "from", "text": "text", "id": "id"}}'
printf 'gw-token\n' >"$T/token"
furrow provider add gw --kind http --token-file "$T/token" --settings "$settings" >"$T/out" 2>&1 || fail "add: $(cat "$T/out")"
furrow sms set --account gw --sender Ledger --daily-cap 3 --zone Africa/Addis_Ababa --price 0.35 --currency ETB >"$T/out" 2>&1 ||
    fail "set: $(cat "$T/out")"
furrow sms test +251911234567 'Selam “all”' --wait >"$T/out" 2>&1 || fail "test: $(cat "$T/out")"
check 'what it costs, and what became of it' "queued through 'gw': UCS-2, 11 units, 1 segment, about 0.35 ETB
sent" "$(cat "$T/out")"
check 'what the gateway got' 'Bearer gw-token|+251911234567|Ledger|Selam “all”' \
    "$(python3 -c 'import json, sys; m = json.loads(open(sys.argv[1]).readline()); print("|".join([m["auth"], m["to"], m["from"], m["text"]]))' "$T/got")"
furrow sms test +251911234567 'bad “x”' --wait >"$T/out" 2>&1 && fail "a refused message was called sent"
grep -q 'failed: the provider answered 200: bad text' "$T/out" || fail "why it failed: $(cat "$T/out")"

# Its report, at the address that it was given.
wait_for 20 "the server listens" test -s "$T/server.port"
SERVER=http://127.0.0.1:$(cat "$T/server.port")
callback=$(python3 -c 'import json, sys; print(json.loads(open(sys.argv[1]).readline())["cb"])' "$T/got")
path=${callback#http://voice.example.test}
check 'the report is taken' 200 "$(curl -s -m 10 -o /dev/null -w '%{http_code}' -d 'id=g-1&status=delivered' "$SERVER$path")"
check 'delivered' 'delivered|g-1|350000' "$(sql "SELECT state, provider_id, price_micros FROM messages WHERE body LIKE 'Selam%'")"

# STOP acts at once, is answered, and nothing else is sent to that number.
hook=${path%/message/*}
check 'STOP is taken' 200 "$(curl -s -m 10 -o /dev/null -w '%{http_code}' -d 'id=in-1' --data-urlencode 'from=+251911234567' --data-urlencode 'text=አቁም' "$SERVER$hook/sms")"
check 'on the list' 1 "$(sql "SELECT count(*) FROM dnc_entries WHERE phone = 251911234567 AND source = 'sms' AND removed_at IS NULL")"
wait_for 20 "the answer is sent" sql_is "SELECT state || ' ' || language FROM messages WHERE kind = 'reply'" 'sent am'
furrow sms test +251911234567 hello >"$T/out" 2>&1 && fail "a number that said STOP got a message"
grep -q 'opted out and gets no messages' "$T/out" || fail "why not: $(cat "$T/out")"

# The third is the last of the day.
for n in 2 3; do furrow sms test "+25191123456$n" hello >/dev/null 2>&1 || fail "test $n"; done
wait_for 20 "one waits for tomorrow" sql_is "SELECT count(*) FROM messages WHERE state = 'queued' AND waits_until > now()" 1
furrow sms status >"$T/out"
for line in 'cap            3 of 3 used' 'wait           1 until' 'cost           1.05 ETB'; do
    grep -q "$line" "$T/out" || fail "the status does not say '$line': $(cat "$T/out")"
done
stop worker
stop server
grep -q gw-token "$T"/log/worker.log "$T"/log/server.log && fail "a token is in the log"
echo ok
