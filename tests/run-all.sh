#!/bin/sh
# Builds and runs every test; called by './run test'. The last line is
# 'N passed, N failed, N skipped'. Arguments after the preset go to ctest.
set -eu
cd "$(dirname "$0")/.."
preset=$1
shift
LIMIT_S=1200
started=$(date +%s)
mkdir -p var/test

say() { printf '%s\n' "$*" >&2; }

# A part that this machine cannot have is a skip here and a failure on CI.
if [ -x tests/rig/rig.sh ]; then
    ./tests/rig/rig.sh install >var/test/rig.log 2>&1 || say "rig: $(tail -1 var/test/rig.log)"
fi
after_download=$(date +%s)
./run build "$preset"
./run build tsan thread_tests

xml=$(pwd)/var/test/results.xml
xml_tsan=$(pwd)/var/test/results-tsan.xml
rm -f "$xml" "$xml_tsan"
code=0
ctest --test-dir "build/$preset" -j 2 --output-on-failure --output-junit "$xml" "$@" || code=1
ctest --test-dir build/tsan -j 2 -L threads --output-on-failure --output-junit "$xml_tsan" "$@" || code=1

cases() { cat "$xml" "$xml_tsan" 2>/dev/null | grep '<testcase ' || true; }
count() { cases | grep -c "status=\"$1\"" || true; }
passed=$(count run)
failed=$(count fail)
skipped=$(($(count notrun) + $(count disabled)))

echo
echo 'slowest:'
cases | sed -n 's/.*name="\([^"]*\)".* time="\([^"]*\)".*/\2 \1/p' | sort -rn | head -10 |
    while read -r time name; do printf '  %7.1f s  %s\n' "$time" "$name"; done
cases | grep -E 'status="(notrun|disabled)"' | sed 's/.*name="\([^"]*\)".*/skipped: \1/'

took=$(($(date +%s) - after_download))
echo "took $took s after downloads ($(($(date +%s) - started)) s in all)"
if [ "$took" -gt "$LIMIT_S" ]; then
    echo "over the limit of $LIMIT_S s"
    failed=$((failed + 1))
fi
if [ "${CI:-}" = true ] && [ "$skipped" -gt 0 ]; then
    echo "on CI a skipped test is a failed one"
    failed=$((failed + skipped))
    skipped=0
fi
[ "$passed" -gt 0 ] || code=1
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$code" -eq 0 ]
