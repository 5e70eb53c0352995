/*
 * attempt_store_release - the gate, the only place where permits are minted.
 *
 * Everything a verdict is made from is read after the locks on the numbers are held,
 * by statements of their own, so that each sees what was committed before: an opt-out
 * (dnc_add takes the same lock), a release of the same number or person by another
 * dialer, the campaign's state (its row is locked in share mode: a pause waits for this
 * commit, or this sees the pause). Locks are taken in one order everywhere: the kill
 * switch, numbers and persons ascending, campaigns ascending, attempts ascending,
 * contacts, what agents have of a call.
 *
 * Two intents of one number or person never wait for each other: of intents, only those
 * with a smaller id count as open calls (facts_load). The younger one is withdrawn, to be
 * tried again a minute later; the older one sees at most what was released.
 */
#include "campaigns/attempt_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/agent_store_book.h"
#include "campaigns/attempt_store_refuse.h"
#include "campaigns/campaign.h"
#include "campaigns/campaign_store.h"
#include "campaigns/lifecycle.h"
#include "compliance/decision_store.h"
#include "compliance/facts_store.h"

struct candidate {
    struct uuid id;
    size_t row; /* of the caller's */
    int64_t campaign_id, contact_id, phone, trunk_id;
    int zone_group;
    enum phone_type type;
    bool campaign_running;
    char caller_id[64];
    const struct policy *policy;
    bool has_agents; /* its campaign has, and: */
    struct agent_gate gate;
    struct compliance_facts facts;
    struct verdict verdict;
    char decision[65]; /* sha256 of its inputs */
};

struct release {
    struct pg *pg;
    int tenant_id;
    int64_t now_ms;
    bool clock_trusted;
    struct candidate *at; /* by id, ascending: the older first */
    size_t n, allowed;
    struct facts_set *set;
};

/* ---- locks and what they guard ---- */

static int lock_numbers(struct release *r, const struct attempt_row *rows, size_t n)
{
    CLEANUP(free_cleanup) int64_t *phones = xcalloc(n, sizeof(*phones));

    for (size_t i = 0; i < n; i++)
        phones[i] = rows[i].phone;
    return facts_lock_parties(r->pg, r->tenant_id, phones, n);
}

static int lock_campaigns(struct release *r, const struct attempt_row *rows, size_t n,
                          PGresult **res)
{
    CLEANUP(free_cleanup) int64_t *ids = xcalloc(n, sizeof(*ids));
    CLEANUP(buf_free) struct buf array = {0};
    struct pg_args a = {0};

    for (size_t i = 0; i < n; i++)
        ids[i] = rows[i].campaign_id;
    pg_array_i64(&array, ids, n);
    pg_arg_text(&a, array.data);
    return pg_run(r->pg, res,
                  "SELECT id, state FROM campaigns WHERE id = ANY($1::bigint[]) ORDER BY "
                  "id FOR SHARE",
                  &a);
}

static bool is_running(const PGresult *campaigns, int64_t id)
{
    for (int i = 0; i < PQntuples(campaigns); i++)
        if (pg_i64(campaigns, i, 0) == id)
            return str_is(pg_text(campaigns, i, 1),
                          campaign_state_name(CAMPAIGN_RUNNING));
    return false;
}

static int lock_attempts(struct release *r, const struct attempt_row *rows, size_t n,
                         PGresult **res)
{
    CLEANUP(free_cleanup) struct uuid *ids = xcalloc(n, sizeof(*ids));
    CLEANUP(buf_free) struct buf array = {0};
    struct pg_args a = {0};

    for (size_t i = 0; i < n; i++)
        ids[i] = rows[i].id;
    pg_array_uuid(&array, ids, n);
    pg_arg_text(&a, array.data);
    pg_arg_i64(&a, PHONE_UNKNOWN);
    return pg_run(r->pg, res,
                  "SELECT a.id, a.campaign_id, a.contact_id, a.phone, a.trunk_id, "
                  "a.caller_id, c.zone_group, coalesce(k.number_type, $2) FROM attempts "
                  "a JOIN campaign_contacts c ON c.campaign_id = a.campaign_id AND "
                  "c.contact_id = a.contact_id LEFT JOIN contacts k ON k.id = "
                  "a.contact_id WHERE a.id = ANY($1::uuid[]) AND a.state = 'intent' "
                  "ORDER BY a.id FOR UPDATE OF a",
                  &a);
}

static size_t find_row(const struct attempt_row *rows, size_t n, const struct uuid *id)
{
    size_t i = 0;

    while (i < n && memcmp(&rows[i].id, id, sizeof(*id)) != 0)
        i++;
    return i;
}

static int read_candidates(struct release *r, const PGresult *res,
                           const PGresult *campaigns, const struct attempt_row *rows,
                           size_t n)
{
    const struct campaign_doc *doc = NULL;
    int64_t doc_of = 0;

    r->at = xcalloc((size_t)PQntuples(res) + 1, sizeof(*r->at));
    for (int i = 0; i < PQntuples(res); i++) {
        struct candidate *c = &r->at[r->n];

        c->campaign_id = pg_i64(res, i, 1);
        c->contact_id = pg_i64(res, i, 2);
        c->phone = pg_i64(res, i, 3);
        c->trunk_id = pg_i64(res, i, 4);
        str_cut(c->caller_id, sizeof(c->caller_id), pg_text(res, i, 5));
        c->zone_group = (int)pg_i64(res, i, 6);
        c->type = (enum phone_type)pg_i64(res, i, 7);
        c->campaign_running = is_running(campaigns, c->campaign_id);
        int err = pg_uuid(res, i, 0, &c->id);
        if (err)
            return err;
        c->row = find_row(rows, n, &c->id);
        /* The locks were taken on what the caller said. */
        if (c->row == n || rows[c->row].phone != c->phone ||
            rows[c->row].campaign_id != c->campaign_id)
            return EINVAL;
        /* EINVAL, a document that cannot be read: no policy, and so no call. */
        if (c->campaign_id != doc_of) {
            doc_of = c->campaign_id;
            err = campaign_doc_get(r->pg, r->tenant_id, doc_of, &doc);
            if (err && err != EINVAL)
                return err;
            doc = err ? NULL : doc;
        }
        c->policy = doc ? doc->policy : NULL;
        c->has_agents = doc && doc->mode.kind != MODE_FIXED;
        err = c->has_agents ? agent_gate_load(r->pg, r->tenant_id, c->campaign_id, doc,
                                              &c->id, r->now_ms, &c->gate)
                            : 0;
        if (err)
            return err;
        r->n++;
    }
    return 0;
}

static int lock_all(struct release *r, const struct attempt_row *rows, size_t n)
{
    CLEANUP(pg_result_free) PGresult *campaigns = NULL;
    CLEANUP(pg_result_free) PGresult *attempts = NULL;

    int err = facts_lock_switch(r->pg, r->tenant_id, false);
    if (!err)
        err = lock_numbers(r, rows, n);
    if (!err)
        err = lock_campaigns(r, rows, n, &campaigns);
    if (!err)
        err = lock_attempts(r, rows, n, &attempts);
    if (!err)
        err = read_candidates(r, attempts, campaigns, rows, n);
    if (!err && r->n < n)
        log_warn("release", "%zu of %zu attempts are no intents any more: no permit",
                 n - r->n, n);
    return err;
}

/* ---- verdict 2 ---- */

static int judge(struct release *r)
{
    CLEANUP(free_cleanup) struct facts_key *keys = xcalloc(r->n, sizeof(*keys));

    for (size_t i = 0; i < r->n; i++)
        keys[i] = (struct facts_key){.phone = r->at[i].phone,
                                     .campaign_id = r->at[i].campaign_id,
                                     .zone_group = r->at[i].zone_group,
                                     .type = r->at[i].type,
                                     .own = &r->at[i].id};
    int err = facts_load(r->pg, r->tenant_id, keys, r->n, r->now_ms, &r->set);
    for (size_t i = 0; !err && i < r->n; i++) {
        struct candidate *c = &r->at[i];

        c->facts = facts_get(r->set, i);
        c->facts.clock_trusted = r->clock_trusted;
        c->facts.campaign_running = c->campaign_running;
        if (c->has_agents) {
            c->facts.reserved_agent = c->gate.backed;
            c->facts.abandon = c->gate.abandon;
            c->facts.abandon_count = MODE_ANCHORS;
        }
        compliance_check(c->policy, &c->facts, r->now_ms, &c->verdict);
        r->allowed += c->verdict.allow;
    }
    return err;
}

static int write_decisions(struct release *r)
{
    CLEANUP(free_cleanup) struct decision *list = xcalloc(r->n, sizeof(*list));

    for (size_t i = 0; i < r->n; i++)
        list[i] = (struct decision){.stage = DECISION_RELEASE,
                                    .campaign_id = r->at[i].campaign_id,
                                    .contact_id = r->at[i].contact_id,
                                    .phone = r->at[i].phone,
                                    .attempt = &r->at[i].id,
                                    .at_ms = r->now_ms,
                                    .verdict = &r->at[i].verdict,
                                    .policy = r->at[i].policy,
                                    .facts = &r->at[i].facts,
                                    .inputs_hash = r->at[i].decision};
    return decision_write(r->pg, r->tenant_id, list, r->n);
}

/* ---- rows ---- */

static int write_attempts(struct release *r)
{
    CLEANUP(free_cleanup) struct uuid *ids = xcalloc(r->n, sizeof(*ids));
    CLEANUP(free_cleanup) const char **notes = xcalloc(r->n, sizeof(*notes));
    CLEANUP(buf_free) struct buf id = {0};
    CLEANUP(buf_free) struct buf note = {0};
    struct pg_args a = {0};

    for (size_t i = 0; i < r->n; i++) {
        const struct verdict *v = &r->at[i].verdict;

        ids[i] = r->at[i].id;
        notes[i] = v->allow ? "" : reason_name(v->reason);
    }
    pg_array_uuid(&id, ids, r->n);
    pg_array_text(&note, notes, r->n);
    pg_arg_text(&a, id.data);
    pg_arg_text(&a, note.data);
    pg_arg_ms(&a, r->now_ms);
    /* A contact's last refusal is over once an attempt goes out. */
    return pg_run(
        r->pg, NULL,
        "WITH moved AS (UPDATE attempts a SET state = CASE WHEN v.note = '' THEN "
        "'released' ELSE 'withdrawn' END, released_at = CASE WHEN v.note = '' THEN "
        "furrow_ts($3) END, ended_at = CASE WHEN v.note <> '' THEN furrow_ts($3) END, "
        "note = v.note FROM unnest($1::uuid[], $2::text[]) v(id, note) WHERE a.id = v.id "
        "AND a.state = 'intent' RETURNING a.campaign_id, a.contact_id, a.state) UPDATE "
        "campaign_contacts c SET last_refusal = NULL FROM moved m WHERE c.campaign_id = "
        "m.campaign_id AND c.contact_id = m.contact_id AND m.state = 'released' AND "
        "c.last_refusal IS NOT NULL",
        &a);
}

static int write_refusals(struct release *r)
{
    CLEANUP(free_cleanup) struct attempt_refusal *list = xcalloc(r->n, sizeof(*list));
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++)
        if (!r->at[i].verdict.allow)
            list[n++] = (struct attempt_refusal){.campaign_id = r->at[i].campaign_id,
                                                 .contact_id = r->at[i].contact_id,
                                                 .verdict = &r->at[i].verdict};
    return attempt_refuse(r->pg, list, n, r->now_ms);
}

/* What is withdrawn was never in flight: its agent and its credit are free at once. Asked
 * too where nobody can read whether the campaign has agents. */
static int free_agents(struct release *r)
{
    int err = 0;

    for (size_t i = 0; !err && i < r->n; i++) {
        const struct candidate *c = &r->at[i];

        if (!c->verdict.allow && (c->has_agents || !c->policy))
            err = agent_call_moved(r->pg, r->tenant_id, &c->id, ATTEMPT_WITHDRAWN, 0,
                                   r->now_ms);
    }
    return err;
}

static int release(struct release *r, const struct attempt_row *rows, size_t n)
{
    int err = pg_run(r->pg, NULL, "SET LOCAL synchronous_commit = on", NULL);

    /* Before any lock: waiting for one is not the clock's fault. */
    if (!err)
        err = attempt_clock_is_trusted(r->pg, r->now_ms, &r->clock_trusted);
    if (!err)
        err = lock_all(r, rows, n);
    if (err || r->n == 0)
        return err;
    err = judge(r);
    if (!err)
        err = write_decisions(r);
    if (!err)
        err = write_attempts(r);
    if (!err)
        err = write_refusals(r);
    if (!err)
        err = free_agents(r);
    if (!err && r->allowed > 0)
        fault_point("intent-released");
    return err;
}

/* After the commit, and only then. */
static void mint(const struct release *r, struct permit **permits)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct candidate *c = &r->at[i];
        struct permit_facts facts = {.attempt = c->id,
                                     .tenant_id = r->tenant_id,
                                     .campaign_id = c->campaign_id,
                                     .contact_id = c->contact_id,
                                     .phone = c->phone,
                                     .trunk_id = c->trunk_id,
                                     .open_until_ms = c->verdict.open_until_ms};

        if (!c->verdict.allow)
            continue;
        memcpy(facts.caller_id, c->caller_id, sizeof(facts.caller_id));
        memcpy(facts.decision, c->decision, sizeof(facts.decision));
        permits[c->row] = permit_mint(&facts, mono_ms());
    }
}

static void release_free(struct release *r)
{
    free(r->at);
    facts_free(r->set);
}

int attempt_release(struct pg *pg, int tenant_id, const struct attempt_row *rows,
                    size_t n, int64_t now_ms, struct permit **permits)
{
    struct release r = {.pg = pg, .tenant_id = tenant_id, .now_ms = now_ms};

    for (size_t i = 0; i < n; i++)
        permits[i] = NULL;
    if (n == 0)
        return 0;
    int err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_end(pg, release(&r, rows, n));
    if (!err && r.allowed > 0) {
        fault_point("released-sent");
        mint(&r, permits);
    }
    release_free(&r);
    return err;
}
