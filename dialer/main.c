/*
 * furrow-dialer - places calls and runs flows over them. One libuv loop owns all state
 * and never blocks; a few database threads stand behind one door (dialer/db.h);
 * speech is synthesised on libuv's pool.
 *
 * The end: SIGTERM or SIGINT stops claiming; calls that are up may finish for drain_s,
 * then their flows are told to stop, then they are hung up. A second signal skips the
 * waiting. What has happened is written down before the program leaves.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/content.h"
#include "base/log.h"
#include "base/program.h"
#include "base/xalloc.h"
#include "campaigns/slot_store.h"
#include "compliance/dnc_list.h"
#include "compliance/pack.h"
#include "compliance/pack_store.h"
#include "dialer/ari.h"
#include "dialer/db.h"
#include "dialer/dialer.h"
#include "dialer/live.h"
#include "dialer/node_slot.h"
#include "dialer/pacing.h"
#include "dialer/placed.h"
#include "dialer/prompts.h"
#include "dialer/recovery.h"
#include "dialer/sweep.h"
#include "dialer/trunk.h"
#include "dialer/web.h"

enum {
    QUEUE_MAX = 256,          /* work at the database's door that may be refused */
    WEB_MAX_HOST = 64,        /* Asterisk allows 100 HTTP sessions */
    STANDING_STILL_MS = 4000, /* well before the lease of another node's slot is over */
    END_TICK_MS = 50,
    POLITE_MS = 10000, /* flows that were told to stop */
    HANG_UP_MS = 5000, /* channels that were told to end */
    DB_GRACE_MS = 10000,
};

enum phase { RUNNING, DRAINING, POLITE, HANGING_UP, OVER };

/* The process: the dialer and what only main knows. */
static struct process {
    struct dialer dialer;
    struct node_slot slot;
    const char *config_file;
    uv_loop_t loop;
    uv_signal_t signals[3];
    uv_timer_t end;
    enum phase phase;
    int64_t phase_until_ms; /* monotonic */
    int exit_code;
} process;

static void enter(struct process *p, enum phase phase, int64_t for_ms)
{
    static const char *const names[] = {"running", "draining", "stopping-flows",
                                        "hanging-up", "over"};

    if (p->phase >= phase)
        return;
    p->phase = phase;
    p->phase_until_ms = mono_ms() + for_ms;
    log_info("dialer", "state=%s attempts=%zu live_calls=%zu", names[phase],
             placed_count(&p->dialer), lives_count(p->dialer.lives));
    if (phase == POLITE)
        lives_stop(p->dialer.lives);
    if (phase == HANGING_UP)
        placed_hang_up_all(&p->dialer);
    if (phase == OVER)
        uv_stop(&p->loop);
}

static void on_end_tick(uv_timer_t *timer)
{
    static const int64_t next_ms[] = {[DRAINING] = POLITE_MS, [POLITE] = HANG_UP_MS};
    struct process *p = timer->data;

    if (placed_count(&p->dialer) == 0 && lives_count(p->dialer.lives) == 0 &&
        sweep_is_idle(&p->dialer) && ari_lines_are_over(p->dialer.ari))
        enter(p, OVER, 0);
    else if (mono_ms() >= p->phase_until_ms)
        enter(p, p->phase + 1, p->phase < HANGING_UP ? next_ms[p->phase] : 0);
}

void dialer_stop(struct dialer *d, int exit_code)
{
    struct process *p = &process;

    if (exit_code)
        p->exit_code = exit_code;
    if (p->phase == RUNNING) {
        d->stopping = true;
        sweep_stop(d);
        ari_lines_end(d->ari);
        enter(p, DRAINING, d->config.drain_s * 1000);
        uv_timer_start(&p->end, on_end_tick, 0, END_TICK_MS);
    } else {
        p->phase_until_ms = mono_ms(); /* on to the next phase */
    }
}

static void reload(struct process *p)
{
    CLEANUP(free_cleanup) struct dialer_config *fresh = xcalloc(1, sizeof(*fresh));
    enum log_level level = LOG_INFO;
    struct errtext e = {0};

    if (config_load(&dialer_config_table, p->config_file, fresh, &e) ||
        !log_level_parse(fresh->common.log_level, &level)) {
        log_error("dialer", "reload refused, nothing changed: %s", e.text);
        return;
    }
    log_set_level(level);
    p->dialer.config.node_weight = fresh->node_weight;
    p->dialer.config.node_priority = fresh->node_priority;
    log_info("dialer", "reloaded log_level=%s node_weight=%lld node_priority=%lld",
             fresh->common.log_level, (long long)fresh->node_weight,
             (long long)fresh->node_priority);
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct process *p = signal->data;

    if (number == SIGHUP)
        reload(p);
    else
        dialer_stop(&p->dialer, EXIT_SUCCESS);
}

static void watch_signals(struct process *p)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        uv_signal_init(&p->loop, &p->signals[i]);
        p->signals[i].data = p;
        uv_signal_start(&p->signals[i], on_signal, numbers[i]);
    }
    uv_timer_init(&p->loop, &p->end);
    p->end.data = p;
}

/* ---- begin ---- */

static int open_node(struct process *p, const struct pg_options *options,
                     struct errtext *e)
{
    struct dialer *d = &p->dialer;
    struct pg *pg = NULL;

    int err = pg_open(&pg, options, e);
    if (err)
        return err;
    err = clock_share(pg, e);
    if (!err && (err = pg_installation(pg, d->installation)))
        errtext_set(e, err, 0, 0, "installation: %s (run 'furrow migrate')",
                    pg_error(pg));
    /* Decisions name packs by content: each must be there to be found again. */
    if (!err && (err = packs_keep(pg, packs_of_process())))
        errtext_set(e, err, 0, 0, "rule packs: %s", pg_error(pg));
    if (!err)
        err = node_slot_take(&p->slot, pg, d->config.common.data_dir, e);
    pg_close(pg);
    if (err)
        return err;
    d->slot = p->slot.slot;
    d->holder = p->slot.holder;
    d->slot_held = true;
    return 0;
}

static int open_parts(struct process *p, struct errtext *e)
{
    struct dialer *d = &p->dialer;
    const struct dialer_config *c = &d->config;
    const struct pg_options pg = {.url = c->common.database_url,
                                  .role = "furrow_app",
                                  .name = "furrow-dialer",
                                  .by_key = true,
                                  .idle_ms = STANDING_STILL_MS};

    CLEANUP(free_cleanup) char *lists = xasprintf("%s/dnc", c->common.data_dir);
    struct content content;
    dnc_lists_use(lists);
    int err = content_init(&content, &c->common, e);
    if (!err)
        err = open_node(p, &pg, e);
    if (!err)
        err = db_new(&d->db, d->loop, &pg, (int)c->db_threads, QUEUE_MAX, e);
    if (!err)
        err = web_new(&d->web, d->loop, WEB_MAX_HOST);
    if (!err)
        err = prompts_new(&d->prompts, d->loop, &c->common);
    if (!err)
        err = lives_new(&d->lives, d);
    if (!err)
        err = pacing_new(&d->pacing, d->loop, c->common.redis_url, d->installation,
                         recovery_rebuild_pacing, d, e);
    if (!err) {
        d->placed = placed_new();
        d->trunks = trunks_new();
    }
    if (!err && c->ari_url[0])
        err = ari_new(&d->ari, d, e);
    if (!err)
        d->sweep = sweep_new(d);
    return errtext_set(e, err, 0, 0, "%s", strerror(err));
}

/* ---- end ---- */

static int give_slot(struct pg *pg, void *arg)
{
    const struct dialer *d = arg;

    return slot_give(pg, "dialer", d->slot, &d->holder);
}

static void on_slot_given(int err, void *arg)
{
    const struct dialer *d = arg;

    if (err)
        log_warn("dialer", "slot=%d err=%d not given back; it lapses", d->slot, err);
}

static void close_parts(struct process *p)
{
    struct dialer *d = &p->dialer;

    ari_close(d->ari);
    web_close(d->web); /* its answers still find who asked */
    recovery_leave(d);
    if (d->db && d->slot_held &&
        db_submit(d->db, DB_KEEP, 0, give_slot, on_slot_given, d))
        log_warn("dialer", "slot=%d not given back; it lapses", d->slot);
    db_close(d->db, DB_GRACE_MS); /* what is told now still finds everything */
    pacing_close(d->pacing);
    lives_free(d->lives);
    sweep_free(d->sweep);
    d->sweep = NULL;
    trunks_free(d->trunks);
    placed_free(d->placed);
    prompts_free(d->prompts);
    for (size_t i = 0; i < ARRAY_LEN(p->signals); i++)
        uv_close((uv_handle_t *)&p->signals[i], NULL);
    uv_close((uv_handle_t *)&p->end, NULL);
    uv_run(&p->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&p->loop))
        log_debug("dialer", "handles were left open");
}

/* program_start has read it; SIGHUP reads it again. */
static const char *config_file_of(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0 || strcmp(argv[i], "-c") == 0)
            return argv[i + 1];
        if (strncmp(argv[i], "--config=", 9) == 0)
            return argv[i] + 9;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct process *p = &process;
    struct errtext e = {0};
    int code = 0;
    const struct program program = {
        .table = &dialer_config_table,
        .about = "places the calls of running campaigns and runs their flows",
        .example = "DATABASE_URL=… FURROW_ARI_URL=http://127.0.0.1:8088/ari "
                   "furrow-dialer --config /etc/furrow/dialer.conf",
        .common = &p->dialer.config.common};

    p->config_file = config_file_of(argc, argv);
    if (!program_start(&program, argc, argv, &p->dialer.config, &code))
        return code;
    uv_loop_init(&p->loop);
    p->dialer.loop = &p->loop;
    watch_signals(p);
    if (open_parts(p, &e)) {
        log_error("dialer", "%s", e.text);
        p->exit_code = EXIT_FAILURE;
    } else {
        log_info("dialer", "state=started slot=%d installation=%s", p->dialer.slot,
                 p->dialer.installation);
        uv_run(&p->loop, UV_RUN_DEFAULT);
    }
    close_parts(p);
    log_info("dialer", "state=stopped");
    return p->exit_code;
}
