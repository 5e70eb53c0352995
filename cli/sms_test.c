/* furrow sms test - a message to oneself. */
#include "cli/sms.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/money.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/message_settings_store.h"
#include "campaigns/message_store.h"
#include "compliance/dnc_store.h"
#include "contacts/phone.h"
#include "workers/sms_text.h"
#include "workers/sms_translit.h"

enum { WAIT_MS = 30000, LOOK_MS = 200 };

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

int sms_test(struct cli *cli, int argc, char **argv)
{
    struct sms_command c = {0};
    struct phone phone = {0};
    struct uuid id = {0};
    char text[UUID_TEXT_MAX];

    int code = sms_parse(&c, argc, argv, "jwr", 2);
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
