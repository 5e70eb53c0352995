/*
 * furrow contacts: import, list, show, rejects.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/program.h"
#include "base/str.h"
#include "cli/groups.h"
#include "contacts/contact_store.h"
#include "contacts/import.h"
#include "contacts/reject_file.h"

enum { MAPS_MAX = 64 };

/* ---- import ---- */

struct import_command {
    const char *file, *list, *rejects_path, *encoding;
    struct column_map maps[MAPS_MAX];
    struct import_options options;
    bool dry_run, json;
    int64_t threads;

    int fd;
    int64_t size; /* of the file; 0 when unknown */
    struct contact_import *store;
    struct reject_file *rejects;
    struct progress progress;
};

static ssize_t read_fd(void *arg, void *buf, size_t size)
{
    return read(*(const int *)arg, buf, size);
}

static int give_rows(void *arg, struct import_row *rows, size_t n, struct errtext *e)
{
    struct import_command *c = arg;

    return contact_import_rows(c->store, rows, n, e);
}

static int give_rejects(void *arg, const struct import_reject *rejects, size_t n,
                        struct errtext *e)
{
    struct import_command *c = arg;
    int err = contact_import_rejects(c->store, rejects, n, e);

    return err || !c->rejects ? err : reject_file_add(c->rejects, rejects, n, e);
}

static void show_progress(void *arg, const struct import_counts *so_far)
{
    struct import_command *c = arg;
    int64_t total = 0;

    /* Rows in all are guessed from the bytes, until they are known. */
    if (c->size > 0 && so_far->bytes > 0)
        total = (int64_t)((double)so_far->rows_read * (double)c->size /
                          (double)so_far->bytes);
    progress_show(&c->progress, so_far->rows_read, total > so_far->rows_read ? total : 0);
}

static int parse_map(struct import_command *c, char *text)
{
    char *equals = strchr(text, '=');

    if (!equals || equals == text || !equals[1])
        return cli_usage("--map wants NAME=COLUMN, e.g. --map phone=Mobile; got '%s'",
                         text);
    if (c->options.map_count == MAPS_MAX)
        return cli_usage("at most %d --map", MAPS_MAX);
    *equals = '\0';
    c->maps[c->options.map_count++] =
        (struct column_map){.key = text, .column = equals + 1};
    return CLI_OK;
}

static int parse_option(struct import_command *c, int option, char *value)
{
    switch (option) {
    case 'l':
        c->list = value;
        return CLI_OK;
    case 'm':
        return parse_map(c, value);
    case 'r':
        c->options.region = value;
        return CLI_OK;
    case 'x':
        c->rejects_path = value;
        return CLI_OK;
    case 'e':
        c->encoding = value;
        return CLI_OK;
    case 'd':
        c->options.csv.delimiter = value[0];
        if (strcmp(value, "tab") == 0)
            c->options.csv.delimiter = '\t';
        return strcmp(value, "tab") == 0 || strlen(value) == 1
                   ? CLI_OK
                   : cli_usage("--delimiter is one character or 'tab', not '%s'", value);
    case 't':
        return str_to_i64(value, &c->threads) && c->threads >= 1 && c->threads <= 32
                   ? CLI_OK
                   : cli_usage("--threads is 1 to 32, not '%s'", value);
    case 'n':
        c->dry_run = true;
        return CLI_OK;
    case 'j':
        c->json = true;
        return CLI_OK;
    default:
        return CLI_USAGE;
    }
}

static int check_options(struct import_command *c)
{
    if (!c->list || !*c->list)
        return cli_usage("say into which list with --list NAME");
    if (strlen(c->list) > 100 || !str_is_utf8(c->list, strlen(c->list)))
        return cli_usage("a list's name has at most 100 characters");
    if (c->options.region && !phone_region_is_known(c->options.region))
        return cli_usage("no region '%s'; write two capital letters, e.g. --region ET",
                         c->options.region);
    if (c->encoding && strcmp(c->encoding, "utf-8") != 0 &&
        strcmp(c->encoding, "windows-1252") != 0)
        return cli_usage("--encoding is utf-8 or windows-1252, not '%s'", c->encoding);
    c->options.csv.windows_1252 = c->encoding && strcmp(c->encoding, "utf-8") != 0;
    c->options.maps = c->maps;
    c->options.threads = (int)c->threads;
    return CLI_OK;
}

static int parse_import(struct import_command *c, int argc, char **argv)
{
    static const struct option long_options[] = {
        {"list", required_argument, NULL, 'l'},
        {"map", required_argument, NULL, 'm'},
        {"region", required_argument, NULL, 'r'},
        {"rejects", required_argument, NULL, 'x'},
        {"encoding", required_argument, NULL, 'e'},
        {"delimiter", required_argument, NULL, 'd'},
        {"threads", required_argument, NULL, 't'},
        {"dry-run", no_argument, NULL, 'n'},
        {"json", no_argument, NULL, 'j'},
        {0},
    };

    for (int o; (o = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        int code = parse_option(c, o, optarg);
        if (code)
            return code;
    }
    if (argc - optind != 1)
        return cli_usage(argc == optind ? "which file?" : "one file at a time");
    c->file = argv[optind];
    return check_options(c);
}

static int open_file(struct import_command *c)
{
    struct stat st;

    c->fd = strcmp(c->file, "-") == 0 ? dup(STDIN_FILENO)
                                      : open(c->file, O_RDONLY | O_CLOEXEC);
    if (c->fd < 0 || fstat(c->fd, &st) != 0)
        return cli_fail("%s: %s", c->file, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return cli_fail("%s is a directory", c->file);
    c->size = S_ISREG(st.st_mode) ? st.st_size : 0;
    return CLI_OK;
}

static int print_summary(const struct import_command *c, const struct columns *columns,
                         const struct import_counts *n, double seconds)
{
    printf("%s%" PRId64 " rows read, %" PRId64 " imported into '%s', %" PRId64
           " rejected (%.0f rows/s)\n",
           c->dry_run ? "dry run, nothing kept: " : "", n->rows_read, n->imported,
           c->list, n->rejected, seconds > 0 ? (double)n->rows_read / seconds : 0.0);
    printf("  phone: column '%s'%s; contact.*:", columns->at[columns->phone].name,
           columns->has_header ? "" : " (the file has no header)");
    for (size_t i = 0; i < columns->n; i++)
        if (i != columns->phone)
            printf(" %s", columns->at[i].key);
    putchar('\n');
    for (int i = 0; i < IMPORT_REASONS; i++)
        if (n->by_reason[i])
            printf("  %-18s %" PRId64 "\n", import_reason_name((enum import_reason)i),
                   n->by_reason[i]);
    if (n->rejected && c->rejects_path)
        printf("  rejected rows are in %s\n", c->rejects_path);
    else if (n->rejected && !c->dry_run)
        printf("  'furrow contacts rejects %" PRId64 "' shows the rejected rows\n",
               contact_import_id(c->store));
    return CLI_OK;
}

static int print_summary_json(const struct import_command *c,
                              const struct columns *columns,
                              const struct import_counts *n, double seconds)
{
    json_t *reasons = json_object(), *map = json_object();

    for (int i = 0; i < IMPORT_REASONS; i++)
        if (n->by_reason[i])
            json_object_set_new(reasons, import_reason_name((enum import_reason)i),
                                json_integer(n->by_reason[i]));
    for (size_t i = 0; i < columns->n; i++)
        json_object_set_new(map, i == columns->phone ? "phone" : columns->at[i].key,
                            json_string(columns->at[i].name));
    return cli_print_json(json_pack(
        "{s:s, s:I, s:b, s:I, s:I, s:I, s:o, s:o, s:f}", "list", c->list, "import_id",
        (json_int_t)contact_import_id(c->store), "dry_run", c->dry_run, "rows_read",
        (json_int_t)n->rows_read, "imported", (json_int_t)n->imported, "rejected",
        (json_int_t)n->rejected, "reasons", reasons, "columns", map, "seconds", seconds));
}

static int run_store(struct cli *cli, struct import_command *c, struct import *im,
                     struct import_counts *counts, struct errtext *e)
{
    static const struct import_sink sink = {
        .rows = give_rows, .rejects = give_rejects, .progress = show_progress};
    const struct contact_import_options options = {
        .database_url = cli->config.common.database_url,
        .tenant_id = cli->tenant_id,
        .list = c->list,
        .file_name = c->file,
        .now_ms = clock_now_ms(),
        .dry_run = c->dry_run,
    };

    int err = contact_import_begin(&c->store, &options, import_columns(im), e);
    if (err)
        return err;
    err = import_run(im, &sink, c, program_stop_flag(), counts, e);
    if (!err && c->rejects)
        err = reject_file_sync(c->rejects, e);
    if (!err)
        err = contact_import_commit(c->store, counts, clock_now_ms(), e);
    if (err)
        contact_import_fail(c->store, e->text, clock_now_ms());
    return err;
}

static int import_file(struct cli *cli, struct import_command *c, struct import *im)
{
    struct errtext e = {0};
    struct import_counts counts = {0};
    int64_t started_us = mono_us();

    int err = c->rejects_path ? reject_file_open(&c->rejects, c->rejects_path, &e) : 0;
    if (!err)
        err = run_store(cli, c, im, &counts, &e);
    progress_end(&c->progress, counts.rows_read);
    if (err)
        return cli_fail("%s: %s; nothing was imported", c->file, e.text);
    if (c->rejects) {
        err = reject_file_finish(STEAL(c->rejects), &e);
        if (err)
            return cli_fail("%" PRId64 " contacts were imported, but %s", counts.imported,
                            e.text);
    }
    double seconds = (double)(mono_us() - started_us) / 1e6;
    return c->json ? print_summary_json(c, import_columns(im), &counts, seconds)
                   : print_summary(c, import_columns(im), &counts, seconds);
}

static int cmd_import(struct cli *cli, int argc, char **argv)
{
    struct import_command c = {
        .file = "", .fd = -1, .progress = {.label = "import", .unit = "rows"}};
    struct errtext e = {0};
    struct import *im = NULL;

    int code = parse_import(&c, argc, argv);
    if (!code)
        code = open_file(&c);
    /* The file is looked at first: what is no list of contacts touches nothing. */
    if (!code && import_open(&im, read_fd, &c.fd, &c.options, &e))
        code = cli_fail("%s: %s; nothing was imported", c.file, e.text);
    if (!code)
        code = cli_open_pg(cli);
    if (!code) {
        program_watch_signals();
        code = import_file(cli, &c, im);
    }
    import_free(im);
    contact_import_free(c.store);
    reject_file_abandon(c.rejects);
    if (c.fd >= 0)
        close(c.fd);
    return code;
}

/* ---- list, show, rejects ---- */

static bool has_json_flag(int *argc, char **argv)
{
    if (*argc < 2 || strcmp(argv[*argc - 1], "--json") != 0)
        return false;
    (*argc)--;
    return true;
}

static int list_line(const struct contact_list *l, void *arg)
{
    char text[CLOCK_TEXT_MAX];

    (void)arg;
    printf("%-24s %10" PRId64 " contacts %6" PRId64 " imports  last %s\n", l->name,
           l->contacts, l->imports,
           l->last_import_ms ? clock_text(l->last_import_ms, text) : "-");
    return 0;
}

static int list_json(const struct contact_list *l, void *arg)
{
    char text[CLOCK_TEXT_MAX];
    json_t *last = l->last_import_ms ? json_string(clock_text(l->last_import_ms, text))
                                     : json_null();

    json_array_append_new(arg, json_pack("{s:s, s:I, s:I, s:o}", "name", l->name,
                                         "contacts", (json_int_t)l->contacts, "imports",
                                         (json_int_t)l->imports, "last_import", last));
    return 0;
}

static int cmd_list(struct cli *cli, int argc, char **argv)
{
    bool json = has_json_flag(&argc, argv);
    json_t *all = NULL;

    if (argc != 1)
        return cli_usage("unexpected argument '%s'", argv[1]);
    int code = cli_open_pg(cli);
    if (code)
        return code;
    all = json_array();
    int err = contact_lists(cli->pg, cli->tenant_id, json ? list_json : list_line, all);
    if (!err && json)
        return cli_print_json(all);
    json_decref(all);
    return err ? cli_fail("%s", pg_error(cli->pg)) : CLI_OK;
}

struct shown {
    json_t *json; /* NULL: print lines */
    int n;
};

static int show_line(const struct contact_entry *c, void *arg)
{
    struct shown *s = arg;
    char text[PHONE_FORMAT_MAX];
    json_auto_t *attrs = json_loads(c->attrs, 0, NULL);
    const char *key = NULL;
    json_t *value = NULL;

    s->n++;
    if (s->json) {
        json_array_append_new(
            s->json,
            json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:O}", "id", (json_int_t)c->id,
                      "number", phone_text(c->phone, text), "list", c->list, "region",
                      c->region, "type", phone_type_name(c->type), "zones", c->zones,
                      "import_id", (json_int_t)c->import_id, "attrs", attrs));
        return 0;
    }
    printf("%s  contact %" PRId64 " in list '%s'\n", phone_format(c->phone, text), c->id,
           c->list);
    printf("  region %s, %s, zones %s, import %" PRId64 "\n", c->region,
           phone_type_name(c->type), *c->zones ? c->zones : "unknown", c->import_id);
    json_object_foreach(attrs, key, value) printf(
        "  %s: %s\n", key, json_string_value(value) ? json_string_value(value) : "");
    return 0;
}

static int cmd_show(struct cli *cli, int argc, char **argv)
{
    struct shown s = {.json = NULL};
    struct phone phone;
    bool json = has_json_flag(&argc, argv);

    if (argc != 2)
        return cli_usage("which number?");
    phone_parse(argv[1], strlen(argv[1]), NULL, &phone);
    if (!phone.e164)
        return cli_usage("'%s' is no number with + and country code", argv[1]);
    int code = cli_open_pg(cli);
    if (code)
        return code;
    s.json = json ? json_array() : NULL;
    int err = contact_find(cli->pg, cli->tenant_id, phone.e164, show_line, &s);
    if (err)
        code = cli_fail("%s", pg_error(cli->pg));
    else if (s.n == 0)
        code = cli_fail("%s is in no list", argv[1]);
    if (s.json && !code)
        return cli_print_json(s.json);
    json_decref(s.json);
    return code;
}

static int reject_line(const struct contact_reject *r, void *arg)
{
    char value[256];

    (void)arg;
    printf("line %-8" PRId64 " %-18s %s: %s\n", r->line, r->reason, r->column,
           log_esc(r->value, value, sizeof(value)));
    return 0;
}

static int cmd_rejects(struct cli *cli, int argc, char **argv)
{
    int64_t id = 0;

    if (argc > 2 || (argc == 2 && (!str_to_i64(argv[1], &id) || id < 1)))
        return cli_usage("one number of an import, or none for the latest");
    int code = cli_open_pg(cli);
    if (code)
        return code;
    int err = contact_rejects(cli->pg, cli->tenant_id, id, reject_line, NULL);
    if (err == ENOENT)
        return cli_fail(id ? "no import %" PRId64 : "there was no import yet", id);
    return err ? cli_fail("%s", pg_error(cli->pg)) : CLI_OK;
}

static const struct cli_verb verbs[] = {
    {.name = "import",
     .arguments = "FILE.csv --list NAME [--map NAME=COLUMN …] [--region ET] "
                  "[--rejects FILE] [--dry-run] [--json]",
     .about = "Read contacts from a CSV file into a list; - reads standard input.\n"
              "All or nothing: when it fails, the list is as before. Rows that cannot be "
              "taken are\ncounted by reason and go to --rejects as line, column, value, "
              "reason, hint.\n\n"
              "  --list NAME        the list; made when there is none\n"
              "  --map NAME=COLUMN  column (by name, or by number from 1) for the phone "
              "or for "
              "contact.NAME\n"
              "  --region XX        country of numbers written without + (two letters)\n"
              "  --rejects FILE     write rejected rows there\n"
              "  --dry-run          try everything, keep nothing\n"
              "  --encoding E       utf-8 (default) or windows-1252\n"
              "  --delimiter C      instead of finding it: one character, or tab\n"
              "  --threads N        parsers, default one per processor\n"
              "  --json             the summary as JSON",
     .example = "furrow contacts import farmers.csv --list farmers --map phone=Mobile "
                "--region ET --rejects rejects.csv",
     .run = cmd_import},
    {.name = "list",
     .arguments = "[--json]",
     .about = "Show the lists and how many contacts they have.",
     .example = "furrow contacts list",
     .run = cmd_list},
    {.name = "show",
     .arguments = "NUMBER [--json]",
     .about = "Show what is known of a number in every list.",
     .example = "furrow contacts show +251911234567",
     .run = cmd_show},
    {.name = "rejects",
     .arguments = "[IMPORT]",
     .about = "Show the rows an import (the latest when none is named) did not take.",
     .example = "furrow contacts rejects 3",
     .run = cmd_rejects},
};

const struct cli_group cmd_contacts = {.name = "contacts",
                                       .about = "import people and look at lists",
                                       .verbs = verbs,
                                       .verb_count = ARRAY_LEN(verbs)};
