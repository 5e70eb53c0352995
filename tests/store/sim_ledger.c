#include "store/sim_ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/agent_store_book.h"
#include "campaigns/attempt_store.h"
#include "campaigns/campaign_check_store.h"
#include "compliance/dnc_store.h"

enum { BATCH_MAX = 256, MOVES_MAX = 600, TOLD_MAX = 5 };

struct sim_ledger {
    struct pg *pg;
    const struct scene *scene;
    struct attempt_row rows[BATCH_MAX]; /* of the last claim */
    struct uuid *ids;                   /* by handle */
    size_t id_count, id_size;
    struct attempt_move moves[MOVES_MAX]; /* not written yet */
    size_t move_count;
};

enum { MOVES_A_CALL = 3 };

struct sim_ledger *sim_ledger_new(struct pg *pg, const struct scene *scene)
{
    struct sim_ledger *l = xcalloc(1, sizeof(*l));

    l->pg = pg;
    l->scene = scene;
    return l;
}

void sim_ledger_free(struct sim_ledger *l)
{
    free(l->ids);
    free(l);
}

int sim_ledger_flush(struct sim_ledger *l)
{
    size_t illegal = 0;

    int err = attempt_move(l->pg, l->scene->tenant_id, l->moves, l->move_count, &illegal);
    l->move_count = 0;
    return !err && illegal > 0 ? EPROTO : err;
}

static uint32_t person_of(const struct scene *s, int64_t contact_id)
{
    size_t low = 0, high = s->people_count;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (s->people[mid].id < contact_id)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == s->people_count || s->people[low].id != contact_id)
        abort();
    return (uint32_t)low;
}

static uint8_t variant_of(const struct scene *s, const char *name)
{
    for (size_t i = 0; i < s->doc->variants.n; i++)
        if (str_is(s->doc->variants.at[i].name, name))
            return (uint8_t)i;
    return 0;
}

static uint32_t keep_id(struct sim_ledger *l, const struct uuid *id)
{
    if (l->id_count == l->id_size) {
        l->id_size = l->id_size ? 2 * l->id_size : 1024;
        l->ids = xrealloc(l->ids, l->id_size * sizeof(*l->ids));
    }
    l->ids[l->id_count] = *id;
    return (uint32_t)l->id_count++;
}

static int claim(void *store, int64_t now_ms, size_t max, struct sim_attempt *out,
                 struct sim_claimed *result)
{
    struct sim_ledger *l = store;
    struct attempt_claim_result r = {0};

    int err = sim_ledger_flush(l);
    if (!err)
        err = campaign_check(l->pg, l->scene->tenant_id, l->scene->campaign_id, now_ms);
    if (!err)
        err = attempt_claim(l->pg, l->scene->tenant_id, l->scene->campaign_id, 0, now_ms,
                            max < BATCH_MAX ? max : BATCH_MAX, l->rows, &r);
    if (err)
        return err;
    *result = (struct sim_claimed){r.intents, r.looked_at, r.next_due_ms, r.budget_spent};
    for (size_t i = 0; i < r.intents; i++)
        out[i] =
            (struct sim_attempt){.person = person_of(l->scene, l->rows[i].contact_id),
                                 .number = l->rows[i].number,
                                 .handle = keep_id(l, &l->rows[i].id),
                                 .variant = variant_of(l->scene, l->rows[i].variant)};
    return 0;
}

static int release(void *store, int64_t now_ms, const struct sim_attempt *attempts,
                   size_t n, bool *go)
{
    struct sim_ledger *l = store;
    struct permit *permits[BATCH_MAX];

    (void)attempts; /* those of the last claim */
    int err = attempt_release(l->pg, l->scene->tenant_id, l->rows, n, now_ms, permits);
    for (size_t i = 0; !err && i < n; i++) {
        go[i] = permits[i] != NULL;
        permit_free(permits[i]);
    }
    return err;
}

/* The moves of a call from its first ring to its end. */
static size_t moves_of(const struct sim_ledger *l, const struct sim_attempt *a,
                       const struct sim_ending *e, struct attempt_move out[MOVES_A_CALL])
{
    struct attempt_move move = {.id = l->ids[a->handle], .at_ms = e->ringing_ms};
    size_t n = 0;

    /* With agents its answer was told before. */
    bool told = e->answered_ms > 0 && l->scene->doc->mode.kind != MODE_FIXED;
    move.to = ATTEMPT_RINGING;
    if (!told)
        out[n++] = move;
    if (e->answered_ms > 0 && !told) {
        move.to = ATTEMPT_ANSWERED;
        move.at_ms = e->answered_ms;
        out[n++] = move;
    }
    move.to = ATTEMPT_ENDED;
    move.at_ms = e->ended_ms;
    move.disposition = e->disposition;
    move.opted_out = e->opted_out;
    move.callback_at_ms = e->callback_ms;
    out[n++] = move;
    return n;
}

static int opt_out(const struct sim_ledger *l, const struct sim_attempt *a,
                   const struct sim_ending *e)
{
    const struct dnc_entry entry = {.phone = l->scene->people[a->person].phone,
                                    .campaign_id =
                                        e->opted_out_of_all ? 0 : l->scene->campaign_id,
                                    .source = "keypress"};
    bool added = false;

    return dnc_add(l->pg, l->scene->tenant_id, &entry, e->opt_out_ms, &added);
}

static int end(void *store, const struct sim_attempt *a, const struct sim_ending *e)
{
    struct sim_ledger *l = store;
    struct attempt_move moves[MOVES_A_CALL];
    size_t n = moves_of(l, a, e, moves), illegal = 0;
    int err = e->opted_out ? opt_out(l, a, e) : 0;

    /* A batch lets go of next numbers at one instant: who has one goes alone. */
    if (!err && l->scene->people[a->person].next_number != a->person) {
        err = attempt_move(l->pg, l->scene->tenant_id, moves, n, &illegal);
        return !err && illegal > 0 ? EPROTO : err;
    }
    if (!err && l->move_count + n > MOVES_MAX)
        err = sim_ledger_flush(l);
    memcpy(&l->moves[l->move_count], moves, n * sizeof(moves[0]));
    l->move_count += n;
    return err;
}

/* ---- agents ---- */

static int answered(void *store, const struct sim_attempt *a, const struct sim_ending *e)
{
    struct sim_ledger *l = store;
    const struct attempt_move moves[] = {
        {.id = l->ids[a->handle], .to = ATTEMPT_RINGING, .at_ms = e->ringing_ms},
        {.id = l->ids[a->handle], .to = ATTEMPT_ANSWERED, .at_ms = e->answered_ms}};
    size_t illegal = 0;

    int err = sim_ledger_flush(l);
    if (!err)
        err = attempt_move(l->pg, l->scene->tenant_id, moves, ARRAY_LEN(moves), &illegal);
    return !err && illegal > 0 ? EPROTO : err;
}

static int machine(void *store, const struct sim_attempt *a, bool hears_flow,
                   int64_t now_ms)
{
    struct sim_ledger *l = store;
    int err = sim_ledger_flush(l);

    return err ? err
               : agent_call_machine(l->pg, l->scene->tenant_id, &l->ids[a->handle],
                                    hears_flow, now_ms);
}

static int take(void *store, const struct sim_attempt *a, int64_t now_ms, bool *taken)
{
    struct sim_ledger *l = store;
    const struct agent_ask ask = {.call = l->ids[a->handle],
                                  .queue = l->scene->doc->mode.queue};
    struct agent_taken who;

    int err = sim_ledger_flush(l);
    if (!err)
        err = agent_take(l->pg, l->scene->tenant_id, &ask, now_ms, &who);
    *taken = !err;
    return err == ENODATA ? 0 : err;
}

static int connected(void *store, const struct sim_attempt *a, bool in_time,
                     int64_t now_ms)
{
    struct sim_ledger *l = store;
    int err = sim_ledger_flush(l);

    return err ? err
               : agent_connected(l->pg, l->scene->tenant_id, &l->ids[a->handle], in_time,
                                 now_ms);
}

/* How long they write afterwards stands in the agent's row. */
static int left(void *store, const struct sim_attempt *a, int64_t wrap_up_ms,
                int64_t now_ms)
{
    struct sim_ledger *l = store;
    int err = sim_ledger_flush(l);

    (void)wrap_up_ms;
    return err ? err
               : agent_left(l->pg, l->scene->tenant_id, &l->ids[a->handle], false,
                            now_ms);
}

static const struct sim_agent_ops agent_ops = {answered, machine, take, connected, left};

const struct sim_store_ops sim_ledger_ops = {claim, release, end, &agent_ops};

static void must(struct pg *pg, const char *sql)
{
    if (!pg_script(pg, sql))
        return;
    fprintf(stderr, "sim_ledger: %s\n%s\n", pg_error(pg), sql);
    exit(1);
}

void sim_ledger_order_ties(struct pg *pg, struct pg *super)
{
    must(super, "DROP INDEX campaign_contacts_due; CREATE INDEX campaign_contacts_due ON "
                "campaign_contacts (campaign_id, zone_group, priority DESC, "
                "next_attempt_at, contact_id) WHERE state = 'pending'; ANALYZE");
    must(pg, "SET jit = off; SET enable_sort = off; SET enable_seqscan = off; SET "
             "enable_bitmapscan = off; SET plan_cache_mode = force_generic_plan");
    /* What is compared is what is written, not that it outlives a power cut. */
    must(super, "ALTER SYSTEM SET fsync = off");
    must(super, "SELECT pg_reload_conf()");
}

static bool is_same(const PGresult *res, int i, const struct memory_contact *k)
{
    bool final = k->state == MEMORY_FINAL;

    return str_is(pg_text(res, i, 1), final ? "final" : "pending") &&
           str_is(pg_text(res, i, 2), k->final) && pg_i64(res, i, 3) == k->attempts &&
           str_is(pg_text(res, i, 4), k->last_disposition) &&
           pg_i64(res, i, 6) == k->priority && (final || pg_i64(res, i, 5) == k->due_ms);
}

int64_t sim_ledger_differences(struct pg *pg, const struct scene *scene,
                               const struct memory *m)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    int64_t differences = 0;

    pg_arg_i64(&a, scene->campaign_id);
    int err = pg_begin(pg, scene->tenant_id);
    if (!err)
        err = pg_end(pg, pg_run(pg, &res,
                                "SELECT contact_id, state, final, attempts, "
                                "last_disposition, furrow_ms(next_attempt_at), priority "
                                "FROM campaign_contacts WHERE campaign_id = $1 ORDER BY "
                                "contact_id",
                                &a));
    if (err || (size_t)PQntuples(res) != scene->people_count) {
        fprintf(stderr, "sim_ledger: %s\n", err ? pg_error(pg) : "other contacts");
        exit(1);
    }
    for (int i = 0; i < PQntuples(res); i++) {
        struct memory_contact k = memory_contact(m, (size_t)i);
        if (is_same(res, i, &k) || ++differences > TOLD_MAX)
            continue;
        printf(
            "contact %s: state %s final '%s' attempts %s last '%s' due %s priority %s; "
            "in memory state %d final '%s' attempts %d last '%s' due %" PRId64
            " priority %d\n",
            pg_text(res, i, 0), pg_text(res, i, 1), pg_text(res, i, 2),
            pg_text(res, i, 3), pg_text(res, i, 4), pg_text(res, i, 5),
            pg_text(res, i, 6), (int)k.state, k.final, k.attempts, k.last_disposition,
            k.due_ms, k.priority);
    }
    return differences;
}
