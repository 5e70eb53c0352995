#!/bin/sh
# What the contract files cannot show of ivr-simulator: its calls are the database's, not a
# server's; silence ends them; a caller's calls are limited; its dialogs are a flow that can be
# changed, with tables that people see; the same flow in the terminal.
. "$(dirname "$0")/../lib.sh"
pg_start
redis_start
AIRLINE="$FURROW_SOURCE/deploy/samples/airline"

serve() { # NAME OPTIONS…: sets PORT
    name_=$1
    shift
    rm -f "$T/port"
    start "$name_" env FURROW_PORT=0 FURROW_PORT_FILE="$T/port" "$@" "$BIN/furrow-server" --profile ivr-simulator
    wait_for 30 "the server listens" test -s "$T/port"
    PORT=$(cat "$T/port")
}
post() { # PATH JSON: the answer; its status in $T/status
    curl -s -o "$T/answer" -w '%{http_code}' -H 'Content-Type: application/json' -d "$2" "http://127.0.0.1:$PORT$1" >"$T/status"
    cat "$T/answer"
}
field() { python3 -c 'import json,sys; print(json.load(sys.stdin).get(sys.argv[1]))' "$1"; }
start_call() { CALL=$(post /ivr/start "{\"caller_number\": \"$1\"}" | field call_id); }
key() { post /ivr/dtmf "{\"call_id\": \"$CALL\", \"digit\": \"$1\", \"current_menu\": \"x\"}"; }
keys() { for k_ in $(echo "$1" | sed 's/./& /g'); do key "$k_" >"$T/last"; done; cat "$T/last"; }
speak() { post /ivr/process_voice "{\"call_id\": \"$CALL\", \"text\": \"$1\", \"current_menu\": \"x\"}"; }

# The sample is loaded by one command, tables are seen, a PIN is not.
"$BIN/furrow" sample load airline >"$T/out" || fail "sample load: $(cat "$T/out")"
check "loaded" "flow 'airline': published; tables: 3 of 3 made" "$(cat "$T/out")"
check "loaded again" "flow 'airline': there already, as it is; tables: 0 of 3 made" "$("$BIN/furrow" sample load airline)"
check "a flight" "AI101 | Mumbai to Delhi | Today 6:00 PM | On Time | 30" "$("$BIN/furrow" table show flights | grep AI101)"
check "no PIN" "111222333 |  | Saranya | 12500" "$("$BIN/furrow" table show frequent_flyers | grep Saranya)"
printf 'flight:key,route,time,status,seats_available:int\nXX1,Here to there,Now,On Time,1\n' >"$T/more.csv"
check "more rows" "table 'flights': 1 rows added, 0 changed, 0 removed" "$("$BIN/furrow" table import flights "$T/more.csv")"

# The call of the guide.
serve guide
"$AIRLINE/try.sh" "http://127.0.0.1:$PORT" >"$T/out" 2>&1 || fail "try.sh: $(cat "$T/out")"
grep -q '"status":"pnr_found"' "$T/out" || fail "try.sh: $(cat "$T/out")"
stop guide

# A call goes on at another server, and after the one that it began with is gone.
serve one
ONE=$PORT
serve two
start_call +12025550111
check "begun at two" main "$(sql "SELECT current_menu FROM text_calls WHERE public_id = '$CALL'")"
keys 124 >/dev/null
PORT=$ONE
check "its keys at one" 241 "$(key 1 | field collected)"
kill9 two
keys 234 >/dev/null
check "the end at one" pnr_found "$(key '#' | field status)"
check "menus are kept" '["main", "flight_status_pnr"]' "$(sql "SELECT menu_path FROM text_calls WHERE public_id = '$CALL'")"
check "inputs are kept" '["1", "2", "4", "1", "2", "3", "4", "#"]' "$(sql "SELECT inputs FROM text_calls WHERE public_id = '$CALL'")"
check "the PNR is kept" 241234 "$(sql "SELECT variables->>'active_pnr' FROM text_calls WHERE public_id = '$CALL'")"
check "it is a call as any" 1 "$(sql "SELECT count(*) FROM calls WHERE id = '${CALL#CALL_}' AND ended_at IS NOT NULL")"

# Many keys of one call at once: each is a step after the other.
start_call +12025550119
told=
for n in 1 2 3 4 5 6 7 8; do
    curl -s -m 20 -o /dev/null -w '%{http_code}\n' -H 'Content-Type: application/json' \
        -d "{\"call_id\": \"$CALL\", \"digit\": \"*\", \"current_menu\": \"x\"}" "http://127.0.0.1:$PORT/ivr/dtmf" >"$T/at-once-$n" &
    told="$told $!"
done
# shellcheck disable=SC2086
wait $told
check "their answers" 8 "$(cat "$T"/at-once-* | grep -c '^200$')"
check "their inputs" 8 "$(sql "SELECT jsonb_array_length(inputs) FROM text_calls WHERE public_id = '$CALL'")"

# Menus of a booking are all kept; a PIN is in no row.
start_call +12025550112
speak "book" >/dev/null; speak "x x 1" >/dev/null; speak "Almaz" >/dev/null; speak "30" >/dev/null; speak "female" >/dev/null
check "the path of a booking" '["main", "booking_ask_flight", "booking_ask_name", "booking_ask_age", "booking_ask_gender", "booking_confirm_details"]' \
    "$(sql "SELECT menu_path FROM text_calls WHERE public_id = '$CALL'")"
FIRST=$CALL
start_call +12025550113
speak "book" >/dev/null; speak "x x 1" >/dev/null; speak "Bekele" >/dev/null; speak "31" >/dev/null; speak "male" >/dev/null
check "the last seat" call_ended "$(speak yes | field status)"
CALL=$FIRST
check "is sold once" "Sorry, flight XX1 is full. Please try another flight." "$(speak yes | field message)"
start_call +12025550114
keys '6111222333#' >/dev/null
check "the PIN is right" "PIN verified." "$(keys '1234#' | field message)"
check "the PIN is kept nowhere" 0 "$(sql "SELECT (SELECT count(*) FROM text_calls t WHERE t.public_id = '$CALL' AND (t.variables::text LIKE '%1234%' OR t.input_buffer <> '' OR t.inputs::text LIKE '%\"4\"%')) + (SELECT count(*) FROM call_events e WHERE e.call_id = '${CALL#CALL_}' AND e.data::text LIKE '%1234%')")"
stop one

# A second factor is a setting of the flow.
"$BIN/furrow" sample write airline "$T/mine" >/dev/null
sed -i 's/"second_factor": "off"/"second_factor": "name"/' "$T/mine/airline.json"
"$BIN/furrow" flow publish "$T/mine/airline.json" >/dev/null 2>&1 || fail "publish with a second factor"
serve three FURROW_IVR_SIMULATOR_CALLER_LIMIT=3
start_call +12025550115
check "a name is asked for" confirm_name "$(keys '1222222#' | field current_menu)"
check "another name" confirm_name "$(speak "my name is Miller" | field current_menu)"
check "the name" pnr_found "$(speak "smith" | field status)"
start_call +12025550115
keys '1222222#' >/dev/null
check "the name by keys" pnr_found "$(keys '76484#' | field status)"

# A caller's calls are limited.
start_call +12025550115
post /ivr/start '{"caller_number": "+12025550115"}' >/dev/null
check "too many calls" 429 "$(cat "$T/status")"
start_call +12025550116
check "another caller" 200 "$(cat "$T/status")"

# Silence: asked once, then the end; the page hears of it when it asks.
cat >"$T/short.json" <<'END'
{"furrow": 1, "name": "airline", "language": "en", "entry": "q", "nodes": {
  "q": {"kind": "collect", "prompt": {"en": "Hi"}, "timeout_s": 1, "silences": 2, "no_input_prompt": {"en": "Are you there?"},
    "exits": {"1": "end", "invalid": "end", "no_input": "bye"}},
  "bye": {"kind": "hangup", "prompt": {"en": "Goodbye."}}}}
END
"$BIN/furrow" flow publish "$T/short.json" >/dev/null || fail "publish"
start_call +12025550117
is_asked() { [ "$(post /ivr/poll "{\"call_id\": \"$CALL\"}" | field message)" = "Are you there?" ]; }
has_ended() { [ "$(post /ivr/poll "{\"call_id\": \"$CALL\"}" | field status)" = call_ended ]; }
wait_for 20 "it is asked whether anybody is there" is_asked
wait_for 20 "silence ends the call" has_ended
key 1 >/dev/null
check "it has ended" 400 "$(cat "$T/status")"
stop three

# The page with the telephone, in a browser where there is one.
"$BIN/furrow" sample load airline --replace >/dev/null
serve page
if command -v chromium >/dev/null && node --experimental-websocket -e 'WebSocket' 2>/dev/null; then
    node --no-warnings --experimental-websocket "$FURROW_SOURCE/tests/system/phone_page.js" "http://127.0.0.1:$PORT/phone" "$T/chromium" >"$T/out" 2>&1 ||
        fail "the page: $(cat "$T/out")"
else
    echo "no chromium and node: the page was not tried" >&2
fi
stop page

# The store is away: said, not failed.
serve four
pg_stop
check "counts without a store" "Error - Not Connected" "$(curl -s "http://127.0.0.1:$PORT/" | field database_status)"
post /ivr/start '{"caller_number": "+1"}' >/dev/null
check "a start without a store" 503 "$(cat "$T/status")"

# The same flow, tables and words in the terminal.
printf 'say book\n101#\nsay chris tomas\nsay thirty five\n2\n1\n' | "$BIN/furrow" flow run "$AIRLINE/airline.json" \
    --table flights="$AIRLINE/flights.csv" --table bookings="$AIRLINE/bookings.csv" >"$T/out" 2>&1 || fail "flow run: $(cat "$T/out")"
grep -q "says (en): Booking confirmed. Your new PNR is AI" "$T/out" || fail "the terminal: $(cat "$T/out")"
"$BIN/furrow" flow run "$AIRLINE/airline.json" --language xx </dev/null >"$T/out" 2>&1 && fail "a language that the flow has not"
grep -q "has no language 'xx'; it has en" "$T/out" || fail "which it has is not said: $(cat "$T/out")"
# And the bill of VoiceXML's books: paid in part, once, with a receipt.
BILL="$FURROW_SOURCE/deploy/samples/pay-bill"
printf 'say one zero zero zero zero zero zero one\nsay 1 3 5 7\n10000001#\n2468\nsay part\nsay two hundred and fifty\nsay yes\n' | "$BIN/furrow" flow run "$BILL/pay-bill.json" \
    --table accounts="$BILL/accounts.csv" --table payments="$BILL/payments.csv" >"$T/out" 2>&1 || fail "pay-bill: $(cat "$T/out")"
for part in "do not belong together" "You owe 1,250 birr" "You pay 250 birr" "sends SMS to +251911000000: Paid 250 birr" "250 birr are paid, 1,000 are left"; do
    grep -q "$part" "$T/out" || fail "pay-bill, '$part': $(cat "$T/out")"
done
echo "ok"
