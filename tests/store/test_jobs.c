/* The kinds of jobs against peers that speak the real protocols over HTTP and
 * misbehave on demand, on a real Postgres and Redis. */
#include "unit/cm.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>
#include <sndfile.h>

#include "base/clock.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "batches/command_store.h"
#include "campaigns/flow_store.h"
#include "campaigns/job_store.h"
#include "ivr/ivr.h"
#include "store/pgtest.h"
#include "workers/job_admin.h"
#include "workers/pool.h"
#include "workers/worker.h"

enum { BOUND_MS = 30000, REPLIES_MAX = 8, FRAMES = 16000 };

/* ---- the peers, one server for all ---- */

enum service { ARI_GET, ARI_DELETE, ASR, NLU, SMS, SERVICES };

struct reply {
    int status;
    const char *body;
    int hang_ms;
};

static struct peer {
    pthread_mutex_t lock;                       /* guards the rest */
    struct reply script[SERVICES][REPLIES_MAX]; /* the last one is repeated */
    int scripted[SERVICES], calls[SERVICES];
    char last[SERVICES][4096], user[SERVICES][64];
    char *wav; /* what ARI_GET sends with a NULL body */
    size_t wav_len;
} peer = {.lock = PTHREAD_MUTEX_INITIALIZER};

static enum service service_of(const char *method, const char *url)
{
    if (strstr(url, "/audio/transcriptions"))
        return ASR;
    if (strstr(url, "/chat/completions"))
        return NLU;
    if (strstr(url, "/Messages.json"))
        return SMS;
    return strcmp(method, "DELETE") == 0 ? ARI_DELETE : ARI_GET;
}

static enum MHD_Result answer(void *arg, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *len, void **state)
{
    struct buf *body = *state;

    (void)arg, (void)version;
    if (!body) {
        *state = xcalloc(1, sizeof(*body));
        return MHD_YES;
    }
    if (*len > 0) {
        buf_add(body, data, *len);
        *len = 0;
        return MHD_YES;
    }
    enum service s = service_of(method, url);
    char *password = NULL, *user = MHD_basic_auth_get_username_password(c, &password);
    pthread_mutex_lock(&peer.lock);
    int i = peer.calls[s]++;
    struct reply r = peer.script[s][i < peer.scripted[s] ? i : peer.scripted[s] - 1];
    snprintf(peer.last[s], sizeof(peer.last[s]), "%.*s", (int)body->len,
             body->data ? body->data : "");
    snprintf(peer.user[s], sizeof(peer.user[s]), "%s:%s", user ? user : "",
             password ? password : "");
    pthread_mutex_unlock(&peer.lock);
    free(user);
    free(password);
    if (r.hang_ms > 0)
        poll(NULL, 0, r.hang_ms); /* the misbehaviour itself */
    struct MHD_Response *resp =
        r.body ? MHD_create_response_from_buffer(strlen(r.body), xstrdup(r.body),
                                                 MHD_RESPMEM_MUST_FREE)
               : MHD_create_response_from_buffer(peer.wav_len, peer.wav,
                                                 MHD_RESPMEM_PERSISTENT);
    enum MHD_Result ok = MHD_queue_response(c, (unsigned)r.status, resp);
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

static void script(enum service s, const struct reply *replies, int n)
{
    pthread_mutex_lock(&peer.lock);
    memcpy(peer.script[s], replies, (size_t)n * sizeof(*replies));
    peer.scripted[s] = n;
    peer.calls[s] = 0;
    peer.last[s][0] = '\0';
    pthread_mutex_unlock(&peer.lock);
}

#define SCRIPT(s, ...)                                                                   \
    script(s, (const struct reply[]){__VA_ARGS__},                                       \
           (int)(sizeof((const struct reply[]){__VA_ARGS__}) / sizeof(struct reply)))

static int calls(enum service s)
{
    pthread_mutex_lock(&peer.lock);
    int n = peer.calls[s];
    pthread_mutex_unlock(&peer.lock);
    return n;
}

/* Half a second of a tone, 16 kHz. */
static void make_wav(void)
{
    char path[200];
    SF_INFO info = {
        .samplerate = 16000, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16};
    short frames[FRAMES];

    for (int i = 0; i < FRAMES; i++)
        frames[i] = (short)(i % 100 * 100);
    snprintf(path, sizeof(path), "%s/tone.wav", pgtest_dir());
    SNDFILE *f = sf_open(path, SFM_WRITE, &info);
    assert_non_null(f);
    assert_int_equal(sf_write_short(f, frames, FRAMES / 2), FRAMES / 2);
    sf_close(f);
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    peer.wav = xmalloc(1 << 20);
    peer.wav_len = fread(peer.wav, 1, 1 << 20, in);
    fclose(in);
}

/* ---- the worker ---- */

static struct pg *pg;
static struct pool *pool;
static struct worker_config config;
static char base[64];
static const char said[] =
    "{\"text\": \"record commission for five bags of yirgacheffe grade A from farmer "
    "john\"}";

static void start(void)
{
    struct pool_options options;
    struct errtext e = {0};

    worker_pool_options(&config, &options);
    options.queue.holder = "test";
    options.sweep_ms = 50;
    if (pool_start(&pool, &options, &e))
        fail_msg("%s", e.text);
}

/* Nobody but the owner may: what happened, happened. */
static void forget_the_ledger(void)
{
    struct pg *super = pgtest_open_super();

    pgtest_run(
        super, 0,
        "WITH a AS (DELETE FROM epcis_event_batches), b AS (DELETE FROM "
        "epcis_events), c AS (DELETE FROM commands), d AS (DELETE FROM batches), e "
        "AS (DELETE FROM places) DELETE FROM callers");
    pg_close(super);
}

static int set_up(void **state)
{
    struct errtext e = {0};

    (void)state;
    if (config_load(&worker_config_table, NULL, &config, &e))
        fail_msg("%s", e.text);
    config.retry_base_ms = 20;
    config.retry_max_s = 1;
    config.asr_timeout_s = 1;
    str_cut(config.ari_user, sizeof(config.ari_user), "furrow");
    str_cut(config.ari_secret, sizeof(config.ari_secret), "secret");
    str_cut(config.asr_url, sizeof(config.asr_url), base);
    str_cut(config.sms_provider, sizeof(config.sms_provider), "http");
    str_cut(config.sms_url, sizeof(config.sms_url), base);
    str_cut(config.sms_account, sizeof(config.sms_account), "AC1");
    str_cut(config.sms_token, sizeof(config.sms_token), "tok");
    str_cut(config.sms_from, sizeof(config.sms_from), "+15550100");
    SCRIPT(ARI_GET, {200, NULL, 0});
    SCRIPT(ARI_DELETE, {204, "", 0});
    SCRIPT(ASR, {200, said, 0});
    SCRIPT(NLU, {500, "", 0});
    SCRIPT(SMS, {201, "{\"sid\": \"SM1\", \"status\": \"queued\"}", 0});
    forget_the_ledger();
    pgtest_run(pg, 1,
               "WITH a AS (DELETE FROM outbox), b AS (DELETE FROM jobs), c AS (DELETE "
               "FROM messages), e AS (DELETE FROM transcripts), f AS (DELETE FROM "
               "dnc_entries) SELECT 1");
    pgtest_run(pg, 1, "DELETE FROM recordings");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pool_stop(pool, 1000);
    pool = NULL;
    return 0;
}

/* A recording that Asterisk has finished, with its job, as the dialer leaves it. */
static void recording(const char *language, const char *pipeline)
{
    struct uuid id = uuid_v7(clock_now_ms());
    char key[UUID_TEXT_MAX];
    struct pg_args a = {0};
    json_t *payload =
        json_pack("{s:i, s:s}", "v", 1, "recording_id", uuid_text(&id, key));

    assert_int_equal(pg_begin(pg, 1), 0);
    pg_arg_uuid(&a, &id);
    pg_arg_text(&a, base);
    pg_arg_text(&a, language);
    pg_arg_text(&a, pipeline);
    pg_arg_ms(&a, clock_now_ms());
    assert_int_equal(
        pg_run(pg, NULL,
               "INSERT INTO recordings (id, tenant_id, call_id, name, source, location, "
               "node, phone, language, pipeline, state, created_at, updated_at) VALUES "
               "($1::uuid, 1, $1::uuid, 'fw-' || $1::uuid, 'ari', $2, 'say', "
               "251911234567, $3, $4, "
               "'finished', furrow_ts($5), furrow_ts($5))",
               &a),
        0);
    assert_int_equal(
        job_enqueue(pg, 1, "recording.fetch", key, payload, clock_now_ms(), 0), 0);
    assert_int_equal(pg_commit(pg), 0);
    json_decref(payload);
}

static void wait_sql(const char *sql, int64_t expected)
{
    int64_t end_ms = mono_ms() + BOUND_MS;

    while (pgtest_i64(pg, 1, sql) != expected && mono_ms() < end_ms)
        poll(NULL, 0, 10);
    assert_int_equal(pgtest_i64(pg, 1, sql), expected);
}

static void wait_state(const char *state)
{
    CLEANUP(free_cleanup)
    char *sql = xasprintf("SELECT count(*) FROM recordings WHERE state = '%s'", state);

    wait_sql(sql, 1);
}

/* No job is queued or at work. */
static void wait_quiet(void)
{
    wait_sql("SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')", 0);
}

static int64_t is(const char *table_and_condition)
{
    CLEANUP(free_cleanup)
    char *sql = xasprintf("SELECT count(*) FROM %s", table_and_condition);

    return pgtest_i64(pg, 1, sql);
}

/* ---- tests ---- */

/* How many messages of that kind with that text left. */
static int64_t told(const char *kind, const char *text)
{
    char from[300];

    snprintf(from, sizeof(from),
             "messages WHERE kind = '%s' AND state = 'sent' AND body LIKE '%%%s'", kind,
             text);
    return is(from);
}

static void a_recording_becomes_a_batch_and_a_receipt(void **state)
{
    (void)state;
    start();
    recording("en", "command");
    wait_state("done");
    wait_quiet();
    assert_int_equal(is("batches WHERE event = 'commission' AND quantity_kg = 300 AND "
                        "farmer = 'John' AND phone = 251911234567"),
                     1);
    assert_int_equal(is("messages WHERE kind = 'receipt' AND state = 'sent' AND "
                        "provider_id = 'SM1' AND encoding = 'GSM-7' AND segments = 1"),
                     1);
    assert_int_equal(is("recordings WHERE duration_ms = 500 AND sample_rate = 16000"), 1);
    assert_int_equal(is("content c JOIN recordings r USING (sha256) WHERE c.bytes = "
                        "r.bytes"),
                     1);
    for (int s = 0; s < SERVICES; s++)
        assert_int_equal(calls((enum service)s), s == NLU ? 0 : 1);
    assert_string_equal(peer.user[ARI_GET], "furrow:secret");
    assert_string_equal(peer.user[SMS], "AC1:tok");
    assert_non_null(strstr(peer.last[SMS], "To=%2B251911234567&From=%2B15550100&Body="));
    assert_non_null(strstr(peer.last[ASR], "filename=\"recording.wav\""));
}

static void peers_that_fail_at_first_are_asked_again(void **state)
{
    (void)state;
    SCRIPT(ARI_GET, {500, "", 0}, {401, "", 0}, {200, NULL, 0});
    SCRIPT(ARI_DELETE, {500, "", 0}, {404, "", 0});
    SCRIPT(ASR, {429, "{\"error\":{\"message\":\"slow down\"}}", 0}, {503, "<html>", 0},
           {200, "garbage", 0}, {200, said, 2500}, {200, said, 0});
    SCRIPT(SMS, {503, "", 0}, {429, "", 0}, {201, "not json", 0});
    start();
    recording("en", "command");
    wait_state("done");
    wait_quiet();
    assert_int_equal(is("batches"), 1);
    assert_int_equal(is("messages WHERE state = 'sent'"), 1);
    assert_int_equal(calls(ARI_GET), 3);
    assert_int_equal(calls(ARI_DELETE), 2);
    assert_int_equal(calls(ASR), 5);
    assert_int_equal(calls(SMS), 3);
}

static void what_the_switch_lost_is_listed(void **state)
{
    (void)state;
    SCRIPT(ARI_GET, {404, "", 0});
    start();
    recording("en", "command");
    wait_state("lost_media");
    wait_quiet();
    assert_int_equal(calls(ASR), 0);
    assert_int_equal(is("jobs WHERE state = 'done'"), 2);
    assert_int_equal(told("failed", "Processing failed. Please try again."), 1);
}

static const char flow[] =
    "{\"furrow\":1,\"name\":\"test\",\"language\":\"en\",\"entry\":\"say\",\"nodes\":{"
    "\"say\":{\"kind\":\"record\",\"prompt\":{\"en\":\"Speak.\"},\"max_s\":60,"
    "\"pipeline\":\"command\",\"into\":\"rec\",\"exits\":{\"recorded\":\"end\","
    "\"empty\":\"end\",\"failed\":\"end\"}}}}";

/* The call's session, as it stands while node `say` records. */
static void session_that_records(void)
{
    const struct ivr_compile_options options = {.sha256 = sha256_of};
    const struct ivr_env env = {.now_ms = clock_now_ms(),
                                .tenant = 1,
                                .session = "call",
                                .phone = "+251911234567",
                                .dialled = "",
                                .language = "en",
                                .caps = IVR_CAP_ALL};
    const struct ivr_input in = {.kind = IVR_IN_START};
    struct ivr_arena *arena = NULL;
    struct ivr_prog *prog = NULL;
    struct ivr_issues issues = {0};
    struct ivr_out out;
    struct flow_row row;
    const uint8_t *bytes = NULL;
    struct pg_args a = {0};
    size_t len = 0;
    bool fresh;

    assert_int_equal(ivr_arena_new(&arena, NULL), 0);
    assert_int_equal(ivr_compile(&prog, flow, strlen(flow), &options, arena, &issues), 0);
    assert_int_equal(ivr_step(prog, &env, NULL, &in, arena, &out), 0);
    assert_int_equal(out.verdict, IVR_OK);
    assert_int_equal(out.state->wait.kind, IVR_WAIT_RECORDING);
    assert_int_equal(ivr_state_write(out.state, arena, &bytes, &len), 0);
    assert_int_equal(flow_publish(pg, 1, "test", flow, clock_now_ms(), &row, &fresh), 0);
    pg_arg_bytes(&a, bytes, len);
    pg_arg_i64(&a, row.revision_id);
    assert_int_equal(pg_begin(pg, 1), 0);
    assert_int_equal(
        pg_run(
            pg, NULL,
            "WITH c AS (INSERT INTO calls (id, tenant_id, direction, "
            "flow_revision_id, slot, started_at) SELECT call_id, 1, 'out', $2::bigint, "
            "0, created_at FROM recordings RETURNING id, started_at) INSERT INTO "
            "ivr_sessions (call_id, tenant_id, seq, status, state, updated_at) SELECT "
            "id, 1, 1, 'waiting', $1, started_at FROM c",
            &a),
        0);
    assert_int_equal(pg_commit(pg), 0);
    ivr_arena_free(arena);
}

static void a_recording_that_its_flow_waits_for_is_not_lost(void **state)
{
    (void)state;
    SCRIPT(ARI_GET, {404, "", 0}, {404, "", 0}, {200, NULL, 0});
    recording("en", "command");
    session_that_records();
    start();
    wait_state("done");
    wait_quiet();
    assert_int_equal(calls(ARI_GET), 3);
    /* Waited for in vain it is lost in the end. */
    tear_down(NULL);
    forget_the_ledger();
    pgtest_run(pg, 1,
               "WITH a AS (DELETE FROM messages), c AS (DELETE FROM transcripts), d AS "
               "(DELETE FROM ivr_sessions), e AS (DELETE "
               "FROM calls), f AS (DELETE FROM jobs) SELECT 1");
    pgtest_run(pg, 1, "DELETE FROM recordings");
    SCRIPT(ARI_GET, {404, "", 0});
    recording("en", "command");
    session_that_records();
    start();
    wait_state("lost_media");
    wait_quiet();
    assert_int_equal(calls(ARI_GET), 8);
}

static void what_is_no_sound_file_is_a_failure_in_sight(void **state)
{
    (void)state;
    SCRIPT(ARI_GET, {200, "hello", 0});
    start();
    recording("en", "command");
    wait_state("failed");
    wait_quiet();
    assert_int_equal(is("jobs WHERE state = 'buried' AND attempts = 1"), 1);
    assert_int_equal(is("recordings WHERE error LIKE '%no sound file%'"), 1);
    assert_int_equal(calls(ARI_DELETE), 0); /* it stays where it can be looked at */
}

static void a_speech_service_that_stays_away_ends_as_a_failure(void **state)
{
    (void)state;
    SCRIPT(ASR, {500, "{\"detail\": \"out of order\"}", 0});
    start();
    recording("en", "command");
    wait_state("failed");
    wait_quiet();
    assert_int_equal(calls(ASR), 8);
    assert_int_equal(is("recordings WHERE error LIKE '%500: out of order'"), 1);
    assert_int_equal(is("jobs WHERE kind = 'asr' AND state = 'buried'"), 1);
}

static void what_the_service_cannot_take_is_not_asked_twice(void **state)
{
    (void)state;
    SCRIPT(
        ASR,
        {413, "{\"error\":{\"message\":\"too large\",\"code\":\"audio_too_long\"}}", 0});
    start();
    recording("en", "command");
    wait_state("failed");
    wait_quiet();
    assert_int_equal(calls(ASR), 1);
    assert_int_equal(told("failed", "Processing failed. Please try again."), 1);
    assert_int_equal(is("messages"), 1);
}

static void narrow_speech_and_unknown_languages_wait_for_a_person(void **state)
{
    (void)state;
    SCRIPT(ASR, {400, "{\"error\":{\"code\":\"unsupported_sample_rate\"}}", 0});
    start();
    recording("en", "command");
    wait_state("needs_person");
    recording("om", "command");
    wait_sql("SELECT count(*) FROM recordings WHERE state = 'needs_person'", 2);
    wait_quiet();
    assert_int_equal(calls(ASR), 1); /* Oromo was not sent */
    assert_int_equal(is("messages WHERE kind = 'waits' AND state = 'sent'"), 2);
    assert_int_equal(is("jobs WHERE state = 'buried'"), 0);
}

/* Without a language model Amharic is written down by a person, who says it in English.
 */
static void words_that_no_model_understands_wait_for_a_person(void **state)
{
    (void)state;
    SCRIPT(ASR, {200, "{\"text\": \"አምስት ከረጢት\"}", 0});
    str_cut(config.asr_languages, sizeof(config.asr_languages), "en,am");
    start();
    recording("am", "command");
    wait_state("needs_person");
    wait_quiet();
    assert_int_equal(
        is("messages WHERE kind = 'waits' AND state = 'sent' AND language = 'am'"), 1);
    assert_int_equal(is("messages"), 1);
}

static void what_is_complete_is_said_where_it_is_wanted(void **state)
{
    (void)state;
    config.sms_complete = true;
    start();
    recording("en", "command");
    wait_state("done");
    wait_quiet();
    assert_int_equal(told("complete", ": Processing complete!"), 1);
    assert_int_equal(is("messages WHERE kind = 'receipt' AND state = 'sent'"), 1);
}

static void silence_is_empty(void **state)
{
    (void)state;
    SCRIPT(ASR, {200, "{\"text\": \"  \"}", 0});
    start();
    recording("en", "command");
    wait_state("empty");
    wait_quiet();
    assert_int_equal(is("transcripts"), 0);
    assert_int_equal(told("failed", "Processing failed. Please try again."), 1);
}

static void what_nobody_spoke_into_is_deleted_unfetched(void **state)
{
    (void)state;
    recording("en", "command");
    assert_int_equal(pg_begin(pg, 1), 0);
    assert_int_equal(pg_run(pg, NULL, "UPDATE recordings SET state = 'empty'", NULL), 0);
    assert_int_equal(pg_commit(pg), 0);
    start();
    wait_quiet();
    assert_int_equal(calls(ARI_GET), 0);
    assert_int_equal(calls(ARI_DELETE), 1);
    assert_int_equal(is("recordings WHERE state = 'empty'"), 1);
}

static void what_is_stored_is_deleted_though_workers_died_at_its_job(void **state)
{
    (void)state;
    SCRIPT(ARI_DELETE, {500, "", 0}, {204, "", 0});
    recording("en", "command");
    pgtest_run(pg, 1, "UPDATE recordings SET state = 'stored', sha256 = repeat('a', 64)");
    pgtest_run(pg, 1, "UPDATE jobs SET deaths = 2");
    start();
    wait_quiet();
    assert_int_equal(calls(ARI_GET), 0);
    assert_int_equal(calls(ARI_DELETE), 2);
    assert_int_equal(is("recordings WHERE state = 'stored'"), 1);
    assert_int_equal(is("jobs WHERE state = 'buried' AND last_error LIKE '2 workers%'"),
                     1);
    assert_int_equal(is("jobs WHERE state = 'done'"), 1);
    /* A person brings the buried one back: nothing is left to do. */
    pgtest_run(pg, 1,
               "WITH j AS (UPDATE jobs SET state = 'queued', deaths = 0, lease_until = "
               "NULL, finished_at = NULL WHERE state = 'buried' RETURNING tenant_id, id, "
               "kind) INSERT INTO outbox (tenant_id, job_id, kind) SELECT * FROM j");
    wait_quiet();
    assert_int_equal(is("jobs WHERE state = 'done'"), 2);
}

static void a_plain_transcription_ends_with_its_text(void **state)
{
    (void)state;
    start();
    recording("en", "transcribe");
    wait_state("done");
    wait_quiet();
    assert_int_equal(is("transcripts WHERE intent IS NULL"), 1);
    recording("en", "none");
    wait_sql("SELECT count(*) FROM recordings WHERE state = 'done'", 2);
    wait_quiet();
    assert_int_equal(calls(ASR), 1);
    assert_int_equal(is("messages"), 0);
}

static void an_incomplete_command_says_what_is_missing(void **state)
{
    (void)state;
    SCRIPT(ASR, {200, "{\"text\": \"record commission for sidamo\"}", 0});
    start();
    recording("en", "command");
    wait_state("done");
    wait_quiet();
    assert_int_equal(is("batches"), 0);
    assert_int_equal(is("messages WHERE kind = 'question' AND state = 'sent' AND body "
                        "LIKE '%Missing%quantity, origin%How much%5 minutes%'"),
                     1);
    assert_int_equal(
        is("commands WHERE state = 'asking' AND asked = 'quantity' AND event "
           "= 'commission'"),
        1);
}

static void a_shipment_without_a_name_is_the_callers_newest_batch(void **state)
{
    (void)state;
    start();
    recording("en", "command");
    wait_state("done");
    wait_quiet();
    SCRIPT(ASR, {200, "{\"text\": \"shipped to addis ababa\"}", 0});
    recording("en", "command");
    wait_sql("SELECT count(*) FROM recordings WHERE state = 'done'", 2);
    wait_quiet();
    assert_int_equal(is("batches"), 1);
    assert_int_equal(is("commands s JOIN batches c ON c.id = s.batch AND c.event = "
                        "'commission' WHERE s.event = 'shipment' AND s.state = 'done'"),
                     1);
    assert_int_equal(is("epcis_events WHERE biz_step = 'shipping' AND "
                        "event->'destinationList'->0->>'destination' LIKE "
                        "'urn:epc:id:sgln:0614141.%'"),
                     1);
}

static void who_calls_back_with_the_answer_completes_the_command(void **state)
{
    (void)state;
    SCRIPT(ASR, {200, "{\"text\": \"record commission for five bags of sidamo\"}", 0});
    start();
    recording("en", "command");
    wait_state("done");
    wait_quiet();
    assert_int_equal(is("messages WHERE kind = 'question' AND language = 'en'"), 1);
    SCRIPT(ASR, {200, "{\"text\": \"from dilla\"}", 0});
    recording("en", "command");
    wait_sql("SELECT count(*) FROM recordings WHERE state = 'done'", 2);
    wait_quiet();
    assert_int_equal(
        is("batches WHERE origin = 'Dilla' AND quantity_kg = 300 AND variety "
           "= 'Sidamo'"),
        1);
    assert_int_equal(is("commands WHERE state = 'answered'"), 1);
    assert_int_equal(is("messages WHERE kind = 'receipt' AND state = 'sent'"), 1);
}

static void a_typed_command_is_done_for_a_registered_number(void **state)
{
    const struct command_letter letter = {.phone = INT64_C(251911234567),
                                          .text = "/commission 5 bags Yirgacheffe Abebe",
                                          .key = "SM77"};
    bool taken = false;

    (void)state;
    pgtest_run(
        pg, 1,
        "INSERT INTO callers (tenant_id, phone, name, role, language, state, "
        "created_at) VALUES (1, 251911234567, 'Abebe', 'FARMER', 'am', 'approved', "
        "timestamptz 'epoch')");
    start();
    for (int i = 0; i < 2; i++) { /* a provider hands it over again */
        assert_int_equal(command_receive(pg, 1, &letter, clock_now_ms(), &taken), 0);
        assert_true(taken);
        wait_quiet();
    }
    assert_int_equal(is("batches WHERE quantity_kg = 300 AND origin = 'Abebe'"), 1);
    assert_int_equal(is("messages WHERE kind = 'receipt' AND language = 'am' AND state = "
                        "'sent'"),
                     1);
    assert_int_equal(is("epcis_events"), 1);
}

static const char model_said[] =
    "{\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":"
    "\"{\\\"intent\\\":\\\"record_commission\\\",\\\"confidence\\\":0.8,\\\"entities\\\":"
    "[{\\\"name\\\":\\\"quantity\\\",\\\"value\\\":\\\"3\\\",\\\"text\\\":\\\"three\\\"},"
    "{\\\"name\\\":\\\"unit\\\",\\\"value\\\":\\\"bags\\\",\\\"text\\\":\\\"bags\\\"},"
    "{\\\"name\\\":\\\"origin\\\",\\\"value\\\":\\\"Guji\\\",\\\"text\\\":\\\"guji\\\"}],"
    "\\\"language\\\":\\\"en\\\",\\\"opt_out\\\":false}\"}}]}";

static void a_language_model_is_asked_in_the_form_its_server_knows(void **state)
{
    (void)state;
    str_cut(config.nlu_url, sizeof(config.nlu_url), base);
    SCRIPT(NLU, {400, "{\"error\":\"response_format\"}", 0}, {200, model_said, 0});
    start();
    recording("en", "command");
    wait_state("done");
    wait_quiet();
    assert_int_equal(calls(NLU), 2);
    assert_non_null(strstr(peer.last[NLU], "json_object"));
    assert_int_equal(is("transcripts WHERE understood_by = 'local' AND intent = "
                        "'record_commission'"),
                     1);
    assert_int_equal(is("batches WHERE quantity_kg = 180 AND origin = 'Guji'"), 1);
}

static void a_spoken_wish_for_no_more_calls_acts_at_once(void **state)
{
    (void)state;
    SCRIPT(ASR, {200, "{\"text\": \"please stop calling me\"}", 0});
    start();
    recording("en", "command");
    wait_state("done");
    wait_quiet();
    assert_int_equal(
        is("dnc_entries WHERE phone = 251911234567 AND source = 'speech' AND "
           "campaign_id = 0 AND removed_at IS NULL"),
        1);
    assert_int_equal(is("messages"), 0);
}

static void a_number_that_said_stop_by_sms_gets_none(void **state)
{
    (void)state;
    pgtest_run(pg, 1,
               "INSERT INTO dnc_entries (tenant_id, phone, source, added_at) VALUES (1, "
               "251911234567, 'sms', timestamptz 'epoch')");
    start();
    recording("en", "command");
    wait_state("done");
    wait_quiet();
    assert_int_equal(is("batches"), 1);
    assert_int_equal(is("messages WHERE state = 'refused' AND error <> ''"), 1);
    assert_int_equal(calls(SMS), 0);
}

static void what_the_provider_refuses_is_not_sent_again(void **state)
{
    (void)state;
    SCRIPT(SMS, {400, "{\"code\": 21610, \"message\": \"unsubscribed\"}", 0},
           {400, "{\"code\": 21211, \"message\": \"invalid number\"}", 0});
    start();
    recording("en", "command");
    wait_state("done");
    wait_quiet();
    assert_int_equal(is("messages WHERE state = 'refused'"), 1);
    /* Who opted out there is asked no more by us either. */
    assert_int_equal(is("dnc_entries WHERE phone = 251911234567 AND source = 'sms' AND "
                        "removed_at IS NULL"),
                     1);
    pgtest_run(pg, 1, "DELETE FROM dnc_entries");
    recording("en", "command");
    wait_sql("SELECT count(*) FROM recordings WHERE state = 'done'", 2);
    wait_quiet();
    assert_int_equal(
        is("messages WHERE state = 'failed' AND error LIKE '%invalid number'"), 1);
    assert_int_equal(calls(SMS), 2);
    assert_int_equal(is("batches"), 2); /* a failed message never undoes the batch */
}

static void every_job_may_run_twice(void **state)
{
    (void)state;
    start();
    recording("en", "command");
    wait_state("done");
    wait_quiet();
    pgtest_run(pg, 1,
               "WITH j AS (UPDATE jobs SET state = 'queued', lease_until = NULL, "
               "finished_at = NULL RETURNING "
               "tenant_id, id, kind) INSERT INTO outbox (tenant_id, job_id, kind) SELECT "
               "* FROM j");
    wait_quiet();
    assert_int_equal(is("jobs WHERE attempts = 2 AND state = 'done'"), 5);
    assert_int_equal(is("batches"), 1);
    assert_int_equal(is("messages"), 1);
    assert_int_equal(calls(ARI_GET), 1);
    assert_int_equal(calls(ASR), 1);
    assert_int_equal(calls(SMS), 1);
}

/* ---- a time to call back ---- */

#define CALLED_BACK "campaign_contacts WHERE state = 'pending' AND priority = 10000"

/* The finished recording of a call that was placed by a campaign; its contact is final.
 */
static void asked_in_a_call(void)
{
    if (is("campaigns") == 0)
        pgtest_run(
            pg, 1,
            "WITH l AS (INSERT INTO lists (tenant_id, name, created_at) VALUES (1, 'l', "
            "now()) RETURNING id), f AS (INSERT INTO flows (tenant_id, name, created_at) "
            "VALUES (1, 'back', now()) RETURNING id), r AS (INSERT INTO flow_revisions "
            "(tenant_id, flow_id, revision, sha256, source, published_at) SELECT 1, id, "
            "1, 'x', '{}', now() FROM f RETURNING id), t AS (INSERT INTO trunks "
            "(tenant_id, name, kind, cps, max_channels, created_at) VALUES (1, 't', "
            "'simulated', 1, 1, now()) RETURNING id), z AS (INSERT INTO zone_groups "
            "(tenant_id, region, zones) VALUES (1, 'ET', '{Africa/Addis_Ababa}') "
            "RETURNING id), k AS (INSERT INTO contacts (tenant_id, list_id, phone, "
            "number_type, zone_group, region) SELECT 1, l.id, 251911234567, 1, z.id, "
            "'ET' FROM l, z RETURNING id), d(t) AS (SELECT '{\"name\":\"c\",\"list\":"
            "\"l\",\"flow\":\"back\",\"trunk\":\"t\",\"regions\":[\"ET\"],"
            "\"holidays\":false,\"limits\":{\"min_gap_s\":0},\"windows\":{\"mon-sun\":"
            "[\"00:00-24:00\"]}}'), c AS (INSERT INTO campaigns (tenant_id, name, state, "
            "document, document_text, list_id, trunk_id, flow_revision_id, created_at, "
            "changed_at) SELECT 1, 'c', 'running', d.t::jsonb, d.t, l.id, t.id, r.id, "
            "now(), now() FROM d, l, t, r RETURNING id) INSERT INTO campaign_contacts "
            "(tenant_id, campaign_id, contact_id, phone, zone_group, next_attempt_at) "
            "SELECT 1, c.id, k.id, 251911234567, z.id, now() FROM c, k, z");
    pgtest_run(pg, 1,
               "UPDATE campaign_contacts SET state = 'final', final = 'completed', "
               "priority = 0, next_attempt_at = now()");
    recording("en", "callback");
    pgtest_run(pg, 1,
               "INSERT INTO calls (id, tenant_id, direction, campaign_id, contact_id, "
               "phone, flow_revision_id, slot, started_at, ended_at) SELECT r.call_id, "
               "1, 'out', k.campaign_id, k.contact_id, k.phone, 1, 0, r.created_at, "
               "r.created_at FROM recordings r, campaign_contacts k WHERE NOT EXISTS "
               "(SELECT FROM calls c WHERE c.id = r.call_id)");
}

static void a_time_that_was_said_becomes_a_promised_call(void **state)
{
    (void)state;
    SCRIPT(ASR, {200, "{\"text\": \"Please call me in two hours.\"}", 0});
    asked_in_a_call();
    start();
    wait_state("done");
    wait_quiet();
    assert_int_equal(is(CALLED_BACK " AND next_attempt_at = (SELECT created_at + "
                                    "interval '2 hours' FROM recordings)"),
                     1);
    assert_int_equal(is("transcripts WHERE intent = 'callback' AND "
                        "(entities->>'promised')::bool"),
                     1);
    assert_int_equal(is("messages"), 0);
    /* It was done once; a second one of the same call is no second promise. */
    assert_int_equal(is("jobs WHERE kind = 'nlu' AND state = 'done'"), 1);
}

static void an_hour_that_was_not_understood_waits_for_a_person(void **state)
{
    struct errtext e = {0};
    struct uuid id;

    (void)state;
    SCRIPT(ASR, {200, "{\"text\": \"call me at five or six in the afternoon\"}", 0});
    asked_in_a_call();
    start();
    wait_state("needs_person");
    wait_quiet();
    assert_int_equal(is(CALLED_BACK), 0);
    assert_int_equal(is("recordings WHERE error LIKE 'the time to call back was not "
                        "clear%'"),
                     1);
    assert_int_equal(pg_begin(pg, 1), 0);
    CLEANUP(pg_result_free) PGresult *res = NULL;
    assert_int_equal(pg_run(pg, &res, "SELECT id FROM recordings", NULL), 0);
    assert_int_equal(pg_uuid(res, 0, 0, &id), 0);
    assert_int_equal(pg_commit(pg), 0);
    /* The person has listened. */
    assert_int_equal(recording_admin_transcribe(pg, 1, &id, "in three hours", "en",
                                                clock_now_ms(), &e),
                     0);
    wait_state("done");
    wait_quiet();
    assert_int_equal(is(CALLED_BACK " AND next_attempt_at = (SELECT created_at + "
                                    "interval '3 hours' FROM recordings)"),
                     1);
}

static void who_asks_for_no_more_calls_is_promised_none(void **state)
{
    (void)state;
    SCRIPT(ASR, {200, "{\"text\": \"do not call me again at five pm\"}", 0});
    asked_in_a_call();
    start();
    wait_state("done");
    wait_quiet();
    assert_int_equal(is(CALLED_BACK), 0);
    assert_int_equal(is("dnc_entries WHERE phone = 251911234567 AND source = 'speech'"),
                     1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_recording_becomes_a_batch_and_a_receipt, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(peers_that_fail_at_first_are_asked_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_the_switch_lost_is_listed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_recording_that_its_flow_waits_for_is_not_lost,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_sound_file_is_a_failure_in_sight,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_speech_service_that_stays_away_ends_as_a_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_service_cannot_take_is_not_asked_twice,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            narrow_speech_and_unknown_languages_wait_for_a_person, set_up, tear_down),
        cmocka_unit_test_setup_teardown(silence_is_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(words_that_no_model_understands_wait_for_a_person,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_complete_is_said_where_it_is_wanted,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            what_is_stored_is_deleted_though_workers_died_at_its_job, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_nobody_spoke_into_is_deleted_unfetched,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_plain_transcription_ends_with_its_text, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_incomplete_command_says_what_is_missing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_shipment_without_a_name_is_the_callers_newest_batch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            who_calls_back_with_the_answer_completes_the_command, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_typed_command_is_done_for_a_registered_number,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_language_model_is_asked_in_the_form_its_server_knows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_spoken_wish_for_no_more_calls_acts_at_once,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_number_that_said_stop_by_sms_gets_none, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_the_provider_refuses_is_not_sent_again,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_job_may_run_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_time_that_was_said_becomes_a_promised_call,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            an_hour_that_was_not_understood_waits_for_a_person, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_asks_for_no_more_calls_is_promised_none,
                                        set_up, tear_down),
    };

    pgtest_start(PGTEST_POSTGRES_AND_REDIS);
    pg = pgtest_open();
    make_wav();
    struct MHD_Daemon *d =
        MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                             MHD_USE_ERROR_LOG,
                         0, NULL, NULL, answer, NULL, MHD_OPTION_NOTIFY_COMPLETED,
                         completed, NULL, MHD_OPTION_END);
    if (!d)
        return 1;
    snprintf(base, sizeof(base), "http://127.0.0.1:%d",
             MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MHD_stop_daemon(d);
    free(peer.wav);
    pg_close(pg);
    return failed;
}
