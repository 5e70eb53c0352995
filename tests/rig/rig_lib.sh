# rig_lib.sh - what the rig tests share beside lib.sh: Asterisk, SIPp's called parties and
# their log, ARI by curl. Source it after lib.sh with RIG set to this folder.

# asterisk_start INSTALLATION [KEY=VALUE…]: a private one; sets RIG_* from its env file.
asterisk_start() {
    "$RIG/rig.sh" start "$T/asterisk" INSTALLATION="$1" 2>"$T/log/rig.log" || {
        code_=$?
        cat "$T/log/rig.log" >&2
        exit $code_
    }
    on_exit '"$RIG/rig.sh" kill "$T/asterisk"'
    . "$T/asterisk/env"
}

# The called parties on the trunk's address; UAS_LOG is what they saw.
uas_start() {
    UAS_LOG=$T/uas/calls.log
    start uas "$RIG/uas.sh" "$T/uas" "$RIG_UAS_PORT"
    wait_for 20 "the called parties are there" uas_listens
}
uas_listens() { ss -Huln "sport = :$RIG_UAS_PORT" | grep -q .; }

invites() { grep '^invite|' "$UAS_LOG" || true; }

# ari METHOD PATH [JSON]: fails on an answer that is not 2xx.
ari() {
    curl -sf -m 10 -X "$1" -u "$RIG_ARI_USER:$RIG_ARI_SECRET" -H 'Content-Type: application/json' \
        ${3:+-d "$3"} "$RIG_ARI_URL/$2"
}

# speak FILE TEXT [BEFORE_S [AFTER_S]]: 16 kHz mono, quiet for so long before and after.
speak() {
    espeak-ng -v en-us -s 120 --stdout "$2" | sox -t wav - -r 16000 -c 1 -b 16 "$1" pad "${3:-0.5}" "${4:-1.5}"
}
