/* furrow provider - accounts at providers of calls and messages. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/provider_store.h"
#include "cli/groups.h"
#include "cli/settings.h"

struct provider_command {
    struct provider given;
    const char *kind, *account, *settings, *token_file, *signing_file, *name;
    bool json;
};

static void command_wipe(struct provider_command *c)
{
    provider_wipe(&c->given);
}

static const struct option options[] = {
    {"kind", required_argument, NULL, 'k'},
    {"account", required_argument, NULL, 'a'},
    {"settings", required_argument, NULL, 's'},
    {"token-file", required_argument, NULL, 't'},
    {"signing-token-file", required_argument, NULL, 'g'},
    {"json", no_argument, NULL, 'j'},
    {0}};

static int parse(struct provider_command *c, int argc, char **argv, const char *allowed)
{
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        if (!strchr(allowed, o))
            return cli_usage("'%s' takes no such option; see '%s --help'", argv[0],
                             argv[0]);
        const char **at = o == 'k'   ? &c->kind
                          : o == 'a' ? &c->account
                          : o == 's' ? &c->settings
                          : o == 't' ? &c->token_file
                                     : &c->signing_file;
        if (o == 'j')
            c->json = true;
        else
            *at = optarg;
    }
    if (argc - optind > 1)
        return cli_usage("one provider at a time");
    c->name = optind < argc ? argv[optind] : NULL;
    return CLI_OK;
}

static int parse_named(struct provider_command *c, int argc, char **argv,
                       const char *allowed)
{
    int code = parse(c, argc, argv, allowed);

    if (!code && !c->name)
        code = cli_usage("which provider? e.g. main");
    if (!code && str_copy(c->given.name, sizeof(c->given.name), c->name))
        code = cli_usage("'%.40s…' is too long for a name", c->name);
    return code;
}

/* A token never stands on a command line, where everybody on the machine reads it. */
static int read_token(const char *file, char *out, size_t size)
{
    FILE *f = str_is(file, "-") ? stdin : fopen(file, "re");
    size_t n = f ? fread(out, 1, size, f) : 0;
    bool bad = !f || ferror(f);

    if (f && f != stdin)
        fclose(f);
    if (bad)
        return cli_fail("%s: %s", file, strerror(errno));
    if (n == size)
        return cli_fail("%s: a token has at most %zu characters", file, size - 1);
    out[n] = '\0';
    while (n > 0 && strchr("\r\n", out[n - 1]))
        out[--n] = '\0';
    return *out ? CLI_OK : cli_fail("%s: there is no token in it", file);
}

static int take_options(struct provider_command *c)
{
    struct provider *p = &c->given;
    int code = CLI_OK;

    if (c->account && str_copy(p->account, sizeof(p->account), c->account))
        return cli_usage("--account is too long");
    if (c->settings && str_copy(p->settings_json, sizeof(p->settings_json), c->settings))
        return cli_usage("--settings is too long");
    if (c->token_file) {
        code = read_token(c->token_file, p->token, sizeof(p->token));
        if (!code) /* unless one is stated too */
            memcpy(p->signing_token, p->token, sizeof(p->token));
    }
    if (!code && c->signing_file)
        code = read_token(c->signing_file, p->signing_token, sizeof(p->signing_token));
    return code;
}

static int open_keys(const struct cli *cli, struct secret_keys *keys)
{
    struct errtext e = {0};

    if (secret_keys_read(keys, cli->config.common.secret_key,
                         cli->config.common.secret_key_old, &e))
        return cli_fail("%s", e.text);
    return CLI_OK;
}

struct hook_address {
    const char *label, *key, *path, *twilio, *plivo, *others; /* NULL: has none of it */
};

/* In the words of each provider's console. */
static const struct hook_address addresses[] = {
    {"calls in", "answer_url", "voice", "the number's 'A call comes in', POST",
     "the application's answer URL, POST", NULL},
    {"calls' end", "status_url", "status", "the number's 'Call status changes', POST",
     "the application's hangup URL, POST", NULL},
    {"messages", "message_url", "sms", "the number's 'A message comes in', POST",
     "the messaging application's message URL, POST", "messages that come in, POST"},
    {"reports", "report_url", "message", NULL, NULL, "delivery reports, POST"},
};

/* What is only told there comes again, if it was not taken. */
static const char *again(const struct hook_address *a, enum provider_kind kind)
{
    const bool twilio = kind == PROVIDER_TWILIO;
    const bool call = strcmp(a->path, "status") == 0, text = strcmp(a->path, "sms") == 0;

    return (call && (twilio || kind == PROVIDER_PLIVO)) || (text && twilio)
               ? PROVIDER_TELL_AGAIN
               : "";
}

static const char *address_is(const struct hook_address *a, enum provider_kind kind)
{
    return kind == PROVIDER_TWILIO  ? a->twilio
           : kind == PROVIDER_PLIVO ? a->plivo
                                    : a->others;
}

static void tell_hooks(const struct cli *cli, const struct provider *p)
{
    char url[2 * PROVIDER_URL_MAX];

    if (!provider_hook_url(p, cli->config.common.public_url, url, sizeof(url))) {
        puts("  webhooks  not reachable: set public_url (FURROW_PUBLIC_URL) to the "
             "address "
             "by which the\n            provider reaches furrow-server");
        return;
    }
    puts("  enter at the provider's console:");
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        const struct hook_address *a = &addresses[i];
        const char *is = address_is(a, p->kind), *tail = again(a, p->kind);
        if (is)
            printf("  %-11s %s/%s%s%*s (%s)\n", a->label, url, a->path, tail,
                   *tail ? 0 : (int)(8 - strlen(a->path)), "", is);
    }
}

static void add_hooks(const char *base, const struct provider *p, json_t *to)
{
    char url[2 * PROVIDER_URL_MAX + 64];

    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        if (!address_is(&addresses[i], p->kind))
            continue;
        snprintf(url, sizeof(url), "%s/%s%s", base, addresses[i].path,
                 again(&addresses[i], p->kind));
        json_object_set_new(to, addresses[i].key, json_string(url));
    }
}

/* ---- verbs ---- */

static int key(struct cli *cli, int argc, char **argv)
{
    char text[SECRET_KEY_TEXT_MAX];

    (void)cli;
    if (argc > 1)
        return cli_usage("unexpected argument '%s'", argv[1]);
    secret_key_new(text);
    puts(text);
    fputs("keep it: give it to every program as FURROW_SECRET_KEY; without it no token "
          "opens again\n",
          stderr);
    return CLI_OK;
}

/* A part of one is no error here, and 401 of each request later. */
static void doubt_account(const struct provider *p)
{
    static const char hex[] = "0123456789abcdefABCDEF";
    const char *id = p->account;

    if (p->kind == PROVIDER_TWILIO &&
        (strncmp(id, "AC", 2) != 0 || strlen(id) != 34 || strspn(id + 2, hex) != 32))
        fprintf(stderr, "is '%s' whole? an account SID is AC and 32 hex digits\n", id);
    if (p->kind == PROVIDER_PLIVO && strlen(id) != 20)
        fprintf(stderr, "is '%s' whole? an auth id is MA or SA and 18 letters\n", id);
}

static int add(struct cli *cli, int argc, char **argv)
{
    CLEANUP(command_wipe)
    struct provider_command c = {.given.settings_json = "{}"};
    CLEANUP(secret_keys_wipe) struct secret_keys keys = {0};
    struct errtext e = {0};

    int code = parse_named(&c, argc, argv, "kastg");
    if (!code && (!c.kind || !provider_kind_find(c.kind, &c.given.kind)))
        code =
            cli_usage("say what it is with --kind twilio, plivo, africastalking or http");
    if (!code && !c.token_file)
        code = cli_usage("--token-file says where its token stands; - is standard input");
    if (!code)
        code = take_options(&c);
    if (!code)
        code = open_keys(cli, &keys);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (provider_add(cli->pg, &keys, cli->tenant_id, &c.given, clock_now_ms(), &e))
        return cli_fail("%s", e.text);
    printf("provider '%s' (%s) is there, its token sealed\n", c.given.name, c.kind);
    tell_hooks(cli, &c.given);
    doubt_account(&c.given);
    return CLI_OK;
}

static int set(struct cli *cli, int argc, char **argv)
{
    CLEANUP(command_wipe) struct provider_command c = {0};
    CLEANUP(secret_keys_wipe) struct secret_keys keys = {0};
    struct errtext e = {0};

    int code = parse_named(&c, argc, argv, "astg");
    if (!code && !c.account && !c.settings && !c.token_file && !c.signing_file)
        code = cli_usage("say what is to change: --account, --settings, --token-file or "
                         "--signing-token-file");
    if (!code)
        code = open_keys(cli, &keys);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    const char *change = c.settings;
    c.settings = NULL;
    /* A new token is stated just because the old one does not open. */
    if (provider_find(cli->pg, c.token_file ? NULL : &keys, cli->tenant_id, c.name,
                      &c.given, &e))
        return cli_fail("%s", e.text);
    CLEANUP(free_cleanup) char *before = xstrdup(c.given.settings_json);
    code = take_options(&c);
    if (!code && change)
        code =
            settings_merge(c.given.settings_json, sizeof(c.given.settings_json), change);
    if (code)
        return code;
    if (provider_set(cli->pg, &keys, cli->tenant_id, &c.given, clock_now_ms(), &e))
        return cli_fail("%s", e.text);
    printf("provider '%s' is changed\n", c.given.name);
    settings_tell(before, c.given.settings_json);
    return CLI_OK;
}

static json_t *to_json(const struct cli *cli, const struct provider *p)
{
    char url[2 * PROVIDER_URL_MAX];
    bool known = provider_hook_url(p, cli->config.common.public_url, url, sizeof(url));

    json_t *out =
        json_pack("{s:s, s:s, s:s, s:s?, s:o}", "name", p->name, "kind",
                  provider_kind_name(p->kind), "account", p->account, "webhooks",
                  known ? url : NULL, "settings", json_loads(p->settings_json, 0, NULL));

    if (known)
        add_hooks(url, p, out);
    return out;
}

static int list(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) struct provider *all = NULL;
    struct provider_command c = {0};
    size_t n = 0;

    int code = parse(&c, argc, argv, "j");
    if (!code && c.name)
        code = cli_usage("unexpected argument '%s'", c.name);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (provider_list(cli->pg, cli->tenant_id, &all, &n))
        return cli_fail("%s", pg_error(cli->pg));
    if (c.json) {
        json_t *rows = json_array();
        for (size_t i = 0; i < n; i++)
            json_array_append_new(rows, to_json(cli, &all[i]));
        return cli_print_json(rows);
    }
    if (n == 0)
        puts("no accounts; 'furrow provider add' makes one");
    for (size_t i = 0; i < n; i++)
        printf("%-20s %-14s %s\n", all[i].name, provider_kind_name(all[i].kind),
               all[i].account);
    return CLI_OK;
}

static int show(struct cli *cli, int argc, char **argv)
{
    struct provider_command c = {0};
    struct errtext e = {0};

    int code = parse_named(&c, argc, argv, "j");
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (provider_find(cli->pg, NULL, cli->tenant_id, c.name, &c.given, &e))
        return cli_fail("%s", e.text);
    if (c.json)
        return cli_print_json(to_json(cli, &c.given));
    printf("provider '%s'\n  kind      %s\n  account   %s\n  settings  %s\n",
           c.given.name, provider_kind_name(c.given.kind), c.given.account,
           c.given.settings_json);
    tell_hooks(cli, &c.given);
    return CLI_OK;
}

static int remove_one(struct cli *cli, int argc, char **argv)
{
    struct provider_command c = {0};
    struct errtext e = {0};

    int code = parse_named(&c, argc, argv, "");
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (provider_remove(cli->pg, cli->tenant_id, c.name, &e))
        return cli_fail("%s", e.text);
    printf("provider '%s' removed; its webhooks are refused from now on\n", c.name);
    return CLI_OK;
}

static int reseal(struct cli *cli, int argc, char **argv)
{
    CLEANUP(secret_keys_wipe) struct secret_keys keys = {0};
    struct provider_command c = {0};
    struct errtext e = {0};
    size_t n = 0;

    int code = parse(&c, argc, argv, "");
    if (!code && c.name)
        code = cli_usage("unexpected argument '%s'", c.name);
    if (!code)
        code = open_keys(cli, &keys);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (provider_reseal(cli->pg, &keys, cli->tenant_id, clock_now_ms(), &n, &e))
        return cli_fail("%s", e.text);
    printf("%zu sealed with FURROW_SECRET_KEY\n", n);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {"key", "", "Print a new key that seals tokens, for FURROW_SECRET_KEY.",
     "furrow provider key > /etc/furrow/secret.key", key},
    {"add",
     "NAME --kind twilio|plivo|africastalking|http --token-file FILE\n"
     "                    [--account ID] [--signing-token-file FILE] [--settings JSON]",
     "Say through which account calls and messages go. Its token is read from a file (- "
     "is standard\ninput) and sealed in the database.\n\n"
     "  --account ID              Twilio's account SID, Plivo's auth id, Africa's "
     "Talking's "
     "user name\n"
     "  --token-file FILE         its auth token, API secret or API key\n"
     "  --signing-token-file FILE what its webhooks are signed with, when that is "
     "another "
     "one\n"
     "  --settings JSON           an object of its settings: docs/providers.md lists "
     "them",
     "furrow provider add main --kind twilio --account AC0123 --token-file - < token",
     add},
    {"set",
     "NAME [--account ID] [--token-file FILE] [--signing-token-file FILE] [--settings "
     "JSON]",
     "Change an account; what is not named stays, of the settings too. null takes a "
     "setting away.",
     "furrow provider set main --settings '{\"cps\": 2, \"public_url\": null}'", set},
    {"list", "[--json]", "All accounts, without their tokens.", "furrow provider list",
     list},
    {"show", "NAME [--json]",
     "One account, and the addresses to enter at the provider's console.",
     "furrow provider show main", show},
    {"remove", "NAME", "Remove an account that nothing goes through any more.",
     "furrow provider remove old", remove_one},
    {"reseal", "",
     "Seal every token with FURROW_SECRET_KEY; those sealed before it are opened with "
     "FURROW_SECRET_KEY_OLD.",
     "FURROW_SECRET_KEY_OLD=$old furrow provider reseal", reseal},
};

const struct cli_group cmd_provider = {
    "provider", "accounts at providers of calls and messages", verbs, ARRAY_LEN(verbs)};
