# providers.sh - what tests share in which Twilio or Plivo tell furrow-server of calls and messages; sourced after lib.sh.
# The server is known to them as https://voice.example.test; requests go to it at $PORT, see server_start.
FURROW_SECRET_KEY=$("$BIN/furrow" provider key 2>/dev/null)
export FURROW_SECRET_KEY FURROW_PUBLIC_URL=https://voice.example.test

# hook_of ACCOUNT [OPTION…]: what stands behind /hooks/ in the addresses of that account's webhooks
hook_of() { furrow provider show "$@" --json | python3 -c 'import json, sys
print(json.load(sys.stdin)["webhooks"].split("/hooks/")[1])'; }

# tell KIND TOKEN PATH NAME=VALUE… [OPTION…]: one signed request; the answer is one line in $T/answer
tell() { "$FURROW_SOURCE/tests/system/hook_client.py" "$PORT" "$@" | tr '\n' ' ' >"$T/answer" || fail "the client"; }

# call_to NUMBER KIND HOOK CALL_ID FROM [OPTION…]: a whole call, of the account whose token is tok; what is heard is in $T/heard
call_to() {
    to_=$1 kind_=$2 hook_=$3 id_=$4 from_=$5
    shift 5
    "$FURROW_SOURCE/tests/system/hook_call.py" "$PORT" "$kind_" tok "/hooks/$hook_/voice" "$id_" "$from_" "$to_" "$@" >"$T/heard" 2>&1 ||
        fail "call $id_: $(cat "$T/heard")"
}
heard() { grep -q -- "$1" "$T/heard" || fail "not heard '$1': $(cat "$T/heard")"; }
not_heard() { ! grep -q -- "$1" "$T/heard" || fail "heard '$1': $(cat "$T/heard")"; }
