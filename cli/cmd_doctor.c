/* furrow doctor - is this machine fit to call? Each line says what to do about it. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/content.h"
#include "base/errors.h"
#include "base/migrate.h"
#include "base/pg.h"
#include "base/redis.h"
#include "base/str.h"
#include "cli/doctor.h"
#include "cli/groups.h"
#include "compliance/calling_store.h"
#include "compliance/pack.h"
#include "contacts/tz.h"
#include "contacts/zones.h"

enum {
    PHONE_DATA_MAX_DAYS = 400,
    PHONE_DATA_SOON_DAYS = 60,
    REVIEW_SOON_DAYS = 30,
    GIB = 1 << 30
};
#define DAY_MS ((int64_t)86400 * 1000)

void doctor_found(struct doctor *d, const char *what, enum grade grade, const char *fmt,
                  ...)
{
    static const char *const words[] = {"ok", "warn", "FAIL"};
    char text[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    d->fails += grade == FAIL;
    if (d->json)
        json_array_append_new(d->lines, json_pack("{s:s, s:s, s:s}", "what", what,
                                                  "state", words[grade], "detail", text));
    else
        printf("%-4s  %-12s %s\n", words[grade], what, text);
}

static void look_at_data(struct doctor *d)
{
    const char *least = "2026f";
    char version[TZ_VERSION_MAX] = "";
    int64_t age = (clock_real_ms() - zones_date_ms()) / DAY_MS;

    if (tz_version(version))
        doctor_found(d, "tzdata", FAIL,
                     "it does not say its version; install Debian's package tzdata");
    else if (strcmp(version, least) < 0)
        doctor_found(d, "tzdata", FAIL,
                     "%s is older than %s and wrong about this year: nothing is called; "
                     "'apt-get install "
                     "--only-upgrade tzdata'",
                     version, least);
    else
        doctor_found(d, "tzdata", OK, "%s", version);
    if (age > PHONE_DATA_MAX_DAYS)
        doctor_found(d, "phone data", FAIL,
                     "%" PRId64 " days old: nothing is called; update Furrow", age);
    else if (age > PHONE_DATA_MAX_DAYS - PHONE_DATA_SOON_DAYS)
        doctor_found(d, "phone data", WARN,
                     "%" PRId64 " days old; after %d nothing is called: update Furrow",
                     age, PHONE_DATA_MAX_DAYS);
    else
        doctor_found(d, "phone data", OK, "%" PRId64 " days old", age);
}

static void add_name(struct buf *names, const char *name)
{
    buf_printf(names, "%s%s", names->len ? ", " : "", name);
}

static void judge_packs(struct doctor *d, const struct packs *packs)
{
    CLEANUP(buf_free) struct buf expired = {0};
    CLEANUP(buf_free) struct buf soon = {0};
    CLEANUP(buf_free) struct buf calendars = {0};
    int64_t today = clock_now_ms() / DAY_MS;

    for (size_t i = 0; i < packs->n; i++) {
        const struct pack *p = &packs->at[i];
        if (p->review_by_day < today)
            add_name(&expired, p->name);
        else if (p->review_by_day < today + REVIEW_SOON_DAYS)
            add_name(&soon, p->name);
        if (p->holidays_until_day < today + REVIEW_SOON_DAYS)
            add_name(&calendars, p->name);
    }
    if (expired.len)
        doctor_found(d, "rule packs", WARN,
                     "past their review, calls there are refused: %.200s; review them "
                     "and set review_by",
                     expired.data);
    if (soon.len)
        doctor_found(d, "rule packs", WARN,
                     "to be reviewed within %d days, or calls there are refused: %.200s",
                     REVIEW_SOON_DAYS, soon.data);
    if (calendars.len)
        doctor_found(d, "rule packs", WARN,
                     "their holiday calendar ends within %d days: %.200s; add the next "
                     "year's days",
                     REVIEW_SOON_DAYS, calendars.data);
    if (!expired.len && !soon.len && !calendars.len)
        doctor_found(d, "rule packs", OK, "%zu in %s", packs->n, packs_dir());
}

static void look_at_packs(struct doctor *d)
{
    struct packs *packs = NULL;
    struct errtext e = {0};

    if (packs_load(packs_dir(), &packs, &e)) {
        doctor_found(d, "rule packs", FAIL, "%s; every call is refused", e.text);
        return;
    }
    judge_packs(d, packs);
    packs_free(packs);
}

static void look_at_disk(struct doctor *d)
{
    const char *dir = d->cli->config.common.data_dir;
    struct statvfs fs;

    if (access(dir, W_OK))
        doctor_found(d, "data folder", FAIL,
                     "%s: %s; FURROW_DATA_DIR says where it is, 'furrow up' makes it",
                     dir, strerror(errno));
    else if (statvfs(dir, &fs))
        doctor_found(d, "data folder", FAIL, "%s: %s", dir, strerror(errno));
    else if ((uint64_t)fs.f_bavail * fs.f_frsize < GIB)
        doctor_found(d, "data folder", WARN, "%s has less than 1 GiB left", dir);
    else
        doctor_found(d, "data folder", OK, "%s, %.1f GiB left", dir,
                     (double)fs.f_bavail * (double)fs.f_frsize / GIB);
}

static void look_at_content(struct doctor *d)
{
    struct content content;
    struct errtext e = {0};

    if (!d->cli->config.common.content_bucket[0])
        return; /* the data folder */
    int err = content_init(&content, &d->cli->config.common, &e);
    if (!err)
        err = content_check(&content, &e);
    if (err)
        doctor_found(d, "bucket", FAIL, "%s; recordings wait", e.text);
    else
        doctor_found(d, "bucket", OK, "%s answers", content_place(&content));
}

static void look_at_redis(struct doctor *d)
{
    struct errtext e = {0};
    struct redis *redis = NULL;

    if (redis_open(&redis, d->cli->config.common.redis_url, &e))
        doctor_found(d, "Redis", FAIL,
                     "%s; no call is placed without it (REDIS_URL says where it is)",
                     e.text);
    else
        doctor_found(d, "Redis", OK, "%s", "answers");
    redis_close(redis);
}

static void look_at_clock(struct doctor *d)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    int64_t before = clock_real_ms();

    if (pg_run(d->cli->pg, &res,
               "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint, "
               "current_setting('server_version')",
               NULL)) {
        doctor_found(d, "clock", FAIL, "%s", pg_error(d->cli->pg));
        return;
    }
    int64_t after = clock_real_ms(), theirs = pg_i64(res, 0, 0);
    int64_t off = theirs < before ? before - theirs : theirs > after ? theirs - after : 0;
    doctor_found(d, "Postgres", OK, "version %s", pg_text(res, 0, 1));
    if (off > 1000)
        doctor_found(d, "clock", FAIL,
                     "it differs by %" PRId64
                     " ms from Postgres': every call is refused; "
                     "set the clocks right (NTP)",
                     off);
    else
        doctor_found(d, "clock", OK, "within %" PRId64 " ms of Postgres'%s", off,
                     clock_is_virtual() ? "; business time is a declared virtual clock"
                                        : "");
}

static void look_at_database(struct doctor *d)
{
    char note[256];
    struct errtext e = {0};
    int64_t stopped_ms = 0;

    if (cli_try_pg(d->cli, &e)) {
        doctor_found(d, "Postgres", FAIL, "%s", e.text);
        return;
    }
    look_at_clock(d);
    if (calling_state(d->cli->pg, d->cli->tenant_id, &stopped_ms, note, sizeof(note)))
        doctor_found(d, "kill switch", FAIL, "%s", pg_error(d->cli->pg));
    else if (stopped_ms)
        doctor_found(d, "kill switch", WARN,
                     "all calling is off%s%s; 'furrow calling resume'", *note ? ": " : "",
                     note);
    else
        doctor_found(d, "kill switch", OK, "calling is on");
    doctor_look_at_lists(d);
    doctor_look_at_trunks(d);
    doctor_look_at_providers(d);
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
    struct doctor d = {.cli = cli};

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        d.json |= o == 'j';
    }
    d.lines = json_array();
    look_at_data(&d);
    look_at_packs(&d);
    look_at_disk(&d);
    look_at_content(&d);
    look_at_database(&d);
    look_at_redis(&d);
    doctor_look_at_server(&d);
    doctor_look_at_services(&d);
    if (d.json)
        cli_print_json(json_pack("{s:b, s:O}", "fit", d.fails == 0, "lines", d.lines));
    else
        puts(d.fails ? "not fit to call" : "fit to call");
    json_decref(d.lines);
    return d.fails ? CLI_FAILED : CLI_OK;
}

static const struct cli_verb verbs[] = {
    {"", "[--json]",
     "Looks at everything that calls depend on and says what to do: time zone and "
     "numbering data,\n"
     "rule packs, do-not-call lists, trunks, clocks, Postgres, Redis, disk, the server "
     "and its contracts, services. "
     "Exit 1 when something keeps calls from "
     "going out.",
     "furrow doctor", run},
};

const struct cli_group cmd_doctor = {"doctor", "is this machine fit to call?", verbs,
                                     ARRAY_LEN(verbs)};
