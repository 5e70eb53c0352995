#include "cli/run_children.h"

#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/pg.h"
#include "campaigns/slot_store.h"
#include "cli/cli.h"

enum { GRACE_MS = 20000, DEATHS_MAX = 4 };

static void pass_on_bucket(const struct config_common *c)
{
    char number[32];

    setenv("FURROW_CONTENT_BUCKET", c->content_bucket, 1);
    setenv("FURROW_CONTENT_ENDPOINT", c->content_endpoint, 1);
    setenv("FURROW_CONTENT_REGION", c->content_region, 1);
    setenv("FURROW_CONTENT_ADDRESSING", c->content_addressing, 1);
    setenv("FURROW_CONTENT_PREFIX", c->content_prefix, 1);
    setenv("FURROW_CONTENT_KEY_ID", c->content_key_id, 1);
    setenv("FURROW_CONTENT_SECRET", c->content_secret, 1);
    snprintf(number, sizeof(number), "%lld", (long long)c->content_max_mib);
    setenv("FURROW_CONTENT_MAX_MIB", number, 1);
    snprintf(number, sizeof(number), "%lld", (long long)c->content_timeout_s);
    setenv("FURROW_CONTENT_TIMEOUT_S", number, 1);
}

/* What our configuration file or environment said holds for the children too. */
static void pass_on_settings(const struct cli *cli)
{
    const struct config_common *c = &cli->config.common;

    setenv("DATABASE_URL", c->database_url, 1);
    setenv("REDIS_URL", c->redis_url, 1);
    setenv("FURROW_CLOCK", c->clock, 1);
    setenv("FURROW_DATA_DIR", c->data_dir, 1);
    setenv("FURROW_LOG_LEVEL", c->log_level, 1);
    if (c->content_bucket[0])
        pass_on_bucket(c);
}

static int find_program(struct run_child *c, const char *name, const char *data_dir,
                        struct errtext *e)
{
    char self[PATH_MAX] = "";

    if (readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
        return errtext_set(e, errno, 0, 0, "/proc/self/exe: %s", strerror(errno));
    snprintf(c->program, sizeof(c->program), "%s/%s", dirname(self), name);
    if (access(c->program, X_OK) != 0)
        return errtext_set(e, ENOENT, 0, 0, "no %s is alive, and there is none at %.200s",
                           name, c->program);
    int len = snprintf(c->log, sizeof(c->log), "%s/log/run-%s.log", data_dir, name);
    if (len < 0 || (size_t)len >= sizeof(c->log))
        return errtext_set(e, ENAMETOOLONG, 0, 0, "data_dir is too long");
    int err = files_mkdirs_for(c->log);
    return err ? errtext_set(e, err, 0, 0, "%.200s: %s (set FURROW_DATA_DIR)", c->log,
                             strerror(err))
               : 0;
}

static int ensure(struct run_child *c, struct cli *cli, const char *name,
                  const char *kind, struct errtext *e)
{
    int live = 0;

    if (c->ours)
        return 0;
    if (slot_count_live(cli->pg, kind, &live))
        return EAGAIN;
    if (live > 0)
        return 0;
    int err = find_program(c, name, cli->config.common.data_dir, e);
    if (err)
        return err;
    c->service = (struct service){.name = name,
                                  .argv = {c->program},
                                  .log_path = c->log,
                                  .stop_signal = SIGTERM,
                                  .stop_ms = GRACE_MS};
    err = service_start(&c->service);
    if (err)
        return errtext_set(e, err, 0, 0, "%s: %s", name, strerror(err));
    c->ours = true;
    fprintf(stderr, "no %s is alive: one runs until this command ends (log: %s)\n", kind,
            c->log);
    return 0;
}

int run_children_ensure(struct run_children *c, struct cli *cli, struct errtext *e)
{
    pass_on_settings(cli);
    int err = ensure(&c->worker, cli, "furrow-worker", "worker", e);
    return err ? err : ensure(&c->dialer, cli, "furrow-dialer", "dialer", e);
}

static int tend(struct run_child *c, struct errtext *e)
{
    if (!c->ours || !service_tend(&c->service, mono_ms()))
        return 0;
    if (c->service.restarts > DEATHS_MAX)
        return errtext_set(e, ECHILD, 0, 0, "%s ends again and again; see %.200s",
                           c->service.name, c->log);
    fprintf(stderr, "%s ended; it is started again (log: %s)\n", c->service.name, c->log);
    return 0;
}

int run_children_tend(struct run_children *c, struct errtext *e)
{
    int err = tend(&c->dialer, e);

    return err ? err : tend(&c->worker, e);
}

/* The dialer first: what it finishes makes work for the worker. */
void run_children_stop(struct run_children *c)
{
    struct run_child *const all[] = {&c->dialer, &c->worker};

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (!all[i]->ours)
            continue;
        service_signal_stop(&all[i]->service);
        service_wait_stop(&all[i]->service);
        all[i]->ours = false;
    }
}
