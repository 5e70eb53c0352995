/* furrow key - keys with which programs ask furrow-server over HTTP. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "campaigns/api_key_store.h"
#include "cli/fact_import.h"
#include "cli/groups.h"

enum { SCOPES_MAX = 8 };

struct key_command {
    const char *name;
    const char *scopes[SCOPES_MAX];
    size_t scope_count;
    bool json;
};

static int parse(struct key_command *c, int argc, char **argv)
{
    static const struct option options[] = {
        {"scope", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'}, {0}};

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        c->json |= o == 'j';
        if (o != 's')
            continue;
        if (!api_key_scope_is_known(optarg))
            return cli_usage("there is no scope '%s'; there are: opt_outs, sms", optarg);
        if (c->scope_count == SCOPES_MAX)
            return cli_usage("at most %d scopes", SCOPES_MAX);
        c->scopes[c->scope_count++] = optarg;
    }
    if (argc - optind > 1)
        return cli_usage("one key at a time");
    c->name = optind < argc ? argv[optind] : NULL;
    if (c->name && !api_key_name_is_sound(c->name))
        return cli_usage(
            "'%s' is no name for a key; small letters, digits, '.', '-', '_', "
            "e.g. website",
            c->name);
    return CLI_OK;
}

static int open_named(struct key_command *c, struct cli *cli, int argc, char **argv)
{
    int code = parse(c, argc, argv);

    if (!code && !c->name)
        code = cli_usage("which key? e.g. website");
    return code ? code : cli_open_pg(cli);
}

static int create(struct cli *cli, int argc, char **argv)
{
    struct key_command c = {0};
    char secret[API_KEY_MAX];

    int code = parse(&c, argc, argv);
    if (!code && !c.name)
        code = cli_usage("what is its name? e.g. website");
    if (!code && c.scope_count == 0)
        code = cli_usage("--scope says what it may do: opt_outs, sms");
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    int err = api_key_create(cli->pg, cli->tenant_id, c.name, c.scopes, c.scope_count,
                             cli_user(), clock_now_ms(), secret);
    if (err == EEXIST)
        return cli_fail("a key '%s' works already; 'furrow key revoke %s' ends it",
                        c.name, c.name);
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    if (c.json)
        return cli_print_json(json_pack("{s:s, s:s}", "name", c.name, "key", secret));
    puts(secret);
    fprintf(stderr, "this is shown once; send it as 'Authorization: Bearer %.6s…'\n",
            secret);
    return CLI_OK;
}

static int revoke(struct cli *cli, int argc, char **argv)
{
    struct key_command c = {0};

    int code = open_named(&c, cli, argc, argv);
    if (code)
        return code;
    int err = api_key_revoke(cli->pg, cli->tenant_id, c.name, clock_now_ms());
    if (err == ENOENT)
        return cli_fail("no key '%s' works; 'furrow key list' has them", c.name);
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    printf("key '%s' works no more\n", c.name);
    return CLI_OK;
}

static int list(struct cli *cli, int argc, char **argv)
{
    struct key_command c = {0};
    char made[CLOCK_TEXT_MAX], ended[CLOCK_TEXT_MAX];
    json_t *all = NULL, *row = NULL, *scope = NULL;
    size_t i = 0, k = 0;

    int code = parse(&c, argc, argv);
    if (!code && c.name)
        code = cli_usage("unexpected argument '%s'", c.name);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (api_key_list(cli->pg, cli->tenant_id, &all))
        return cli_fail("%s", pg_error(cli->pg));
    if (c.json)
        return cli_print_json(all);
    json_array_foreach(all, i, row)
    {
        int64_t revoked_ms = json_integer_value(json_object_get(row, "revoked_ms"));
        printf("%-20s made %s by %s, may:", cli_text(row, "name"),
               clock_text(json_integer_value(json_object_get(row, "created_ms")), made),
               cli_text(row, "by"));
        json_array_foreach(json_object_get(row, "scopes"), k, scope)
        {
            printf(" %s", json_string_value(scope));
        }
        printf("%s%s\n", revoked_ms ? "; REVOKED " : "",
               revoked_ms ? clock_text(revoked_ms, ended) : "");
    }
    json_decref(all);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {"create", "NAME --scope SCOPE [--scope SCOPE …] [--json]",
     "Makes a key and shows it once. Scopes: opt_outs (POST /v1/opt-outs), sms (POST "
     "/v1/sms/inbound).",
     "furrow key create website --scope opt_outs", create},
    {"revoke", "NAME", "The key works no more, from the next request on.",
     "furrow key revoke website", revoke},
    {"list", "[--json]", "Every key, what it may do, and those that were revoked.",
     "furrow key list", list},
};

const struct cli_group cmd_key = {"key", "keys for programs that ask over HTTP", verbs,
                                  ARRAY_LEN(verbs)};
