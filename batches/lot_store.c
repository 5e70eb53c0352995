#include "batches/lot_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "batches/token.h"

enum { NEWEST_WITHIN_H = 24, TOKEN_MS = 48 * 3600 * 1000 };

struct epcis_item lot_item(const struct lot *l)
{
    return (struct epcis_item){.epc = l->epc, .epc_class = l->epc_class, .kg = l->kg};
}

/* --- numbers ----------------------------------------------------------------------- */

struct numbers {
    int64_t number;
    char batch_number[48], gtin[GTIN_MAX], epc[EPC_URN_MAX], epc_class[EPC_URN_MAX];
};

static int is_taken(struct pg *pg, const char *batch_id, const char *batch_number,
                    bool *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, batch_id);
    pg_arg_text(&a, batch_number);
    int err = pg_run(pg, &res,
                     "SELECT 1 FROM batches WHERE batch_id = $1 OR batch_number = $2 "
                     "LIMIT 1",
                     &a);
    *out = !err && PQntuples(res) > 0;
    return err;
}

/* The serial is the batch's number; the lot of GS1 has at most 20 characters. */
static int name_item(struct pg *pg, const struct ledger *l, struct numbers *n)
{
    char serial[24];
    int64_t item = 0;

    int err = ledger_next(pg, LEDGER_ITEM, &item);
    if (!err)
        err = gs1_gtin(l->prefix, item, n->gtin);
    snprintf(serial, sizeof(serial), "%" PRId64, n->number);
    if (!err)
        err = gs1_sgtin_urn(l->prefix, n->gtin, serial, n->epc);
    return err ? err : gs1_lgtin_urn(l->prefix, n->gtin, serial, n->epc_class);
}

/* The second batch of one second has its number in its names. */
static int number_it(struct pg *pg, const struct ledger *l, struct batch *b,
                     int64_t said_ms, struct numbers *n)
{
    struct batch_context ctx = {.at_ms = said_ms, .source_kg = -1};
    time_t s = (time_t)(said_ms / 1000);
    struct tm tm = {0};
    bool taken = false;

    int err = ledger_next(pg, LEDGER_BATCH, &n->number);
    if (err)
        return err;
    gmtime_r(&s, &tm);
    strftime(n->batch_number, sizeof(n->batch_number), "BATCH-%Y%m%d-%H%M%S", &tm);
    batch_make_id(b, &ctx);
    err = is_taken(pg, b->batch_id, n->batch_number, &taken);
    if (err)
        return err;
    if (taken) {
        size_t used = strlen(n->batch_number);
        ctx.sequence = n->number;
        batch_make_id(b, &ctx);
        snprintf(n->batch_number + used, sizeof(n->batch_number) - used, "-%" PRId64,
                 n->number);
    }
    return name_item(pg, l, n);
}

/* --- finding ----------------------------------------------------------------------- */

#define LOT                                                                              \
    "SELECT b.id, b.batch_id, b.epc, b.epc_class, b.variety, b.grade, b.origin, "        \
    "b.farmer, coalesce(b.verified_quantity, b.quantity_kg), p.id, p.gln, p.urn, "       \
    "p.latitude IS NOT NULL, g.container, c.label, b.spent_at IS NOT NULL, b.phone, "    \
    "b.processing_method FROM batches b LEFT JOIN places p ON p.id = b.farm LEFT JOIN "  \
    "aggregations g ON g.child = b.id AND g.is_active LEFT JOIN containers c ON c.id = " \
    "g.container WHERE "

static int read_lot(const PGresult *res, struct lot *out)
{
    struct lot l = {.kg = pg_is_null(res, 0, 8) ? -1 : pg_double(res, 0, 8),
                    .farm = {.id = pg_i64(res, 0, 9), .located = pg_bool(res, 0, 12)},
                    .container_id = pg_i64(res, 0, 13),
                    .spent = pg_bool(res, 0, 15),
                    .phone = pg_i64(res, 0, 16)};
    const struct {
        char *to;
        size_t size;
        int column;
    } texts[] = {
        {l.batch_id, sizeof(l.batch_id), 1},   {l.epc, sizeof(l.epc), 2},
        {l.epc_class, sizeof(l.epc_class), 3}, {l.variety, sizeof(l.variety), 4},
        {l.grade, sizeof(l.grade), 5},         {l.origin, sizeof(l.origin), 6},
        {l.farmer, sizeof(l.farmer), 7},       {l.farm.gln, sizeof(l.farm.gln), 10},
        {l.farm.urn, sizeof(l.farm.urn), 11},  {l.container, sizeof(l.container), 14},
        {l.method, sizeof(l.method), 17}};

    if (pg_uuid(res, 0, 0, &l.id))
        return EPROTO;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        str_cut(texts[i].to, texts[i].size, pg_text(res, 0, texts[i].column));
    *out = l;
    return 0;
}

/* A batch from before the ledger gets its numbers when it is first spoken about. */
static int identify(struct pg *pg, const struct ledger *l, struct lot *lot)
{
    struct numbers n = {0};
    struct pg_args a = {0};

    if (*lot->epc)
        return 0;
    int err = ledger_next(pg, LEDGER_BATCH, &n.number);
    if (!err)
        err = name_item(pg, l, &n);
    if (err)
        return err;
    str_cut(lot->epc, sizeof(lot->epc), n.epc);
    str_cut(lot->epc_class, sizeof(lot->epc_class), n.epc_class);
    pg_arg_uuid(&a, &lot->id);
    pg_arg_i64(&a, n.number);
    pg_arg_text(&a, n.gtin);
    pg_arg_text(&a, n.epc);
    pg_arg_text(&a, n.epc_class);
    return pg_run(pg, NULL,
                  "UPDATE batches SET number = $2, gtin = $3, epc = $4, epc_class = $5 "
                  "WHERE id = $1",
                  &a);
}

static int take_one(struct pg *pg, const struct ledger *l, const char *sql,
                    const struct pg_args *a, struct lot *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    int err = pg_run(pg, &res, sql, a);

    if (err || PQntuples(res) == 0)
        return err ? err : ENOENT;
    err = read_lot(res, out);
    return err ? err : identify(pg, l, out);
}

int lot_find(struct pg *pg, const struct ledger *l, const char *named, struct lot *out)
{
    struct pg_args a = {0};
    size_t n = strlen(named);
    /* A GTIN is no number of a batch, and what does not fit one is none either. */
    bool small = n > 0 && n < 10 && strspn(named, "0123456789") == n;

    pg_arg_text(&a, named);
    pg_arg_i64(&a, small ? strtoll(named, NULL, 10) : -1);
    return take_one(pg, l,
                    LOT
                    "b.batch_id = upper($1) OR b.gtin = $1 OR b.batch_number = "
                    "upper($1) OR b.number = $2 ORDER BY b.batch_id = upper($1) DESC, "
                    "b.created_at DESC LIMIT 1",
                    &a, out);
}

int lot_newest(struct pg *pg, const struct ledger *l, int64_t phone, int64_t at_ms,
               struct lot *out)
{
    struct pg_args a = {0};

    if (!phone)
        return ENOENT;
    pg_arg_i64(&a, phone);
    pg_arg_ms(&a, at_ms);
    pg_arg_i64(&a, NEWEST_WITHIN_H);
    return take_one(pg, l,
                    LOT "b.phone = $1 AND b.spent_at IS NULL AND b.created_at <= "
                        "furrow_ts($2) AND b.created_at > furrow_ts($2) - $3::int * "
                        "interval '1 hour' ORDER BY b.created_at DESC, b.id DESC LIMIT 1",
                    &a, out);
}

/* --- adding ------------------------------------------------------------------------ */

static void text_or_null(struct pg_args *a, const char *text)
{
    pg_arg_text(a, text && text[0] ? text : NULL);
}

static void double_or_null(struct pg_args *a, double v)
{
    if (v < 0)
        pg_arg_null(a);
    else
        pg_arg_double(a, v);
}

static void id_or_null(struct pg_args *a, int64_t id)
{
    if (id)
        pg_arg_i64(a, id);
    else
        pg_arg_null(a);
}

static int insert(struct pg *pg, const struct ledger *l, const struct lot_new *n,
                  const struct numbers *names, const struct lot *lot)
{
    const struct batch *b = n->batch;
    struct pg_args a = {0};
    json_t *json = batch_details_json(b);
    CLEANUP(free_cleanup) char *details = json_dumps(json, JSON_COMPACT);

    json_decref(json);
    pg_arg_uuid(&a, &lot->id);
    pg_arg_i64(&a, l->tenant_id);
    pg_arg_uuid(&a, n->recording_id);
    pg_arg_uuid(&a, n->call_id);
    pg_arg_text(&a, b->batch_id);
    pg_arg_text(&a, intent_event(b->event));
    double_or_null(&a, b->quantity);
    text_or_null(&a, b->unit);
    double_or_null(&a, b->quantity_kg);
    text_or_null(&a, b->variety);
    text_or_null(&a, b->grade);
    text_or_null(&a, b->origin);
    text_or_null(&a, b->farmer);
    id_or_null(&a, n->phone);
    pg_arg_text(&a, details);
    pg_arg_ms(&a, n->said_ms);
    pg_arg_i64(&a, names->number);
    pg_arg_text(&a, names->batch_number);
    pg_arg_text(&a, names->gtin);
    pg_arg_text(&a, names->epc);
    pg_arg_text(&a, names->epc_class);
    text_or_null(&a, n->method);
    id_or_null(&a, n->farm ? n->farm->id : 0);
    id_or_null(&a, n->caller_id);
    pg_arg_text(&a, lot->token);
    pg_arg_ms(&a, lot->token_until_ms);
    return pg_run(
        pg, NULL,
        "INSERT INTO batches (id, tenant_id, recording_id, call_id, batch_id, event, "
        "quantity, unit, quantity_kg, variety, grade, origin, farmer, phone, details, "
        "created_at, number, batch_number, gtin, epc, epc_class, processing_method, "
        "farm, created_by, verification_token, verification_expires_at) VALUES ($1, $2, "
        "$3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, furrow_ts($16), $17, "
        "$18, $19, $20, $21, $22, $23, $24, $25, furrow_ts($26))",
        &a);
}

void lot_token_new(char token[LOT_TOKEN_MAX], int64_t at_ms, int64_t *until_ms)
{
    uint8_t random[TOKEN_RANDOM_BYTES];

    randombytes_buf(random, sizeof(random));
    token_make(random, token);
    *until_ms = at_ms + TOKEN_MS;
}

int lot_add(struct pg *pg, const struct ledger *l, const struct lot_new *n,
            struct lot *out)
{
    struct batch *b = n->batch;
    struct numbers names = {0};
    struct lot lot = {.id = uuid_v7(n->said_ms), .kg = b->quantity_kg, .phone = n->phone};

    if (n->farm)
        lot.farm = *n->farm;
    lot_token_new(lot.token, n->said_ms, &lot.token_until_ms);
    int err = number_it(pg, l, b, n->said_ms, &names);
    if (!err)
        err = insert(pg, l, n, &names, &lot);
    if (err)
        return err;
    str_cut(lot.batch_id, sizeof(lot.batch_id), b->batch_id);
    str_cut(lot.epc, sizeof(lot.epc), names.epc);
    str_cut(lot.epc_class, sizeof(lot.epc_class), names.epc_class);
    str_cut(lot.variety, sizeof(lot.variety), b->variety);
    str_cut(lot.grade, sizeof(lot.grade), b->grade);
    str_cut(lot.origin, sizeof(lot.origin), b->origin);
    str_cut(lot.farmer, sizeof(lot.farmer), b->farmer);
    str_cut(lot.method, sizeof(lot.method), n->method ? n->method : "");
    *out = lot;
    return 0;
}

int lot_add_parent(struct pg *pg, const struct ledger *l, const struct lot *child,
                   const struct lot *parent)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, l->tenant_id);
    pg_arg_uuid(&a, &child->id);
    pg_arg_uuid(&a, &parent->id);
    return pg_run(pg, NULL,
                  "INSERT INTO batch_parents (tenant_id, child, parent) VALUES ($1, $2, "
                  "$3)",
                  &a);
}

int lot_spend(struct pg *pg, const struct lot *l, int64_t at_ms)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, &l->id);
    pg_arg_ms(&a, at_ms);
    return pg_run(pg, NULL, "UPDATE batches SET spent_at = furrow_ts($2) WHERE id = $1",
                  &a);
}
