/*
 * bench_hopper [CONTACTS…] - what a claim of 500 due contacts costs with so many
 * contacts (1,000,000 and 10,000,000 unless stated) in 3 campaigns and 40 zone groups,
 * p50 and p99 in ms: the claim itself (which groups are due, and locking their first
 * contacts), the whole of attempt_claim with its verdicts, decisions and intents, what
 * the gate takes to release them, and what an idle look costs.
 *
 * The people are as they are in the field: 5 % asked not to be called, 20 % were called
 * before, three of ten wait for a later hour, a third of the zones is closed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/attempt_store.h"
#include "store/ledger_fixture.h"
#include "store/pgtest.h"

enum {
    BATCH = 500,
    CAMPAIGNS = 3,
    GROUPS = 40,
    WARM_UP = 5,
    CLAIMS = 60,
    LOOKS = 20,
    SIZES_MAX = 8
};
#define FIRST_PHONE INT64_C(251900000000)

/* At T0, Tuesday 08:00 UTC, two thirds of them are inside 09:00-20:00. */
static const struct {
    const char *region, *zone;
} places[GROUPS] = {
    {"ET", "Africa/Addis_Ababa"},
    {"KE", "Africa/Nairobi"},
    {"UG", "Africa/Kampala"},
    {"TZ", "Africa/Dar_es_Salaam"},
    {"RW", "Africa/Kigali"},
    {"ZA", "Africa/Johannesburg"},
    {"NG", "Africa/Lagos"},
    {"EG", "Africa/Cairo"},
    {"DE", "Europe/Berlin"},
    {"FR", "Europe/Paris"},
    {"IT", "Europe/Rome"},
    {"ES", "Europe/Madrid"},
    {"PL", "Europe/Warsaw"},
    {"SE", "Europe/Stockholm"},
    {"FI", "Europe/Helsinki"},
    {"GR", "Europe/Athens"},
    {"RO", "Europe/Bucharest"},
    {"TR", "Europe/Istanbul"},
    {"IN", "Asia/Kolkata"},
    {"LK", "Asia/Colombo"},
    {"NP", "Asia/Kathmandu"},
    {"BD", "Asia/Dhaka"},
    {"TH", "Asia/Bangkok"},
    {"VN", "Asia/Ho_Chi_Minh"},
    {"SG", "Asia/Singapore"},
    {"PH", "Asia/Manila"},
    {"JP", "Asia/Tokyo"},
    {"PE", "America/Lima"},
    {"CO", "America/Bogota"},
    {"GT", "America/Guatemala"},
    {"HN", "America/Tegucigalpa"},
    {"SV", "America/El_Salvador"},
    {"NI", "America/Managua"},
    {"CR", "America/Costa_Rica"},
    {"PA", "America/Panama"},
    {"JM", "America/Jamaica"},
    {"HT", "America/Port-au-Prince"},
    {"UY", "America/Montevideo"},
    {"PY", "America/Asuncion"},
    {"VE", "America/Caracas"},
};

/* ---- rows ---- */

static void must(struct pg *super, const char *sql)
{
    if (!pg_script(super, sql))
        return;
    fprintf(stderr, "bench_hopper: %s\n%s\n", pg_error(super), sql);
    exit(1);
}

/* Rows first, indexes afterwards: ten million take minutes instead of an hour. */
static void fill_contacts(struct pg *super, int64_t contacts, int64_t first_campaign,
                          int64_t first_group)
{
    char *sql = xasprintf(
        "SET ROLE NONE; SET session_replication_role = replica; SET work_mem = '256MB'; "
        "SET maintenance_work_mem = '512MB'; "
        "CREATE TEMP TABLE defs AS SELECT indexrelid::regclass::text AS name, "
        "pg_get_indexdef(indexrelid) AS def FROM pg_index WHERE indrelid IN "
        "('contacts'::regclass, 'campaign_contacts'::regclass) AND NOT indisprimary; "
        "DO $$ DECLARE d text; BEGIN FOR d IN SELECT name FROM defs LOOP EXECUTE 'DROP "
        "INDEX ' || d; END LOOP; END $$; "
        "INSERT INTO contacts (id, tenant_id, list_id, phone, number_type, zone_group, "
        "region) OVERRIDING SYSTEM VALUE SELECT g + 1, 1, l.id, %" PRId64
        " + g, 1, %" PRId64 " + g %% %d, z.region FROM generate_series(0, %" PRId64
        ") g CROSS JOIN (SELECT min(id) AS id FROM lists) l JOIN zone_groups z ON z.id = "
        "%" PRId64 " + g %% %d; "
        "INSERT INTO campaign_contacts (tenant_id, campaign_id, contact_id, phone, "
        "zone_group, number_type, next_attempt_at) SELECT 1, %" PRId64
        " + id / %d %% %d, id, phone, zone_group, 1, furrow_ts(%" PRId64
        " + (hashint8(id) %% 100 - 70) * 600000) FROM contacts; "
        "DO $$ DECLARE d text; BEGIN FOR d IN SELECT def FROM defs LOOP EXECUTE d; END "
        "LOOP; END $$; DROP TABLE defs;",
        FIRST_PHONE, first_group, GROUPS, contacts - 1, first_group, GROUPS,
        first_campaign, GROUPS, CAMPAIGNS, T0);

    must(super, sql);
    free(sql);
}

static void fill_marks(struct pg *super, int64_t contacts)
{
    char *sql = xasprintf(
        "INSERT INTO dnc_entries (tenant_id, phone, source, added_at) SELECT 1, "
        "%" PRId64 " + g, 'import', furrow_ts(%" PRId64 ") FROM generate_series(0, "
        "%" PRId64 ", 20) g; "
        "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, trunk_id, "
        "slot, number, state, intent_at, released_at, ended_at, disposition) SELECT "
        "(lpad(to_hex(%" PRId64 " + g), 12, '0') || '7000' || '8000' || "
        "lpad(to_hex(g), 12, '0'))::uuid, 1, 0, g + 1, %" PRId64
        " + g, 1, 0, 1, 'ended', furrow_ts(t.at), furrow_ts(t.at), furrow_ts(t.at + "
        "30000), 'no_answer' FROM generate_series(2, %" PRId64
        ", 5) g CROSS JOIN LATERAL (SELECT %" PRId64 " - (g %% 2000) * 600000) t(at)",
        FIRST_PHONE, T0 - 1000, contacts - 1, T0 - INT64_C(86400000), FIRST_PHONE,
        contacts - 1, T0 - INT64_C(86400000));

    must(super, sql);
    must(super, "VACUUM (FREEZE, ANALYZE)");
    must(super, "CHECKPOINT");
    free(sql);
}

static int64_t fill(struct pg *pg, struct pg *super, int64_t contacts)
{
    static const char *const names[CAMPAIGNS] = {"spring", "summer", "autumn"};
    CLEANUP(buf_free) struct buf rules = {0};
    int64_t campaign = 0, group = 0;

    /* No pack covers most of these regions: the campaigns state hours themselves. */
    buf_printf(&rules, ",\"windows\":{\"mon-sat\":[\"09:00-20:00\"]},\"regions\":[");
    for (int i = 0; i < GROUPS; i++)
        buf_printf(&rules, "%s\"%s\"", i ? "," : "", places[i].region);
    buf_printf(&rules, "]");
    for (int i = CAMPAIGNS - 1; i >= 0; i--)
        campaign = ledger_campaign(pg, names[i], rules.data);
    for (int i = GROUPS - 1; i >= 0; i--)
        group = ledger_zone(pg, places[i].region, places[i].zone);
    /* Ids ascend, so the first of them are so many less. */
    campaign -= CAMPAIGNS - 1;
    fill_contacts(super, contacts, campaign, group - (GROUPS - 1));
    fill_marks(super, contacts);
    return campaign;
}

/* ---- measuring ---- */

/* The linker leads every pg_run of the store here: the statements of the claim itself
 * are told from those of the verdicts by how they begin. */
int __real_pg_run(struct pg *pg, PGresult **out, const char *sql,
                  const struct pg_args *args);
int __wrap_pg_run(struct pg *pg, PGresult **out, const char *sql,
                  const struct pg_args *args);

static int64_t pick_us;

int __wrap_pg_run(struct pg *pg, PGresult **out, const char *sql,
                  const struct pg_args *args)
{
    static const char *const picks[] = {
        "WITH RECURSIVE b AS ((SELECT zone_group",
        "SELECT contact_id, phone, attempts, number_type"};
    int64_t begin = mono_us();
    int err = __real_pg_run(pg, out, sql, args);

    for (size_t i = 0; i < ARRAY_LEN(picks); i++)
        if (strncmp(sql, picks[i], strlen(picks[i])) == 0)
            pick_us += mono_us() - begin;
    return err;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Sorts took_us; returns the p99. */
static double report(int64_t contacts, const char *what, int64_t *took_us, size_t n,
                     size_t rows)
{
    qsort(took_us, n, sizeof(*took_us), by_value);
    double p50 = (double)took_us[n / 2] / 1000;
    double p99 = (double)took_us[(n * 99 + 99) / 100 - 1] / 1000;

    printf("{\"bench\":\"hopper\",\"contacts\":%" PRId64
           ",\"campaigns\":%d,\"zones\":%d,\"what\":\"%s\",\"times\":%zu,\"rows\":%zu,"
           "\"p50_ms\":%.1f,\"p99_ms\":%.1f}\n",
           contacts, CAMPAIGNS, GROUPS, what, n, rows, p50, p99);
    fflush(stdout);
    return p99;
}

struct times {
    int64_t pick_us[CLAIMS * CAMPAIGNS], claim_us[CLAIMS * CAMPAIGNS];
    int64_t release_us[CLAIMS * CAMPAIGNS];
    int64_t look_us[LOOKS];
    size_t n, looked_at, released;
};

static int claim_one(struct pg *pg, int64_t campaign, int64_t at_ms, struct times *t)
{
    static struct attempt_row rows[BATCH];
    static struct permit *permits[BATCH];
    struct attempt_claim_result r;

    pick_us = 0;
    int64_t begin = mono_us();
    int err = attempt_claim(pg, TENANT, campaign, 0, at_ms, BATCH, rows, &r);
    int64_t middle = mono_us();
    if (!err)
        err = attempt_release(pg, TENANT, rows, r.intents, at_ms + 1, permits);
    t->pick_us[t->n] = pick_us;
    t->claim_us[t->n] = middle - begin;
    t->release_us[t->n++] = mono_us() - middle;
    t->looked_at += r.looked_at;
    for (size_t k = 0; !err && k < r.intents; k++) {
        t->released += permits[k] != NULL;
        permit_free(permits[k]);
    }
    return err;
}

static int measure(struct pg *pg, int64_t contacts, int64_t campaign, double *p99)
{
    static struct times t;
    struct attempt_row row;
    struct attempt_claim_result r;
    int err = 0;

    t = (struct times){0};
    /* Some rounds before it counts: statements are prepared, documents parsed, and the
     * upper pages of the indexes in memory. */
    for (int i = 0; !err && i < WARM_UP * CAMPAIGNS; i++)
        err = claim_one(pg, campaign + i % CAMPAIGNS, T0, &t);
    t = (struct times){0};
    for (int i = 0; !err && i < CLAIMS * CAMPAIGNS; i++)
        err = claim_one(pg, campaign + i % CAMPAIGNS, T0 + i, &t);
    /* 23:00 on Saturday in Addis Ababa: Sunday has no window. */
    for (int i = 0; !err && i < LOOKS; i++) {
        int64_t begin = mono_us();
        err =
            attempt_claim(pg, TENANT, campaign, 0,
                          T0 + INT64_C(5) * 86400000 + INT64_C(6) * 3600000, 1, &row, &r);
        t.look_us[i] = mono_us() - begin;
        if (!err && r.looked_at > 0)
            fprintf(stderr, "bench_hopper: the idle look found somebody\n");
    }
    if (err)
        return err;
    *p99 = report(contacts, "claim of 500 due", t.pick_us, t.n, t.looked_at);
    report(contacts, "claim with verdicts, decisions, intents", t.claim_us, t.n,
           t.looked_at);
    report(contacts, "release of these", t.release_us, t.n, t.released);
    report(contacts, "look, every zone closed", t.look_us, LOOKS, 0);
    return 0;
}

/* One private server for each size, one after the other: child processes, because a
 * server lives as long as the program. */
static int run(int64_t contacts, double *p99)
{
    pgtest_start(PGTEST_POSTGRES);
    struct pg *pg = pgtest_open(), *super = pgtest_open_super();
    ledger_fixture_start(pg);
    must(super, "ALTER SYSTEM SET max_wal_size = '8GB'");
    must(super, "SELECT pg_reload_conf()");
    int64_t begin = mono_ms();
    int64_t campaign = fill(pg, super, contacts);
    fprintf(stderr, "bench_hopper: %" PRId64 " contacts made in %" PRId64 " s\n",
            contacts, (mono_ms() - begin) / 1000);
    int err = measure(pg, contacts, campaign, p99);
    if (err)
        fprintf(stderr, "bench_hopper: %s\n", pg_error(pg));
    pg_close(super);
    pg_close(pg);
    return err ? 1 : 0;
}

static int run_apart(int64_t contacts, double *p99)
{
    int ends[2], status = 0;

    if (pipe(ends))
        return 1;
    pid_t pid = fork();
    if (pid == 0) {
        int code = run(contacts, p99);
        if (write(ends[1], p99, sizeof(*p99)) != sizeof(*p99))
            code = 1;
        exit(code); /* the server is stopped by exit's handlers */
    }
    close(ends[1]);
    bool told = pid > 0 && read(ends[0], p99, sizeof(*p99)) == sizeof(*p99);
    close(ends[0]);
    if (pid > 0)
        waitpid(pid, &status, 0);
    return told && status == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    setenv("FURROW_PACKS_DIR", SOURCE_DIR "/tests/data/packs", 0);
    int64_t sizes[SIZES_MAX] = {1000000, 10000000};
    double p99[SIZES_MAX] = {0};
    int n = 2, code = 0;

    for (int i = 1; i < argc && i <= SIZES_MAX; i++, n = i - 1)
        if (!str_to_i64(argv[i], &sizes[i - 1]) || sizes[i - 1] < GROUPS * CAMPAIGNS) {
            fprintf(stderr, "usage: bench_hopper [CONTACTS…]\n");
            return 2;
        }
    for (int i = 0; i < n; i++)
        code |= run_apart(sizes[i], &p99[i]);
    if (!code && n > 1)
        printf("{\"bench\":\"hopper\",\"what\":\"claim p99, last size to first\","
               "\"ratio\":%.2f}\n",
               p99[n - 1] / p99[0]);
    return code;
}
