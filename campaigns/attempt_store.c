/*
 * attempt_store - moves and lists. The hopper is in attempt_store_claim.c, the gate
 * in attempt_store_release.c.
 *
 * A batch of moves is played through in memory on the rows as they are locked, then
 * written with two statements, however long it is.
 */
#include "campaigns/attempt_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/agent_store_book.h"
#include "campaigns/attempt_store_cost.h"
#include "campaigns/attempt_store_person.h"
#include "campaigns/attempt_store_retry.h"
#include "campaigns/budget_store.h"
#include "campaigns/call_store.h"
#include "campaigns/campaign.h"
#include "campaigns/campaign_store.h"
#include "campaigns/settle.h"

struct ledger_row { /* an attempt while its moves are played */
    struct uuid id;
    int64_t campaign_id, contact_id, intent_ms;
    enum attempt_state state;
    int64_t ringing_ms, answered_ms, ended_ms;
    int attempts; /* calls the contact had before */
    int64_t contact_next_ms;
    bool contact_calling, changed;
    const struct attempt_move *end; /* the move that ended it, NULL none */
};

struct ledger {
    struct pg *pg;
    int tenant_id;
    struct ledger_row *at; /* by id, ascending */
    size_t n;
    int64_t doc_of;                 /* the campaign that doc is of; 0 none yet */
    const struct campaign_doc *doc; /* NULL: it cannot be read */
};

/* ---- rows under way ---- */

static int ledger_order(const void *key, const void *row)
{
    const struct ledger_row *r = row;

    return memcmp(key, &r->id, sizeof(r->id));
}

static struct ledger_row *ledger_find(const struct ledger *l, const struct uuid *id)
{
    return l->n ? bsearch(id, l->at, l->n, sizeof(*l->at), ledger_order) : NULL;
}

static int read_rows(struct ledger *l, const PGresult *res)
{
    l->at = xcalloc((size_t)PQntuples(res) + 1, sizeof(*l->at));
    for (int i = 0; i < PQntuples(res); i++) {
        struct ledger_row *r = &l->at[l->n];

        *r = (struct ledger_row){.campaign_id = pg_i64(res, i, 1),
                                 .contact_id = pg_i64(res, i, 2),
                                 .intent_ms = pg_i64(res, i, 4),
                                 .ringing_ms = pg_i64(res, i, 5),
                                 .answered_ms = pg_i64(res, i, 6),
                                 .ended_ms = pg_i64(res, i, 7),
                                 .attempts = (int)pg_i64(res, i, 8),
                                 .contact_next_ms = pg_i64(res, i, 9),
                                 .contact_calling = pg_bool(res, i, 10)};
        int err = pg_uuid(res, i, 0, &r->id);
        if (err)
            return err;
        if (!attempt_state_parse(pg_text(res, i, 3), &r->state))
            return EPROTO;
        l->n++;
    }
    return 0;
}

static int lock_rows(struct ledger *l, const struct attempt_move *moves, size_t n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(free_cleanup) struct uuid *ids = xcalloc(n, sizeof(*ids));
    CLEANUP(buf_free) struct buf array = {0};
    struct pg_args a = {0};

    for (size_t i = 0; i < n; i++)
        ids[i] = moves[i].id;
    pg_array_uuid(&array, ids, n);
    pg_arg_text(&a, array.data);
    int err = pg_run(
        l->pg, &res,
        "SELECT a.id, a.campaign_id, a.contact_id, a.state, furrow_ms(a.intent_at), "
        "furrow_ms(a.ringing_at), furrow_ms(a.answered_at), furrow_ms(a.ended_at), "
        "c.attempts, furrow_ms(c.next_attempt_at), c.state = 'calling' FROM attempts a "
        "LEFT JOIN campaign_contacts c ON c.campaign_id = a.campaign_id AND c.contact_id "
        "= a.contact_id WHERE a.id = ANY($1::uuid[]) ORDER BY a.id FOR UPDATE OF a",
        &a);
    return err ? err : read_rows(l, res);
}

/* ---- playing a move ---- */

static bool has_happened(const struct ledger_row *r, enum attempt_state to)
{
    return r->state == to || (to == ATTEMPT_RINGING && r->ringing_ms > 0) ||
           (to == ATTEMPT_ANSWERED && r->answered_ms > 0);
}

/* released is the gate's alone: there is no permit without its verdict. */
static bool play(struct ledger_row *r, const struct attempt_move *m)
{
    if (has_happened(r, m->to))
        return true;
    if (m->to == ATTEMPT_RELEASED || !attempt_may_move(r->state, m->to) ||
        (m->only_intent && r->state != ATTEMPT_INTENT))
        return false;
    r->state = m->to;
    r->changed = true;
    if (m->to == ATTEMPT_RINGING)
        r->ringing_ms = m->at_ms;
    if (m->to == ATTEMPT_ANSWERED)
        r->answered_ms = m->at_ms;
    if (!attempt_is_open(m->to)) {
        r->ended_ms = m->at_ms;
        r->end = m;
    }
    return true;
}

static void play_all(struct ledger *l, const struct attempt_move *moves, size_t n,
                     size_t *illegal)
{
    for (size_t i = 0; i < n; i++) {
        struct ledger_row *r = ledger_find(l, &moves[i].id);
        char id[UUID_TEXT_MAX];

        if (r && play(r, &moves[i]))
            continue;
        ++*illegal;
        log_warn("attempt", "id=%s from=%s to=%s illegal move refused",
                 uuid_text(&moves[i].id, id), r ? attempt_state_name(r->state) : "none",
                 attempt_state_name(moves[i].to));
    }
}

/* What an end without a word about it says. */
static enum disposition disposition_of(const struct ledger_row *r)
{
    return r->state == ATTEMPT_UNKNOWN ? DISPOSITION_UNKNOWN : r->end->disposition;
}

/* ---- writing attempts ---- */

enum { NUMBERS = 5 };

static int write_attempts(const struct ledger *l)
{
    CLEANUP(free_cleanup) struct uuid *ids = xcalloc(l->n + 1, sizeof(*ids));
    CLEANUP(free_cleanup)
    int64_t *values = xcalloc(NUMBERS * l->n + 1, sizeof(*values));
    CLEANUP(free_cleanup) const char **texts = xcalloc(4 * l->n + 1, sizeof(*texts));
    struct buf arrays[1 + NUMBERS + 4] = {0};
    struct pg_args a = {0};
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++) {
        const struct ledger_row *r = &l->at[i];
        bool called = r->end && r->state != ATTEMPT_WITHDRAWN;

        if (!r->changed)
            continue;
        ids[n] = r->id;
        values[n] = r->ringing_ms;
        values[l->n + n] = r->answered_ms;
        values[2 * l->n + n] = r->ended_ms;
        values[3 * l->n + n] = called ? r->end->cause : 0;
        values[4 * l->n + n] = called ? r->end->tech_cause : 0;
        texts[n] = attempt_state_name(r->state);
        texts[l->n + n] = called ? disposition_name(disposition_of(r)) : "";
        texts[2 * l->n + n] = r->end && r->end->note ? r->end->note : "";
        texts[3 * l->n + n] = called && r->end->answered_by ? r->end->answered_by : "";
        n++;
    }
    if (n == 0)
        return 0;
    pg_array_uuid(&arrays[0], ids, n);
    for (size_t k = 0; k < NUMBERS; k++)
        pg_array_i64(&arrays[1 + k], values + k * l->n, n);
    for (size_t k = 0; k < 4; k++)
        pg_array_text(&arrays[1 + NUMBERS + k], texts + k * l->n, n);
    for (size_t k = 0; k < ARRAY_LEN(arrays); k++)
        pg_arg_text(&a, arrays[k].data);
    int err = pg_run_later(
        l->pg,
        "UPDATE attempts a SET state = v.state, ringing_at = coalesce(a.ringing_at, "
        "furrow_ts(nullif(v.ringing, 0))), answered_at = coalesce(a.answered_at, "
        "furrow_ts(nullif(v.answered, 0))), ended_at = coalesce(a.ended_at, "
        "furrow_ts(nullif(v.ended, 0))), cause = coalesce(nullif(v.cause, 0), a.cause), "
        "tech_cause = coalesce(nullif(v.tech_cause, 0), a.tech_cause), disposition = "
        "coalesce(nullif(v.disposition, ''), a.disposition), note = "
        "coalesce(nullif(v.note, ''), a.note), answered_by = "
        "coalesce(nullif(v.answered_by, ''), a.answered_by) FROM unnest($1::uuid[], "
        "$2::bigint[], "
        "$3::bigint[], $4::bigint[], $5::int[], $6::int[], $7::text[], $8::text[], "
        "$9::text[], $10::text[]) v(id, ringing, answered, ended, cause, tech_cause, "
        "state, disposition, note, answered_by) WHERE a.id = v.id "
        /* said twice: the planner would look at every attempt for a join */
        "AND a.id = ANY ($1::uuid[])",
        &a);
    for (size_t k = 0; k < ARRAY_LEN(arrays); k++)
        buf_free(&arrays[k]);
    return err;
}

/* ---- settling contacts ---- */

/* Batches are of one campaign mostly: its document is asked for once. */
static int read_doc(struct ledger *l, int64_t campaign_id)
{
    if (l->doc_of == campaign_id)
        return 0;
    l->doc = NULL;
    int err = campaign_doc_get(l->pg, l->tenant_id, campaign_id, &l->doc);
    if (err && err != EINVAL && err != ENOENT)
        return err;
    l->doc_of = campaign_id;
    return 0;
}

/* Of a document of another build what has ended is settled all the same. */
static int rules_of(struct ledger *l, int64_t campaign_id, struct retry_rules *out)
{
    int err = read_doc(l, campaign_id);

    if (!err && l->doc)
        *out = l->doc->retry;
    else
        retry_rules_default(out);
    return err;
}

/* A callback asked for during the call stands in the contact's row (call_store.h):
 * claimed contacts were due, so an instant after the claim can only be that. */
static int64_t callback_of(const struct ledger_row *r)
{
    if (r->end->callback_at_ms > 0)
        return r->end->callback_at_ms;
    return r->contact_next_ms > r->intent_ms ? r->contact_next_ms : 0;
}

static int settle(struct ledger *l, const struct ledger_row *r, struct settlement *out)
{
    int64_t answers_ms[RETRY_ANSWERS_MAX];
    struct settle_facts facts = {.state = r->state,
                                 .disposition = disposition_of(r),
                                 .attempt_number = r->attempts + 1,
                                 .ended_ms = r->end->at_ms,
                                 .due_ms = r->contact_next_ms,
                                 .opted_out = r->end->opted_out,
                                 .callback_ms = callback_of(r)};
    struct retry_rules rules;

    int err = 0;
    if (settle_needs_rules(&facts)) {
        err = rules_of(l, r->campaign_id, &rules);
        if (!err)
            err = attempt_retry_facts(l->pg, &rules, r->campaign_id, r->contact_id,
                                      &facts, answers_ms);
    }
    if (!err)
        settle_contact(&facts, &rules, out);
    return err;
}

/* Who was talked to, or will not be called again: no other number of theirs is. Of the
 * others that are final the next number has its turn. */
static int write_persons(const struct ledger *l, const int64_t *values,
                         const char *const *finals, size_t n)
{
    CLEANUP(free_cleanup) int64_t *done = xcalloc(2 * n + 1, sizeof(*done));
    CLEANUP(free_cleanup) int64_t *failed = xcalloc(2 * n + 1, sizeof(*failed));
    size_t found = 0, without = 0;
    int64_t at_ms = 0;

    for (size_t i = 0; i < n; i++) {
        bool talked = str_is(finals[i], disposition_name(DISPOSITION_COMPLETED)) ||
                      str_is(finals[i], "opted_out");
        int64_t *to = talked ? done + found : failed + without;

        if (!finals[i][0])
            continue;
        to[0] = values[i];
        to[n] = values[l->n + i];
        found += talked;
        without += !talked;
        at_ms = values[5 * l->n + i];
    }
    int err = attempt_settle_persons(l->pg, done, done + n, found, at_ms);
    return err ? err : attempt_next_numbers(l->pg, failed, failed + n, without, at_ms);
}

static int write_contacts(struct ledger *l)
{
    CLEANUP(free_cleanup) int64_t *values = xcalloc(7 * l->n + 1, sizeof(*values));
    CLEANUP(free_cleanup) const char **texts = xcalloc(2 * l->n + 1, sizeof(*texts));
    struct buf arrays[9] = {0};
    struct pg_args a = {0};
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++) {
        const struct ledger_row *r = &l->at[i];
        struct settlement s;

        if (!r->end || !r->contact_calling)
            continue;
        int err = settle(l, r, &s);
        if (err)
            return err;
        values[n] = r->campaign_id;
        values[l->n + n] = r->contact_id;
        values[2 * l->n + n] = s.counted;
        values[3 * l->n + n] = s.next_ms;
        values[4 * l->n + n] = s.callback;
        values[5 * l->n + n] = r->end->at_ms;
        values[6 * l->n + n] = s.shift;
        texts[n] = s.final;
        texts[l->n + n] = s.disposition;
        n++;
    }
    if (n == 0)
        return 0;
    for (size_t k = 0; k < 7; k++)
        pg_array_i64(&arrays[k], values + k * l->n, n);
    for (size_t k = 0; k < 2; k++)
        pg_array_text(&arrays[7 + k], texts + k * l->n, n);
    for (size_t k = 0; k < ARRAY_LEN(arrays); k++)
        pg_arg_text(&a, arrays[k].data);
    pg_arg_i64(&a, CALLBACK_PRIORITY);
    int err = pg_run_later(
        l->pg,
        /* Who was promised a call keeps the place until somebody was talked to. */
        "UPDATE campaign_contacts c SET state = CASE WHEN v.final = '' THEN 'pending' "
        "ELSE 'final' END, attempts = c.attempts + v.counted, next_attempt_at = "
        "coalesce(furrow_ts(nullif(v.next, 0)), c.next_attempt_at), priority = CASE WHEN "
        "v.callback = 1 THEN $10::int WHEN v.counted = 0 OR v.next = 0 OR c.priority >= "
        "$10::int THEN c.priority ELSE c.base_priority + v.shift END, "
        "last_disposition = coalesce(nullif(v.disposition, ''), c.last_disposition), "
        "final = nullif(v.final, ''), final_at = CASE WHEN v.final <> '' THEN "
        "furrow_ts(v.at) END FROM unnest($1::bigint[], $2::bigint[], $3::int[], "
        "$4::bigint[], $5::int[], $6::bigint[], $7::int[], $8::text[], $9::text[]) "
        "v(campaign_id, contact_id, counted, next, callback, at, shift, final, "
        "disposition) WHERE "
        "c.campaign_id = v.campaign_id AND c.contact_id = v.contact_id AND c.state = "
        "'calling'",
        &a);
    for (size_t k = 0; k < ARRAY_LEN(arrays); k++)
        buf_free(&arrays[k]);
    return err ? err : write_persons(l, values, texts, n);
}

/* ---- agents ---- */

/* An attempt of a campaign with agents has told them of its answer and its end. */
static int tell_agents(struct ledger *l)
{
    int err = 0;

    for (size_t i = 0; !err && i < l->n; i++) {
        const struct ledger_row *r = &l->at[i];

        if (!r->changed || r->state == ATTEMPT_RINGING)
            continue;
        err = read_doc(l, r->campaign_id);
        if (!err && l->doc && l->doc->mode.kind != MODE_FIXED)
            err = agent_call_moved(l->pg, l->tenant_id, &r->id, r->state, r->answered_ms,
                                   r->end ? r->end->at_ms : r->answered_ms);
    }
    return err;
}

/* ---- what it cost ---- */

static int book_costs(struct ledger *l)
{
    CLEANUP(free_cleanup) struct attempt_cost *list = xcalloc(l->n + 1, sizeof(*list));
    size_t n = 0;
    int err = 0;

    for (size_t i = 0; !err && i < l->n; i++) {
        const struct ledger_row *r = &l->at[i];

        if (!r->end || r->state == ATTEMPT_WITHDRAWN)
            continue;
        err = read_doc(l, r->campaign_id);
        if (!err && l->doc && l->doc->budget.stated)
            list[n++] = (struct attempt_cost){
                .campaign_id = r->campaign_id,
                .budget = &l->doc->budget,
                .talk_ms = r->answered_ms > 0 ? r->ended_ms - r->answered_ms : 0,
                .unseen = r->state == ATTEMPT_UNKNOWN};
    }
    return err ? err : attempt_book_costs(l->pg, list, n);
}

/* Of each campaign that an attempt ends of. */
static int hold_rules(struct ledger *l)
{
    int64_t held = 0;
    int err = 0;

    for (size_t i = 0; !err && i < l->n; i++)
        if (l->at[i].end && l->at[i].campaign_id != held) {
            held = l->at[i].campaign_id;
            err = budget_hold_rules(l->pg, held, false);
        }
    return err;
}

static int move_all(struct ledger *l, const struct attempt_move *moves, size_t n,
                    size_t *illegal)
{
    int err = lock_rows(l, moves, n);

    if (err)
        return err;
    play_all(l, moves, n, illegal);
    err = hold_rules(l);
    if (!err)
        err = write_attempts(l);
    if (!err)
        err = write_contacts(l);
    if (!err)
        err = tell_agents(l);
    return err ? err : book_costs(l);
}

int attempt_move(struct pg *pg, int tenant_id, const struct attempt_move *moves, size_t n,
                 size_t *illegal)
{
    struct ledger l = {.pg = pg, .tenant_id = tenant_id};
    size_t refused = 0;

    if (illegal)
        *illegal = 0;
    if (n == 0)
        return 0;
    int err = pg_begin_later(pg, tenant_id);
    if (!err)
        err = pg_end(pg, move_all(&l, moves, n, &refused));
    free(l.at);
    if (!err && illegal)
        *illegal = refused;
    return err;
}

/* ---- lists ---- */

static int list_open(struct pg *pg, int slot, PGresult **res)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, slot);
    return pg_run(
        pg, res,
        "SELECT id, tenant_id, campaign_id, contact_id, phone, trunk_id, slot, "
        "number, state, caller_id FROM attempts WHERE ended_at IS NULL AND state IN "
        "('intent', "
        "'released', 'ringing', 'answered') AND ($1::int < 0 OR slot = $1::int) "
        "ORDER BY id",
        &a);
}

static int read_open(const PGresult *res, int i, struct attempt_row *out)
{
    *out = (struct attempt_row){.tenant_id = (int)pg_i64(res, i, 1),
                                .campaign_id = pg_i64(res, i, 2),
                                .contact_id = pg_i64(res, i, 3),
                                .phone = pg_i64(res, i, 4),
                                .trunk_id = pg_i64(res, i, 5),
                                .slot = (int)pg_i64(res, i, 6),
                                .number = (int)pg_i64(res, i, 7)};
    str_cut(out->caller_id, sizeof(out->caller_id), pg_text(res, i, 9));
    if (!attempt_state_parse(pg_text(res, i, 8), &out->state))
        return EPROTO;
    return pg_uuid(res, i, 0, &out->id);
}

int attempt_list_open(struct pg *pg, int tenant_id, int slot, struct attempt_row **out,
                      size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(free_cleanup) struct attempt_row *all = NULL;
    bool own = false;

    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own, list_open(pg, slot, &res));
    if (err)
        return err;
    int rows = PQntuples(res);
    all = xcalloc((size_t)rows + 1, sizeof(*all));
    for (int i = 0; !err && i < rows; i++)
        err = read_open(res, i, &all[i]);
    if (err)
        return err;
    *out = STEAL(all);
    *n = (size_t)rows;
    return 0;
}

int attempt_count_open(struct pg *pg, int tenant_id, struct attempt_open_count **out,
                       size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    bool own = false;

    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(
            pg, own,
            pg_run(pg, &res,
                   "SELECT trunk_id, campaign_id, count(*) FROM attempts "
                   "WHERE ended_at IS NULL AND state IN ('intent', "
                   "'released', 'ringing', 'answered') GROUP BY 1, 2 ORDER BY 1, 2",
                   NULL));
    if (err)
        return err;
    int rows = PQntuples(res);
    struct attempt_open_count *all = xcalloc((size_t)rows + 1, sizeof(*all));
    for (int i = 0; i < rows; i++)
        all[i] = (struct attempt_open_count){.trunk_id = pg_i64(res, i, 0),
                                             .campaign_id = pg_i64(res, i, 1),
                                             .count = pg_i64(res, i, 2)};
    *out = all;
    *n = (size_t)rows;
    return 0;
}
