#!/bin/sh
# farmer_call.sh WAV NUMBER SIP_PORT [SECONDS]: a wideband (G.722) call into Asterisk by a
# real softphone that speaks WAV (16 kHz mono) from the answer on; ends when WAV does (then it
# hangs up), when the far end hangs up, or after SECONDS (60). FARMER_KEYS=1 presses that key
# (RFC 4733) FARMER_KEYS_AFTER_S (2) seconds after the answer: WAV needs that much silence first.
# FARMER_KEYS_UNTIL is a file: they are pressed again every two seconds until it exists.
# FARMER_NUMBER is whom the call is from (farmer). FARMER_CONSOLE is a file that gets the port of its console: who
# presses keys there is press.py.
# Prints baresip's words; exit 0 when the call was established.
set -eu
wav=$(realpath "$1")
number=$2
sip_port=$3
limit=${4:-60}
modules=$(ls -d /usr/lib/baresip/modules /usr/lib/*/baresip/modules 2>/dev/null | head -1)
dir=$(mktemp -d /tmp/furrow-farmer-XXXXXX)
phone=
cleanup() {
    [ -z "$phone" ] || kill -9 "$phone" 2>/dev/null || true
    rm -rf "$dir"
}
trap cleanup EXIT
free_udp_port() {
    python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
port=$(free_udp_port)
console=$(free_udp_port)
[ -z "${FARMER_CONSOLE:-}" ] || echo "$console" >"$FARMER_CONSOLE"
cat >"$dir/config" <<CONF
module_path $modules
sip_listen 127.0.0.1:$port
module g722.so
module g711.so
module aufile.so
module_app account.so
module_app menu.so
module cons.so
cons_listen 127.0.0.1:$console
audio_player aufile,$dir/heard.wav
audio_source aufile,$wav
ausrc_srate 16000
auplay_srate 16000
audio_level no
rtp_stats no
CONF
echo "<sip:${FARMER_NUMBER:-farmer}@127.0.0.1;transport=udp>;regint=0;audio_codecs=G722/16000/1" >"$dir/accounts"
: >"$dir/contacts"
# A line at a time: what it says of the call is waited for below.
stdbuf -oL -eL baresip -f "$dir" -e "/dial sip:$number@127.0.0.1:$sip_port" >"$dir/log" 2>&1 </dev/null &
phone=$!
press_keys() { "$(dirname "$0")/press.py" "$console" "$FARMER_KEYS"; }
end=$(($(date +%s) + limit))
answered= # in ms: whole seconds would press at once when the answer came late in one
until grep -qE 'session closed|terminated' "$dir/log" || ! kill -0 $phone 2>/dev/null ||
    [ "$(date +%s)" -ge "$end" ]; do
    timeout 0.2 tail -f /dev/null || true
    if [ -n "${FARMER_KEYS:-}" ]; then
        [ -n "$answered" ] || ! grep -q 'Call established' "$dir/log" || answered=$(date +%s%3N)
        if [ -n "$answered" ] && [ $(($(date +%s%3N) - answered)) -ge $((${FARMER_KEYS_AFTER_S:-2} * 1000)) ]; then
            press_keys
            if [ -n "${FARMER_KEYS_UNTIL:-}" ] && [ ! -e "$FARMER_KEYS_UNTIL" ]; then
                answered=$(date +%s%3N)
                FARMER_KEYS_AFTER_S=2
            else
                FARMER_KEYS=
            fi
        fi
    fi
done
cat "$dir/log"
grep -q 'Call established' "$dir/log"
