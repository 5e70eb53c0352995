#include "campaigns/forecast_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/attempt_store_person.h"
#include "campaigns/budget_store.h"
#include "campaigns/trunk_store.h"
#include "compliance/dnc_list.h"
#include "compliance/facts_store.h"
#include "contacts/zones.h"

enum {
    FACTS = 500,        /* numbers whose facts are read at once */
    LISTS_MAX = 32,     /* two bits of a key each */
    MEASURED_MIN = 200, /* calls from which on their outcomes are no accident */
    MINUTE_MS = 60000,
};

/* Of whom it is equal the gate says the same. Compared as bytes. */
struct group_key {
    const char *state;     /* zones_state_of(): one text for each */
    int64_t marks, due_ms; /* marks: see people_sql() */
    uint64_t lists;        /* answers of the do-not-call lists, two bits each */
    int32_t zone_group, type, priority, base_priority, attempts, unused;
};

struct group_row {
    struct group_key key;
    int64_t count, phone; /* of the first of them */
};

struct forecast_parts {
    struct group_row *rows;
    size_t n, size;
    uint32_t *slots; /* row + 1, by hash; 0 free */
    size_t slot_count;
    struct dnc_list *lists[LISTS_MAX];
    size_t list_count;
    struct facts_set **sets;
    size_t set_count;
    struct forecast_group *groups;
    struct forecast_zone *zones;
    struct compliance_holiday *holidays;
    struct forecast_number *numbers; /* of the caller-id pool */
};

/* ---- grouping ---- */

static uint64_t hash_key(const struct group_key *k)
{
    uint64_t words[sizeof(*k) / 8], h = UINT64_C(0x9e3779b97f4a7c15);

    _Static_assert(sizeof(*k) % 8 == 0, "a key is whole words");
    memcpy(words, k, sizeof(words));
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        h = (h ^ words[i]) * UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 32;
    }
    return h;
}

static void grow_slots(struct forecast_parts *p)
{
    free(p->slots);
    p->slot_count = p->slot_count ? 2 * p->slot_count : 4096;
    p->slots = xcalloc(p->slot_count, sizeof(*p->slots));
    for (size_t i = 0; i < p->n; i++) {
        size_t at = hash_key(&p->rows[i].key) & (p->slot_count - 1);
        while (p->slots[at])
            at = (at + 1) & (p->slot_count - 1);
        p->slots[at] = (uint32_t)(i + 1);
    }
}

static void add_person(struct forecast_parts *p, const struct group_key *key,
                       int64_t phone)
{
    if (2 * (p->n + 1) > p->slot_count)
        grow_slots(p);
    size_t at = hash_key(key) & (p->slot_count - 1);
    for (; p->slots[at]; at = (at + 1) & (p->slot_count - 1)) {
        struct group_row *row = &p->rows[p->slots[at] - 1];
        if (memcmp(&row->key, key, sizeof(*key)) == 0) {
            row->count++;
            return;
        }
    }
    if (p->n == p->size) {
        p->size = p->size ? 2 * p->size : 1024;
        p->rows = xrealloc(p->rows, p->size * sizeof(*p->rows));
    }
    p->rows[p->n++] = (struct group_row){.key = *key, .count = 1, .phone = phone};
    p->slots[at] = (uint32_t)p->n;
}

/* ---- people ---- */

/* The tables that say something of a number, and what the gate takes from their rows;
 * test_forecast.c holds them against the schema. */
#define HOUR(t) "date_trunc('hour', " t ")"
#define CALLED                                                                           \
    "a.campaign_id = $1, a.state, a.disposition, extract(epoch FROM "                    \
    "coalesce(a.released_at, a.intent_at))::bigint / 900"

static const struct mark {
    const char *table, *phone, *columns, *from;
} marks[] = {
    {"dnc_entries", "phone", "'dnc', campaign_id, (added_at AT TIME ZONE 'UTC')::date",
     "dnc_entries WHERE removed_at IS NULL AND campaign_id IN (0, $1) AND topic IN ('', "
     "(SELECT c.topic FROM campaigns c WHERE c.id = $1))"},
    {"consents", "phone",
     "'consent', level, " HOUR("given_at") ", " HOUR(
         "revoked_at") ", seller, evidence <> ''",
     "consents"},
    {"line_types", "phone", "'line', line, " HOUR("checked_at"), "line_types"},
    {"reassigned_numbers", "phone", "'reassigned', answer, " HOUR("checked_at"),
     "reassigned_numbers"},
    {"washes", "phone", "'wash', list, hit, " HOUR("checked_at") ", " HOUR("expires_at"),
     "washes"},
    {"number_places", "phone", "'place', region, zones::text, confirmed",
     "number_places"},
    {"attempts", "a.phone", "'call', " CALLED, "attempts a WHERE a.state <> 'withdrawn'"},
    /* Calls to another number of the same person. */
    {"attempts", "o.phone", "'person', " CALLED,
     "attempts a JOIN contacts c ON c.phone = a.phone JOIN contacts o ON o.tenant_id = "
     "c.tenant_id AND o.person = c.person AND o.phone <> c.phone WHERE c.person IS NOT "
     "NULL AND a.state <> 'withdrawn'"},
};

bool forecast_knows_table(const char *table)
{
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (str_is(table, marks[i].table))
            return true;
    return false;
}

void forecast_marks_sql(struct buf *b)
{
    buf_puts(b, "marks AS MATERIALIZED (SELECT phone, sum(h >> 20)::bigint AS marks FROM "
                "(");
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        buf_printf(b, "%sSELECT %s, hashtextextended(concat_ws('|', %s), 0) FROM %s",
                   i ? " UNION ALL " : "", marks[i].phone, marks[i].columns,
                   marks[i].from);
    buf_puts(b, ") s(phone, h) GROUP BY phone)");
}

/* Everybody who waits or is not enrolled yet, with a sum over the rows that mention the
 * number, each hashed. */
static void people_sql(struct buf *b, bool several)
{
    buf_puts(b, "DECLARE people NO SCROLL CURSOR FOR WITH ");
    forecast_marks_sql(b);
    buf_printf(
        b,
        ", people AS (SELECT phone, zone_group, number_type, priority, attempts, "
        "next_attempt_at, base_priority FROM campaign_contacts WHERE campaign_id = $1 "
        "AND "
        "state = 'pending' AND next_attempt_at < furrow_ts($5) UNION ALL SELECT phone, "
        "zone_group, number_type, 0, 0, furrow_ts($2), 0 FROM contacts c WHERE %s AND "
        "NOT "
        "($6::bool AND person_rank > 0) AND NOT EXISTS (SELECT FROM campaign_contacts k "
        "WHERE k.campaign_id = $1 AND k.contact_id = c.id)) SELECT p.phone, "
        "p.zone_group, "
        "p.number_type, p.priority, p.attempts, furrow_ms(p.next_attempt_at), m.marks, "
        "p.base_priority FROM people p LEFT JOIN marks m USING (phone)",
        several ? "(list_id = $3 AND id > $4 OR list_id IN (SELECT list_id FROM "
                  "campaign_lists WHERE campaign_id = $1 AND place > 0)) AND NOT EXISTS "
                  "(SELECT FROM campaign_contacts k WHERE k.tenant_id = c.tenant_id AND "
                  "k.phone = c.phone AND k.campaign_id = $1)"
                : "list_id = $3 AND id > $4");
}

static void take_people(struct forecast_parts *p, const PGresult *res, int64_t from_ms)
{
    int n = PQntuples(res);
    CLEANUP(free_cleanup) int64_t *phones = xcalloc((size_t)n + 1, sizeof(*phones));
    CLEANUP(free_cleanup)
    uint64_t *lists = xcalloc((size_t)n + 1, sizeof(*lists));
    CLEANUP(free_cleanup)
    enum list_state *states = xcalloc((size_t)n + 1, sizeof(*states));

    for (int i = 0; i < n; i++)
        phones[i] = pg_i64(res, i, 0);
    for (size_t l = 0; l < p->list_count; l++) {
        dnc_list_look_many(p->lists[l], phones, (size_t)n, states);
        for (int i = 0; i < n; i++)
            lists[i] = lists[i] << 2 | (states[i] == LIST_CLEAR ? 0
                                        : states[i] == LIST_HIT ? 1
                                                                : 2);
    }
    for (int i = 0; i < n; i++) {
        int64_t due_ms = pg_i64(res, i, 5);
        struct group_key key;

        memset(&key, 0, sizeof(key)); /* compared as bytes */
        key.state = zones_state_of(phones[i]);
        key.marks = pg_i64(res, i, 6);
        key.due_ms = due_ms <= from_ms ? from_ms
                                       : (due_ms + MINUTE_MS - 1) / MINUTE_MS * MINUTE_MS;
        key.lists = lists[i];
        key.zone_group = (int32_t)pg_i64(res, i, 1);
        key.type = (int32_t)pg_i64(res, i, 2);
        key.priority = (int32_t)pg_i64(res, i, 3);
        key.attempts = (int32_t)pg_i64(res, i, 4);
        key.base_priority = (int32_t)pg_i64(res, i, 7);
        add_person(p, &key, phones[i]);
    }
}

static int read_people(struct pg *pg, const struct campaign_row *row, bool one_by_one,
                       bool several, int64_t from_ms, struct forecast_parts *p)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(buf_free) struct buf sql = {0};
    struct pg_args a = {0};

    people_sql(&sql, several);
    pg_arg_i64(&a, row->id);
    int err = pg_run(pg, &res, "SELECT last_contact_id FROM campaigns WHERE id = $1", &a);
    if (err || PQntuples(res) == 0)
        return err ? err : ENOENT;
    pg_arg_ms(&a, from_ms);
    pg_arg_i64(&a, row->list_id);
    pg_arg_i64(&a, pg_i64(res, 0, 0));
    pg_arg_ms(&a, ATTEMPT_HELD_MS);
    pg_arg_bool(&a, one_by_one);
    err = pg_run(pg, NULL, sql.data, &a);
    for (int n = 1; !err && n > 0;) {
        CLEANUP(pg_result_free) PGresult *some = NULL;
        err = pg_run(pg, &some, "FETCH 20000 FROM people", NULL);
        n = err ? 0 : PQntuples(some);
        if (n > 0)
            take_people(p, some, from_ms);
    }
    return err ? err : pg_run(pg, NULL, "CLOSE people", NULL);
}

/* ---- facts ---- */

static size_t zone_index(struct forecast_source *s, int id,
                         const struct compliance_facts *facts)
{
    struct forecast_parts *p = s->parts;
    size_t n = s->input.zone_count;

    for (size_t i = n; i > 0; i--) /* the groups of a zone often lie together */
        if (p->zones[i - 1].id == id)
            return i - 1;
    p->zones = xrealloc(p->zones, (n + 1) * sizeof(*p->zones));
    p->zones[n] = (struct forecast_zone){
        .id = id, .names = facts->zones, .name_count = facts->zone_count};
    str_cut(p->zones[n].region, sizeof(p->zones[n].region), facts->region);
    return s->input.zone_count++;
}

static int read_facts(struct pg *pg, int tenant_id, int64_t campaign_id,
                      struct forecast_source *s)
{
    struct forecast_parts *p = s->parts;
    struct facts_key keys[FACTS];
    int err = 0;

    p->groups = xcalloc(p->n + 1, sizeof(*p->groups));
    p->sets = xcalloc(p->n / FACTS + 1, sizeof(struct facts_set *));
    for (size_t from = 0; !err && from < p->n; from += FACTS) {
        size_t n = p->n - from < FACTS ? p->n - from : FACTS;

        for (size_t i = 0; i < n; i++) {
            const struct group_row *row = &p->rows[from + i];
            keys[i] = (struct facts_key){.phone = row->phone,
                                         .campaign_id = campaign_id,
                                         .zone_group = row->key.zone_group,
                                         .type = (enum phone_type)row->key.type};
        }
        struct facts_set *set = NULL;
        err = facts_load(pg, tenant_id, keys, n, s->input.from_ms, &set);
        if (err)
            return err;
        p->sets[p->set_count++] = set;
        facts_end_calls(set);
        for (size_t i = 0; i < n; i++) {
            const struct group_row *row = &p->rows[from + i];
            struct compliance_facts facts = facts_get(set, i);
            p->groups[from + i] = (struct forecast_group){
                .facts = facts,
                .zone = zone_index(s, row->key.zone_group, &facts),
                .count = row->count,
                .priority = row->key.priority,
                .base_priority = row->key.base_priority,
                .attempts = row->key.attempts,
                .due_ms = row->key.due_ms};
        }
    }
    s->input.groups = p->groups;
    s->input.group_count = p->n;
    s->input.zones = p->zones;
    return err;
}

/* ---- rates, pace, span ---- */

/* What the campaign's own calls came to, when there are enough of them. */
static int read_rates(struct pg *pg, int64_t campaign_id, struct forecast_rates *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    double n[DISPOSITIONS] = {0}, all = 0, talk_s = 0;

    pg_arg_i64(&a, campaign_id);
    int err = pg_run(pg, &res,
                     "SELECT disposition, count(*), coalesce(avg(extract(epoch FROM "
                     "ended_at - answered_at)), 0) FROM attempts WHERE campaign_id = $1 "
                     "AND state = 'ended' AND disposition IS NOT NULL GROUP BY 1",
                     &a);
    if (err)
        return err;
    for (int i = 0; i < PQntuples(res); i++) {
        enum disposition d = DISPOSITION_FAILED;
        if (!disposition_parse(pg_text(res, i, 0), &d))
            continue;
        n[d] += pg_double(res, i, 1);
        all += pg_double(res, i, 1);
        if (d == DISPOSITION_COMPLETED)
            talk_s = pg_double(res, i, 2);
    }
    if (all < MEASURED_MIN)
        return 0;
    for (int d = 0; d < DISPOSITIONS; d++)
        out->share[d] = n[d] / all;
    out->talk_s = talk_s;
    out->measured_calls = (int64_t)all;
    return 0;
}

static int read_counts(struct pg *pg, int64_t campaign_id, struct forecast_source *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    int err = pg_run(pg, &res,
                     "SELECT count(*) FILTER (WHERE state = 'final'), count(*) FILTER "
                     "(WHERE state = 'calling') FROM campaign_contacts WHERE campaign_id "
                     "= $1 AND state <> 'pending'",
                     &a);
    if (err)
        return err;
    out->final_contacts = pg_i64(res, 0, 0);
    out->calling_contacts = pg_i64(res, 0, 1);
    return 0;
}

/* How often the pool showed in each minute before from. */
static int read_uses(struct pg *pg, const char *pool, int64_t from_ms,
                     struct forecast_pool *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, pool);
    pg_arg_ms(&a, from_ms);
    int err =
        pg_run(pg, &res,
               "SELECT (furrow_ms(furrow_ts($2)) - furrow_ms(a.intent_at)) / 60000, "
               "count(*) FROM attempts a JOIN caller_ids c ON a.caller_id = '+' || "
               "c.phone WHERE a.pooled AND c.pool = $1 AND a.state <> 'withdrawn' "
               "AND a.intent_at > furrow_ts($2) - interval '24 hours' AND "
               "a.intent_at <= furrow_ts($2) GROUP BY 1",
               &a);
    for (int i = 0; !err && i < PQntuples(res); i++) {
        int64_t minute = pg_i64(res, i, 0);

        if (minute >= 0 && minute < FORECAST_POOL_MINUTES)
            out->used[minute] += pg_i64(res, i, 1);
    }
    return err;
}

static int read_pool(struct pg *pg, const char *pool, int64_t from_ms,
                     struct forecast_parts *parts, struct forecast_pool *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    if (!pool[0])
        return 0;
    pg_arg_text(&a, pool);
    int err = pg_run(pg, &res,
                     "SELECT daily_cap, coalesce(furrow_ms(held_until), 0) FROM "
                     "caller_ids WHERE pool = $1",
                     &a);
    if (err)
        return err;
    out->stated = true;
    out->n = (size_t)PQntuples(res);
    parts->numbers = xcalloc(out->n + 1, sizeof(*parts->numbers));
    for (size_t i = 0; i < out->n; i++)
        parts->numbers[i] =
            (struct forecast_number){pg_i64(res, (int)i, 0), pg_i64(res, (int)i, 1)};
    out->numbers = parts->numbers;
    return read_uses(pg, pool, from_ms, out);
}

/* The smaller of two limits of which 0 is none. */
static double smaller(double a, double b)
{
    if (a <= 0 || b <= 0)
        return a > b ? a : b;
    return a < b ? a : b;
}

static int set_span(const struct forecast_options *o, const struct campaign_doc *doc,
                    struct forecast_input *in, struct errtext *e)
{
    int64_t longest_ms = (int64_t)FORECAST_DAYS_MAX * 86400 * 1000;

    in->from_ms = o->from_ms < doc->start_at_ms ? doc->start_at_ms : o->from_ms;
    in->to_ms = o->to_ms ? o->to_ms : in->from_ms + longest_ms;
    if (doc->end_at_ms && doc->end_at_ms < in->to_ms)
        in->to_ms = doc->end_at_ms;
    if (in->to_ms <= in->from_ms)
        return errtext_set(e, EINVAL, 0, 0,
                           "there is nothing to forecast: it ends before it begins (the "
                           "campaign's own start and end count as well)");
    if (in->to_ms - in->from_ms > longest_ms)
        return errtext_set(e, EINVAL, 0, 0, "a forecast spans at most %d days",
                           FORECAST_DAYS_MAX);
    return 0;
}

static int load(struct pg *pg, int tenant_id, const struct campaign_row *row,
                const struct forecast_options *o, struct forecast_source *out,
                struct errtext *e)
{
    const struct campaign_doc *doc = NULL;
    struct forecast_input *in = &out->input;
    struct trunk_row trunk = {0};

    int err = campaign_doc_get(pg, tenant_id, row->id, &doc);
    if (!err)
        err = set_span(o, doc, in, e);
    if (!err)
        err = trunk_load(pg, tenant_id, row->trunk_id, &trunk);
    if (err)
        return err;
    out->doc = doc;
    in->policy = doc->policy;
    in->retry = &doc->retry;
    in->budget = doc->budget;
    in->cps = smaller(doc->pacing.cps, trunk.cps);
    in->channels = (int)smaller(doc->pacing.max_concurrent, trunk.max_channels);
    in->ring_timeout_s = doc->ring_timeout_s;
    forecast_rates_default(&in->rates);
    err = read_rates(pg, row->id, &in->rates);
    if (o->answer_rate >= 0)
        forecast_rates_set_answered(&in->rates, o->answer_rate);
    if (o->talk_s >= 0)
        in->rates.talk_s = o->talk_s;
    if (!err)
        err = facts_holidays(pg, tenant_id, in->from_ms, &out->parts->holidays,
                             &in->holiday_count);
    in->holidays = out->parts->holidays;
    int64_t open = 0;
    if (!err)
        err = budget_load(pg, tenant_id, row->id, &doc->budget, &in->spent, &open);
    if (!err)
        err = read_pool(pg, doc->caller_ids.pool, in->from_ms, out->parts, &in->pool);
    if (!err)
        err = read_counts(pg, row->id, out);
    if (!err)
        err = read_people(pg, row, doc->numbers == CAMPAIGN_NUMBERS_ONE_BY_ONE,
                          doc->lists.n > 0, in->from_ms, out->parts);
    return err ? err : read_facts(pg, tenant_id, row->id, out);
}

int forecast_load(struct pg *pg, int tenant_id, const struct campaign_row *row,
                  const struct forecast_options *options, struct forecast_source *out,
                  struct errtext *e)
{
    struct dnc_lists *lists = dnc_lists_of_process();

    *out = (struct forecast_source){.parts = xcalloc(1, sizeof(*out->parts))};
    if (lists)
        dnc_lists_pin_all(lists, mono_ms(), out->parts->lists, LISTS_MAX,
                          &out->parts->list_count);
    int err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_end(pg, load(pg, tenant_id, row, options, out, e));
    if (err && err != EINVAL)
        errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    if (err)
        forecast_source_free(out);
    return err;
}

void forecast_source_free(struct forecast_source *s)
{
    struct forecast_parts *p = s->parts;

    if (!p)
        return;
    for (size_t i = 0; i < p->list_count; i++)
        dnc_lists_unpin(dnc_lists_of_process(), p->lists[i]);
    for (size_t i = 0; i < p->set_count; i++)
        facts_free(p->sets[i]);
    free(p->sets);
    free(p->rows);
    free(p->slots);
    free(p->groups);
    free(p->zones);
    free(p->holidays);
    free(p->numbers);
    free(p);
    *s = (struct forecast_source){0};
}
