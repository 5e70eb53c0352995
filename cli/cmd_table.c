/*
 * furrow table: import, list, show, remove - small tables that flows look into and
 * change.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/xalloc.h"
#include "campaigns/table_store.h"
#include "cli/groups.h"
#include "cli/table_source.h"

static int cmd_import(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        {"replace", no_argument, NULL, 'r'}, {"json", no_argument, NULL, 'j'}, {0}};
    bool replace = false, json = false;
    struct table_counts n = {0};
    struct errtext e = {0};
    struct table_def def;
    json_t *rows = NULL;

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        replace |= o == 'r';
        json |= o == 'j';
    }
    if (argc - optind != 2)
        return cli_usage("say the table's name and its file");
    const char *name = argv[optind];
    if (!table_name_is_good(name))
        return cli_usage(
            "'%s' cannot be a table's name: up to 31 letters a-z, digits and "
            "_, a letter first",
            name);
    int code = table_source_read(argv[optind + 1], &def, &rows);
    if (!code)
        code = cli_open_pg(cli);
    if (!code && table_import(cli->pg, cli->tenant_id, name, &def, rows, replace,
                              clock_now_ms(), &n, &e))
        code = cli_fail("%s", e.text);
    json_decref(rows);
    if (code)
        return code;
    if (json)
        return cli_print_json(json_pack(
            "{s:s, s:I, s:I, s:I}", "table", name, "added", (json_int_t)n.added,
            "changed", (json_int_t)n.changed, "removed", (json_int_t)n.removed));
    printf("table '%s': %lld rows added, %lld changed, %lld removed\n", name,
           (long long)n.added, (long long)n.changed, (long long)n.removed);
    return CLI_OK;
}

static void print_columns(const json_t *columns)
{
    json_t *c = NULL;
    size_t i = 0;

    json_array_foreach(columns, i, c)
    {
        const char *type = json_string_value(json_object_get(c, "type"));
        bool key = json_is_true(json_object_get(c, "key"));
        printf("%s%s%s%s", i > 0 ? ", " : "",
               json_string_value(json_object_get(c, "name")),
               key || strcmp(type, "text") != 0 ? ":" : "",
               key                         ? "key"
               : strcmp(type, "text") != 0 ? type
                                           : "");
    }
    printf("\n");
}

static int only_json(int argc, char **argv, int wanted, bool *json)
{
    *json = argc == wanted + 2 && strcmp(argv[wanted + 1], "--json") == 0;
    return argc == wanted + 1 || *json ? CLI_OK
           : argc < wanted + 1         ? cli_usage("which table?")
                               : cli_usage("unexpected argument '%s'", argv[wanted + 1]);
}

static int cmd_list(struct cli *cli, int argc, char **argv)
{
    json_t *list = NULL, *t = NULL;
    bool json = false;
    size_t i = 0;

    int code = only_json(argc, argv, 0, &json);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (table_list(cli->pg, cli->tenant_id, &list))
        return cli_fail("%s", pg_error(cli->pg));
    if (json)
        return cli_print_json(list);
    json_array_foreach(list, i, t)
    {
        printf("%-20s %8lld rows   ", json_string_value(json_object_get(t, "name")),
               (long long)json_integer_value(json_object_get(t, "rows")));
        print_columns(json_object_get(t, "columns"));
    }
    if (i == 0)
        puts("there are no tables; 'furrow table import' makes one");
    json_decref(list);
    return CLI_OK;
}

static void print_cell(const json_t *cell)
{
    CLEANUP(free_cleanup) char *text = NULL;

    if (json_is_string(cell)) {
        fputs(json_string_value(cell), stdout);
    } else if (!json_is_null(cell)) {
        text = json_dumps(cell, JSON_ENCODE_ANY);
        fputs(text ? text : "", stdout);
    }
}

static int cmd_show(struct cli *cli, int argc, char **argv)
{
    json_t *table = NULL, *row = NULL, *c = NULL;
    struct errtext e = {0};
    bool json = false;
    size_t i = 0, k = 0;

    int code = only_json(argc, argv, 1, &json);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (table_show(cli->pg, cli->tenant_id, argv[1], &table, &e))
        return cli_fail("%s", e.text);
    if (json)
        return cli_print_json(table);
    print_columns(json_object_get(table, "columns"));
    json_array_foreach(json_object_get(table, "rows"), i, row)
    {
        json_array_foreach(json_object_get(table, "columns"), k, c)
        {
            if (k > 0)
                fputs(" | ", stdout);
            print_cell(
                json_object_get(row, json_string_value(json_object_get(c, "name"))));
        }
        puts("");
    }
    json_decref(table);
    return CLI_OK;
}

static int cmd_remove(struct cli *cli, int argc, char **argv)
{
    struct errtext e = {0};

    if (argc != 2)
        return cli_usage(argc < 2 ? "which table?" : "one table at a time");
    int code = cli_open_pg(cli);
    if (code)
        return code;
    if (table_remove(cli->pg, cli->tenant_id, argv[1], &e))
        return cli_fail("%s", e.text);
    printf("table '%s' removed\n", argv[1]);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {.name = "import",
     .arguments = "NAME FILE [--replace] [--json]",
     .about =
         "Read a CSV file into a table that flows use with data nodes.\n\n"
         "  FILE               its first line names the columns: name, name:TYPE or "
         "name:key;\n"
         "                     types are text, int, number, bool and secret; the key "
         "tells rows\n"
         "                     apart; '-' is standard input\n"
         "  --replace          rows that are there are removed first\n\n"
         "Rows with a key that is there are changed, others are added, all or none. "
         "What\n"
         "is secret (a PIN) is kept as its hash and never shown.",
     .example = "furrow table import flights flights.csv",
     .run = cmd_import},
    {.name = "list",
     .arguments = "[--json]",
     .about = "The tables, with their columns and how many rows they have.",
     .example = "furrow table list",
     .run = cmd_list},
    {.name = "show",
     .arguments = "NAME [--json]",
     .about = "The rows of a table; secrets are left out.",
     .example = "furrow table show flights",
     .run = cmd_show},
    {.name = "remove",
     .arguments = "NAME",
     .about = "Remove a table with all its rows. Flows that use it take their exit "
              "'failed'.",
     .example = "furrow table remove flights",
     .run = cmd_remove},
};

const struct cli_group cmd_table = {.name = "table",
                                    .about =
                                        "small tables that flows look into and change",
                                    .verbs = verbs,
                                    .verb_count = ARRAY_LEN(verbs)};
