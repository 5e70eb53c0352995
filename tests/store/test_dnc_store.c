/* Do-not-call entries on a real Postgres, and how opt-outs stand to releases. */
#include "unit/cm.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "compliance/dnc_store.h"
#include "compliance/facts_store.h"
#include "store/pgtest.h"

#define NOW_MS INT64_C(1795161600000) /* 2026-11-20T08:00:00Z */

enum { TENANT = 1, WAIT_MS = 20000 };

static struct pg *db;
static int other_tenant;

static int empty_table(void **state)
{
    (void)state;
    pgtest_run(db, TENANT, "DELETE FROM dnc_entries");
    return 0;
}

static void add_dnc(int64_t phone, int64_t campaign)
{
    const struct dnc_entry entry = {
        .phone = phone, .campaign_id = campaign, .source = "cli"};
    bool added = false;

    assert_int_equal(dnc_add(db, TENANT, &entry, NOW_MS, &added), 0);
    assert_true(added);
}

/* What a release would see now; borrows nothing. */
static struct compliance_facts load(int64_t phone, int64_t campaign)
{
    const struct facts_key key = {.phone = phone, .campaign_id = campaign};
    struct facts_set *set = NULL;

    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_equal(facts_load(db, TENANT, &key, 1, NOW_MS, &set), 0);
    assert_int_equal(pg_commit(db), 0);
    struct compliance_facts f = facts_get(set, 0);
    facts_free(set);
    return f;
}

static void an_entry_holds_from_its_commit_for_all_campaigns_or_for_one(void **state)
{
    (void)state;
    assert_false(load(251911000001, 5).dnc_tenant);
    add_dnc(251911000001, 0);
    add_dnc(251911000002, 5);
    struct compliance_facts f = load(251911000001, 5);
    assert_true(f.dnc_tenant);
    assert_false(f.dnc_campaign);
    f = load(251911000002, 5);
    assert_false(f.dnc_tenant);
    assert_true(f.dnc_campaign);
    f = load(251911000002, 6);
    assert_false(f.dnc_tenant);
    assert_false(f.dnc_campaign);
    f = load(251911000001, 0); /* no campaign: the tenant's entry is one entry */
    assert_true(f.dnc_tenant);
    assert_false(f.dnc_campaign);
}

static void adding_twice_is_nothing_new(void **state)
{
    const struct dnc_entry entry = {.phone = 251911000003, .source = "sms"};
    bool added = true;

    (void)state;
    add_dnc(251911000003, 0);
    assert_int_equal(dnc_add(db, TENANT, &entry, NOW_MS + 1, &added), 0);
    assert_false(added);
    assert_int_equal(pgtest_i64(db, TENANT, "SELECT count(*) FROM dnc_entries"), 1);
}

struct seen {
    size_t n;
    struct dnc_row rows[8];
    char notes[8][40];
};

static int see(const struct dnc_row *row, void *arg)
{
    struct seen *s = arg;

    assert_true(s->n < 8);
    str_cut(s->notes[s->n], sizeof(s->notes[0]), row->removed_note);
    s->rows[s->n++] = *row;
    return 0;
}

static void a_removed_entry_stays_as_history(void **state)
{
    struct seen seen = {0};
    int64_t n = 0;

    (void)state;
    assert_int_equal(dnc_remove(db, TENANT, 251911000004, 0, NULL, NOW_MS), ENOENT);
    add_dnc(251911000004, 0);
    assert_int_equal(dnc_remove(db, TENANT, 251911000004, 5, NULL, NOW_MS), ENOENT);
    assert_int_equal(
        dnc_remove(db, TENANT, 251911000004, 0, "asked for calls", NOW_MS + 5), 0);
    assert_false(load(251911000004, 5).dnc_tenant);
    assert_int_equal(dnc_remove(db, TENANT, 251911000004, 0, NULL, NOW_MS), ENOENT);
    add_dnc(251911000004, 0);
    assert_true(load(251911000004, 5).dnc_tenant);
    assert_int_equal(dnc_find(db, TENANT, 251911000004, see, &seen), 0);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.rows[0].removed_at_ms, 0);
    assert_int_equal(seen.rows[1].removed_at_ms, NOW_MS + 5);
    assert_int_equal(seen.rows[1].added_at_ms, NOW_MS);
    assert_string_equal(seen.notes[1], "asked for calls");
    assert_int_equal(dnc_count(db, TENANT, &n), 0);
    assert_int_equal(n, 1);
}

static void many_go_in_at_once_and_only_new_ones_count(void **state)
{
    const int64_t phones[] = {251911000009, 251911000005, 251911000007, 251911000005};
    size_t added = 0;

    (void)state;
    add_dnc(251911000007, 0);
    assert_int_equal(
        dnc_add_many(db, TENANT, phones, 4, 0, "import", "file.csv", NOW_MS, &added), 0);
    assert_int_equal(added, 2);
    assert_int_equal(
        dnc_add_many(db, TENANT, phones, 4, 0, "import", "file.csv", NOW_MS, &added), 0);
    assert_int_equal(added, 0);
    assert_int_equal(
        dnc_add_many(db, TENANT, phones, 4, 9, "import", "file.csv", NOW_MS, &added), 0);
    assert_int_equal(added, 3);
    assert_int_equal(pgtest_i64(db, TENANT, "SELECT count(*) FROM dnc_entries"), 6);
}

static void inside_a_callers_transaction_an_entry_waits_for_its_end(void **state)
{
    const struct dnc_entry entry = {.phone = 251911000010, .source = "keypress"};
    bool added = false;

    (void)state;
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_equal(dnc_add(db, TENANT, &entry, NOW_MS, &added), 0);
    assert_true(added);
    pg_rollback(db);
    assert_false(load(251911000010, 0).dnc_tenant);
}

static void the_list_comes_page_by_page(void **state)
{
    struct seen seen = {0};
    int64_t after = 0;
    size_t n = 0;

    (void)state;
    for (int i = 0; i < 5; i++)
        add_dnc(251911000090 - i, i == 3 ? 8 : 0);
    assert_int_equal(dnc_remove(db, TENANT, 251911000089, 0, NULL, NOW_MS), 0);
    assert_int_equal(dnc_list(db, TENANT, 0, 3, &after, see, &seen, &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(dnc_list(db, TENANT, 0, 3, &after, see, &seen, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(seen.n, 4);
    assert_int_equal(seen.rows[0].phone, 251911000090);
    assert_int_equal(seen.rows[1].phone, 251911000088);
    assert_int_equal(seen.rows[3].phone, 251911000086);
    assert_int_equal(dnc_list(db, TENANT, 0, 3, &after, see, &seen, &n), 0);
    assert_int_equal(n, 0);
    after = 0;
    assert_int_equal(dnc_list(db, TENANT, 8, 3, &after, see, &seen, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(seen.rows[4].phone, 251911000087);
}

static void one_tenant_sees_nothing_of_another(void **state)
{
    struct seen seen = {0};
    int64_t n = -1;

    (void)state;
    add_dnc(251911000060, 0);
    assert_int_equal(dnc_find(db, other_tenant, 251911000060, see, &seen), 0);
    assert_int_equal(seen.n, 0);
    assert_int_equal(dnc_count(db, other_tenant, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(dnc_remove(db, other_tenant, 251911000060, 0, NULL, NOW_MS), ENOENT);
}

/* ---- opt-outs against releases ---- */

struct rival {
    struct pg *pg;
    int err;
    bool sees_dnc;
    atomic_bool done;
};

static void await_a_waiter(const struct rival *r)
{
    struct pg *super = pgtest_open_super();
    int64_t end_ms = mono_ms() + WAIT_MS;

    while (pgtest_i64(super, 0,
                      "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT "
                      "granted") == 0) {
        if (atomic_load(&r->done))
            fail_msg("it did not wait");
        if (mono_ms() > end_ms)
            fail_msg("nobody waits for the lock");
    }
    pg_close(super);
}

static void *opt_out(void *arg)
{
    const struct dnc_entry entry = {.phone = 251911000070, .source = "keypress"};
    struct rival *r = arg;
    bool added = false;

    r->err = dnc_add(r->pg, TENANT, &entry, NOW_MS, &added);
    atomic_store(&r->done, true);
    return NULL;
}

static void an_opt_out_waits_for_a_release_under_way(void **state)
{
    const int64_t phone = 251911000070;
    struct rival r = {.pg = pgtest_open()};
    pthread_t thread;

    (void)state;
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_equal(facts_lock_numbers(db, TENANT, &phone, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, opt_out, &r), 0);
    await_a_waiter(&r);
    assert_false(atomic_load(&r.done));
    assert_int_equal(pg_commit(db), 0);
    pthread_join(thread, NULL);
    assert_int_equal(r.err, 0);
    assert_true(load(phone, 1).dnc_tenant);
    pg_close(r.pg);
}

static void *release(void *arg)
{
    const struct facts_key key = {.phone = 251911000071, .campaign_id = 1};
    struct rival *r = arg;
    struct facts_set *set = NULL;

    r->err = pg_begin(r->pg, TENANT);
    if (!r->err)
        r->err = facts_lock_numbers(r->pg, TENANT, &key.phone, 1);
    if (!r->err)
        r->err = facts_load(r->pg, TENANT, &key, 1, NOW_MS, &set);
    r->err = pg_end(r->pg, r->err);
    if (!r->err)
        r->sees_dnc = facts_get(set, 0).dnc_tenant;
    facts_free(set);
    atomic_store(&r->done, true);
    return NULL;
}

static void a_release_that_waited_for_an_opt_out_sees_it(void **state)
{
    const struct dnc_entry entry = {.phone = 251911000071, .source = "keypress"};
    struct rival r = {.pg = pgtest_open()};
    pthread_t thread;
    bool added = false;

    (void)state;
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_equal(dnc_add(db, TENANT, &entry, NOW_MS, &added), 0);
    assert_int_equal(pthread_create(&thread, NULL, release, &r), 0);
    await_a_waiter(&r);
    assert_int_equal(pg_commit(db), 0);
    pthread_join(thread, NULL);
    assert_int_equal(r.err, 0);
    assert_true(r.sees_dnc);
    pg_close(r.pg);
}

enum { LOCKED = 40, ROUNDS = 60 };

static void *lock_backwards(void *arg)
{
    struct rival *r = arg;
    int64_t phones[LOCKED];

    for (int i = 0; i < LOCKED; i++)
        phones[i] = 251911002000 - i;
    for (int i = 0; i < ROUNDS && !r->err; i++) {
        r->err = pg_begin(r->pg, TENANT);
        if (!r->err)
            r->err = facts_lock_numbers(r->pg, TENANT, phones, LOCKED);
        r->err = pg_end(r->pg, r->err);
    }
    return NULL;
}

static void two_holders_of_the_same_numbers_never_deadlock(void **state)
{
    struct rival r = {.pg = pgtest_open()};
    int64_t phones[LOCKED];
    pthread_t thread;
    int err = 0;

    (void)state;
    for (int i = 0; i < LOCKED; i++)
        phones[i] = 251911002000 - LOCKED + 1 + i;
    assert_int_equal(pthread_create(&thread, NULL, lock_backwards, &r), 0);
    for (int i = 0; i < ROUNDS && !err; i++) {
        err = pg_begin(db, TENANT);
        if (!err)
            err = facts_lock_numbers(db, TENANT, phones, LOCKED);
        err = pg_end(db, err);
    }
    pthread_join(thread, NULL);
    assert_int_equal(err, 0);
    assert_int_equal(r.err, 0);
    pg_close(r.pg);
}

#define CASE(f) cmocka_unit_test_setup(f, empty_table)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_entry_holds_from_its_commit_for_all_campaigns_or_for_one),
        CASE(adding_twice_is_nothing_new),
        CASE(a_removed_entry_stays_as_history),
        CASE(many_go_in_at_once_and_only_new_ones_count),
        CASE(inside_a_callers_transaction_an_entry_waits_for_its_end),
        CASE(the_list_comes_page_by_page),
        CASE(one_tenant_sees_nothing_of_another),
        CASE(an_opt_out_waits_for_a_release_under_way),
        CASE(a_release_that_waited_for_an_opt_out_sees_it),
        CASE(two_holders_of_the_same_numbers_never_deadlock),
    };

    pgtest_start(PGTEST_POSTGRES);
    db = pgtest_open();
    struct pg *super = pgtest_open_super();
    other_tenant = (int)pgtest_i64(
        super, 0, "INSERT INTO tenants (name) VALUES ('other') RETURNING id");
    pg_close(super);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(db);
    return failed;
}
