/* furrow dnc - the do-not-call list: add, remove, check, list, import. An entry acts with
 * its commit: no call to the number is released after it. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/program.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/campaign_store.h"
#include "cli/cmd_dnc_lists.h"
#include "cli/groups.h"
#include "compliance/dnc_store.h"
#include "contacts/columns.h"
#include "contacts/phone.h"
#include "contacts/reject_file.h"

enum {
    IMPORT_BATCH =
        1000, /* numbers locked at once; Postgres has room for some thousands */
    IMPORT_MAX = 50 * 1000 * 1000,
    REJECTS_SHOWN = 10,
    LIST_PAGE = 2000,
    PROGRESS_ROWS = 4096,
};

struct dnc_command {
    const char *campaign, *region, *note, *rejects_path, *column, *topic;
    bool json;
    int64_t campaign_id; /* 0: every campaign */
};

static int parse(struct dnc_command *c, int argc, char **argv)
{
    static const struct option options[] = {{"campaign", required_argument, NULL, 'c'},
                                            {"topic", required_argument, NULL, 't'},
                                            {"region", required_argument, NULL, 'r'},
                                            {"note", required_argument, NULL, 'n'},
                                            {"rejects", required_argument, NULL, 'x'},
                                            {"column", required_argument, NULL, 'p'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == 'c')
            c->campaign = optarg;
        if (o == 't')
            c->topic = optarg;
        if (o == 'r')
            c->region = optarg;
        if (o == 'n')
            c->note = optarg;
        if (o == 'x')
            c->rejects_path = optarg;
        if (o == 'p')
            c->column = optarg;
        c->json |= o == 'j';
        if (o == '?')
            return CLI_USAGE;
    }
    if (c->campaign && c->topic)
        return cli_usage("--campaign or --topic, not both");
    if (c->region && !phone_region_is_known(c->region))
        return cli_usage("no region '%s'; write two capital letters, e.g. --region ET",
                         c->region);
    return CLI_OK;
}

static int parse_some(struct dnc_command *c, int argc, char **argv)
{
    int code = parse(c, argc, argv);

    return code || optind < argc ? code : cli_usage("a number or a file is missing");
}

/* It holds for campaigns to come, but one that nobody has may be a slip of the pen. */
static int check_topic(struct cli *cli, const char *topic)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, topic);
    int err = pg_begin(cli->pg, cli->tenant_id);
    if (!err)
        err = pg_run(cli->pg, &res, "SELECT FROM campaigns WHERE topic = $1 LIMIT 1", &a);
    if (!err)
        err = pg_commit(cli->pg);
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    if (PQntuples(res) == 0)
        fprintf(stderr,
                "furrow: no campaign has the topic '%s' so far; 'furrow campaign show' "
                "tells what a campaign has\n",
                topic);
    return CLI_OK;
}

/* The database, and the campaign when one was named. */
static int open_campaign(struct cli *cli, struct dnc_command *c)
{
    struct campaign_row row;
    struct errtext e = {0};

    int code = cli_open_pg(cli);
    if (!code && c->topic)
        code = check_topic(cli, c->topic);
    if (code || !c->campaign)
        return code;
    if (campaign_find(cli->pg, cli->tenant_id, c->campaign, &row, &e))
        return cli_fail("%s", e.text[0] ? e.text : pg_error(cli->pg));
    c->campaign_id = row.id;
    return CLI_OK;
}

/* A number that no country gives out may be listed too, but it must be one. */
static int read_number(const char *text, const char *region, int64_t *out)
{
    struct phone phone;

    enum phone_error error = phone_parse(text, strlen(text), region, &phone);
    if (error != PHONE_VALID && error != PHONE_INVALID)
        return cli_usage("'%s' is no number: %s", text, phone_error_hint(error));
    *out = phone.e164;
    return CLI_OK;
}

typedef int(number_fn)(struct cli *cli, struct dnc_command *c, int64_t phone);

static int each_number(struct cli *cli, int argc, char **argv, number_fn *each)
{
    struct dnc_command c = {0};

    int code = parse_some(&c, argc, argv);
    for (int i = optind; i < argc && !code; i++) {
        int64_t phone = 0; /* all are read before the first one is acted upon */
        code = read_number(argv[i], c.region, &phone);
    }
    if (!code)
        code = open_campaign(cli, &c);
    for (int i = optind; i < argc && !code; i++) {
        int64_t phone = 0;
        code = read_number(argv[i], c.region, &phone);
        if (!code)
            code = each(cli, &c, phone);
    }
    return code;
}

static const char *where(const struct dnc_command *c)
{
    return c->campaign ? c->campaign : c->topic ? c->topic : "every campaign";
}

/* Before that name. */
static const char *what(const struct dnc_command *c)
{
    return c->campaign ? "campaign " : c->topic ? "the topic " : "";
}

static int add_one(struct cli *cli, struct dnc_command *c, int64_t phone)
{
    char text[PHONE_TEXT_MAX];
    bool added = false;
    const struct dnc_entry entry = {.phone = phone,
                                    .campaign_id = c->campaign_id,
                                    .source = "cli",
                                    .note = c->note,
                                    .topic = c->topic};

    if (dnc_add(cli->pg, cli->tenant_id, &entry, clock_now_ms(), &added))
        return cli_fail("%s was NOT added: %s", phone_text(phone, text),
                        pg_error(cli->pg));
    if (c->json)
        return cli_print_json(
            json_pack("{s:s, s:b}", "phone", phone_text(phone, text), "added", added));
    printf("%s %s the do-not-call list of %s%s\n", phone_text(phone, text),
           added ? "is now on" : "was already on", what(c), where(c));
    return CLI_OK;
}

static int add(struct cli *cli, int argc, char **argv)
{
    return each_number(cli, argc, argv, add_one);
}

static int remove_one(struct cli *cli, struct dnc_command *c, int64_t phone)
{
    char text[PHONE_TEXT_MAX];

    int err = c->topic ? dnc_remove_topic(cli->pg, cli->tenant_id, phone, c->topic,
                                          c->note, clock_now_ms())
                       : dnc_remove(cli->pg, cli->tenant_id, phone, c->campaign_id,
                                    c->note, clock_now_ms());
    if (err == ENOENT)
        return cli_fail("%s is not on the do-not-call list of %s%s; 'furrow dnc check' "
                        "shows where it is",
                        phone_text(phone, text), what(c), where(c));
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    if (c->json)
        return cli_print_json(
            json_pack("{s:s, s:b}", "phone", phone_text(phone, text), "removed", 1));
    printf("%s is off the do-not-call list of %s%s\n", phone_text(phone, text), what(c),
           where(c));
    return CLI_OK;
}

static int remove_numbers(struct cli *cli, int argc, char **argv)
{
    return each_number(cli, argc, argv, remove_one);
}

/* ---- check ---- */

struct found {
    json_t *list;
    size_t in_force;
};

static int collect(const struct dnc_row *row, void *arg)
{
    struct found *f = arg;
    char added[CLOCK_TEXT_MAX], removed[CLOCK_TEXT_MAX], again[CLOCK_TEXT_MAX];

    f->in_force += row->removed_at_ms == 0;
    json_array_append_new(
        f->list, json_pack("{s:I, s:s, s:s, s:s, s:s, s:o, s:o}", "campaign_id",
                           (json_int_t)row->campaign_id, "topic", row->topic, "source",
                           row->source, "note", row->note, "added_at",
                           clock_text(row->added_at_ms, added), "removed_at",
                           row->removed_at_ms
                               ? json_string(clock_text(row->removed_at_ms, removed))
                               : json_null(),
                           "messages_again_at",
                           row->sms_again_at_ms
                               ? json_string(clock_text(row->sms_again_at_ms, again))
                               : json_null()));
    return 0;
}

static void print_entry(const json_t *entry)
{
    json_int_t campaign = json_integer_value(json_object_get(entry, "campaign_id"));

    const char *topic = cli_text(entry, "topic");

    printf("  %s%s",
           campaign ? "campaign "
           : *topic ? "topic "
                    : "every campaign",
           topic);
    if (campaign)
        printf("%" JSON_INTEGER_FORMAT, campaign);
    printf(", %s, since %s", cli_text(entry, "source"), cli_text(entry, "added_at"));
    if (*cli_text(entry, "removed_at"))
        printf(" until %s", cli_text(entry, "removed_at"));
    else if (*cli_text(entry, "messages_again_at"))
        printf(", messages again since %s (START by SMS)",
               cli_text(entry, "messages_again_at"));
    printf("%s%s\n", *cli_text(entry, "note") ? ": " : "", cli_text(entry, "note"));
}

static int check_one(struct cli *cli, struct dnc_command *c, int64_t phone)
{
    struct found f = {.list = json_array()};
    char text[PHONE_TEXT_MAX];
    size_t i = 0;
    json_t *entry = NULL;

    if (dnc_find(cli->pg, cli->tenant_id, phone, collect, &f)) {
        json_decref(f.list);
        return cli_fail("%s", pg_error(cli->pg));
    }
    phone_text(phone, text);
    json_t *lists = cli_dnc_lists_of(cli, phone);
    if (c->json)
        return cli_print_json(json_pack("{s:s, s:b, s:o, s:o}", "phone", text, "listed",
                                        f.in_force > 0, "entries", f.list, "lists",
                                        lists));
    printf("%s is %son the do-not-call list\n", text, f.in_force ? "" : "not ");
    json_array_foreach(lists, i, entry)
    {
        printf("  on the list %s\n", json_string_value(entry));
    }
    json_decref(lists);
    json_array_foreach(f.list, i, entry)
    {
        print_entry(entry);
    }
    json_decref(f.list);
    return CLI_OK;
}

static int check(struct cli *cli, int argc, char **argv)
{
    return each_number(cli, argc, argv, check_one);
}

/* ---- list ---- */

struct listing {
    bool json;
    size_t n;
};

static int list_one(const struct dnc_row *row, void *arg)
{
    struct listing *l = arg;
    char text[PHONE_TEXT_MAX], added[CLOCK_TEXT_MAX], scope[100];
    const char *number = phone_text(row->phone, text);
    const char *since = clock_text(row->added_at_ms, added);

    l->n++;
    if (l->json) { /* entry by entry: the list may be long */
        json_auto_t *entry =
            json_pack("{s:s, s:I, s:s, s:s, s:s, s:s}", "phone", number, "campaign_id",
                      (json_int_t)row->campaign_id, "topic", row->topic, "source",
                      row->source, "note", row->note, "added_at", since);
        fputs(l->n == 1 ? "[\n" : ",\n", stdout);
        json_dumpf(entry, stdout, JSON_COMPACT);
        return 0;
    }
    if (row->campaign_id)
        snprintf(scope, sizeof(scope), "campaign %" PRId64, row->campaign_id);
    else
        snprintf(scope, sizeof(scope), "%s%s", *row->topic ? "topic " : "every campaign",
                 row->topic);
    printf("%-16s %s, %s, since %s%s%s\n", number, scope, row->source, since,
           *row->note ? ": " : "", row->note);
    return 0;
}

static int list(struct cli *cli, int argc, char **argv)
{
    struct dnc_command c = {0};
    struct listing l = {0};
    int64_t after = 0;
    size_t n = 0;

    int code = parse(&c, argc, argv);
    if (!code && optind < argc)
        code = cli_usage("unexpected argument '%s'; 'furrow dnc check' shows one number",
                         argv[optind]);
    if (!code)
        code = open_campaign(cli, &c);
    if (code)
        return code;
    l.json = c.json;
    do {
        if (dnc_list(cli->pg, cli->tenant_id, c.campaign_id, LIST_PAGE, &after, list_one,
                     &l, &n))
            return cli_fail("%s", pg_error(cli->pg));
    } while (n == LIST_PAGE);
    if (l.json)
        puts(l.n ? "\n]" : "[]");
    else
        printf("%zu entries\n", l.n);
    return CLI_OK;
}

/* ---- import ---- */

struct import {
    int fd;
    struct csv_reader *csv;
    struct columns *columns;
    FILE *rejects;
    int64_t *phones;
    size_t n, cap, rejected, rows;
};

static ssize_t read_fd(void *arg, void *buf, size_t size)
{
    return read(*(const int *)arg, buf, size);
}

/* As a cell that no spreadsheet runs and no reader trips over. */
static void put_quoted(FILE *f, const char *value)
{
    char cut[REJECT_VALUE_MAX + 1];

    reject_value(value, cut);
    fputs(*cut && strchr("=-@\t", *cut) ? "\"'" : "\"", f);
    for (const char *p = cut; *p; p++) {
        if (*p == '"')
            fputc('"', f);
        fputc(*p, f);
    }
    fputc('"', f);
}

static void reject(struct import *im, int64_t line, const char *value, const char *why)
{
    im->rejected++;
    if (im->rejects) {
        fprintf(im->rejects, "%" PRId64 ",", line);
        put_quoted(im->rejects, value);
        fprintf(im->rejects, ",%s\n", why);
    } else if (im->rejected <= REJECTS_SHOWN) {
        fprintf(stderr, "line %" PRId64 ": %s: %s\n", line, LOG_ESC(value), why);
    }
}

static void keep(struct import *im, int64_t phone)
{
    if (im->n == im->cap) {
        im->cap = im->cap ? im->cap * 2 : 4096;
        im->phones = xrealloc(im->phones, im->cap * sizeof(*im->phones));
    }
    im->phones[im->n++] = phone;
}

static int take_record(struct import *im, const struct csv_record *rec,
                       const char *region, struct errtext *e)
{
    struct phone phone;
    size_t at = im->columns->phone;

    if (rec->fault == RECORD_SOUND && rec->n == 1 && rec->cells[0].len == 0)
        return 0; /* an empty line */
    im->rows++;
    if (im->n == IMPORT_MAX)
        return errtext_set(e, EMSGSIZE, (int)rec->line, 0,
                           "a file may hold %d numbers at most", IMPORT_MAX);
    if (rec->fault != RECORD_SOUND || rec->n <= at) {
        reject(im, rec->line, "", "the line cannot be read");
        return 0;
    }
    const struct csv_cell *cell = &rec->cells[at];
    enum phone_error error = phone_parse(cell->text, cell->len, region, &phone);
    if (error == PHONE_VALID || error == PHONE_INVALID)
        keep(im, phone.e164);
    else
        reject(im, rec->line, cell->text, phone_error_reason(error));
    return 0;
}

static int read_all(struct import *im, const struct dnc_command *c, struct errtext *e)
{
    const struct csv_options options = {0};
    const struct column_map map = {.key = "phone", .column = c->column};
    struct progress progress = {.label = "dnc import, reading", .unit = "rows"};
    struct csv_record rec = {0};

    int err = csv_reader_new(&im->csv, read_fd, &im->fd, &options, e);
    if (!err)
        err = csv_reader_next(im->csv, &rec, e);
    if (err == ENODATA)
        return errtext_set(e, ENODATA, 0, 0, "the file is empty");
    if (!err)
        err = columns_new(&im->columns, &rec, c->region, &map, c->column ? 1 : 0, e);
    if (!err && !im->columns->has_header)
        err = take_record(im, &rec, c->region, e);
    while (!err && !(err = csv_reader_next(im->csv, &rec, e))) {
        err = take_record(im, &rec, c->region, e);
        if (im->rows % PROGRESS_ROWS == 0)
            progress_show(&progress, (int64_t)im->rows, 0);
    }
    progress_end(&progress, (int64_t)im->rows);
    return err == ENODATA ? 0 : err;
}

/* One transaction a batch; a number twice is nothing new, so a broken-off import may
 * simply be run again. */
static int write_all(struct cli *cli, const struct dnc_command *c,
                     const struct import *im, size_t *added)
{
    struct progress progress = {.label = "dnc import", .unit = "numbers"};
    const atomic_bool *stop = program_stop_flag();

    program_watch_signals();
    for (size_t at = 0; at < im->n;) {
        size_t n = im->n - at < IMPORT_BATCH ? im->n - at : IMPORT_BATCH, fresh = 0;
        int err = dnc_add_many(cli->pg, cli->tenant_id, im->phones + at, n,
                               c->campaign_id, "import", c->note, clock_now_ms(), &fresh);
        if (err || atomic_load(stop)) {
            progress_end(&progress, (int64_t)at);
            return cli_fail("%s after %zu of %zu numbers (%zu were new); those stay "
                            "listed, run it again for the rest",
                            err ? pg_error(cli->pg) : "stopped", at, im->n, *added);
        }
        *added += fresh;
        at += n;
        progress_show(&progress, (int64_t)at, (int64_t)im->n);
    }
    progress_end(&progress, (int64_t)im->n);
    return CLI_OK;
}

static int report_import(const struct dnc_command *c, const struct import *im,
                         size_t added)
{
    if (c->json)
        return cli_print_json(json_pack("{s:I, s:I, s:I, s:I}", "rows",
                                        (json_int_t)im->rows, "added", (json_int_t)added,
                                        "already", (json_int_t)(im->n - added),
                                        "rejected", (json_int_t)im->rejected));
    if (im->rejected > REJECTS_SHOWN && !im->rejects)
        fprintf(stderr, "… and %zu more; --rejects FILE keeps them all\n",
                im->rejected - REJECTS_SHOWN);
    printf("%zu rows: %zu numbers added to the do-not-call list of %s%s, %zu were there "
           "already, %zu rows rejected\n",
           im->rows, added, what(c), where(c), im->n - added, im->rejected);
    return CLI_OK;
}

static int open_files(struct import *im, const struct dnc_command *c, const char *path)
{
    im->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (im->fd < 0)
        return cli_fail("%s: %s", path, strerror(errno));
    if (c->rejects_path && !(im->rejects = fopen(c->rejects_path, "we")))
        return cli_fail("%s: %s", c->rejects_path, strerror(errno));
    if (im->rejects)
        fputs("line,value,reason\n", im->rejects);
    return CLI_OK;
}

static int close_files(struct import *im, const struct dnc_command *c)
{
    bool bad = im->rejects && (ferror(im->rejects) | fclose(im->rejects)) != 0;

    if (im->fd > STDIN_FILENO)
        close(im->fd);
    csv_reader_free(im->csv);
    columns_free(im->columns);
    free(im->phones);
    return bad ? cli_fail("%s could not be written wholly: %s", c->rejects_path,
                          strerror(errno))
               : CLI_OK;
}

static int import(struct cli *cli, int argc, char **argv)
{
    struct dnc_command c = {0};
    struct import im = {.fd = -1};
    struct errtext e = {0};
    size_t added = 0;

    if (cmd_dnc_names_list(argc, argv))
        return cmd_dnc_import_list(cli, argc, argv);
    int code = parse_some(&c, argc, argv);
    if (!code && optind + 1 < argc)
        code = cli_usage("unexpected argument '%s'", argv[optind + 1]);
    if (!code)
        code = open_campaign(cli, &c);
    if (code)
        return code;
    code = open_files(&im, &c, argv[optind]);
    if (!code && read_all(&im, &c, &e))
        code = cli_fail("%s: %s; nothing was imported", argv[optind], e.text);
    if (!code)
        code = write_all(cli, &c, &im, &added);
    if (!code)
        code = report_import(&c, &im, added);
    int closed = close_files(&im, &c);
    return code ? code : closed;
}

#define SCOPE "[--campaign NAME|--topic NAME] [--region ET] [--note TEXT] [--json]"

static const struct cli_verb verbs[] = {
    {.name = "add",
     .arguments = "NUMBER… " SCOPE,
     .about = "Nobody calls these numbers any more: acts at once, in every campaign, in "
              "the one named,\nor in all that name the topic.",
     .example = "furrow dnc add +251911223344 --note 'asked by phone'",
     .run = add},
    {.name = "remove",
     .arguments = "NUMBER… " SCOPE,
     .about = "Take numbers off the list again. The entry stays as history.",
     .example = "furrow dnc remove +251911223344 --note 'asked in writing, 12 May'",
     .run = remove_numbers},
    {.name = "check",
     .arguments = "NUMBER… [--region ET] [--json]",
     .about = "Every entry of a number, removed ones too.",
     .example = "furrow dnc check 0911223344 --region ET",
     .run = check},
    {.name = "list",
     .arguments = "[--campaign NAME] [--json]",
     .about = "Every entry in force, or only those of one campaign.",
     .example = "furrow dnc list --json",
     .run = list},
    {.name = "import",
     .arguments =
         "FILE.csv|- [--column NAME] [--rejects FILE]\n"
         "                  " SCOPE "\n"
         "       furrow dnc import --list NAME FILE… [--changes] [--obtained TIME]\n"
         "                  [--valid-days N] [--force] [--json]",
     .about =
         "Add every number of a CSV file. The phone column is found by its name or "
         "given with\n"
         "--column. A file that cannot be read to its end changes nothing; rows that "
         "are no\n"
         "numbers are listed. Running it twice changes nothing more.\n"
         "With --list it makes a registry's list, e.g. us.ftc, of any size: numbers, CSV "
         "or "
         "'area\n"
         "code,number' lines; --changes applies add and delete lines to the present one. "
         "A "
         "list that\n"
         "shrank by more than 2 % is not published without --force.",
     .example = "furrow dnc import do-not-call.csv --rejects bad.csv",
     .run = import},
    {.name = "lists",
     .arguments = "[--verify] [--json]",
     .about = "Registries' lists of this installation: generation, count, age, checksum. "
              "--verify\nreads them whole; exit 1 when one is damaged.",
     .example = "furrow dnc lists --verify",
     .run = cmd_dnc_lists},
};

const struct cli_group cmd_dnc = {.name = "dnc",
                                  .about = "the do-not-call list",
                                  .verbs = verbs,
                                  .verb_count = ARRAY_LEN(verbs)};
