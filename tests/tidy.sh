#!/bin/sh
# clang-tidy over the sources, or over the files given, as BUILD (build/dev) compiles them; exit 1
# when it finds something. Slow; './run lint'.
set -u
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- $(git ls-files base speech contacts compliance campaigns batches ivr simulate dialer workers server cli deploy | grep '\.c$' | grep -v zones_table)
total=$#
echo "clang-tidy: $total files"
mkdir -p var
# gcc's own warnings are no business of clang's; with several files at once clang-tidy 14 takes each va_list for
# uninitialized.
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 clang-tidy --quiet --extra-arg=-Wno-unknown-warning-option -p "${BUILD:-build/dev}" 2>/dev/null |
    grep -E 'warning:|error:' | sort -u | tee var/tidy.log
[ ! -s var/tidy.log ] && echo "clang-tidy: clean"
