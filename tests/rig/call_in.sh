#!/bin/sh
# call_in.sh answered|missed NUMBER CALLER SIP_PORT [DIR]: one narrowband call into Asterisk
# by SIPp; exit 0 when it went as the scenario says.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
case $1 in answered) scenario=uac_call ;; missed) scenario=uac_missed ;; *) exit 2 ;; esac
cd "${5:-.}"
[ -f speech.ulaw ] || espeak-ng -v en-us -s 120 --stdout 'five bags of yirgacheffe grade A from farmer john' |
    sox -t wav - -t raw -r 8000 -c 1 -e mu-law speech.ulaw pad 0.2 1
exec timeout 40 sipp -sf "$here/sipp/$scenario.xml" -s "$2" -key caller "$3" -i 127.0.0.1 -mi 127.0.0.1 \
    -m 1 -l 1 -nostdin -trace_err -error_file "$scenario.errors" "127.0.0.1:$4"
