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
