#!/bin/sh
# The demo in small, twice at once with one seed: its table adds up (it says so itself and
# ends with 0 only then), the second table is the first one though each run slows the other,
# and nothing is left running. './run bench demo' does the same with the whole demo.
. "$(dirname "$0")/../lib.sh"

demo() { # NAME
    mkdir -p "$T/$1"
    FURROW_DEMO_DIR=$T/$1/demo "$FURROW_SOURCE/deploy/demo/demo.sh" --small --keep --seed 3 >"$T/log/$1" 2>&1
}
demo first &
first=$!
demo second || fail "the second demo: $(tail -30 "$T/log/second")"
wait $first || fail "the first demo: $(tail -30 "$T/log/first")"
for run in first second; do
    cp "$T/$run/demo/table.txt" "$T/$run.table"
done
grep -q 'the sums add up' "$T/first.table" || fail "no word that it adds up: $(cat "$T/first.table")"
for row in 'rows read' imported rejected 'calls attempted' answered busy 'no answer' 'of them retries' opt-outs \
    recordings transcribed understood batches SMS; do
    grep -q "^ *$row " "$T/first.table" || fail "the table has no row '$row': $(cat "$T/first.table")"
done
diff "$T/first.table" "$T/second.table" >&2 || fail "the same seed gave another table"
check "examples of why" 3 "$(grep -c '^+' "$T/log/first")"
[ -z "$(pgrep -f "$T/" | grep -v "^$$\$" || true)" ] || fail "left running: $(pgrep -af "$T/")"
cat "$T/first.table"
