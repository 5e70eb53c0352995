#!/bin/sh
# uas.sh DIR PORT: the called parties of sipp/uas.xml on 127.0.0.1:PORT until killed.
# DIR/calls.log is their record of every INVITE and every answer.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
[ -f speech.ulaw ] || espeak-ng -v en-us -s 120 --stdout 'five bags of yirgacheffe grade A from farmer john' |
    sox -t wav - -t raw -r 8000 -c 1 -e mu-law speech.ulaw pad 0.2 1
exec sipp -sf "$here/sipp/uas.xml" -i 127.0.0.1 -mi 127.0.0.1 -p "$2" -nostdin -l 3000 \
    -trace_logs -log_file calls.log -trace_err -error_file errors.log -trace_msg -message_file messages.log
