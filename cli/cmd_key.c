/* furrow key - keys with which programs ask furrow-server over HTTP. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/pg.h"
#include "base/str.h"
#include "campaigns/api_key_store.h"
#include "cli/fact_import.h"
#include "cli/groups.h"

enum { SCOPES_MAX = 8, KEY_SHORT = 24 };

struct key_command {
    const char *name;
    const char *scopes[SCOPES_MAX];
    size_t scope_count;
    int64_t per_minute; /* -1: not said */
    char *given;        /* the secret of --key-file; free() */
    bool json;
};

static int read_given(const char *path, char **out)
{
    size_t len = 0;

    free(*out);
    *out = NULL;
    int err = files_read(path, API_KEY_MAX, out, &len);
    if (err)
        return cli_usage("--key-file %s: %s", path, strerror(err));
    (*out)[strcspn(*out, "\r\n")] = '\0';
    len = strlen(*out);
    for (const char *p = *out; *p; p++)
        if (*p <= ' ' || *p > '~')
            return cli_usage("%s holds no key: letters, digits and signs, no spaces",
                             path);
    if (len < API_KEY_MIN || len >= API_KEY_MAX)
        return cli_usage("the key in %s has %zu letters; want %d to %d", path, len,
                         API_KEY_MIN, API_KEY_MAX - 1);
    if (len < KEY_SHORT)
        fprintf(stderr, "that key is short; a new one cannot be guessed: leave out "
                        "--key-file\n");
    return CLI_OK;
}

static int read_limit(const char *text, int64_t *out)
{
    if (strcmp(text, "none") == 0) {
        *out = 0;
        return CLI_OK;
    }
    if (!str_to_i64(text, out) || *out < 1 || *out > API_KEY_PER_MINUTE_MAX)
        return cli_usage("--per-minute is 1 to %d, or none", API_KEY_PER_MINUTE_MAX);
    return CLI_OK;
}

static int parse(struct key_command *c, int argc, char **argv)
{
    static const struct option options[] = {{"scope", required_argument, NULL, 's'},
                                            {"per-minute", required_argument, NULL, 'm'},
                                            {"key-file", required_argument, NULL, 'k'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};
    int code = CLI_OK;

    c->per_minute = -1;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        c->json |= o == 'j';
        if (o == 'm')
            code = read_limit(optarg, &c->per_minute);
        if (o == 'k')
            code = read_given(optarg, &c->given);
        if (code)
            return code;
        if (o != 's')
            continue;
        if (!api_key_scope_is_known(optarg))
            return cli_usage(
                "there is no scope '%s'; there are: opt_outs, sms, voice, admin", optarg);
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
        code = cli_usage("--scope says what it may do: opt_outs, sms, voice, admin");
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    const struct api_key_new k = {.name = c.name,
                                  .scopes = c.scopes,
                                  .scope_count = c.scope_count,
                                  .per_minute = c.per_minute > 0 ? (int)c.per_minute : 0,
                                  .given = c.given,
                                  .by_user = cli_user()};
    int err = api_key_create(cli->pg, cli->tenant_id, &k, clock_now_ms(), secret);
    bool given = c.given != NULL;
    free(c.given);
    if (err == EEXIST && given)
        return cli_fail("a key '%s' works already, or that key was used before", c.name);
    if (err == EEXIST)
        return cli_fail("a key '%s' works already; 'furrow key revoke %s' ends it",
                        c.name, c.name);
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    if (c.json)
        return cli_print_json(
            json_pack("{s:s, s:s?}", "name", c.name, "key", given ? NULL : secret));
    if (given) {
        printf("key '%s' works, as its user has it\n", c.name);
        return CLI_OK;
    }
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

static int limit(struct cli *cli, int argc, char **argv)
{
    struct key_command c = {0};

    int code = open_named(&c, cli, argc, argv);
    if (code)
        return code;
    if (c.per_minute < 0)
        return cli_usage("--per-minute says how often it may ask; none ends the limit");
    int err = api_key_limit(cli->pg, cli->tenant_id, c.name, (int)c.per_minute);
    if (err == ENOENT)
        return cli_fail("no key '%s' works; 'furrow key list' has them", c.name);
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    if (c.per_minute)
        printf("key '%s' may ask %lld times a minute\n", c.name, (long long)c.per_minute);
    else
        printf("key '%s' may ask as often as it likes\n", c.name);
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
    if (json_array_size(all) == 0)
        puts("no keys; 'furrow key create' makes one");
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
        const json_t *per_minute = json_object_get(row, "per_minute");
        if (json_is_integer(per_minute))
            printf("; %lld times a minute", (long long)json_integer_value(per_minute));
        printf("%s%s\n", revoked_ms ? "; REVOKED " : "",
               revoked_ms ? clock_text(revoked_ms, ended) : "");
    }
    json_decref(all);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {"create",
     "NAME --scope SCOPE [--scope SCOPE …] [--per-minute N] [--key-file FILE] [--json]",
     "Makes a key and shows it once. Scopes: opt_outs (POST /v1/opt-outs), sms (POST "
     "/v1/sms/inbound), voice (the voice API). --key-file: the key that its user has "
     "from "
     "another system goes on working here.",
     "furrow key create website --scope opt_outs", create},
    {"limit", "NAME --per-minute N|none",
     "How often it may ask, from the next request on; above that it is answered 429.",
     "furrow key limit app --per-minute 60", limit},
    {"revoke", "NAME", "The key works no more, from the next request on.",
     "furrow key revoke website", revoke},
    {"list", "[--json]", "Every key, what it may do, and those that were revoked.",
     "furrow key list", list},
};

const struct cli_group cmd_key = {"key", "keys for programs that ask over HTTP", verbs,
                                  ARRAY_LEN(verbs)};
