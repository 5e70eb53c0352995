/*
 * attempt_store_claim - the hopper: due contacts of open zone groups become intents.
 *
 * The groups come first, by a walk over the index campaign_contacts_due that touches
 * one entry for each (group, priority), however many contacts wait behind it. Those
 * whose window is closed are left alone: no row of theirs is read, and none is
 * refused. A group that does not open within sixty days is looked at all the same,
 * for otherwise nobody would ever learn why its contacts wait.
 *
 * Of the open ones: higher priority first, then the group whose window closes first.
 */
#include "campaigns/attempt_store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/agent_store_book.h"
#include "campaigns/attempt_store_refuse.h"
#include "campaigns/budget_store.h"
#include "campaigns/call_store.h"
#include "campaigns/caller_id_store.h"
#include "campaigns/campaign_store.h"
#include "campaigns/canary_store.h"
#include "campaigns/hopper.h"
#include "campaigns/lifecycle.h"
#include "campaigns/quarantine_store.h"
#include "campaigns/variant_store.h"
#include "campaigns/zone_open.h"
#include "compliance/decision_store.h"
#include "compliance/facts_store.h"
#include "contacts/tz.h"

enum { ASK_AGAIN_MS = 1000, AGENT_AGAIN_MS = 250 };

struct due {
    int64_t contact_id, phone;
    int zone_group, number;
    enum phone_type type;
    bool backed; /* an agent is for it */
    struct compliance_abandon abandon[MODE_ANCHORS];
};

struct claim {
    struct pg *pg;
    int tenant_id, slot;
    int64_t campaign_id, trunk_id, now_ms;
    size_t max;
    const struct campaign_doc *doc;
    struct attempt_row *out;
    struct attempt_claim_result *result;
    struct due *due;
    struct verdict *verdicts;
    struct agent_booking booking;
    struct caller_id *callers; /* of the campaign's pool, locked; NULL no pool */
    size_t caller_count;
    int64_t held_lists[CAMPAIGN_LISTS_MAX]; /* in quarantine */
    size_t held_count;
    bool put_aside; /* somebody of them was met */
};

static void due_at(struct claim *c, int64_t at_ms)
{
    if (at_ms > 0 && (c->result->next_due_ms == 0 || at_ms < c->result->next_due_ms))
        c->result->next_due_ms = at_ms;
}

/* ---- what may be picked ---- */

static int read_campaign(struct claim *c, bool *running)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, c->campaign_id);
    int err =
        pg_run(c->pg, &res, "SELECT state, trunk_id FROM campaigns WHERE id = $1", &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    *running = str_is(pg_text(res, 0, 0), campaign_state_name(CAMPAIGN_RUNNING));
    if (!c->trunk_id)
        c->trunk_id = pg_i64(res, 0, 1);
    return 0;
}

static int read_buckets(struct claim *c, PGresult **res)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, c->campaign_id);
    return pg_run(
        c->pg, res,
        "WITH RECURSIVE b AS ((SELECT zone_group, priority, next_attempt_at FROM "
        "campaign_contacts WHERE campaign_id = $1 AND state = 'pending' ORDER BY "
        "zone_group, priority DESC, next_attempt_at LIMIT 1) UNION ALL SELECT n.* FROM b "
        "CROSS JOIN LATERAL (SELECT * FROM ((SELECT zone_group, priority, "
        "next_attempt_at FROM campaign_contacts WHERE campaign_id = $1 AND state = "
        "'pending' AND zone_group = b.zone_group AND priority < b.priority ORDER BY "
        "zone_group, priority DESC, next_attempt_at LIMIT 1) UNION ALL (SELECT "
        "zone_group, priority, next_attempt_at FROM campaign_contacts WHERE campaign_id "
        "= $1 AND state = 'pending' AND zone_group > b.zone_group ORDER BY zone_group, "
        "priority DESC, next_attempt_at LIMIT 1)) either ORDER BY zone_group LIMIT 1) n) "
        "SELECT b.zone_group, b.priority, furrow_ms(b.next_attempt_at), z.region, "
        "array_to_string(z.zones, ',') FROM b JOIN zone_groups z ON z.id = b.zone_group "
        "ORDER BY b.zone_group, b.priority DESC",
        &a);
}

/* Those with something due now, in the order they are picked from; what waits only
 * moves next_due_ms. */
static int find_buckets(struct claim *c, struct hopper_bucket **out, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(free_cleanup) struct compliance_holiday *holidays = NULL;
    size_t holiday_count = 0;

    int err = facts_holidays(c->pg, c->tenant_id, c->now_ms, &holidays, &holiday_count);
    if (!err)
        err = read_buckets(c, &res);
    if (err)
        return err;
    int rows = PQntuples(res);
    struct hopper_bucket *all = xcalloc((size_t)rows + 1, sizeof(*all));
    struct hopper_bucket b = {0};
    for (int i = 0; i < rows; i++) {
        int group = (int)pg_i64(res, i, 0);

        if (i == 0 || group != b.zone_group)
            b.open =
                zone_list_is_open(c->doc->policy, pg_text(res, i, 3), pg_text(res, i, 4),
                                  holidays, holiday_count, c->now_ms, &b.until_ms);
        b.zone_group = group;
        b.priority = (int)pg_i64(res, i, 1);
        b.first_due_ms = pg_i64(res, i, 2);
        int64_t due_ms = 0;
        if (hopper_is_ready(&b, c->now_ms, &due_ms))
            all[(*n)++] = b;
        else
            due_at(c, due_ms);
    }
    hopper_sort(all, *n);
    *out = all;
    return 0;
}

static int read_bucket(struct claim *c, const struct hopper_bucket *b, PGresult **res)
{
    CLEANUP(buf_free) struct buf held = {0};
    struct pg_args a = {0};

    /* Promised calls are kept. */
    pg_array_i64(&held, c->held_lists,
                 b->priority < CALLBACK_PRIORITY ? c->held_count : 0);
    pg_arg_i64(&a, c->campaign_id);
    pg_arg_i64(&a, b->zone_group);
    pg_arg_i64(&a, b->priority);
    pg_arg_ms(&a, c->now_ms);
    pg_arg_i64(&a, (int64_t)(c->max - c->result->looked_at));
    pg_arg_text(&a, held.data);
    return pg_run(
        c->pg, res,
        "SELECT contact_id, phone, attempts, number_type, cardinality($6::bigint[]) > 0 "
        "AND EXISTS (SELECT FROM contacts k WHERE k.id = contact_id AND k.list_id = "
        "ANY($6::bigint[])) FROM campaign_contacts WHERE "
        "campaign_id = $1 AND state = 'pending' AND zone_group = $2 AND priority = $3 "
        "AND next_attempt_at <= furrow_ts($4) ORDER BY next_attempt_at LIMIT $5 FOR "
        "UPDATE SKIP LOCKED",
        &a);
}

/* Who comes back from a call, or joined late, of a list in quarantine is set aside. */
static int lock_bucket(struct claim *c, const struct hopper_bucket *b)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    size_t aside = 0;

    int err = read_bucket(c, b, &res);
    if (err)
        return err;
    CLEANUP(free_cleanup)
    int64_t *held = xcalloc((size_t)PQntuples(res) + 1, sizeof(*held));
    for (int i = 0; i < PQntuples(res); i++) {
        if (pg_bool(res, i, 4)) {
            held[aside++] = pg_i64(res, i, 0);
            continue;
        }
        c->due[c->result->looked_at++] =
            (struct due){.contact_id = pg_i64(res, i, 0),
                         .phone = pg_i64(res, i, 1),
                         .zone_group = b->zone_group,
                         .number = (int)pg_i64(res, i, 2) + 1,
                         .type = (enum phone_type)pg_i64(res, i, 3)};
    }
    c->put_aside |= aside > 0;
    return aside > 0 ? quarantine_put_aside(c->pg, c->campaign_id, held, aside) : 0;
}

static int lock_due(struct claim *c)
{
    CLEANUP(free_cleanup) struct hopper_bucket *buckets = NULL;
    size_t n = 0;

    int err =
        quarantine_lists(c->pg, c->campaign_id, c->doc, c->held_lists, &c->held_count);
    if (!err)
        err = find_buckets(c, &buckets, &n);
    for (size_t i = 0; !err && i < n && c->result->looked_at < c->max; i++)
        err = lock_bucket(c, &buckets[i]);
    if (err)
        return err;
    /* Behind what was taken there may be more; what is due and was not taken is in
     * another's hands at this moment. */
    if (c->result->looked_at > 0 || c->put_aside)
        due_at(c, c->now_ms);
    else if (n > 0)
        due_at(c, c->now_ms + ASK_AGAIN_MS);
    return 0;
}

/* ---- verdict 1 ---- */

static void add_agents(const struct claim *c, struct due *due, size_t allowed)
{
    int64_t unbacked = 0;

    due->backed = mode_gives_agent(&c->booking.room, allowed, &unbacked);
    memcpy(due->abandon, c->booking.abandon, sizeof(due->abandon));
    for (int i = 0; i < MODE_ANCHORS; i++)
        due->abandon[i].unbacked += unbacked;
}

static struct compliance_facts facts_of(const struct claim *c,
                                        const struct facts_set *set, size_t i)
{
    struct compliance_facts facts = facts_get(set, i);

    if (c->booking.used) {
        facts.reserved_agent = c->due[i].backed;
        facts.abandon = c->due[i].abandon;
        facts.abandon_count = MODE_ANCHORS;
    }
    return facts;
}

static int judge(struct claim *c, struct facts_set **set)
{
    size_t n = c->result->looked_at;
    CLEANUP(free_cleanup) struct facts_key *keys = xcalloc(n, sizeof(*keys));

    for (size_t i = 0; i < n; i++)
        keys[i] = (struct facts_key){.phone = c->due[i].phone,
                                     .campaign_id = c->campaign_id,
                                     .zone_group = c->due[i].zone_group,
                                     .type = c->due[i].type};
    int err = facts_load(c->pg, c->tenant_id, keys, n, c->now_ms, set);
    for (size_t i = 0, allowed = 0; !err && i < n; i++) {
        add_agents(c, &c->due[i], allowed);
        struct compliance_facts facts = facts_of(c, *set, i);

        compliance_check(c->doc->policy, &facts, c->now_ms, &c->verdicts[i]);
        allowed += c->verdicts[i].allow;
    }
    return err;
}

/* The number a call shows. A pool has room for as many as were picked. */
static void choose_caller(struct claim *c, struct attempt_row *row)
{
    if (!c->callers) {
        str_cut(row->caller_id, sizeof(row->caller_id), c->doc->caller_id);
        return;
    }
    const struct caller_id *id = caller_id_choose(
        c->callers, c->caller_count, &c->doc->caller_ids, row->phone, c->now_ms);
    char text[PHONE_TEXT_MAX];
    assert(id);
    str_cut(row->caller_id, sizeof(row->caller_id), phone_text(id->phone, text));
}

static void make_intents(struct claim *c)
{
    for (size_t i = 0; i < c->result->looked_at; i++) {
        struct attempt_row *row = &c->out[c->result->intents];

        if (!c->verdicts[i].allow)
            continue;
        *row = (struct attempt_row){.id = uuid_v7(c->now_ms),
                                    .tenant_id = c->tenant_id,
                                    .campaign_id = c->campaign_id,
                                    .contact_id = c->due[i].contact_id,
                                    .phone = c->due[i].phone,
                                    .trunk_id = c->trunk_id,
                                    .slot = c->slot,
                                    .number = c->due[i].number,
                                    .state = ATTEMPT_INTENT};
        choose_caller(c, row);
        c->result->intents++;
    }
}

static int write_decisions(struct claim *c, const struct facts_set *set)
{
    size_t n = c->result->looked_at;
    CLEANUP(free_cleanup) struct decision *list = xcalloc(n, sizeof(*list));
    CLEANUP(free_cleanup) struct compliance_facts *facts = xcalloc(n, sizeof(*facts));

    for (size_t i = 0, made = 0; i < n; i++) {
        facts[i] = facts_of(c, set, i);
        list[i] =
            (struct decision){.stage = DECISION_CLAIM,
                              .campaign_id = c->campaign_id,
                              .contact_id = c->due[i].contact_id,
                              .phone = c->due[i].phone,
                              .attempt = c->verdicts[i].allow ? &c->out[made].id : NULL,
                              .at_ms = c->now_ms,
                              .verdict = &c->verdicts[i],
                              .policy = c->doc->policy,
                              .facts = &facts[i]};
        made += c->verdicts[i].allow;
    }
    return decision_write(c->pg, c->tenant_id, list, n);
}

/* ---- rows ---- */

static int write_intents(struct claim *c)
{
    size_t n = c->result->intents;
    CLEANUP(free_cleanup) struct uuid *ids = xcalloc(n + 1, sizeof(*ids));
    CLEANUP(free_cleanup) int64_t *values = xcalloc(3 * n + 1, sizeof(*values));
    CLEANUP(buf_free) struct buf id = {0};
    CLEANUP(buf_free) struct buf contact = {0};
    CLEANUP(buf_free) struct buf phone = {0};
    CLEANUP(buf_free) struct buf number = {0};
    CLEANUP(buf_free) struct buf caller = {0};
    CLEANUP(buf_free) struct buf variant = {0};
    CLEANUP(free_cleanup) const char **callers = xcalloc(2 * n + 1, sizeof(*callers));
    struct pg_args a = {0};

    for (size_t i = 0; i < n; i++) {
        callers[i] = c->out[i].caller_id;
        callers[n + i] = c->out[i].variant;
        ids[i] = c->out[i].id;
        values[i] = c->out[i].contact_id;
        values[n + i] = c->out[i].phone;
        values[2 * n + i] = c->out[i].number;
    }
    pg_array_uuid(&id, ids, n);
    pg_array_i64(&contact, values, n);
    pg_array_i64(&phone, values + n, n);
    pg_array_i64(&number, values + 2 * n, n);
    pg_arg_text(&a, id.data);
    pg_arg_text(&a, contact.data);
    pg_arg_text(&a, phone.data);
    pg_arg_text(&a, number.data);
    pg_arg_i64(&a, c->tenant_id);
    pg_arg_i64(&a, c->campaign_id);
    pg_arg_i64(&a, c->trunk_id);
    pg_arg_i64(&a, c->slot);
    pg_array_text(&caller, callers, n);
    pg_arg_text(&a, caller.data);
    pg_arg_ms(&a, c->now_ms);
    pg_arg_bool(&a, c->callers != NULL);
    pg_array_text(&variant, callers + n, n);
    pg_arg_text(&a, variant.data);
    return pg_run(
        c->pg, NULL,
        "WITH made AS (INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, "
        "phone, trunk_id, slot, number, state, caller_id, intent_at, pooled, variant) "
        "SELECT v.id, $5, $6, v.contact_id, v.phone, $7, $8, v.number, 'intent', "
        "v.caller, furrow_ts($10), $11, v.variant FROM unnest($1::uuid[], "
        "$2::bigint[], $3::bigint[], $4::int[], $9::text[], $12::text[]) v(id, "
        "contact_id, phone, number, caller, variant) RETURNING "
        "contact_id) UPDATE campaign_contacts c SET state = "
        "'calling' FROM made WHERE c.campaign_id = $6 AND c.contact_id = "
        "made.contact_id AND c.contact_id = ANY ($2::bigint[])",
        &a);
}

static int book(const struct claim *c)
{
    size_t n = c->result->intents, made = 0;
    CLEANUP(free_cleanup) struct uuid *ids = xcalloc(n + 1, sizeof(*ids));
    CLEANUP(free_cleanup) bool *backed = xcalloc(n + 1, sizeof(*backed));

    for (size_t i = 0; i < c->result->looked_at; i++) {
        if (!c->verdicts[i].allow)
            continue;
        ids[made] = c->out[made].id;
        backed[made++] = c->due[i].backed;
    }
    return agent_book_write(c->pg, c->tenant_id, c->campaign_id, &c->booking, ids, backed,
                            n);
}

static int refuse(struct claim *c)
{
    size_t n = c->result->looked_at;
    CLEANUP(free_cleanup) struct attempt_refusal *list = xcalloc(n, sizeof(*list));

    for (size_t i = 0; i < n; i++)
        if (!c->verdicts[i].allow)
            list[c->result->refused++] =
                (struct attempt_refusal){.campaign_id = c->campaign_id,
                                         .contact_id = c->due[i].contact_id,
                                         .verdict = &c->verdicts[i]};
    return attempt_refuse(c->pg, list, c->result->refused, c->now_ms);
}

static int claim_due(struct claim *c)
{
    struct facts_set *set = NULL;

    int err = judge(c, &set);
    if (!err) {
        make_intents(c);
        err = write_decisions(c, set);
    }
    facts_free(set);
    if (!err)
        err = variant_assign(c->pg, c->doc, c->out, c->result->intents);
    if (!err && c->result->intents > 0)
        err = write_intents(c);
    if (!err && c->booking.used && c->result->intents > 0)
        err = book(c);
    return err ? err : refuse(c);
}

/* Fails closed: a campaign with agents claims no more than they and the credit allow. */
static int find_agents(struct claim *c)
{
    int err = agent_book(c->pg, c->tenant_id, c->campaign_id, c->doc, c->max, c->now_ms,
                         &c->booking);

    if (err || !c->booking.used)
        return err;
    size_t room = (size_t)c->booking.room.backed + (size_t)c->booking.room.unbacked;
    if (room < c->max)
        c->max = room;
    if (room == 0)
        due_at(c, c->now_ms + AGENT_AGAIN_MS);
    return 0;
}

/* Never more than the budget has room for; until this transaction ends nobody else takes
 * from it. */
static int heed_budget(struct claim *c)
{
    int64_t room = INT64_MAX;

    if (!c->doc->budget.stated)
        return 0;
    int err = budget_take(c->pg, c->campaign_id, &c->doc->budget, c->now_ms, &room);
    if (err)
        return err;
    c->max = room < (int64_t)c->max ? (size_t)room : c->max;
    c->result->budget_spent = room == 0;
    if (room == 0) /* a live call may turn out shorter than what is set aside for it */
        due_at(c, c->now_ms + ASK_AGAIN_MS);
    return 0;
}

/* Nor more than a canary leaves; likewise. */
static int heed_canary(struct claim *c)
{
    int64_t room = INT64_MAX;

    int err = canary_take(c->pg, c->campaign_id, &c->doc->canary, c->now_ms, &room);
    if (err)
        return err;
    c->max = room < (int64_t)c->max ? (size_t)room : c->max;
    if (room == 0) /* it waits for its judgement, or one of its calls was never sent */
        due_at(c, c->now_ms + ASK_AGAIN_MS);
    return 0;
}

/* Locked before any contact, and no more picked than numbers are left for. */
static int open_pool(struct claim *c)
{
    const struct caller_id_rule *rule = &c->doc->caller_ids;
    char why[CALLER_ID_WHY_MAX];

    if (!rule->pool[0])
        return 0;
    int err =
        caller_id_pool_lock(c->pg, rule->pool, c->now_ms, &c->callers, &c->caller_count);
    if (err)
        return err;
    c->max = caller_id_room(c->callers, c->caller_count, c->now_ms, c->max);
    if (c->max == 0)
        due_at(c, caller_id_explain(c->callers, c->caller_count, rule, c->now_ms, why));
    return 0;
}

static int claim(struct claim *c)
{
    bool running = false, trusted = false;
    char tzdata[TZ_VERSION_MAX];

    int err = read_campaign(c, &running);
    if (err || !running)
        return err;
    /* Which zones are open is asked before any contact's facts. A version that is not
     * known is the gate's to refuse. */
    if (tz_refresh(tzdata))
        log_warn("claim", "the version of the time zone data is not known");
    err = attempt_clock_is_trusted(c->pg, c->now_ms, &trusted);
    if (err)
        return err;
    if (!trusted) {
        /* It would refuse everybody; nobody is to blame, so nobody is moved. */
        log_error("claim",
                  "campaign=%lld the clock differs from Postgres' by more than %d ms: no "
                  "calls; look at NTP on both machines",
                  (long long)c->campaign_id, ATTEMPT_CLOCK_SKEW_MS);
        due_at(c, c->now_ms + ASK_AGAIN_MS);
        return 0;
    }
    err = budget_hold_rules(c->pg, c->campaign_id, false);
    if (!err)
        err = campaign_doc_get(c->pg, c->tenant_id, c->campaign_id, &c->doc);
    if (!err)
        err = heed_budget(c);
    if (!err && c->max > 0)
        err = heed_canary(c);
    if (!err && c->max > 0)
        err = find_agents(c);
    if (!err && c->max > 0)
        err = open_pool(c);
    if (!err && c->max > 0)
        err = lock_due(c);
    return err || c->result->looked_at == 0 ? err : claim_due(c);
}

int attempt_claim(struct pg *pg, int tenant_id, int64_t campaign_id, int slot,
                  int64_t now_ms, size_t max, struct attempt_row *out,
                  struct attempt_claim_result *result)
{
    return attempt_claim_over(pg, tenant_id, campaign_id, 0, slot, now_ms, max, out,
                              result);
}

int attempt_claim_over(struct pg *pg, int tenant_id, int64_t campaign_id,
                       int64_t trunk_id, int slot, int64_t now_ms, size_t max,
                       struct attempt_row *out, struct attempt_claim_result *result)
{
    CLEANUP(free_cleanup) struct due *due = xcalloc(max + 1, sizeof(*due));
    CLEANUP(free_cleanup)
    struct verdict *verdicts = xcalloc(max + 1, sizeof(*verdicts));
    struct claim c = {.pg = pg,
                      .tenant_id = tenant_id,
                      .slot = slot,
                      .campaign_id = campaign_id,
                      .trunk_id = trunk_id,
                      .now_ms = now_ms,
                      .max = max,
                      .out = out,
                      .result = result,
                      .due = due,
                      .verdicts = verdicts};

    *result = (struct attempt_claim_result){0};
    if (max == 0)
        return 0;
    int err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_end(pg, claim(&c));
    free(c.callers);
    if (err)
        *result = (struct attempt_claim_result){0};
    return err;
}
