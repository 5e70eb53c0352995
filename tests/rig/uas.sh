#!/bin/sh
# uas.sh DIR PORT: the called parties of sipp/uas.xml on 127.0.0.1:PORT until killed.
# DIR/calls.log is their record of every INVITE and every answer.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
[ -f speech.ulaw ] || espeak-ng -v en-us -s 120 --stdout 'five bags of yirgacheffe grade A from farmer john' |
    sox -t wav - -t raw -r 8000 -c 1 -e mu-law speech.ulaw pad 0.2 1
# What they say once, and then nothing for as long as a call may last.
silence() { sox -D -n -t raw -r 8000 -c 1 -e mu-law - trim 0 60; }
beep() { sox -n -t raw -r 8000 -c 1 -e mu-law - synth 0.5 sine 1000 vol 0.5; }
say() { espeak-ng -v en-us -s 120 --stdout "$1" | sox -t wav - -t raw -r 8000 -c 1 -e mu-law - pad "$2" "$3"; }
if ! [ -f hello.ulaw ]; then
    {
        say 'you have reached the telephone of john please leave a message' 0.3 0.4
        beep
    } >machine.once
    { cat machine.once; silence; } >machine.ulaw
    { say 'hello' 0.3 0; silence; } >hello.ulaw
fi
exec sipp -sf "$here/sipp/uas.xml" -i 127.0.0.1 -mi 127.0.0.1 -p "$2" -nostdin -l 3000 \
    -trace_logs -log_file calls.log -trace_err -error_file errors.log -trace_msg -message_file messages.log
