#include "campaigns/attempt_store_refuse.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/attempt_store_person.h"

static const int64_t minute_ms = INT64_C(60) * 1000;
static const int64_t hour_ms = INT64_C(60) * 60 * 1000;

int attempt_clock_is_trusted(struct pg *pg, int64_t now_ms, bool *trusted)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    *trusted = clock_is_virtual();
    if (*trusted)
        return 0;
    int err = pg_run(pg, &res, "SELECT furrow_ms(clock_timestamp())", NULL);
    if (err)
        return err;
    int64_t declared_ms = clock_now_ms() - clock_real_ms();
    int64_t skew_ms = now_ms - declared_ms - pg_i64(res, 0, 0);
    *trusted = skew_ms <= ATTEMPT_CLOCK_SKEW_MS && skew_ms >= -ATTEMPT_CLOCK_SKEW_MS;
    return 0;
}

static bool is_about_contact(enum reason r)
{
    return r != REASON_CAMPAIGN_STOPPED && r != REASON_CLOCK_UNTRUSTED;
}

static bool all_of_time(const struct verdict *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (reason_class(v->reasons[i]) != REASON_TIME)
            return false;
    return true;
}

int64_t attempt_refusal_next_ms(const struct verdict *v, int64_t now_ms)
{
    if (!is_about_contact(v->reason))
        return now_ms;
    switch (reason_class(v->reason)) {
    case REASON_PERM:
        return 0;
    case REASON_TIME:
        if (v->next_allowed_ms > now_ms)
            return v->next_allowed_ms;
        /* Either nothing within sixty days, or something besides time stands in the
         * way as well. */
        return now_ms + (all_of_time(v) ? 24 * hour_ms : hour_ms);
    case REASON_CAP:
        return now_ms + minute_ms;
    case REASON_DATA:
    case REASON_CLASS_NONE:
        break;
    }
    return now_ms + 4 * hour_ms;
}

int attempt_refuse(struct pg *pg, const struct attempt_refusal *list, size_t n,
                   int64_t now_ms)
{
    CLEANUP(free_cleanup) int64_t *values = NULL;
    CLEANUP(free_cleanup) const char **finals = NULL;
    CLEANUP(buf_free) struct buf campaigns = {0};
    CLEANUP(buf_free) struct buf contacts = {0};
    CLEANUP(buf_free) struct buf reasons = {0};
    CLEANUP(buf_free) struct buf nexts = {0};
    CLEANUP(buf_free) struct buf final = {0};
    struct pg_args a = {0};

    if (n == 0)
        return 0;
    values = xcalloc(4 * n, sizeof(*values));
    finals = xcalloc(n, sizeof(*finals));
    for (size_t i = 0; i < n; i++) {
        const struct verdict *v = list[i].verdict;
        int64_t next_ms = attempt_refusal_next_ms(v, now_ms);

        values[i] = list[i].campaign_id;
        values[n + i] = list[i].contact_id;
        values[2 * n + i] = is_about_contact(v->reason) ? v->reason : 0;
        values[3 * n + i] = next_ms > 0 ? next_ms : now_ms;
        finals[i] = next_ms > 0 ? "" : reason_name(v->reason);
    }
    size_t over = 0;
    CLEANUP(free_cleanup) int64_t *lost = xcalloc(2 * n, sizeof(*lost));
    for (size_t i = 0; i < n; i++)
        if (finals[i][0]) {
            lost[over] = values[i];
            lost[n + over++] = values[n + i];
        }
    pg_array_i64(&campaigns, values, n);
    pg_array_i64(&contacts, values + n, n);
    pg_array_i64(&reasons, values + 2 * n, n);
    pg_array_i64(&nexts, values + 3 * n, n);
    pg_array_text(&final, finals, n);
    pg_arg_text(&a, campaigns.data);
    pg_arg_text(&a, contacts.data);
    pg_arg_text(&a, reasons.data);
    pg_arg_text(&a, nexts.data);
    pg_arg_text(&a, final.data);
    pg_arg_ms(&a, now_ms);
    int err = pg_run(
        pg, NULL,
        "UPDATE campaign_contacts c SET state = CASE WHEN v.final = '' THEN 'pending' "
        "ELSE 'final' END, next_attempt_at = furrow_ts(v.next), first_refusal = "
        "coalesce(c.first_refusal, nullif(v.reason, 0)), last_refusal = "
        "coalesce(nullif(v.reason, 0), c.last_refusal), final = nullif(v.final, ''), "
        "final_at = CASE WHEN v.final <> '' THEN furrow_ts($6) END FROM "
        "unnest($1::bigint[], $2::bigint[], $3::int[], $4::bigint[], $5::text[]) "
        "v(campaign_id, contact_id, reason, next, final) WHERE c.campaign_id = "
        "v.campaign_id AND c.contact_id = v.contact_id AND c.state <> 'final'",
        &a);
    return err ? err : attempt_next_numbers(pg, lost, lost + n, over, now_ms);
}
