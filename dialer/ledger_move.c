#include "dialer/ledger_move.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "campaigns/agent_store_book.h"

static int run_moves(struct pg *pg, void *const *args, size_t n, int *errs)
{
    CLEANUP(free_cleanup) struct attempt_move *moves = xcalloc(n, sizeof(*moves));
    const struct ledger_move *first = args[0];
    char id[UUID_TEXT_MAX];
    size_t illegal = 0;

    for (size_t i = 0; i < n; i++) {
        moves[i] = ((const struct ledger_move *)args[i])->move;
        errs[i] = 0;
    }
    int err = attempt_move(pg, first->tenant_id, moves, n, &illegal);
    if (!err && illegal)
        log_warn("ledger", "attempt=%s to=%s moves=%zu refused=%zu by the ledger",
                 uuid_text(&first->move.id, id), attempt_state_name(first->move.to), n,
                 illegal);
    return err;
}

static int run_move(struct pg *pg, void *arg)
{
    int ignored = 0;

    return run_moves(pg, &arg, 1, &ignored);
}

int ledger_move_submit(struct db *db, struct ledger_move *m, db_done_fn *done)
{
    return db_submit_order(db, &(struct db_order){.mode = DB_KEEP,
                                                  .patience_ms = DB_PATIENT_MS,
                                                  .key = db_key(&m->move.id),
                                                  .tenant_id = m->tenant_id,
                                                  .work = run_move,
                                                  .together = run_moves,
                                                  .done = done,
                                                  .arg = m});
}

struct machine_note {
    struct uuid call;
    int tenant_id;
    bool hears_flow;
    int64_t at_ms;
};

static int run_note(struct pg *pg, void *arg)
{
    const struct machine_note *n = arg;

    return agent_call_machine(pg, n->tenant_id, &n->call, n->hears_flow, n->at_ms);
}

static void on_noted(int err, void *arg)
{
    struct machine_note *n = arg;
    char id[UUID_TEXT_MAX];

    if (err)
        log_error("ledger", "attempt=%s err=%d its machine counts as a person",
                  uuid_text(&n->call, id), err);
    free(n);
}

void ledger_note_machine(struct db *db, int tenant_id, const struct uuid *call,
                         bool hears_flow)
{
    struct machine_note *n = xcalloc(1, sizeof(*n));

    *n = (struct machine_note){.call = *call,
                               .tenant_id = tenant_id,
                               .hears_flow = hears_flow,
                               .at_ms = clock_now_ms()};
    int err = db_submit(db, DB_KEEP, db_key(call), run_note, on_noted, n);
    if (err)
        on_noted(err, n);
}
