#include "compliance/facts_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "compliance/facts_set.h"
#include "contacts/tz.h"
#include "contacts/zones.h"

enum {
    HOLIDAYS_AHEAD_DAYS = 120, /* twice what a verdict looks ahead */
};

/* ---- the lock ---- */

static int64_t switch_key(int tenant_id)
{
    /* No number has as many digits. */
    return (int64_t)((uint64_t)tenant_id << FACTS_PHONE_BITS |
                     ((UINT64_C(1) << FACTS_PHONE_BITS) - 1));
}

int facts_lock_switch(struct pg *pg, int tenant_id, bool exclusive)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, switch_key(tenant_id));
    return pg_run(pg, NULL,
                  exclusive ? "SELECT pg_advisory_xact_lock($1)"
                            : "SELECT pg_advisory_xact_lock_shared($1)",
                  &a);
}

/* ---- reading ---- */

/* Fills *a in place: its values point into itself, so that it cannot be copied. */
static void args_of_keys(struct pg_args *a, struct buf arrays[4], int tenant_id,
                         const struct facts_key *keys, size_t n)
{
    int64_t *phones = xcalloc(n + 1, sizeof(*phones));
    int64_t *campaigns = xcalloc(n + 1, sizeof(*campaigns));
    int64_t *groups = xcalloc(n + 1, sizeof(*groups));
    struct uuid *own = xcalloc(n + 1, sizeof(*own));

    for (size_t i = 0; i < n; i++) {
        phones[i] = keys[i].phone;
        campaigns[i] = keys[i].campaign_id;
        groups[i] = keys[i].zone_group;
        if (keys[i].own)
            own[i] = *keys[i].own;
    }
    pg_array_i64(&arrays[0], phones, n);
    pg_array_i64(&arrays[1], campaigns, n);
    pg_array_i64(&arrays[2], groups, n);
    pg_array_uuid(&arrays[3], own, n);
    free(phones);
    free(campaigns);
    free(groups);
    free(own);
    pg_arg_i64(a, tenant_id);
    for (int i = 0; i < 4; i++)
        pg_arg_text(a, arrays[i].data);
}

/* Do-not-call entries, consent, region and zones: one row a key, in the keys' order. */
static int load_marks(struct pg *pg, const struct pg_args *a, struct facts_set *set)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(
        pg, &res,
        /* Not EXISTS: that the planner may answer by reading the whole list. */
        "SELECT coalesce((SELECT true FROM dnc_entries d WHERE d.tenant_id = $1 AND "
        "d.phone = k.phone AND d.campaign_id = 0 AND d.topic = '' AND d.removed_at IS "
        "NULL LIMIT 1), false), k.campaign_id <> 0 AND (coalesce((SELECT true FROM "
        "dnc_entries d WHERE d.tenant_id = $1 AND d.phone = k.phone AND d.campaign_id = "
        "k.campaign_id AND d.removed_at IS NULL LIMIT 1), false) OR coalesce((SELECT "
        "true FROM dnc_entries d WHERE d.tenant_id = $1 AND d.phone = k.phone AND "
        "d.campaign_id = 0 AND d.topic <> '' AND d.topic = (SELECT t.topic FROM "
        "campaigns t WHERE t.id = k.campaign_id) AND d.removed_at IS NULL LIMIT 1), "
        "false)), "
        "(SELECT max(CASE c.level WHEN 'express_written' THEN 2 ELSE 1 END) FROM "
        "consents c WHERE c.tenant_id = $1 AND c.phone = k.phone AND c.revoked_at IS "
        "NULL AND " FACTS_CONSENT_PURPOSE(
            "c") "), "
                 "coalesce((SELECT c.revoked_at IS NOT NULL FROM consents c WHERE "
                 "c.tenant_id = "
                 "$1 "
                 "AND c.phone = k.phone ORDER BY greatest(c.given_at, c.revoked_at) "
                 "DESC, c.id "
                 "DESC LIMIT 1), false), "
                 "g.region, to_json(g.zones) FROM " FACTS_KEYS
                 "LEFT JOIN zone_groups g ON g.id = k.zone_group AND g.tenant_id = $1 "
                 "ORDER BY "
                 "k.i",
        a);
    if (!err && (size_t)PQntuples(res) != set->n)
        err = EPROTO;
    for (int i = 0; !err && i < PQntuples(res); i++) {
        struct number *f = &set->numbers[i];
        f->facts.dnc_tenant = pg_bool(res, i, 0);
        f->facts.dnc_campaign = pg_bool(res, i, 1);
        f->facts.consent = (enum consent_level)pg_i64(res, i, 2);
        f->facts.consent_revoked = pg_bool(res, i, 3);
        if (f->zones) /* found by the caller */
            continue;
        str_cut(f->facts.region, sizeof(f->facts.region), pg_text(res, i, 4));
        f->facts.zone_count = facts_read_names(
            pg_is_null(res, i, 5) ? "[]" : pg_text(res, i, 5), &f->zones, &f->zone_text);
        f->facts.zones = f->zones;
    }
    return err;
}

int facts_holidays(struct pg *pg, int tenant_id, int64_t now_ms,
                   struct compliance_holiday **out, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_ms(&a, now_ms);
    pg_arg_i64(&a, HOLIDAYS_AHEAD_DAYS);
    /* A local date may be a day before UTC's. */
    int err = pg_run(pg, &res,
                     "SELECT region, day - date '1970-01-01' FROM holidays WHERE "
                     "tenant_id = $1 AND day BETWEEN (furrow_ts($2) AT TIME ZONE "
                     "'UTC')::date - 1 AND (furrow_ts($2) AT TIME ZONE 'UTC')::date + "
                     "$3::int ORDER BY day, region",
                     &a);
    if (err)
        return err;
    *n = (size_t)PQntuples(res);
    *out = xcalloc(*n + 1, sizeof(**out));
    for (size_t i = 0; i < *n; i++) {
        str_cut((*out)[i].region, sizeof((*out)[i].region), pg_text(res, (int)i, 0));
        (*out)[i].day = pg_i64(res, (int)i, 1);
    }
    return 0;
}

static struct facts_set *new_set(const struct facts_key *keys, size_t n)
{
    struct facts_set *set = xcalloc(1, sizeof(*set));

    set->n = n;
    set->numbers = xcalloc(n + 1, sizeof(*set->numbers));
    for (size_t i = 0; i < n; i++)
        set->numbers[i].facts =
            (struct compliance_facts){.phone = keys[i].phone,
                                      .type = keys[i].type,
                                      .valid = keys[i].phone > 0,
                                      .campaign_id = keys[i].campaign_id,
                                      .history_known = true,
                                      .clock_trusted = true,
                                      .campaign_running = true,
                                      .zones_date_ms = zones_date_ms()};
    for (size_t i = 0; i < n; i++)
        str_cut(set->numbers[i].facts.state, sizeof(set->numbers[i].facts.state),
                zones_state_of(keys[i].phone));
    return set;
}

static int fill(struct pg *pg, int tenant_id, const struct facts_key *keys, size_t n,
                int64_t now_ms, struct facts_set *set)
{
    struct buf arrays[4] = {{0}};
    struct pg_args a = {0};

    args_of_keys(&a, arrays, tenant_id, keys, n);
    int err = load_marks(pg, &a, set);
    if (!err)
        err = facts_load_rare(pg, &a, tenant_id, now_ms, set);
    if (!err)
        err = facts_load_calls(pg, &a, tenant_id, keys, now_ms, set);
    if (!err)
        err = facts_holidays(pg, tenant_id, now_ms, &set->holidays, &set->holiday_count);
    for (size_t i = 0; !err && i < n; i++) {
        set->numbers[i].facts.holidays = set->holidays;
        set->numbers[i].facts.holiday_count = set->holiday_count;
    }
    for (size_t i = 0; i < ARRAY_LEN(arrays); i++)
        buf_free(&arrays[i]);
    return err;
}

int facts_load(struct pg *pg, int tenant_id, const struct facts_key *keys, size_t n,
               int64_t now_ms, struct facts_set **out)
{
    struct facts_set *set = new_set(keys, n);

    int err = fill(pg, tenant_id, keys, n, now_ms, set);
    if (err)
        facts_free(set);
    else
        *out = set;
    return err;
}

void facts_free(struct facts_set *set)
{
    if (!set)
        return;
    facts_free_rare(set);
    for (size_t i = 0; i < set->n; i++) {
        free(set->numbers[i].zones);
        free(set->numbers[i].zone_text);
        free(set->numbers[i].calls);
    }
    free(set->numbers);
    free(set->holidays);
    free(set);
}

struct compliance_facts facts_get(const struct facts_set *set, size_t i)
{
    return set->numbers[i].facts;
}

void facts_end_calls(struct facts_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        for (size_t k = 0; k < set->numbers[i].facts.call_count; k++)
            set->numbers[i].calls[k].open = false;
}

/* Type, region and zones as an import would find them. */
static void find_number(struct number *f)
{
    struct phone phone;

    enum phone_error error = phone_from_e164(f->facts.phone, &phone);
    const struct zone_set *zones = zones_of(f->facts.phone, phone.type);
    f->facts.valid = error == PHONE_VALID;
    f->facts.type = phone.type;
    str_cut(f->facts.region, sizeof(f->facts.region), phone.region);
    f->zones = xcalloc(zones->n + 1, sizeof(*f->zones));
    for (size_t i = 0; i < zones->n; i++)
        f->zones[i] = zones->names[i];
    f->facts.zones = f->zones;
    f->facts.zone_count = zones->n;
}

int facts_load_number(struct pg *pg, int tenant_id, int64_t phone, int64_t campaign_id,
                      int64_t now_ms, struct facts_set **out)
{
    const struct facts_key key = {.phone = phone, .campaign_id = campaign_id};
    struct facts_set *set = new_set(&key, 1);
    bool own = false;

    find_number(&set->numbers[0]);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err) {
        err = fill(pg, tenant_id, &key, 1, now_ms, set);
        err = pg_end_own(pg, own, err);
    }
    if (err)
        facts_free(set);
    else
        *out = set;
    return err;
}
