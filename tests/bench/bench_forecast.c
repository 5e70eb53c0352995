/*
 * bench_forecast [CONTACTS] - what `furrow campaign forecast` costs with so many contacts
 * (1,000,000 unless stated; those of people.h): one campaign that has all of them on its
 * list and none enrolled, and one that is under way. Median of five.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/str.h"
#include "bench/people.h"
#include "campaigns/forecast_store.h"
#include "store/ledger_fixture.h"
#include "store/pgtest.h"

enum { TIMES = 5 };

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int64_t peak_kb(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) ? 0 : usage.ru_maxrss;
}

static void measure(struct pg *pg, const char *what, const struct campaign_row *row)
{
    struct forecast_options o = {.from_ms = T0, .answer_rate = -1, .talk_s = -1};
    int64_t took_us[TIMES], load_us[TIMES];
    struct forecast_source source;
    struct forecast f;
    struct errtext e = {0};

    for (int i = 0; i < TIMES; i++) {
        int64_t begin = mono_us();
        if (forecast_load(pg, TENANT, row, &o, &source, &e)) {
            fprintf(stderr, "bench_forecast: %s\n", e.text);
            exit(1);
        }
        load_us[i] = mono_us() - begin;
        forecast_run(&source.input, &f);
        took_us[i] = mono_us() - begin;
        if (i == TIMES - 1) {
            qsort(took_us, TIMES, sizeof(*took_us), by_value);
            qsort(load_us, TIMES, sizeof(*load_us), by_value);
            printf("{\"bench\":\"forecast\",\"what\":\"%s\",\"contacts\":%" PRId64
                   ",\"groups\":%zu,\"calls\":%" PRId64 ",\"hours\":%zu,"
                   "\"seconds\":%.2f,\"of_which_reading\":%.2f,\"peak_mb\":%" PRId64
                   "}\n",
                   what, f.contacts, source.input.group_count, f.calls, f.hour_count,
                   (double)took_us[TIMES / 2] / 1e6, (double)load_us[TIMES / 2] / 1e6,
                   peak_kb() / 1024);
            fflush(stdout);
        }
        forecast_free(&f);
        forecast_source_free(&source);
    }
}

int main(int argc, char **argv)
{
    struct campaign_row row = {0};
    struct errtext e = {0};
    int64_t contacts = 1000000;

    if (argc > 1 && (!str_to_i64(argv[1], &contacts) || contacts < 1000)) {
        fprintf(stderr, "usage: bench_forecast [CONTACTS]\n");
        return 2;
    }
    setenv("FURROW_PACKS_DIR", SOURCE_DIR "/tests/data/packs", 0);
    pgtest_start(PGTEST_POSTGRES);
    struct pg *pg = pgtest_open(), *super = pgtest_open_super();
    ledger_fixture_start(pg);
    people_fill(pg, super, contacts);
    if (campaign_find(pg, TENANT, "spring", &row, &e)) {
        fprintf(stderr, "bench_forecast: %s\n", e.text);
        return 1;
    }
    people_must(super, "UPDATE campaigns SET last_contact_id = (SELECT max(id) FROM "
                       "contacts)");
    measure(pg, "under way", &row);
    ledger_campaign(pg, "draft",
                    ",\"windows\":{\"mon-sat\":[\"09:00-20:00\"]},\"regions\":[\"ET\","
                    "\"KE\",\"DE\",\"IN\"],\"pacing\":{\"cps\":30}");
    if (campaign_find(pg, TENANT, "draft", &row, &e))
        return 1;
    measure(pg, "not begun", &row);
    pg_close(super);
    pg_close(pg);
    return 0;
}
