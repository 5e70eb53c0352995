/*
 * furrow sample: list, load, write - flows that come with the program.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/sample_store.h"
#include "cli/groups.h"

static int find(const char *name, const struct sample **out)
{
    CLEANUP(buf_free) struct buf known = {0};

    *out = sample_find(name);
    if (*out)
        return CLI_OK;
    for (size_t i = 0; sample_at(i); i++)
        buf_printf(&known, "%s%s", i > 0 ? ", " : "", sample_at(i)->name);
    return cli_usage("there is no sample '%s'; there are: %s", name, known.data);
}

static int cmd_list(struct cli *cli, int argc, char **argv)
{
    bool json = false;

    (void)cli;
    if (cli_only_json(argc, argv, &json))
        return CLI_USAGE;
    json_t *all = json_array();
    for (size_t i = 0; sample_at(i); i++) {
        json_array_append_new(all, json_pack("{s:s, s:s}", "name", sample_at(i)->name,
                                             "about", sample_at(i)->about));
        if (!json)
            printf("%-12s %s\n", sample_at(i)->name, sample_at(i)->about);
    }
    if (json)
        return cli_print_json(all);
    json_decref(all);
    return CLI_OK;
}

static int cmd_load(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {{"replace", no_argument, NULL, 'r'}, {0}};
    const struct sample *s = NULL;
    struct sample_loaded done;
    struct errtext e = {0};
    bool replace = false;

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        replace = true;
    }
    if (argc - optind != 1)
        return cli_usage("which sample? 'furrow sample list' shows them");
    int code = find(argv[optind], &s);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (sample_load(cli->pg, cli->tenant_id, s, replace, clock_now_ms(), &done, &e))
        return cli_fail("%s", e.text);
    printf("flow '%s': %s; tables: %zu of %zu made\n", s->flow,
           done.published ? "published" : "there already, as it is", done.tables_new,
           s->table_count);
    return CLI_OK;
}

static int write_file(const char *dir, const char *name, const char *suffix,
                      const char *text)
{
    CLEANUP(free_cleanup) char *path = xasprintf("%s/%s%s", dir, name, suffix);

    int err = files_write_atomic(path, text, strlen(text));
    if (err)
        return cli_fail("%s: %s", path, strerror(err));
    printf("%s\n", path);
    return CLI_OK;
}

static int cmd_write(struct cli *cli, int argc, char **argv)
{
    const struct sample *s = NULL;

    (void)cli;
    if (argc != 3)
        return cli_usage("say which sample, and the folder it is to be written to");
    int code = find(argv[1], &s);
    if (!code && mkdir(argv[2], 0777) && errno != EEXIST)
        code = cli_fail("%s: %s", argv[2], strerror(errno));
    if (!code)
        code = write_file(argv[2], s->flow, ".json", s->flow_text);
    for (size_t i = 0; !code && i < s->table_count; i++)
        code = write_file(argv[2], s->tables[i].name, ".csv", s->tables[i].text);
    return code;
}

static const struct cli_verb verbs[] = {
    {.name = "list",
     .arguments = "[--json]",
     .about = "The flows that come with Furrow.",
     .example = "furrow sample list",
     .run = cmd_list},
    {.name = "load",
     .arguments = "NAME [--replace]",
     .about = "Publish a sample's flow and make the tables it begins with.\n"
              "A flow or table of that name stays as it is, unless --replace is given.",
     .example = "furrow sample load airline",
     .run = cmd_load},
    {.name = "write",
     .arguments = "NAME DIR",
     .about = "Write a sample's files into a folder, to be changed and published.",
     .example = "furrow sample write airline my-airline",
     .run = cmd_write},
};

const struct cli_group cmd_sample = {.name = "sample",
                                     .about =
                                         "flows that come with Furrow, with their data",
                                     .verbs = verbs,
                                     .verb_count = ARRAY_LEN(verbs)};
