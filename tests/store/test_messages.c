/* Messages to people and from them: what providers report, and what STOP, START and HELP
 * do, on a real Postgres; and what an operator says and sees of them with `furrow sms`.
 */
#include "unit/cm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/message_store.h"
#include "campaigns/provider_store.h"
#include "compliance/dnc_store.h"
#include "store/furrow_run.h"
#include "store/pgtest.h"

#define NOW_MS INT64_C(1795161600000) /* 2026-11-20T08:00:00Z */
#define PHONE  INT64_C(251911234567)

enum { TENANT = 1 };

static struct pg *db;
static struct secret_keys keys;
static int64_t account, other_account;

static int64_t is(const char *table_and_condition)
{
    CLEANUP(free_cleanup)
    char *sql = xasprintf("SELECT count(*) FROM %s", table_and_condition);

    return pgtest_i64(db, TENANT, sql);
}

static int64_t add_account(const char *name)
{
    struct provider p = {.kind = PROVIDER_TWILIO, .settings_json = "{}"};
    struct errtext e = {0};

    str_cut(p.name, sizeof(p.name), name);
    str_cut(p.account, sizeof(p.account), "AC1");
    str_cut(p.token, sizeof(p.token), "tok");
    if (provider_add(db, &keys, TENANT, &p, NOW_MS, &e))
        fail_msg("%s", e.text);
    return p.id;
}

static int clean(void **state)
{
    (void)state;
    pgtest_run(db, TENANT,
               "WITH a AS (DELETE FROM messages), b AS (DELETE FROM outbox), c AS "
               "(DELETE FROM jobs), d AS (DELETE FROM caller_history), e AS (DELETE FROM "
               "message_settings) DELETE FROM dnc_entries");
    return 0;
}

static struct uuid newest(void)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct uuid id = {0};

    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_equal(pg_run(db, &res,
                            "SELECT id FROM messages ORDER BY created_at DESC LIMIT 1",
                            NULL),
                     0);
    assert_int_equal(PQntuples(res), 1);
    assert_int_equal(pg_uuid(res, 0, 0, &id), 0);
    assert_int_equal(pg_commit(db), 0);
    return id;
}

/* One that the account has been asked to send, in that state. */
static struct uuid sent(const char *state, const char *provider_id)
{
    const struct message_new m = {
        .dedupe_key = "one", .phone = PHONE, .kind = "flow", .body = "hello"};
    CLEANUP(free_cleanup)
    char *sql = xasprintf("UPDATE messages SET account_id = %lld, state = '%s', "
                          "provider_id = '%s', price_micros = 20000, currency = 'ETB'",
                          (long long)account, state, provider_id);

    clean(NULL);
    assert_int_equal(message_queue(db, TENANT, &m, NOW_MS), 0);
    pgtest_run(db, TENANT, sql);
    return newest();
}

static bool reported(const struct uuid *id, enum message_state state)
{
    const struct message_report r = {
        .id = *id,
        .account_id = account,
        .provider_id = "SM1",
        .state = state,
        .error = state >= MESSAGE_UNDELIVERED ? "30003 unreachable" : NULL};
    bool changed = false;

    assert_int_equal(message_report(db, TENANT, &r, NOW_MS + 1000, &changed), 0);
    return changed;
}

static void a_message_is_queued_once_with_its_job(void **state)
{
    struct message_new m = {
        .dedupe_key = "one", .phone = PHONE, .kind = "flow", .body = "hello"};

    (void)state;
    assert_int_equal(message_queue(db, TENANT, &m, NOW_MS), 0);
    assert_int_equal(message_queue(db, TENANT, &m, NOW_MS), 0);
    m.dedupe_key = "nobody";
    m.phone = 0;
    assert_int_equal(message_queue(db, TENANT, &m, NOW_MS), 0);
    assert_int_equal(is("messages WHERE state = 'queued' AND phone = 251911234567"), 1);
    assert_int_equal(is("jobs j JOIN messages m ON j.unique_key = m.id::text WHERE "
                        "j.kind = 'sms' AND j.payload::jsonb->>'message_id' = "
                        "m.id::text"),
                     1);
    assert_int_equal(is("messages") + is("jobs"), 2);
}

static void reports_move_a_message_up_and_never_back(void **state)
{
    struct uuid id = sent("sent", "SM1");

    (void)state;
    assert_true(reported(&id, MESSAGE_DELIVERED));
    assert_false(reported(&id, MESSAGE_SENT)); /* came out of order */
    assert_int_equal(is("messages WHERE state = 'delivered' AND reported_at IS NOT NULL"),
                     1);
    /* Of its parts one is undelivered: the text is not readable. */
    assert_true(reported(&id, MESSAGE_UNDELIVERED));
    assert_false(reported(&id, MESSAGE_DELIVERED));
    assert_int_equal(
        is("messages WHERE state = 'undelivered' AND error = '30003 unreachable'"), 1);
}

static void a_report_outweighs_what_we_only_believed(void **state)
{
    (void)state;
    struct uuid id = sent("queued", ""); /* our request's answer is not here yet */
    assert_true(reported(&id, MESSAGE_DELIVERED));
    assert_int_equal(is("messages WHERE state = 'delivered' AND provider_id = 'SM1' AND "
                        "sent_at IS NOT NULL"),
                     1);
    id = sent("failed", ""); /* it never came */
    assert_true(reported(&id, MESSAGE_SENT));
    assert_true(reported(&id, MESSAGE_FAILED));
    assert_false(reported(&id, MESSAGE_DELIVERED));
    assert_int_equal(is("messages WHERE state = 'failed'"), 1);
}

static void a_price_in_a_report_counts_instead_of_ours(void **state)
{
    struct message_report r = {.account_id = account,
                               .state = MESSAGE_DELIVERED,
                               .price_micros = 7500,
                               .currency = "USD"};

    (void)state;
    r.id = sent("sent", "SM1");
    assert_int_equal(message_report(db, TENANT, &r, NOW_MS, NULL), 0);
    r.price_micros = 0;
    assert_int_equal(message_report(db, TENANT, &r, NOW_MS, NULL), 0);
    assert_int_equal(is("messages WHERE price_micros = 7500 AND currency = 'USD'"), 1);
}

static void who_opted_out_at_the_provider_is_asked_no_more(void **state)
{
    struct message_report r = {.account_id = account,
                               .provider_id = "SM1",
                               .error = "200",
                               .state = MESSAGE_FAILED,
                               .opted_out = true};
    bool stopped = false;

    (void)state;
    r.id = sent("sent", "SM1");
    for (int i = 0; i < 2; i++)
        assert_int_equal(message_report(db, TENANT, &r, NOW_MS, NULL), 0);
    assert_int_equal(dnc_is_stopped_sms(db, TENANT, PHONE, &stopped), 0);
    assert_true(stopped);
    assert_int_equal(is("dnc_entries WHERE source = 'sms' AND removed_at IS NULL"), 1);
    assert_int_equal(is("messages"), 1); /* nobody wrote: nobody is answered */
}

static void an_account_reports_of_its_own_messages_only(void **state)
{
    struct message_report r = {.account_id = other_account, .state = MESSAGE_FAILED};
    struct uuid found;

    (void)state;
    r.id = sent("sent", "ATXid_1");
    assert_int_equal(message_report(db, TENANT, &r, NOW_MS, NULL), ENOENT);
    assert_int_equal(message_report(db, TENANT + 1, &r, NOW_MS, NULL), ENOENT);
    assert_int_equal(is("messages WHERE state = 'sent'"), 1);
    assert_int_equal(message_by_provider_id(db, TENANT, account, "ATXid_1", &found), 0);
    assert_memory_equal(&found, &r.id, sizeof(found));
    assert_int_equal(message_by_provider_id(db, TENANT, other_account, "ATXid_1", &found),
                     ENOENT);
    assert_int_equal(message_by_provider_id(db, TENANT, account, "", &found), ENOENT);
}

/* ---- from people ---- */

static enum message_word wrote(const char *text, const char *provider_id, int64_t at_ms)
{
    const struct message_in in = {
        .from = PHONE, .text = text, .provider_id = provider_id};
    enum message_word word = MESSAGE_WORD_NONE;

    assert_int_equal(message_received(db, TENANT, &in, at_ms, &word), 0);
    return word;
}

static bool stopped(void)
{
    bool out = false;

    assert_int_equal(dnc_stops_sms(db, TENANT, PHONE, 0, &out), 0);
    return out;
}

static void stop_acts_at_once_and_start_takes_it_back(void **state)
{
    (void)state;
    assert_int_equal(wrote("STOP", "SM1", NOW_MS), MESSAGE_WORD_STOP);
    assert_true(stopped());
    assert_int_equal(is("dnc_entries WHERE phone = 251911234567 AND source = 'sms' AND "
                        "campaign_id = 0 AND topic = '' AND removed_at IS NULL"),
                     1);
    assert_int_equal(is("messages WHERE kind = 'reply' AND language = 'en' AND body LIKE "
                        "'default: you will get no more%'"),
                     1);
    /* The same told twice, and said twice. */
    assert_int_equal(wrote("STOP", "SM1", NOW_MS), MESSAGE_WORD_STOP);
    assert_int_equal(wrote("stop!!", "SM2", NOW_MS + 1000), MESSAGE_WORD_STOP);
    assert_int_equal(is("messages"), 1);
    assert_int_equal(wrote("start", "SM3", NOW_MS + 2000), MESSAGE_WORD_START);
    assert_false(stopped());
    assert_int_equal(is("dnc_entries WHERE removed_at IS NULL"), 0);
    assert_int_equal(is("messages WHERE kind = 'reply'"), 2);
}

static void pressed_the_key(int64_t at_ms)
{
    const struct dnc_entry keypress = {.phone = PHONE, .source = "keypress"};
    bool added = false;

    assert_int_equal(dnc_add(db, TENANT, &keypress, at_ms, &added), 0);
}

static void start_leaves_an_opt_out_from_calls(void **state)
{
    (void)state;
    pressed_the_key(NOW_MS);
    assert_true(stopped());
    wrote("አቁም", "SM1", NOW_MS);
    assert_true(stopped());
    assert_int_equal(is("messages WHERE kind = 'reply' AND language = 'am'"), 1);
    wrote("ጀምር", "SM2", NOW_MS);
    assert_false(stopped());
    assert_int_equal(is("dnc_entries WHERE removed_at IS NULL AND source = 'keypress'"),
                     1);
}

static void the_latest_word_counts_for_messages(void **state)
{
    size_t n = 0;

    (void)state;
    pressed_the_key(NOW_MS);
    wrote("START", "SM1", NOW_MS + 1000); /* without a STOP before */
    assert_false(stopped());
    assert_int_equal(is("messages WHERE kind = 'reply'"), 1);
    text_has(RUN(0, "dnc", "check", "+251911234567"), "messages again since 2026-11-20");
    /* A list that is imported again is no new word. */
    assert_int_equal(dnc_add_many(db, TENANT, (int64_t[]){PHONE}, 1, 0, "import", NULL,
                                  NOW_MS + 2000, &n),
                     0);
    assert_false(stopped());
    pressed_the_key(NOW_MS + 3000);
    assert_true(stopped());
    wrote("START", "SM2", NOW_MS + 4000);
    assert_false(stopped());
    wrote("STOP", "SM3", NOW_MS + 5000);
    assert_true(stopped());
    assert_int_equal(is("dnc_entries WHERE removed_at IS NULL"), 1);
}

static void help_is_answered_in_the_persons_language(void **state)
{
    (void)state;
    pgtest_run(db, TENANT,
               "INSERT INTO caller_history (tenant_id, phone, language, last_call_at) "
               "VALUES (1, 251911234567, 'om', timestamptz 'epoch')");
    assert_int_equal(wrote("help", "SM1", NOW_MS), MESSAGE_WORD_HELP);
    assert_int_equal(is("messages WHERE language = 'om' AND body LIKE "
                        "'default: Tajaajila%DHAABI%'"),
                     1);
    /* Two machines do not answer each other for ever. */
    wrote("help", "SM2", NOW_MS + 1000);
    assert_int_equal(is("messages"), 1);
    wrote("help", "SM3", NOW_MS + 601000);
    assert_int_equal(is("messages"), 2);
    assert_int_equal(wrote("20 bags", "SM4", NOW_MS), MESSAGE_WORD_NONE);
    assert_int_equal(is("messages"), 2);
    assert_int_equal(is("dnc_entries"), 0);
}

static void a_provider_that_answers_itself_is_left_to_it(void **state)
{
    const struct message_in in = {.from = PHONE,
                                  .text = "arret",
                                  .provider_id = "SM1",
                                  .provider_word = MESSAGE_WORD_STOP};
    enum message_word word = MESSAGE_WORD_NONE;

    (void)state;
    assert_int_equal(message_received(db, TENANT, &in, NOW_MS, &word), 0);
    assert_int_equal(word, MESSAGE_WORD_STOP);
    assert_true(stopped());
    assert_int_equal(is("messages"), 0);
}

/* ---- the command line ---- */

static void an_operator_says_how_messages_leave(void **state)
{
    (void)state;
    text_has(RUN(0, "sms", "show"), "as furrow-worker is configured");
    text_has(RUN(0, "sms", "show", "--json"), "null");
    text_has(RUN(2, "sms", "set", "--sender", "8042"), "--account");
    text_has(RUN(1, "sms", "set", "--account", "mian", "--sender", "8042"),
             "did you mean 'main'");
    text_has(RUN(1, "sms", "set", "--account", "main"), "needs a sender");
    text_has(RUN(1, "sms", "set", "--account", "main", "--sender", "8042", "--zone",
                 "Africa/Adis"),
             "no zone 'Africa/Adis'");
    text_has(
        RUN(1, "sms", "set", "--account", "main", "--sender", "8042", "--price", "0.02"),
        "currency");
    text_has(RUN(2, "sms", "set", "--account", "main", "--price", "cheap"), "0.02");
    text_has(RUN(2, "sms", "set", "--transliterate", "maybe"), "--account");
    text_has(RUN(0, "sms", "set", "--account", "main", "--sender", "8042", "--daily-cap",
                 "2", "--zone", "Africa/Addis_Ababa", "--price", "0.02", "--currency",
                 "ETB", "--service", "Voice Ledger"),
             "through 'main'");
    text_has(RUN(0, "sms", "set", "--transliterate", "yes"), "from 8042");
    const char *said = RUN(0, "sms", "show");
    text_has(said, "2 messages, a day of Africa/Addis_Ababa");
    text_has(said, "transliterate  yes");
    text_has(said, "0.02 ETB a segment");
    text_has(RUN(0, "sms", "show", "--json"), "\"price_micros\": 20000");
    text_has(RUN(1, "provider", "remove", "main"), "messages go through");
    /* Who writes is answered by that name. */
    wrote("help", "SM1", NOW_MS);
    assert_int_equal(is("messages WHERE body LIKE 'Voice Ledger: %'"), 1);
    text_has(RUN(0, "sms", "unset"), "as furrow-worker is configured");
}

static void an_operator_tries_one_and_sees_what_became_of_it(void **state)
{
    (void)state;
    RUN(0, "sms", "set", "--account", "main", "--sender", "8042", "--price", "0.02",
        "--currency", "ETB", "--transliterate", "yes", "--daily-cap", "5");
    text_has(RUN(0, "sms", "test", "+251911234567", "Galmaa’eera"),
             "through 'main': GSM-7, 11 units, 1 segment, about 0.02 ETB");
    text_has(RUN(0, "sms", "test", "0911234567", "ሰላም", "--region", "ET"),
             "UCS-2, 3 units");
    text_has(RUN(2, "sms", "test", "911", "hi"), "no number");
    text_has(RUN(2, "sms", "test", "+251911234567"), "a number and a text");
    pgtest_run(
        db, TENANT,
        "UPDATE messages SET state = 'failed', error = 'the provider answered 400' "
        "WHERE body = 'ሰላም'");
    text_has(RUN(0, "sms", "list", "--state", "failed"), "the provider answered 400");
    assert_null(strstr(RUN(0, "sms", "list", "--state", "failed"), "queued"));
    text_has(RUN(0, "sms", "list", "--json"), "\"phone\": \"+251911234567\"");
    text_has(RUN(2, "sms", "list", "--state", "gone"), "--state is queued");
    const char *said = RUN(0, "sms", "status");
    text_has(said, "queued         1");
    text_has(said, "0 of 5 used");
    text_has(RUN(0, "sms", "status", "--json"), "\"cap\": 5");
    wrote("STOP", "SM1", NOW_MS);
    text_has(RUN(1, "sms", "test", "+251911234567", "hi"), "opted out");
}

static int setup(void **state)
{
    static char key[SECRET_KEY_TEXT_MAX];
    struct errtext e = {0};

    (void)state;
    secret_key_new(key);
    setenv("FURROW_SECRET_KEY", key, 1);
    setenv("DATABASE_URL", pgtest_url(), 1);
    db = pgtest_open();
    if (secret_keys_read(&keys, key, "", &e))
        return 1;
    account = add_account("main");
    other_account = add_account("other");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pg_close(db);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_queued_once_with_its_job),
        TEST(reports_move_a_message_up_and_never_back),
        TEST(a_report_outweighs_what_we_only_believed),
        TEST(a_price_in_a_report_counts_instead_of_ours),
        TEST(who_opted_out_at_the_provider_is_asked_no_more),
        TEST(an_account_reports_of_its_own_messages_only),
        TEST(stop_acts_at_once_and_start_takes_it_back),
        TEST(start_leaves_an_opt_out_from_calls),
        TEST(the_latest_word_counts_for_messages),
        TEST(help_is_answered_in_the_persons_language),
        TEST(an_operator_says_how_messages_leave),
        TEST(an_operator_tries_one_and_sees_what_became_of_it),
        TEST(a_provider_that_answers_itself_is_left_to_it),
    };

    pgtest_start(PGTEST_POSTGRES);
    return cmocka_run_group_tests_name("messages", tests, setup, teardown);
}
