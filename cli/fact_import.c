#include "cli/fact_import.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/program.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "compliance/fact_store.h"
#include "contacts/reject_file.h"
#include "contacts/text_source.h"

enum { REJECTS_SHOWN = 10, REASONS_MAX = 32, PROGRESS_ROWS = 4096 };

struct fact_import {
    struct cli *cli;
    const char *path, *rejects_path;
    enum fact_kind kind;
    bool kind_known, dry_run, json;
    struct fact_defaults defaults;
    enum text_encoding encoding;
    char delimiter;

    int fd;
    struct text_source *text;
    struct csv_reader *csv;
    struct fact_columns columns;
    struct reject_file *rejects;
    struct fact_row *batch; /* FACT_BATCH */
    size_t batched;
    int64_t change_id; /* 0: nothing was written yet */
    int64_t rows, rejected;
    struct fact_counts counts;
    struct {
        const char *reason;
        int64_t n;
    } reasons[REASONS_MAX];
};

const char *cli_user(void)
{
    static char text[64];
    const struct passwd *pw = getpwuid(getuid());

    if (pw)
        str_cut(text, sizeof(text), pw->pw_name);
    else
        snprintf(text, sizeof(text), "uid %u", (unsigned)getuid());
    return text;
}

/* ---- the command line ---- */

static int parse_time(const char *option, const char *value, int64_t now_ms, int64_t *out)
{
    if (!fact_time_parse(value, out))
        return cli_usage("%s wants 2026-11-24 or 2026-11-24T08:00:00Z, not '%s'", option,
                         value);
    return *out <= now_ms ? CLI_OK : cli_usage("%s %s is still to come", option, value);
}

static int parse_delimiter(struct fact_import *im, const char *value)
{
    im->delimiter = strcmp(value, "tab") == 0 ? '\t' : value[0];
    if ((strcmp(value, "tab") != 0 && strlen(value) != 1) ||
        strchr("\"\r\n", im->delimiter))
        return cli_usage("--delimiter is one character or 'tab', not '%s'", value);
    return CLI_OK;
}

static int parse_option(struct fact_import *im, int option, const char *value)
{
    struct fact_defaults *d = &im->defaults;

    switch (option) {
    case 'k':
        im->kind_known = fact_kind_parse(value, &im->kind) && im->kind != FACT_CONSENT;
        return im->kind_known ? CLI_OK
                              : cli_usage("--kind is wash, line-type, reassigned or "
                                          "place, not '%s'; consents come in by 'furrow "
                                          "consent import'",
                                          value);
    case 'l':
        d->list = value;
        return CLI_OK;
    case 'c':
        return parse_time("--checked", value, d->now_ms, &d->checked_at_ms);
    case 'v':
        return str_to_i64(value, &d->valid_days) && d->valid_days > 0 &&
                       d->valid_days <= 3660
                   ? CLI_OK
                   : cli_usage("--valid-days is a number of days, not '%s'", value);
    case 'L':
        return consent_level_parse(value, &d->level) && d->level != CONSENT_NONE
                   ? CLI_OK
                   : cli_usage("--level is express or express_written, not '%s'", value);
    case 'g':
        return parse_time("--given", value, d->now_ms, &d->given_at_ms);
    case 's':
        d->seller = value;
        return CLI_OK;
    case 'p':
        d->purpose = value;
        return cli_check_purpose(value);
    case 'E':
        d->evidence = value;
        return CLI_OK;
    case 'r':
        d->region = value;
        return phone_region_is_known(value)
                   ? CLI_OK
                   : cli_usage("no region '%s'; write two capital letters, e.g. --region "
                               "ET",
                               value);
    case 'x':
        im->rejects_path = value;
        return CLI_OK;
    case 'e':
        return text_encoding_find(value, &im->encoding)
                   ? cli_usage("--encoding is utf-8, utf-16, utf-16le, utf-16be or "
                               "windows-1252, not '%s'",
                               value)
                   : CLI_OK;
    case 'd':
        return parse_delimiter(im, value);
    case 'n':
        im->dry_run = true;
        return CLI_OK;
    case 'j':
        im->json = true;
        return CLI_OK;
    default:
        return CLI_USAGE;
    }
}

#define COMMON_OPTIONS                                                                   \
    {"region", required_argument, NULL, 'r'}, {"rejects", required_argument, NULL, 'x'}, \
        {"encoding", required_argument, NULL, 'e'},                                      \
        {"delimiter", required_argument, NULL, 'd'},                                     \
        {"dry-run", no_argument, NULL, 'n'}, {"json", no_argument, NULL, 'j'},           \
    {                                                                                    \
        0                                                                                \
    }

static const struct option facts_options[] = {
    {"kind", required_argument, NULL, 'k'},
    {"list", required_argument, NULL, 'l'},
    {"checked", required_argument, NULL, 'c'},
    {"valid-days", required_argument, NULL, 'v'},
    COMMON_OPTIONS};
static const struct option consent_options[] = {
    {"level", required_argument, NULL, 'L'},    {"given", required_argument, NULL, 'g'},
    {"seller", required_argument, NULL, 's'},   {"purpose", required_argument, NULL, 'p'},
    {"evidence", required_argument, NULL, 'E'}, COMMON_OPTIONS};

static int parse(struct fact_import *im, int argc, char **argv,
                 const struct option *options)
{
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        int code = parse_option(im, o, optarg);
        if (code)
            return code;
    }
    if (!im->kind_known)
        return cli_usage("what is in the file? --kind wash, line-type, reassigned or "
                         "place");
    if (argc - optind != 1)
        return cli_usage(argc == optind ? "which file? (- reads standard input)"
                                        : "one file at a time");
    im->path = argv[optind];
    return CLI_OK;
}

/* ---- rows ---- */

static int flush(struct fact_import *im, struct errtext *e)
{
    struct pg *pg = im->cli->pg;
    int tenant_id = im->cli->tenant_id;
    const char *name = strrchr(im->path, '/');
    const struct fact_change change = {
        .kind = fact_kind_name(im->kind),
        .what = "imported",
        .subject = im->defaults.list,
        .source = name ? name + 1 : im->path,
        .by_user = cli_user(),
    };
    int err = 0;

    if (im->batched == 0 || im->dry_run) {
        im->counts.written += (int64_t)im->batched;
        im->batched = 0;
        return 0;
    }
    if (im->change_id == 0)
        err =
            fact_change_add(pg, tenant_id, &change, im->defaults.now_ms, &im->change_id);
    if (!err)
        err = fact_write(pg, tenant_id, im->kind, im->batch, im->batched, im->change_id,
                         &im->counts);
    im->batched = 0;
    return err ? errtext_set(e, err, 0, 0, "%s", pg_error(pg)) : 0;
}

static void count_reason(struct fact_import *im, const char *reason)
{
    for (size_t i = 0; i < REASONS_MAX; i++)
        if (!im->reasons[i].reason || str_is(im->reasons[i].reason, reason)) {
            im->reasons[i].reason = reason;
            im->reasons[i].n++;
            return;
        }
}

static void reject(struct fact_import *im, const struct csv_record *rec,
                   const struct fact_reject *why)
{
    int at = im->columns.at[why->field];
    const char *value = at >= 0 && (size_t)at < rec->n && rec->fault == RECORD_SOUND
                            ? rec->cells[at].text
                            : "";
    const char *field = fact_field_name(why->field);

    im->rejected++;
    count_reason(im, why->reason);
    if (im->rejects)
        reject_file_put(im->rejects, rec->line, field, value, why->reason, why->hint);
    else if (im->rejected <= REJECTS_SHOWN)
        fprintf(stderr, "line %" PRId64 ", %s%s%s: %s\n", rec->line, field,
                *value ? " " : "", *value ? LOG_ESC(value) : "", why->hint);
}

static int take(struct fact_import *im, const struct csv_record *rec, struct errtext *e)
{
    struct fact_reject why;

    if (rec->fault == RECORD_SOUND && rec->n == 1 && rec->cells[0].len == 0)
        return 0; /* an empty line */
    im->rows++;
    if (!fact_row_read(im->kind, &im->columns, rec, &im->defaults,
                       &im->batch[im->batched], &why)) {
        reject(im, rec, &why);
        return 0;
    }
    return ++im->batched == FACT_BATCH ? flush(im, e) : 0;
}

static ssize_t read_fd(void *arg, void *buf, size_t size)
{
    return read(*(const int *)arg, buf, size);
}

static int open_reader(struct fact_import *im, struct errtext *e)
{
    struct csv_record header = {0};

    int err = text_source_new(&im->text, read_fd, &im->fd, im->encoding, e);
    if (err)
        return err;
    const struct csv_options csv = {.windows_1252 = text_source_encoding(im->text) ==
                                                    TEXT_WINDOWS_1252,
                                    .delimiter = im->delimiter};
    err = csv_reader_new(&im->csv, text_source_read, im->text, &csv, e);
    if (!err)
        err = csv_reader_next(im->csv, &header, e);
    if (err)
        return err == ENODATA ? errtext_set(e, err, 0, 0, "the file has no rows") : err;
    return fact_columns_find(im->kind, &header, &im->defaults, &im->columns, e);
}

static int read_rows(struct fact_import *im, struct errtext *e)
{
    struct progress progress = {.label = "import", .unit = "rows"};
    const atomic_bool *stop = program_stop_flag();
    struct csv_record rec = {0};
    int err = 0;

    while (!err && !(err = csv_reader_next(im->csv, &rec, e))) {
        err = take(im, &rec, e);
        if (im->rows % PROGRESS_ROWS == 0)
            progress_show(&progress, im->rows, 0);
        if (!err && atomic_load(stop))
            err = errtext_set(e, EINTR, 0, 0, "stopped");
    }
    if (err == ENODATA)
        err = 0;
    if (!err)
        err = flush(im, e);
    progress_end(&progress, im->rows);
    return err;
}

/* ---- the whole ---- */

static void print_form(const struct fact_import *im)
{
    char delimiter = csv_reader_delimiter(im->csv);
    char between[8] = "tab";

    if (delimiter != '\t')
        snprintf(between, sizeof(between), "'%c'", delimiter);
    printf("  read as CSV with %s between cells, %s%s; columns:", between,
           text_encoding_name(text_source_encoding(im->text)),
           text_source_is_guess(im->text) ? " (assumed; --encoding says otherwise)" : "");
    for (size_t f = 0; f < FACT_FIELDS; f++)
        if (im->columns.at[f] >= 0)
            printf(" %s=%d", fact_field_name((enum fact_field)f), im->columns.at[f] + 1);
    putchar('\n');
}

static int report(const struct fact_import *im)
{
    const struct fact_counts *n = &im->counts;
    json_t *reasons = json_object();

    for (size_t i = 0; i < REASONS_MAX && im->reasons[i].reason; i++)
        json_object_set_new(reasons, im->reasons[i].reason,
                            json_integer(im->reasons[i].n));
    if (im->json)
        return cli_print_json(json_pack(
            "{s:s, s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:o}", "kind",
            fact_kind_name(im->kind), "change", (json_int_t)im->change_id, "dry_run",
            im->dry_run, "rows", (json_int_t)im->rows, "written", (json_int_t)n->written,
            "known", (json_int_t)n->known, "revoked", (json_int_t)n->revoked, "rejected",
            (json_int_t)im->rejected, "reasons", reasons));
    json_decref(reasons);
    printf("%s%" PRId64 " rows of kind %s read: %" PRId64 " %s, %" PRId64
           " on file already, %" PRId64 " rejected\n",
           im->dry_run ? "dry run, nothing kept: " : "", im->rows,
           fact_kind_name(im->kind), n->written, im->dry_run ? "good" : "written",
           n->known, im->rejected);
    if (im->kind == FACT_CONSENT && !im->dry_run)
        printf("  %" PRId64 " consents are taken back\n", n->revoked);
    print_form(im);
    for (size_t i = 0; i < REASONS_MAX && im->reasons[i].reason; i++)
        printf("  %-20s %" PRId64 "\n", im->reasons[i].reason, im->reasons[i].n);
    if (im->rejected && im->rejects_path)
        printf("  rejected rows are in %s\n", im->rejects_path);
    else if (im->rejected > REJECTS_SHOWN)
        printf("  --rejects FILE keeps all rejected rows\n");
    if (im->change_id)
        printf("  'furrow facts changes' has it as change %" PRId64 "\n", im->change_id);
    return CLI_OK;
}

static int import_all(struct fact_import *im)
{
    struct errtext e = {0};

    im->fd = strcmp(im->path, "-") == 0 ? dup(STDIN_FILENO)
                                        : open(im->path, O_RDONLY | O_CLOEXEC);
    if (im->fd < 0)
        return cli_fail("%s: %s", im->path, strerror(errno));
    if (open_reader(im, &e))
        return cli_fail("%s: %s; nothing was imported", im->path, e.text);
    if (im->rejects_path && reject_file_open(&im->rejects, im->rejects_path, &e))
        return cli_fail("%s", e.text);
    int err = read_rows(im, &e);
    if (im->change_id &&
        fact_change_end(im->cli->pg, im->cli->tenant_id, im->change_id,
                        im->counts.written, im->rejected, clock_now_ms()) &&
        !err)
        err = errtext_set(&e, EPROTO, 0, 0, "%s", pg_error(im->cli->pg));
    if (!err && im->rejects) {
        err = reject_file_finish(im->rejects, &e);
        im->rejects = NULL;
    }
    if (err)
        return cli_fail("%s: %s%s%" PRId64 " rows of it are kept; run it again for all",
                        im->path, e.text, "; ", im->counts.written);
    return report(im);
}

static int run(struct cli *cli, int argc, char **argv, struct fact_import *im,
               const struct option *options)
{
    im->cli = cli;
    im->fd = -1;
    im->defaults.now_ms = clock_now_ms();
    int code = parse(im, argc, argv, options);
    if (!code && !im->dry_run)
        code = cli_open_pg(cli);
    if (code)
        return code;
    program_watch_signals();
    im->batch = xcalloc(FACT_BATCH, sizeof(*im->batch));
    code = import_all(im);
    reject_file_abandon(im->rejects);
    csv_reader_free(im->csv);
    text_source_free(im->text);
    free(im->batch);
    if (im->fd >= 0)
        close(im->fd);
    return code;
}

int cmd_facts_import(struct cli *cli, int argc, char **argv)
{
    struct fact_import im = {.kind = FACT_WASH};

    return run(cli, argc, argv, &im, facts_options);
}

int cmd_consent_import(struct cli *cli, int argc, char **argv)
{
    struct fact_import im = {.kind = FACT_CONSENT, .kind_known = true};

    return run(cli, argc, argv, &im, consent_options);
}
