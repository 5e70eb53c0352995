#!/bin/sh
# Every command explains itself: --help exits 0, shows its usage and an example that begins
# with the program's name; a wrong command exits 2 and says where to look; every program
# prints its configuration reference, and the page in docs/ is what they print.
. "$(dirname "$0")/../lib.sh"

explains() { # COMMAND…
    "$@" --help >"$T/help" 2>&1 || fail "$* --help ended with $?"
    grep -q '^usage: ' "$T/help" || fail "$* --help has no usage: $(cat "$T/help")"
    grep -q '^example: .' "$T/help" || fail "$* --help has no example: $(cat "$T/help")"
}
furrow --help >"$T/groups" || fail "furrow --help"
groups=$(sed -n 's/^  \([a-z][a-z-]*\)  *[a-z].*/\1/p' "$T/groups")
[ "$(echo "$groups" | wc -l)" -ge 12 ] || fail "furrow --help names too few commands: $groups"
verbs=0
for group in $groups; do
    furrow "$group" --help >"$T/group" 2>&1 || fail "furrow $group --help"
    if grep -q '^usage: ' "$T/group"; then
        explains "$BIN/furrow" "$group"
        verbs=$((verbs + 1))
        continue
    fi
    grep -q '^example: furrow ' "$T/group" || fail "furrow $group --help has no example"
    # What a verb does is a whole sentence, also where the help breaks its lines.
    awk '/^  furrow |^$/ { if (last ~ /^      [^ ]/ && last !~ /[.]$/) print last } { last = $0 }' "$T/group" >"$T/cut"
    [ ! -s "$T/cut" ] || fail "furrow $group --help breaks off: $(cat "$T/cut")"
    for verb in $(sed -n "s/^  furrow $group \([a-z][a-z-]*\).*/\1/p" "$T/group"); do
        explains "$BIN/furrow" "$group" "$verb"
        verbs=$((verbs + 1))
    done
    code=0
    furrow "$group" nonsense >/dev/null 2>"$T/wrong" || code=$?
    check "exit code of a wrong verb of $group" 2 $code
    grep -q -- '--help' "$T/wrong" || fail "furrow $group nonsense does not say where to look"
done
[ "$verbs" -ge 35 ] || fail "only $verbs verbs were found"

one_line() { # CODE WORDS COMMAND…: it fails with CODE and one line that has WORDS
    want=$1 words=$2 code=0
    shift 2
    "$@" >"$T/out" 2>"$T/wrong" || code=$?
    check "exit code of $*" "$want" $code
    check "lines of $*" 1 "$(grep -vc '^usage: ' "$T/wrong")"
    grep -q "$words" "$T/wrong" || fail "$* says: $(cat "$T/wrong")"
}
one_line 2 "^furrow campaign list: .*'--bogus'" "$BIN/furrow" campaign list --bogus
one_line 1 'no-such-folder.*DATABASE_URL' env DATABASE_URL="host=$T/no-such-folder" "$BIN/furrow" campaign list
one_line 2 "did you mean 'campaign'? 'furrow --help'" "$BIN/furrow" campain list
one_line 2 "did you mean 'list'? 'furrow campaign --help'" "$BIN/furrow" campaign lst
one_line 2 'want redis://host:port/db or unix:///path.sock' env REDIS_URL=bogus "$BIN/furrow-worker"
one_line 1 'set DATABASE_URL' env -u DATABASE_URL "$BIN/furrow" campaign list

for program in furrow furrow-dialer furrow-worker furrow-server; do
    "$BIN/$program" --help >"$T/help" 2>&1 || fail "$program --help"
    grep -q example "$T/help" || fail "$program --help has no example"
    "$BIN/$program" --config-reference >"$T/reference" || fail "$program --config-reference"
    echo 'no_such_option = 1' >"$T/wrong.conf"
    code=0
    "$BIN/$program" --config "$T/wrong.conf" --check-config >/dev/null 2>"$T/wrong" || code=$?
    check "$program with an unknown option" 2 $code
    grep -q 'wrong.conf:1\|line 1' "$T/wrong" || fail "$program does not say the line: $(cat "$T/wrong")"
    DATABASE_URL=postgresql://u:geheim@h/d "$BIN/$program" --show-config >"$T/shown" || fail "$program --show-config"
    ! grep -q geheim "$T/shown" || fail "$program --show-config shows a secret"
done
"$FURROW_SOURCE/docs/make-configuration" "$BIN" >"$T/configuration.md" || fail make-configuration
cmp -s "$T/configuration.md" "$FURROW_SOURCE/docs/configuration.md" ||
    fail "docs/configuration.md is not what the programs print: docs/make-configuration build/dev/bin >docs/configuration.md"
echo "ok: $verbs commands"
