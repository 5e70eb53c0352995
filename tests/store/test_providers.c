/* `furrow provider` as an operator runs it, and what stands in the rows: tokens sealed,
 * the webhook's owner found before any tenant is known, another tenant's never. */
#include "unit/cm.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/pg.h"
#include "base/str.h"
#include "campaigns/provider_call_store.h"
#include "campaigns/provider_event_store.h"
#include "campaigns/provider_store.h"
#include "campaigns/voice_session_store.h"
#include "store/furrow_run.h"
#include "store/pgtest.h"

enum { TENANT = 1 };

static struct pg *db;
static struct secret_keys keys;
static char token_file[300];

static void write_token(const char *token)
{
    assert_int_equal(files_write_atomic(token_file, token, strlen(token)), 0);
}

static struct provider loaded(const char *name)
{
    struct provider p = {0};
    struct errtext e = {0};

    if (provider_find(db, &keys, TENANT, name, &p, &e))
        fail_msg("%s", e.text);
    return p;
}

static void an_account_is_added_and_its_token_is_sealed(void **state)
{
    (void)state;
    write_token("secret-one\n");
    const char *said = RUN(0, "provider", "add", "main", "--kind", "twilio", "--account",
                           "AC0001", "--token-file", token_file);
    text_has(said, "its token sealed");
    text_has(said, "https://voice.example.test/hooks/");
    text_has(said, "is 'AC0001' whole?");
    struct provider p = loaded("main");
    assert_string_equal(p.token, "secret-one");
    assert_string_equal(p.signing_token, "secret-one");
    assert_string_equal(p.settings.api_url, "https://api.twilio.com");
    assert_true(p.settings.cps == 1);
    assert_int_equal(
        pgtest_i64(db, TENANT,
                   "SELECT count(*) FROM provider_accounts p WHERE p::text LIKE "
                   "'%secret-one%' OR encode(sealed, 'escape') LIKE '%secret-one%'"),
        0);
    assert_null(strstr(RUN(0, "provider", "show", "main"), "secret-one"));
    assert_null(strstr(RUN(0, "provider", "list", "--json"), "secret-one"));
    text_has(RUN(0, "provider", "list"), "AC0001");
    text_has(RUN(1, "provider", "add", "main", "--kind", "plivo", "--account", "MA1",
                 "--token-file", token_file),
             "there is a provider 'main' already");
}

static void an_account_says_what_to_enter_at_its_console(void **state)
{
    (void)state;
    const char *said = RUN(0, "provider", "show", "main");
    text_has(said, "/voice ");
    text_has(said, "/status#rc=3&rp=5xx,ct,rt "); /* told again, if it was not taken */
    text_has(said, "'Call status changes'");
    text_has(RUN(0, "provider", "show", "main", "--json"), "/status#rc=3&rp=5xx,ct,rt\"");
    write_token("key");
    said = RUN(0, "provider", "add", "at", "--kind", "africastalking", "--account", "u",
               "--token-file", token_file);
    text_has(said, "/message ");
    assert_null(strstr(said, "/voice "));
    RUN(0, "provider", "remove", "at");
}

/* The account works; who may call in, and whether its URL leads here, is said too. */
static void the_doctor_looks_at_accounts_without_a_trunk(void **state)
{
    char key[SECRET_KEY_TEXT_MAX];

    (void)state;
    assert_int_equal(str_copy(key, sizeof(key), getenv("FURROW_SECRET_KEY")), 0);
    setenv("FURROW_PUBLIC_URL", "http://127.0.0.1:1", 1);
    text_has(RUN(1, "doctor"), "main: its token opens; no number may be called in");
    text_has(RUN(1, "doctor"), "http://127.0.0.1:1/healthz is not reached from here");
    unsetenv("FURROW_SECRET_KEY");
    text_has(RUN(1, "doctor"), "main: FURROW_SECRET_KEY is not set");
    setenv("FURROW_SECRET_KEY", key, 1);
    unsetenv("FURROW_PUBLIC_URL");
    text_has(RUN(1, "doctor"), "main: no public URL is known here");
    setenv("FURROW_PUBLIC_URL", "https://voice.example.test", 1);
}

static void what_cannot_work_is_refused(void **state)
{
    (void)state;
    text_has(
        RUN(2, "provider", "add", "x", "--kind", "skype", "--token-file", token_file),
        "--kind twilio, plivo");
    text_has(RUN(2, "provider", "add", "x", "--kind", "twilio"), "--token-file");
    text_has(
        RUN(1, "provider", "add", "x", "--kind", "twilio", "--token-file", token_file),
        "account SID");
    text_has(RUN(1, "provider", "add", "X Y", "--kind", "twilio", "--account", "AC1",
                 "--token-file", token_file),
             "no name for an account");
    text_has(RUN(1, "provider", "add", "x", "--kind", "twilio", "--account", "AC1",
                 "--token-file", token_file, "--settings",
                 "{\"api_ulr\": \"https://x\"}"),
             "api_url");
    text_has(RUN(1, "provider", "add", "x", "--kind", "twilio", "--account", "AC1",
                 "--token-file", token_file, "--settings", "{\"api_url\": \"ftp://x\"}"),
             "no base URL");
    text_has(RUN(1, "provider", "add", "x", "--kind", "twilio", "--account", "AC1",
                 "--token-file", "/nowhere"),
             "No such file");
    text_has(RUN(1, "provider", "show", "mian"), "did you mean 'main'");
    assert_int_equal(pgtest_i64(db, TENANT, "SELECT count(*) FROM provider_accounts"), 1);
}

static void a_part_is_changed_and_the_rest_stays(void **state)
{
    (void)state;
    struct provider before = loaded("main");
    RUN(0, "provider", "set", "main", "--settings", "{\"cps\": 3}");
    struct provider p = loaded("main");
    assert_true(p.settings.cps == 3);
    assert_string_equal(p.token, "secret-one");
    assert_memory_equal(&p.hook, &before.hook, sizeof(p.hook));
    write_token("sign-with-this");
    RUN(0, "provider", "set", "main", "--signing-token-file", token_file);
    p = loaded("main");
    assert_string_equal(p.token, "secret-one");
    assert_string_equal(p.signing_token, "sign-with-this");
    write_token("secret-two");
    RUN(0, "provider", "set", "main", "--token-file", token_file);
    p = loaded("main");
    assert_string_equal(p.signing_token, "secret-two");
    text_has(RUN(2, "provider", "set", "main"), "say what is to change");
}

static void settings_that_are_not_named_stay(void **state)
{
    (void)state;
    const char *said = RUN(0, "provider", "set", "main", "--settings",
                           "{\"cps\": 4, \"sip_domain\": \"coop.example.test\"}");
    text_has(said, "cps");
    text_has(said, "3 -> 4");
    text_has(said, "sip_domain");
    said = RUN(0, "provider", "set", "main", "--settings",
               "{\"delete_recordings\": true, \"cps\": 4}");
    text_has(said, "delete_recordings");
    assert_null(strstr(said, "cps"));
    struct provider p = loaded("main");
    assert_true(p.settings.cps == 4);
    assert_string_equal(p.settings.sip_domain, "coop.example.test");
    assert_true(p.settings.delete_recordings);
    text_has(RUN(0, "provider", "set", "main", "--settings", "{\"sip_domain\": null}"),
             "\"coop.example.test\" -> gone");
    p = loaded("main");
    assert_string_equal(p.settings.sip_domain, "");
    assert_true(p.settings.cps == 4);
    text_has(RUN(1, "provider", "set", "main", "--settings", "{\"cps\": 0}"), "cps");
    text_has(RUN(1, "provider", "set", "main", "--settings", "[3]"), "JSON object");
    text_has(RUN(1, "provider", "set", "main", "--settings", "{\"cps\""), "JSON object");
    assert_true(loaded("main").settings.cps == 4);
}

static void what_is_nested_is_named_by_its_own_name(void **state)
{
    (void)state;
    write_token("key");
    RUN(0, "provider", "add", "gate", "--kind", "http", "--token-file", token_file,
        "--settings",
        "{\"send\": {\"url\": \"https://a.example/send\", \"body\": {\"to\": \"{to}\", "
        "\"text\": \"{text}\"}}}");
    RUN(0, "provider", "set", "gate", "--settings",
        "{\"send\": {\"url\": \"https://b.example/send\"}}");
    const char *said = RUN(0, "provider", "show", "gate", "--json");
    text_has(said, "https://b.example/send");
    text_has(said, "{text}");
    RUN(0, "provider", "remove", "gate");
}

static void a_hook_tells_its_owner_and_nothing_else(void **state)
{
    struct provider p = loaded("main"), found = {0};
    struct errtext e = {0};
    struct uuid other = uuid_v7(1);

    (void)state;
    assert_int_equal(provider_of_hook(db, &keys, &p.hook, &found, &e), 0);
    assert_int_equal(found.tenant_id, TENANT);
    assert_string_equal(found.token, "secret-two");
    assert_int_equal(provider_of_hook(db, &keys, &other, &found, &e), ENOENT);
    /* Another tenant sees neither the row nor the name. */
    assert_int_equal(pgtest_i64(db, 2, "SELECT count(*) FROM provider_accounts"), 0);
    assert_int_equal(provider_find(db, &keys, 2, "main", &found, &e), ENOENT);
}

static void a_key_is_changed_without_losing_a_token(void **state)
{
    char next[SECRET_KEY_TEXT_MAX];
    struct provider p = {0};
    struct errtext e = {0};
    const char *now = getenv("FURROW_SECRET_KEY");
    char before[SECRET_KEY_TEXT_MAX];

    (void)state;
    assert_int_equal(str_copy(before, sizeof(before), now), 0);
    secret_key_new(next);
    setenv("FURROW_SECRET_KEY", next, 1);
    text_has(RUN(1, "provider", "reseal"), "sealed by another key");
    setenv("FURROW_SECRET_KEY_OLD", before, 1);
    text_has(RUN(0, "provider", "reseal"), "1 sealed");
    unsetenv("FURROW_SECRET_KEY_OLD");
    assert_int_equal(provider_find(db, &keys, TENANT, "main", &p, &e), EACCES);
    assert_int_equal(secret_keys_read(&keys, next, "", &e), 0);
    assert_string_equal(loaded("main").token, "secret-two");
    text_has(RUN(1, "provider", "add", "y", "--kind", "plivo", "--account", "MA1",
                 "--token-file", "/dev/null"),
             "no token in it");
    unsetenv("FURROW_SECRET_KEY");
    text_has(RUN(1, "provider", "add", "y", "--kind", "plivo", "--account", "MA1",
                 "--token-file", token_file),
             "FURROW_SECRET_KEY is not set");
    e = (struct errtext){0};
    assert_int_equal(provider_find(db, &(struct secret_keys){0}, TENANT, "main", &p, &e),
                     EACCES);
    text_has(e.text, "FURROW_SECRET_KEY is not set here");
    setenv("FURROW_SECRET_KEY", next, 1);
}

/* A row moved to another account's place does not open there. */
static void a_sealed_token_opens_in_its_own_row_alone(void **state)
{
    struct provider p = {0};
    struct errtext e = {0};

    (void)state;
    write_token("secret-three");
    RUN(0, "provider", "add", "second", "--kind", "plivo", "--account", "MA0001",
        "--token-file", token_file);
    pgtest_run(db, TENANT,
               "UPDATE provider_accounts SET sealed = (SELECT sealed FROM "
               "provider_accounts WHERE name = 'main') WHERE name = 'second'");
    assert_int_equal(provider_find(db, &keys, TENANT, "second", &p, &e), EBADMSG);
    text_has(e.text, "--token-file");
    RUN(0, "provider", "set", "second", "--token-file", token_file);
    assert_string_equal(loaded("second").token, "secret-three");
    RUN(0, "provider", "remove", "second");
    assert_int_equal(pgtest_i64(db, 0, "SELECT count(*) FROM provider_accounts"), 0);
    assert_int_equal(pgtest_i64(db, TENANT, "SELECT count(*) FROM provider_accounts"), 1);
}

/* ---- what is said of its calls ---- */

static struct uuid attempt_over(const char *account)
{
    struct uuid id = uuid_v7(1795507200000);
    char text[UUID_TEXT_MAX], sql[600];

    snprintf(sql, sizeof(sql),
             "WITH t AS (INSERT INTO trunks (tenant_id, name, kind, cps, max_channels, "
             "account_id, created_at) SELECT 1, 't-' || name, 'twilio', 1, 1, id, "
             "created_at FROM provider_accounts WHERE name = '%s' RETURNING id) INSERT "
             "INTO attempts (id, tenant_id, campaign_id, contact_id, phone, trunk_id, "
             "slot, number, state, intent_at) SELECT '%s', 1, 1, 1, 251911000001, id, 0, "
             "1, 'released', timestamptz 'epoch' FROM t",
             account, uuid_text(&id, text));
    pgtest_run(db, TENANT, sql);
    return id;
}

static void what_is_said_of_a_call_is_kept_once_and_heard_by_the_dialer(void **state)
{
    struct provider_call_news n = PROVIDER_CALL_NEWS;
    struct provider_call *heard = NULL, call;
    struct provider p = loaded("main");
    int64_t version = 0;
    size_t found = 0;
    bool changed = false;

    (void)state;
    n.attempt = attempt_over("main");
    snprintf(n.call_id, sizeof(n.call_id), "CA1");
    n.status = PROVIDER_CALL_RINGING;
    n.sequence = 1;
    assert_int_equal(provider_call_load(db, TENANT, &n.attempt, &call), ENOENT);
    assert_int_equal(provider_call_told(db, TENANT, p.id, &n, 1000, &changed), 0);
    assert_true(changed);
    assert_int_equal(provider_call_told(db, TENANT, p.id, &n, 2000, &changed), 0);
    assert_false(changed);
    assert_int_equal(
        provider_calls_changed(db, TENANT, &n.attempt, &version, 1, &heard, &found), 0);
    assert_int_equal(found, 1);
    assert_string_equal(heard[0].known.call_id, "CA1");
    assert_int_equal(heard[0].known.status, PROVIDER_CALL_RINGING);
    version = heard[0].version;
    free(heard);
    assert_int_equal(
        provider_calls_changed(db, TENANT, &n.attempt, &version, 1, &heard, &found), 0);
    assert_int_equal(found, 0);
    free(heard);
    n.status = PROVIDER_CALL_BUSY;
    n.sequence = 2;
    n.cause = 17;
    snprintf(n.code, sizeof(n.code), "486");
    assert_int_equal(provider_call_told(db, TENANT, p.id, &n, 3000, &changed), 0);
    assert_int_equal(provider_call_load(db, TENANT, &n.attempt, &call), 0);
    assert_true(call.version > version);
    assert_int_equal(call.known.status, PROVIDER_CALL_BUSY);
    assert_string_equal(call.known.code, "486");
    /* Neither another account's word nor another tenant's counts. */
    n.status = PROVIDER_CALL_COMPLETED;
    n.duration_s = 9;
    assert_int_equal(provider_call_told(db, TENANT, p.id + 100, &n, 4000, &changed),
                     ENOENT);
    assert_int_equal(provider_call_told(db, 2, p.id, &n, 4000, &changed), ENOENT);
    assert_int_equal(provider_call_load(db, 2, &n.attempt, &call), ENOENT);
    n.attempt = uuid_v7(5);
    assert_int_equal(provider_call_told(db, TENANT, p.id, &n, 4000, &changed), ENOENT);
    assert_int_equal(
        pgtest_i64(db, TENANT,
                   "SELECT count(*) FROM provider_calls WHERE duration_s < 0"),
        1);
}

static struct voice_session session_of(const struct provider *p, const char *name)
{
    struct voice_session s = {.call = uuid_v7(1000),
                              .tenant_id = TENANT,
                              .account_id = p->id,
                              .inbound = true,
                              .flow_revision_id = 1};

    str_cut(s.provider_call_id, sizeof(s.provider_call_id), name);
    return s;
}

static int write_rows(const struct voice_session *session, const struct provider *p)
{
    const struct provider_event ev = {.account_id = p->id, .key = {1}, .request = {2}};
    const struct provider_event *const evs[] = {&ev};
    const struct provider_answer answer = {.status = 200};

    int err = pg_begin_later(db, TENANT);
    if (!err && session)
        err = voice_sessions_add(db, TENANT, &session, 1, 1000);
    if (!err)
        err = provider_events_keep(db, TENANT, evs, &answer, 1, 1000);
    return pg_end(db, err);
}

/* What names an account finds it there; an account with calls stays, and one without
 * takes what it was answered along. */
static void no_row_names_an_account_that_is_not_there(void **state)
{
    struct errtext e = {0};

    (void)state;
    write_token("secret");
    RUN(0, "provider", "add", "used", "--kind", "twilio", "--account", "AC0091",
        "--token-file", token_file);
    RUN(0, "provider", "add", "unused", "--kind", "twilio", "--account", "AC0092",
        "--token-file", token_file);
    const struct provider used = loaded("used"), unused = loaded("unused");
    struct provider gone = unused;
    const struct voice_session call = session_of(&used, "CA91");
    assert_int_equal(write_rows(&call, &used), 0);
    assert_int_equal(write_rows(NULL, &unused), 0);
    gone.id = unused.id + 1000;
    const struct voice_session stray = session_of(&gone, "CA92");
    assert_int_equal(write_rows(NULL, &gone), ENOENT);
    assert_int_equal(write_rows(&stray, &used), ENOENT);
    assert_int_equal(pgtest_i64(db, TENANT, "SELECT count(*) FROM provider_events"), 2);
    assert_int_equal(provider_remove(db, TENANT, "used", &e), EBUSY);
    assert_int_equal(provider_remove(db, TENANT, "unused", &e), 0);
    assert_int_equal(pgtest_i64(db, TENANT, "SELECT count(*) FROM provider_events"), 1);
    assert_int_equal(pgtest_i64(db, TENANT, "SELECT count(*) FROM voice_sessions"), 1);
}

struct remover {
    pthread_t thread;
    struct pg *pg;
    int err;
};

static void *remove_account(void *arg)
{
    struct remover *r = arg;
    struct errtext e = {0};

    r->err = provider_remove(r->pg, TENANT, "raced", &e);
    return NULL;
}

/* Whoever deletes an account waits for those who are writing of it. */
static void an_account_does_not_go_while_its_first_call_is_written(void **state)
{
    struct pg *super = pgtest_open_super();
    struct remover r = {.pg = pgtest_open()};

    (void)state;
    RUN(0, "provider", "add", "raced", "--kind", "twilio", "--account", "AC0093",
        "--token-file", token_file);
    const struct provider p = loaded("raced");
    const struct voice_session call = session_of(&p, "CA93");
    const struct voice_session *const all[] = {&call};
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_equal(voice_sessions_add(db, TENANT, all, 1, 1000), 0);
    assert_int_equal(pg_run(db, NULL, "SELECT 1", NULL), 0);
    assert_int_equal(pthread_create(&r.thread, NULL, remove_account, &r), 0);
    while (pgtest_i64(super, 0,
                      "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = "
                      "'Lock' AND query LIKE 'DELETE FROM provider_accounts%'") == 0)
        ;
    assert_int_equal(pg_commit(db), 0);
    pthread_join(r.thread, NULL);
    assert_int_equal(r.err, EBUSY);
    pg_close(r.pg);
    pg_close(super);
}

/* Its token fetches a recording, and deletes it there once it is stored. */
static void
an_account_stays_until_the_recordings_of_its_calls_are_ours_alone(void **state)
{
    static const char name[] = "taped";
    struct errtext e = {0};

    (void)state;
    RUN(0, "provider", "add", name, "--kind", "twilio", "--account", "AC0095",
        "--token-file", token_file);
    const struct provider p = loaded(name);
    const struct voice_session call = session_of(&p, "CA95");
    assert_int_equal(write_rows(&call, &p), 0);
    pgtest_run(db, TENANT,
               "UPDATE voice_sessions SET ended_at = changed_at WHERE provider_call_id = "
               "'CA95'");
    pgtest_run(db, TENANT,
               "INSERT INTO recordings (id, tenant_id, call_id, name, source, location, "
               "node, pipeline, state, created_at, updated_at) SELECT call_id, 1, "
               "call_id, 'taped', 'twilio', 'RE95', 'say', 'command', 'live', now(), "
               "now() FROM voice_sessions WHERE provider_call_id = 'CA95'");
    assert_int_equal(provider_remove(db, TENANT, name, &e), EBUSY);
    text_has(e.text, "recordings are still to be fetched or deleted at provider 'taped'");
    pgtest_run(db, TENANT,
               "WITH r AS (UPDATE recordings SET state = 'stored' WHERE name = 'taped' "
               "RETURNING id) INSERT INTO jobs (id, tenant_id, kind, unique_key) SELECT "
               "id, 1, 'recording.fetch', id || '-copy' FROM r");
    assert_int_equal(provider_remove(db, TENANT, name, &e), EBUSY);
    pgtest_run(db, TENANT,
               "UPDATE jobs SET state = 'done', finished_at = now() WHERE kind = "
               "'recording.fetch'");
    assert_int_equal(provider_remove(db, TENANT, name, &e), 0);
}

static void over_at(const char *name, const char *provider_call_id)
{
    char sql[200];

    RUN(0, "provider", "add", name, "--kind", "twilio", "--account", "AC0096",
        "--token-file", token_file);
    const struct provider p = loaded(name);
    const struct voice_session call = session_of(&p, provider_call_id);
    assert_int_equal(write_rows(&call, &p), 0);
    snprintf(sql, sizeof(sql),
             "UPDATE voice_sessions SET ended_at = changed_at WHERE provider_call_id = "
             "'%s'",
             provider_call_id);
    pgtest_run(db, TENANT, sql);
}

/* Nor are they taken for those that a contract answers without an account. */
static void calls_of_accounts_that_are_gone_are_in_nobodys_way(void **state)
{
    struct errtext e = {0};

    (void)state;
    for (int i = 0; i < 2; i++) { /* removed, added anew, and called as before */
        over_at("anew", "CA96");
        assert_int_equal(provider_remove(db, TENANT, "anew", &e), 0);
        assert_int_equal(pgtest_i64(db, TENANT,
                                    "SELECT count(*) FROM voice_sessions WHERE "
                                    "account_id IS NULL AND provider_call_id = 'CA96'"),
                         0);
    }
    assert_int_equal(pgtest_i64(db, TENANT,
                                "SELECT count(*) FROM voice_sessions WHERE "
                                "provider_call_id LIKE 'CA96%'"),
                     2);
}

/* A call in at second `at`, and the last request of it. */
static void call_in(int n, int at, int last)
{
    char sql[700];

    snprintf(
        sql, sizeof(sql),
        "WITH c AS (INSERT INTO calls (id, tenant_id, direction, flow_revision_id, "
        "slot, started_at) VALUES (gen_random_uuid(), 1, 'in', 1, 0, to_timestamp(%d)) "
        "RETURNING id) INSERT INTO voice_sessions (call_id, tenant_id, account_id, "
        "provider_call_id, inbound, flow_revision_id, flow_sha256, dialled, language, "
        "tz_min, contact, results, begun_at, changed_at) SELECT c.id, 1, p.id, "
        "'in-%d', true, 1, '', '', 'en', 0, '{}', '{\"name\": 1}', to_timestamp(%d), "
        "to_timestamp(%d) FROM c, provider_accounts p WHERE p.name = 'main'",
        at, n, at, last);
    pgtest_run(db, TENANT, sql);
}

/* No provider has a call that is up and asks for nothing for a day. */
static void a_call_in_whose_end_was_not_told_is_over_a_day_later(void **state)
{
    size_t n = 9;

    (void)state;
    call_in(1, 1000, 1010);
    call_in(2, 1000, 2000);
    assert_int_equal(voice_calls_lose(db, TENANT, 0, 1005 * 1000, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(voice_calls_lose(db, TENANT, 0, 1500 * 1000, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(pgtest_i64(db, TENANT,
                                "SELECT count(*) FROM calls c JOIN voice_sessions s ON "
                                "s.call_id = c.id WHERE s.provider_call_id = 'in-1' AND "
                                "c.ended_at = to_timestamp(1010) AND s.ended_at = "
                                "c.ended_at AND c.outcome = 'hung_up' AND c.results ? "
                                "'name'"),
                     1);
    assert_int_equal(
        pgtest_i64(db, TENANT, "SELECT count(*) FROM calls WHERE ended_at IS NULL"), 1);
}

static int setup(void **state)
{
    static char key[SECRET_KEY_TEXT_MAX];
    struct errtext e = {0};

    (void)state;
    secret_key_new(key);
    setenv("FURROW_SECRET_KEY", key, 1);
    setenv("FURROW_PUBLIC_URL", "https://voice.example.test/", 1);
    setenv("DATABASE_URL", pgtest_url(), 1);
    snprintf(token_file, sizeof(token_file), "%s/token", pgtest_dir());
    db = pgtest_open();
    return secret_keys_read(&keys, key, "", &e);
}

static int teardown(void **state)
{
    (void)state;
    pg_close(db);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_is_added_and_its_token_is_sealed),
        cmocka_unit_test(an_account_says_what_to_enter_at_its_console),
        cmocka_unit_test(the_doctor_looks_at_accounts_without_a_trunk),
        cmocka_unit_test(what_cannot_work_is_refused),
        cmocka_unit_test(a_part_is_changed_and_the_rest_stays),
        cmocka_unit_test(settings_that_are_not_named_stay),
        cmocka_unit_test(what_is_nested_is_named_by_its_own_name),
        cmocka_unit_test(a_hook_tells_its_owner_and_nothing_else),
        cmocka_unit_test(a_key_is_changed_without_losing_a_token),
        cmocka_unit_test(a_sealed_token_opens_in_its_own_row_alone),
        cmocka_unit_test(what_is_said_of_a_call_is_kept_once_and_heard_by_the_dialer),
        cmocka_unit_test(no_row_names_an_account_that_is_not_there),
        cmocka_unit_test(an_account_does_not_go_while_its_first_call_is_written),
        cmocka_unit_test(
            an_account_stays_until_the_recordings_of_its_calls_are_ours_alone),
        cmocka_unit_test(calls_of_accounts_that_are_gone_are_in_nobodys_way),
        cmocka_unit_test(a_call_in_whose_end_was_not_told_is_over_a_day_later),
    };

    pgtest_start(PGTEST_POSTGRES);
    return cmocka_run_group_tests_name("providers", tests, setup, teardown);
}
