#!/bin/sh
# Plays one call against the ivr-simulator contract at BASE: try.sh [BASE]
# BASE is http://127.0.0.1:8085/ivr-simulator, or the root of a server with --profile ivr-simulator.
set -eu
BASE=${1:-http://127.0.0.1:8085/ivr-simulator}
post() { curl -sS -f -H 'Content-Type: application/json' -d "$2" "$BASE$1"; }

curl -sS -f "$BASE/"
CALL=$(post /ivr/start '{"caller_number": "+12025550123"}' | sed 's/.*"call_id":"\([^"]*\)".*/\1/')
echo "call $CALL"
post /ivr/process_voice "{\"call_id\": \"$CALL\", \"text\": \"check my flight status\", \"current_menu\": \"main\"}"
for digit in 2 4 1 2 3 4 '#'; do
    post /ivr/dtmf "{\"call_id\": \"$CALL\", \"digit\": \"$digit\", \"current_menu\": \"flight_status_pnr\"}"
done
post /ivr/end "{\"call_id\": \"$CALL\"}"
