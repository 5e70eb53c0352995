/* furrow tenant - organisations that share an installation and see nothing of each other.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "cli/groups.h"
#include "workers/retention.h"

enum { NAME_MAX_BYTES = 63, DAYS_MAX = 36500 };

static bool name_is_sound(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

    return n > 0 && n <= NAME_MAX_BYTES && !name[n] && name[0] != '_' && name[0] != '-';
}

static int add(struct cli *cli, int argc, char **argv)
{
    if (argc != 2)
        return cli_usage("one name, e.g. cooperative-jimma");
    if (!name_is_sound(argv[1]))
        return cli_usage("'%s' is no name for a tenant; small letters, digits, '-', '_'",
                         argv[1]);
    int code = cli_open_pg(cli);
    if (code)
        return code;
    int err = pg_tenant_add(cli->pg, argv[1]);
    if (err == EEXIST)
        return cli_fail("there is a tenant '%s' already", argv[1]);
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    printf("tenant '%s' is made; 'furrow --tenant %s COMMAND' works for it\n", argv[1],
           argv[1]);
    return CLI_OK;
}

static int list(struct cli *cli, int argc, char **argv)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    char made[CLOCK_TEXT_MAX];
    bool json = false;

    int code = cli_only_json(argc, argv, &json);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (pg_run(cli->pg, &res,
               "SELECT name, furrow_ms(created_at) FROM tenants ORDER BY name", NULL))
        return cli_fail("%s", pg_error(cli->pg));
    json_t *all = json_array();
    for (int i = 0; i < PQntuples(res); i++) {
        if (json)
            json_array_append_new(all,
                                  json_pack("{s:s, s:I}", "name", pg_text(res, i, 0),
                                            "created_ms", (json_int_t)pg_i64(res, i, 1)));
        else
            printf("%-30s made %s\n", pg_text(res, i, 0),
                   clock_text(pg_i64(res, i, 1), made));
    }
    if (json)
        return cli_print_json(all);
    json_decref(all);
    return CLI_OK;
}

/* "90d", "forever". */
static bool read_days(const char *text, int *days)
{
    int64_t n = 0;
    char number[16];
    size_t len = strlen(text);

    *days = 0;
    if (strcmp(text, "forever") == 0)
        return true;
    if (len < 2 || len > sizeof(number) || text[len - 1] != 'd')
        return false;
    memcpy(number, text, len - 1);
    number[len - 1] = '\0';
    if (!str_to_i64(number, &n) || n < 1 || n > DAYS_MAX)
        return false;
    *days = (int)n;
    return true;
}

static int show_kept(int days, bool json)
{
    if (json)
        return cli_print_json(days ? json_pack("{s:i}", "keep_recordings_days", days)
                                   : json_pack("{s:n}", "keep_recordings_days"));
    if (days)
        printf("audio of recordings is kept for %d days\n", days);
    else
        puts("audio of recordings is kept for ever");
    return CLI_OK;
}

static int keep(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {{"recordings", required_argument, NULL, 'r'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};
    struct errtext e = {0};
    bool json = false, set = false;
    int days = 0;

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        json |= o == 'j';
        if (o == 'r' && !(set = read_days(optarg, &days)))
            return cli_usage("--recordings is a number of days, e.g. 90d, or forever; "
                             "not '%s'",
                             optarg);
    }
    if (optind < argc)
        return cli_usage("unexpected argument '%s'", argv[optind]);
    if (cli_open_pg(cli))
        return CLI_FAILED;
    int err = set ? retention_set(cli->pg, cli->tenant_id, days, clock_now_ms(), &e)
                  : retention_load(cli->pg, cli->tenant_id, &days);
    return err ? cli_fail("%s", e.text[0] ? e.text : pg_error(cli->pg))
               : show_kept(days, json);
}

static const struct cli_verb verbs[] = {
    {"add", "NAME",
     "Makes a tenant: an organisation with lists, campaigns and opt-outs of its own.",
     "furrow tenant add cooperative-jimma", add},
    {"keep", "[--recordings 90d|forever] [--json]",
     "For how long the tenant keeps the audio of its recordings; without an option it "
     "says so.\n"
     "Older audio is deleted every hour, on the disk or in the bucket, once it is "
     "processed; rows,\n"
     "hashes and texts stay. 'furrow recordings expire --dry-run' says what that is.",
     "furrow tenant keep --recordings 90d", keep},
    {"list", "[--json]", "Every tenant of this installation.", "furrow tenant list",
     list},
};

const struct cli_group cmd_tenant = {
    "tenant", "organisations that share this installation", verbs, ARRAY_LEN(verbs)};
