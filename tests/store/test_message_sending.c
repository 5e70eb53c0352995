/* The job `sms` on a real Postgres, against a provider's server that answers late, not at
 * all, or not as one would like. */
#include "unit/cm.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "batches/command_store.h"
#include "campaigns/message_settings_store.h"
#include "campaigns/message_store.h"
#include "campaigns/provider_store.h"
#include "compliance/dnc_store.h"
#include "store/pgtest.h"
#include "workers/notify.h"
#include "workers/worker.h"

#define PHONE INT64_C(251911234567)

enum { TENANT = 1, THREADS = 6, MANY = 30, CAP = 10 };

static struct pg *db;
static struct pg_pool *pool;
static struct secret_keys keys;
static struct worker_config config;
static char base[64];

/* ---- the provider's server ---- */

static struct peer {
    pthread_mutex_t lock; /* guards the rest */
    int calls, status,
        drop; /* drop: so many times the connection ends without an answer */
    const char *answer, *retry_after;
    char last[4096], url[512], user[128], key[128];
    void (*meanwhile)(void); /* what happens before the answer leaves */
} peer = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void keep(const char *url, struct MHD_Connection *c, const struct buf *body)
{
    char *password = NULL, *user = MHD_basic_auth_get_username_password(c, &password);
    const char *key = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "apiKey");

    peer.calls++;
    snprintf(peer.url, sizeof(peer.url), "%s", url);
    snprintf(peer.last, sizeof(peer.last), "%s", body->data ? body->data : "");
    snprintf(peer.user, sizeof(peer.user), "%s:%s", user ? user : "",
             password ? password : "");
    snprintf(peer.key, sizeof(peer.key), "%s", key ? key : "");
    free(user);
    free(password);
}

static enum MHD_Result answer(void *arg, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *len, void **state)
{
    struct buf *body = *state;

    (void)arg, (void)version, (void)method;
    if (!body) {
        *state = xcalloc(1, sizeof(*body));
        return MHD_YES;
    }
    if (*len > 0) {
        buf_add(body, data, *len);
        *len = 0;
        return MHD_YES;
    }
    pthread_mutex_lock(&peer.lock);
    keep(url, c, body);
    bool drops = peer.drop > 0 && peer.drop-- > 0;
    if (peer.meanwhile)
        peer.meanwhile();
    struct MHD_Response *resp = MHD_create_response_from_buffer(
        strlen(peer.answer), (void *)(uintptr_t)peer.answer, MHD_RESPMEM_PERSISTENT);
    if (peer.retry_after)
        MHD_add_response_header(resp, "Retry-After", peer.retry_after);
    enum MHD_Result ok =
        drops ? MHD_NO : MHD_queue_response(c, (unsigned)peer.status, resp);
    pthread_mutex_unlock(&peer.lock);
    MHD_destroy_response(resp);
    return ok;
}

static void completed(void *arg, struct MHD_Connection *c, void **state,
                      enum MHD_RequestTerminationCode code)
{
    (void)arg, (void)c, (void)code;
    if (*state)
        buf_free(*state);
    free(*state);
    *state = NULL;
}

static void answers(int status, const char *text)
{
    pthread_mutex_lock(&peer.lock);
    peer.calls = 0;
    peer.drop = 0;
    peer.status = status;
    peer.answer = text;
    peer.retry_after = NULL;
    peer.meanwhile = NULL;
    pthread_mutex_unlock(&peer.lock);
}

static void misbehaves(int drop, const char *retry_after, void (*meanwhile)(void))
{
    pthread_mutex_lock(&peer.lock);
    peer.drop = drop;
    peer.retry_after = retry_after;
    peer.meanwhile = meanwhile;
    pthread_mutex_unlock(&peer.lock);
}

/* What it has got; between requests. */
static const struct peer *seen(void)
{
    pthread_mutex_lock(&peer.lock);
    pthread_mutex_unlock(&peer.lock);
    return &peer;
}

/* ---- the tenant ---- */

static int64_t is(const char *table_and_condition)
{
    CLEANUP(free_cleanup)
    char *sql = xasprintf("SELECT count(*) FROM %s", table_and_condition);

    return pgtest_i64(db, TENANT, sql);
}

static void add_account(const char *name, enum provider_kind kind, const char *settings)
{
    struct provider p = {.kind = kind};
    struct errtext e = {0};

    str_cut(p.name, sizeof(p.name), name);
    str_cut(p.account, sizeof(p.account), "AC1");
    str_cut(p.token, sizeof(p.token), "tok");
    str_cut(p.settings_json, sizeof(p.settings_json), settings);
    if (provider_add(db, &keys, TENANT, &p, clock_now_ms(), &e))
        fail_msg("%s", e.text);
}

static void goes_through(const char *account, int cap, bool transliterate)
{
    struct message_settings s = {.sender = "+15550100",
                                 .daily_cap = cap,
                                 .zone = "Africa/Addis_Ababa",
                                 .transliterate = transliterate,
                                 .price_micros = 20000,
                                 .currency = "ETB"};
    struct errtext e = {0};

    str_cut(s.account, sizeof(s.account), account);
    if (message_settings_save(db, TENANT, &s, clock_now_ms(), &e))
        fail_msg("%s", e.text);
}

static struct uuid queued(const char *key, const char *kind, const char *body)
{
    const struct message_new m = {
        .dedupe_key = key, .phone = PHONE, .kind = kind, .body = body};
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    struct uuid id = {0};

    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_equal(message_queue(db, TENANT, &m, clock_now_ms()), 0);
    pg_arg_text(&a, key);
    assert_int_equal(
        pg_run(db, &res, "SELECT id FROM messages WHERE dedupe_key = $1", &a), 0);
    assert_int_equal(pg_uuid(res, 0, 0, &id), 0);
    assert_int_equal(pg_commit(db), 0);
    return id;
}

struct tried {
    enum job_result result;
    int64_t again_ms;
    char why[JOB_WHY_MAX];
};

static struct tried tried_by(struct http *http, const struct uuid *id)
{
    char text[UUID_TEXT_MAX];
    json_auto_t *payload =
        json_pack("{s:i, s:s}", "v", 1, "message_id", uuid_text(id, text));
    struct job job = {.tenant_id = TENANT, .payload = payload, .attempts = 1};
    struct job_ctx ctx = {.http = http, .pool = pool, .config = &config};
    struct tried t = {.result = job_kind_sms.run(&ctx, &job)};

    t.again_ms = ctx.retry_after_ms;
    str_cut(t.why, sizeof(t.why), ctx.why);
    if (t.result == JOB_BURY)
        assert_int_equal(job_kind_sms.buried(&ctx, &job, t.why), 0);
    json_decref(ctx.output);
    return t;
}

static struct tried tried(const struct uuid *id)
{
    struct http *http = NULL;

    assert_int_equal(http_new(&http, NULL), 0);
    struct tried t = tried_by(http, id);
    http_free(http);
    return t;
}

static int clean(void **state)
{
    struct errtext e = {0};
    CLEANUP(free_cleanup)
    char *key = xstrdup(getenv("FURROW_SECRET_KEY"));

    (void)state;
    pgtest_run(db, TENANT,
               "WITH a AS (DELETE FROM messages), b AS (DELETE FROM outbox), c AS "
               "(DELETE FROM jobs), d AS (DELETE FROM message_days), e AS (DELETE FROM "
               "message_settings) DELETE FROM dnc_entries");
    if (config_load(&worker_config_table, NULL, &config, &e))
        fail_msg("%s", e.text);
    assert_string_equal(config.common.secret_key, key);
    answers(201, "{\"sid\": \"SM1\", \"status\": \"queued\"}");
    goes_through("twilio", 0, false);
    return 0;
}

/* ---- tests ---- */

static void a_message_leaves_by_the_tenants_account(void **state)
{
    struct uuid id = queued("one", "receipt", "hello");
    char text[UUID_TEXT_MAX];

    (void)state;
    assert_int_equal(tried(&id).result, JOB_DONE);
    assert_string_equal(seen()->url, "/2010-04-01/Accounts/AC1/Messages.json");
    assert_string_equal(seen()->user, "AC1:tok");
    CLEANUP(free_cleanup)
    char *callback = xasprintf("%%2Fmessage%%2F%s", uuid_text(&id, text));
    assert_non_null(strstr(seen()->last,
                           "StatusCallback=https%3A%2F%2Fvoice.example.test%2Fhooks%2F"));
    assert_non_null(strstr(seen()->last, callback));
    assert_int_equal(
        is("messages m JOIN provider_accounts p ON p.id = m.account_id WHERE p.name = "
           "'twilio' AND m.state = 'sent' AND m.provider_id = 'SM1' AND m.provider = "
           "'twilio' AND m.sender = '+15550100' AND m.encoding = 'GSM-7' AND m.segments "
           "= "
           "1 AND m.price_micros = 20000 AND m.currency = 'ETB' AND m.sent_at IS NOT "
           "NULL"),
        1);
    /* A job may run twice; the message does not leave twice. */
    assert_int_equal(tried(&id).result, JOB_DONE);
    assert_int_equal(seen()->calls, 1);
    assert_int_equal(is("message_days WHERE messages = 1"), 1);
}

static void each_kind_of_provider_gets_its_own_request(void **state)
{
    struct uuid id;

    (void)state;
    answers(202, "{\"message_uuid\": [\"u-1\"]}");
    goes_through("plivo", 0, false);
    id = queued("plivo", "receipt", "አንድ");
    assert_int_equal(tried(&id).result, JOB_DONE);
    assert_string_equal(seen()->url, "/v1/Account/AC1/Message/");
    assert_non_null(strstr(seen()->last, "\"text\":\"አንድ\""));
    assert_int_equal(is("messages WHERE provider_id = 'u-1' AND encoding = 'UCS-2'"), 1);
    answers(201, "{\"SMSMessageData\": {\"Recipients\": [{\"statusCode\": 101, "
                 "\"messageId\": \"ATXid_1\", \"cost\": \"KES 0.8000\"}]}}");
    goes_through("at", 0, false);
    id = queued("at", "receipt", "hello");
    assert_int_equal(tried(&id).result, JOB_DONE);
    assert_string_equal(seen()->url, "/version1/messaging");
    assert_string_equal(seen()->key, "tok");
    /* What the provider says it costs, not what was thought. */
    assert_int_equal(is("messages WHERE provider_id = 'ATXid_1' AND price_micros = "
                        "800000 AND currency = 'KES'"),
                     1);
    answers(200, "{\"status\": \"ok\", \"id\": 5}");
    goes_through("gateway", 0, false);
    id = queued("gateway", "receipt", "a&b");
    assert_int_equal(tried(&id).result, JOB_DONE);
    assert_string_equal(seen()->url, "/send");
    assert_string_equal(seen()->last, "to=251911234567&text=a%26b");
    assert_int_equal(is("messages WHERE provider_id = '5' AND provider = 'http'"), 1);
}

static struct message_report report_of(const struct uuid *id, enum message_state state)
{
    struct message_report r = {.id = *id, .provider_id = "SM9", .state = state};

    r.account_id =
        pgtest_i64(db, TENANT, "SELECT account_id FROM messages ORDER BY id LIMIT 1");
    return r;
}

static void
a_lost_answer_is_waited_out_and_a_report_spares_the_second_message(void **state)
{
    struct uuid id = queued("one", "receipt", "hello");
    bool changed = false;

    (void)state;
    config.sms_report_wait_s = 30;
    misbehaves(1, NULL, NULL); /* it took the message; its answer is lost */
    struct tried t = tried(&id);
    assert_int_equal(t.result, JOB_RETRY);
    assert_int_equal(t.again_ms, 30000);
    assert_int_equal(is("messages WHERE state = 'queued'"), 1);
    struct message_report r = report_of(&id, MESSAGE_SENT);
    assert_int_equal(message_report(db, TENANT, &r, clock_now_ms(), &changed), 0);
    assert_true(changed);
    assert_int_equal(tried(&id).result, JOB_DONE);
    assert_int_equal(seen()->calls, 1);
    assert_int_equal(is("messages WHERE state = 'sent' AND provider_id = 'SM9'"), 1);
}

static void without_a_report_it_is_sent_again(void **state)
{
    struct uuid id = queued("one", "receipt", "hello");

    (void)state;
    misbehaves(1, NULL, NULL);
    assert_int_equal(tried(&id).result, JOB_RETRY);
    assert_int_equal(tried(&id).result, JOB_DONE);
    assert_int_equal(seen()->calls, 2);
    assert_int_equal(is("message_days WHERE messages = 1"),
                     1); /* one message all the same */
}

static struct pg *reporter;
static struct message_report early;

static void report_it(void)
{
    if (message_report(reporter, TENANT, &early, clock_now_ms(), NULL))
        abort();
}

static void a_report_that_overtakes_the_answer_stays(void **state)
{
    struct uuid id = queued("one", "receipt", "hello");

    (void)state;
    early = (struct message_report){
        .id = id,
        .state = MESSAGE_DELIVERED,
        .price_micros = 9000,
        .currency = "USD",
        .account_id = pgtest_i64(db, TENANT, "SELECT account_id FROM message_settings")};
    reporter = pgtest_open();
    misbehaves(0, NULL, report_it);
    assert_int_equal(tried(&id).result, JOB_DONE);
    assert_int_equal(is("messages WHERE state = 'delivered' AND provider_id = 'SM1' AND "
                        "price_micros = 9000 AND currency = 'USD'"),
                     1);
    pg_close(reporter);
}

static void what_the_provider_says_failed_is_not_sent_once_more(void **state)
{
    struct uuid id = queued("one", "receipt", "hello");

    (void)state;
    assert_int_equal(tried(&id).result, JOB_DONE);
    struct message_report r = report_of(&id, MESSAGE_FAILED);
    assert_int_equal(message_report(db, TENANT, &r, clock_now_ms(), NULL), 0);
    assert_int_equal(tried(&id).result, JOB_DONE); /* the job, once more */
    assert_int_equal(seen()->calls, 1);
    assert_int_equal(is("messages WHERE state = 'failed'"), 1);
    /* What failed because we never got an answer is, when a person asks for it. */
    pgtest_run(db, TENANT, "UPDATE messages SET reported_at = NULL");
    assert_int_equal(tried(&id).result, JOB_DONE);
    assert_int_equal(seen()->calls, 2);
    assert_int_equal(is("messages WHERE state = 'sent' AND error = ''"), 1);
}

static void what_can_be_put_right_is_tried_again_when_it_makes_sense(void **state)
{
    struct uuid id = queued("one", "receipt", "hello");

    (void)state;
    answers(429, "{\"code\": 20429}");
    misbehaves(0, "7", NULL);
    struct tried t = tried(&id);
    assert_int_equal(t.result, JOB_RETRY);
    assert_int_equal(t.again_ms, 7000);
    answers(500, "<html>");
    t = tried(&id);
    assert_int_equal(t.result, JOB_RETRY);
    assert_int_equal(t.again_ms, 0); /* the pool's own back-off */
    answers(401, "{\"code\": 20003, \"message\": \"Authenticate\"}");
    t = tried(&id);
    assert_int_equal(t.result, JOB_RETRY);
    assert_int_equal(t.again_ms, 60000);
    assert_non_null(strstr(t.why, "Authenticate"));
    config.common.secret_key[0] = '\0';
    t = tried(&id);
    assert_int_equal(t.result, JOB_RETRY);
    assert_non_null(strstr(t.why, "FURROW_SECRET_KEY"));
    assert_int_equal(is("messages WHERE state = 'queued'"), 1);
}

static void who_opted_out_gets_no_more_but_the_answer_to_what_they_write(void **state)
{
    struct uuid id = queued("one", "receipt", "hello");

    (void)state;
    answers(400, "{\"code\": 21610, \"message\": \"unsubscribed\"}");
    assert_int_equal(tried(&id).result, JOB_DONE);
    assert_int_equal(is("messages WHERE state = 'refused' AND price_micros = 0"), 1);
    assert_int_equal(is("dnc_entries WHERE phone = 251911234567 AND source = 'sms'"), 1);
    assert_int_equal(pgtest_i64(db, TENANT, "SELECT messages FROM message_days"), 0);
    answers(201, "{\"sid\": \"SM2\"}");
    id = queued("two", "receipt", "hello");
    assert_int_equal(tried(&id).result, JOB_DONE);
    assert_int_equal(seen()->calls, 0);
    assert_int_equal(is("messages WHERE state = 'refused'"), 2);
    id = queued("three", MESSAGE_REPLY, "you opted out");
    assert_int_equal(tried(&id).result, JOB_DONE);
    assert_int_equal(seen()->calls, 1);
}

/* ---- whoever opted out, wherever ---- */

static void opts_out(const char *source, int64_t campaign, const char *topic)
{
    const struct dnc_entry entry = {
        .phone = PHONE, .campaign_id = campaign, .source = source, .topic = topic};
    bool added = false;

    assert_int_equal(dnc_add(db, TENANT, &entry, clock_now_ms(), &added), 0);
}

static void takes_back(void)
{
    pgtest_run(db, TENANT, "DELETE FROM dnc_entries");
}

/* Whether it leaves: refused with the reason otherwise, and not counted into the day. */
static bool leaves(const struct uuid *id)
{
    char text[UUID_TEXT_MAX];
    int before = seen()->calls;

    assert_int_equal(tried(id).result, JOB_DONE);
    CLEANUP(free_cleanup)
    char *refused = xasprintf("messages WHERE id = '%s' AND state = 'refused' AND error "
                              "LIKE '%%opted out%%' AND counted_on IS NULL",
                              uuid_text(id, text));
    bool left = seen()->calls > before;
    assert_int_equal(is(refused), !left);
    return left;
}

static void an_opt_out_from_everything_stops_messages_whatever_its_door(void **state)
{
    static const char *const sources[] = {"keypress", "speech", "api",
                                          "cli",      "import", "sms"};
    char key[32];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        opts_out(sources[i], 0, NULL);
        snprintf(key, sizeof(key), "receipt-%zu", i);
        struct uuid id = queued(key, "receipt", "hello");
        assert_false(leaves(&id));
        snprintf(key, sizeof(key), "reply-%zu", i);
        id = queued(key, MESSAGE_REPLY, "you will get no more");
        assert_true(leaves(&id)); /* what confirms it */
        takes_back();
    }
    struct uuid id = queued("after", "receipt", "hello");
    assert_true(leaves(&id));
}

static int64_t campaign_about(const char *name, const char *topic)
{
    char sql[1200];

    snprintf(sql, sizeof(sql),
             "WITH n AS (SELECT '%s' AS name), l AS (INSERT INTO lists (tenant_id, name, "
             "created_at) SELECT 1, name, now() FROM n RETURNING id), f AS (INSERT INTO "
             "flows (tenant_id, name, created_at) SELECT 1, name, now() FROM n RETURNING "
             "id), r AS (INSERT INTO flow_revisions (tenant_id, flow_id, revision, "
             "sha256, source, published_at) SELECT 1, id, 1, name, '{}', now() FROM f, n "
             "RETURNING id), t AS (INSERT INTO trunks (tenant_id, name, kind, cps, "
             "max_channels, created_at) SELECT 1, name, 'simulated', 1, 1, now() FROM n "
             "RETURNING id) INSERT INTO campaigns (tenant_id, name, state, document, "
             "document_text, list_id, trunk_id, flow_revision_id, created_at, "
             "changed_at) SELECT 1, name, 'running', jsonb_build_object('topic', "
             "'%s'::text), '', l.id, t.id, r.id, now(), now() FROM n, l, r, t",
             name, topic);
    pgtest_run(db, TENANT, sql);
    snprintf(sql, sizeof(sql), "SELECT id FROM campaigns WHERE name = '%s'", name);
    return pgtest_i64(db, TENANT, sql);
}

/* Of a call of that campaign, or of a recording of such a call; 0: of a call in. */
static struct uuid queued_of(int64_t campaign, bool recorded)
{
    static int n;
    const struct uuid call = uuid_v7(clock_now_ms()), rec = uuid_v7(clock_now_ms());
    char key[32], sql[700], a[UUID_TEXT_MAX], b[UUID_TEXT_MAX], c[UUID_TEXT_MAX];

    snprintf(key, sizeof(key), "of-%d", n++);
    struct uuid id = queued(key, "flow", "hello");
    uuid_text(&call, a);
    uuid_text(&rec, b);
    uuid_text(&id, c);
    snprintf(sql, sizeof(sql),
             "INSERT INTO calls (id, tenant_id, direction, campaign_id, phone, "
             "flow_revision_id, slot, started_at) VALUES ('%s', 1, '%s', "
             "nullif(%lld, 0), 251911234567, 1, 1, now())",
             a, campaign ? "out" : "in", (long long)campaign);
    pgtest_run(db, TENANT, sql);
    if (recorded) {
        snprintf(
            sql, sizeof(sql),
            "INSERT INTO recordings (id, tenant_id, call_id, name, source, location, "
            "node, pipeline, state, created_at, updated_at) VALUES ('%s', 1, '%s', "
            "'%s', 'simulated', '', 'say', 'command', 'done', now(), now())",
            b, a, key);
        pgtest_run(db, TENANT, sql);
    }
    snprintf(sql, sizeof(sql), "UPDATE messages SET %s = '%s' WHERE id = '%s'",
             recorded ? "recording_id" : "call_id", recorded ? b : a, c);
    pgtest_run(db, TENANT, sql);
    return id;
}

static bool one_leaves(int64_t campaign, bool recorded)
{
    struct uuid id = queued_of(campaign, recorded);

    return leaves(&id);
}

static void an_opt_out_from_a_campaign_or_a_topic_stops_its_messages_only(void **state)
{
    int64_t wheat = campaign_about("wheat", "harvest");
    int64_t maize = campaign_about("maize", "harvest");
    int64_t loans = campaign_about("loans", "");

    (void)state;
    opts_out("keypress", wheat, NULL);
    assert_false(one_leaves(wheat, false));
    assert_false(one_leaves(wheat, true));
    assert_true(one_leaves(maize, false));
    assert_true(one_leaves(maize, true));
    assert_true(one_leaves(loans, false));
    assert_true(one_leaves(0, false));
    assert_true(one_leaves(0, true));
    takes_back();
    opts_out("keypress", 0, "harvest");
    assert_false(one_leaves(wheat, false));
    assert_false(one_leaves(maize, true));
    assert_true(one_leaves(loans, false));
    assert_true(one_leaves(0, false));
}

/* ---- a STOP while messages are on their way ---- */

static void says_stop(struct pg *pg)
{
    const struct message_in in = {.from = PHONE, .text = "STOP"};
    enum message_word word = MESSAGE_WORD_NONE;

    if (message_received(pg, TENANT, &in, clock_now_ms(), &word) ||
        word != MESSAGE_WORD_STOP)
        abort();
}

static void stops_meanwhile(void)
{
    says_stop(reporter);
}

static void a_stop_lets_through_only_the_request_that_is_in_flight(void **state)
{
    struct uuid flying = queued("one", "receipt", "hello");
    struct uuid waiting = queued("two", "receipt", "hello");

    (void)state;
    reporter = pgtest_open();
    answers(503, "{}"); /* it would be sent again */
    misbehaves(0, NULL, stops_meanwhile);
    assert_int_equal(tried(&flying).result, JOB_RETRY);
    assert_int_equal(tried(&waiting).result, JOB_DONE);
    assert_int_equal(tried(&flying).result, JOB_DONE);
    assert_int_equal(seen()->calls, 1);
    assert_int_equal(is("messages WHERE state = 'refused'"), 2);
    pg_close(reporter);
}

static void waits_for_a_lock(const char *kind, const atomic_bool *or_done)
{
    char sql[200];
    const int64_t until = mono_ms() + 20000;

    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = '%s'", kind);
    while (pgtest_i64(db, TENANT, sql) == 0 && !(or_done && atomic_load(or_done)))
        assert_true(mono_ms() < until);
}

static struct tried late;
static atomic_bool stopped_by_now;

static void *send_one(void *arg)
{
    struct http *http = NULL;

    if (http_new(&http, NULL))
        abort();
    late = tried_by(http, arg);
    http_free(http);
    return NULL;
}

static void *stop_one(void *arg)
{
    says_stop(arg);
    atomic_store(&stopped_by_now, true);
    return NULL;
}

/* It was seen that the number may get one; then the database stood still. */
static void what_was_seen_before_a_stop_is_looked_at_again(void **state)
{
    struct pg *day = pgtest_open(), *stopper = pgtest_open();
    struct uuid first = queued("one", "receipt", "hello");
    struct uuid second = queued("two", "receipt", "hello");
    pthread_t sends, stops;

    (void)state;
    atomic_store(&stopped_by_now, false);
    assert_int_equal(tried(&first).result, JOB_DONE);
    assert_int_equal(pg_begin(day, TENANT), 0);
    assert_int_equal(pg_run(day, NULL, "SELECT FROM message_days FOR UPDATE", NULL), 0);
    assert_int_equal(pthread_create(&sends, NULL, send_one, &second), 0);
    waits_for_a_lock("transactionid", NULL);
    assert_int_equal(pthread_create(&stops, NULL, stop_one, stopper), 0);
    waits_for_a_lock("advisory", &stopped_by_now);
    assert_int_equal(pg_run(day, NULL, "SELECT pg_sleep(2.2)", NULL), 0);
    assert_int_equal(pg_end(day, 0), 0);
    pthread_join(sends, NULL);
    pthread_join(stops, NULL);
    assert_int_equal(late.result, JOB_DONE);
    assert_int_equal(seen()->calls, 1);
    assert_int_equal(is("messages WHERE dedupe_key = 'two' AND state = 'refused'"), 1);
    assert_int_equal(pgtest_i64(db, TENANT, "SELECT messages FROM message_days"), 1);
    pg_close(day);
    pg_close(stopper);
}

static void what_is_refused_fails_and_costs_nothing(void **state)
{
    struct uuid id = queued("one", "receipt", "hello");

    (void)state;
    answers(400, "{\"code\": 21211, \"message\": \"invalid To\"}");
    assert_int_equal(tried(&id).result, JOB_BURY);
    assert_int_equal(is("messages WHERE state = 'failed' AND price_micros = 0 AND error "
                        "LIKE '%invalid To' AND sent_at IS NULL"),
                     1);
    assert_int_equal(pgtest_i64(db, TENANT, "SELECT messages FROM message_days"), 0);
}

static void look_alikes_are_sent_where_the_tenant_allows_it(void **state)
{
    struct uuid id = queued("one", "receipt", "Galmaa’eera");

    (void)state;
    assert_int_equal(tried(&id).result, JOB_DONE);
    assert_non_null(strstr(seen()->last, "Galmaa%E2%80%99eera"));
    goes_through("twilio", 0, true);
    id = queued("two", "receipt", "Galmaa’eera");
    assert_int_equal(tried(&id).result, JOB_DONE);
    assert_non_null(strstr(seen()->last, "Galmaa%27eera"));
    id = queued("three", "receipt", "’ተመዝግቧል");
    assert_int_equal(tried(&id).result, JOB_DONE);
    assert_non_null(strstr(seen()->last, "%E2%80%99"));
    assert_int_equal(is("messages WHERE encoding = 'GSM-7'"), 1);
}

static void is_told(const char *language, const char *receipt, const char *error)
{
    static const struct command_result result = {.fresh = true,
                                                 .batch = {.event = INTENT_COMMISSION,
                                                           .variety = "Guji",
                                                           .unit = "kg",
                                                           .quantity = 60,
                                                           .quantity_kg = 60,
                                                           .batch_id = "A_1"}};
    const struct notify_to to = {.phone = PHONE, .language = language, .key = language};
    struct recording r = {.phone = PHONE};
    char sql[256];

    r.id = r.call_id = uuid_v7(clock_now_ms());
    str_cut(r.language, sizeof(r.language), language);
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_equal(notify_command(db, &config, TENANT, &to, &result, clock_now_ms()),
                     0);
    assert_int_equal(notify_misunderstood(db, &config, TENANT, &r, clock_now_ms()), 0);
    assert_int_equal(pg_commit(db), 0);
    snprintf(sql, sizeof(sql),
             "messages WHERE language = '%s' AND ((kind = 'receipt' AND body LIKE "
             "'Coop: %s%%') OR (kind = 'error' AND body LIKE 'Coop %s%%'))",
             language, receipt, error);
    assert_int_equal(is(sql), 2);
}

static void
receipts_and_errors_are_in_the_callers_language_and_the_tenants_name(void **state)
{
    (void)state;
    pgtest_run(db, TENANT, "UPDATE message_settings SET service = 'Coop'");
    is_told("en", "Batch recorded", "Error");
    is_told("am", "ምርቱ ተመዝግቧል", "ስህተት");
    is_told("om", "Oomishni galmaa''eera", "Dogoggora");
}

/* ---- the day's cap ---- */

static struct uuid many[MANY];
static atomic_int next, done;

static void *send_some(void *arg)
{
    struct http *http = arg;

    for (int i; (i = atomic_fetch_add(&next, 1)) < MANY;)
        if (tried_by(http, &many[i]).result == JOB_DONE)
            atomic_fetch_add(&done, 1);
    return NULL;
}

static void send_all_at_once(void)
{
    pthread_t threads[THREADS];
    struct http *http[THREADS];

    atomic_store(&next, 0);
    atomic_store(&done, 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(http_new(&http[i], NULL), 0);
        assert_int_equal(pthread_create(&threads[i], NULL, send_some, http[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        http_free(http[i]);
    }
}

static void parallel_workers_never_pass_the_days_cap(void **state)
{
    char key[16];

    (void)state;
    goes_through("twilio", CAP, false);
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "n%d", i);
        many[i] = queued(key, "receipt", "hello");
    }
    pgtest_run(db, TENANT, "WITH a AS (DELETE FROM outbox) DELETE FROM jobs");
    send_all_at_once();
    assert_int_equal(atomic_load(&done), MANY);
    assert_int_equal(seen()->calls, CAP);
    assert_int_equal(is("messages WHERE state = 'sent'"), CAP);
    /* The rest waits until midnight in Addis Ababa, 21:00 UTC, each with a job. */
    assert_int_equal(is("messages m JOIN jobs j ON j.payload::jsonb->>'message_id' = "
                        "m.id::text WHERE m.state = 'queued' AND m.waits_until > now() "
                        "AND (m.waits_until AT TIME ZONE 'UTC')::time = '21:00' AND "
                        "j.state = 'queued' AND abs(extract(epoch FROM j.run_at - "
                        "m.waits_until)) < 10"),
                     MANY - CAP);
    /* What answers a person is sent all the same. */
    struct uuid id = queued("reply", MESSAGE_REPLY, "hello");
    assert_int_equal(tried(&id).result, JOB_DONE);
    assert_int_equal(seen()->calls, CAP + 1);
    /* The next day. */
    pgtest_run(db, TENANT,
               "WITH d AS (UPDATE message_days SET day = day - 1) UPDATE messages SET "
               "counted_on = counted_on - 1");
    send_all_at_once();
    assert_int_equal(is("messages WHERE state = 'sent' AND kind = 'receipt'"), 2 * CAP);
    assert_int_equal(seen()->calls, 2 * CAP + 1);
}

static void the_status_says_what_the_day_came_to(void **state)
{
    struct uuid id;
    json_t *status = NULL;
    int64_t n = 0, cap = 0, waiting = 0, micros = 0, sent = 0, waits = 0;
    const char *zone = NULL;

    (void)state;
    goes_through("twilio", 1, false);
    id = queued("one", "receipt", "hello");
    assert_int_equal(tried(&id).result, JOB_DONE);
    id = queued("two", "receipt", "hello");
    assert_int_equal(tried(&id).result, JOB_DONE);
    assert_int_equal(message_status(db, TENANT, clock_now_ms(), &status), 0);
    assert_int_equal(json_unpack(status, "{s:I, s:I, s:I, s:s, s:[{s:I}], s:{s:I, s:I}}",
                                 "counted", &n, "cap", &cap, "waiting", &waiting, "zone",
                                 &zone, "costs", "micros", &micros, "states", "sent",
                                 &sent, "queued", &waits),
                     0);
    assert_string_equal(zone, "Africa/Addis_Ababa");
    assert_int_equal(n, 1);
    assert_int_equal(cap, 1);
    assert_int_equal(waiting, 1);
    assert_int_equal(micros, 20000);
    assert_int_equal(sent, 1);
    assert_int_equal(waits, 1);
    json_decref(status);
}

static int setup(void **state)
{
    static char key[SECRET_KEY_TEXT_MAX];
    const struct pg_options options = {.url = pgtest_url(), .role = "furrow_app"};
    CLEANUP(free_cleanup)
    char *there = xasprintf("{\"api_url\": \"%s\"}", base);
    CLEANUP(free_cleanup)
    char *gateway = xasprintf("{\"send\": {\"url\": \"%s/send\", \"body\": {\"to\": "
                              "\"{to_digits}\", \"text\": \"{text}\"}, \"id\": \"/id\", "
                              "\"ok_at\": \"/status\", \"ok_is\": [\"ok\"]}}",
                              base);
    struct errtext e = {0};

    (void)state;
    secret_key_new(key);
    setenv("FURROW_SECRET_KEY", key, 1);
    setenv("FURROW_PUBLIC_URL", "https://voice.example.test/", 1);
    db = pgtest_open();
    if (secret_keys_read(&keys, key, "", &e) || pg_pool_new(&pool, &options, 4, &e))
        fail_msg("%s", e.text);
    add_account("twilio", PROVIDER_TWILIO, there);
    add_account("plivo", PROVIDER_PLIVO, there);
    add_account("at", PROVIDER_AFRICASTALKING, there);
    add_account("gateway", PROVIDER_HTTP, gateway);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pg_pool_free(pool);
    pg_close(db);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_leaves_by_the_tenants_account),
        TEST(each_kind_of_provider_gets_its_own_request),
        TEST(a_lost_answer_is_waited_out_and_a_report_spares_the_second_message),
        TEST(without_a_report_it_is_sent_again),
        TEST(a_report_that_overtakes_the_answer_stays),
        TEST(what_the_provider_says_failed_is_not_sent_once_more),
        TEST(what_can_be_put_right_is_tried_again_when_it_makes_sense),
        TEST(who_opted_out_gets_no_more_but_the_answer_to_what_they_write),
        TEST(an_opt_out_from_everything_stops_messages_whatever_its_door),
        TEST(an_opt_out_from_a_campaign_or_a_topic_stops_its_messages_only),
        TEST(a_stop_lets_through_only_the_request_that_is_in_flight),
        TEST(what_was_seen_before_a_stop_is_looked_at_again),
        TEST(what_is_refused_fails_and_costs_nothing),
        TEST(look_alikes_are_sent_where_the_tenant_allows_it),
        TEST(receipts_and_errors_are_in_the_callers_language_and_the_tenants_name),
        TEST(parallel_workers_never_pass_the_days_cap),
        TEST(the_status_says_what_the_day_came_to),
    };

    pgtest_start(PGTEST_POSTGRES);
    struct MHD_Daemon *d = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL,
        answer, NULL, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_END);
    if (!d)
        return 1;
    snprintf(base, sizeof(base), "http://127.0.0.1:%d",
             MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port);
    int failed = cmocka_run_group_tests_name("message_sending", tests, setup, teardown);
    MHD_stop_daemon(d);
    return failed;
}
