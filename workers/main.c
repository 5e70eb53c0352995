/*
 * furrow-worker - the job pool. Threads: pool.h. The main thread renews the node
 * slot, which says that a worker lives, and waits for the stop signal.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/content.h"
#include "base/log.h"
#include "base/migrate.h"
#include "base/pg.h"
#include "base/program.h"
#include "campaigns/slot_store.h"
#include "workers/job_schedule.h"
#include "workers/pool.h"
#include "workers/volatile_pool.h"
#include "workers/worker.h"

enum { SCHEDULES_MS = 1000, RENEW_MS = 5000 };

/* A job at work may hold a connection, and there may be a thousand. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        log_warn("worker", "the limit of open files could not be raised: %s",
                 strerror(errno));
}

static int open_own(struct pg **out, const struct worker_config *c, struct errtext *e)
{
    const struct pg_options options = {
        .url = c->common.database_url, .role = "furrow_app", .name = "furrow-worker"};

    struct content content;

    if (!c->common.database_url[0])
        return errtext_set(e, EINVAL, 0, 0, "no database: set DATABASE_URL");
    int err = content_init(&content, &c->common, e);
    if (!err)
        err = pg_open(out, &options, e);
    if (!err)
        err = migrate_check(*out, e);
    return err ? err : clock_share(*out, e);
}

static void log_counts(struct pool *pool)
{
    struct pool_counts c = pool_count(pool);

    log_info("worker", "done=%lld retried=%lld buried=%lld handed_back=%lld running=%d",
             (long long)c.done, (long long)c.retried, (long long)c.buried,
             (long long)c.handed_back, c.running);
}

static int start_volatile(struct volatile_pool **out, struct pg *pg,
                          const struct worker_config *c, const char *holder,
                          struct errtext *e)
{
    static char installation[INSTALLATION_ID_MAX];
    struct volatile_pool_options options;

    if (c->volatile_threads == 0)
        return 0;
    int err = pg_installation(pg, installation);
    if (err)
        return errtext_set(e, err, 0, 0, "installation id: %s", pg_error(pg));
    worker_volatile_options(c, &options);
    options.queue.installation = installation;
    options.queue.holder = holder;
    return volatile_pool_start(out, &options, e);
}

static void log_volatile(struct volatile_pool *pool)
{
    if (!pool)
        return;
    struct volatile_counts c = volatile_pool_count(pool);
    log_info("worker",
             "volatile done=%lld retried=%lld buried=%lld handed_back=%lld "
             "taken_over=%lld running=%d",
             (long long)c.done, (long long)c.retried, (long long)c.buried,
             (long long)c.handed_back, (long long)c.taken_over, c.running);
}

static void serve(struct pg *pg, const struct uuid *holder)
{
    struct pollfd stop = {.fd = program_stop_fd(), .events = POLLIN};
    char host[128] = "";
    int slot = -1;
    bool bad = false;
    int64_t renew_at_ms = 0;

    gethostname(host, sizeof(host) - 1);
    while (!atomic_load(program_stop_flag())) {
        int err = 0, fired = 0;
        if (mono_ms() >= renew_at_ms) {
            renew_at_ms = mono_ms() + RENEW_MS;
            err = slot < 0 ? slot_take(pg, "worker", -1, holder, host, getpid(), &slot)
                           : slot_renew(pg, "worker", slot, holder);
            if (err && !bad)
                log_warn("worker", "slot=%d err=%d the slot's lease is not renewed", slot,
                         err);
            bad = err != 0;
            slot = err == EACCES ? -1 : slot;
        }
        if (job_schedules_fire(pg, clock_now_ms(), &fired))
            log_info("worker", "schedules are looked at later: %s",
                     LOG_ESC(pg_error(pg)));
        poll(&stop, 1, SCHEDULES_MS);
    }
    if (slot_give(pg, "worker", -1, holder))
        log_warn("worker", "slot=%d could not be given back; it lapses", slot);
}

int main(int argc, char **argv)
{
    static struct worker_config config;
    struct pool_options options;
    struct errtext e = {0};
    struct pool *pool = NULL;
    struct volatile_pool *volatile_pool = NULL;
    struct pg *pg = NULL;
    char id[UUID_TEXT_MAX];
    int code = 0;
    const struct program program = {
        .table = &worker_config_table,
        .about = "does the jobs: recordings, speech, meaning, batches, messages",
        .example = "DATABASE_URL=… REDIS_URL=… FURROW_ASR_URL=http://127.0.0.1:8178 "
                   "furrow-worker",
        .common = &config.common};

    if (!program_start(&program, argc, argv, &config, &code))
        return code;
    program_watch_signals();
    raise_file_limit();
    struct uuid holder = uuid_v7(clock_real_ms());
    worker_pool_options(&config, &options);
    options.queue.holder = uuid_text(&holder, id);
    int err = open_own(&pg, &config, &e);
    if (!err)
        err = pool_start(&pool, &options, &e);
    if (!err)
        err = start_volatile(&volatile_pool, pg, &config, id, &e);
    if (!err) {
        log_info("worker", "state=working threads=%d id=%s", options.threads, id);
        serve(pg, &holder);
        log_counts(pool);
        log_volatile(volatile_pool);
    } else {
        log_error("worker", "%s", e.text);
    }
    int64_t end_ms = mono_ms() + config.grace_s * 1000;
    pool_stop(pool, end_ms - mono_ms());
    volatile_pool_stop(volatile_pool, end_ms - mono_ms());
    pg_close(pg);
    log_info("worker", "state=stopped");
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
