#include "cli/contacts_export.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/campaign_store.h"
#include "campaigns/export_store.h"
#include "contacts/csv_writer.h"
#include "contacts/phone.h"

enum { PAGE = 5000 };

static const char *const own_columns[] = {"phone", "region", "type", "person"};
static const char *const campaign_columns[] = {"state", "attempts", "last_disposition",
                                               "final", "next_attempt_at"};

struct export_command {
    const char *list, *campaign, *path;
    bool json_lines;
    struct export_source from;
    json_t *keys; /* of attributes, for CSV */
    FILE *file;
    int64_t rows;
};

/* ---- one contact ---- */

/* As people read it: a number with +, a type and an instant by name. "" there is none. */
static const char *cell(const json_t *contact, const char *key, char out[64])
{
    const json_t *v = json_object_get(contact, key);

    out[0] = '\0';
    if (json_is_string(v))
        return json_string_value(v);
    if (!json_is_integer(v))
        return out;
    int64_t n = json_integer_value(v);
    if (strcmp(key, "phone") == 0)
        phone_text(n, out);
    else if (strcmp(key, "type") == 0)
        str_cut(out, 64, phone_type_name((enum phone_type)n));
    else if (strcmp(key, "next_attempt_at") == 0)
        clock_text(n, out);
    else
        snprintf(out, 64, "%" PRId64, n);
    return out;
}

static void put_attribute(FILE *file, const json_t *value)
{
    if (json_is_string(value)) {
        csv_put_cell(file, json_string_value(value));
    } else if (value) {
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        csv_put_cell(file, text ? text : "");
        free(text);
    }
}

static void put_csv(struct export_command *c, const json_t *contact)
{
    char text[64];
    size_t i = 0;
    json_t *key = NULL;

    for (i = 0; i < ARRAY_LEN(own_columns); i++) {
        if (i)
            putc(',', c->file);
        csv_put_cell(c->file, cell(contact, own_columns[i], text));
    }
    for (i = 0; c->campaign && i < ARRAY_LEN(campaign_columns); i++) {
        putc(',', c->file);
        csv_put_cell(c->file, cell(contact, campaign_columns[i], text));
    }
    json_array_foreach(c->keys, i, key)
    {
        putc(',', c->file);
        put_attribute(c->file, json_object_get(json_object_get(contact, "attrs"),
                                               json_string_value(key)));
    }
    putc('\n', c->file);
}

/* A line that 'furrow contacts import' takes again: attributes beside the phone. */
static void put_json(struct export_command *c, const json_t *contact)
{
    json_auto_t *line = json_object();
    char text[64];

    for (size_t i = 0; i < ARRAY_LEN(own_columns); i++)
        json_object_set_new(line, own_columns[i],
                            json_string(cell(contact, own_columns[i], text)));
    for (size_t i = 0; c->campaign && i < ARRAY_LEN(campaign_columns); i++)
        json_object_set_new(line, campaign_columns[i],
                            json_string(cell(contact, campaign_columns[i], text)));
    /* What is ours keeps its name. */
    json_object_update_missing(line, json_object_get(contact, "attrs"));
    json_dumpf(line, c->file, JSON_COMPACT);
    putc('\n', c->file);
}

static int put(const json_t *contact, void *arg)
{
    struct export_command *c = arg;

    if (c->json_lines)
        put_json(c, contact);
    else
        put_csv(c, contact);
    c->rows++;
    return ferror(c->file) ? EIO : 0;
}

static void put_header(struct export_command *c)
{
    size_t i = 0;
    json_t *key = NULL;

    for (i = 0; i < ARRAY_LEN(own_columns); i++)
        fprintf(c->file, "%s%s", i ? "," : "", own_columns[i]);
    for (i = 0; c->campaign && i < ARRAY_LEN(campaign_columns); i++)
        fprintf(c->file, ",%s", campaign_columns[i]);
    json_array_foreach(c->keys, i, key)
    {
        putc(',', c->file);
        csv_put_cell(c->file, json_string_value(key));
    }
    putc('\n', c->file);
}

/* ---- the whole ---- */

static int parse(struct export_command *c, int argc, char **argv)
{
    static const struct option options[] = {{"campaign", required_argument, NULL, 'c'},
                                            {"format", required_argument, NULL, 'f'},
                                            {"out", required_argument, NULL, 'o'},
                                            {0}};

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        if (o == 'c')
            c->campaign = optarg;
        if (o == 'o')
            c->path = optarg;
        if (o == 'f')
            c->json_lines = strcmp(optarg, "jsonl") == 0;
        if (o == 'f' && !c->json_lines && strcmp(optarg, "csv") != 0)
            return cli_usage("--format is csv or jsonl, not '%s'", optarg);
    }
    if (argc - optind + (c->campaign != NULL) != 1)
        return cli_usage("name one LIST, or --campaign NAME");
    c->list = optind < argc ? argv[optind] : NULL;
    return CLI_OK;
}

static int find_source(struct cli *cli, struct export_command *c)
{
    struct campaign_row row = {0};
    struct errtext e = {0};

    int err = c->campaign ? campaign_find(cli->pg, cli->tenant_id, c->campaign, &row, &e)
                          : export_find_list(cli->pg, cli->tenant_id, c->list,
                                             &c->from.list_id, &e);
    if (err)
        return cli_fail("%s", e.text[0] ? e.text : pg_error(cli->pg));
    if (c->campaign)
        c->from.campaign_id = row.id;
    return CLI_OK;
}

static int write_rows(struct cli *cli, struct export_command *c)
{
    struct progress progress = {.label = "export", .unit = "contacts"};
    int64_t after = 0;
    size_t n = 0;
    int err = 0;

    if (!c->json_lines)
        err = export_keys(cli->pg, cli->tenant_id, &c->from, &c->keys);
    if (!err && !c->json_lines)
        put_header(c);
    if (!err)
        do {
            err =
                export_page(cli->pg, cli->tenant_id, &c->from, PAGE, &after, &n, put, c);
            progress_show(&progress, c->rows, 0);
        } while (!err && n == PAGE);
    progress_end(&progress, c->rows);
    if (err == EIO)
        return cli_fail("%s: %s", c->path ? c->path : "standard output", strerror(errno));
    return err ? cli_fail("%s", pg_error(cli->pg)) : CLI_OK;
}

/* A file takes its name when it is whole. */
static int write_file(struct cli *cli, struct export_command *c)
{
    CLEANUP(free_cleanup) char *part = xasprintf("%s.part", c->path);

    c->file = fopen(part, "we");
    if (!c->file)
        return cli_fail("%s: %s", part, strerror(errno));
    int code = write_rows(cli, c);
    if (fclose(c->file) && !code)
        code = cli_fail("%s: %s", part, strerror(errno));
    if (!code && rename(part, c->path))
        code = cli_fail("%s: %s", c->path, strerror(errno));
    if (code)
        unlink(part);
    else
        printf("%" PRId64 " contacts are in %s\n", c->rows, c->path);
    return code;
}

int contacts_export(struct cli *cli, int argc, char **argv)
{
    struct export_command c = {.file = stdout};

    int code = parse(&c, argc, argv);
    if (!code)
        code = cli_open_pg(cli);
    if (!code)
        code = find_source(cli, &c);
    if (!code)
        code = c.path ? write_file(cli, &c) : write_rows(cli, &c);
    if (!code && !c.path && fflush(stdout))
        code = cli_fail("standard output: %s", strerror(errno));
    json_decref(c.keys);
    return code;
}
