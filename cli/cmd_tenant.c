/* furrow tenant - organisations that share an installation and see nothing of each other.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "cli/groups.h"

enum { NAME_MAX_BYTES = 63 };

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

static const struct cli_verb verbs[] = {
    {"add", "NAME",
     "Makes a tenant: an organisation with lists, campaigns and opt-outs of its own.",
     "furrow tenant add cooperative-jimma", add},
    {"list", "[--json]", "Every tenant of this installation.", "furrow tenant list",
     list},
};

const struct cli_group cmd_tenant = {
    "tenant", "organisations that share this installation", verbs, ARRAY_LEN(verbs)};
