/* furrow sms set, show, unset - how the tenant's messages leave. */
#include "cli/sms.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/money.h"
#include "base/pg.h"
#include "base/str.h"
#include "campaigns/message_settings_store.h"

static int copy_text(char *out, size_t size, const char *given, const char *option)
{
    if (given && str_copy(out, size, given))
        return cli_usage("%s is longer than %zu characters", option, size - 1);
    return CLI_OK;
}

static int take_texts(const struct sms_command *c, struct message_settings *s)
{
    int code = copy_text(s->account, sizeof(s->account), c->account, "--account");

    if (!code)
        code = copy_text(s->sender, sizeof(s->sender), c->sender, "--sender");
    if (!code)
        code = copy_text(s->zone, sizeof(s->zone), c->zone, "--zone");
    if (!code)
        code = copy_text(s->service, sizeof(s->service), c->service, "--service");
    if (!code)
        code = copy_text(s->currency, sizeof(s->currency), c->currency, "--currency");
    return code;
}

static int take_options(const struct sms_command *c, struct message_settings *s)
{
    int code = take_texts(c, s);

    if (code)
        return code;
    if (c->cap && !str_to_i64(c->cap, &s->daily_cap))
        return cli_usage("--daily-cap is a number of messages, 0 for none; not '%s'",
                         c->cap);
    if (c->price && !money_parse(c->price, &s->price_micros))
        return cli_usage("--price is what a segment costs, e.g. 0.02; not '%s'",
                         c->price);
    if (c->transliterate && !str_is(c->transliterate, "yes") &&
        !str_is(c->transliterate, "no"))
        return cli_usage("--transliterate is yes or no, not '%s'", c->transliterate);
    if (c->transliterate)
        s->transliterate = str_is(c->transliterate, "yes");
    return CLI_OK;
}

int sms_set(struct cli *cli, int argc, char **argv)
{
    struct sms_command c = {0};
    struct message_settings s = {.zone = "Etc/UTC"};
    struct errtext e = {0};

    int code = sms_parse(&c, argc, argv, "asczptuv", 0);
    if (!code && !c.account && !c.sender && !c.cap && !c.zone && !c.transliterate &&
        !c.price && !c.currency && !c.service)
        code = cli_usage("say what is to change, e.g. --account main --sender +15550100");
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    int err = message_settings_load(cli->pg, cli->tenant_id, &s);
    if (err && err != ENOENT)
        return cli_fail("%s", pg_error(cli->pg));
    if (err == ENOENT && !c.account)
        return cli_usage("say through which account they leave with --account; "
                         "'furrow provider list' shows them");
    code = take_options(&c, &s);
    if (code)
        return code;
    if (message_settings_save(cli->pg, cli->tenant_id, &s, clock_now_ms(), &e))
        return cli_fail("%s", e.text);
    printf("messages leave through '%s' from now on%s%s\n", s.account,
           s.sender[0] ? ", from " : "", s.sender);
    return CLI_OK;
}

static json_t *settings_json(const struct message_settings *s)
{
    return json_pack("{s:s, s:s, s:I, s:s, s:b, s:I, s:s, s:s}", "account", s->account,
                     "sender", s->sender, "daily_cap", (json_int_t)s->daily_cap, "zone",
                     s->zone, "transliterate", s->transliterate, "price_micros",
                     (json_int_t)s->price_micros, "currency", s->currency, "service",
                     s->service);
}

static void tell_settings(const struct message_settings *s)
{
    char price[MONEY_TEXT_MAX];

    printf("messages leave through '%s'\n  sender         %s\n", s->account,
           s->sender[0] ? s->sender : "the account's own");
    if (s->daily_cap > 0)
        printf("  daily cap      %lld messages, a day of %s\n", (long long)s->daily_cap,
               s->zone);
    else
        printf("  daily cap      none (days of %s)\n", s->zone);
    printf("  transliterate  %s\n", s->transliterate ? "yes" : "no");
    if (s->price_micros > 0)
        printf("  price          %s %s a segment\n", money_text(s->price_micros, price),
               s->currency);
    else
        puts("  price          as the provider reports it");
    printf("  service        %s\n",
           s->service[0] ? s->service : "as furrow-worker is configured (sms_service)");
}

int sms_show(struct cli *cli, int argc, char **argv)
{
    struct sms_command c = {0};
    struct message_settings s = {0};

    int code = sms_parse(&c, argc, argv, "j", 0);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    int err = message_settings_load(cli->pg, cli->tenant_id, &s);
    if (err && err != ENOENT)
        return cli_fail("%s", pg_error(cli->pg));
    if (c.json)
        return cli_print_json(err ? json_null() : settings_json(&s));
    if (err)
        puts("nothing is set: messages leave as furrow-worker is configured "
             "(sms_provider)");
    else
        tell_settings(&s);
    return CLI_OK;
}

int sms_unset(struct cli *cli, int argc, char **argv)
{
    struct sms_command c = {0};

    int code = sms_parse(&c, argc, argv, "", 0);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    int err = message_settings_remove(cli->pg, cli->tenant_id);
    if (err && err != ENOENT)
        return cli_fail("%s", pg_error(cli->pg));
    puts("messages leave as furrow-worker is configured (sms_provider)");
    return CLI_OK;
}
