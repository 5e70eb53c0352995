/* The slots in Redis anew, from the open attempts in Postgres: see recovery.h. */
#include "dialer/recovery.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/attempt_store.h"
#include "campaigns/limit_store.h"
#include "dialer/db.h"
#include "dialer/dialer.h"
#include "dialer/pacing.h"
#include "dialer/placed.h"
#include "dialer/sweep_parts.h"

enum { KEY = 4 };

enum { RECLAIM_AGE_MS = 10000 };

struct rebuild {
    struct dialer *dialer;
    int64_t began_ms; /* monotonic */
    struct attempt_row *rows;
    int64_t *limits; /* of each row's caller ID; 0 none */
    size_t n;
};

static int64_t limit_of(const char *caller_id, const struct limit_row *limits, size_t n)
{
    for (size_t i = 0; caller_id[0] && i < n; i++)
        if (str_is(limits[i].caller_id, caller_id))
            return limits[i].id;
    return 0;
}

static int add_open(struct pg *pg, struct rebuild *b, int tenant_id)
{
    CLEANUP(free_cleanup) struct attempt_row *rows = NULL;
    CLEANUP(free_cleanup) struct limit_row *limits = NULL;
    size_t n = 0, limit_count = 0;

    int err = attempt_list_open(pg, tenant_id, -1, &rows, &n);
    if (err || n == 0)
        return err;
    err = limit_list(pg, tenant_id, &limits, &limit_count);
    if (err)
        return err;
    b->rows = xrealloc(b->rows, (b->n + n) * sizeof(*b->rows));
    b->limits = xrealloc(b->limits, (b->n + n) * sizeof(*b->limits));
    for (size_t i = 0; i < n; i++) {
        b->limits[b->n] = limit_of(rows[i].caller_id, limits, limit_count);
        b->rows[b->n++] = rows[i];
    }
    return 0;
}

static int run_rebuild(struct pg *pg, void *arg)
{
    static _Thread_local int tenants[TENANTS_MAX];
    struct rebuild *b = arg;
    size_t count = 0;

    int err = pg_tenants(pg, tenants, TENANTS_MAX, &count);
    for (size_t t = 0; !err && t < count; t++)
        err = add_open(pg, b, tenants[t]);
    return err;
}

/* An attempt that has not been sent yet must still take its token. */
static bool holds_slot(const struct dialer *d, const struct attempt_row *row)
{
    return row->state != ATTEMPT_INTENT &&
           (row->slot != d->slot || placed_has(d, &row->id));
}

static void on_rebuilt(int err, void *arg)
{
    struct rebuild *b = arg;
    struct dialer *d = b->dialer;

    if (!err) {
        CLEANUP(free_cleanup)
        struct pacing_ask *asks = xcalloc(b->n + 1, sizeof(*asks));
        size_t n = 0;
        for (size_t i = 0; i < b->n; i++)
            if (holds_slot(d, &b->rows[i]))
                asks[n++] = (struct pacing_ask){
                    .attempt = b->rows[i].id,
                    .at = {[PACING_TRUNK] = {.id = b->rows[i].trunk_id},
                           [PACING_CAMPAIGN] = {.id = b->rows[i].campaign_id},
                           [PACING_CALLER_ID] = {.id = b->limits[i]},
                           [PACING_TENANT] = {.id = b->rows[i].tenant_id},
                           [PACING_ALL] = {.id = 1}}};
        log_info("pacing", "state=rebuilt open_attempts=%zu", n);
        pacing_rebuilt(d->pacing, asks, n);
    }
    free(b->rows);
    free(b->limits);
    free(b);
}

static void on_read_to_reclaim(int err, void *arg)
{
    struct rebuild *b = arg;
    int64_t took_ms = mono_ms() - b->began_ms;

    /* Whatever took a slot since it was read is younger than this. */
    if (!err && took_ms < RECLAIM_AGE_MS) {
        CLEANUP(free_cleanup) struct uuid *ids = xcalloc(b->n + 1, sizeof(*ids));
        for (size_t i = 0; i < b->n; i++)
            ids[i] = b->rows[i].id;
        pacing_reclaim(b->dialer->pacing, ids, b->n, RECLAIM_AGE_MS);
    }
    free(b->rows);
    free(b->limits);
    free(b);
}

void recovery_reclaim_slots(struct dialer *d)
{
    struct rebuild *b = xcalloc(1, sizeof(*b));

    b->dialer = d;
    b->began_ms = mono_ms();
    if (db_submit(d->db, DB_TRY, KEY, run_rebuild, on_read_to_reclaim, b))
        free(b);
}

void recovery_rebuild_pacing(void *arg)
{
    struct dialer *d = arg;

    /* Our own leftovers first: placed must know what holds a slot. */
    if (!d->sweep || !recovery_is_done(d->sweep->recovery))
        return;
    struct rebuild *b = xcalloc(1, sizeof(*b));
    b->dialer = d;
    if (db_submit(d->db, DB_TRY, KEY, run_rebuild, on_rebuilt, b))
        free(b); /* pacing asks again */
}
