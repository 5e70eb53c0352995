#!/bin/sh
# The ledger of batches with the real server and worker: commands typed by SMS, each answered in
# the writer's language; a question and its answer; a batch verified on its page; the command line.
. "$(dirname "$0")/../lib.sh"
pg_start
redis_start
FURROW_SECRET_KEY=$(furrow provider key 2>/dev/null)
export FURROW_SECRET_KEY FURROW_PUBLIC_URL=http://voice.example.test
start worker env FURROW_RETRY_BASE_MS=50 "$BIN/furrow-worker"
start server env FURROW_PORT=0 FURROW_PORT_FILE="$T/port" "$BIN/furrow-server"
printf 'gw-token\n' >"$T/token"
quietly furrow provider add gw --kind http --token-file "$T/token" --settings '{"send": {"url": "http://127.0.0.1:9/",
  "content": "json", "body": {"to": "{to}", "text": "{text}"}, "id": "/id"}, "inbound": {"from": "from", "text": "text", "id": "id"}}'
quietly furrow caller add +251911000001 --name Abebe --language am --approve
quietly furrow caller add +251911000002 --name Chaltu
quietly furrow caller add +251911000003 --name Sara --role cooperative-manager --language om --organization 'Guji union' --approve
wait_for 20 "the server listens" test -s "$T/port"
SERVER=http://127.0.0.1:$(cat "$T/port")
hook=/hooks/$(furrow provider show gw --json | python3 -c 'import json, sys
print(json.load(sys.stdin)["webhooks"].split("/hooks/")[1])')
n=0 extra=0 # extra: messages that answer nothing
write() { # FROM TEXT: the answer's kind and language are in $told, its text in $T/told
    n=$((n + 1))
    code=$(curl -s -m 10 -o "$T/out" -w '%{http_code}' -d "id=in-$n" --data-urlencode "from=$1" --data-urlencode "text=$2" "$SERVER$hook/sms")
    [ "$code" = 200 ] || fail "the message '$2': $code $(cat "$T/out")"
    wait_for 20 "'$2' is answered" sql_is "SELECT count(*) FROM messages WHERE state = 'sent'" $((n + extra))
    told=$(sql "SELECT kind || ' ' || language FROM messages ORDER BY created_at DESC, id DESC LIMIT 1")
    sql "SELECT body FROM messages ORDER BY created_at DESC, id DESC LIMIT 1" >"$T/told"
}
says() { grep -q -- "$1" "$T/told" || fail "the message does not say '$1': $(cat "$T/told")"; }
newest() { sql "SELECT batch_id FROM batches ORDER BY number DESC LIMIT 1"; }

write +251911000009 '/commission 5 bags Guji Dilla'
check 'who is unknown' 'error en' "$told"
says 'not registered'
write +251911000002 '/commission 5 bags Guji Dilla'
says 'pending approval'
write +251911000001 '/commission 5 bags Guji Dilla'
check 'a receipt in Amharic' 'receipt am' "$told"
A=$(newest)
says "$A"
says '300'
write +251911000003 '/commission 120 Sidamo'
check 'a question in Oromo' 'question om' "$told"
says 'Qonna eenyuu'
write +251911000003 'Abebe'
check 'the answer completes it' 'receipt om' "$told"
check 'what was recorded' '120 Sidamo Abebe' "$(sql "SELECT quantity_kg || ' ' || variety || ' ' || origin FROM batches WHERE number = 2")"
write +251911000001 "/ship $A Addis Ababa"
check 'shipped' 'receipt am' "$told"
write +251911000003 "/receive $A good"
write +251911000003 "/pack 1 2 PALLET-001"
says '306141410000000013'
write +251911000001 "/pack 1 2 PALLET-002"
check 'not packed twice' 'error am' "$told"
says PALLET-001
write +251911000003 '/unpack PALLET-001'
write +251911000003 "/transform 1 hulled 100"
check 'a loss of two thirds' 'error om' "$told"
write +251911000003 "/transform 1 hulled 240"
write +251911000003 "/split $(newest) 140 100 Hamburg Bremen"
says '(140 kg)'
write +251911000008 '/register om Bontu Gemechu'
check 'who registers by SMS' 'registration om' "$told"
check 'waits' 'pending Bontu Gemechu om' "$(sql "SELECT state || ' ' || name || ' ' || language FROM callers WHERE phone = 251911000008")"
write +251911000008 '/commission 5 bags Guji Dilla'
check 'until then' 'error om' "$told"
quietly furrow caller approve +251911000008
extra=1
wait_for 20 "who is let in is told" sql_is "SELECT kind || ' ' || language || ' ' || phone FROM messages WHERE state = 'sent' AND kind = 'approved'" 'approved om 251911000008'
write +251911000008 '/commission 5 bags Guji Dilla'
check 'approved' 'receipt om' "$told"
write +251911000008 '/register'
check 'again' 'registration om' "$told"
says "mirkanaa'eera"
write +251911000001 '/dance'
says '/commission'
check 'events' 'commissioning 5|inspecting 0|packing 1|receiving 1|shipping 1|unpacking 1' \
    "$(sql "SELECT string_agg(s || ' ' || (SELECT count(*) FROM epcis_events WHERE biz_step = s), '|') FROM unnest(ARRAY['commissioning', 'inspecting', 'packing', 'receiving', 'shipping', 'unpacking']) s")"
check 'hashes' 0 "$(sql "SELECT count(*) FROM epcis_events WHERE event_hash <> encode(sha256(convert_to(canonical, 'UTF8')), 'hex')")"
# A provider that hands a message over again changes nothing.
curl -s -m 10 -o /dev/null -d 'id=in-3' --data-urlencode 'from=+251911000001' --data-urlencode 'text=/commission 5 bags Guji Dilla' "$SERVER$hook/sms"
check 'handed over again' "$n" "$(sql "SELECT count(*) FROM commands WHERE source = 'sms'")"

# Verified on its page, once.
token=$(sql 'SELECT verification_token FROM batches WHERE number = 2')
page=$SERVER/voice-ledger/verify/$token
curl -s -m 10 "$page" | grep -q 'name="verified_quantity"' || fail "there is no form"
verify() { curl -s -m 10 -o "$T/out" -w '%{http_code}' -d "verified_quantity=${2:-118.5}" --data-urlencode "telegram_user_id=$1" "$page"; }
check 'a farmer may not' 403 "$(verify +251911000001)"
for kg in 0x76 nan 1e400 118,5 -1 '118.5 kg'; do
    check "a quantity of '$kg'" 422 "$(verify +251911000003 "$kg")"
done
check 'a manager may' 303 "$(verify +251911000003)"
check 'once' 409 "$(verify +251911000003)"
sql "UPDATE batches SET verification_expires_at = now(), verified_at = NULL WHERE number = 1"
page=$SERVER/voice-ledger/verify/$(sql 'SELECT verification_token FROM batches WHERE number = 1')
check 'in time' 410 "$(verify +251911000003)"
furrow batch link 2 >"$T/out" 2>&1 && fail "a verified batch has a link: $(cat "$T/out")"
furrow batch link 1 | grep -q 'which is over' || fail "that the link is over is not said"
curl -s -m 10 "$page" | grep -q 'Token Expired' || fail "the page does not say that it is over"
link=$(furrow batch link 1 --renew --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["link"])')
page=$SERVER${link#"$FURROW_PUBLIC_URL"}
FURROW_VOICE_LEDGER_PUBLIC_URL=https://ledger.example.test/v/ furrow batch link 1 >"$T/out"
check 'where the contract has an address of its own' "https://ledger.example.test/v/verify/${link##*/}" "$(head -1 "$T/out")"
check 'renewed' 303 "$(verify +251911000003)"
# Whose batch it is hears of it; who verified their own knows.
wait_for 20 "the verification is told" sql_is "SELECT string_agg(language || ' ' || phone, '|') FROM messages WHERE state = 'sent' AND kind = 'verified'" 'am 251911000001'
sql "SELECT body FROM messages WHERE kind = 'verified'" >"$T/told"
says '118.5'

# The same book on the command line.
furrow batch show 2 --json >"$T/shown" || fail show
python3 - "$T/shown" <<'X' || fail "what is shown: $(cat "$T/shown")"
import json, sys
b = json.load(open(sys.argv[1]))
assert b["status"] == "VERIFIED" and b["verified_quantity"] == 118.5 and b["verifying_organization"] == "Guji union", b
assert [e["biz_step"] for e in b["events"]] == ["commissioning", "packing", "unpacking", "inspecting"], b
assert "verification_token" not in b, b
X
furrow batch command 'commission 5 bags of limu from bonga' --phone +251911000001 --key one --json >"$T/done" || fail command
python3 - "$T/done" <<'X' || fail "what a program is told: $(cat "$T/done")"
import json, sys
r = json.load(open(sys.argv[1]))
assert r["quantity_kg"] == 300 and r["status"] == "PENDING_VERIFICATION" and r["verification_token"].startswith("VRF-"), r
assert r["message"] == "Successfully commissioned 5 bags of Limu from Bonga" and r["epcis_event"]["bizStep"] == "commissioning", r
X
furrow batch command '/commission 5 Limu Bonga' --key one 2>&1 | grep -q 'done before' || fail "the same key did something new"
furrow batch command '/ship nowhere Hamburg' >"$T/out" 2>&1 && fail "what is not there was shipped"
grep -q 'no batch nowhere' "$T/out" || fail "why not: $(cat "$T/out")"
quietly furrow batch settings --location-needed yes
furrow batch command '/commission 5 Limu Gore' >"$T/out" 2>&1 && fail "a farm that lies nowhere"
quietly furrow batch farm Gore --latitude 8.15 --longitude 35.53
quietly furrow batch command '/commission 5 Limu Gore'
# A record for the cooperative, with the link under which its manager verifies it.
quietly furrow caller add +251911000004 --name Bontu --organization 'GUJI union' --approve
quietly furrow batch command '/commission 5 bags Guji Gore' --phone +251911000004
quietly furrow batch settings --tell-cooperative yes
quietly furrow batch command '/commission 7 bags Guji Gore' --phone +251911000004
quietly furrow batch command '/commission 7 bags Guji Gore' --phone +251911000001
wait_for 20 "the cooperative is told" sql_is "SELECT string_agg(language || ' ' || phone, '|') FROM messages WHERE state = 'sent' AND kind = 'recorded'" 'om 251911000003'
sql "SELECT body FROM messages WHERE kind = 'recorded'" >"$T/told"
says 'Bontu'
says '7 keeshaa (420 kg)'
curl -s -m 10 "$SERVER$(grep -o '/voice-ledger/verify/.*' "$T/told")" | grep -q 'name="verified_quantity"' || fail "the link leads nowhere: $(cat "$T/told")"
furrow batch list | grep -q GORE_LIMU || fail "it is not listed"
furrow batch events --json | grep -q 'epcis-context.jsonld' || fail "the events are no JSON-LD"
furrow batch events --json >"$T/events" || fail events
python3 - "$T/events" <<'X' || fail "hashes of what is told"
import hashlib, json, sys
for e in json.load(open(sys.argv[1])):
    text = json.dumps(e["event"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == e["event_hash"], text
X
furrow caller list --state pending | grep -q Chaltu || fail "who waits is not listed"
stop worker
stop server
for secret in gw-token VRF-; do
    grep -q -- "$secret" "$T"/log/worker.log "$T"/log/server.log && fail "$secret is in the log"
done
echo ok
