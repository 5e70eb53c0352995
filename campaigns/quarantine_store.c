#include "campaigns/quarantine_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/attempt_store_person.h"
#include "campaigns/call_store.h"
#include "campaigns/campaign_event_store.h"

_Static_assert(QUARANTINE_HELD_MS > ATTEMPT_HELD_MS, "both are told apart by it");

static const int64_t day_ms = 86400000;
static const char *const kind_names[QUARANTINE_KINDS] = {"variant", "list"};

const char *quarantine_kind_name(enum quarantine_kind k)
{
    return kind_names[k];
}

/* ---- what is held ---- */

static int read_held(struct pg *pg, int64_t campaign_id, enum quarantine_kind kind,
                     PGresult **res)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_text(&a, kind_names[kind]);
    return pg_run(pg, res,
                  "SELECT h.name, l.id FROM campaign_holds h LEFT JOIN lists l ON h.kind "
                  "= 'list' AND l.name = h.name WHERE h.campaign_id = $1 AND h.kind = $2 "
                  "AND h.held_at IS NOT NULL",
                  &a);
}

int quarantine_variants(struct pg *pg, int64_t campaign_id,
                        const struct campaign_doc *doc, unsigned *held)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    *held = 0;
    if (!doc->quarantine.variants)
        return 0;
    int err = read_held(pg, campaign_id, QUARANTINE_VARIANT, &res);
    for (int i = 0; !err && i < PQntuples(res); i++)
        for (size_t k = 0; k < doc->variants.n; k++)
            if (str_is(pg_text(res, i, 0), doc->variants.at[k].name))
                *held |= 1u << k;
    return err;
}

int quarantine_lists(struct pg *pg, int64_t campaign_id, const struct campaign_doc *doc,
                     int64_t out[CAMPAIGN_LISTS_MAX], size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    *n = 0;
    if (!doc->quarantine.lists)
        return 0;
    int err = read_held(pg, campaign_id, QUARANTINE_LIST, &res);
    for (int i = 0; !err && i < PQntuples(res) && *n < CAMPAIGN_LISTS_MAX; i++)
        if (!pg_is_null(res, i, 1))
            out[(*n)++] = pg_i64(res, i, 1);
    return err;
}

/* ---- contacts of held lists ---- */

int quarantine_put_aside(struct pg *pg, int64_t campaign_id, const int64_t *contacts,
                         size_t n)
{
    CLEANUP(buf_free) struct buf array = {0};
    struct pg_args a = {0};

    pg_array_i64(&array, contacts, n);
    pg_arg_i64(&a, campaign_id);
    pg_arg_text(&a, array.data);
    pg_arg_ms(&a, QUARANTINE_HELD_MS);
    return pg_run(pg, NULL,
                  "UPDATE campaign_contacts SET next_attempt_at = furrow_ts($3) WHERE "
                  "campaign_id = $1 AND contact_id = ANY($2::bigint[]) AND state = "
                  "'pending'",
                  &a);
}

int quarantine_put_aside_all(struct pg *pg, int64_t campaign_id)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, QUARANTINE_HELD_MS);
    pg_arg_i64(&a, CALLBACK_PRIORITY);
    return pg_run(pg, NULL,
                  "UPDATE campaign_contacts k SET next_attempt_at = furrow_ts($2) FROM "
                  "contacts c, lists l, campaign_holds h WHERE h.campaign_id = $1 AND "
                  "h.kind = 'list' AND h.held_at IS NOT NULL AND l.name = h.name AND "
                  "c.list_id = l.id AND k.campaign_id = $1 AND k.contact_id = c.id AND "
                  "k.state = 'pending' AND k.next_attempt_at < furrow_ts($2) AND "
                  "k.priority < $3",
                  &a);
}

static int let_go(struct pg *pg, int64_t campaign_id, const char *list, int64_t now_ms)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, QUARANTINE_HELD_MS);
    pg_arg_text(&a, list);
    pg_arg_ms(&a, now_ms);
    return pg_run(
        pg, NULL,
        "UPDATE campaign_contacts k SET next_attempt_at = furrow_ts($4) FROM "
        "contacts c, lists l WHERE l.name = $3 AND c.list_id = l.id AND "
        "k.campaign_id = $1 AND k.contact_id = c.id AND k.state = 'pending' AND "
        "k.next_attempt_at >= furrow_ts($2)",
        &a);
}

/* ---- hold, release ---- */

static int hold(struct pg *pg, int64_t campaign_id, enum quarantine_kind kind,
                const char *name, const char *why, int64_t now_ms)
{
    char text[CAMPAIGN_EVENT_TEXT_MAX];
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_text(&a, kind_names[kind]);
    pg_arg_text(&a, name);
    pg_arg_ms(&a, now_ms);
    pg_arg_text(&a, why);
    int err = pg_run(pg, NULL,
                     "INSERT INTO campaign_holds AS h (tenant_id, campaign_id, kind, "
                     "name, held_at, why, counts_from) VALUES (furrow_tenant(), $1, $2, "
                     "$3, furrow_ts($4), $5, furrow_ts($4)) ON CONFLICT (campaign_id, "
                     "kind, name) DO UPDATE SET held_at = excluded.held_at, why = "
                     "excluded.why, counts_from = excluded.counts_from",
                     &a);
    snprintf(text, sizeof(text), "%s '%s' went into quarantine: %s", kind_names[kind],
             name, why);
    if (!err)
        err = campaign_event_add(pg, campaign_id, now_ms, text);
    if (!err)
        log_warn("campaign", "id=%lld %s=%s state=quarantine %s", (long long)campaign_id,
                 kind_names[kind], LOG_ESC(name), why);
    return err;
}

static int after_release(struct pg *pg, int64_t campaign_id,
                         const struct campaign_doc *doc, enum quarantine_kind kind,
                         const char *name, int64_t now_ms)
{
    int err = 0;

    if (kind == QUARANTINE_LIST) {
        err = let_go(pg, campaign_id, name, now_ms);
        if (!err && doc->numbers == CAMPAIGN_NUMBERS_ONE_BY_ONE)
            err = attempt_hold_numbers(pg, campaign_id);
    }
    if (!err)
        log_info("campaign", "id=%lld %s=%s state=released", (long long)campaign_id,
                 kind_names[kind], LOG_ESC(name));
    return err;
}

int quarantine_release(struct pg *pg, int64_t campaign_id, const struct campaign_doc *doc,
                       enum quarantine_kind kind, const char *name, const char *by,
                       int64_t now_ms, size_t *released)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_text(&a, kind_names[kind]);
    pg_arg_text(&a, name);
    pg_arg_ms(&a, now_ms);
    int err = pg_run(pg, &res,
                     "UPDATE campaign_holds SET held_at = NULL, why = '', counts_from = "
                     "furrow_ts($4) WHERE campaign_id = $1 AND kind = $2 AND held_at IS "
                     "NOT NULL AND ($3::text IS NULL OR name = $3) RETURNING name",
                     &a);
    for (int i = 0; !err && i < PQntuples(res); i++) {
        char text[CAMPAIGN_EVENT_TEXT_MAX];

        snprintf(text, sizeof(text), "%s '%s' was released from quarantine %s",
                 kind_names[kind], pg_text(res, i, 0), by);
        err = campaign_event_add(pg, campaign_id, now_ms, text);
        if (!err)
            err = after_release(pg, campaign_id, doc, kind, pg_text(res, i, 0), now_ms);
        ++*released;
    }
    return err;
}

/* ---- the check ---- */

/* The newest calls that are over; ids of attempts hold their time. */
#define NEWEST                                                                           \
    "newest AS (SELECT id, variant, contact_id, disposition, answered_at, ended_at "     \
    "FROM attempts WHERE campaign_id = $1 AND id >= furrow_uuid_floor(furrow_ts($2)) "   \
    "AND state = 'ended' ORDER BY id DESC LIMIT $3) "

static int count(struct pg *pg, int64_t campaign_id, int64_t now_ms, const char *sql,
                 PGresult **res)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, now_ms - QUARANTINE_DAYS * day_ms);
    pg_arg_i64(&a, QUARANTINE_CALLS);
    return pg_run(pg, res, sql, &a);
}

static int count_variants(struct pg *pg, int64_t campaign_id,
                          const struct variant_rules *rules, int64_t now_ms,
                          struct variant_count out[VARIANTS_MAX])
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = count(
        pg, campaign_id, now_ms,
        "WITH " NEWEST "SELECT n.variant, count(*), count(*) FILTER (WHERE n.ended_at < "
        "n.answered_at + interval '6 seconds'), count(*) FILTER (WHERE c.outcome = "
        "'failed') FROM newest n LEFT JOIN campaign_holds h ON h.campaign_id = $1 AND "
        "h.kind = 'variant' AND h.name = n.variant LEFT JOIN calls c ON c.id = n.id "
        "WHERE n.disposition = 'completed' AND n.variant <> '' AND (h.counts_from IS "
        "NULL OR n.ended_at > h.counts_from) GROUP BY 1",
        &res);
    for (int i = 0; !err && i < PQntuples(res); i++)
        for (size_t k = 0; k < rules->n; k++)
            if (str_is(pg_text(res, i, 0), rules->at[k].name))
                out[k] = (struct variant_count){pg_i64(res, i, 1), pg_i64(res, i, 2),
                                                pg_i64(res, i, 3)};
    return err;
}
_Static_assert(QUARANTINE_SHORT_S == 6, "stands in the statement above");

static int check_variants(struct pg *pg, int64_t campaign_id,
                          const struct campaign_doc *doc, int64_t now_ms,
                          size_t *newly_held)
{
    struct variant_count all[VARIANTS_MAX] = {{0}};
    char why[QUARANTINE_WHY_MAX];
    unsigned held = 0;
    size_t n = doc->variants.n;

    int err = quarantine_variants(pg, campaign_id, doc, &held);
    if (!err)
        err = count_variants(pg, campaign_id, &doc->variants, now_ms, all);
    for (size_t i = 0; !err && i < n; i++) {
        bool any = false;
        struct variant_count others = quarantine_others(all, n, i, held, &any);

        if ((held & 1u << i) || !any ||
            !quarantine_variant_is_bad(&doc->quarantine, &all[i], &others, why))
            continue;
        err = hold(pg, campaign_id, QUARANTINE_VARIANT, doc->variants.at[i].name, why,
                   now_ms);
        held |= 1u << i;
        ++*newly_held;
    }
    return err;
}

static int check_lists(struct pg *pg, int64_t campaign_id, const struct campaign_doc *doc,
                       int64_t now_ms, size_t *newly_held)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    size_t before = *newly_held;

    int err = count(
        pg, campaign_id, now_ms,
        "WITH " NEWEST ", latest AS (SELECT DISTINCT ON (contact_id) contact_id, "
        "disposition, ended_at FROM newest WHERE disposition NOT IN ('config', "
        "'congestion', 'canceled', 'failed') ORDER BY contact_id, id DESC) SELECT "
        "l.name, count(*), count(*) FILTER (WHERE n.disposition IN ('bad_number', "
        "'unreachable')) FROM latest n JOIN contacts k ON k.id = n.contact_id JOIN lists "
        "l ON l.id = k.list_id LEFT JOIN campaign_holds h ON h.campaign_id = $1 AND "
        "h.kind = 'list' AND h.name = l.name WHERE h.held_at IS NULL AND (h.counts_from "
        "IS NULL OR n.ended_at > h.counts_from) GROUP BY 1 ORDER BY 1",
        &res);
    for (int i = 0; !err && i < PQntuples(res); i++) {
        const struct list_count list = {pg_i64(res, i, 1), pg_i64(res, i, 2)};
        char why[QUARANTINE_WHY_MAX];

        if (!quarantine_list_is_bad(&doc->quarantine, &list, why))
            continue;
        err = hold(pg, campaign_id, QUARANTINE_LIST, pg_text(res, i, 0), why, now_ms);
        ++*newly_held;
    }
    return !err && *newly_held > before ? quarantine_put_aside_all(pg, campaign_id) : err;
}

int quarantine_check(struct pg *pg, int64_t campaign_id, const struct campaign_doc *doc,
                     int64_t now_ms, size_t *held)
{
    int err = 0;

    *held = 0;
    if (doc->quarantine.variants && doc->variants.n > 0)
        err = check_variants(pg, campaign_id, doc, now_ms, held);
    if (!err && doc->quarantine.lists)
        err = check_lists(pg, campaign_id, doc, now_ms, held);
    return err;
}

/* ---- for people ---- */

static int load(struct pg *pg, int64_t campaign_id, PGresult **res)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    return pg_run(pg, res,
                  "SELECT kind = 'list', name, furrow_ms(held_at), why FROM "
                  "campaign_holds WHERE campaign_id = $1 AND held_at IS NOT NULL ORDER "
                  "BY held_at, kind, name",
                  &a);
}

int quarantine_list(struct pg *pg, int tenant_id, int64_t campaign_id,
                    struct quarantine_hold **out, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    bool own = false;

    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own, load(pg, campaign_id, &res));
    if (err)
        return err;
    *n = (size_t)PQntuples(res);
    *out = xcalloc(*n + 1, sizeof(**out));
    for (size_t i = 0; i < *n; i++) {
        struct quarantine_hold *h = &(*out)[i];
        int row = (int)i;

        h->kind = pg_bool(res, row, 0) ? QUARANTINE_LIST : QUARANTINE_VARIANT;
        str_cut(h->name, sizeof(h->name), pg_text(res, row, 1));
        h->held_at_ms = pg_i64(res, row, 2);
        str_cut(h->why, sizeof(h->why), pg_text(res, row, 3));
    }
    return 0;
}

static int find_hold(struct pg *pg, int64_t campaign_id, int64_t phone, PGresult **res)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_i64(&a, phone);
    pg_arg_i64(&a, CALLBACK_PRIORITY);
    return pg_run(pg, res,
                  "SELECT h.name, h.why FROM campaign_contacts k JOIN contacts c ON c.id "
                  "= k.contact_id JOIN lists l ON l.id = c.list_id JOIN campaign_holds h "
                  "ON h.campaign_id = k.campaign_id AND h.kind = 'list' AND h.name = "
                  "l.name WHERE k.campaign_id = $1 AND k.phone = $2 AND k.state = "
                  "'pending' AND k.priority < $3 AND h.held_at IS NOT NULL LIMIT 1",
                  &a);
}

int quarantine_why(struct pg *pg, int tenant_id, int64_t campaign_id, int64_t phone,
                   char why[QUARANTINE_TEXT_MAX])
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    bool own = false;

    why[0] = '\0';
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own, find_hold(pg, campaign_id, phone, &res));
    if (!err && PQntuples(res) > 0)
        snprintf(why, QUARANTINE_TEXT_MAX, "its list '%s' is in quarantine: %s",
                 pg_text(res, 0, 0), pg_text(res, 0, 1));
    return err;
}
