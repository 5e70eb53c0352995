#!/bin/sh
# What a farmer says becomes a batch and a receipt: real worker, real speech service, real
# voice. What no model takes waits for a person, who finishes it. A wiped Redis, a killed
# worker and a stopped one lose nothing.
. "$(dirname "$0")/../lib.sh"
for tool in espeak-ng sox; do
    command -v $tool >/dev/null 2>&1 || skip "$tool is not installed: './run deps'"
done
[ -x "$BIN/furrow-asr-local" ] || skip "furrow-asr-local is not built"

speak() { # speak FILE RATE TEXT
    espeak-ng -v en-us -s 120 -w "$T/raw.wav" "$3" && sox "$T/raw.wav" -r "$2" -c 1 -b 16 "$1"
}
uuid() { python3 -c 'import uuid; print(uuid.uuid4())'; }
# recording ID FILE LANGUAGE [PIPELINE]: finished at the switch, with its job, as a call leaves it.
recording() {
    sql "BEGIN;
      INSERT INTO recordings (id, tenant_id, call_id, name, source, location, node, phone, language,
        pipeline, state, created_at, finished_at, updated_at)
      VALUES ('$1', 1, gen_random_uuid(), 'fw-$1', 'simulated', '$2', 'say', 251911234567, '$3',
        '${4:-command}', 'finished', now(), now(), now());
      INSERT INTO jobs (id, tenant_id, kind, unique_key, payload)
      VALUES (gen_random_uuid(), 1, 'recording.fetch', '$1', '{\"v\":1,\"recording_id\":\"$1\"}');
      INSERT INTO outbox (tenant_id, job_id, kind)
      SELECT 1, id, kind FROM jobs WHERE unique_key = '$1' AND kind = 'recording.fetch';
      COMMIT" >/dev/null
}

start asr "$BIN/furrow-asr-local" --port 0 --port-file "$T/asr.port" --request-log "$T/asr.jsonl"
pg_start
redis_start
wait_for 60 "the speech service is ready" test -s "$T/asr.port"
FURROW_ASR_URL="http://127.0.0.1:$(cat "$T/asr.port")"
export FURROW_ASR_URL FURROW_LEASE_S=3
start worker "$BIN/furrow-worker"

SAID='record commission for five bags of yirgacheffe grade A from farmer john'
speak "$T/said.wav" 16000 "$SAID"
A=$(uuid)
recording "$A" "$T/said.wav" en
wait_for 60 "the recording is done" sql_is "SELECT state FROM recordings WHERE id = '$A'" done
check transcript "$(echo "$SAID" | tr A-Z a-z)" \
    "$(sql "SELECT lower(text) FROM transcripts WHERE recording_id = '$A' AND source = 'asr'")"
check batch 'commission|5|bags|300|Yirgacheffe|A|John|251911234567' \
    "$(sql "SELECT event, quantity, unit, quantity_kg, variety, grade, farmer, phone FROM batches WHERE recording_id = '$A'")"
wait_for 20 "the receipt is sent" sql_is "SELECT state FROM messages WHERE recording_id = '$A'" sent
check receipt 'receipt|GSM-7|1|log' \
    "$(sql "SELECT kind, encoding, segments, provider FROM messages WHERE recording_id = '$A'")"
check 'measured duration' t "$(sql "SELECT duration_ms BETWEEN 3000 AND 12000 AND sample_rate = 16000 FROM recordings WHERE id = '$A'")"
sha=$(sql "SELECT sha256 FROM recordings WHERE id = '$A'")
check 'content' "$sha" "$(sha256sum "$FURROW_DATA_DIR/media/$(echo "$sha" | cut -c1-2)/$sha" | cut -d' ' -f1)"

# When to be called again, said: a promised call of the campaign that had called.
sql "WITH l AS (INSERT INTO lists (tenant_id, name, created_at) VALUES (1, 'l', now()) RETURNING id),
  f AS (INSERT INTO flows (tenant_id, name, created_at) VALUES (1, 'f', now()) RETURNING id),
  r AS (INSERT INTO flow_revisions (tenant_id, flow_id, revision, sha256, source, published_at)
    SELECT 1, id, 1, 'x', '{}', now() FROM f RETURNING id),
  t AS (INSERT INTO trunks (tenant_id, name, kind, cps, max_channels, created_at)
    VALUES (1, 't', 'simulated', 1, 1, now()) RETURNING id),
  z AS (INSERT INTO zone_groups (tenant_id, region, zones) VALUES (1, 'ET', '{Africa/Addis_Ababa}') RETURNING id),
  k AS (INSERT INTO contacts (tenant_id, list_id, phone, number_type, zone_group, region)
    SELECT 1, l.id, 251911234567, 1, z.id, 'ET' FROM l, z RETURNING id),
  d(t) AS (SELECT '{\"name\":\"c\",\"list\":\"l\",\"flow\":\"f\",\"trunk\":\"t\",\"regions\":[\"ET\"],\"holidays\":false,
    \"windows\":{\"mon-sun\":[\"08:00-20:00\"]}}'),
  c AS (INSERT INTO campaigns (tenant_id, name, state, document, document_text, list_id, trunk_id,
      flow_revision_id, created_at, changed_at)
    SELECT 1, 'c', 'running', d.t::jsonb, d.t, l.id, t.id, r.id, now(), now() FROM d, l, t, r RETURNING id)
  INSERT INTO campaign_contacts (tenant_id, campaign_id, contact_id, phone, zone_group, state, final, next_attempt_at)
    SELECT 1, c.id, k.id, 251911234567, z.id, 'final', 'completed', now() FROM c, k, z" >/dev/null
speak "$T/when.wav" 16000 'call me tomorrow at five in the afternoon'
W=$(uuid)
recording "$W" "$T/when.wav" en callback
sql "INSERT INTO calls (id, tenant_id, direction, campaign_id, contact_id, phone, flow_revision_id, slot,
    started_at, ended_at, outcome)
  SELECT r.call_id, 1, 'out', k.campaign_id, k.contact_id, k.phone, 1, 0, now(), now(), 'completed'
  FROM recordings r, campaign_contacts k WHERE r.id = '$W'" >/dev/null
wait_for 60 "the wish is understood" sql_is "SELECT state FROM recordings WHERE id = '$W'" done
check 'the promised call' 'pending|17:00|1' \
    "$(sql "SELECT k.state, to_char(k.next_attempt_at AT TIME ZONE 'Africa/Addis_Ababa', 'HH24:MI'),
        (k.next_attempt_at AT TIME ZONE 'Africa/Addis_Ababa')::date - (r.created_at AT TIME ZONE 'Africa/Addis_Ababa')::date
        FROM campaign_contacts k, recordings r WHERE r.id = '$W' AND k.priority = 10000")"
check 'who understood it' 'callback|grammar' "$(sql "SELECT intent, understood_by FROM transcripts WHERE recording_id = '$W'")"

# 8 kHz and a language without a model wait for a person.
speak "$T/narrow.wav" 8000 "$SAID"
B=$(uuid) C=$(uuid)
recording "$B" "$T/narrow.wav" en
recording "$C" "$T/said.wav" om
wait_for 30 "both wait for a person" sql_is "SELECT count(*) FROM recordings WHERE state = 'needs_person'" 2

wait_for 20 "their jobs are done" sql_is "SELECT count(*) FROM jobs WHERE state <> 'done'" 0
check 'why it waits' 1 "$(furrow recordings list --state needs_person | grep -c "takes no 'om'")"
furrow recordings transcribe "$B" --text 'record commission for two bags of sidamo from farmer abebe' >/dev/null || fail transcribe
wait_for 20 "a person's words become a batch" sql_is "SELECT quantity_kg FROM batches WHERE recording_id = '$B'" 120
check "who wrote it" person "$(sql "SELECT source FROM transcripts WHERE recording_id = '$B'")"
furrow recordings transcribe "$B" --text 'again' 2>"$T/again" && fail "a done recording was transcribed again"
grep -q "the recording is 'done'" "$T/again" || fail "it did not say why"
furrow recordings retry "$C" | grep -q asr || fail "retry did not start at asr"
wait_for 20 "without a model it waits again" sql_is "SELECT state || ' ' || (SELECT attempts FROM jobs WHERE kind = 'asr' AND unique_key = '$C') FROM recordings WHERE id = '$C'" 'needs_person 1'
furrow jobs stats | grep -q '^asr ' || fail "jobs stats"

# A worker killed in the middle and a wiped Redis cost time only.
kill9 worker
for i in 1 2 3 4 5 6; do
    id=$(uuid)
    recording "$id" "$T/said.wav" en
done
start worker env FURROW_FAULT=fetch_stored:2 FURROW_FAULT_LOG="$T/faults" "$BIN/furrow-worker"
wait_for 20 "the worker dies between the file and the row" gone worker
check 'deaths at the fault point' 1 "$(wc -l <"$T/faults")"
redis_do FLUSHALL >/dev/null
start worker "$BIN/furrow-worker"
wait_for 90 "all of them are done" sql_is "SELECT count(*) FROM recordings WHERE state = 'done' AND pipeline = 'command'" 8
check batches 8 "$(sql "SELECT count(*) FROM batches")"
wait_for 20 "all receipts are sent" sql_is "SELECT count(*) FROM messages WHERE state = 'sent' AND kind = 'receipt'" 8
wait_for 20 "no job is left" sql_is "SELECT count(*) FROM jobs WHERE state <> 'done'" 0
check 'part files left behind' '' "$(find "$FURROW_DATA_DIR/media" -name 'part-*')"
stop worker 25
grep -q 'state=stopped' "$T/log/worker.log" || fail "the worker did not say that it stopped"
echo ok
