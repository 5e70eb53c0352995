#!/bin/sh
# Farmers who call the contract voice-ledger at once, some webhooks twice: each hears what one alone hears, and each call and recording is there
# once. As './run bench ledger', in short; how fast is not judged here.
SERVER_ENV='FURROW_SHED_VOICE_AFTER_MS=60000 FURROW_SHED_CALLBACK_AFTER_MS=60000' exec "$(dirname "$0")/../bench/ledger.sh" --calls 120 --at-a-time 16 --no-limit
