/*
 * Earlier calls to the number and to the other numbers of its person.
 *
 * Who is one person is what imports said (contacts.person): all numbers that share a
 * person's key in some list of the tenant. Releases hold a lock for each key beside the
 * number's, so that of two numbers of one person the second sees the first. A key that an
 * import gives while a release is under way holds from the next release on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "compliance/facts_set.h"

/* Rules look back 3660 days at most (rule.c); and one of today's time zones more. */
#define READ_MS (INT64_C(3662) * 86400 * 1000)

/* More rows than this under one key are no person but a column that tells nobody apart:
 * what was called cannot be known, and so nothing is. */
#define PERSON_ROWS_MAX 1000
#define AS_TEXT(x)      AS_TEXT_(x)
#define AS_TEXT_(x)     #x

/* A number whose calls concern the key'th number. */
struct party {
    size_t key;
    int64_t phone;
    bool other;
};

struct parties {
    struct party *at;
    size_t n;
};

/* ---- the locks ---- */

static void key_array(struct buf *b, int tenant_id, const int64_t *phones, size_t n)
{
    CLEANUP(free_cleanup) int64_t *keys = xcalloc(n + 1, sizeof(*keys));

    for (size_t i = 0; i < n; i++)
        keys[i] =
            (int64_t)((uint64_t)tenant_id << FACTS_PHONE_BITS | (uint64_t)phones[i]);
    pg_array_i64(b, keys, n);
}

/* The list is sorted and materialised, which keeps the planner from reordering the
 * calls: two holders never wait for each other. */
int facts_lock_numbers(struct pg *pg, int tenant_id, const int64_t *phones, size_t n)
{
    CLEANUP(buf_free) struct buf keys = {0};
    struct pg_args a = {0};

    key_array(&keys, tenant_id, phones, n);
    pg_arg_text(&a, keys.data);
    return pg_run(pg, NULL,
                  "WITH k AS MATERIALIZED (SELECT DISTINCT key FROM unnest($1::bigint[]) "
                  "key ORDER BY key) SELECT pg_advisory_xact_lock(key) FROM k",
                  &a);
}

int facts_lock_parties(struct pg *pg, int tenant_id, const int64_t *phones, size_t n)
{
    CLEANUP(buf_free) struct buf keys = {0};
    CLEANUP(buf_free) struct buf numbers = {0};
    struct pg_args a = {0};

    key_array(&keys, tenant_id, phones, n);
    pg_array_i64(&numbers, phones, n);
    pg_arg_text(&a, keys.data);
    pg_arg_text(&a, numbers.data);
    pg_arg_i64(&a, tenant_id);
    return pg_run(
        pg, NULL,
        "WITH k AS MATERIALIZED (SELECT DISTINCT key FROM (SELECT unnest($1::bigint[]) "
        "UNION ALL SELECT hashtextextended(m.person, $3::int) FROM unnest($2::bigint[]) "
        "p(phone) CROSS JOIN LATERAL (SELECT person FROM contacts c WHERE c.tenant_id = "
        "$3::int AND c.phone = p.phone AND c.person IS NOT NULL OFFSET 0) m) q(key) "
        "ORDER "
        "BY key) SELECT pg_advisory_xact_lock(key) FROM k",
        &a);
}

/* ---- whose numbers they are ---- */

static void add_party(struct parties *p, size_t key, int64_t phone, bool other)
{
    p->at[p->n++] = (struct party){.key = key, .phone = phone, .other = other};
}

/* Rows are sorted by key and number; a number may stand in several lists. */
static int take_others(struct parties *p, const PGresult *res, struct facts_set *set)
{
    size_t rows_of_key = 0;

    for (int i = 0; i < PQntuples(res); i++) {
        size_t key = (size_t)pg_i64(res, i, 0);
        int64_t phone = pg_i64(res, i, 1);
        const struct party *last = &p->at[p->n - 1];
        if (key >= set->n)
            return EPROTO;
        bool same_key = i > 0 && pg_i64(res, i - 1, 0) == (int64_t)key;
        rows_of_key = same_key ? rows_of_key + 1 : 1;
        if (rows_of_key >= PERSON_ROWS_MAX - 1) /* the number itself is one */
            set->numbers[key].facts.history_known = false;
        if (!last->other || last->key != key || last->phone != phone)
            add_party(p, key, phone, true);
    }
    return 0;
}

static int find_parties(struct pg *pg, const struct pg_args *keys, struct facts_set *set,
                        struct parties *p)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(
        pg, &res,
        "SELECT k.i - 1, o.phone FROM " FACTS_KEYS
        "CROSS JOIN LATERAL (SELECT person FROM contacts c WHERE c.tenant_id = $1 AND "
        "c.phone = k.phone AND c.person IS NOT NULL OFFSET 0) m CROSS JOIN LATERAL "
        "(SELECT phone FROM contacts c WHERE c.tenant_id = $1 AND c.person = m.person "
        "LIMIT " AS_TEXT(PERSON_ROWS_MAX) ") o WHERE o.phone <> k.phone ORDER BY 1, 2",
        keys);
    if (err)
        return err;
    p->at = xcalloc(set->n + (size_t)PQntuples(res) + 1, sizeof(*p->at));
    for (size_t i = 0; i < set->n; i++)
        add_party(p, i, set->numbers[i].facts.phone, false);
    return take_others(p, res, set);
}

/* ---- their calls ---- */

enum outcome facts_outcome(const char *disposition)
{
    static const struct {
        const char *name;
        enum outcome outcome;
    } outcomes[] = {
        {"completed", OUTCOME_CONVERSATION},   {"busy", OUTCOME_BUSY},
        {"no_answer", OUTCOME_NO_ANSWER},      {"bad_number", OUTCOME_NOT_CONNECTED},
        {"congestion", OUTCOME_NOT_CONNECTED}, {"unreachable", OUTCOME_NOT_CONNECTED},
        {"config", OUTCOME_NOT_CONNECTED},     {"abandoned", OUTCOME_ABANDONED},
        {"rejected", OUTCOME_REFUSED},         {"machine", OUTCOME_MACHINE},
        {"message", OUTCOME_VOICEMAIL}};

    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++)
        if (str_is(disposition, outcomes[i].name))
            return outcomes[i].outcome;
    return OUTCOME_OTHER;
}

/* Rows [i, end) are one key's calls, oldest first. */
static void take_calls(struct number *f, const PGresult *res, int i, int end)
{
    f->calls = xcalloc((size_t)(end - i), sizeof(*f->calls));
    f->facts.calls = f->calls;
    for (; i < end; i++)
        f->calls[f->facts.call_count++] =
            (struct compliance_call){.at_ms = pg_i64(res, i, 1),
                                     .campaign_id = pg_i64(res, i, 2),
                                     .open = pg_bool(res, i, 3),
                                     .outcome = facts_outcome(pg_text(res, i, 4)),
                                     .other_number = pg_bool(res, i, 5),
                                     .said_no = pg_bool(res, i, 6)};
}

static void put_parties(struct buf arrays[5], const struct parties *p,
                        const struct facts_key *keys)
{
    CLEANUP(free_cleanup) int64_t *v = xcalloc(4 * p->n + 1, sizeof(*v));
    CLEANUP(free_cleanup) struct uuid *own = xcalloc(p->n + 1, sizeof(*own));

    for (size_t i = 0; i < p->n; i++) {
        const struct facts_key *key = &keys[p->at[i].key];
        v[i] = (int64_t)p->at[i].key;
        v[p->n + i] = p->at[i].phone;
        v[2 * p->n + i] = key->campaign_id;
        v[3 * p->n + i] = p->at[i].other;
        if (key->own)
            own[i] = *key->own;
    }
    for (size_t k = 0; k < 4; k++)
        pg_array_i64(&arrays[k], v + k * p->n, p->n);
    pg_array_uuid(&arrays[4], own, p->n);
}

/* Earlier attempts that count. Of other attempts that are only intended, those count as
 * open whose id is smaller: of two for one party exactly one is released. */
static int read_calls(struct pg *pg, int tenant_id, const struct parties *p,
                      const struct facts_key *keys, int64_t now_ms, PGresult **res)
{
    struct buf arrays[5] = {{0}};
    struct pg_args a = {0};

    put_parties(arrays, p, keys);
    pg_arg_i64(&a, tenant_id);
    for (size_t k = 0; k < ARRAY_LEN(arrays); k++)
        pg_arg_text(&a, arrays[k].data);
    pg_arg_ms(&a, now_ms - READ_MS);
    int err = pg_run(
        pg, res,
        /* OFFSET 0 keeps the numbers outside: one look into the index for each, whatever
         * the planner believes about the table. */
        "SELECT k.i, furrow_ms(coalesce(t.released_at, t.intent_at)), t.campaign_id, "
        "t.state IN ('intent', 'released', 'ringing', 'answered'), CASE WHEN "
        "t.answered_at "
        "IS NOT NULL AND EXISTS (SELECT 1 FROM agent_calls g WHERE g.attempt_id = t.id "
        "AND g.result = 'abandoned') THEN 'abandoned' ELSE t.disposition END, "
        "k.other = 1, t.disposition = 'completed' AND EXISTS (SELECT FROM dnc_entries n "
        "WHERE n.tenant_id = $1 AND n.phone = k.phone AND n.call_id = t.id AND "
        "n.removed_at IS NULL) FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], "
        "$5::bigint[], "
        "$6::uuid[]) k(i, phone, campaign_id, other, own) "
        "CROSS JOIN LATERAL (SELECT * FROM attempts a WHERE a.tenant_id = $1 AND a.phone "
        "= k.phone OFFSET 0) t WHERE t.id <> k.own AND (t.state IN ('released', "
        "'ringing', 'answered', 'ended', 'unknown') OR (t.state = 'intent' AND (k.own = "
        "'00000000-0000-0000-0000-000000000000' OR t.id < k.own))) AND (t.intent_at > "
        "furrow_ts($7) OR t.campaign_id = k.campaign_id OR t.state IN ('intent', "
        "'released', 'ringing', 'answered')) ORDER BY 1, 2",
        &a);
    for (size_t k = 0; k < ARRAY_LEN(arrays); k++)
        buf_free(&arrays[k]);
    return err;
}

int facts_load_calls(struct pg *pg, const struct pg_args *args, int tenant_id,
                     const struct facts_key *keys, int64_t now_ms, struct facts_set *set)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct parties parties = {0};

    int err = find_parties(pg, args, set, &parties);
    if (!err)
        err = read_calls(pg, tenant_id, &parties, keys, now_ms, &res);
    free(parties.at);
    return err ? err : facts_each_number(set, res, take_calls);
}
