#!/bin/sh
# The rules of the house that a compiler does not check. Quick; part of the tests.
set -u
cd "$(dirname "$0")/.."
bad=0
complain() { bad=1; echo "lint: $*"; }
sources() { git ls-files -- "$@" | grep -E '\.(c|h|cc)$'; }

# --- layers: a folder includes only itself and what stands below it -------------
layer() {
    sources "$1" | xargs grep -nE '^#include "[a-z_]+/' /dev/null |
        awk -F'["/]' -v may=" $2 $1 " -v dir="$1" '{
            at = $0; sub(/:#include.*/, "", at)
            inc = $0; sub(/.*#include "/, "", inc); sub(/\/.*/, "", inc)
            if (!index(may, " " inc " ")) print at ": " dir " must not include " inc
        }'
}
out=$(
    layer base ""
    layer contacts "base"
    layer compliance "base contacts"
    layer campaigns "base contacts compliance ivr"
    layer batches "base contacts compliance campaigns"
    layer speech "base"
    layer dialer "base speech contacts compliance campaigns ivr"
    layer workers "base contacts compliance campaigns batches ivr"
    layer server "base speech contacts compliance campaigns batches ivr"
    layer simulate "base contacts compliance campaigns ivr"
    layer cli "base speech contacts compliance campaigns batches ivr simulate dialer workers server"
)
[ -z "$out" ] || complain "layers
$out"
out=$(sources base speech contacts compliance campaigns batches ivr simulate dialer workers server cli deploy | xargs grep -nE '^#include "[^/"]+"' /dev/null)
[ -z "$out" ] || complain "includes are written from the root: \"folder/file.h\"
$out"
out=$(for f in $(sources ivr); do
    grep -nE '^#include' "$f" | grep -vE '<(assert|ctype|errno|inttypes|limits|stdarg|stdbool|stddef|stdint|stdio|stdlib|string|jansson|math)\.h>|"(ivr/[a-z_]+|base/attrs)\.h"' | sed "s|^|$f:|"
done)
[ -z "$out" ] || complain "ivr needs libc and jansson only
$out"

# --- the middle layer is pure but for its stores ---------------------------------
out=$(for f in $(sources contacts compliance campaigns batches simulate); do
    case $f in *_store.c | *_store_*.c | *_store.h) continue ;; esac
    grep -nE '#include (<libpq-fe.h>|"base/(pg|redis|http)\.h")|\bclock_now_ms\(|\brandombytes' "$f" | sed "s|^|$f:|"
done)
[ -z "$out" ] || complain "only *_store.c files may touch the database; time is an argument
$out"

# --- banned calls and constructs ---------------------------------------------------
out=$(for f in $(sources base speech contacts compliance campaigns batches ivr simulate dialer workers server cli deploy); do
    grep -nE '\b(strcpy|strcat|sprintf|vsprintf|atoi|atol|strtok|localtime|localtime_r|gmtime|rand|system|popen|usleep|alloca)\(' "$f" | sed "s|^|$f:|"
done)
[ -z "$out" ] || complain "banned calls
$out"
out=$(sources . | grep -v '^base/attrs.h$' | xargs grep -n '__attribute__' /dev/null)
[ -z "$out" ] || complain "__attribute__ belongs in base/attrs.h
$out"

# --- one gate ------------------------------------------------------------------------
out=$(sources base speech contacts compliance campaigns batches ivr simulate dialer workers server cli | xargs grep -l 'permit_mint(' |
    grep -vE '^campaigns/(permit\.[ch]|attempt_store.*\.c)$')
[ -z "$out" ] || complain "permit_mint is the gate's alone: $out"

# --- sizes -----------------------------------------------------------------------------
out=$(sources base speech contacts compliance campaigns batches ivr simulate dialer workers server cli deploy | grep -v 'contacts/zones_table' |
    xargs wc -l | awk '$2 != "total" && $1 > 700 {print $2 ": " $1 " lines"}')
[ -z "$out" ] || complain "files over 700 lines
$out"

# --- the library's exports are its map ------------------------------------------------------
lib=$(ls build/*/lib/libfurrow-ivr.so 2>/dev/null | head -1)
if [ -n "$lib" ]; then
    wanted=$(sed -n '/global:/,/local:/p' ivr/ivr.map | grep -oE '[a-z_0-9]+;' | tr -d ';' | sort)
    found=$(nm -D --defined-only "$lib" | awk '{print $3}' | sed 's/@.*//' | grep -vE '^(FURROW|__asan|_init|_fini|__odr_asan|__emutls)' | sort)
    [ "$wanted" = "$found" ] || complain "exports of libfurrow-ivr.so differ from ivr/ivr.map
$(printf '%s\n' "$wanted" "$found" | sort | uniq -u)"
fi

# --- format ------------------------------------------------------------------------------------
if command -v clang-format >/dev/null 2>&1; then
    out=$(sources . | grep -v -e 'contacts/zones_table' -e '\.cc$' |
        xargs -P 2 -n 50 clang-format --dry-run -Werror 2>&1 | sed -n 's/:[0-9]*:[0-9]*: error:.*//p' | sort -u)
    [ -z "$out" ] || complain "format: clang-format -i these
$out"
else
    complain "clang-format is missing (./run deps)"
fi

# --- nothing of the machine in the tree ---------------------------------------------------------
out=$(git grep -nE 'deb\.debian\.org|registry\.npmjs' -- . ':!tests/lint.sh')
[ -z "$out" ] || complain "host names of registries
$out"
[ "$bad" -eq 0 ] && echo "lint: clean"
exit "$bad"
