#!/bin/sh
# A farmer's call at a provider: the flow is run by webhooks, each step a row before its answer
# leaves; the same request twice is one step; hang-ups, silence and strangers end cleanly.
. "$(dirname "$0")/../lib.sh"
. "$FURROW_SOURCE/tests/providers.sh"
pg_start
server_start
printf tok >"$T/token"
quietly furrow provider add tw --kind twilio --account AC01 --token-file "$T/token"
mkdir -p "$T/data/prompts"
om=$(printf om | sha256sum | cut -c1-64)
printf RIFF >"$T/data/prompts/$om.wav"
quietly furrow provider add pl --kind plivo --account MA01 --token-file "$T/token" \
    --settings "{\"apologies\": {\"om\": \"$om\"}}"
# Neither speaks Afaan Oromo, but this machine does; nobody speaks Somali: said when it is published.
command -v espeak-ng >/dev/null || skip "espeak-ng is not installed: './run deps'"
sed 's/"om"/"so"/g' "$FURROW_SOURCE/deploy/demo/coffee.json" >"$T/somali.json"
code=0
furrow flow publish "$T/somali.json" >"$T/refused" 2>&1 || code=$?
check "publish refused" "1 1" "$code $(grep -c "Twilio has no voice for 'so' (at /prompts/thanks/so)" "$T/refused")"
furrow flow publish "$FURROW_SOURCE/deploy/demo/coffee.json" >"$T/published" 2>&1 || fail "not published: $(cat "$T/published")"
grep -q "Twilio has no voice for 'om': espeak-ng of furrow-server is heard" "$T/published" || fail "who speaks is not said: $(cat "$T/published")"
quietly furrow extension add 15550100 --flow coffee
TW=$(hook_of tw) PL=$(hook_of pl)
call() { call_to +15550100 "$@"; } # KIND HOOK CALL_ID FROM OPTIONS…
rows() { sql "SELECT c.outcome || ' ' || (SELECT string_agg(r.state || ' ' || r.location, ',') FROM recordings r WHERE r.call_id = c.id)
    FROM calls c JOIN voice_sessions s ON s.call_id = c.id WHERE s.provider_call_id = '$1'"; }
R=https://api.twilio.com/2010-04-01/Accounts/AC01/Recordings/RE1

call twilio "$TW" CA00000000000000000000000000000001 +251911000001 --keys 1 --recording "$R,7" --twice
heard 'hears Hello.*coffee cooperative'
heard 'hears For English, press 1'
heard 'enters 1'
heard 'speaks 7'
heard 'hears Thank you'
heard 'is hung up on'
check "what is left of it" "completed finished $R" "$(rows CA00000000000000000000000000000001)"
check "its job" 1 "$(sql "SELECT count(*) FROM jobs WHERE kind = 'recording.fetch'")"
check "steps" "$(sql "SELECT seq FROM ivr_sessions")" "$(sql "SELECT count(DISTINCT seq) FROM call_events")"
check "remembered" en "$(sql "SELECT language FROM caller_history WHERE phone = 251911000001")"
tell twilio tok "/hooks/$TW/status" CallSid=CA00000000000000000000000000000001 CallStatus=completed CallDuration=30
check "over" t "$(sql "SELECT ended_at IS NOT NULL FROM voice_sessions")"

# A flow that asks tables on its way: what is said before stands before what comes of it.
quietly furrow sample load airline
quietly furrow extension add 15550177 --flow airline
call_to +15550177 twilio "$TW" CA000000000000000000000000000000a1 +12025550150 --keys 2,631111,2 --twice
heard 'hears Finding your booking'
heard 'hears PNR 6E1111 for M. Banerjee found'
heard 'hears Your flight for PNR 6E1111 has been successfully cancelled'
for kind in twilio plivo; do
    [ $kind = twilio ] && hook=$TW id=CA000000000000000000000000000000a8 || hook=$PL id=11111111-1111-4111-8111-1111111111a8
    call_to +15550177 $kind "$hook" $id +12025550151 --keys 'say:check my flight status,say:my pnr is u k five six seven eight'
    heard 'hears Your PNR UK5678: Flight UK822'
done
check "cancelled once" "Cancelled 51" "$(sql "SELECT (SELECT cells->>'status' FROM data_rows WHERE key = '631111') || ' ' || (SELECT cells->>'seats_available' FROM data_rows WHERE key = '6E204')")"

# Afaan Oromo in a voice of ours, and Amharic where the provider has none: made when it is asked for, once, and
# nobody else's words.
call twilio "$TW" CA00000000000000000000000000000009 +251911000009 --keys 3 --recording "$R,3"
heard 'hears https://voice.example.test/prompts/.*wav?v=om&t='
said=$(sed -n 's|^hears https://voice.example.test||p' "$T/heard" | tail -1)
get() { python3 -c 'import sys, urllib.request, urllib.error
try:
    r = urllib.request.urlopen("http://127.0.0.1:%s%s" % tuple(sys.argv[1:])); print(r.status, r.read()[:4].decode(), r.headers["Content-Type"])
except urllib.error.HTTPError as e: print(e.code)' "$PORT" "$1"; }
made() { ls "$T/data/prompts" | grep -c '\.wav16$'; }
wait_for 60 "what must be there beforehand" sh -c "[ \$(ls '$T/data/prompts' | grep -c '\\.wav16\$') -ge 4 ]"
before=$(made)
file=$T/data/prompts/$(expr "$said" : '/prompts/\([0-9a-f]*\)').wav
[ ! -e "$file" ] || fail "it was made before anybody asked"
check "its audio" '200 RIFF audio/wav' "$(get "$said")"
check "again" '200 RIFF audio/wav' "$(get "$said")"
check "made" $((before + 1)) "$(made)"
check "other words" 404 "$(get "$(echo "$said" | sed 's/^\(.prompts.\)................/\10000000000000000/')")"
check "another voice" 404 "$(get "$(echo "$said" | sed 's/v=om/v=am/; s/^\(.prompts.\)................/\10000000000000000/')")"
check "made" $((before + 1)) "$(made)"
call plivo "$PL" 11111111-1111-4111-8111-111111111102 251911000009 --keys 2 --recording "https://media.plivo.com/r.wav,5"
heard 'hears https://voice.example.test/prompts/.*wav?v=am&t='

# Amharic by Twilio's own voice; a key that opts out; a hang-up at the menu; silence.
call twilio "$TW" CA00000000000000000000000000000002 +251911000002 --keys 2 --recording "$R,3"
heard 'hears እናመሰግናለን'
call twilio "$TW" CA00000000000000000000000000000003 +251911000003 --keys 9
heard 'will not call you again'
check "opted out" 1 "$(sql "SELECT count(*) FROM dnc_entries WHERE phone = 251911000003 AND removed_at IS NULL")"
call twilio "$TW" CA00000000000000000000000000000004 +251911000004 --hang-up 1
tell twilio tok "/hooks/$TW/status" CallSid=CA00000000000000000000000000000004 CallStatus=completed SequenceNumber=3
check "hung up" hung_up "$(sql "SELECT c.outcome FROM calls c JOIN voice_sessions s ON s.call_id = c.id WHERE s.provider_call_id LIKE '%4'")"
call twilio "$TW" CA00000000000000000000000000000005 +251911000005 --keys 1
heard 'We could not hear you'
call twilio "$TW" CA00000000000000000000000000000006 anonymous --keys 1 --recording "$R,3"
heard 'Thank you'
check "a withheld number" t "$(sql "SELECT phone IS NULL FROM voice_sessions WHERE provider_call_id LIKE '%6'")"

# Plivo.
call plivo "$PL" 11111111-1111-4111-8111-111111111101 251911000011 --keys 1 --recording "https://media.plivo.com/r.wav,5" --twice
heard 'hears Thank you'
check "over Plivo" "completed finished https://media.plivo.com/r.wav" "$(rows 11111111-1111-4111-8111-111111111101)"

# A call that the dialer placed: the first request says that it is up, and whether a machine is.
printf 'phone\n+251911000077\n' >"$T/people.csv"
quietly furrow contacts import "$T/people.csv" --list people --region ET
quietly furrow trunk add tw --kind twilio --account tw --cps 1 --max-channels 5
printf '%s' '{"name": "placed", "list": "people", "flow": "coffee", "trunk": "tw", "windows": {"mon-sun": ["00:00-24:00"]},
    "regions": ["ET"], "caller_id": "+12025550100", "limits": {"per_24h": 3, "per_7d": 7, "min_gap_s": 600}}' >"$T/placed.json"
quietly furrow campaign create "$T/placed.json"
placed=$(sql "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, trunk_id, slot, number, state, intent_at)
    SELECT gen_random_uuid(), 1, k.id, 1, 251911000077, k.trunk_id, 0, 1, 'released', now() FROM campaigns k RETURNING id" | head -1)
said() { sql "SELECT status || ' ' || answered_by || ' ' || call_id FROM provider_calls"; }
tell twilio tok "/hooks/$TW/voice/$placed" CallSid=CA00000000000000000000000000000021 CallStatus=in-progress AnsweredBy=machine_end_beep
grep -q '^200 .*<Response>' "$T/answer" || fail "a placed call: $(cat "$T/answer")"
check "its row" "up machine CA00000000000000000000000000000021" "$(said)"
tell plivo tok "/hooks/$PL/voice/$placed" --nonce 7777777 CallUUID=11111111-1111-4111-8111-111111111121 CallStatus=in-progress
grep -q '^200 .*<Hangup' "$T/answer" || fail "another account's attempt: $(cat "$T/answer")"

# A recording whose end the call's own request never told: the provider's callback does, or nobody, and it is lost.
broken_off() { # ACCOUNT HOOK CALL PARAMETER: hangs up while it is recorded; name and where its callback goes
    tell "$1" tok "$2/voice" --nonce "c$3" "$4=$3" From=+251911000041 To=+15550100 CallStatus=ringing
    id=$(sql "SELECT call_id FROM voice_sessions WHERE provider_call_id = '$3'")
    seq=$(sql "SELECT seq FROM ivr_sessions WHERE call_id = '$id'")
    tell "$1" tok "$2/voice/$id/$seq/keys" --nonce "d$3" "$4=$3" Digits=1 CallStatus=in-progress
    name=$(sql "SELECT name FROM recordings WHERE call_id = '$id'")
    tell "$1" tok "$2/status" --nonce "e$3" "$4=$3" CallStatus=completed SequenceNumber=3
    check "its end is awaited" live "$(sql "SELECT state FROM recordings WHERE name = '$name'")"
}
broken_off twilio "/hooks/$TW" CA00000000000000000000000000000051 CallSid
tell twilio tok "/hooks/$TW/voice/$id/1/recording-${name##*-}" CallSid=CA00000000000000000000000000000051 RecordingStatus=completed RecordingUrl=$R RecordingDuration=9
check "by the callback" "finished 9000 $R" "$(sql "SELECT state || ' ' || duration_ms || ' ' || location FROM recordings WHERE name = '$name'")"
tell twilio tok "/hooks/$TW/voice/$id/1/recording-${name##*-}" CallSid=CA00000000000000000000000000000051 RecordingStatus=completed RecordingUrl=$R RecordingDuration=9 Again=1
check "fetched once" 1 "$(sql "SELECT count(*) FROM jobs j JOIN recordings r ON j.unique_key = r.id::text WHERE r.name = '$name'")"
broken_off plivo "/hooks/$PL" 11111111-1111-4111-8111-111111111151 CallUUID
tell plivo tok "/hooks/$PL/voice/$id/1/recording-${name##*-}" --nonce 5151 CallUUID=x RecordUrl=https://media.plivo.com/r.wav RecordingDuration=9 RecordingID=r1
check "by Plivo's" "finished 9000" "$(sql "SELECT state || ' ' || duration_ms FROM recordings WHERE name = '$name'")"
broken_off twilio "/hooks/$TW" CA00000000000000000000000000000055 CallSid
tell twilio tok "/hooks/$TW/voice/$id/1/recording-${name##*-}" CallSid=CA00000000000000000000000000000055 RecordingStatus=absent
check "nothing was said" empty "$(sql "SELECT state FROM recordings WHERE name = '$name'")"
broken_off twilio "/hooks/$TW" CA00000000000000000000000000000053 CallSid
sql "UPDATE calls SET ended_at = now() - interval '11 min' WHERE id = '$id'" >/dev/null
wait_for 40 "it is lost" sql_is "SELECT state FROM recordings WHERE name = '$name'" lost_media
tell twilio tok "/hooks/$TW/voice/$id/1/recording-${name##*-}" CallSid=CA00000000000000000000000000000053 RecordingStatus=completed RecordingUrl=$R RecordingDuration=9
check "found after all" finished "$(sql "SELECT state FROM recordings WHERE name = '$name'")"

calls=$(sql 'SELECT count(*) FROM calls')
# A number that nobody has; another account's call; a call that there is not.
call_to +15550199 twilio "$TW" CA00000000000000000000000000000007 +251911000007
heard 'is rejected'
id=$(sql "SELECT call_id FROM voice_sessions WHERE provider_call_id LIKE 'CA%2'")
tell plivo tok "/hooks/$PL/voice/$id/2/keys" CallUUID=x Digits=1
grep -q '^200 .*<Hangup' "$T/answer" || fail "another account's call: $(cat "$T/answer")"
check "calls" "$calls" "$(sql 'SELECT count(*) FROM calls')"

# Nobody hears a machine's words: without the database an apology, never a page of errors, in the
# language that the call had come to.
begin() { # ACCOUNT CALL KEYS: at the menu it chooses a language
    tell "$1" tok "$2/voice" --nonce "b$3" "$4=$3" From=+251911000031 To=+15550100 CallStatus=ringing
    id=$(sql "SELECT call_id FROM voice_sessions WHERE provider_call_id = '$3'")
    seq=$(sql "SELECT seq FROM ivr_sessions WHERE call_id = '$id'")
    tell "$1" tok "$2/voice/$id/$seq/keys" --nonce "k$3" "$4=$3" "Digits=$5" CallStatus=in-progress
}
sorry() { # ACCOUNT HOOK CALL PARAMETER: what it gets now
    tell "$1" tok "$2/voice/$id/99/keys" --nonce "s$3" "$4=$3" Digits=1 CallStatus=in-progress
}
begin twilio "/hooks/$TW" CA00000000000000000000000000000032 CallSid 2
begin plivo "/hooks/$PL" 11111111-1111-4111-8111-111111111132 CallUUID 2
begin plivo "/hooks/$PL" 11111111-1111-4111-8111-111111111133 CallUUID 3
pg_stop
sorry twilio "/hooks/$TW" CA00000000000000000000000000000032 CallSid
grep -q '^200 .*<Say language="am-ET".*ይቅርታ.*<Hangup' "$T/answer" || fail "no Amharic apology over Twilio: $(cat "$T/answer")"
sorry plivo "/hooks/$PL" 11111111-1111-4111-8111-111111111132 CallUUID
grep -q '^200 .*<Play loop="1">https://voice.example.test/prompts/.*wav</Play>.*<Hangup' "$T/answer" || fail "Plivo has no Amharic voice, we have: $(cat "$T/answer")"
check "the apology's audio" '200 RIFF audio/wav' "$(get "$(sed 's|.*voice.example.test||; s|</Play>.*||' "$T/answer")")"
sorry plivo "/hooks/$PL" 11111111-1111-4111-8111-111111111133 CallUUID
grep -q "^200 .*<Play loop=\"1\">https://voice.example.test/prompts/$om.wav</Play>.*<Hangup" "$T/answer" || fail "no recorded apology in Oromo: $(cat "$T/answer")"
tell twilio tok "/hooks/$TW/voice" CallSid=CA00000000000000000000000000000008 From=+251911000008 To=+15550100 CallStatus=ringing
grep -q '^200 .*<Say .*<Hangup' "$T/answer" || fail "no apology over Twilio: $(cat "$T/answer")"
tell plivo tok "/hooks/$PL/voice" --nonce 99 CallUUID=11111111-1111-4111-8111-111111111109 From=251911000009 To=15550100 CallStatus=ringing
grep -q '^200 .*<Speak .*<Hangup' "$T/answer" || fail "no apology over Plivo: $(cat "$T/answer")"
tell plivo tok-wrong "/hooks/$PL/voice" --nonce 99 CallUUID=11111111-1111-4111-8111-111111111109 From=251911000009 To=15550100
grep -q '^403 ' "$T/answer" || fail "believed while the database is away: $(cat "$T/answer")"
pg_start
answered_again() {
    tell twilio tok "/hooks/$TW/voice" CallSid=CA00000000000000000000000000000008 From=+251911000008 To=+15550100 CallStatus=ringing
    grep -q '^200 .*<Gather' "$T/answer"
}
wait_for 20 "the same call is answered once the database is back" answered_again
echo "ok"
