/*
 * furrow contacts import: a file, or standard input, into a list.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/program.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "cli/contacts_import.h"
#include "contacts/contact_store.h"
#include "contacts/import.h"
#include "contacts/phone_fast.h"
#include "contacts/reject_file.h"

enum { MAPS_MAX = 64 };

struct import_command {
    const char *file, *list, *rejects_path, *person;
    struct column_map maps[MAPS_MAX];
    struct import_options options;
    bool dry_run, json, restart, update;
    int64_t threads, batch;

    int fd;
    int64_t size;           /* of the file; 0 when unknown */
    _Atomic(int64_t) taken; /* bytes of it, by the reader's thread */
    int64_t resumed_rows;   /* that an earlier run has read */
    struct contact_import *store;
    struct reject_file *rejects;
    struct progress progress;
};

static ssize_t read_fd(void *arg, void *buf, size_t size)
{
    struct import_command *c = arg;
    ssize_t n = read(c->fd, buf, size);

    if (n > 0)
        atomic_fetch_add_explicit(&c->taken, n, memory_order_relaxed);
    return n;
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

    return contact_import_rejects(c->store, rejects, n, e);
}

static int give_reached(void *arg, const struct record_position *at, int64_t records,
                        struct errtext *e)
{
    struct import_command *c = arg;

    return contact_import_reached(c->store, at, records, e);
}

/* By the store, before it commits them. */
static int take_rejects(void *arg, const struct import_reject *rejects, size_t n,
                        bool last, struct errtext *e)
{
    struct import_command *c = arg;
    int err = 0;

    if (!c->rejects)
        return 0;
    if (n > 0)
        err = reject_file_add(c->rejects, rejects, n, e);
    return !err && last ? reject_file_sync(c->rejects, e) : err;
}

static void show_progress(void *arg, const struct import_counts *so_far)
{
    struct import_command *c = arg;
    int64_t taken = atomic_load_explicit(&c->taken, memory_order_relaxed), total = 0;
    int64_t rows = c->resumed_rows + so_far->rows_read;

    /* Rows in all are guessed from the bytes, until they are known. */
    if (c->size > 0 && taken > 0)
        total = (int64_t)((double)rows * (double)c->size / (double)taken);
    progress_show(&c->progress, rows, total > rows ? total : 0);
}

static int parse_map(struct import_command *c, char *text)
{
    char *equals = strchr(text, '=');

    if (!equals || equals == text || !equals[1])
        return cli_usage("--map wants NAME=COLUMN, e.g. --map phone=Mobile; got '%s'",
                         text);
    if (c->options.map_count == MAPS_MAX - 1)
        return cli_usage("at most %d --map", MAPS_MAX - 1);
    *equals = '\0';
    c->maps[c->options.map_count++] =
        (struct column_map){.key = text, .column = equals + 1};
    return CLI_OK;
}

static int parse_format(struct import_command *c, const char *value)
{
    c->options.json_lines = strcmp(value, "jsonl") == 0;
    return c->options.json_lines || strcmp(value, "csv") == 0
               ? CLI_OK
               : cli_usage("--format is csv or jsonl, not '%s'", value);
}

static int parse_existing(struct import_command *c, const char *value)
{
    c->update = strcmp(value, "update") == 0;
    return c->update || strcmp(value, "skip") == 0
               ? CLI_OK
               : cli_usage("--existing is skip or update, not '%s'", value);
}

static int parse_delimiter(struct import_command *c, const char *value)
{
    c->options.delimiter = strcmp(value, "tab") == 0 ? '\t' : value[0];
    if (strcmp(value, "tab") != 0 && strlen(value) != 1)
        return cli_usage("--delimiter is one character or 'tab', not '%s'", value);
    return strchr("\"\r\n", c->options.delimiter)
               ? cli_usage("a quote or a line end cannot be the delimiter")
               : CLI_OK;
}

static int parse_encoding(struct import_command *c, const char *value)
{
    return text_encoding_find(value, &c->options.encoding)
               ? cli_usage("--encoding is utf-8, utf-16, utf-16le, utf-16be or "
                           "windows-1252, not '%s'",
                           value)
               : CLI_OK;
}

static int parse_option(struct import_command *c, int option, char *value)
{
    switch (option) {
    case 'l':
        c->list = value;
        return CLI_OK;
    case 'm':
        return parse_map(c, value);
    case 'p':
        c->person = value;
        return CLI_OK;
    case 'r':
        c->options.region = value;
        return CLI_OK;
    case 'x':
        c->rejects_path = value;
        return CLI_OK;
    case 'e':
        return parse_encoding(c, value);
    case 'd':
        return parse_delimiter(c, value);
    case 'f':
        return parse_format(c, value);
    case 'u':
        return parse_existing(c, value);
    case 't':
        return str_to_i64(value, &c->threads) && c->threads >= 1 && c->threads <= 32
                   ? CLI_OK
                   : cli_usage("--threads is 1 to 32, not '%s'", value);
    case 'b':
        return str_to_i64(value, &c->batch) && c->batch >= 1 && c->batch <= 1000000
                   ? CLI_OK
                   : cli_usage("--batch is 1 to 1000000, not '%s'", value);
    case 'n':
        c->dry_run = true;
        return CLI_OK;
    case 's':
        c->restart = true;
        return CLI_OK;
    case 'j':
        c->json = true;
        return CLI_OK;
    default:
        return CLI_USAGE;
    }
}

/* people.jsonl needs no --format. */
static void find_format(struct import_command *c)
{
    const char *dot = strrchr(c->file, '.');

    if (dot && (strcasecmp(dot, ".jsonl") == 0 || strcasecmp(dot, ".ndjson") == 0))
        c->options.json_lines = true;
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
    if (c->person)
        c->maps[c->options.map_count++] =
            (struct column_map){.key = COLUMN_PERSON, .column = c->person};
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
        {"person", required_argument, NULL, 'p'},
        {"existing", required_argument, NULL, 'u'},
        {"format", required_argument, NULL, 'f'},
        {"batch", required_argument, NULL, 'b'},
        {"restart", no_argument, NULL, 's'},
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
    find_format(c);
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

/* What was understood of the file, so that a wrong guess is seen. */
static void print_form(const struct import *im)
{
    const struct import_form form = import_form(im);
    const struct columns *columns = import_columns(im);
    char delimiter[8] = "tab";

    if (form.delimiter != '\t')
        snprintf(delimiter, sizeof(delimiter), "'%c'", form.delimiter);
    if (!form.delimiter)
        printf("  read as JSON Lines");
    else
        printf("  read as CSV with %s between cells", delimiter);
    printf(", %s%s%s\n", text_encoding_name(form.encoding),
           form.encoding_is_guess ? " (assumed; --encoding says otherwise)" : "",
           form.delimiter && !columns->has_header ? ", no header" : "");
}

static void print_phones(const struct columns *columns)
{
    printf("  phone: column '%s'%s", columns->at[columns->phone].name,
           columns->has_header ? "" : " (the file has no header)");
    for (size_t k = 1; k < columns->phone_count; k++)
        printf(", then '%s'", columns->at[columns->phones[k]].name);
    if (columns->person != COLUMN_NONE)
        printf("; person: column '%s'", columns->at[columns->person].name);
    printf("; contact.*:");
    for (size_t i = 0; i < columns->n; i++)
        if (!columns_is_phone(columns, i))
            printf(" %s", columns->at[i].key);
    putchar('\n');
}

/* Before anything is kept it is worth a line each. */
static void print_mapping(const struct columns *columns)
{
    for (size_t i = 0; i < columns->n; i++) {
        if (!columns_is_phone(columns, i))
            printf("  %-24s → contact.%s%s\n", columns->at[i].name, columns->at[i].key,
                   i == columns->person ? ", the person's key" : "");
    }
    for (size_t k = 0; k < columns->phone_count; k++)
        printf("  %-24s → phone%s\n", columns->at[columns->phones[k]].name,
               k ? " (another number of the person)" : "");
}

static int print_summary(const struct import_command *c, const struct import *im,
                         const struct import_counts *n, double seconds)
{
    const struct columns *columns = import_columns(im);

    printf("%s%" PRId64 " rows read, %" PRId64 " imported into '%s', ",
           c->dry_run ? "dry run, nothing kept: " : "", n->rows_read, n->imported,
           c->list);
    if (c->update)
        printf("%" PRId64 " updated, ", n->updated);
    printf("%" PRId64 " rejected (%.0f rows/s)\n", n->rejected,
           seconds > 0 ? (double)(n->rows_read - c->resumed_rows) / seconds : 0.0);
    print_form(im);
    if (c->dry_run)
        print_mapping(columns);
    else
        print_phones(columns);
    for (int i = 0; i < IMPORT_REASONS; i++)
        if (n->by_reason[i])
            printf("  %-18s %-8" PRId64 " %s\n",
                   import_reason_name((enum import_reason)i), n->by_reason[i],
                   import_reason_hint((enum import_reason)i, ""));
    if (n->rejected && c->rejects_path)
        printf("  rejected rows are in %s\n", c->rejects_path);
    else if (n->rejected && !c->dry_run)
        printf("  'furrow contacts rejects %" PRId64 "' shows the rejected rows\n",
               contact_import_id(c->store));
    if (!c->dry_run)
        printf("  'furrow contacts undo %" PRId64 "' takes it back\n",
               contact_import_id(c->store));
    return CLI_OK;
}

static int print_summary_json(const struct import_command *c, const struct import *im,
                              const struct import_counts *n, double seconds)
{
    const struct import_form form = import_form(im);
    json_t *reasons = json_object();
    char delimiter[2] = {form.delimiter, '\0'};

    for (int i = 0; i < IMPORT_REASONS; i++)
        if (n->by_reason[i])
            json_object_set_new(reasons, import_reason_name((enum import_reason)i),
                                json_integer(n->by_reason[i]));
    return cli_print_json(
        json_pack("{s:s, s:I, s:b, s:I, s:I, s:I, s:I, s:o, s:o, s:s, s:s, s:b, s:f}",
                  "list", c->list, "import_id", (json_int_t)contact_import_id(c->store),
                  "dry_run", c->dry_run, "rows_read", (json_int_t)n->rows_read,
                  "imported", (json_int_t)n->imported, "updated", (json_int_t)n->updated,
                  "rejected", (json_int_t)n->rejected, "reasons", reasons, "columns",
                  columns_json(import_columns(im)), "delimiter", delimiter, "encoding",
                  text_encoding_name(form.encoding), "encoding_assumed",
                  form.encoding_is_guess, "seconds", seconds));
}

/* ---- from the file into the store ---- */

/* Under other settings the rest of a file would mean something else. */
static char *settings_of(const struct import_command *c, const struct import *im)
{
    const struct import_form form = import_form(im);
    char delimiter[2] = {form.delimiter, '\0'};
    json_auto_t *all =
        json_pack("{s:s, s:s, s:s, s:b}", "region",
                  c->options.region ? c->options.region : "", "delimiter", delimiter,
                  "encoding", text_encoding_name(form.encoding), "update", c->update);

    return json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
}

/* From the beginning again: what an earlier run read is not what is in the file now. */
static int reopen(struct import_command *c, struct import **im, struct errtext *e)
{
    if (lseek(c->fd, 0, SEEK_SET) != 0)
        return errtext_set(e, ESPIPE, 0, 0,
                           "an import of %.100s was cut off, and this is not the same "
                           "input; say --restart to begin anew",
                           c->file);
    import_free(*im);
    *im = NULL;
    atomic_store(&c->taken, 0);
    return import_open(im, read_fd, c, &c->options, e);
}

/* Where an earlier run of the same file was cut off, it goes on. */
static int go_on(struct import_command *c, struct import **im, struct errtext *e)
{
    struct record_position at;

    if (!contact_import_resumes(c->store, &at))
        return 0;
    int err = import_skip_to(*im, &at, e);
    if (err == ESTALE) {
        fprintf(stderr,
                "furrow: %s has changed since import %" PRId64
                " was cut off; it is read from the beginning\n",
                c->file, contact_import_id(c->store));
        err = reopen(c, im, e);
        return err ? err : contact_import_afresh(c->store, import_columns(*im), e);
    }
    c->resumed_rows = at.line - 1;
    if (!err)
        err = contact_import_earlier_rejects(c->store, e);
    if (!err)
        fprintf(stderr,
                "furrow: import %" PRId64 " of %s was cut off; going on at line %" PRId64
                "\n",
                contact_import_id(c->store), c->file, at.line);
    return err;
}

static const char *full_name(const char *file)
{
    static char path[PATH_MAX];

    return strcmp(file, "-") != 0 && realpath(file, path) ? path : file;
}

/* *kept: contacts of the file that are in the list although it failed. */
static int run_store(struct cli *cli, struct import_command *c, struct import **im,
                     struct import_counts *counts, int64_t *kept, struct errtext *e)
{
    static const struct import_sink sink = {.rows = give_rows,
                                            .rejects = give_rejects,
                                            .reached = give_reached,
                                            .progress = show_progress};
    CLEANUP(free_cleanup) char *settings = settings_of(c, *im);
    const struct contact_import_options options = {
        .database_url = cli->config.common.database_url,
        .tenant_id = cli->tenant_id,
        .list = c->list,
        .file_name = full_name(c->file),
        .settings = settings,
        .now_ms = clock_now_ms(),
        .dry_run = c->dry_run,
        .update = c->update,
        .batch_rows = (size_t)c->batch,
        .restart = c->restart,
        .rejects = take_rejects,
        .rejects_arg = c,
    };

    int err = contact_import_begin(&c->store, &options, import_columns(*im), e);
    if (err)
        return err;
    err = go_on(c, im, e);
    if (!err)
        err = import_run(*im, &sink, c, program_stop_flag(), counts, e);
    if (!err)
        err = contact_import_commit(c->store, counts, clock_now_ms(), e);
    if (err)
        *kept = contact_import_fail(c->store, e->text, clock_now_ms());
    return err;
}

static int failed(const struct import_command *c, int64_t kept, const struct errtext *e)
{
    if (kept == 0)
        return cli_fail("%s: %s; nothing was imported", c->file, e->text);
    return cli_fail("%s: %s; %" PRId64 " contacts of it are in '%s': the same command "
                    "goes on from there, 'furrow contacts undo %" PRId64
                    "' takes them back",
                    c->file, e->text, kept, c->list, contact_import_id(c->store));
}

static int import_file(struct cli *cli, struct import_command *c, struct import **im)
{
    struct errtext e = {0};
    struct import_counts counts = {0};
    int64_t started_us = mono_us(), kept = 0;

    int err = c->rejects_path ? reject_file_open(&c->rejects, c->rejects_path, &e) : 0;
    if (!err)
        err = run_store(cli, c, im, &counts, &kept, &e);
    progress_end(&c->progress, counts.rows_read);
    if (err)
        return failed(c, kept, &e);
    if (c->rejects) {
        err = reject_file_finish(STEAL(c->rejects), &e);
        if (err)
            return cli_fail("%" PRId64 " contacts were imported, but %s", counts.imported,
                            e.text);
    }
    double seconds = (double)(mono_us() - started_us) / 1e6;
    return c->json ? print_summary_json(c, *im, &counts, seconds)
                   : print_summary(c, *im, &counts, seconds);
}

int contacts_import(struct cli *cli, int argc, char **argv)
{
    struct import_command c = {
        .file = "", .fd = -1, .progress = {.label = "import", .unit = "rows"}};
    struct errtext e = {0};
    struct import *im = NULL;

    int code = parse_import(&c, argc, argv);
    if (!code)
        code = open_file(&c);
    /* The file is looked at first: what is no list of contacts touches nothing. */
    if (!code && import_open(&im, read_fd, &c, &c.options, &e))
        code = cli_fail("%s: %s; nothing was imported", c.file, e.text);
    if (!code)
        code = cli_open_pg(cli);
    if (!code && !phone_fast_is_on())
        fprintf(stderr, "furrow: this libphonenumber hides its patterns; each number is "
                        "asked of it, which takes longer\n");
    if (!code) {
        program_watch_signals();
        code = import_file(cli, &c, &im);
    }
    contact_import_free(c.store);
    import_free(im);
    reject_file_abandon(c.rejects);
    if (c.fd >= 0)
        close(c.fd);
    return code;
}
