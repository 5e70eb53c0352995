#!/bin/sh
# rig - a real Asterisk for the tests: installs one, runs private instances of it.
#
#   rig.sh [install]              into $FURROW_RIG/asterisk (default var/rig), once; prints its version
#   rig.sh start DIR [KEY=VALUE…] an instance of its own in DIR: free ports on 127.0.0.1, own
#                                 configuration from deploy/asterisk; writes DIR/env
#   rig.sh stop|kill|restart DIR  orderly end, kill -9, kill and start with the same ports
#
# Asterisk has no package in Debian 12. It comes from a later Debian by debootstrap and runs
# with that Debian's own loader and libraries, so nothing of it touches this machine and no
# chroot is needed. Exit 77: the packages cannot be had (on CI that is a failure).
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
SOURCE=$(cd "$HERE/../.." && pwd)
RIG=${FURROW_RIG:-$SOURCE/var/rig}
ROOT=$RIG/asterisk
SUITES='forky sid' # the first that has an Asterisk of these versions is taken
OLDEST=20
NEWEST=23

say() { printf '%s\n' "$*" >&2; }
die() { say "rig: $*"; exit 1; }
pause() { timeout 0.1 tail -f /dev/null || true; }

# What cannot be had here is skipped, loudly; CI has no excuse.
unavailable() {
    say "rig: NO ASTERISK: $*"
    [ "${CI:-}" != true ] || exit 1
    exit 77
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        unavailable "installing it needs root or sudo: as root, run './run rig'"
    fi
}

# Programs of the later Debian, by its own loader: they need none of this machine's
# libraries. PREFIX is what runs them as another user; it may be empty.
foreign() {
    program=$1
    shift
    exec ${PREFIX:-} "$(ls "$ROOT"/lib64/ld-linux-* "$ROOT"/lib/ld-linux-* 2>/dev/null | head -1)" \
        --library-path "$ROOT/usr/lib/$TRIPLET:$ROOT/lib/$TRIPLET" "$ROOT$program" "$@"
}

find_triplet() {
    TRIPLET=
    for d in "$ROOT"/usr/lib/*/asterisk/modules; do
        [ -d "$d" ] && TRIPLET=$(basename "$(dirname "$(dirname "$d")")")
    done
    [ -n "$TRIPLET" ]
}

version() { (foreign /usr/sbin/asterisk -V) 2>/dev/null; }

# Works and has what the tests need; the version number alone decides nothing but the range.
usable() {
    [ -f "$ROOT/.complete" ] && find_triplet || return 1
    text=$(version) || return 1
    major=$(printf '%s' "$text" | sed -n 's/^Asterisk \([0-9]*\)\..*/\1/p')
    [ -n "$major" ] && [ "$major" -ge $OLDEST ] && [ "$major" -le $NEWEST ] || return 1
    for m in chan_pjsip res_ari res_ari_channels res_stasis res_stasis_recording codec_g722 codec_resample; do
        [ -f "$ROOT/usr/lib/$TRIPLET/asterisk/modules/$m.so" ] || return 1
    done
}

# The Debian mirror that this machine itself uses; never a name of our own.
mirror() {
    codename=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
    apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
        awk -v c="$codename" '$2 == c && $1 ~ /^https?:/ { print $1; exit }'
}

install_asterisk() {
    command -v debootstrap >/dev/null || unavailable "debootstrap is missing: './run deps'"
    from=$(mirror)
    [ -n "$from" ] || unavailable "no Debian mirror in this machine's apt sources"
    started=$(date +%s)
    log=$RIG/install.log
    for suite in $SUITES; do
        as_root rm -rf "$ROOT" # a half-made one
        say "rig: installing Asterisk from Debian $suite (about a minute, once) …"
        if as_root debootstrap --variant=minbase --include=asterisk,ca-certificates "$suite" "$ROOT" \
            "$from" /usr/share/debootstrap/scripts/sid >"$log" 2>&1; then
            as_root chmod 755 "$ROOT"
            as_root touch "$ROOT/.complete"
            usable && say "rig: installed in $(($(date +%s) - started)) s" && return 0
            say "rig: Asterisk of $suite is not usable ($(version || echo none))"
        fi
    done
    tail -3 "$log" >&2
    unavailable "the packages could not be had from $from (see $log)"
}

cmd_install() {
    mkdir -p "$RIG"
    exec 9>"$RIG/lock"
    flock 9 # several clones may share one folder
    usable || install_asterisk
    exec 9>&-
    version
}

# Ports below the ones the kernel gives to outgoing connections, free for TCP and UDP now.
free_ports() {
    python3 - "$1" <<'PY'
import random, socket, sys
found = []
while len(found) < int(sys.argv[1]):
    port = random.randrange(10000, 28000, 2)
    try:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as s:
                s.bind(("127.0.0.1", port))
    except OSError:
        continue
    if port not in found:
        found.append(port)
print(*found)
PY
}

# Not root when that can be helped: the user the private databases run as, too.
choose_user() {
    PREFIX=setsid
    RUN_AS=
    [ "$(id -u)" = 0 ] || return 0
    for u in furrow postgres nobody; do
        id "$u" >/dev/null 2>&1 || continue
        drop="setpriv --reuid=$u --regid=$(id -g "$u") --clear-groups"
        if $drop test -x "$ROOT/usr/sbin/asterisk" -a -r "$1"; then
            PREFIX="setsid $drop"
            RUN_AS=$u
            return 0
        fi
    done
    say "rig: no unprivileged user reaches $ROOT and $1; Asterisk runs as root"
}

write_config() { # DIR KEY=VALUE…
    dir=$1
    shift
    for d in etc lib spool/recording run log keys/keys; do mkdir -p "$dir/$d"; done
    "$SOURCE/deploy/asterisk/render.sh" "$dir/etc" "$@"
    # Parts of Asterisk that are always there complain about a missing file.
    for f in acl ccss cel features indications manager pjproject res_http_media_cache udptl \
        websocket_client; do
        : >"$dir/etc/$f.conf"
    done
    # Only here: where this private instance keeps its things.
    cat >"$dir/etc/asterisk.conf" <<CONF
[directories]
astetcdir => $dir/etc
astmoddir => $ROOT/usr/lib/$TRIPLET/asterisk/modules
astvarlibdir => $dir/lib
astdbdir => $dir/lib
astkeydir => $dir/keys
astdatadir => $ROOT/usr/share/asterisk
astspooldir => $dir/spool
astrundir => $dir/run
astlogdir => $dir/log
[options]
transmit_silence = yes
documentation_language = en_US
CONF
}

launch() {
    dir=$1
    . "$dir/env"
    choose_user "$dir"
    [ -z "$RUN_AS" ] || chown -R "$RUN_AS" "$dir/etc" "$dir/lib" "$dir/spool" "$dir/run" "$dir/log" "$dir/keys"
    (cd "$dir/run" && foreign /usr/sbin/asterisk -f -C "$dir/etc/asterisk.conf") \
        >"$dir/log/console" 2>&1 </dev/null &
    echo $! >"$dir/pid"
    n=0
    until [ "$(curl -s -o /dev/null -w '%{http_code}' -m 2 -u "$RIG_ARI_USER:$RIG_ARI_SECRET" \
        "$RIG_ARI_URL/asterisk/ping")" = 200 ]; do
        n=$((n + 1))
        if [ $n -gt 300 ] || ! kill -0 "$(cat "$dir/pid")" 2>/dev/null; then
            tail -20 "$dir/log/console" >&2
            die "Asterisk did not start (see $dir/log)"
        fi
        pause
    done
}

cmd_start() { # DIR [KEY=VALUE…]: INSTALLATION= and TRUNK_ADDRESS=, of called parties that are there
    cmd_install >/dev/null
    find_triplet
    dir=$1
    shift
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    set -- $(free_ports 3) -- "$@"
    http=$1 sip=$2 uas=$3
    shift 4
    for pair in "$@"; do
        case $pair in TRUNK_ADDRESS=*) uas=${pair##*:} ;; esac
    done
    rtp=$((28000 + ($$ % 40) * 100))
    set -- HTTP_PORT="$http" SIP_PORT="$sip" TRUNK_ADDRESS="127.0.0.1:$uas" BIND=127.0.0.1 \
        RTP_START="$rtp" RTP_END=$((rtp + 1999)) ARI_USER=furrow ARI_SECRET=rig-secret "$@"
    write_config "$dir" "$@"
    cat >"$dir/env" <<ENV
RIG_ARI_URL=http://127.0.0.1:$http/ari
RIG_ARI_USER=furrow
RIG_ARI_SECRET=rig-secret
RIG_HTTP_PORT=$http
RIG_SIP_PORT=$sip
RIG_UAS_PORT=$uas
RIG_SPOOL=$dir/spool
ENV
    launch "$dir"
}

wait_gone() {
    n=0
    while kill -0 "$1" 2>/dev/null && [ $n -lt 100 ]; do
        n=$((n + 1))
        pause
    done
}

end() { # SIGNAL DIR
    [ -f "$2/pid" ] || return 0
    pid=$(cat "$2/pid")
    kill "-$1" "$pid" 2>/dev/null || true
    wait_gone "$pid"
    kill -9 "$pid" 2>/dev/null || true
    rm -f "$2/pid"
}

cmd_stop() { end TERM "$1"; }
cmd_kill() { end KILL "$1"; }
cmd_restart() {
    end KILL "$1"
    find_triplet
    launch "$(cd "$1" && pwd)"
}

command=${1:-install}
[ $# -gt 0 ] && shift
case $command in
install | start | stop | kill | restart) "cmd_$command" "$@" ;;
*) say "usage: rig.sh [install | start DIR [KEY=VALUE…] | stop DIR | kill DIR | restart DIR]"; exit 2 ;;
esac
