#!/bin/sh
# clang-tidy over the sources, or over the files given. Slow; './run lint'.
set -u
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- $(git ls-files base speech contacts compliance campaigns batches ivr dialer workers server cli deploy | grep '\.c$' | grep -v zones_table)
total=$#
echo "clang-tidy: $total files"
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p build/dev 2>/dev/null |
    grep -E 'warning:|error:' | sort -u | tee var/tidy.log
[ ! -s var/tidy.log ] && echo "clang-tidy: clean"
