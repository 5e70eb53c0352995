#!/bin/sh
# furrow doctor says what keeps calls from going out and what to do: lists that a campaign
# asks for, trunks whose Asterisk is away or does not know them, services that are silent.
. "$(dirname "$0")/../lib.sh"
doctor() { furrow doctor >"$T/out" 2>&1 || true; }
says() { grep -Eq -- "$1" "$T/out" || fail "no '$1' in: $(cat "$T/out")"; }
pg_start
redis_start

cat >"$T/switch.py" <<'PY'
# As much of ARI as is asked, and a speech service: the endpoint's state is in a file.
import http.server, json, sys
class Switch(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        import base64
        state = open(sys.argv[2]).read().strip()
        known = "Basic " + base64.b64encode(b"furrow:right").decode()
        if self.path.startswith("/ari") and self.headers.get("Authorization") != known:
            status, body = 401, {}
        elif self.path == "/ari/asterisk/info":
            status, body = 200, {"system": {"version": "22"}}
        elif self.path == "/ari/endpoints/PJSIP/telco" and state != "none":
            status, body = 200, {"technology": "PJSIP", "resource": "telco", "state": state}
        else:
            status, body = 404, {}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())
    def log_message(self, *args):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Switch)
open(sys.argv[1] + ".part", "w").write(str(server.server_port))
import os
os.rename(sys.argv[1] + ".part", sys.argv[1])
server.serve_forever()
PY
echo online >"$T/state"
start switch python3 "$T/switch.py" "$T/port" "$T/state"
wait_for 20 "the switch listens" test -s "$T/port"

printf 'phone,name\n+251911223366,Hana\n' >"$T/people.csv"
printf '{"name": "harvest", "list": "people", "flow": "coffee", "trunk": "line", "dnc": {"lists": ["et.dnc"], "wash": ["et.wash"], "max_age_days": 30}}' >"$T/harvest.json"
{
    furrow flow publish "$FURROW_SOURCE/deploy/demo/coffee.json" &&
        furrow trunk add line --kind ari --endpoint 'PJSIP/{number}@telco' --cps 1 --max-channels 2 &&
        furrow contacts import "$T/people.csv" --list people &&
        furrow campaign create "$T/harvest.json"
} >"$T/out" 2>&1 || fail "a campaign: $(cat "$T/out")"

# Nothing is there yet.
doctor
says '^FAIL +list +et.dnc, asked for by harvest, is missing: .*furrow dnc import --list et.dnc'
says '^FAIL +wash +et.wash, asked for by harvest, has no answer in force: .*furrow facts import'
says '^warn +dialer +none is running; start furrow-dialer'
says '^warn +trunk +line: not asked: FURROW_ARI_URL'
says '^ok +speech +none is named here \(FURROW_ASR_URL\)'
says '^not fit to call'

# The list is too old, then fresh, then damaged; the wash has an answer.
printf '+251911000001\n' >"$T/list"
furrow dnc import --list et.dnc --obtained 2020-01-01T00:00:00Z "$T/list" >"$T/log/import" 2>&1 || fail import
doctor
says '^FAIL +list +et.dnc, asked for by harvest, is [0-9]+ days old, too old'
furrow dnc import --list et.dnc "$T/list" >"$T/log/import" 2>&1 || fail import
printf 'phone,hit,checked_at\n+251911223366,no,2026-01-01\n' >"$T/wash.csv"
furrow facts import "$T/wash.csv" --kind wash --list et.wash --valid-days 3660 >"$T/log/import" 2>&1 || fail wash
doctor
says '^ok +list +et.dnc: 1 numbers, 0 days old, for harvest'
says '^ok +wash +et.wash has answers in force'

# The trunk: no Asterisk, a wrong secret, no endpoint, an unreachable one, a good one.
FURROW_ARI_URL="http://127.0.0.1:$(cat "$T/port")/ari" FURROW_ARI_SECRET=wrong
FURROW_ASR_URL="http://127.0.0.1:$(cat "$T/port")"
export FURROW_ARI_URL FURROW_ARI_SECRET FURROW_ASR_URL
doctor
says '^FAIL +trunk +line: Asterisk at .* refuses us; .*ari.conf'
says '^ok +speech +http://127.0.0.1:[0-9]+ answers'
FURROW_ARI_SECRET=right
doctor
says '^ok +trunk +line: Asterisk answers, PJSIP/telco is online'
echo offline >"$T/state"
doctor
says '^FAIL +trunk +line: Asterisk cannot reach PJSIP/telco'
furrow campaign start harvest >"$T/out" 2>&1 || fail "start: $(cat "$T/out")"
says "^trunk 'line' is not ready, nothing is called over it: Asterisk cannot reach PJSIP/telco"
furrow campaign watch harvest --once >"$T/out" 2>&1 || fail "watch: $(cat "$T/out")"
says "^trunk 'line' is not ready"
echo none >"$T/state"
doctor
says '^FAIL +trunk +line: Asterisk has no endpoint PJSIP/telco; add it to its pjsip.conf'
stop switch
doctor
says '^FAIL +trunk +line: Asterisk at .* does not answer .*is it running'
says '^warn +speech +.* does not answer .*FURROW_ASR_URL'
furrow doctor --json >"$T/json" 2>"$T/log/doctor" && fail "doctor --json found nothing"
python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert not d["fit"] and any(l["what"] == "trunk" and l["state"] == "FAIL" for l in d["lines"])' "$T/json" || fail "doctor --json"

# The server and its contracts.
FURROW_PORT=$(free_port) FURROW_PLIVO_IVR_LISTEN=$(free_port)
export FURROW_PORT FURROW_PLIVO_IVR_LISTEN
doctor
says "^warn +server +nobody answers at http://127.0.0.1:$FURROW_PORT: start furrow-server"
says '^ok +contract +ivr-simulator: below /ivr-simulator; not asked'
says '^warn +voice API +nobody has a key; .*furrow key create'
start server env FURROW_PORT_FILE="$T/server.port" "$BIN/furrow-server"
wait_for 20 "the server listens" test -s "$T/server.port"
furrow key create app --scope voice >"$T/log/key" 2>&1 || fail key
doctor
says "^ok +server +http://127.0.0.1:$FURROW_PORT answers"
says "^ok +contract +plivo-ivr: below /plivo-ivr, at http://127.0.0.1:$FURROW_PLIVO_IVR_LISTEN\$"
says '^warn +contract +plivo-ivr: whoever reaches it .*FURROW_PLIVO_IVR_TOKEN'
says '^warn +contract +plivo-ivr: webhooks are believed unsigned; PLIVO_AUTH_TOKEN'
says '^warn +contract +voice-ledger: webhooks are believed unsigned'
says '^ok +voice API +1 keys, 1 of them without a limit'
says '^warn +voice API +no worker is running'
PLIVO_AUTH_TOKEN=t FURROW_PLIVO_IVR_TOKEN=t FURROW_IVR_SIMULATOR_LISTEN=$(free_port) FURROW_CONTRACTS=plivo-ivr
export PLIVO_AUTH_TOKEN FURROW_PLIVO_IVR_TOKEN FURROW_IVR_SIMULATOR_LISTEN FURROW_CONTRACTS
doctor
says "^warn +contract +ivr-simulator: http://127.0.0.1:$FURROW_IVR_SIMULATOR_LISTEN/ does not answer: is furrow-server running with these"
grep -q 'voice-ledger\|voice API\|FURROW_PLIVO_IVR_TOKEN\|PLIVO_AUTH_TOKEN' "$T/out" && fail "what is not there: $(cat "$T/out")"
FURROW_PLIVO_IVR_TENANT=nobody
export FURROW_PLIVO_IVR_TENANT
doctor
says "^FAIL +contract +plivo-ivr is to serve the tenant 'nobody'"
FURROW_PORT=none doctor
says '^FAIL +server +its configuration is wrong'
echo ok
