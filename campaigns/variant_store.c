#include "campaigns/variant_store.h"

#include <stdlib.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/attempt_store.h"
#include "campaigns/campaign.h"
#include "campaigns/quarantine_store.h"

int variant_pin(struct pg *pg, int tenant_id, int64_t campaign_id,
                const struct campaign_doc *doc, const int64_t *revisions)
{
    int err = 0;

    for (size_t i = 0; !err && i < doc->variants.n; i++) {
        struct pg_args a = {0};

        pg_arg_i64(&a, tenant_id);
        pg_arg_i64(&a, campaign_id);
        pg_arg_i64(&a, (int64_t)i);
        pg_arg_text(&a, doc->variants.at[i].name);
        pg_arg_i64(&a, revisions[i]);
        err = pg_run(pg, NULL,
                     "INSERT INTO campaign_variants (tenant_id, campaign_id, position, "
                     "name, flow_revision_id) VALUES ($1, $2, $3, $4, $5)",
                     &a);
    }
    return err;
}

static int read_revisions(struct pg *pg, int64_t campaign_id, int64_t out[VARIANTS_MAX],
                          size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    int err = pg_run(pg, &res,
                     "SELECT flow_revision_id FROM campaign_variants WHERE campaign_id = "
                     "$1 ORDER BY position LIMIT 8",
                     &a);
    *n = 0;
    for (int i = 0; !err && i < PQntuples(res); i++)
        out[(*n)++] = pg_i64(res, i, 0);
    return err;
}
_Static_assert(VARIANTS_MAX == 8, "stands in the statement above");

int variant_revisions(struct pg *pg, int tenant_id, int64_t campaign_id,
                      int64_t out[VARIANTS_MAX], size_t *n)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err : pg_end_own(pg, own, read_revisions(pg, campaign_id, out, n));
}

/* ---- giving ---- */

static int read_persons(struct pg *pg, const struct attempt_row *rows, size_t n,
                        PGresult **res)
{
    CLEANUP(free_cleanup) int64_t *ids = xcalloc(n + 1, sizeof(*ids));
    CLEANUP(buf_free) struct buf array = {0};
    struct pg_args a = {0};

    for (size_t i = 0; i < n; i++)
        ids[i] = rows[i].contact_id;
    pg_array_i64(&array, ids, n);
    pg_arg_text(&a, array.data);
    return pg_run(pg, res,
                  "SELECT id, person FROM contacts WHERE id = ANY($1::bigint[]) AND "
                  "person IS NOT NULL",
                  &a);
}

/* Who has no name is told by the number. */
static const char *person_of(const PGresult *persons, const struct attempt_row *row,
                             char text[PHONE_TEXT_MAX])
{
    for (int i = 0; i < PQntuples(persons); i++)
        if (pg_i64(persons, i, 0) == row->contact_id)
            return pg_text(persons, i, 1);
    return phone_text(row->phone, text);
}

int variant_assign(struct pg *pg, const struct campaign_doc *doc,
                   struct attempt_row *rows, size_t n)
{
    CLEANUP(pg_result_free) PGresult *persons = NULL;
    int64_t revisions[VARIANTS_MAX] = {0};
    size_t pinned = 0;
    unsigned held = 0;

    if (doc->variants.n == 0 || n == 0)
        return 0;
    int err = read_revisions(pg, rows[0].campaign_id, revisions, &pinned);
    if (!err)
        err = quarantine_variants(pg, rows[0].campaign_id, doc, &held);
    if (!err)
        err = read_persons(pg, rows, n, &persons);
    for (size_t i = 0; !err && i < n; i++) {
        char text[PHONE_TEXT_MAX];
        size_t at = cohort_of(&doc->variants, rows[i].campaign_id,
                              person_of(persons, &rows[i], text), held);

        str_cut(rows[i].variant, sizeof(rows[i].variant), doc->variants.at[at].name);
        rows[i].flow_revision_id = at < pinned ? revisions[at] : 0;
    }
    return err;
}

/* ---- the report ---- */

/* What was left on a machine, or not, says nothing of the variant. */
#define HEARD                                                                            \
    "a.answered_at IS NOT NULL AND coalesce(a.disposition, '') NOT IN ('machine', "      \
    "'message')"

int variant_report(struct pg *pg, int tenant_id, int64_t campaign_id,
                   struct variant_result out[VARIANTS_MAX], size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    int err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_end(
            pg,
            pg_run(pg, &res,
                   "SELECT v.name, count(DISTINCT a.contact_id), count(a.id), count(*) "
                   "FILTER (WHERE " HEARD "), count(*) FILTER (WHERE " HEARD " AND "
                   "a.ended_at < a.answered_at + interval '6 seconds'), count(*) FILTER "
                   "(WHERE " HEARD
                   " AND c.outcome = 'completed'), count(*) FILTER (WHERE "
                   "c.outcome = 'opted_out') FROM campaign_variants v LEFT JOIN attempts "
                   "a ON "
                   "a.campaign_id = v.campaign_id AND a.variant = v.name AND a.state NOT "
                   "IN ('intent', 'withdrawn') LEFT JOIN calls c ON c.id = a.id WHERE "
                   "v.campaign_id = $1 GROUP BY v.position, v.name ORDER BY v.position "
                   "LIMIT 8",
                   &a));
    *n = 0;
    for (int i = 0; !err && i < PQntuples(res); i++) {
        struct variant_result *r = &out[(*n)++];

        *r = (struct variant_result){.contacts = pg_i64(res, i, 1),
                                     .calls = pg_i64(res, i, 2),
                                     .answered = pg_i64(res, i, 3),
                                     .shorts = pg_i64(res, i, 4),
                                     .completed = pg_i64(res, i, 5),
                                     .opt_outs = pg_i64(res, i, 6)};
        str_cut(r->name, sizeof(r->name), pg_text(res, i, 0));
    }
    return err;
}
