/*
 * bench_dnc [MILLIONS] - a national do-not-call list (250): written as the registry gives
 * it out (sorted "area code,number" lines), parsed and published, then asked. Aims: 10 s
 * of CPU for parsing, 500 MB, 50 ns a lookup.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/errors.h"
#include "base/xalloc.h"
#include "compliance/dnc_build.h"

enum { CODES = 384, PIECE = 1 << 20, LOOKUPS = 20 * 1000 * 1000, BATCH = 500 };

static double cpu_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static uint64_t next(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static void must(int err, const struct errtext *e)
{
    if (!err)
        return;
    fprintf(stderr, "bench_dnc: %s\n", e->text);
    exit(1);
}

int main(int argc, char **argv)
{
    int64_t wanted = (argc > 1 ? atoll(argv[1]) : 250) * 1000000;
    char dir[] = "/tmp/furrow-bench-dnc-XXXXXX", path[64];
    struct dnc_build_report r;
    struct dnc_build *b = NULL;
    struct errtext e = {0};
    char *piece = xmalloc(PIECE + 32);
    uint64_t x = 88172645463325252, bytes = 0;
    double parse_s = 0;
    struct stat st;

    if (!mkdtemp(dir))
        return 1;
    const struct dnc_build_options o = {.dir = dir, .name = "us.bench", .force = true};
    must(dnc_build_new(&b, &o, &e), &e);
    int64_t each = wanted / CODES, step = DNC_SLOT_BITS / (each ? each : 1);
    size_t len = 0;
    for (int code = 0; code < CODES; code++)
        for (int64_t i = 0; i < each; i++) {
            int64_t number = i * step + (int64_t)(next(&x) % (uint64_t)(step ? step : 1));
            len += (size_t)snprintf(piece + len, 32, "%03d,%07" PRId64 "\n",
                                    201 + 2 * code, number % DNC_SLOT_BITS);
            if (len < PIECE)
                continue;
            double from = cpu_s();
            must(dnc_build_feed(b, piece, len, &e), &e);
            parse_s += cpu_s() - from;
            bytes += len;
            len = 0;
        }
    double from = cpu_s();
    must(dnc_build_feed(b, piece, len, &e), &e);
    must(dnc_build_end_file(b, &e), &e);
    parse_s += cpu_s() - from;
    from = cpu_s();
    int64_t wall = mono_us();
    must(dnc_build_publish(b, &r, &e), &e);
    double publish_s = cpu_s() - from;
    wall = mono_us() - wall;
    dnc_build_free(b);
    snprintf(path, sizeof(path), "%s/us.bench.dnc", dir);
    stat(path, &st);
    printf("{\"bench\":\"dnc_load\",\"numbers\":%" PRIu64 ",\"text_mb\":%" PRIu64
           ",\"parse_cpu_s\":%.2f,\"publish_cpu_s\":%.2f,\"publish_wall_s\":%.2f,\"file_"
           "mb\":%" PRId64 "}\n",
           r.count, (bytes + len) >> 20, parse_s, publish_s, (double)wall / 1e6,
           (int64_t)st.st_size / 1000000);
    fflush(stdout);

    struct dnc_lists *lists = dnc_lists_new(dir);
    wall = mono_us();
    struct dnc_list *l = dnc_lists_pin(lists, "us.bench", 1);
    double open_ms = (double)(mono_us() - wall) / 1e3;
    wall = mono_us();
    bool sound = dnc_list_verify(l);
    double verify_s = (double)(mono_us() - wall) / 1e6;
    uint64_t hits = 0;
    int64_t looked_us = 0;
    for (int i = 0; i < LOOKUPS; i += BATCH) {
        int64_t numbers[BATCH];
        enum list_state states[BATCH];
        for (int k = 0; k < BATCH; k++) {
            uint64_t v = next(&x);
            numbers[k] = INT64_C(10000000000) +
                         (int64_t)(201 + 2 * (v % CODES)) * DNC_SLOT_BITS +
                         (int64_t)((v >> 20) % DNC_SLOT_BITS);
        }
        wall = mono_us();
        dnc_list_look_many(l, numbers, BATCH, states);
        looked_us += mono_us() - wall;
        for (int k = 0; k < BATCH; k++)
            hits += (uint64_t)states[k]; /* CLEAR 0, HIT 1 */
    }
    printf("{\"bench\":\"dnc_lookup\",\"lookups\":%d,\"hits\":%" PRIu64
           ",\"ns_each\":%.1f,\"open_ms\":%.2f,\"verify_s\":%.2f,\"sound\":%s}\n",
           LOOKUPS, hits, (double)looked_us * 1e3 / LOOKUPS, open_ms, verify_s,
           sound ? "true" : "false");
    dnc_lists_unpin(lists, l);
    dnc_lists_free(lists);
    unlink(path);
    rmdir(dir);
    free(piece);
    return sound ? 0 : 1;
}
