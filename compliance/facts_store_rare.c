/* The rarer facts: tables that most tenants have few rows in. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "compliance/dnc_list.h"
#include "compliance/facts_set.h"
#include "contacts/tz.h"

size_t facts_read_names(const char *json, const char ***names, char **text)
{
    json_t *list = json_loads(json, 0, NULL);
    size_t n = json_array_size(list), len = 0;

    for (size_t i = 0; i < n; i++)
        len += json_string_length(json_array_get(list, i)) + 1;
    *names = xcalloc(n + 1, sizeof(**names));
    *text = xcalloc(len + 1, 1);
    char *at = *text;
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        size_t size = strlen(name) + 1;
        memcpy(at, name, size);
        (*names)[i] = at;
        at += size;
    }
    json_decref(list);
    return n;
}

static void take_marks(struct number *f, const PGresult *res, int i)
{
    struct compliance_facts *c = &f->facts;

    c->line = (enum line_class_fact)pg_i64(res, i, 0);
    c->line_checked_ms = pg_i64(res, i, 1);
    c->rnd = (enum rnd_answer)pg_i64(res, i, 2);
    c->rnd_checked_ms = pg_i64(res, i, 3);
    str_cut(c->address_region, sizeof(c->address_region), pg_text(res, i, 4));
    if (!pg_is_null(res, i, 5)) {
        c->address_zone_count =
            facts_read_names(pg_text(res, i, 5), &f->address_zones, &f->address_text);
        c->address_zones = f->address_zones;
    }
    c->tz_confirmed = pg_bool(res, i, 6);
    c->consent_given_ms = pg_i64(res, i, 7);
    c->consent_evidence = pg_bool(res, i, 8);
    str_cut(c->consent_seller, sizeof(c->consent_seller), pg_text(res, i, 9));
    c->dnc_added_day = pg_i64(res, i, 10);
}

static int load_marks(struct pg *pg, const struct pg_args *keys, struct facts_set *set)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(
        pg, &res,
        "SELECT l.line, furrow_ms(l.checked_at), r.answer, furrow_ms(r.checked_at), "
        "p.region, to_json(p.zones), coalesce(p.confirmed, false), "
        "furrow_ms(c.given_at), "
        "coalesce(c.evidence <> '', false), c.seller, d.day FROM " FACTS_KEYS
        "LEFT JOIN line_types l ON l.tenant_id = $1 AND l.phone = k.phone "
        "LEFT JOIN reassigned_numbers r ON r.tenant_id = $1 AND r.phone = k.phone "
        "LEFT JOIN number_places p ON p.tenant_id = $1 AND p.phone = k.phone "
        "LEFT JOIN LATERAL (SELECT given_at, evidence, seller FROM consents s WHERE "
        "s.tenant_id = $1 AND s.phone = k.phone AND s.revoked_at IS NULL "
        "AND " FACTS_CONSENT_PURPOSE(
            "s") " ORDER BY s.level DESC, s.given_at DESC LIMIT 1) c "
                 "ON true "
                 "LEFT JOIN LATERAL (SELECT (e.added_at AT TIME ZONE 'UTC')::date - date "
                 "'1970-01-01' AS day FROM dnc_entries e WHERE e.tenant_id = $1 AND "
                 "e.phone = "
                 "k.phone AND e.campaign_id = 0 AND e.topic = '' AND e.removed_at IS "
                 "NULL LIMIT 1) d ON "
                 "true "
                 "ORDER BY k.i",
        keys);
    if (!err && (size_t)PQntuples(res) != set->n)
        err = EPROTO;
    for (int i = 0; !err && i < PQntuples(res); i++)
        take_marks(&set->numbers[i], res, i);
    return err;
}

int facts_each_number(struct facts_set *set, const PGresult *res, facts_take_fn *take)
{
    int rows = PQntuples(res);

    for (int i = 0, end = 0; i < rows; i = end) {
        size_t which = (size_t)pg_i64(res, i, 0);
        for (end = i; end < rows && (size_t)pg_i64(res, end, 0) == which;)
            end++;
        if (which >= set->n)
            return EPROTO;
        take(&set->numbers[which], res, i, end);
    }
    return 0;
}

/* Rows [i, end) are one number's. */
static void take_washes(struct number *f, const PGresult *res, int i, int end)
{
    size_t n = (size_t)(end - i), len = 0;

    for (int k = i; k < end; k++)
        len += strlen(pg_text(res, k, 1)) + 1;
    f->washes = xcalloc(n, sizeof(*f->washes));
    f->wash_names = xcalloc(len, 1);
    char *at = f->wash_names;
    for (; i < end; i++) {
        size_t size = strlen(pg_text(res, i, 1)) + 1;
        memcpy(at, pg_text(res, i, 1), size);
        f->washes[f->facts.wash_count++] =
            (struct compliance_wash){.name = at,
                                     .hit = pg_bool(res, i, 2),
                                     .checked_at_ms = pg_i64(res, i, 3),
                                     .expires_at_ms = pg_i64(res, i, 4)};
        at += size;
    }
    f->facts.washes = f->washes;
}

static int load_washes(struct pg *pg, const struct pg_args *keys, struct facts_set *set)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res,
                     "SELECT k.i - 1, w.list, w.hit, furrow_ms(w.checked_at), "
                     "furrow_ms(w.expires_at) FROM " FACTS_KEYS
                     "JOIN washes w ON w.tenant_id = $1 AND w.phone = k.phone ORDER BY "
                     "k.i, w.list",
                     keys);
    return err ? err : facts_each_number(set, res, take_washes);
}

static void take_tenant_row(struct facts_set *set, const PGresult *res, int i,
                            bool *stopped)
{
    const char *kind = pg_text(res, i, 0);

    if (str_is(kind, "registration")) {
        struct compliance_registration *r =
            &set->registrations[set->registration_count++];
        str_cut(r->region, sizeof(r->region), pg_text(res, i, 1));
        r->until_ms = pg_i64(res, i, 3);
    } else if (str_is(kind, "block")) {
        struct compliance_block *b = &set->blocks[set->block_count++];
        str_cut(b->region, sizeof(b->region), pg_text(res, i, 1));
        b->from_ms = pg_i64(res, i, 2);
        b->until_ms = pg_i64(res, i, 3);
    } else {
        *stopped = true;
    }
}

static int load_tenant(struct pg *pg, int tenant_id, struct facts_set *set)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    char tzdata[TZ_VERSION_MAX] = "";
    bool stopped = false;

    pg_arg_i64(&a, tenant_id);
    int err =
        pg_run(pg, &res,
               "SELECT 'registration', region, NULL::bigint, furrow_ms(until) FROM "
               "registrations WHERE tenant_id = $1 UNION ALL SELECT 'block', region, "
               "furrow_ms(from_at), furrow_ms(until_at) FROM emergency_blocks WHERE "
               "tenant_id = $1 UNION ALL SELECT 'switch', '', NULL, NULL FROM "
               "kill_switches WHERE tenant_id = $1 AND stopped_at IS NOT NULL",
               &a);
    if (err)
        return err;
    size_t rows = (size_t)PQntuples(res);
    set->registrations = xcalloc(rows + 1, sizeof(*set->registrations));
    set->blocks = xcalloc(rows + 1, sizeof(*set->blocks));
    for (int i = 0; i < PQntuples(res); i++)
        take_tenant_row(set, res, i, &stopped);
    if (tz_refresh(tzdata))
        tzdata[0] = '\0'; /* not known is too old */
    for (size_t i = 0; i < set->n; i++) {
        struct compliance_facts *f = &set->numbers[i].facts;
        f->kill_switch = stopped;
        f->registrations = set->registrations;
        f->registration_count = set->registration_count;
        f->blocks = set->blocks;
        f->block_count = set->block_count;
        str_cut(f->tzdata, sizeof(f->tzdata), tzdata);
    }
    return 0;
}

/* ---- national lists ---- */

/* Lists of the number's country, and those of no country. */
static bool concerns(const char *name, const char *region)
{
    bool of_country = strlen(name) > 2 && strchr(".-", name[2]);

    return !of_country || (tolower((unsigned char)region[0]) == name[0] &&
                           tolower((unsigned char)region[1]) == name[1]);
}

static void ask_list(struct facts_set *set, struct dnc_list *list, int64_t now_ms)
{
    CLEANUP(free_cleanup) int64_t *phones = xcalloc(set->n + 1, sizeof(*phones));
    CLEANUP(free_cleanup) enum list_state *states = xcalloc(set->n + 1, sizeof(*states));
    const struct dnc_head *head = dnc_list_head(list);
    bool past = head && head->valid_until_ms > 0 && head->valid_until_ms <= now_ms;

    for (size_t i = 0; i < set->n; i++)
        phones[i] = set->numbers[i].facts.phone;
    dnc_list_look_many(list, phones, set->n, states);
    for (size_t i = 0; i < set->n; i++) {
        struct number *f = &set->numbers[i];
        if (!concerns(dnc_list_name(list), f->facts.region))
            continue;
        f->lists[f->facts.list_count++] = (struct compliance_list){
            .name = dnc_list_name(list),
            .state = states[i] == LIST_CLEAR && past ? LIST_STALE : states[i],
            .obtained_at_ms = head ? head->obtained_at_ms : 0,
            .generation = head ? head->generation : 0,
        };
    }
}

/* One generation of each for the whole batch. */
static void load_lists(struct facts_set *set, int64_t now_ms)
{
    struct dnc_lists *lists = dnc_lists_of_process();

    if (!lists)
        return;
    dnc_lists_pin_all(lists, mono_ms(), set->pinned, ARRAY_LEN(set->pinned),
                      &set->pinned_count);
    for (size_t i = 0; set->pinned_count > 0 && i < set->n; i++) {
        set->numbers[i].lists =
            xcalloc(set->pinned_count, sizeof(*set->numbers[i].lists));
        set->numbers[i].facts.lists = set->numbers[i].lists;
    }
    for (size_t i = 0; i < set->pinned_count; i++)
        ask_list(set, set->pinned[i], now_ms);
}

int facts_load_rare(struct pg *pg, const struct pg_args *keys, int tenant_id,
                    int64_t now_ms, struct facts_set *set)
{
    int err = load_marks(pg, keys, set);

    load_lists(set, now_ms);

    if (!err)
        err = load_washes(pg, keys, set);
    return err ? err : load_tenant(pg, tenant_id, set);
}

void facts_free_rare(struct facts_set *set)
{
    for (size_t i = 0; i < set->pinned_count; i++)
        dnc_lists_unpin(dnc_lists_of_process(), set->pinned[i]);
    for (size_t i = 0; i < set->n; i++) {
        free(set->numbers[i].lists);
        free(set->numbers[i].address_zones);
        free(set->numbers[i].address_text);
        free(set->numbers[i].washes);
        free(set->numbers[i].wash_names);
    }
    free(set->registrations);
    free(set->blocks);
}
