#!/bin/sh
# The content store in a bucket: signed as a peer that computes signatures by itself wants it, sent
# once, read whole or not at all, whatever the bucket does; and keys are never told.
. "$(dirname "$0")/../lib.sh"
SECRET=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
echo fine >"$T/mood"
start s3 "$FURROW_SOURCE/tests/system/s3_peer.py" "$T/s3.port" "$T/s3.jsonl" voices eu-west-3 KEYID00 "$SECRET" "$T/mood"
wait_for 20 "the bucket is there" test -s "$T/s3.port"
sox -n -r 16000 -c 1 -b 16 "$T/said.wav" synth 2 sine 440 2>/dev/null ||
    python3 -c 'import sys, wave, os
w = wave.open(sys.argv[1], "wb"); w.setparams((1, 2, 16000, 0, "NONE", "")); w.writeframes(os.urandom(64000)); w.close()' "$T/said.wav"
ID=$(sha256sum "$T/said.wav" | cut -d' ' -f1)
says() { grep -Eq -- "$1" "$T/out" || fail "no '$1' in: $(cat "$T/out")"; }
asked() { grep -c "\"method\": \"$1\"" "$T/s3.jsonl" || true; }
try() { furrow prompts "$@" >"$T/out" 2>&1; }
refused() { try "$@" && fail "it went well: prompts $*"; cat "$T/out" >>"$T/said"; }

# On the disk, when there is no bucket.
check "content id" "$ID" "$(furrow prompts add "$T/said.wav")"
[ -f "$T/said.wav" ] || fail "the file that was added is gone"
cmp -s "$T/said.wav" "$FURROW_DATA_DIR/prompts/$(echo "$ID" | cut -c1-2)/$ID" || fail "not below data_dir"
try get "$ID" "$T/disk.wav" || fail "from the disk: $(cat "$T/out")"
cmp -s "$T/said.wav" "$T/disk.wav" || fail "the disk gave something else"
refused get "$ID" "$T/disk.wav" # a file that is there is left alone
says 'File exists'
refused add "$FURROW_SOURCE/README.md"
says 'no sound file'

# What cannot be is said at once, by every program.
export FURROW_CONTENT_BUCKET=voices FURROW_CONTENT_REGION=eu-west-3 FURROW_CONTENT_PREFIX=coop/
export FURROW_CONTENT_ENDPOINT="http://127.0.0.1:$(cat "$T/s3.port")"
refused add "$T/said.wav"
says 'content_bucket wants content_key_id and content_secret'
export FURROW_CONTENT_KEY_ID=KEYID00 FURROW_CONTENT_SECRET=$SECRET
FURROW_CONTENT_BUCKET='a b' refused add "$T/said.wav"
says "content_bucket = 'a b' is no name"
FURROW_CONTENT_ENDPOINT=ftp://x refused add "$T/said.wav"
says "content_endpoint = 'ftp://x': want https://"

# What lies on the disk from before is still read; then it is in the bucket, and is sent once.
try get "$ID" "$T/before.wav" || fail "what was stored before: $(cat "$T/out")"
check "content id" "$ID" "$(furrow prompts add "$T/said.wav")"
check "content id, again" "$ID" "$(furrow prompts add "$T/said.wav")"
check "sent" 1 "$(asked PUT)"
grep -q "\"path\": \"/voices/coop/prompts/$(echo "$ID" | cut -c1-2)/$ID\"" "$T/s3.jsonl" || fail "the name: $(tail -1 "$T/s3.jsonl")"
rm -r "$FURROW_DATA_DIR/prompts"
try get "$ID" "$T/bucket.wav" || fail "from the bucket: $(cat "$T/out")"
cmp -s "$T/said.wav" "$T/bucket.wav" || fail "the bucket gave something else"
refused get "$(echo nobody | sha256sum | cut -d' ' -f1)" "$T/none.wav"
says 'answered 404'

# Whatever it does, nobody hears half a recording or another one.
for case in 'busy|answered 503 SlowDown' 'cut|the bucket at .*voices' 'rot|is damaged: its hash is' 'slow|the bucket at .*(timed out|Timeout)'; do
    echo "${case%%|*}" >"$T/mood"
    FURROW_CONTENT_TIMEOUT_S=1 refused get "$ID" "$T/bad.wav"
    says "${case#*|}"
    [ ! -e "$T/bad.wav" ] || fail "${case%%|*}: a file was written"
done
echo fine >"$T/mood"
FURROW_CONTENT_SECRET=another refused get "$ID" "$T/bad.wav"
says 'answered 403 SignatureDoesNotMatch; check content_key_id'
FURROW_CONTENT_REGION=us-east-1 refused get "$ID" "$T/bad.wav"
says '403 AuthorizationHeaderMalformed'
FURROW_CONTENT_MAX_MIB=1 sh -c 'head -c 1200000 /dev/zero | cat "$0" - >"$1"' "$T/said.wav" "$T/large.wav"
FURROW_CONTENT_MAX_MIB=1 refused add "$T/large.wav"
says 'larger than 1 MiB \(content_max_mib\)'
check "files without a name or an owner" '' "$(find "$FURROW_DATA_DIR/media" -type f)"

# doctor tells; nothing tells the secret.
furrow doctor >"$T/out" 2>&1 || true
says '^ok +bucket +http://127.0.0.1:[0-9]+/voices/coop answers'
FURROW_CONTENT_BUCKET=nobody furrow doctor >"$T/out" 2>&1 || true
says '^FAIL +bucket .*404 NoSuchBucket'
cat "$T/out" >>"$T/said"
stop s3
furrow doctor >"$T/out" 2>&1 || true
says '^FAIL +bucket .*connect to 127.0.0.1.*; recordings wait'
furrow --show-config >>"$T/said" 2>&1
"$BIN/furrow-worker" --show-config >>"$T/said"
grep -q 'content_secret = (set)' "$T/said" || fail "--show-config does not say that it is set"
grep -q "$SECRET" "$T/said" "$T/out" "$T/s3.jsonl" && fail "the secret was told"
echo "ok: $(asked GET) reads, $(asked PUT) write"
