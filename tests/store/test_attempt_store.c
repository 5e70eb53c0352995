/* The ledger on a real Postgres: claim, gate, moves, settlement. */
#include "unit/cm.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/xalloc.h"
#include "campaigns/attempt_store.h"
#include "campaigns/attempt_store_refuse.h"
#include "campaigns/retry.h"
#include "compliance/dnc_store.h"
#include "store/ledger_fixture.h"
#include "store/pgtest.h"

static struct pg *pg, *other;
static int64_t addis, honolulu, next_phone = 251911000000;
static int campaigns;

static int64_t new_campaign(const char *rules)
{
    char name[32];

    snprintf(name, sizeof(name), "c%d", ++campaigns);
    return ledger_campaign(pg, name, rules);
}

static int64_t new_contact(int64_t campaign)
{
    return ledger_contact(pg, campaign, addis, next_phone++, 0);
}

static struct attempt_claim_result claim(int64_t campaign, int64_t at_ms, size_t max,
                                         struct attempt_row *out)
{
    struct attempt_claim_result r = {0};

    assert_int_equal(attempt_claim(pg, TENANT, campaign, 3, at_ms, max, out, &r), 0);
    return r;
}

/* One contact of a campaign, claimed. */
static struct attempt_row intent(int64_t campaign)
{
    struct attempt_row row = {0};

    new_contact(campaign);
    assert_int_equal(claim(campaign, T0, 1, &row).intents, 1);
    return row;
}

static struct permit *release_one(const struct attempt_row *row, int64_t at_ms)
{
    struct permit *p = NULL;

    assert_int_equal(attempt_release(pg, TENANT, row, 1, at_ms, &p), 0);
    return p;
}

static size_t move(const struct attempt_move *m)
{
    size_t illegal = 9;

    assert_int_equal(attempt_move(pg, TENANT, m, 1, &illegal), 0);
    return illegal;
}

static int state_is(const struct attempt_row *row, const char *state)
{
    char id[UUID_TEXT_MAX];

    return ledger_is(pg, state, "SELECT state FROM attempts WHERE id = '%s'",
                     uuid_text(&row->id, id));
}

static int contact_is(const struct attempt_row *row, const char *expr, const char *wanted)
{
    return ledger_is(pg, wanted,
                     "SELECT %s FROM campaign_contacts WHERE campaign_id = %" PRId64
                     " AND contact_id = %" PRId64,
                     expr, row->campaign_id, row->contact_id);
}

/* What an update costs: a new entry in every index, unless it stays on its page. */
static int64_t updates(const char *kind)
{
    ledger_run(pg, "SELECT pg_stat_force_next_flush()");
    return ledger_i64(
        pg,
        "SELECT coalesce(sum(%s), 0) FROM pg_stat_user_tables WHERE relname "
        "LIKE 'attempts\\_%%'",
        kind);
}

static void the_moves_before_the_end_touch_no_index(void **state)
{
    int64_t c = new_campaign("");
    struct attempt_row rows[8];
    struct permit *p = NULL;

    (void)state;
    for (int i = 0; i < 8; i++)
        new_contact(c);
    assert_int_equal(claim(c, T0, 8, rows).intents, 8);
    int64_t all = updates("n_tup_upd"), on_page = updates("n_tup_hot_upd");
    for (int i = 0; i < 8; i++) {
        p = release_one(&rows[i], T0 + 1);
        assert_non_null(p);
        permit_free(p);
        struct attempt_move m = {
            .id = rows[i].id, .to = ATTEMPT_RINGING, .at_ms = T0 + 2};
        assert_int_equal(move(&m), 0);
        m.to = ATTEMPT_ANSWERED;
        assert_int_equal(move(&m), 0);
    }
    assert_int_equal(updates("n_tup_upd") - all, 24);
    assert_int_equal(updates("n_tup_hot_upd") - on_page, 24);
    for (int i = 0; i < 8; i++) {
        struct attempt_move m = {.id = rows[i].id,
                                 .to = ATTEMPT_ENDED,
                                 .at_ms = T0 + 3,
                                 .disposition = DISPOSITION_COMPLETED};
        assert_int_equal(move(&m), 0);
    }
    assert_int_equal(updates("n_tup_hot_upd") - on_page, 24);
    assert_int_equal(
        ledger_i64(pg,
                   "SELECT count(*) FROM attempts WHERE campaign_id = %" PRId64
                   " AND ended_at IS NULL",
                   c),
        0);
}

static void the_next_months_have_room_too(void **state)
{
    (void)state;
    pgtest_run(pg, TENANT,
               "SELECT furrow_make_month('attempts', timestamptz '2042-05-01')");
    assert_true(ledger_is(pg, "1",
                          "SELECT count(*) FROM pg_class WHERE relname = "
                          "'attempts_204205' AND reloptions @> ARRAY['fillfactor=50']"));
}

/* ---- claim ---- */

static void a_claim_writes_intents_and_decisions_together(void **state)
{
    int64_t c = new_campaign("");
    struct attempt_row rows[5] = {0};

    (void)state;
    for (int i = 0; i < 3; i++)
        new_contact(c);
    struct attempt_claim_result r = claim(c, T0, 5, rows);
    assert_int_equal(r.intents, 3);
    assert_int_equal(r.looked_at, 3);
    assert_int_equal(r.refused, 0);
    for (int i = 0; i < 3; i++) {
        assert_true(state_is(&rows[i], "intent"));
        assert_true(contact_is(&rows[i], "state", "calling"));
        assert_int_equal(rows[i].number, 1);
        assert_int_equal(rows[i].slot, 3);
        assert_string_equal(rows[i].caller_id, "+251115550100");
    }
    assert_int_equal(
        ledger_i64(pg,
                   "SELECT count(*) FROM decisions d JOIN attempts a ON a.id "
                   "= d.attempt_id WHERE d.campaign_id = %" PRId64
                   " AND d.stage = 1 AND d.reason = 0 AND "
                   "d.inputs->>'clock' = 'virtual'",
                   c),
        3);
    assert_int_equal(claim(c, T0, 5, rows).intents, 0);
}

static void closed_zones_are_not_looked_at(void **state)
{
    int64_t c = new_campaign("");
    struct attempt_row rows[4];

    (void)state;
    ledger_contact(pg, c, honolulu, next_phone++, 0);
    struct attempt_claim_result r = claim(c, T0, 4, rows);
    assert_int_equal(r.looked_at, 0);
    assert_int_equal(r.next_due_ms, HONOLULU_OPENS);
    assert_int_equal(
        ledger_i64(pg, "SELECT count(*) FROM decisions WHERE campaign_id = %" PRId64, c),
        0);
    new_contact(c);
    r = claim(c, T0, 4, rows);
    assert_int_equal(r.looked_at, 1);
    assert_int_equal(r.intents, 1);
    assert_int_equal(claim(c, HONOLULU_OPENS + 1, 4, rows).intents, 1);
}

static void contacts_whose_zone_is_unknown_learn_why_they_wait(void **state)
{
    int64_t c = new_campaign("");
    struct attempt_row row = {.campaign_id = c};

    (void)state;
    row.contact_id = ledger_contact(pg, c, ledger_zone(pg, "ET", ""), next_phone++, 0);
    struct attempt_claim_result r = claim(c, T0, 1, &(struct attempt_row){0});
    assert_int_equal(r.refused, 1);
    assert_true(contact_is(&row, "last_refusal", "401"));
    assert_true(contact_is(&row, "state", "pending"));
    assert_true(contact_is(&row, "(next_attempt_at > furrow_ts(1795507200000))", "true"));
    assert_int_equal(claim(c, T0 + 1, 1, &(struct attempt_row){0}).looked_at, 0);
}

static void higher_priority_and_due_contacts_go_first(void **state)
{
    int64_t c = new_campaign("");
    struct attempt_row rows[3];

    (void)state;
    new_contact(c);
    int64_t late = new_contact(c);
    int64_t first = ledger_contact(pg, c, addis, next_phone++, 1);
    ledger_run(pg,
               "UPDATE campaign_contacts SET next_attempt_at = furrow_ts(%" PRId64
               ") WHERE campaign_id = %" PRId64 " AND contact_id = %" PRId64,
               T0 + 5000, c, late);
    struct attempt_claim_result r = claim(c, T0, 1, rows);
    assert_int_equal(rows[0].contact_id, first);
    assert_int_equal(r.next_due_ms, T0);
    assert_int_equal(claim(c, T0, 3, rows).intents, 1);
    r = claim(c, T0, 3, rows);
    assert_int_equal(r.looked_at, 0);
    assert_int_equal(r.next_due_ms, T0 + 5000);
    assert_int_equal(claim(c, T0 + 5000, 3, rows).intents, 1);
}

static void a_refusal_for_good_is_final_and_a_call_elsewhere_delays(void **state)
{
    int64_t c = new_campaign(""), c2 = new_campaign("");
    struct attempt_row row = {.campaign_id = c}, busy = intent(c2), twin = {0};
    bool added = false;

    (void)state;
    row.contact_id = new_contact(c);
    struct dnc_entry dnc = {.phone = next_phone - 1, .source = "cli"};
    assert_int_equal(dnc_add(pg, TENANT, &dnc, T0, &added), 0);
    twin = (struct attempt_row){
        .campaign_id = c, .contact_id = ledger_contact(pg, c, addis, busy.phone, 0)};
    struct attempt_claim_result r = claim(c, T0, 5, &(struct attempt_row){0});
    assert_int_equal(r.refused, 2);
    assert_int_equal(r.intents, 0);
    assert_true(contact_is(&row, "final", "DNC_INTERNAL"));
    assert_true(contact_is(&row, "state", "final"));
    assert_true(contact_is(&row, "first_refusal", "201"));
    assert_true(contact_is(&twin, "state", "pending"));
    assert_true(
        contact_is(&twin, "(next_attempt_at > furrow_ts(1795507200000))", "true"));
}

static void a_refusal_waits_as_its_class_says(void **state)
{
    struct verdict v = {
        .n = 1, .reason = REASON_OUTSIDE_WINDOW, .next_allowed_ms = T0 + 5};

    (void)state;
    v.reasons[0] = v.reason;
    assert_int_equal(attempt_refusal_next_ms(&v, T0), T0 + 5);
    v.next_allowed_ms = 0;
    assert_int_equal(attempt_refusal_next_ms(&v, T0), T0 + 24 * 3600 * 1000);
    v.reasons[v.n++] = REASON_IN_FLIGHT;
    assert_int_equal(attempt_refusal_next_ms(&v, T0), T0 + 3600 * 1000);
    v.reason = REASON_IN_FLIGHT;
    assert_int_equal(attempt_refusal_next_ms(&v, T0), T0 + 60 * 1000);
    v.reason = REASON_TZ_UNKNOWN;
    assert_int_equal(attempt_refusal_next_ms(&v, T0), T0 + 4 * 3600 * 1000);
    v.reason = REASON_DNC_INTERNAL;
    assert_int_equal(attempt_refusal_next_ms(&v, T0), 0);
    v.reason = REASON_CAMPAIGN_STOPPED;
    assert_int_equal(attempt_refusal_next_ms(&v, T0), T0);
}

static void a_campaign_that_does_not_run_gives_nothing(void **state)
{
    int64_t c = new_campaign("");

    (void)state;
    new_contact(c);
    ledger_run(pg, "UPDATE campaigns SET state = 'paused' WHERE id = %" PRId64, c);
    assert_int_equal(claim(c, T0, 1, &(struct attempt_row){0}).looked_at, 0);
    struct attempt_claim_result r;
    assert_int_equal(
        attempt_claim(pg, TENANT, 999999, 0, T0, 1, &(struct attempt_row){0}, &r),
        ENOENT);
}

static void a_clock_that_is_wrong_gives_no_calls(void **state)
{
    int64_t c = new_campaign("");
    struct attempt_row row = intent(c), next = {0};
    struct errtext e = {0};

    (void)state;
    new_contact(c);
    assert_int_equal(clock_init("real", &e), 0);
    size_t looked_at = claim(c, T0, 1, &next).looked_at;
    struct permit *p = release_one(&row, T0);
    assert_int_equal(clock_init("2026-11-24T08:00:00Z@1", &e), 0);
    assert_int_equal(looked_at, 0);
    assert_null(p);
    assert_true(state_is(&row, "withdrawn"));
    assert_true(contact_is(&row, "state", "pending"));
    assert_true(contact_is(&row, "last_refusal", "null"));
}

enum { SHARED = 300 };

struct claimer {
    struct pg *pg;
    int64_t campaign;
    struct attempt_row rows[SHARED];
    size_t n;
    int err;
};

static void *claim_all(void *arg)
{
    struct claimer *c = arg;
    struct attempt_claim_result r = {0};

    for (int i = 0; i < SHARED && !c->err; i++) {
        c->err = attempt_claim(c->pg, TENANT, c->campaign, 1, T0, 7, c->rows + c->n, &r);
        c->n += r.intents;
        if (r.looked_at == 0 && r.next_due_ms == 0)
            break;
    }
    return NULL;
}

static void two_claimers_never_get_one_contact_twice(void **state)
{
    static struct claimer a, b;
    int64_t c = new_campaign("");
    pthread_t ta, tb;

    (void)state;
    for (int i = 0; i < SHARED; i++)
        new_contact(c);
    a = (struct claimer){.pg = pg, .campaign = c};
    b = (struct claimer){.pg = other, .campaign = c};
    assert_int_equal(pthread_create(&ta, NULL, claim_all, &a), 0);
    assert_int_equal(pthread_create(&tb, NULL, claim_all, &b), 0);
    pthread_join(ta, NULL);
    pthread_join(tb, NULL);
    assert_int_equal(a.err | b.err, 0);
    assert_true(a.n > 0 && b.n > 0);
    assert_int_equal(a.n + b.n, SHARED);
    assert_int_equal(ledger_i64(pg,
                                "SELECT count(DISTINCT contact_id) FROM attempts WHERE "
                                "campaign_id = %" PRId64,
                                c),
                     SHARED);
}

/* ---- the gate ---- */

static void a_release_mints_a_permit_for_what_it_committed(void **state)
{
    int64_t c = new_campaign("");
    struct attempt_row row = intent(c);

    (void)state;
    struct permit *p = release_one(&row, T0 + 10);
    assert_non_null(p);
    const struct permit_facts *f = permit_facts(p);
    assert_memory_equal(&f->attempt, &row.id, sizeof(row.id));
    assert_int_equal(f->phone, row.phone);
    assert_string_equal(f->caller_id, "+251115550100");
    /* 20:00 in Addis Ababa less the guard of 30 s */
    assert_int_equal(f->open_until_ms, T0 + 9 * 3600 * 1000 - 30 * 1000);
    permit_free(p);
    assert_true(state_is(&row, "released"));
    /* never twice */
    assert_null(release_one(&row, T0 + 20));
    assert_true(state_is(&row, "released"));
}

static void a_pause_in_between_withdraws(void **state)
{
    int64_t c = new_campaign("");
    struct attempt_row row = intent(c);

    (void)state;
    ledger_run(pg, "UPDATE campaigns SET state = 'paused' WHERE id = %" PRId64, c);
    assert_null(release_one(&row, T0));
    assert_true(state_is(&row, "withdrawn"));
    assert_true(contact_is(&row, "state", "pending"));
    assert_true(contact_is(&row, "attempts", "0"));
    assert_true(contact_is(&row, "first_refusal", "null"));
    ledger_run(pg, "UPDATE campaigns SET state = 'running' WHERE id = %" PRId64, c);
    struct attempt_row again = {0};
    assert_int_equal(claim(c, T0, 1, &again).intents, 1);
    assert_int_equal(again.number, 1);
}

static void a_closed_window_at_release_withdraws_until_it_opens(void **state)
{
    int64_t c = new_campaign("");
    struct attempt_row row = intent(c);

    (void)state;
    assert_null(release_one(&row, T0 + 10 * 3600 * 1000)); /* 21:00 */
    assert_true(state_is(&row, "withdrawn"));
    /* 09:00 on the next day */
    assert_true(contact_is(&row, "furrow_ms(next_attempt_at)", "1795586400000"));
    assert_true(contact_is(&row, "last_refusal", "403"));
}

/* A zone's file of a package of this version, as dpkg replaces it. */
static void install_zone(const char *dir, const char *name, const char *rules_of,
                         const char *version)
{
    char from[128], to[128], marker[128], text[64];
    char *data = NULL;
    size_t len = 0;

    snprintf(from, sizeof(from), "/usr/share/zoneinfo/%s", rules_of);
    snprintf(to, sizeof(to), "%s/%s", dir, name);
    snprintf(marker, sizeof(marker), "%s/tzdata.zi", dir);
    snprintf(text, sizeof(text), "# version %s\n", version);
    assert_int_equal(files_read(from, 1 << 20, &data, &len), 0);
    assert_int_equal(files_write_atomic(to, data, len), 0);
    assert_int_equal(files_write_atomic(marker, text, strlen(text)), 0);
    free(data);
}

static bool decided_with(const struct attempt_row *row, const char *version)
{
    char id[UUID_TEXT_MAX];

    return ledger_is(pg, version,
                     "SELECT inputs->>'tzdata' FROM decisions WHERE attempt_id = '%s' "
                     "ORDER BY id DESC LIMIT 1",
                     uuid_text(&row->id, id));
}

static void new_time_zone_data_count_from_the_next_decision_on(void **state)
{
    char dir[128], sub[160];
    int64_t c = new_campaign("");
    struct attempt_row rows[4];

    (void)state;
    snprintf(dir, sizeof(dir), "%s/zones", pgtest_dir());
    snprintf(sub, sizeof(sub), "%s/Africa", dir);
    assert_int_equal(mkdir(dir, 0755) || mkdir(sub, 0755), 0);
    install_zone(dir, "Africa/Addis_Ababa", "Africa/Addis_Ababa", "2026f");
    setenv("TZDIR", dir, 1);
    struct attempt_row open = intent(c), held = intent(c);
    struct permit *p = release_one(&open, T0);
    assert_non_null(p);
    permit_free(p);
    assert_true(decided_with(&open, "2026f"));
    /* By a law of this night it is 22:00 there: claimed before, refused after. */
    install_zone(dir, "Africa/Addis_Ababa", "Pacific/Honolulu", "2026g");
    assert_null(release_one(&held, T0));
    assert_true(decided_with(&held, "2026g"));
    assert_true(contact_is(&held, "last_refusal", "403"));
    new_contact(c);
    assert_int_equal(claim(c, T0, 4, rows).looked_at, 0);
    /* And back; a file that cannot be read lets nobody through. */
    install_zone(dir, "Africa/Addis_Ababa", "Africa/Addis_Ababa", "2026h");
    new_contact(c);
    assert_int_equal(claim(c, T0, 1, rows).intents, 1);
    snprintf(sub, sizeof(sub), "%s/Africa/Addis_Ababa", dir);
    assert_int_equal(files_write_atomic(sub, "TZif", 4), 0);
    assert_null(release_one(&rows[0], T0));
    new_contact(c);
    assert_int_equal(claim(c, T0, 4, rows).intents, 0);
    /* Nor data older than the campaign's rules ask for. */
    install_zone(dir, "Africa/Addis_Ababa", "Africa/Addis_Ababa", "2020a");
    new_contact(c);
    assert_int_equal(claim(c, T0, 4, rows).intents, 0);
    assert_int_equal(
        ledger_i64(pg,
                   "SELECT (count(*) > 0)::int FROM decisions WHERE campaign_id = "
                   "%" PRId64 " AND reason = 706",
                   c),
        1);
    unsetenv("TZDIR");
}

static void of_two_intents_for_one_number_one_is_released(void **state)
{
    int64_t c1 = new_campaign(""), c2 = new_campaign("");
    struct attempt_row rows[2] = {intent(c1)};
    struct permit *permits[2];
    char id[UUID_TEXT_MAX];

    (void)state;
    rows[1] = (struct attempt_row){.id = uuid_v7(T0 + 1),
                                   .campaign_id = c2,
                                   .contact_id =
                                       ledger_contact(pg, c2, addis, rows[0].phone, 0),
                                   .phone = rows[0].phone};
    ledger_run(pg,
               "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, "
               "trunk_id, slot, number, state, intent_at) VALUES ('%s', 1, %" PRId64
               ", %" PRId64 ", %" PRId64 ", 1, 3, 1, 'intent', furrow_ts(%" PRId64 "))",
               uuid_text(&rows[1].id, id), c2, rows[1].contact_id, rows[1].phone, T0 + 1);
    ledger_run(
        pg, "UPDATE campaign_contacts SET state = 'calling' WHERE campaign_id = %" PRId64,
        c2);
    assert_int_equal(attempt_release(pg, TENANT, rows, 2, T0 + 2, permits), 0);
    assert_non_null(permits[0]);
    assert_null(permits[1]);
    permit_free(permits[0]);
    assert_true(state_is(&rows[0], "released"));
    assert_true(state_is(&rows[1], "withdrawn"));
}

static void a_row_that_lies_about_its_number_changes_nothing(void **state)
{
    int64_t c = new_campaign("");
    struct attempt_row row = intent(c), lie = row;
    struct permit *p = NULL;

    (void)state;
    lie.phone++;
    assert_int_equal(attempt_release(pg, TENANT, &lie, 1, T0, &p), EINVAL);
    assert_null(p);
    assert_true(state_is(&row, "intent"));
}

struct opter {
    int64_t phone;
    atomic_int *committed; /* set once the opt-out has committed */
    pthread_barrier_t *go;
    int err;
};

static void *opt_out(void *arg)
{
    struct opter *o = arg;
    struct dnc_entry entry = {.phone = o->phone, .source = "keypress"};
    bool added = false;

    pthread_barrier_wait(o->go);
    o->err = dnc_add(other, TENANT, &entry, T0, &added);
    atomic_store(o->committed, 1);
    return NULL;
}

/* Whatever the order, it is one: an attempt is released only where the opt-out's
 * transaction began to hold the lock later. The entry's and the release's commits
 * are told apart by what the release saw. */
static void no_permit_is_minted_after_an_opt_out_committed(void **state)
{
    enum { ROUNDS = 60 };
    int64_t c = new_campaign("");
    int released = 0, refused = 0;
    pthread_barrier_t go;

    (void)state;
    pthread_barrier_init(&go, NULL, 2);
    for (int i = 0; i < ROUNDS; i++) {
        struct attempt_row row = intent(c);
        atomic_int committed = 0;
        struct opter o = {.phone = row.phone, .committed = &committed, .go = &go};
        struct permit *p = NULL;
        pthread_t t;

        assert_int_equal(pthread_create(&t, NULL, opt_out, &o), 0);
        pthread_barrier_wait(&go);
        /* In some rounds the opt-out is given time to come first. */
        for (int spin = 0; i % 3 == 0 && spin < 20000000 && !atomic_load(&committed);
             spin++)
            ;
        int before = atomic_load(&committed);
        int err = attempt_release(pg, TENANT, &row, 1, T0 + 1, &p);
        pthread_join(t, NULL);
        assert_int_equal(err | o.err, 0);
        assert_false(before && p);
        assert_int_equal(p != NULL, state_is(&row, "released"));
        if (p)
            released++;
        else
            refused++;
        assert_int_equal(!p, contact_is(&row, "final", "DNC_INTERNAL"));
        permit_free(p);
        /* Either way the next one is refused. */
        ledger_run(pg,
                   "UPDATE attempts SET state = 'intent', ended_at = NULL WHERE phone = "
                   "%" PRId64,
                   row.phone);
        assert_null(release_one(&row, T0 + 2));
    }
    assert_true(refused > 0);
    assert_int_equal(released + refused, ROUNDS);
    pthread_barrier_destroy(&go);
}

static void a_release_waits_for_an_opt_out_that_holds_the_number(void **state)
{
    int64_t c = new_campaign("");
    struct attempt_row row = intent(c);
    struct dnc_entry entry = {.phone = row.phone, .source = "keypress"};
    struct permit *p = NULL;
    bool added = false;

    (void)state;
    assert_int_equal(pg_begin(other, TENANT), 0);
    assert_int_equal(dnc_add(other, TENANT, &entry, T0, &added), 0);
    PQclear(PQexec(pg_conn(pg), "SET lock_timeout = '200ms'"));
    assert_int_not_equal(attempt_release(pg, TENANT, &row, 1, T0, &p), 0);
    assert_null(p);
    PQclear(PQexec(pg_conn(pg), "SET lock_timeout = 0"));
    assert_int_equal(pg_commit(other), 0);
    assert_null(release_one(&row, T0));
    assert_true(contact_is(&row, "final", "DNC_INTERNAL"));
}

static void a_release_waits_for_a_pause_that_is_under_way(void **state)
{
    int64_t c = new_campaign("");
    struct attempt_row row = intent(c);
    struct permit *p = NULL;
    char sql[120];

    (void)state;
    snprintf(sql, sizeof(sql),
             "UPDATE campaigns SET state = 'paused' WHERE id = %" PRId64, c);
    assert_int_equal(pg_begin(other, TENANT), 0);
    PQclear(PQexec(pg_conn(other), sql));
    PQclear(PQexec(pg_conn(pg), "SET lock_timeout = '200ms'"));
    assert_int_not_equal(attempt_release(pg, TENANT, &row, 1, T0, &p), 0);
    assert_null(p);
    PQclear(PQexec(pg_conn(pg), "SET lock_timeout = 0"));
    assert_true(state_is(&row, "intent"));
    assert_int_equal(pg_commit(other), 0);
    assert_null(release_one(&row, T0));
    assert_true(state_is(&row, "withdrawn"));
}

/* ---- moves ---- */

static void only_legal_moves_are_made(void **state)
{
    int64_t c = new_campaign("");

    (void)state;
    for (int from = 0; from < ATTEMPT_STATES; from++) {
        for (int to = 0; to < ATTEMPT_STATES; to++) {
            struct attempt_row row = intent(c);
            char id[UUID_TEXT_MAX];
            bool legal = from == to || (to != ATTEMPT_RELEASED &&
                                        attempt_may_move((enum attempt_state)from,
                                                         (enum attempt_state)to));

            ledger_run(pg, "UPDATE attempts SET state = '%s' WHERE id = '%s'",
                       attempt_state_name((enum attempt_state)from),
                       uuid_text(&row.id, id));
            size_t illegal = move(&(struct attempt_move){
                .id = row.id, .to = (enum attempt_state)to, .at_ms = T0 + 5});
            assert_int_equal(illegal, !legal);
            assert_true(state_is(
                &row, attempt_state_name((enum attempt_state)(legal ? to : from))));
        }
    }
    assert_int_equal(move(&(struct attempt_move){.id = uuid_v7(T0), .to = ATTEMPT_ENDED}),
                     1);
}

static struct attempt_row released(int64_t campaign)
{
    struct attempt_row row = intent(campaign);
    struct permit *p = release_one(&row, T0);

    assert_non_null(p);
    permit_free(p);
    return row;
}

static void a_whole_call_in_one_batch_settles_once(void **state)
{
    int64_t c = new_campaign("");
    struct attempt_row row = released(c);
    size_t illegal = 0;
    struct attempt_move m[] = {
        {.id = row.id, .to = ATTEMPT_RINGING, .at_ms = T0 + 1000},
        {.id = row.id, .to = ATTEMPT_ANSWERED, .at_ms = T0 + 2000},
        {.id = row.id, .to = ATTEMPT_ENDED, .at_ms = T0 + 9000, .cause = 16, .note = "x"},
        {.id = row.id, .to = ATTEMPT_UNKNOWN, .at_ms = T0 + 9000},
    };

    (void)state;
    for (int i = 0; i < 2; i++) { /* the second time changes nothing */
        assert_int_equal(attempt_move(pg, TENANT, m, 3, &illegal), 0);
        assert_int_equal(illegal, 0);
        assert_true(state_is(&row, "ended"));
        assert_true(contact_is(&row, "attempts", "1"));
        assert_true(contact_is(&row, "final", "completed"));
    }
    assert_int_equal(attempt_move(pg, TENANT, m, 4, &illegal), 0);
    assert_int_equal(illegal, 1);
    assert_int_equal(
        ledger_i64(pg,
                   "SELECT count(*) FROM attempts WHERE contact_id = %" PRId64
                   " AND ringing_at = furrow_ts(%" PRId64
                   ") AND answered_at = furrow_ts(%" PRId64
                   ") AND ended_at = furrow_ts(%" PRId64
                   ") AND cause = 16 AND disposition = 'completed' AND note = "
                   "'x'",
                   row.contact_id, T0 + 1000, T0 + 2000, T0 + 9000),
        1);
}

static void each_disposition_settles_by_its_rule(void **state)
{
    struct retry_rules rules;
    int64_t c = new_campaign("");

    (void)state;
    retry_rules_default(&rules);
    for (int d = 0; d < DISPOSITIONS; d++) {
        struct attempt_row row = released(c);
        int64_t delay_s = 0;
        char next[32];
        bool again = retry_next(&rules, (enum disposition)d, 1, &delay_s) == RETRY_AGAIN;

        assert_int_equal(move(&(struct attempt_move){.id = row.id,
                                                     .to = ATTEMPT_ENDED,
                                                     .at_ms = T0 + 1000,
                                                     .disposition = (enum disposition)d}),
                         0);
        assert_true(
            contact_is(&row, "last_disposition", disposition_name((enum disposition)d)));
        assert_true(contact_is(&row, "attempts", "1"));
        snprintf(next, sizeof(next), "%" PRId64, T0 + 1000 + delay_s * 1000);
        assert_true(contact_is(&row, "state", again ? "pending" : "final"));
        assert_true(contact_is(&row, "final",
                               again ? "null" : disposition_name((enum disposition)d)));
        if (again)
            assert_true(contact_is(&row, "furrow_ms(next_attempt_at)", next));
    }
}

static void the_last_attempt_is_final(void **state)
{
    int64_t c = new_campaign(",\"retry\":{\"busy\":{\"max_attempts\":2,\"delay_s\":60}}");
    struct attempt_row row = released(c);

    (void)state;
    ledger_run(
        pg, "UPDATE campaign_contacts SET attempts = 1 WHERE campaign_id = %" PRId64, c);
    assert_int_equal(move(&(struct attempt_move){.id = row.id,
                                                 .to = ATTEMPT_ENDED,
                                                 .at_ms = T0 + 1,
                                                 .disposition = DISPOSITION_BUSY}),
                     0);
    assert_true(contact_is(&row, "final", "busy"));
    assert_true(contact_is(&row, "attempts", "2"));
}

static void
who_holds_no_permit_withdraws_an_intent_and_nothing_that_was_released(void **state)
{
    int64_t c = new_campaign("");
    struct attempt_row i = intent(c), r = released(c);
    struct attempt_move m = {
        .to = ATTEMPT_WITHDRAWN, .at_ms = T0 + 1, .only_intent = true};

    (void)state;
    m.id = r.id;
    assert_int_equal(move(&m), 1);
    assert_true(state_is(&r, "released"));
    m.id = i.id;
    assert_int_equal(move(&m), 0);
    assert_true(state_is(&i, "withdrawn"));
}

static void withdrawn_uses_no_attempt_and_unknown_uses_one(void **state)
{
    int64_t c = new_campaign("");
    struct attempt_row w = released(c), u = released(c);

    (void)state;
    move(&(struct attempt_move){.id = w.id, .to = ATTEMPT_WITHDRAWN, .at_ms = T0 + 1});
    assert_true(contact_is(&w, "state", "pending"));
    assert_true(contact_is(&w, "attempts", "0"));
    assert_true(contact_is(&w, "last_disposition", "null"));
    move(&(struct attempt_move){.id = u.id, .to = ATTEMPT_UNKNOWN, .at_ms = T0 + 1});
    assert_true(contact_is(&u, "attempts", "1"));
    assert_true(contact_is(&u, "last_disposition", "unknown"));
    assert_true(contact_is(&u, "state", "pending"));
    /* The rules' gap holds for what is unknown. */
    ledger_run(pg,
               "UPDATE campaign_contacts SET next_attempt_at = furrow_ts(%" PRId64
               ") WHERE contact_id = %" PRId64,
               T0, u.contact_id);
    struct attempt_row rows[2];
    struct attempt_claim_result r = claim(c, T0 + 60000, 2, rows);
    assert_int_equal(r.intents, 1);
    assert_int_equal(rows[0].contact_id, w.contact_id);
    assert_int_equal(r.refused, 1);
    assert_true(contact_is(&u, "last_refusal", "509"));
}

static void a_clock_that_is_set_back_brings_no_withdrawn_call_nearer(void **state)
{
    int64_t c = new_campaign("");
    struct attempt_row w = released(c);
    char due[32];

    (void)state;
    snprintf(due, sizeof(due), "%" PRId64, T0 - 1000);
    ledger_run(pg,
               "UPDATE campaign_contacts SET next_attempt_at = furrow_ts(%" PRId64
               ") WHERE contact_id = %" PRId64,
               T0 - 1000, w.contact_id);
    move(&(struct attempt_move){
        .id = w.id, .to = ATTEMPT_WITHDRAWN, .at_ms = T0 - 3600000});
    assert_true(contact_is(&w, "state", "pending"));
    assert_true(contact_is(&w, "furrow_ms(next_attempt_at)", due));
}

static void opted_out_is_final_and_a_callback_comes_before_the_rule(void **state)
{
    int64_t c = new_campaign("");
    struct attempt_row o = released(c), b = released(c), s = released(c);

    (void)state;
    move(&(struct attempt_move){.id = o.id,
                                .to = ATTEMPT_ENDED,
                                .at_ms = T0 + 1,
                                .opted_out = true,
                                .callback_at_ms = T0 + 99});
    assert_true(contact_is(&o, "final", "opted_out"));
    move(&(struct attempt_move){.id = b.id,
                                .to = ATTEMPT_ENDED,
                                .at_ms = T0 + 1,
                                .callback_at_ms = T0 + 7200000});
    assert_true(contact_is(&b, "state", "pending"));
    assert_true(contact_is(&b, "furrow_ms(next_attempt_at)", "1795514400000"));
    assert_true(contact_is(&b, "priority", "10000"));
    /* asked for in a step, lost by the process since */
    ledger_run(pg,
               "UPDATE campaign_contacts SET next_attempt_at = furrow_ts(%" PRId64
               ") WHERE contact_id = %" PRId64,
               T0 + 7200000, s.contact_id);
    move(&(struct attempt_move){.id = s.id, .to = ATTEMPT_ENDED, .at_ms = T0 + 1});
    assert_true(contact_is(&s, "state", "pending"));
    assert_true(contact_is(&s, "furrow_ms(next_attempt_at)", "1795514400000"));
}

static void open_attempts_are_listed_and_counted(void **state)
{
    int64_t c = new_campaign("");
    struct attempt_row a = intent(c), b = released(c), *list = NULL;
    struct attempt_open_count *counts = NULL;
    size_t n = 0, found = 0;

    (void)state;
    move(&(struct attempt_move){.id = a.id, .to = ATTEMPT_WITHDRAWN, .at_ms = T0});
    assert_int_equal(attempt_list_open(pg, TENANT, 3, &list, &n), 0);
    for (size_t i = 0; i < n; i++)
        if (list[i].campaign_id == c) {
            found++;
            assert_memory_equal(&list[i].id, &b.id, sizeof(b.id));
            assert_int_equal(list[i].state, ATTEMPT_RELEASED);
        }
    assert_int_equal(found, 1);
    free(list);
    assert_int_equal(attempt_list_open(pg, TENANT, 77, &list, &n), 0);
    assert_int_equal(n, 0);
    free(list);
    assert_int_equal(attempt_count_open(pg, TENANT, &counts, &n), 0);
    for (size_t i = found = 0; i < n; i++)
        if (counts[i].campaign_id == c)
            found = (size_t)counts[i].count;
    assert_int_equal(found, 1);
    free(counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_claim_writes_intents_and_decisions_together),
        cmocka_unit_test(closed_zones_are_not_looked_at),
        cmocka_unit_test(contacts_whose_zone_is_unknown_learn_why_they_wait),
        cmocka_unit_test(higher_priority_and_due_contacts_go_first),
        cmocka_unit_test(a_refusal_for_good_is_final_and_a_call_elsewhere_delays),
        cmocka_unit_test(a_refusal_waits_as_its_class_says),
        cmocka_unit_test(a_campaign_that_does_not_run_gives_nothing),
        cmocka_unit_test(a_clock_that_is_wrong_gives_no_calls),
        cmocka_unit_test(two_claimers_never_get_one_contact_twice),
        cmocka_unit_test(a_release_mints_a_permit_for_what_it_committed),
        cmocka_unit_test(a_pause_in_between_withdraws),
        cmocka_unit_test(a_closed_window_at_release_withdraws_until_it_opens),
        cmocka_unit_test(new_time_zone_data_count_from_the_next_decision_on),
        cmocka_unit_test(of_two_intents_for_one_number_one_is_released),
        cmocka_unit_test(a_row_that_lies_about_its_number_changes_nothing),
        cmocka_unit_test(no_permit_is_minted_after_an_opt_out_committed),
        cmocka_unit_test(a_release_waits_for_an_opt_out_that_holds_the_number),
        cmocka_unit_test(a_release_waits_for_a_pause_that_is_under_way),
        cmocka_unit_test(only_legal_moves_are_made),
        cmocka_unit_test(a_whole_call_in_one_batch_settles_once),
        cmocka_unit_test(each_disposition_settles_by_its_rule),
        cmocka_unit_test(the_last_attempt_is_final),
        cmocka_unit_test(
            who_holds_no_permit_withdraws_an_intent_and_nothing_that_was_released),
        cmocka_unit_test(withdrawn_uses_no_attempt_and_unknown_uses_one),
        cmocka_unit_test(a_clock_that_is_set_back_brings_no_withdrawn_call_nearer),
        cmocka_unit_test(opted_out_is_final_and_a_callback_comes_before_the_rule),
        cmocka_unit_test(open_attempts_are_listed_and_counted),
        cmocka_unit_test(the_moves_before_the_end_touch_no_index),
        cmocka_unit_test(the_next_months_have_room_too),
    };

    pgtest_start(PGTEST_POSTGRES);
    pg = pgtest_open();
    other = pgtest_open();
    ledger_fixture_start(pg);
    addis = ledger_zone(pg, "ET", "Africa/Addis_Ababa");
    honolulu = ledger_zone(pg, "US", "Pacific/Honolulu");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(pg);
    pg_close(other);
    return failed;
}
