#include "batches/news_store.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/pg.h"
#include "base/str.h"
#include "campaigns/job_store.h"

static const char *const names[NEWS_KINDS] = {[NEWS_APPROVED] = "approved",
                                              [NEWS_VERIFIED] = "verified",
                                              [NEWS_RECORDED] = "recorded"};

const char *news_kind_name(enum news_kind kind)
{
    return names[kind];
}

bool news_kind_parse(const char *name, enum news_kind *out)
{
    for (int k = 0; k < NEWS_KINDS; k++) {
        if (!str_is(name, names[k]))
            continue;
        *out = k;
        return true;
    }
    return false;
}

int news_enqueue(struct pg *pg, int tenant_id, enum news_kind kind, const char *id,
                 int64_t now_ms)
{
    char key[128];

    /* Who was shut out and let in again is told again. */
    snprintf(key, sizeof(key), "%s-%s-%" PRId64, names[kind], id, now_ms);
    json_auto_t *payload =
        json_pack("{s:i, s:s, s:s}", "v", 1, "what", names[kind], "id", id);
    return job_enqueue(pg, tenant_id, "news", key, payload, now_ms, 0);
}

/* Caller, phone, language, batch_id, kg; of NEWS_RECORDED more. */
static const char *const looks[NEWS_KINDS] = {
    [NEWS_APPROVED] = "SELECT id, phone, language FROM callers WHERE id = $1::bigint AND "
                      "state = 'approved'",
    [NEWS_VERIFIED] =
        "SELECT c.id, b.phone, coalesce(c.language, ''), b.batch_id, b.verified_quantity "
        "FROM batches b LEFT JOIN callers c ON c.phone = b.phone WHERE b.id = $1::uuid "
        "AND b.phone IS NOT NULL AND b.verified_at IS NOT NULL AND b.verified_by IS "
        "DISTINCT FROM b.created_by",
    [NEWS_RECORDED] =
        "SELECT m.id, m.phone, m.language, b.batch_id, b.quantity_kg, b.quantity, "
        "b.unit, b.variety, b.grade, o.name, b.verification_token FROM batches b JOIN "
        "callers o ON o.id = b.created_by JOIN callers m ON m.state = 'approved' AND "
        "m.role = 'COOPERATIVE_MANAGER' AND lower(m.organization) = "
        "lower(o.organization) AND m.id <> o.id WHERE b.id = $1::uuid AND o.state = "
        "'approved' AND o.organization <> '' AND b.verified_at IS NULL ORDER BY m.id "
        "LIMIT 10",
};

static double number(const PGresult *res, int column)
{
    return pg_is_null(res, 0, column) ? -1 : pg_double(res, 0, column);
}

static void read_batch(const PGresult *res, enum news_kind kind, struct news *out)
{
    struct batch *b = &out->batch;

    *b = (struct batch){.event = INTENT_COMMISSION, .quantity = -1};
    str_cut(b->batch_id, sizeof(b->batch_id), pg_text(res, 0, 3));
    b->quantity_kg = number(res, 4);
    if (kind != NEWS_RECORDED)
        return;
    b->quantity = number(res, 5);
    str_cut(b->unit, sizeof(b->unit), pg_text(res, 0, 6));
    str_cut(b->variety, sizeof(b->variety), pg_text(res, 0, 7));
    str_cut(b->grade, sizeof(b->grade), pg_text(res, 0, 8));
    str_cut(out->member, sizeof(out->member), pg_text(res, 0, 9));
    str_cut(out->token, sizeof(out->token), pg_text(res, 0, 10));
}

int news_load(struct pg *pg, enum news_kind kind, const char *id, struct news *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    *out = (struct news){0};
    pg_arg_text(&a, id);
    int err = pg_run(pg, &res, looks[kind], &a);
    if (err)
        return err;
    for (int i = 0; i < PQntuples(res) && i < NEWS_TO_MAX; i++) {
        struct news_to *to = &out->to[out->n++];
        to->caller_id = pg_i64(res, i, 0);
        to->phone = pg_i64(res, i, 1);
        str_cut(to->language, sizeof(to->language), pg_text(res, i, 2));
    }
    if (out->n > 0 && kind != NEWS_APPROVED)
        read_batch(res, kind, out);
    return 0;
}
