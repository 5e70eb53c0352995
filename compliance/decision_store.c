#include "compliance/decision_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "compliance/pack_store.h"

enum { NUMBERS = 7, REASONS_TEXT = 8 * VERDICT_REASONS_MAX + 16 };

/* Decisions of one batch mostly share their policy: it is kept once, and named by its
 * hash. */
struct shared_policy {
    const struct policy *policy;
    char hash[SHA256_TEXT_MAX];
};

static int share_policy(struct pg *pg, int tenant_id, struct shared_policy *shared,
                        const struct policy *policy)
{
    if (!policy || policy == shared->policy)
        return 0;
    shared->policy = policy;
    return policy_keep(pg, tenant_id, policy, shared->hash);
}

/* With the clock it was decided by: an instant of a virtual one proves nothing about the
 * world's. The hash, when wanted, is that of the line. */
static int write_inputs(struct buf *out, const struct shared_policy *shared,
                        const struct decision *d)
{
    const char *clock = clock_is_virtual() ? "virtual" : "real";
    size_t from = out->len;
    uint8_t hash[SHA256_BYTES];
    int err = 0;

    if (d->facts)
        err = compliance_inputs_write(out, d->policy, d->policy ? shared->hash : NULL,
                                      d->facts, clock);
    else
        buf_printf(out, "{\"clock\":\"%s\"}", clock);
    if (!err && d->inputs_hash) {
        sha256_of(out->data + from, out->len - from, hash);
        sha256_text(hash, d->inputs_hash);
    }
    return err;
}

/* The columns of all rows, an array each: one statement whatever their number. */
struct columns {
    struct uuid *ids, *attempts;   /* attempts: all zero is none */
    int64_t *numbers;              /* NUMBERS columns, one after the other */
    char (*reasons)[REASONS_TEXT]; /* "{403,501}" */
    struct buf inputs;             /* a line each */
    struct buf text[NUMBERS + 3];
};

static void reasons_text(const struct verdict *v, char out[REASONS_TEXT])
{
    size_t at = 0;

    out[at++] = '{';
    for (size_t i = 0; i < v->n && at + 12 < REASONS_TEXT; i++)
        at += (size_t)snprintf(out + at, REASONS_TEXT - at, "%s%d", i ? "," : "",
                               (int)v->reasons[i]);
    snprintf(out + at, REASONS_TEXT - at, "}");
}

static int fill(struct columns *c, struct pg *pg, int tenant_id,
                const struct decision *list, size_t n)
{
    struct shared_policy shared = {0};
    int err = 0;

    for (size_t i = 0; !err && i < n; i++) {
        const struct decision *d = &list[i];
        const int64_t numbers[NUMBERS] = {d->stage,
                                          d->campaign_id,
                                          d->contact_id,
                                          d->phone,
                                          d->at_ms,
                                          (int64_t)d->verdict->reason,
                                          d->verdict->next_allowed_ms};
        for (size_t k = 0; k < NUMBERS; k++)
            c->numbers[k * n + i] = numbers[k];
        c->ids[i] = uuid_v7(d->at_ms);
        if (d->attempt)
            c->attempts[i] = *d->attempt;
        reasons_text(d->verdict, c->reasons[i]);
        err = share_policy(pg, tenant_id, &shared, d->policy);
        if (i > 0)
            buf_add(&c->inputs, "\n", 1);
        if (!err)
            err = write_inputs(&c->inputs, &shared, d);
    }
    return err;
}

static int insert(struct columns *c, struct pg *pg, int tenant_id, size_t n)
{
    CLEANUP(free_cleanup)
    const char **reasons = xcalloc(n + 1, sizeof(*reasons));
    struct pg_args a = {0};

    for (size_t i = 0; i < n; i++)
        reasons[i] = c->reasons[i];
    pg_array_uuid(&c->text[0], c->ids, n);
    pg_array_uuid(&c->text[1], c->attempts, n);
    pg_array_text(&c->text[2], reasons, n);
    for (size_t k = 0; k < NUMBERS; k++)
        pg_array_i64(&c->text[3 + k], c->numbers + k * n, n);
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, c->inputs.data);
    for (size_t k = 0; k < ARRAY_LEN(c->text); k++)
        pg_arg_text(&a, c->text[k].data);
    return pg_run(
        pg, NULL,
        "INSERT INTO decisions (id, tenant_id, stage, campaign_id, contact_id, "
        "attempt_id, phone, decided_at, reason, reasons, next_allowed_at, inputs) SELECT "
        "id, $1, stage, campaign_id, contact_id, nullif(attempt_id, "
        "'00000000-0000-0000-0000-000000000000'), phone, furrow_ts(at_ms), reason, "
        "reasons::int[], furrow_ts(nullif(next_ms, 0)), inputs::json FROM "
        "unnest(string_to_array($2, E'\\n'), $3::uuid[], $4::uuid[], $5::text[], "
        "$6::smallint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], "
        "$11::int[], $12::bigint[]) r(inputs, id, attempt_id, reasons, stage, "
        "campaign_id, contact_id, phone, at_ms, reason, next_ms)",
        &a);
}

int decision_write(struct pg *pg, int tenant_id, const struct decision *list, size_t n)
{
    struct columns c = {.ids = xcalloc(n + 1, sizeof(*c.ids)),
                        .attempts = xcalloc(n + 1, sizeof(*c.attempts)),
                        .numbers = xcalloc(NUMBERS * n + 1, sizeof(*c.numbers)),
                        .reasons = xcalloc(n + 1, sizeof(*c.reasons))};

    int err = fill(&c, pg, tenant_id, list, n);
    if (!err && n > 0)
        err = insert(&c, pg, tenant_id, n);
    buf_free(&c.inputs);
    for (size_t k = 0; k < ARRAY_LEN(c.text); k++)
        buf_free(&c.text[k]);
    free(c.ids);
    free(c.attempts);
    free(c.numbers);
    free(c.reasons);
    return err;
}

static void read_reasons(struct decision_row *row, const char *text)
{
    json_t *list = json_loads(text, 0, NULL);
    size_t n = json_array_size(list);

    for (size_t i = 0; i < n && row->n < VERDICT_REASONS_MAX; i++)
        row->reasons[row->n++] = (enum reason)json_integer_value(json_array_get(list, i));
    json_decref(list);
}

static int read_row(const PGresult *res, int i, struct decision_row *row)
{
    int err = pg_uuid(res, i, 0, &row->id);

    row->has_attempt = !pg_is_null(res, i, 1);
    if (!err && row->has_attempt)
        err = pg_uuid(res, i, 1, &row->attempt);
    row->stage = (int)pg_i64(res, i, 2);
    row->campaign_id = pg_i64(res, i, 3);
    row->contact_id = pg_i64(res, i, 4);
    row->phone = pg_i64(res, i, 5);
    row->at_ms = pg_i64(res, i, 6);
    row->reason = (enum reason)pg_i64(res, i, 7);
    read_reasons(row, pg_text(res, i, 8));
    row->next_allowed_ms = pg_i64(res, i, 9);
    row->inputs = json_loads(pg_text(res, i, 10), 0, NULL);
    return err;
}

int decision_list(struct pg *pg, int tenant_id, int64_t phone, int64_t campaign_id,
                  size_t max, decision_fn *each, void *arg)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    pg_arg_i64(&a, phone);
    pg_arg_i64(&a, campaign_id);
    pg_arg_i64(&a, (int64_t)max);
    err =
        pg_run(pg, &res,
               "SELECT id, attempt_id, stage, campaign_id, contact_id, phone, "
               "furrow_ms(decided_at), reason, to_json(reasons), "
               "furrow_ms(next_allowed_at), inputs FROM decisions WHERE phone = $1 AND "
               "($2 = 0 OR campaign_id = $2) ORDER BY decided_at DESC, id DESC LIMIT $3",
               &a);
    err = pg_end_own(pg, own, err);
    for (int i = 0; !err && i < PQntuples(res); i++) {
        struct decision_row row = {0};
        err = read_row(res, i, &row);
        if (!err)
            err = each(&row, arg);
        json_decref(row.inputs);
    }
    return err;
}
