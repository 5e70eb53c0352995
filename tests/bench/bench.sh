#!/bin/sh
# './run bench [NAME…]': measurements as JSON lines on stdout, all when none is named.
# A name is a program build/release/tests/bench_<name> or a script tests/bench/<name>.sh;
# 'crash' is the long form of the crash tests.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
BUILD=${FURROW_BUILD:?set by ./run bench}

names() {
    for p in "$BUILD"/tests/bench_*; do
        [ -x "$p" ] && basename "$p" | sed 's/^bench_//'
    done
    for p in "$HERE"/*.sh; do
        n=$(basename "$p" .sh)
        [ "$n" = bench ] || echo "$n"
    done
}

if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
    echo "usage: ./run bench [NAME…] [-- ARGUMENTS]"
    echo "names: $(names | sort | tr '\n' ' ')"
    echo "example: ./run bench import jobs"
    exit 0
fi
list=
while [ $# -gt 0 ]; do
    case $1 in
    --) shift; break ;;
    -*) break ;;
    *) list="$list $1"; shift ;;
    esac
done
[ -n "$list" ] || list=$(names | sort)

# The gate is not only fast: 'compliance' is its speed, the oracle and the month.
case " $list " in
*" oracle "*) ;;
*" compliance "*) list=$(echo " $list " | sed 's/ compliance / compliance oracle month /') ;;
esac

# A soak is a campaign and webhooks.
case " $list " in
*" webhook_soak "*) ;;
*" soak "*) list=$(echo " $list " | sed 's/ soak / soak webhook_soak /') ;;
esac

# Jobs: the durable ones, a thousand that wait, and the volatile ones beside their peer.
case " $list " in
*" volatile "*) ;;
*" jobs "*) list=$(echo " $list " | sed 's/ jobs / jobs waits volatile /') ;;
esac
case " $list " in
*" volatile "*) "$HERE/bullmq/install.sh" >/dev/null || true ;; # what misses it says so
esac

code=0
for name in $list; do
    echo "bench: $name" >&2
    if [ -x "$BUILD/tests/bench_$name" ]; then
        "$BUILD/tests/bench_$name" "$@" || code=1
    elif [ -x "$HERE/$name.sh" ]; then
        "$HERE/$name.sh" "$@" || code=1
    else
        echo "no benchmark '$name'; there are: $(names | sort | tr '\n' ' ')" >&2
        exit 2
    fi
done
exit "$code"
