/*
 * Two tables: single figures, and figures by name. Each row is one statement over
 * the same snapshot, with the campaign as $1 and the instant as $2 where it asks.
 */
#include "campaigns/report_store.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "compliance/reason.h"

/* What the figures are taken from. */
#define CALLED                                                                           \
    "called AS (SELECT * FROM attempts WHERE campaign_id = $1 AND state NOT IN "         \
    "('intent', 'withdrawn'))"
#define HEARD                                                                            \
    "heard AS (SELECT r.* FROM recordings r JOIN calls c ON c.id = r.call_id WHERE "     \
    "c.campaign_id = $1)"
#define SENT                                                                             \
    "sent AS (SELECT m.* FROM messages m WHERE m.call_id IN (SELECT id FROM calls "      \
    "WHERE campaign_id = $1) OR m.recording_id IN (SELECT id FROM heard))"

struct group_query {
    size_t offset;
    bool reasons; /* the name is a code of compliance/reason.h */
    const char *sql;
};

#define GROUP(member) .offset = offsetof(struct report, member)
#define MOST_FIRST    " GROUP BY 1 ORDER BY 2 DESC, 1"

static const struct group_query groups[] = {
    {GROUP(finals),
     .sql = "SELECT coalesce(final, 'final'), count(*) FROM campaign_contacts WHERE "
            "campaign_id = $1 AND state = 'final'" MOST_FIRST},
    {GROUP(refusals), .reasons = true,
     .sql = "SELECT first_refusal, count(*) FROM campaign_contacts WHERE campaign_id = "
            "$1 AND first_refusal IS NOT NULL" MOST_FIRST},
    {GROUP(waiting), .reasons = true,
     .sql = "SELECT last_refusal, count(*) FROM campaign_contacts WHERE campaign_id = $1 "
            "AND state = 'pending' AND last_refusal IS NOT NULL" MOST_FIRST},
    {GROUP(dispositions),
     .sql = "WITH " CALLED " SELECT coalesce(disposition, state), count(*) FROM called "
            "WHERE state IN ('ended', 'unknown')" MOST_FIRST},
    {GROUP(outcomes),
     .sql = "SELECT CASE WHEN ended_at IS NULL THEN 'live' WHEN outcome = '' THEN "
            "'unknown' ELSE outcome END, count(*) FROM calls WHERE campaign_id = "
            "$1" MOST_FIRST},
    {GROUP(recording_states),
     .sql = "WITH " HEARD " SELECT state, count(*) FROM heard" MOST_FIRST},
    {GROUP(intents),
     .sql = "WITH " HEARD " SELECT coalesce(t.intent, 'not yet'), count(*) FROM "
            "transcripts t JOIN heard h ON h.id = t.recording_id" MOST_FIRST},
    {GROUP(jobs),
     .sql = "WITH " HEARD ", " SENT " SELECT j.kind || ' ' || j.state, count(*) FROM "
            "jobs j WHERE j.unique_key IN (SELECT id::text FROM heard UNION ALL SELECT "
            "id::text FROM sent)" MOST_FIRST},
};

struct figure_query {
    const char *sql; /* one row */
    size_t n;
    size_t offsets[9]; /* int64_t each, in the order of the columns */
};

#define AT(member) offsetof(struct report, member)

static const struct figure_query figures[] = {
    {"SELECT count(*), count(*) FILTER (WHERE state = 'pending'), count(*) FILTER (WHERE "
     "state = 'calling'), count(*) FILTER (WHERE state = 'final'), count(first_refusal) "
     "FROM campaign_contacts WHERE campaign_id = $1",
     5,
     {AT(contacts), AT(pending), AT(calling), AT(final), AT(refused)}},
    {"WITH " CALLED " SELECT count(*), count(DISTINCT contact_id), count(*) FILTER "
     "(WHERE state NOT IN ('ended', 'unknown')), count(*) FILTER (WHERE number > 1), "
     "count(*) FILTER (WHERE state IN ('ringing', 'answered')), count(*) FILTER (WHERE "
     "released_at > furrow_ts($2) - interval '1 minute' AND released_at <= "
     "furrow_ts($2)), furrow_ms(min(released_at)), furrow_ms(max(released_at)) FROM "
     "called",
     8,
     {AT(attempted), AT(attempted_contacts), AT(open), AT(retried), AT(live_calls),
      AT(started_last_min), AT(first_attempt_ms), AT(last_attempt_ms)}},
    {"WITH " CALLED " SELECT count(*) FILTER (WHERE disposition = 'completed'), count(*) "
     "FILTER (WHERE disposition = 'machine'), count(*) FILTER (WHERE disposition = "
     "'message'), count(*) FILTER (WHERE disposition = 'busy'), count(*) FILTER (WHERE "
     "disposition = 'no_answer'), count(*) FILTER (WHERE coalesce(disposition, '') NOT "
     "IN ('completed', 'machine', 'message', 'busy', 'no_answer')) FROM called WHERE "
     "state IN ('ended', 'unknown')",
     6,
     {AT(answered), AT(machine), AT(message), AT(busy), AT(no_answer), AT(failed)}},
    {"SELECT (SELECT count(*) FROM attempts WHERE campaign_id = $1 AND state = "
     "'withdrawn'), (SELECT count(*) FROM dnc_entries d JOIN calls c ON c.id = d.call_id "
     "WHERE c.campaign_id = $1), (SELECT count(*) FROM commands m JOIN calls c ON c.id = "
     "m.call_id WHERE m.state = 'done' AND c.campaign_id = $1)",
     3,
     {AT(withdrawn), AT(opt_outs), AT(batches)}},
    {"WITH " HEARD " SELECT (SELECT count(*) FROM heard), count(*) FILTER (WHERE "
     "t.source = 'asr'), count(*) FILTER (WHERE t.intent <> 'none') FROM transcripts t "
     "JOIN heard h ON h.id = t.recording_id",
     3,
     {AT(recordings), AT(transcribed), AT(understood)}},
    {"WITH " HEARD ", " SENT " SELECT count(*), count(*) FILTER (WHERE state IN "
     "('sent', 'delivered')), count(*) FILTER (WHERE state IN ('failed', 'refused', "
     "'undelivered')) FROM sent",
     3,
     {AT(sms), AT(sms_sent), AT(sms_failed)}},
};

static int run(struct pg *pg, PGresult **res, const char *sql, int64_t campaign_id,
               int64_t now_ms)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    if (strstr(sql, "$2"))
        pg_arg_ms(&a, now_ms);
    return pg_run(pg, res, sql, &a);
}

static int load_figures(struct pg *pg, const struct figure_query *q, int64_t campaign_id,
                        int64_t now_ms, struct report *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = run(pg, &res, q->sql, campaign_id, now_ms);
    for (size_t i = 0; !err && i < q->n; i++) {
        int64_t v = pg_i64(res, 0, (int)i);

        memcpy((char *)out + q->offsets[i], &v, sizeof(v));
    }
    return err;
}

static int load_group(struct pg *pg, const struct group_query *q, int64_t campaign_id,
                      struct report *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct report_group *g = (struct report_group *)(void *)((char *)out + q->offset);

    int err = run(pg, &res, q->sql, campaign_id, 0);
    if (err)
        return err;
    for (int i = 0; i < PQntuples(res); i++) {
        /* The last row takes what does not fit, so that sums hold. */
        bool rest = g->n == REPORT_ROWS_MAX - 1 && i < PQntuples(res) - 1;
        bool more = g->n < REPORT_ROWS_MAX;
        struct report_count *row = &g->rows[more ? g->n : REPORT_ROWS_MAX - 1];

        if (more) {
            const char *name = q->reasons ? reason_name((enum reason)pg_i64(res, i, 0))
                                          : pg_text(res, i, 0);
            str_cut(row->name, sizeof(row->name), rest ? "others" : name);
            g->n++;
        }
        row->count += pg_i64(res, i, 1);
    }
    return 0;
}

/* One snapshot for all statements; it must be chosen before the first of them,
 * which pg_begin's tenant would be. */
static int begin_snapshot(struct pg *pg, int tenant_id)
{
    struct pg_args a = {0};

    int err = pg_begin(pg, 0);
    if (err)
        return err;
    pg_arg_i64(&a, tenant_id);
    err = pg_run(pg, NULL, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
                 NULL);
    if (!err)
        err = pg_run(pg, NULL, "SELECT set_config('furrow.tenant', $1, true)", &a);
    if (err)
        pg_rollback(pg);
    return err;
}

int report_load(struct pg *pg, int tenant_id, int64_t campaign_id, int64_t now_ms,
                struct report *out)
{
    struct report r = {0};

    int err = begin_snapshot(pg, tenant_id);
    if (err)
        return err;
    for (size_t i = 0; !err && i < ARRAY_LEN(figures); i++)
        err = load_figures(pg, &figures[i], campaign_id, now_ms, &r);
    for (size_t i = 0; !err && i < ARRAY_LEN(groups); i++)
        err = load_group(pg, &groups[i], campaign_id, &r);
    err = pg_end(pg, err);
    if (!err)
        *out = r;
    return err;
}
