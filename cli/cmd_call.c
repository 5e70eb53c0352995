/*
 * furrow call: list, hangup, redirect - calls that are up at providers, which are reached
 * by the provider's REST API with the account's token.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/flow_store.h"
#include "campaigns/provider_call_store.h"
#include "campaigns/provider_store.h"
#include "campaigns/voice_redirect_store.h"
#include "campaigns/voice_session_store.h"
#include "cli/fact_import.h"
#include "cli/groups.h"
#include "server/provider_control.h"

struct target {
    struct uuid call;
    bool has_flow; /* furrow-server runs it: it may be sent back to it */
    struct provider_call_news known;
    struct provider account;
};

static void target_wipe(struct target *t)
{
    provider_wipe(&t->account);
}

/* A call that is up has a session; one that is placed and not answered yet only a row. */
static int find(struct cli *cli, const char *name, struct target *t, int64_t *account_id)
{
    struct voice_live live;
    struct provider_call placed;

    int err = voice_call_named(cli->pg, cli->tenant_id, name, &live);
    if (!err) {
        t->call = live.call;
        t->has_flow = true;
        t->known.status = PROVIDER_CALL_UP;
        str_cut(t->known.call_id, sizeof(t->known.call_id), live.provider_call_id);
        *account_id = live.account_id;
        return CLI_OK;
    }
    if (err == ENOENT && uuid_parse(name, &t->call) == 0) {
        err = provider_call_load(cli->pg, cli->tenant_id, &t->call, &placed);
        if (!err) {
            t->known = placed.known;
            *account_id = placed.account_id;
            return CLI_OK;
        }
    }
    if (err == ENOENT)
        return cli_fail("no call '%.80s' at a provider; 'furrow call list' shows those "
                        "that are up",
                        name);
    return cli_fail("%s", pg_error(cli->pg));
}

static int load(struct cli *cli, const char *name, struct target *t)
{
    CLEANUP(secret_keys_wipe) struct secret_keys keys = {0};
    struct errtext e = {0};
    int64_t account_id = 0;

    *t = (struct target){.known = PROVIDER_CALL_NEWS};
    int code = cli_open_pg(cli);
    if (!code)
        code = find(cli, name, t, &account_id);
    if (code)
        return code;
    if (provider_call_is_over(t->known.status))
        return cli_fail("the call is over");
    if (secret_keys_read(&keys, cli->config.common.secret_key,
                         cli->config.common.secret_key_old, &e) ||
        provider_load(cli->pg, &keys, cli->tenant_id, account_id, &t->account, &e))
        return cli_fail("%s", e.text);
    return CLI_OK;
}

/* url NULL: hang up. *result: what the provider says of it. */
static int control(const struct target *t, const char *url, enum provider_control *result,
                   struct provider_call_news *why)
{
    struct http *http = NULL;

    if (http_new(&http, NULL))
        return cli_fail("no HTTP client");
    int err = provider_control(http, &t->account, &t->known, url, result, why);
    http_free(http);
    if (err)
        return cli_fail("%s does not answer at %s (%s)",
                        provider_kind_name(t->account.kind), t->account.settings.api_url,
                        strerror(err));
    switch (*result) {
    case PROVIDER_CONTROL_DONE:
        return CLI_OK;
    case PROVIDER_CONTROL_OVER:
        return cli_fail("the call is over");
    case PROVIDER_CONTROL_REFUSED:
        return cli_fail("%s refuses: %s %s", provider_kind_name(t->account.kind),
                        why->code, why->says);
    case PROVIDER_CONTROL_MAYBE:
        break;
    }
    return cli_fail("%s did not say whether it was done; it may be asked again",
                    provider_kind_name(t->account.kind));
}

/* ---- verbs ---- */

static int hangup(struct cli *cli, int argc, char **argv)
{
    CLEANUP(target_wipe) struct target t = {0};

    if (argc != 2)
        return cli_usage(argc < 2 ? "which call?" : "one call at a time");
    enum provider_control result;
    struct provider_call_news why;
    int code = load(cli, argv[1], &t);
    if (!code)
        code = control(&t, NULL, &result, &why);
    if (!code)
        puts("hung up");
    return code;
}

/* Where its flow is: each time another address, so that it is not known for the same
 * request. */
static int own_url(const struct cli *cli, const struct target *t, char *url, size_t size)
{
    char base[2 * PROVIDER_URL_MAX], id[UUID_TEXT_MAX];

    if (!t->has_flow)
        return cli_fail("it is not answered yet: 'furrow call hangup' takes it back");
    if (!provider_hook_url(&t->account, cli->config.common.public_url, base,
                           sizeof(base)))
        return cli_fail("set public_url (FURROW_PUBLIC_URL) to the address by which the "
                        "provider reaches furrow-server, or say --url");
    int n = snprintf(url, size, "%s/voice/%s?at=%lld", base, uuid_text(&t->call, id),
                     (long long)clock_real_ms());
    return n > 0 && (size_t)n < size ? CLI_OK : cli_fail("the address is too long");
}

/* Written down, and then asked of the provider: whatever becomes of that, the call's next
 * request finds it. */
static int into_flow(struct cli *cli, const struct target *t, const struct flow_row *flow,
                     const char *url)
{
    struct provider_call_news why = PROVIDER_CALL_NEWS;
    enum provider_control result = PROVIDER_CONTROL_MAYBE;
    enum voice_redirect state;

    int err = voice_redirect_ask(cli->pg, cli->tenant_id, &t->call, flow->revision_id,
                                 cli_user(), clock_now_ms(), &state);
    if (err)
        return err == ENOENT ? cli_fail("the call is over")
                             : cli_fail("%s", pg_error(cli->pg));
    if (state == VOICE_REDIRECT_THERE) {
        printf("the call is in flow '%s@%d' already\n", flow->name, flow->revision);
        return CLI_OK;
    }
    int code = control(t, url, &result, &why);
    if (!code)
        printf("redirected to flow '%s@%d'\n", flow->name, flow->revision);
    else if (result == PROVIDER_CONTROL_MAYBE)
        fprintf(stderr, "the call goes over to flow '%s@%d' with its next request\n",
                flow->name, flow->revision);
    else
        err = voice_redirect_drop(cli->pg, cli->tenant_id, &t->call,
                                  result == PROVIDER_CONTROL_OVER ? "over" : why.code,
                                  clock_now_ms());
    return err && err != ENOENT ? cli_fail("%s", pg_error(cli->pg)) : code;
}

static int to_flow(struct cli *cli, const struct target *t, const char *name,
                   const char *url)
{
    struct errtext e = {0};
    struct flow_row flow;

    if (flow_find(cli->pg, cli->tenant_id, name, &flow, &e))
        return cli_fail("%s", e.text);
    return into_flow(cli, t, &flow, url);
}

static int to_url(const struct target *t, const char *url)
{
    enum provider_control result;
    struct provider_call_news why;

    int code = control(t, url, &result, &why);
    if (!code)
        puts("redirected");
    return code;
}

static int redirect(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {{"url", required_argument, NULL, 'u'},
                                            {"flow", required_argument, NULL, 'f'},
                                            {0}};
    CLEANUP(target_wipe) struct target t = {0};
    const char *flow = NULL;
    char url[1024] = "";
    int code = CLI_OK;

    for (int o; !code && (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == 'f')
            flow = optarg;
        else if (o != 'u')
            code = CLI_USAGE;
        else if ((strncmp(optarg, "https://", 8) != 0 &&
                  strncmp(optarg, "http://", 7) != 0) ||
                 str_copy(url, sizeof(url), optarg))
            code = cli_usage("--url wants the address of a document, e.g. "
                             "https://voice.example.org/busy.xml");
    }
    if (code)
        return code;
    if (argc - optind != 1)
        return cli_usage(argc == optind ? "which call?" : "one call at a time");
    if (flow && url[0])
        return cli_usage("either --flow or --url");
    code = load(cli, argv[optind], &t);
    if (!code && !url[0])
        code = own_url(cli, &t, url, sizeof(url));
    if (code)
        return code;
    return flow ? to_flow(cli, &t, flow, url) : to_url(&t, url);
}

/* The last three digits, as elsewhere. */
static void mask(int64_t phone, char out[16])
{
    if (phone)
        snprintf(out, 16, "…%03d", (int)(phone % 1000));
    else
        snprintf(out, 16, "withheld");
}

static void show(const struct voice_live *c, int64_t now_ms)
{
    char id[UUID_TEXT_MAX], phone[16];

    mask(c->phone, phone);
    printf("%s  %-3s %-10s %5lld s  %s %s", uuid_text(&c->call, id),
           c->inbound ? "in" : "out", phone, (long long)(now_ms - c->begun_at_ms) / 1000,
           c->account, c->provider_call_id);
    if (c->agent[0])
        printf("  queue %s, agent %s", c->queue, c->agent);
    else if (c->queue[0])
        printf("  waits in queue %s", c->queue);
    putchar('\n');
}

static json_t *as_json(const struct voice_live *c)
{
    char id[UUID_TEXT_MAX], phone[16];

    mask(c->phone, phone);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "id",
                     uuid_text(&c->call, id), "direction", c->inbound ? "in" : "out",
                     "phone", phone, "account", c->account, "provider_id",
                     c->provider_call_id, "queue", c->queue, "agent", c->agent,
                     "begun_at_ms", (json_int_t)c->begun_at_ms);
}

static int list(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) struct voice_live *all = NULL;
    bool json = false;
    size_t n = 0;

    int code = cli_only_json(argc, argv, &json);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (voice_calls_live(cli->pg, cli->tenant_id, &all, &n))
        return cli_fail("%s", pg_error(cli->pg));
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(out, as_json(&all[i]));
        if (!json)
            show(&all[i], clock_now_ms());
    }
    if (json)
        return cli_print_json(out);
    json_decref(out);
    if (n == 0)
        puts("no calls are up at providers");
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {.name = "list",
     .arguments = "[--json]",
     .about =
         "Show the calls that are up at providers, those whose flow furrow-server runs.",
     .example = "furrow call list",
     .run = list},
    {.name = "hangup",
     .arguments = "ID",
     .about =
         "End a call that is up at a provider, or take back one that it still dials.\n\n"
         "  ID   ours, as 'furrow call list' shows it, an attempt's, or the "
         "provider's\n\n"
         "What it came to is told by the provider's webhooks, as of any other end.",
     .example = "furrow call hangup CA0123456789abcdef0123456789abcdef",
     .run = hangup},
    {.name = "redirect",
     .arguments = "ID [--flow NAME | --url URL]",
     .about =
         "Have a call that is up go on elsewhere than where it is.\n\n"
         "  --flow NAME   in another published flow, from its beginning, in the call's\n"
         "                language; NAME@3 is that revision. It is written down first:\n"
         "                should the provider not do it, the call goes over with its\n"
         "                next key. Asked again, nothing more comes of it.\n"
         "  --url URL     at a document in the provider's language\n\n"
         "Without either the call asks furrow-server again, and goes on where its flow "
         "is.",
     .example = "furrow call redirect CA0123456789abcdef0123456789abcdef --flow helpdesk",
     .run = redirect},
};

const struct cli_group cmd_call = {.name = "call",
                                   .about = "calls that are up at providers",
                                   .verbs = verbs,
                                   .verb_count = ARRAY_LEN(verbs)};
