#include "batches/event_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/xalloc.h"

static const char *text_or_null(const char *s)
{
    return s && *s ? s : NULL;
}

static int insert(struct pg *pg, const struct ledger *l, const struct event_new *e,
                  const struct uuid *id, const json_t *json)
{
    CLEANUP(free_cleanup) char *canonical = epcis_canonical(json);
    char hash[SHA256_TEXT_MAX];
    struct pg_args a = {0};

    pg_arg_uuid(&a, id);
    pg_arg_i64(&a, l->tenant_id);
    pg_arg_uuid(&a, e->command_id);
    pg_arg_text(&a, epcis_hash(canonical, hash));
    pg_arg_text(&a, epcis_type(e->kind));
    pg_arg_text(&a, epcis_action(e->kind));
    pg_arg_text(&a, epcis_biz_step(e->kind));
    pg_arg_text(&a, text_or_null(e->place));
    pg_arg_ms(&a, e->at_ms);
    pg_arg_text(&a, canonical);
    if (e->caller_id)
        pg_arg_i64(&a, e->caller_id);
    else
        pg_arg_null(&a);
    return pg_run(pg, NULL,
                  "INSERT INTO epcis_events (id, tenant_id, command_id, event_hash, "
                  "event_type, action, biz_step, biz_location, event_time, event, "
                  "canonical, submitter, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, "
                  "$8, furrow_ts($9), $10::text::jsonb, $10::text, $11, furrow_ts($9))",
                  &a);
}

static int add_batches(struct pg *pg, const struct ledger *l, const struct uuid *event_id,
                       const struct uuid *batches, size_t n, bool made)
{
    struct pg_args a = {0};
    struct buf ids = {0};

    if (n == 0)
        return 0;
    pg_array_uuid(&ids, batches, n);
    pg_arg_i64(&a, l->tenant_id);
    pg_arg_uuid(&a, event_id);
    pg_arg_text(&a, ids.data);
    pg_arg_bool(&a, made);
    int err = pg_run(pg, NULL,
                     "INSERT INTO epcis_event_batches (tenant_id, event_id, batch, made) "
                     "SELECT $1, $2, unnest($3::uuid[]), $4",
                     &a);
    buf_free(&ids);
    return err;
}

int event_add(struct pg *pg, const struct ledger *l, const struct event_new *e,
              struct uuid *id)
{
    struct epcis_item items[PACKED_MAX], made[PACKED_MAX];
    struct uuid batches[PACKED_MAX], new_batches[PACKED_MAX];

    if (e->lot_count > PACKED_MAX || e->made_count > PACKED_MAX)
        return EMSGSIZE;
    for (size_t i = 0; i < e->lot_count; i++) {
        items[i] = lot_item(e->lots[i]);
        batches[i] = e->lots[i]->id;
    }
    for (size_t i = 0; i < e->made_count; i++) {
        made[i] = lot_item(&e->made[i]);
        new_batches[i] = e->made[i].id;
    }
    *id = uuid_v7(e->at_ms);
    const struct epcis_event event = {.kind = e->kind,
                                      .id = *id,
                                      .at_ms = e->at_ms,
                                      .items = items,
                                      .item_count = e->lot_count,
                                      .made = made,
                                      .made_count = e->made_count,
                                      .parent = text_or_null(e->parent),
                                      .place = text_or_null(e->place),
                                      .source = text_or_null(e->source),
                                      .destination = text_or_null(e->destination),
                                      .extension = e->extension};
    json_auto_t *json = epcis_event_json(&event);
    int err = insert(pg, l, e, id, json);
    if (!err)
        err = add_batches(pg, l, id, batches, e->lot_count, false);
    return err ? err : add_batches(pg, l, id, new_batches, e->made_count, true);
}

/* --- containers -------------------------------------------------------------------- */

int container_find(struct pg *pg, const char *label, struct container *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, label);
    int err =
        pg_run(pg, &res,
               "SELECT id, label, sscc, urn FROM containers WHERE label_key = lower($1) "
               "OR sscc = $1 LIMIT 1",
               &a);
    if (err || PQntuples(res) == 0)
        return err ? err : ENOENT;
    *out = (struct container){.id = pg_i64(res, 0, 0)};
    str_cut(out->label, sizeof(out->label), pg_text(res, 0, 1));
    str_cut(out->sscc, sizeof(out->sscc), pg_text(res, 0, 2));
    str_cut(out->urn, sizeof(out->urn), pg_text(res, 0, 3));
    return 0;
}

static bool has_digit(const char *s)
{
    return strpbrk(s, "0123456789") != NULL;
}

static bool is_sscc_like(const char *s)
{
    return strlen(s) == SSCC_MAX - 1 && strspn(s, "0123456789") == SSCC_MAX - 1;
}

static int number_container(struct pg *pg, const struct ledger *l, const char *label,
                            struct container *c)
{
    bool pallet = strncasecmp(label, "pal", 3) == 0 || strncasecmp(label, "plt", 3) == 0;
    int64_t number = 0;

    if (is_sscc_like(label)) {
        str_cut(c->sscc, sizeof(c->sscc), label);
    } else {
        int err = ledger_next(pg, LEDGER_CONTAINER, &number);
        if (!err)
            err = gs1_sscc(l->prefix, pallet ? SSCC_PALLET : SSCC_OTHER, number, c->sscc);
        if (err)
            return err;
    }
    str_cut(c->label, sizeof(c->label), has_digit(label) ? label : c->sscc);
    return gs1_sscc_urn(l->prefix, c->sscc, c->urn);
}

int container_take(struct pg *pg, const struct ledger *l, const char *label,
                   int64_t now_ms, struct container *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct container c = {0};
    struct pg_args a = {0};

    int err = has_digit(label) ? container_find(pg, label, out) : ENOENT;
    if (err != ENOENT)
        return err;
    err = number_container(pg, l, label, &c);
    if (err)
        return err;
    pg_arg_i64(&a, l->tenant_id);
    pg_arg_text(&a, c.label);
    pg_arg_text(&a, c.sscc);
    pg_arg_text(&a, c.urn);
    pg_arg_ms(&a, now_ms);
    err =
        pg_run(pg, &res,
               "INSERT INTO containers (tenant_id, label, sscc, urn, created_at) VALUES "
               "($1, $2, $3, $4, furrow_ts($5)) RETURNING id",
               &a);
    if (err)
        return err;
    c.id = pg_i64(res, 0, 0);
    *out = c;
    return 0;
}

int container_pack(struct pg *pg, const struct ledger *l, const struct container *c,
                   const struct lot *lot, const struct uuid *event_id)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, l->tenant_id);
    pg_arg_i64(&a, c->id);
    pg_arg_text(&a, c->sscc);
    pg_arg_uuid(&a, &lot->id);
    pg_arg_text(&a, lot->epc);
    if (lot->kg < 0)
        pg_arg_null(&a);
    else
        pg_arg_double(&a, lot->kg);
    pg_arg_uuid(&a, event_id);
    return pg_run(pg, NULL,
                  "INSERT INTO aggregations (tenant_id, container, parent_sscc, child, "
                  "child_identifier, contribution_kg, packed_event) VALUES ($1, $2, $3, "
                  "$4, $5, $6, $7)",
                  &a);
}

int container_lots(struct pg *pg, const struct ledger *l, const struct container *c,
                   struct lot *lots, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    int err = 0;

    pg_arg_i64(&a, c->id);
    err = pg_run(pg, &res,
                 "SELECT b.batch_id FROM aggregations g JOIN batches b ON b.id = g.child "
                 "WHERE g.container = $1 AND g.is_active ORDER BY g.id",
                 &a);
    if (err)
        return err;
    *n = (size_t)PQntuples(res);
    if (*n > PACKED_MAX)
        return EMSGSIZE;
    for (size_t i = 0; i < *n && !err; i++)
        err = lot_find(pg, l, pg_text(res, (int)i, 0), &lots[i]);
    return err;
}

int container_empty(struct pg *pg, const struct container *c, const struct uuid *event_id)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, c->id);
    pg_arg_uuid(&a, event_id);
    return pg_run(pg, NULL,
                  "UPDATE aggregations SET is_active = false, unpacked_event = $2 WHERE "
                  "container = $1 AND is_active",
                  &a);
}
