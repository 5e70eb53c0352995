/* furrow node: list, drain, resume - the processes of an installation. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/slot_store.h"
#include "cli/groups.h"

static json_t *to_json(const struct slot_row *row)
{
    return json_pack("{s:s, s:i, s:s, s:i, s:b, s:b, s:b, s:i, s:i, s:s}", "kind",
                     row->kind, "slot", row->slot, "host", row->host, "pid", row->pid,
                     "alive", row->alive, "drained", row->drained, "ready", row->ready,
                     "weight", row->weight, "priority", row->priority, "held", row->held);
}

static void print_row(const struct slot_row *row)
{
    printf("%-10s %3d  %s pid %d  %s%s%s%s%s", row->kind, row->slot, row->host, row->pid,
           row->alive ? "alive" : "its lease has lapsed",
           row->drained && !row->held[0] ? ", drained by hand" : "",
           row->ready ? "" : ", its Asterisk is not connected",
           row->held[0] ? ", no calls: " : "", row->held);
    if (row->weight != 1 || row->priority != 0)
        printf("; weight %d, priority %d", row->weight, row->priority);
    putchar('\n');
}

static int cmd_list(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) struct slot_row *rows = NULL;
    json_t *all = NULL;
    bool json = false;
    size_t n = 0;

    int code = cli_only_json(argc, argv, &json);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (slot_list(cli->pg, &rows, &n))
        return cli_fail("%s", pg_error(cli->pg));
    if (json)
        all = json_array();
    for (size_t i = 0; i < n; i++) {
        if (json)
            json_array_append_new(all, to_json(&rows[i]));
        else
            print_row(&rows[i]);
    }
    if (json)
        return cli_print_json(all);
    if (n == 0)
        puts("no dialer and no worker runs ('furrow up', 'furrow run')");
    return CLI_OK;
}

static int set_drained(struct cli *cli, int argc, char **argv, bool drained)
{
    static const struct option options[] = {{0}};
    int64_t slot = 0;

    if (getopt_long(argc, argv, "", options, NULL) != -1)
        return CLI_USAGE;
    if (argc - optind != 1 || !str_to_i64(argv[optind], &slot) || slot < 0 || slot > 9999)
        return cli_usage("say which dialer by its slot, e.g. 0; 'furrow node list' shows "
                         "them");
    int code = cli_open_pg(cli);
    if (code)
        return code;
    int err = slot_drain(cli->pg, "dialer", (int)slot, drained);
    if (err == ENOENT)
        return cli_fail("no dialer has slot %d; 'furrow node list' shows them",
                        (int)slot);
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    printf(drained ? "dialer %d begins no more calls; those that are up go on\n"
                   : "dialer %d may place calls again\n",
           (int)slot);
    return CLI_OK;
}

static int cmd_drain(struct cli *cli, int argc, char **argv)
{
    return set_drained(cli, argc, argv, true);
}

static int cmd_resume(struct cli *cli, int argc, char **argv)
{
    return set_drained(cli, argc, argv, false);
}

static const struct cli_verb verbs[] = {
    {"list", "[--json]",
     "Shows every dialer and worker, whether it lives, and why one places no calls.",
     "furrow node list", cmd_list},
    {"drain", "SLOT",
     "A dialer, and with it its Asterisk, begins no more calls; the others take its "
     "share.\nIt holds until 'resume' or until that dialer is stopped.",
     "furrow node drain 0", cmd_drain},
    {"resume", "SLOT", "A drained dialer places calls again.", "furrow node resume 0",
     cmd_resume},
};

const struct cli_group cmd_node = {"node", "the dialers and workers that run", verbs,
                                   ARRAY_LEN(verbs)};
