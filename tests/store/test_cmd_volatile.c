/* `furrow jobs send notice` as an operator types it, furrow-worker's kinds, and a
 * service that is told. */
#include "unit/cm.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <microhttpd.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "store/pgtest.h"
#include "workers/volatile_pool.h"
#include "workers/worker.h"

enum { BOUND_MS = 20000, ARGS_MAX = 16 };

static struct {
    pthread_mutex_t lock;
    int asked, status[4]; /* the last one goes on */
    char body[256], id[2][64], path[64], method[16];
} peer = {.lock = PTHREAD_MUTEX_INITIALIZER};
static char url[64], output[16384];

static enum MHD_Result answer(void *arg, struct MHD_Connection *c, const char *path,
                              const char *method, const char *version, const char *data,
                              size_t *len, void **state)
{
    static int begun;
    const char *id = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "X-Furrow-Job");

    (void)arg, (void)version;
    if (!*state) {
        *state = &begun;
        return MHD_YES;
    }
    pthread_mutex_lock(&peer.lock);
    if (*len > 0) {
        snprintf(peer.body, sizeof(peer.body), "%.*s", (int)*len, data);
        *len = 0;
        pthread_mutex_unlock(&peer.lock);
        return MHD_YES;
    }
    int n = peer.asked++;
    str_cut(peer.path, sizeof(peer.path), path);
    str_cut(peer.method, sizeof(peer.method), method);
    str_cut(peer.id[n > 0], sizeof(peer.id[0]), id ? id : "");
    int status = peer.status[n < 3 ? n : 3];
    pthread_mutex_unlock(&peer.lock);
    struct MHD_Response *r =
        MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result ok = MHD_queue_response(c, (unsigned)status, r);
    MHD_destroy_response(r);
    return ok;
}

static int asked(void)
{
    pthread_mutex_lock(&peer.lock);
    int n = peer.asked;
    pthread_mutex_unlock(&peer.lock);
    return n;
}

static void answers(int first, int then)
{
    pthread_mutex_lock(&peer.lock);
    peer.asked = 0;
    peer.status[0] = first;
    peer.status[1] = peer.status[2] = peer.status[3] = then;
    pthread_mutex_unlock(&peer.lock);
}

/* Its exit code; output has what it printed. */
static int furrow(const char *const *args)
{
    const char *argv[ARGS_MAX] = {BUILD_DIR "/bin/furrow", "jobs"};
    char path[300];
    int status = 0;

    for (int n = 2; *args && n < ARGS_MAX - 1; n++)
        argv[n] = *args++;
    snprintf(path, sizeof(path), "%s/stdout", pgtest_dir());
    int err = proc_run(&(struct proc){.argv = argv, .output_path = path}, &status);
    memset(output, 0, sizeof(output));
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    (void)!fread(output, 1, sizeof(output) - 1, f);
    fclose(f);
    return err ? WEXITSTATUS(status) : 0;
}

#define FURROW(...) furrow((const char *const[]){__VA_ARGS__, NULL})

static void says(int code, int wanted, const char *text)
{
    if (code != wanted || !strstr(output, text))
        fail_msg("wanted exit %d and '%s', got %d: %s", wanted, text, code, output);
}

static const char *payload(const char *tail)
{
    static char text[200];

    snprintf(text, sizeof(text), "{\"url\": \"%s/hook\"%s}", url, tail);
    return text;
}

static struct volatile_pool *start_worker(void)
{
    static struct worker_config config;
    static char installation[INSTALLATION_ID_MAX];
    struct volatile_pool_options o;
    struct volatile_pool *p = NULL;
    struct errtext e = {0};
    struct pg *pg = pgtest_open();

    assert_int_equal(config_load(&worker_config_table, NULL, &config, &e), 0);
    assert_int_equal(pg_installation(pg, installation), 0);
    pg_close(pg);
    worker_volatile_options(&config, &o);
    o.queue.installation = installation;
    o.queue.holder = "test";
    o.retry_base_ms = 20;
    o.retry_max_ms = 40;
    assert_int_equal(volatile_pool_start(&p, &o, &e), 0);
    return p;
}

static json_int_t stat_of(const char *member)
{
    says(FURROW("stats", "--json"), 0, "notice");
    json_auto_t *all = json_loads(output, 0, NULL);
    return json_integer_value(json_object_get(json_object_get(all, "notice"), member));
}

static void a_notice_reaches_the_service_at_the_second_try(void **state)
{
    (void)state;
    answers(503, 204);
    says(FURROW("send", "notice", "--payload", payload(", \"body\": {\"n\": 1}")), 0,
         "sent");
    says(FURROW("send", "notice", "--delay-s", "3600", "--payload", payload("")), 0,
         "sent");
    assert_int_equal(stat_of("queued"), 2);
    assert_int_equal(stat_of("later"), 1);
    struct volatile_pool *p = start_worker();
    int64_t end_ms = mono_ms() + BOUND_MS;
    while (asked() < 2 && mono_ms() < end_ms)
        poll(NULL, 0, 5);
    volatile_pool_stop(p, 1000);
    assert_int_equal(asked(), 2);
    assert_string_equal(peer.method, "POST");
    assert_string_equal(peer.path, "/hook");
    assert_string_equal(peer.body, "{\"n\":1}");
    assert_int_equal(strlen(peer.id[0]), 36);
    assert_string_equal(peer.id[0], peer.id[1]);
    assert_int_equal(stat_of("queued"), 1);
}

static void a_notice_that_is_refused_is_buried_shown_and_sent_again(void **state)
{
    (void)state;
    answers(404, 200);
    says(FURROW("send", "notice", "--payload", payload("")), 0, "sent");
    struct volatile_pool *p = start_worker();
    int64_t end_ms = mono_ms() + BOUND_MS;
    while (volatile_pool_count(p).buried < 1 && mono_ms() < end_ms)
        poll(NULL, 0, 5);
    volatile_pool_stop(p, 1000); /* which writes it down */
    assert_int_equal(asked(), 1);
    says(FURROW("volatile", "notice"), 0, "the service answered 404");
    says(FURROW("volatile", "notice", "--retry"), 0, "1 job sent again");
    p = start_worker();
    while (asked() < 2 && mono_ms() < end_ms)
        poll(NULL, 0, 5);
    volatile_pool_stop(p, 1000);
    assert_int_equal(asked(), 2);
    assert_int_equal(stat_of("buried"), 0);
}

static void a_key_holds_off_a_second_one(void **state)
{
    (void)state;
    says(FURROW("send", "notice", "--key", "wall", "--payload", payload("")), 0, "sent");
    says(FURROW("send", "notice", "--key", "wall", "--payload", payload("")), 0,
         "not sent: one of this key waits or runs");
}

static void a_kind_is_paused_shown_and_goes_on(void **state)
{
    (void)state;
    says(FURROW("pause", "notice"), 0, "notice is paused");
    says(FURROW("watch", "--times", "1"), 0, "paused");
    says(FURROW("watch", "--times", "1", "--json"), 0, "\"hold\":\"paused\"");
    says(FURROW("resume", "notice"), 0, "goes on");
    says(FURROW("watch", "--times", "1", "--json"), 0, "\"failed\":");
    assert_null(strstr(output, "\"hold\":\"paused\""));
    assert_true(stat_of("done") > 0); /* of the tests before */
    assert_int_equal(FURROW("drain", "notice"), 1);
}

static void wrong_command_lines_are_refused(void **state)
{
    (void)state;
    assert_int_equal(FURROW("send"), 2);
    assert_int_equal(FURROW("send", "asr"), 2); /* a durable kind */
    assert_int_equal(FURROW("send", "notice", "--payload", "[1]"), 2);
    assert_int_equal(FURROW("send", "notice", "--payload", "{"), 2);
    assert_int_equal(FURROW("send", "notice", "--delay-s", "-1"), 2);
    assert_int_equal(FURROW("volatile", "notice", "--retry", "--forget"), 2);
    setenv("REDIS_URL", "unix:///nowhere/redis.sock", 1);
    assert_int_equal(FURROW("send", "notice"), 1);
    assert_int_equal(FURROW("stats"), 0); /* the durable ones all the same */
    setenv("REDIS_URL", pgtest_redis_url(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_notice_reaches_the_service_at_the_second_try),
        cmocka_unit_test(a_notice_that_is_refused_is_buried_shown_and_sent_again),
        cmocka_unit_test(a_key_holds_off_a_second_one),
        cmocka_unit_test(a_kind_is_paused_shown_and_goes_on),
        cmocka_unit_test(wrong_command_lines_are_refused),
    };

    pgtest_start(PGTEST_POSTGRES_AND_REDIS);
    struct MHD_Daemon *d = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL,
                                            NULL, answer, NULL, MHD_OPTION_END);
    if (!d)
        return 1;
    snprintf(url, sizeof(url), "http://127.0.0.1:%u",
             MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MHD_stop_daemon(d);
    return failed;
}
