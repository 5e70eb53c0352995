/* A recording is fetched from its provider on a real Postgres: where a redirect may lead,
 * by name and by the address that the name comes to. */
#include "unit/cm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/secret.h"
#include "base/xalloc.h"
#include "campaigns/provider_store.h"
#include "store/pgtest.h"
#include "workers/fetch_provider.h"

enum { TENANT = 1, LEAD_MAX = 200 };

static struct pg *db;
static struct pg_pool *pool;
static struct worker_config config;
static struct recording recording;
static char base[64], leads_to[LEAD_MAX]; /* "": the file is sent */
static int inner_fd, inner_port;          /* who must not be asked */

/* The provider's server, one request at a time: leads_to is set between them. */
static enum MHD_Result answer(void *arg, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *len, void **state)
{
    static char sound[] = "sound";

    (void)arg, (void)url, (void)method, (void)version, (void)data, (void)len, (void)state;
    struct MHD_Response *resp =
        MHD_create_response_from_buffer(sizeof(sound) - 1, sound, MHD_RESPMEM_PERSISTENT);
    if (leads_to[0])
        MHD_add_response_header(resp, "Location", leads_to);
    enum MHD_Result ok = MHD_queue_response(c, leads_to[0] ? 302 : 200, resp);
    MHD_destroy_response(resp);
    return ok;
}

/* What came of it, how many bytes, and whether the inner one was connected to. */
static enum job_result fetched(char why[JOB_WHY_MAX], long *bytes, bool *asked)
{
    const struct job job = {.tenant_id = TENANT, .attempts = 1};
    struct job_ctx ctx = {.pool = pool, .config = &config};
    struct pollfd came = {.fd = inner_fd, .events = POLLIN};
    FILE *to = tmpfile();

    assert_non_null(to);
    assert_int_equal(http_new(&ctx.http, NULL), 0);
    enum job_result result = fetch_from_provider(&ctx, &job, &recording, to);
    fseek(to, 0, SEEK_END);
    *bytes = ftell(to);
    *asked = poll(&came, 1, 0) > 0;
    str_cut(why, JOB_WHY_MAX, ctx.why);
    http_free(ctx.http);
    fclose(to);
    return result;
}

static void the_file_is_fetched_where_it_is_said_to_lie(void **state)
{
    char why[JOB_WHY_MAX];
    long bytes = 0;
    bool asked = false;

    (void)state;
    leads_to[0] = '\0';
    assert_int_equal(fetched(why, &bytes, &asked), JOB_DONE);
    assert_int_equal(bytes, 5);
}

static void no_redirect_leads_inside(void **state)
{
    static const struct {
        const char *host;
        enum job_result result;
    } cases[] = {
        {"https://localhost", JOB_RETRY}, /* listed, by name */
        {"https://127.0.0.1", JOB_RETRY}, /* listed, by address */
        {"http://localhost", JOB_BURY},   /* in the clear */
        {"https://[::1]", JOB_BURY},
        {"https://0x7f000001", JOB_BURY},
        {"https://api.twilio.com@localhost", JOB_BURY},
        {"https://other.example", JOB_BURY},
        {"file:///etc/passwd", JOB_BURY},
    };
    char why[JOB_WHY_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        long bytes = 1;
        bool asked = true;
        CLEANUP(free_cleanup)
        char *to = xasprintf("%s:%d/secret", cases[i].host, inner_port);
        str_cut(leads_to, sizeof(leads_to), to);
        enum job_result result = fetched(why, &bytes, &asked);
        if (result != cases[i].result || bytes != 0 || asked)
            fail_msg("%s: result %d, %ld bytes, asked %d: %s", to, (int)result, bytes,
                     asked, why);
    }
}

static void a_listener(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    inner_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(inner_fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(inner_fd, 8), 0);
    assert_int_equal(getsockname(inner_fd, (struct sockaddr *)&at, &len), 0);
    inner_port = ntohs(at.sin_port);
}

/* A call in over that account. */
static void a_call(int64_t account)
{
    char sql[600], id[UUID_TEXT_MAX];

    recording.id = recording.call_id = uuid_v7(clock_now_ms());
    str_cut(recording.source, sizeof(recording.source), "twilio");
    snprintf(recording.location, sizeof(recording.location),
             "%s/2010-04-01/Accounts/AC1/Recordings/RE1", base);
    snprintf(sql, sizeof(sql),
             "INSERT INTO voice_sessions (call_id, tenant_id, account_id, "
             "provider_call_id, inbound, flow_revision_id, flow_sha256, dialled, "
             "language, tz_min, contact, begun_at, changed_at) VALUES ('%s', 1, %lld, "
             "'CA1', true, 1, '', '', 'en', 0, '{}', now(), now())",
             uuid_text(&recording.call_id, id), (long long)account);
    pgtest_run(db, TENANT, sql);
}

static int setup(void **state)
{
    const struct pg_options options = {.url = pgtest_url(), .role = "furrow_app"};
    struct provider p = {.kind = PROVIDER_TWILIO, .name = "main", .token = "tok"};
    CLEANUP(secret_keys_wipe) struct secret_keys keys = {0};
    static char key[SECRET_KEY_TEXT_MAX];
    struct errtext e = {0};

    (void)state;
    secret_key_new(key);
    setenv("FURROW_SECRET_KEY", key, 1);
    db = pgtest_open();
    a_listener();
    str_cut(p.account, sizeof(p.account), "AC1");
    snprintf(p.settings_json, sizeof(p.settings_json),
             "{\"api_url\": \"%s\", \"media_hosts\": \"localhost:%d, 127.0.0.1:%d\"}",
             base, inner_port, inner_port);
    if (secret_keys_read(&keys, key, "", &e) || pg_pool_new(&pool, &options, 2, &e) ||
        config_load(&worker_config_table, NULL, &config, &e) ||
        provider_add(db, &keys, TENANT, &p, clock_now_ms(), &e))
        fail_msg("%s", e.text);
    a_call(p.id);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(inner_fd);
    pg_pool_free(pool);
    pg_close(db);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_is_fetched_where_it_is_said_to_lie),
        cmocka_unit_test(no_redirect_leads_inside),
    };

    pgtest_start(PGTEST_POSTGRES);
    struct MHD_Daemon *d = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL,
                                            NULL, answer, NULL, MHD_OPTION_END);
    if (!d)
        return 1;
    snprintf(base, sizeof(base), "http://127.0.0.1:%d",
             MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port);
    int failed = cmocka_run_group_tests_name("fetch_provider", tests, setup, teardown);
    MHD_stop_daemon(d);
    return failed;
}
