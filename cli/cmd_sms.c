/* furrow sms - how the tenant's messages leave, and what became of them. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/money.h"
#include "base/pg.h"
#include "base/str.h"
#include "campaigns/message_settings_store.h"
#include "cli/groups.h"
#include "cli/sms.h"
#include "contacts/phone.h"

enum { LIST_DEFAULT = 50, LIST_MAX = 10000 };

static const struct option options[] = {{"account", required_argument, NULL, 'a'},
                                        {"sender", required_argument, NULL, 's'},
                                        {"daily-cap", required_argument, NULL, 'c'},
                                        {"zone", required_argument, NULL, 'z'},
                                        {"transliterate", required_argument, NULL, 't'},
                                        {"price", required_argument, NULL, 'p'},
                                        {"currency", required_argument, NULL, 'u'},
                                        {"service", required_argument, NULL, 'v'},
                                        {"state", required_argument, NULL, 'S'},
                                        {"limit", required_argument, NULL, 'l'},
                                        {"region", required_argument, NULL, 'r'},
                                        {"wait", no_argument, NULL, 'w'},
                                        {"json", no_argument, NULL, 'j'},
                                        {0}};

static const char **text_of(struct sms_command *c, int option)
{
    switch (option) {
    case 'a':
        return &c->account;
    case 's':
        return &c->sender;
    case 'c':
        return &c->cap;
    case 'z':
        return &c->zone;
    case 't':
        return &c->transliterate;
    case 'p':
        return &c->price;
    case 'u':
        return &c->currency;
    case 'v':
        return &c->service;
    case 'S':
        return &c->state;
    case 'l':
        return &c->limit;
    default:
        return &c->region;
    }
}

int sms_parse(struct sms_command *c, int argc, char **argv, const char *allowed,
              int words)
{
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        if (!strchr(allowed, o))
            return cli_usage("'%s' takes no such option; see 'furrow sms %s --help'",
                             argv[0], argv[0]);
        if (o == 'j')
            c->json = true;
        else if (o == 'w')
            c->wait = true;
        else
            *text_of(c, o) = optarg;
    }
    if (argc - optind > words)
        return cli_usage("unexpected argument '%s'", argv[optind + words]);
    if (argc - optind < words)
        return cli_usage(
            "a number and a text, e.g. furrow sms test +251911223344 \"Hello\"");
    return CLI_OK;
}

/* ---- figures ---- */

static int64_t int_in(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void tell_waiting(const json_t *status)
{
    int64_t left_min = (int_in(status, "until_ms") - clock_now_ms()) / 60000;

    printf("  wait           %lld until the day ends, in %lld h %02lld min: the cap is "
           "reached\n",
           (long long)int_in(status, "waiting"), (long long)(left_min / 60),
           (long long)(left_min % 60));
}

static void tell_status(const json_t *status)
{
    const char *key = NULL;
    json_t *item = NULL;
    size_t i = 0;
    char cost[MONEY_TEXT_MAX];

    printf("messages of %s (%s)\n", cli_text(status, "day"), cli_text(status, "zone"));
    json_object_foreach(json_object_get(status, "states"), key, item)
        printf("  %-13s  %lld\n", key, (long long)json_integer_value(item));
    printf("  segments       %lld\n", (long long)int_in(status, "segments"));
    json_array_foreach(json_object_get(status, "costs"), i, item)
        printf("  cost           %s %s\n", money_text(int_in(item, "micros"), cost),
               cli_text(item, "currency"));
    if (int_in(status, "cap") > 0)
        printf("  cap            %lld of %lld used\n",
               (long long)int_in(status, "counted"), (long long)int_in(status, "cap"));
    if (int_in(status, "waiting") > 0)
        tell_waiting(status);
}

static int status(struct cli *cli, int argc, char **argv)
{
    struct sms_command c = {0};
    json_t *all = NULL;

    int code = sms_parse(&c, argc, argv, "j", 0);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (message_status(cli->pg, cli->tenant_id, clock_now_ms(), &all))
        return cli_fail("%s", pg_error(cli->pg));
    if (c.json)
        return cli_print_json(all);
    tell_status(all);
    json_decref(all);
    return CLI_OK;
}

static void tell_message(const json_t *m)
{
    char phone[PHONE_TEXT_MAX], cost[MONEY_TEXT_MAX] = "";
    int64_t micros = int_in(m, "price_micros");

    printf("%.19s  %-15s %-8s %-11s %lld × %-5s  %s%s%s", cli_text(m, "created_at"),
           phone_text(int_in(m, "phone"), phone), cli_text(m, "kind"),
           cli_text(m, "state"), (long long)int_in(m, "segments"),
           cli_text(m, "encoding"), micros > 0 ? money_text(micros, cost) : "",
           micros > 0 ? " " : "", cli_text(m, "currency"));
    if (*cli_text(m, "waits_until"))
        printf("  waits until %.19s", cli_text(m, "waits_until"));
    printf("%s%s\n", *cli_text(m, "error") ? "  " : "", cli_text(m, "error"));
}

static int list(struct cli *cli, int argc, char **argv)
{
    static const char *const states[] = {"queued",      "sent",   "delivered",
                                         "undelivered", "failed", "refused"};
    struct sms_command c = {0};
    int64_t limit = LIST_DEFAULT;
    json_t *all = NULL, *m = NULL;
    bool known = false;
    size_t i = 0;

    int code = sms_parse(&c, argc, argv, "jSl", 0);
    for (size_t k = 0; k < ARRAY_LEN(states); k++)
        known |= str_is(c.state, states[k]);
    if (!code && c.state && !known)
        code = cli_usage("--state is queued, sent, delivered, undelivered, failed or "
                         "refused; not '%s'",
                         c.state);
    if (!code && c.limit &&
        (!str_to_i64(c.limit, &limit) || limit < 1 || limit > LIST_MAX))
        code = cli_usage("--limit is 1 to %d", LIST_MAX);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (message_list(cli->pg, cli->tenant_id, c.state, limit, &all))
        return cli_fail("%s", pg_error(cli->pg));
    if (c.json)
        return cli_print_rows(all);
    json_array_foreach(all, i, m) tell_message(m);
    json_decref(all);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {"set",
     "--account NAME --sender S [--daily-cap N] [--zone Z] [--transliterate yes|no]\n"
     "               [--price P --currency C] [--service NAME]",
     "Say how messages leave; what is not named stays.\n\n"
     "  --account NAME     one of 'furrow provider list'\n"
     "  --sender S         number, short code or name; with Twilio also a messaging "
     "service (MG…),\n"
     "                     with Plivo also a powerpack\n"
     "  --daily-cap N      messages a day; what is above waits for the next day; 0 none\n"
     "  --zone Z           whose midnight ends the day, e.g. Africa/Addis_Ababa\n"
     "  --transliterate    yes: curly quotes, dashes and accents leave as their plain "
     "look-alikes where\n"
     "                     that makes the whole text GSM-7; Amharic is never touched\n"
     "  --price P          of a segment, until the provider says another, in --currency\n"
     "  --service NAME     who we are, in receipts, errors and answers to HELP, STOP and "
     "START",
     "furrow sms set --account main --sender +15550100 --daily-cap 5000 --zone "
     "Africa/Addis_Ababa",
     sms_set},
    {"show", "[--json]", "How messages leave.", "furrow sms show", sms_show},
    {"unset", "", "Let messages leave as furrow-worker is configured.",
     "furrow sms unset", sms_unset},
    {"status", "[--json]",
     "Today: messages by state, segments, cost, the cap, and how many wait for tomorrow.",
     "furrow sms status", status},
    {"list", "[--state STATE] [--limit N] [--json]",
     "Messages, newest first, and why they failed.", "furrow sms list --state failed",
     list},
    {"test", "NUMBER TEXT [--region R] [--wait] [--json]",
     "Send a message to yourself; says its encoding and segments. --wait says what the "
     "provider answered.",
     "furrow sms test +251911223344 \"Hello\" --wait", sms_test},
};

const struct cli_group cmd_sms = {
    "sms", "messages: how they leave, what they cost, what became of them", verbs,
    ARRAY_LEN(verbs)};
