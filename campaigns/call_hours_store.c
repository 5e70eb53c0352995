#include "campaigns/call_hours_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/campaign_store.h"
#include "campaigns/zone_open.h"
#include "compliance/facts_store.h"
#include "compliance/policy.h"
#include "contacts/phone.h"
#include "contacts/zones.h"

enum { SPANS_MAX = 256 };
static const int64_t day_ms = INT64_C(86400000);

struct place {
    char region[PHONE_REGION_MAX];
    struct buf zones; /* comma-separated */
};

static int place_of_contact(struct pg *pg, int64_t contact_id, struct place *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, contact_id);
    int err = pg_run(pg, &res,
                     "SELECT z.region, array_to_string(z.zones, ',') FROM contacts k "
                     "JOIN zone_groups z ON z.id = k.zone_group WHERE k.id = $1",
                     &a);
    if (err || PQntuples(res) == 0)
        return err;
    str_cut(out->region, sizeof(out->region), pg_text(res, 0, 0));
    buf_puts(&out->zones, pg_text(res, 0, 1));
    return 0;
}

static void place_of_number(int64_t phone, struct place *out)
{
    struct phone parsed = {0};

    (void)phone_from_e164(phone, &parsed);
    const struct zone_set *zones = zones_of(phone, parsed.type);
    str_cut(out->region, sizeof(out->region), parsed.region);
    for (size_t i = 0; i < zones->n; i++)
        buf_printf(&out->zones, "%s%s", i ? "," : "", zones->names[i]);
}

static size_t find_spans(const struct policy *policy, const struct place *place,
                         const struct compliance_holiday *holidays, size_t holiday_count,
                         int64_t from_ms, int64_t end_ms, struct ivr_span *out)
{
    const char *zones = place->zones.data ? place->zones.data : "";
    size_t n = 0;

    for (int64_t at_ms = from_ms; at_ms < end_ms && n < SPANS_MAX;) {
        int64_t until_ms = 0;
        bool open = zone_list_is_open(policy, place->region, zones, holidays,
                                      holiday_count, at_ms, &until_ms);
        if (until_ms <= at_ms)
            until_ms = end_ms;
        if (open)
            out[n++] = (struct ivr_span){at_ms, until_ms};
        at_ms = until_ms;
    }
    return n;
}

struct question {
    int tenant_id;
    int64_t campaign_id, contact_id, phone, from_ms;
    bool after_gap;
};

static int find(struct pg *pg, const struct question *q, struct call_hours *out)
{
    CLEANUP(free_cleanup) struct compliance_holiday *holidays = NULL;
    const struct campaign_doc *doc = NULL;
    struct place place = {0};
    size_t holiday_count = 0;

    int err = campaign_doc_get(pg, q->tenant_id, q->campaign_id, &doc);
    if (!err)
        err = facts_holidays(pg, q->tenant_id, q->from_ms, &holidays, &holiday_count);
    if (!err && q->contact_id > 0)
        err = place_of_contact(pg, q->contact_id, &place);
    if (!err && place.region[0] == '\0')
        place_of_number(q->phone, &place);
    if (!err) {
        const char *zones = place.zones.data ? place.zones.data : "";

        out->min_gap_ms = doc->policy->min_gap_s * 1000;
        str_cut(out->zone, sizeof(out->zone), zones);
        out->zone[strcspn(out->zone, ",")] = '\0';
        out->n = find_spans(doc->policy, &place, holidays, holiday_count,
                            q->from_ms + (q->after_gap ? out->min_gap_ms : 0),
                            q->from_ms + CALL_HOURS_DAYS * day_ms, out->open);
    }
    buf_free(&place.zones);
    return err;
}

static int find_all(struct pg *pg, const struct question *q, struct call_hours *out)
{
    struct call_hours h = {.open = xcalloc(SPANS_MAX, sizeof(*h.open))};
    bool own = false;

    int err = pg_begin_own(pg, q->tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own, find(pg, q, &h));
    if (err)
        call_hours_free(&h);
    else
        *out = h;
    return err;
}

int call_hours_find(struct pg *pg, int tenant_id, int64_t campaign_id, int64_t contact_id,
                    int64_t phone, int64_t from_ms, struct call_hours *out)
{
    const struct question q = {.tenant_id = tenant_id,
                               .campaign_id = campaign_id,
                               .contact_id = contact_id,
                               .phone = phone,
                               .from_ms = from_ms};

    return find_all(pg, &q, out);
}

void call_hours_free(struct call_hours *h)
{
    free(h->open);
    *h = (struct call_hours){0};
}

int call_hours_load(struct pg *pg, int tenant_id, int64_t campaign_id, int64_t contact_id,
                    int64_t phone, int64_t now_ms, struct ivr_span **out, size_t *n)
{
    const struct question q = {.tenant_id = tenant_id,
                               .campaign_id = campaign_id,
                               .contact_id = contact_id,
                               .phone = phone,
                               .from_ms = now_ms,
                               .after_gap = true};
    struct call_hours h = {0};

    int err = find_all(pg, &q, &h);
    if (err)
        return err;
    *out = h.open;
    *n = h.n;
    return 0;
}
