/* The slots in Redis anew, from the open attempts in Postgres: see recovery.h. */
#include "dialer/recovery.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/xalloc.h"
#include "campaigns/attempt_store.h"
#include "dialer/db.h"
#include "dialer/dialer.h"
#include "dialer/pacing.h"
#include "dialer/placed.h"
#include "dialer/sweep_parts.h"

enum { KEY = 4 };

struct rebuild {
    struct dialer *dialer;
    struct attempt_row *rows;
    size_t n;
};

static int run_rebuild(struct pg *pg, void *arg)
{
    static _Thread_local int tenants[TENANTS_MAX];
    struct rebuild *b = arg;
    size_t count = 0;

    int err = pg_tenants(pg, tenants, TENANTS_MAX, &count);
    for (size_t t = 0; !err && t < count; t++) {
        CLEANUP(free_cleanup) struct attempt_row *rows = NULL;
        size_t n = 0;
        err = attempt_list_open(pg, tenants[t], -1, &rows, &n);
        if (err || n == 0)
            continue;
        b->rows = xrealloc(b->rows, (b->n + n) * sizeof(*b->rows));
        for (size_t i = 0; i < n; i++)
            b->rows[b->n++] = rows[i];
    }
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
                asks[n++] =
                    (struct pacing_ask){.attempt = b->rows[i].id,
                                        .tenant_id = b->rows[i].tenant_id,
                                        .trunk = {.id = b->rows[i].trunk_id},
                                        .campaign = {.id = b->rows[i].campaign_id}};
        log_info("pacing", "state=rebuilt open_attempts=%zu", n);
        pacing_rebuilt(d->pacing, asks, n);
    }
    free(b->rows);
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
