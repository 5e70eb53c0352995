#include "compliance/decision_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "compliance/pack_store.h"

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
 * world's. */
static json_t *inputs_of(const struct shared_policy *shared, const struct decision *d)
{
    json_t *inputs = d->facts ? compliance_inputs_to_json(NULL, d->facts) : json_object();

    if (d->facts) {
        json_t *packs = compliance_pack_hashes(d->policy, d->facts);
        json_object_set_new(inputs, "policy",
                            d->policy ? json_string(shared->hash) : json_null());
        if (packs)
            json_object_set_new(inputs, "packs", packs);
    }
    json_object_set_new(inputs, "clock",
                        json_string(clock_is_virtual() ? "virtual" : "real"));
    return inputs;
}

static void hash_inputs(const json_t *inputs, char out[SHA256_TEXT_MAX])
{
    CLEANUP(free_cleanup) char *text = json_dumps(inputs, JSON_COMPACT | JSON_SORT_KEYS);
    uint8_t hash[SHA256_BYTES];

    out[0] = '\0';
    if (!text)
        return;
    sha256_of(text, strlen(text), hash);
    sha256_text(hash, out);
}

/* One decision as a JSON object; the statement takes the list apart again, which keeps
 * it one statement with one parameter whatever the number of rows. */
static json_t *to_json(const struct shared_policy *shared, const struct decision *d)
{
    const struct uuid id = uuid_v7(d->at_ms);
    char id_text[UUID_TEXT_MAX], attempt[UUID_TEXT_MAX];
    json_t *reasons = json_array();

    for (size_t i = 0; i < d->verdict->n; i++)
        json_array_append_new(reasons, json_integer(d->verdict->reasons[i]));
    json_t *inputs = inputs_of(shared, d);
    if (d->inputs_hash)
        hash_inputs(inputs, d->inputs_hash);
    return json_pack(
        "{s:s, s:i, s:I, s:I, s:o, s:I, s:I, s:i, s:o, s:o, s:o}", "id",
        uuid_text(&id, id_text), "stage", (int)d->stage, "campaign_id",
        (json_int_t)d->campaign_id, "contact_id", (json_int_t)d->contact_id, "attempt_id",
        d->attempt ? json_string(uuid_text(d->attempt, attempt)) : json_null(), "phone",
        (json_int_t)d->phone, "at_ms", (json_int_t)d->at_ms, "reason",
        (int)d->verdict->reason, "reasons", reasons, "next_ms",
        d->verdict->next_allowed_ms ? json_integer(d->verdict->next_allowed_ms)
                                    : json_null(),
        "inputs", inputs);
}

int decision_write(struct pg *pg, int tenant_id, const struct decision *list, size_t n)
{
    CLEANUP(free_cleanup) char *text = NULL;
    struct shared_policy shared = {0};
    struct pg_args a = {0};
    json_t *rows = json_array();

    int err = 0;
    for (size_t i = 0; !err && i < n; i++) {
        err = share_policy(pg, tenant_id, &shared, list[i].policy);
        json_array_append_new(rows, to_json(&shared, &list[i]));
    }
    text = err ? NULL : json_dumps(rows, JSON_COMPACT);
    json_decref(rows);
    if (!text)
        return err ? err
                   : EPROTO; /* text that is not UTF-8: nothing may happen unwritten */
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, text);
    return pg_run(
        pg, NULL,
        "INSERT INTO decisions (id, tenant_id, stage, campaign_id, contact_id, "
        "attempt_id, phone, decided_at, reason, reasons, next_allowed_at, inputs) "
        "SELECT id, $1, stage, campaign_id, contact_id, attempt_id, phone, "
        "furrow_ts(at_ms), reason, ARRAY(SELECT "
        "jsonb_array_elements_text(reasons)::int), "
        "furrow_ts(next_ms), inputs FROM jsonb_to_recordset($2::jsonb) AS r(id uuid, "
        "stage smallint, campaign_id bigint, contact_id bigint, attempt_id uuid, phone "
        "bigint, at_ms bigint, reason int, reasons jsonb, next_ms bigint, inputs jsonb)",
        &a);
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
