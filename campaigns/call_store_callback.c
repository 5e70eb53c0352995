/*
 * call_store_callback - a call that somebody asked for: by a missed call, by a key in a
 * call, or in words that were understood after it.
 *
 * The number's lock comes before any row, as everywhere.
 */
#include "campaigns/call_store.h"

#include <errno.h>

#include "base/pg.h"
#include "base/str.h"
#include "campaigns/lifecycle.h"
#include "compliance/facts_store.h"
#include "contacts/phone.h"
#include "contacts/zone_group_store.h"
#include "contacts/zones.h"

struct callback {
    struct pg *pg;
    int tenant_id;
    int64_t campaign_id, phone, at_ms, now_ms, list_id, contact_id, zone_group;
};

static int find_list(struct callback *c)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, c->campaign_id);
    int err = pg_run(c->pg, &res, "SELECT list_id FROM campaigns WHERE id = $1", &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    c->list_id = pg_i64(res, 0, 0);
    return 0;
}

static int find_contact(struct callback *c)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, c->list_id);
    pg_arg_i64(&a, c->phone);
    int err = pg_run(c->pg, &res,
                     "SELECT id, zone_group FROM contacts WHERE list_id = $1 AND phone = "
                     "$2",
                     &a);
    if (!err && PQntuples(res) > 0) {
        c->contact_id = pg_i64(res, 0, 0);
        c->zone_group = pg_i64(res, 0, 1);
    }
    return err;
}

static int make_contact(struct callback *c)
{
    struct phone parsed = {0};
    struct pg_args a = {0};

    /* A number that cannot be is refused by the verdict, not here. */
    (void)phone_from_e164(c->phone, &parsed);
    int err = zone_group_id(c->pg, c->tenant_id, parsed.region,
                            zones_of(c->phone, parsed.type), c->now_ms, &c->zone_group);
    if (err)
        return err;
    pg_arg_i64(&a, c->tenant_id);
    pg_arg_i64(&a, c->list_id);
    pg_arg_i64(&a, c->phone);
    pg_arg_i64(&a, parsed.type);
    pg_arg_i64(&a, c->zone_group);
    pg_arg_text(&a, parsed.region);
    err = pg_run(c->pg, NULL,
                 "INSERT INTO contacts (tenant_id, list_id, phone, number_type, "
                 "zone_group, region) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT "
                 "(list_id, phone) DO NOTHING",
                 &a);
    return err ? err : find_contact(c);
}

/* An open request is a contact that is being called, or one that waits with the
 * priority of a callback. Whoever waits as usual, or is final, is asked for anew. */
static int write_request(struct callback *c, bool *duplicate)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, c->tenant_id);
    pg_arg_i64(&a, c->campaign_id);
    pg_arg_i64(&a, c->contact_id);
    pg_arg_i64(&a, CALLBACK_PRIORITY);
    pg_arg_ms(&a, c->at_ms);
    int err = pg_run(
        c->pg, &res,
        "INSERT INTO campaign_contacts AS k (tenant_id, campaign_id, contact_id, phone, "
        "zone_group, number_type, priority, next_attempt_at) SELECT $1, $2, id, phone, "
        "zone_group, number_type, $4, furrow_ts($5) FROM contacts WHERE id = $3 ON "
        "CONFLICT (campaign_id, contact_id) DO UPDATE SET state = "
        "'pending', attempts = CASE WHEN k.state = 'final' THEN 0 ELSE k.attempts END, "
        "priority = greatest(k.priority, excluded.priority), next_attempt_at = "
        "excluded.next_attempt_at, final = NULL, final_at = NULL WHERE k.state = 'final' "
        "OR (k.state = 'pending' AND k.priority < excluded.priority)",
        &a);
    if (!err)
        *duplicate = pg_affected(res) == 0;
    return err;
}

static int request(struct callback *c, bool *duplicate)
{
    int err = facts_lock_numbers(c->pg, c->tenant_id, &c->phone, 1);

    if (!err)
        err = find_list(c);
    if (!err)
        err = find_contact(c);
    if (!err && c->contact_id == 0)
        err = make_contact(c);
    return err ? err : write_request(c, duplicate);
}

int call_request_callback(struct pg *pg, int tenant_id, int64_t campaign_id,
                          int64_t phone, int64_t at_ms, int64_t now_ms, bool *duplicate)
{
    struct callback c = {.pg = pg,
                         .tenant_id = tenant_id,
                         .campaign_id = campaign_id,
                         .phone = phone,
                         .at_ms = at_ms,
                         .now_ms = now_ms};
    bool own = false, again = false;

    if (phone <= 0)
        return EINVAL;
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own, request(&c, &again));
    if (!err && duplicate)
        *duplicate = again;
    return err;
}

/* ---- what was said in a call that is over ---- */

int call_find_party(struct pg *pg, const struct uuid *call, struct call_party *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, call);
    int err = pg_run(pg, &res,
                     "SELECT CASE WHEN c.direction = 'out' THEN c.campaign_id ELSE "
                     "x.callback_campaign_id END, CASE WHEN c.direction = 'out' THEN "
                     "c.contact_id END, c.phone FROM calls c LEFT JOIN extensions x ON "
                     "c.direction = 'in' AND x.number = ltrim(c.extension, '+') WHERE "
                     "c.id = $1",
                     &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    *out = (struct call_party){.campaign_id = pg_i64(res, 0, 0),
                               .contact_id = pg_i64(res, 0, 1),
                               .phone = pg_i64(res, 0, 2)};
    return 0;
}

static int is_calling(struct pg *pg, int64_t campaign_id, bool *yes)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    enum campaign_state state = CAMPAIGN_STATES;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    int err = pg_run(pg, &res, "SELECT state FROM campaigns WHERE id = $1 FOR SHARE", &a);
    *yes = !err && PQntuples(res) == 1 &&
           campaign_state_parse(pg_text(res, 0, 0), &state) &&
           (state == CAMPAIGN_RUNNING || state == CAMPAIGN_PAUSED);
    return err;
}

/* Of a contact that is in a call, this one or a later one: attempt_move finds it when
 * that call ends. */
static int promise_to_contact(struct callback *c, enum call_promise *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool duplicate = false;

    pg_arg_i64(&a, c->campaign_id);
    pg_arg_i64(&a, c->contact_id);
    pg_arg_ms(&a, c->at_ms);
    pg_arg_ms(&a, c->now_ms);
    int err = pg_run(c->pg, &res,
                     "WITH k AS (SELECT state, final, next_attempt_at > furrow_ts($4) AS "
                     "promised FROM campaign_contacts WHERE campaign_id = $1 AND "
                     "contact_id = $2 FOR UPDATE), w AS (UPDATE campaign_contacts u SET "
                     "next_attempt_at = furrow_ts($3) FROM k WHERE u.campaign_id = $1 "
                     "AND u.contact_id = $2 AND k.state = 'calling' AND NOT k.promised) "
                     "SELECT state = 'calling', promised, coalesce(final, '') = "
                     "'opted_out' FROM k",
                     &a);
    if (err)
        return err;
    *out = CALL_PROMISED;
    if (PQntuples(res) == 1 && pg_bool(res, 0, 2)) {
        *out = CALL_PROMISE_OPTED_OUT;
        return 0;
    }
    if (PQntuples(res) == 1 && pg_bool(res, 0, 0)) {
        *out = pg_bool(res, 0, 1) ? CALL_PROMISE_DUPLICATE : CALL_PROMISED;
        return 0;
    }
    err = write_request(c, &duplicate);
    *out = duplicate ? CALL_PROMISE_DUPLICATE : CALL_PROMISED;
    return err;
}

int call_promise(struct pg *pg, int tenant_id, const struct call_party *party,
                 int64_t at_ms, int64_t now_ms, enum call_promise *out)
{
    struct callback c = {.pg = pg,
                         .tenant_id = tenant_id,
                         .campaign_id = party->campaign_id,
                         .phone = party->phone,
                         .contact_id = party->contact_id,
                         .at_ms = at_ms,
                         .now_ms = now_ms};
    bool calling = false, duplicate = false;

    *out = CALL_PROMISE_NOBODY;
    if (party->phone <= 0 || party->campaign_id <= 0)
        return 0;
    int err = facts_lock_numbers(pg, tenant_id, &party->phone, 1);
    if (!err)
        err = is_calling(pg, party->campaign_id, &calling);
    if (err || !calling) {
        *out = CALL_PROMISE_NOT_RUNNING;
        return err;
    }
    if (party->contact_id > 0)
        return promise_to_contact(&c, out);
    err = request(&c, &duplicate);
    *out = duplicate ? CALL_PROMISE_DUPLICATE : CALL_PROMISED;
    return err;
}
