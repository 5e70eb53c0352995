/* furrow sms - how the tenant's messages leave, and what became of them. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/money.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/message_settings_store.h"
#include "campaigns/message_store.h"
#include "cli/groups.h"
#include "compliance/dnc_store.h"
#include "contacts/phone.h"
#include "contacts/tz.h"
#include "workers/sms_text.h"
#include "workers/sms_translit.h"

enum { LIST_DEFAULT = 50, LIST_MAX = 10000, WAIT_MS = 30000, LOOK_MS = 200 };

struct sms_command {
    const char *account, *sender, *zone, *transliterate, *price, *currency, *service,
        *cap, *state, *limit, *region;
    bool json, wait;
};

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

/* Of words behind the options there must be as many. */
static int parse(struct sms_command *c, int argc, char **argv, const char *allowed,
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

/* ---- settings ---- */

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

static int set(struct cli *cli, int argc, char **argv)
{
    struct sms_command c = {0};
    struct message_settings s = {.zone = "Etc/UTC"};
    struct errtext e = {0};

    int code = parse(&c, argc, argv, "asczptuv", 0);
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

static int show(struct cli *cli, int argc, char **argv)
{
    struct sms_command c = {0};
    struct message_settings s = {0};

    int code = parse(&c, argc, argv, "j", 0);
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

static int unset(struct cli *cli, int argc, char **argv)
{
    struct sms_command c = {0};

    int code = parse(&c, argc, argv, "", 0);
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

    int code = parse(&c, argc, argv, "j", 0);
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

    int code = parse(&c, argc, argv, "jSl", 0);
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

/* ---- one to try ---- */

/* 0 when it left, 1 when it did not, 2 when nobody tried it yet. */
static int outcome_of(struct cli *cli, const struct uuid *id, char *said, size_t size)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, id);
    if (pg_run_alone(cli->pg, cli->tenant_id, &res,
                     "SELECT m.state, coalesce(nullif(m.error, ''), j.last_error, ''), "
                     "m.waits_until IS NOT NULL FROM messages m LEFT JOIN jobs j ON "
                     "j.kind = 'sms' AND "
                     "j.unique_key = m.id::text AND j.tenant_id = m.tenant_id WHERE "
                     "m.id = $1",
                     &a) ||
        PQntuples(res) == 0)
        return 1;
    const char *state = pg_text(res, 0, 0), *error = pg_text(res, 0, 1);
    if (pg_bool(res, 0, 2)) {
        snprintf(said, size,
                 "the day's cap is reached: it waits for tomorrow; 'furrow sms "
                 "status' shows it");
        return 1;
    }
    snprintf(said, size, "%s%s%s", state, *error ? ": " : "", error);
    if (str_is(state, "queued"))
        return 2;
    return str_is(state, "sent") || str_is(state, "delivered") ? 0 : 1;
}

static int wait_for(struct cli *cli, const struct uuid *id)
{
    int64_t end_ms = mono_ms() + WAIT_MS;
    char said[512] = "";
    int out = 2;

    while ((out = outcome_of(cli, id, said, sizeof(said))) == 2 && mono_ms() < end_ms)
        poll(NULL, 0, LOOK_MS);
    if (out == 2)
        return cli_fail("after %d s it is still %s; does furrow-worker run?",
                        WAIT_MS / 1000, said);
    if (out == 1)
        return cli_fail("%s", said);
    puts(said);
    return CLI_OK;
}

static int find_id(struct cli *cli, const char *key, struct uuid *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, key);
    int err = pg_run_alone(cli->pg, cli->tenant_id, &res,
                           "SELECT id FROM messages WHERE dedupe_key = $1", &a);
    return err ? err : PQntuples(res) == 1 ? pg_uuid(res, 0, 0, out) : ENOENT;
}

static void tell_size(struct cli *cli, const char *text)
{
    struct message_settings s = {0};
    bool set = message_settings_load(cli->pg, cli->tenant_id, &s) == 0;
    CLEANUP(free_cleanup)
    char *plain = set && s.transliterate ? sms_transliterate(text) : NULL;
    struct sms_size size = sms_measure(plain ? plain : text);
    char cost[MONEY_TEXT_MAX];

    printf("queued through %s%s%s: %s, %d units, %d segment%s", set ? "'" : "the worker",
           set ? s.account : "'s configuration", set ? "'" : "",
           sms_encoding_name(size.encoding), size.units, size.segments,
           size.segments == 1 ? "" : "s");
    if (s.price_micros > 0)
        printf(", about %s %s", money_text(s.price_micros * size.segments, cost),
               s.currency);
    puts("");
}

static int queue_test(struct cli *cli, int64_t phone, const char *text, struct uuid *id)
{
    struct uuid fresh = uuid_v7(clock_now_ms());
    char key[UUID_TEXT_MAX + 8], part[UUID_TEXT_MAX];
    bool stopped = false;

    snprintf(key, sizeof(key), "test-%s", uuid_text(&fresh, part));
    const struct message_new m = {
        .dedupe_key = key, .phone = phone, .kind = "test", .body = text};
    if (dnc_stops_sms(cli->pg, cli->tenant_id, phone, 0, &stopped))
        return cli_fail("%s", pg_error(cli->pg));
    if (stopped)
        return cli_fail("that number opted out and gets no messages until it says START "
                        "by SMS; 'furrow dnc check' shows the entry");
    if (message_queue(cli->pg, cli->tenant_id, &m, clock_now_ms()) ||
        find_id(cli, key, id))
        return cli_fail("%s", pg_error(cli->pg));
    return CLI_OK;
}

static int test(struct cli *cli, int argc, char **argv)
{
    struct sms_command c = {0};
    struct phone phone = {0};
    struct uuid id = {0};
    char text[UUID_TEXT_MAX];

    int code = parse(&c, argc, argv, "jwr", 2);
    if (code)
        return code;
    const char *number = argv[optind], *body = argv[optind + 1];
    enum phone_error bad = phone_parse(number, strlen(number), c.region, &phone);
    if (bad != PHONE_VALID)
        return cli_usage("'%s' is no number: %s", number, phone_error_hint(bad));
    if (!*body || !str_is_utf8(body, strlen(body)))
        return cli_usage("the text is empty or no UTF-8");
    code = cli_open_pg(cli);
    if (!code)
        code = queue_test(cli, phone.e164, body, &id);
    if (code)
        return code;
    if (c.json)
        code = cli_print_json(json_pack("{s:s}", "message_id", uuid_text(&id, text)));
    else
        tell_size(cli, body);
    return code || !c.wait ? code : wait_for(cli, &id);
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
     set},
    {"show", "[--json]", "How messages leave.", "furrow sms show", show},
    {"unset", "", "Let messages leave as furrow-worker is configured.",
     "furrow sms unset", unset},
    {"status", "[--json]",
     "Today: messages by state, segments, cost, the cap, and how many wait for tomorrow.",
     "furrow sms status", status},
    {"list", "[--state STATE] [--limit N] [--json]",
     "Messages, newest first, and why they failed.", "furrow sms list --state failed",
     list},
    {"test", "NUMBER TEXT [--region R] [--wait] [--json]",
     "Send a message to yourself; says its encoding and segments. --wait says what the "
     "provider answered.",
     "furrow sms test +251911223344 \"Hello\" --wait", test},
};

const struct cli_group cmd_sms = {
    "sms", "messages: how they leave, what they cost, what became of them", verbs,
    ARRAY_LEN(verbs)};
