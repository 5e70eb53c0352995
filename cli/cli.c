#include "cli/cli.h"

#include "cli/cmd_dnc_lists.h"
#include "compliance/dnc_list.h"
#include "compliance/rule.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/migrate.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"

static const struct config_option options[] = {
    CONFIG_COMMON(struct cli_config, common),
    {.name = "tenant",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct cli_config, tenant),
     .initial = "default",
     .help = "Tenant the commands work on (--tenant wins)."},
};

const struct config_table cli_config_table = {
    .program = "furrow",
    .options = options,
    .count = ARRAY_LEN(options),
    .struct_size = sizeof(struct cli_config),
};

int cli_fail(const char *fmt, ...)
{
    va_list ap;

    fputs("furrow: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return CLI_FAILED;
}

int cli_usage(const char *fmt, ...)
{
    va_list ap;

    fputs("furrow: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return CLI_USAGE;
}

int cli_try_pg(struct cli *cli, struct errtext *e)
{
    if (cli->pg)
        return 0;
    if (!cli->config.common.database_url[0])
        return errtext_set(
            e, EINVAL, 0, 0,
            "no database: set DATABASE_URL, or database_url in a file given with "
            "--config ('./run up' prints the one of its private server)");
    const struct pg_options pg_options = {
        .url = cli->config.common.database_url, .role = "furrow_app", .name = "furrow"};
    int err = pg_open(&cli->pg, &pg_options, e);
    if (!err)
        err = migrate_check(cli->pg, e);
    if (!err)
        err = clock_share(cli->pg, e);
    if (!err)
        err = pg_tenant_find(cli->pg,
                             cli->tenant_option ? cli->tenant_option : cli->config.tenant,
                             &cli->tenant_id, e);
    if (err)
        return err;
    CLEANUP(free_cleanup) char *lists = cli_dnc_dir(cli);
    dnc_lists_use(lists);
    return 0;
}

int cli_open_pg(struct cli *cli)
{
    struct errtext e = {0};

    return cli_try_pg(cli, &e) ? cli_fail("%s", e.text) : CLI_OK;
}

/* Documents of others, which are printed as they are. */
static bool is_others(const char *key)
{
    static const char *const all[] = {"payload",  "result", "output",
                                      "progress", "event",  "document"};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (strcmp(key, all[i]) == 0)
            return true;
    return false;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n > m && strcmp(text + n - m, end) == 0;
}

/* Postgres writes an instant with its fraction and +00:00; all else of ours, as
 * clock_text() does. */
static void write_instants(json_t *json)
{
    const char *key = NULL;
    json_t *value = NULL;
    char at[CLOCK_TEXT_MAX];
    int64_t ms = 0;
    size_t i = 0;

    json_array_foreach(json, i, value) write_instants(value);
    json_object_foreach(json, key, value)
    {
        const char *text = json_string_value(value);
        if (is_others(key))
            continue;
        if (!text)
            write_instants(value);
        else if (ends_with(key, "_at") && ends_with(text, "+00:00") &&
                 !clock_parse(text, &ms))
            json_string_set(value, clock_text(ms, at));
    }
}

int cli_print_json(json_t *json)
{
    write_instants(json);
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    putchar('\n');
    json_decref(json);
    return CLI_OK;
}

static void write_phone(json_t *row)
{
    char text[PHONE_TEXT_MAX];
    json_int_t phone = json_integer_value(json_object_get(row, "phone"));

    if (phone)
        json_object_set_new(row, "phone", json_string(phone_text(phone, text)));
}

int cli_print_rows(json_t *json)
{
    json_t *row = NULL;
    size_t i = 0;

    write_phone(json);
    json_array_foreach(json, i, row) write_phone(row);
    return cli_print_json(json);
}

const char *cli_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

enum { PROGRESS_EVERY_MS = 200, PROGRESS_QUIET_MS = 2000 };

static void draw(const struct progress *p, int64_t done, int64_t total, int64_t now_ms)
{
    double seconds = (double)(now_ms - p->started_ms) / 1000.0;
    double rate = seconds > 0 ? (double)done / seconds : 0;

    fprintf(stderr, "\r\033[K%s: %" PRId64, p->label, done);
    if (total > 0)
        fprintf(stderr, "/%" PRId64 " (%d %%)", total, (int)(done * 100 / total));
    fprintf(stderr, " %s, %.0f/s", p->unit, rate);
    if (total > done && rate > 0)
        fprintf(stderr, ", %.0f s left", (double)(total - done) / rate);
    fflush(stderr);
}

void progress_show(struct progress *p, int64_t done, int64_t total)
{
    int64_t now = mono_ms();

    if (!p->started_ms)
        p->started_ms = p->shown_ms = now;
    if (!isatty(STDERR_FILENO) || now - p->shown_ms < PROGRESS_EVERY_MS)
        return;
    draw(p, done, total, now);
    p->shown_ms = now;
    p->drawn = true;
}

void progress_end(struct progress *p, int64_t done)
{
    int64_t took = p->started_ms ? mono_ms() - p->started_ms : 0;

    if (p->drawn)
        fputs("\r\033[K", stderr);
    if (took > PROGRESS_QUIET_MS)
        fprintf(stderr, "%s: %" PRId64 " %s in %.1f s\n", p->label, done, p->unit,
                (double)took / 1000.0);
}

int cli_only_json(int argc, char **argv, bool *json)
{
    static const struct option json_only[] = {{"json", no_argument, NULL, 'j'}, {0}};

    for (int o; (o = getopt_long(argc, argv, "", json_only, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        *json = true;
    }
    return optind < argc ? cli_usage("unexpected argument '%s'", argv[optind]) : CLI_OK;
}

int cli_check_purpose(const char *text)
{
    enum purpose purpose;

    return purpose_parse(text, &purpose)
               ? CLI_OK
               : cli_usage("--purpose is telemarketing, informational, debt_collection, "
                           "healthcare, survey, charity, political or emergency, not "
                           "'%s'",
                           text);
}
