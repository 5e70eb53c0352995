#include "compliance/dnc_store.h"

#include <errno.h>
#include <stdlib.h>

#include "base/pg.h"
#include "base/str.h"
#include "compliance/facts_store.h"

/* The entry was there: what it says now counts for messages too. */
static int said_again(struct pg *pg, const struct dnc_entry *entry, int64_t now_ms)
{
    bool by_sms = str_is(entry->source, "sms") && entry->campaign_id == 0;
    struct pg_args a = {0};

    pg_arg_i64(&a, entry->phone);
    pg_arg_ms(&a, by_sms ? now_ms : 0);
    pg_arg_i64(&a, entry->campaign_id);
    pg_arg_text(&a, entry->topic ? entry->topic : "");
    return pg_run(pg, NULL,
                  "UPDATE dnc_entries SET sms_again_at = NULL, by_sms_at = CASE WHEN "
                  "source <> 'sms' THEN coalesce(by_sms_at, furrow_ts($2)) END WHERE "
                  "phone = $1 AND campaign_id = $3 AND topic = $4 AND removed_at IS NULL "
                  "AND (sms_again_at IS NOT NULL OR (furrow_ts($2) IS NOT NULL AND "
                  "source <> 'sms' AND by_sms_at IS NULL))",
                  &a);
}

static int add_locked(struct pg *pg, int tenant_id, const struct dnc_entry *entry,
                      int64_t now_ms, bool *added)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    int err = facts_lock_numbers(pg, tenant_id, &entry->phone, 1);
    if (err)
        return err;
    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, entry->phone);
    pg_arg_i64(&a, entry->campaign_id);
    pg_arg_text(&a, entry->source);
    pg_arg_text(&a, entry->note ? entry->note : "");
    pg_arg_uuid(&a, entry->call);
    pg_arg_ms(&a, now_ms);
    pg_arg_text(&a, entry->topic ? entry->topic : "");
    err = pg_run(pg, &res,
                 "INSERT INTO dnc_entries (tenant_id, phone, campaign_id, source, note, "
                 "call_id, added_at, topic) VALUES ($1, $2, $3, $4, $5, $6, "
                 "furrow_ts($7), $8) ON CONFLICT (tenant_id, phone, campaign_id, topic) "
                 "WHERE removed_at IS NULL DO NOTHING",
                 &a);
    if (!err)
        *added = pg_affected(res) > 0;
    if (!err && !*added)
        err = said_again(pg, entry, now_ms);
    return err;
}

int dnc_add(struct pg *pg, int tenant_id, const struct dnc_entry *entry, int64_t now_ms,
            bool *added)
{
    bool own = false;

    *added = false;
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = add_locked(pg, tenant_id, entry, now_ms, added);
    return pg_end_own(pg, own, err);
}

int dnc_add_many(struct pg *pg, int tenant_id, const int64_t *phones, size_t n,
                 int64_t campaign_id, const char *source, const char *note,
                 int64_t now_ms, size_t *added)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(buf_free) struct buf array = {0};
    struct pg_args a = {0};
    bool own = false;

    *added = 0;
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    pg_array_i64(&array, phones, n);
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, array.data);
    pg_arg_i64(&a, campaign_id);
    pg_arg_text(&a, source);
    pg_arg_text(&a, note ? note : "");
    pg_arg_ms(&a, now_ms);
    err = facts_lock_numbers(pg, tenant_id, phones, n);
    if (!err)
        err = pg_run(pg, &res,
                     "INSERT INTO dnc_entries (tenant_id, phone, campaign_id, source, "
                     "note, added_at) SELECT DISTINCT $1::int, p, $3::bigint, $4, $5, "
                     "furrow_ts($6) FROM unnest($2::bigint[]) p ON CONFLICT (tenant_id, "
                     "phone, campaign_id, topic) WHERE removed_at IS NULL DO NOTHING",
                     &a);
    if (!err)
        *added = (size_t)pg_affected(res);
    return pg_end_own(pg, own, err);
}

static int remove_entry(struct pg *pg, int tenant_id, int64_t phone, int64_t campaign_id,
                        const char *topic, const char *note, int64_t now_ms)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    pg_arg_i64(&a, phone);
    pg_arg_i64(&a, campaign_id);
    pg_arg_text(&a, note ? note : "");
    pg_arg_ms(&a, now_ms);
    pg_arg_text(&a, topic);
    err = facts_lock_numbers(pg, tenant_id, &phone, 1);
    if (!err)
        err = pg_run(pg, &res,
                     "UPDATE dnc_entries SET removed_at = furrow_ts($4), removed_note = "
                     "$3 WHERE phone = $1 AND campaign_id = $2 AND topic = $5 AND "
                     "removed_at IS NULL",
                     &a);
    if (!err && pg_affected(res) == 0)
        err = ENOENT;
    return pg_end_own(pg, own, err);
}

int dnc_remove(struct pg *pg, int tenant_id, int64_t phone, int64_t campaign_id,
               const char *note, int64_t now_ms)
{
    return remove_entry(pg, tenant_id, phone, campaign_id, "", note, now_ms);
}

int dnc_remove_topic(struct pg *pg, int tenant_id, int64_t phone, const char *topic,
                     const char *note, int64_t now_ms)
{
    return remove_entry(pg, tenant_id, phone, 0, topic, note, now_ms);
}

static int start_sms(struct pg *pg, int tenant_id, int64_t phone, int64_t now_ms,
                     bool *lifted)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    int err = facts_lock_numbers(pg, tenant_id, &phone, 1);
    if (err)
        return err;
    pg_arg_i64(&a, phone);
    pg_arg_ms(&a, now_ms);
    err =
        pg_run(pg, &res,
               "UPDATE dnc_entries SET by_sms_at = NULL, sms_again_at = CASE WHEN source "
               "<> 'sms' THEN furrow_ts($2) END, removed_at = CASE WHEN source = 'sms' "
               "THEN furrow_ts($2) END, removed_note = CASE WHEN source = 'sms' THEN "
               "'START by SMS' ELSE removed_note END WHERE phone = $1 AND removed_at IS "
               "NULL AND sms_again_at IS NULL",
               &a);
    if (!err)
        *lifted = pg_affected(res) > 0;
    return err;
}

int dnc_start_sms(struct pg *pg, int tenant_id, int64_t phone, int64_t now_ms,
                  bool *lifted)
{
    bool own = false;

    *lifted = false;
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    return pg_end_own(pg, own, start_sms(pg, tenant_id, phone, now_ms, lifted));
}

int dnc_is_stopped_sms(struct pg *pg, int tenant_id, int64_t phone, bool *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    pg_arg_i64(&a, phone);
    err = pg_run(pg, &res,
                 "SELECT FROM dnc_entries WHERE phone = $1 AND removed_at IS NULL AND "
                 "(source = 'sms' OR by_sms_at IS NOT NULL) LIMIT 1",
                 &a);
    if (!err)
        *out = PQntuples(res) > 0;
    return pg_end_own(pg, own, err);
}

int dnc_stops_sms(struct pg *pg, int tenant_id, int64_t phone, int64_t campaign_id,
                  bool *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, phone);
    pg_arg_i64(&a, campaign_id);
    err = pg_run(pg, &res,
                 "SELECT FROM dnc_entries WHERE tenant_id = $1 AND phone = $2 AND "
                 "removed_at IS NULL AND sms_again_at IS NULL AND ((campaign_id = 0 AND "
                 "topic = '') OR (campaign_id = $3 AND campaign_id <> 0) OR (campaign_id "
                 "= 0 AND topic = (SELECT c.topic FROM campaigns c WHERE c.id = $3))) "
                 "LIMIT 1",
                 &a);
    if (!err)
        *out = PQntuples(res) > 0;
    return pg_end_own(pg, own, err);
}

#define COLUMNS                                                                          \
    "phone, campaign_id, furrow_ms(added_at), furrow_ms(removed_at), source, note, "     \
    "removed_note, topic, furrow_ms(sms_again_at) "

static int give_rows(const PGresult *res, dnc_row_fn *each, void *arg)
{
    int err = 0;

    for (int i = 0; !err && i < PQntuples(res); i++) {
        const struct dnc_row row = {.phone = pg_i64(res, i, 0),
                                    .campaign_id = pg_i64(res, i, 1),
                                    .added_at_ms = pg_i64(res, i, 2),
                                    .removed_at_ms = pg_i64(res, i, 3),
                                    .source = pg_text(res, i, 4),
                                    .note = pg_text(res, i, 5),
                                    .removed_note = pg_text(res, i, 6),
                                    .topic = pg_text(res, i, 7),
                                    .sms_again_at_ms = pg_i64(res, i, 8)};
        err = each(&row, arg);
    }
    return err;
}

int dnc_find(struct pg *pg, int tenant_id, int64_t phone, dnc_row_fn *each, void *arg)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    pg_arg_i64(&a, phone);
    err = pg_run(pg, &res,
                 "SELECT " COLUMNS "FROM dnc_entries WHERE phone = $1 ORDER BY id DESC",
                 &a);
    err = pg_end_own(pg, own, err);
    return err ? err : give_rows(res, each, arg);
}

int dnc_list(struct pg *pg, int tenant_id, int64_t campaign_id, size_t max,
             int64_t *after, dnc_row_fn *each, void *arg, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    pg_arg_i64(&a, campaign_id);
    pg_arg_i64(&a, *after);
    pg_arg_i64(&a, (int64_t)max);
    err = pg_run(pg, &res,
                 "SELECT " COLUMNS ", id FROM dnc_entries WHERE removed_at IS NULL AND "
                 "($1 = 0 OR campaign_id = $1) AND id > $2 ORDER BY id LIMIT $3",
                 &a);
    err = pg_end_own(pg, own, err);
    if (err)
        return err;
    *n = (size_t)PQntuples(res);
    if (*n > 0)
        *after = pg_i64(res, (int)*n - 1, 9);
    return give_rows(res, each, arg);
}

int dnc_count(struct pg *pg, int tenant_id, int64_t *in_force)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    bool own = false;

    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = pg_run(pg, &res, "SELECT count(*) FROM dnc_entries WHERE removed_at IS NULL",
                 NULL);
    if (!err)
        *in_force = pg_i64(res, 0, 0);
    return pg_end_own(pg, own, err);
}
