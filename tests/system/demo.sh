#!/bin/sh
# The demo in small: its table adds up (it says so itself and ends with 0 only then), and
# nothing is left running. './run bench demo' runs it whole, twice, and compares the tables.
. "$(dirname "$0")/../lib.sh"

demo() { # NAME
    mkdir -p "$T/$1"
    FURROW_DEMO_DIR=$T/$1/demo "$FURROW_SOURCE/deploy/demo/demo.sh" --small --keep --seed 3 >"$T/log/$1" 2>&1 ||
        fail "the demo: $(tail -30 "$T/log/$1")"
    cp "$T/$1/demo/table.txt" "$T/$1.table"
}
demo first
grep -q 'the sums add up' "$T/first.table" || fail "no word that it adds up: $(cat "$T/first.table")"
for row in 'rows read' imported rejected 'calls attempted' answered busy 'no answer' 'of them retries' opt-outs \
    recordings transcribed understood batches SMS; do
    grep -q "^ *$row " "$T/first.table" || fail "the table has no row '$row': $(cat "$T/first.table")"
done
check "examples of why" 3 "$(grep -c '^+' "$T/log/first")"
[ -z "$(pgrep -f "$T/" | grep -v "^$$\$" || true)" ] || fail "left running: $(pgrep -af "$T/")"
cat "$T/first.table"
