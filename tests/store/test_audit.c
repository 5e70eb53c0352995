/* The decision log on a real Postgres: sealed whole however late a row commits; every
 * kind of tampering found and named; a bundle that proves itself and no other. */
#include "unit/cm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "compliance/audit.h"
#include "compliance/audit_store.h"
#include "compliance/decision_store.h"
#include "compliance/facts_store.h"
#include "compliance/pack.h"
#include "compliance/pack_store.h"
#include "store/pgtest.h"

#define NOW_MS INT64_C(1795165200000) /* 2026-11-20T09:00:00Z */
#define FIRST  INT64_C(251911000000)

enum { TENANT = 1, CAMPAIGN = 5 };

static struct pg *db, *super;

/* n decisions about numbers from FIRST + from on, in one transaction that stays open. */
static void write_open(struct pg *pg, int from, int n)
{
    struct policy p;

    policy_default(&p);
    p.pack_mode = PACKS_AUTO;
    p.packs = packs_of_process();
    assert_int_equal(pg_begin(pg, TENANT), 0);
    for (int i = 0; i < n; i++) {
        struct facts_set *set = NULL;
        struct verdict v;
        assert_int_equal(
            facts_load_number(pg, TENANT, FIRST + from + i, CAMPAIGN, NOW_MS, &set), 0);
        struct compliance_facts f = facts_get(set, 0);
        f.zones_date_ms = NOW_MS;
        compliance_check(&p, &f, NOW_MS + i, &v);
        const struct decision d = {.stage = DECISION_CLAIM,
                                   .campaign_id = CAMPAIGN,
                                   .contact_id = i,
                                   .phone = FIRST + from + i,
                                   .at_ms = NOW_MS + i,
                                   .verdict = &v,
                                   .policy = &p,
                                   .facts = &f};
        assert_int_equal(decision_write(pg, TENANT, &d, 1), 0);
        facts_free(set);
    }
}

static void write_some(int from, int n)
{
    write_open(db, from, n);
    assert_int_equal(pg_commit(db), 0);
}

static int64_t seal(void)
{
    int64_t rows = 0;

    assert_int_equal(audit_seal(db, TENANT, NOW_MS, &rows), 0);
    return rows;
}

struct findings {
    int n;
    char kind[16], what[64];
};

static void keep(void *arg, const char *kind, const char *what, const char *detail)
{
    struct findings *f = arg;

    (void)detail;
    if (f->n++ == 0) {
        str_cut(f->kind, sizeof(f->kind), kind);
        str_cut(f->what, sizeof(f->what), what);
    }
}

static struct findings verify(const char *head, struct audit_counts *n)
{
    struct findings f = {0};

    assert_int_equal(audit_verify(db, TENANT, head, true, keep, &f, NULL, n), 0);
    assert_int_equal(f.n, n->wrong);
    return f;
}

static int empty(void **state)
{
    (void)state;
    pgtest_run(super, 0, "TRUNCATE decisions, audit_segments");
    return 0;
}

static char *id_of(int which)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    char sql[200];

    snprintf(sql, sizeof(sql), "SELECT id FROM decisions WHERE phone = %lld",
             (long long)(FIRST + which));
    assert_int_equal(pg_run(super, &res, sql, NULL), 0);
    return strdup(pg_text(res, 0, 0));
}

static void an_honest_log_is_sound(void **state)
{
    struct audit_counts n;

    (void)state;
    verify(NULL, &n);
    assert_int_equal(n.segments, 0);
    write_some(0, 3);
    assert_int_equal(seal(), 3);
    assert_int_equal(seal(), 0);
    write_some(3, 2);
    struct findings f = verify(NULL, &n);
    assert_int_equal(n.unsealed, 2);
    assert_int_equal(seal(), 2);
    f = verify(NULL, &n);
    assert_int_equal(f.n, 0);
    assert_int_equal(n.segments, 2);
    assert_int_equal(n.rows, 5);
    assert_int_equal(n.again, 5);
    assert_int_equal(n.unsealed, 0);
    assert_int_equal(strlen(n.head), 64);
}

/* A row that commits after a younger one was sealed is sealed too, and once. */
static void a_late_commit_is_neither_lost_nor_sealed_twice(void **state)
{
    struct pg *late = pgtest_open();
    struct audit_counts n;

    (void)state;
    write_open(late, 0, 2);
    write_some(10, 3);
    assert_int_equal(seal(), 0); /* something older is still under way */
    assert_int_equal(pg_commit(late), 0);
    assert_int_equal(seal(), 5);
    assert_int_equal(verify(NULL, &n).n, 0);
    assert_int_equal(n.rows, 5);
    pg_close(late);
}

static void expect_found(const char *kind, const char *what)
{
    struct audit_counts n;
    struct findings f = verify(NULL, &n);

    assert_true(f.n > 0);
    assert_string_equal(f.kind, kind);
    if (what)
        assert_string_equal(f.what, what);
}

static void an_altered_row_is_named(void **state)
{
    (void)state;
    write_some(0, 5);
    seal();
    char *id = id_of(2);
    pgtest_run(super, 0,
               "UPDATE decisions SET contact_id = 99 WHERE phone = 251911000002");
    expect_found("altered", id);
    free(id);
}

static void altered_inputs_are_named(void **state)
{
    (void)state;
    write_some(0, 5);
    seal();
    char *id = id_of(1);
    pgtest_run(super, 0,
               "UPDATE decisions SET inputs = jsonb_set(inputs::jsonb, '{dnc_tenant}', "
               "'true') WHERE "
               "phone = 251911000001");
    expect_found("altered", id);
    free(id);
}

static void a_removed_row_is_named(void **state)
{
    (void)state;
    write_some(0, 5);
    seal();
    char *id = id_of(4);
    pgtest_run(super, 0, "DELETE FROM decisions WHERE phone = 251911000004");
    expect_found("removed", id);
    free(id);
}

static void a_row_put_among_sealed_ones_is_named(void **state)
{
    (void)state;
    write_some(0, 5);
    seal();
    pgtest_run(
        super, 0,
        "INSERT INTO decisions SELECT gen_random_uuid(), tenant_id, stage, campaign_id, "
        "contact_id, attempt_id, 251911000777, decided_at, reason, reasons, "
        "next_allowed_at, inputs, xid FROM decisions WHERE phone = 251911000002");
    char *id = id_of(777);
    expect_found("inserted", id);
    free(id);
}

static void a_row_written_long_after_its_time_is_named(void **state)
{
    struct findings f;
    struct audit_counts n;

    (void)state;
    write_some(0, 3);
    assert_int_equal(seal(), 3);
    /* Under an id and in a transaction of its own: nothing but its instant is wrong. */
    pgtest_run(
        super, 0,
        "INSERT INTO decisions SELECT gen_random_uuid(), tenant_id, stage, "
        "campaign_id, contact_id, attempt_id, phone + 50, decided_at - interval '1 "
        "hour', reason, reasons, next_allowed_at, inputs FROM decisions LIMIT 1");
    CLEANUP(free_cleanup) char *id = id_of(50);
    f = verify(NULL, &n);
    assert_int_equal(n.unsealed, 1);
    assert_string_equal(f.kind, "inserted");
    assert_string_equal(f.what, id);
    assert_int_equal(seal(), 1);
    f = verify(NULL, &n);
    assert_int_equal(n.unsealed, 0);
    assert_string_equal(f.kind, "inserted");
    assert_string_equal(f.what, id);
}

static void the_line_between_segments_cannot_be_moved(void **state)
{
    struct audit_counts n;

    (void)state;
    write_some(0, 2);
    assert_int_equal(seal(), 2);
    write_some(10, 2);
    assert_int_equal(seal(), 2);
    pgtest_run(super, 0, "UPDATE audit_segments SET below = '4' WHERE segment = 2");
    verify(NULL, &n);
    assert_true(n.wrong >= 3); /* the segment, and its rows */
    pgtest_run(
        super, 0,
        "UPDATE audit_segments SET below = (SELECT below FROM audit_segments WHERE "
        "segment = 1), sealed_at = sealed_at - interval '1 day' WHERE segment = 2");
    verify(NULL, &n);
    assert_true(n.wrong >= 3);
    pgtest_run(super, 0,
               "UPDATE audit_segments SET below = '999999999' WHERE segment = 2");
    struct findings f = verify(NULL, &n);
    assert_string_equal(f.kind, "segment");
    assert_string_equal(f.what, "segment 2");
}

/* Or else a decision of yesterday could be written today, as not sealed yet. */
static void the_time_of_a_seal_cannot_be_moved(void **state)
{
    struct audit_counts n;

    (void)state;
    write_some(0, 2);
    assert_int_equal(seal(), 2);
    assert_int_equal(verify(NULL, &n).n, 0);
    pgtest_run(super, 0, "UPDATE audit_segments SET sealed_at = '-infinity'");
    struct findings f = verify(NULL, &n);
    assert_int_equal(f.n, 2);
    assert_string_equal(f.kind, "segment");
    pgtest_run(super, 0, "UPDATE audit_segments SET sealed_at = 'infinity'");
    f = verify(NULL, &n);
    assert_string_equal(f.kind, "segment");
    assert_string_equal(f.what, "segment 1");
}

/* One line for all of them: a number far away is not a reason to count up to it. */
static void a_gap_between_segments_is_named_once(void **state)
{
    struct audit_counts n;

    (void)state;
    write_some(0, 2);
    seal();
    pgtest_run(super, 0, "UPDATE audit_segments SET segment = 2000000000");
    struct findings f = verify(NULL, &n);
    assert_int_equal(f.n, 2); /* the gap, and the hash of the one that was moved */
    assert_string_equal(f.kind, "segment");
    assert_string_equal(f.what, "segments 1 to 1999999999");
    assert_int_equal(n.segments, 1);
}

/* What is gone altogether is missed where it was acted upon. */
static void a_call_without_a_decision_is_named(void **state)
{
    struct findings f;
    struct audit_counts n;

    (void)state;
    write_some(0, 1);
    pgtest_run(super, 0,
               "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, "
               "trunk_id, slot, number, state, intent_at, released_at) SELECT "
               "'00000000-0000-7000-8000-0000000000aa', 1, campaign_id, contact_id, "
               "phone, 1, 0, 1, 'ended', decided_at, decided_at FROM decisions");
    f = verify(NULL, &n);
    assert_int_equal(n.wrong, 1);
    assert_string_equal(f.kind, "unproved");
    assert_string_equal(f.what, "00000000-0000-7000-8000-0000000000aa");
    pgtest_run(super, 0,
               "UPDATE decisions SET stage = 2, attempt_id = "
               "'00000000-0000-7000-8000-0000000000aa'");
    f = verify(NULL, &n);
    assert_int_equal(n.wrong, 0);
    pgtest_run(
        super, 0,
        "INSERT INTO decisions SELECT 'ffffffff-0000-7000-8000-0000000000aa', "
        "tenant_id, stage, campaign_id, contact_id, attempt_id, phone, decided_at, "
        "reason, reasons, next_allowed_at, inputs FROM decisions");
    f = verify(NULL, &n);
    assert_string_equal(f.kind, "inserted");
    assert_string_equal(f.what, "ffffffff-0000-7000-8000-0000000000aa");
    pgtest_run(super, 0, "TRUNCATE decisions, audit_segments");
    f = verify(NULL, &n);
    assert_string_equal(f.kind, "unproved");
    pgtest_run(super, 0, "TRUNCATE attempts");
}

static void a_row_moved_to_another_time_is_named(void **state)
{
    struct audit_counts n;

    (void)state;
    write_some(0, 1);
    write_some(1, 1);
    write_some(2, 1);
    seal();
    pgtest_run(
        super, 0,
        "UPDATE decisions SET xid = '3' WHERE phone = 251911000002"); /* older than all */
    struct findings f = verify(NULL, &n);
    assert_true(f.n > 0);
    assert_string_equal(f.kind, "reordered");
}

static void a_segment_that_was_changed_or_cut_off_is_named(void **state)
{
    struct audit_counts n;

    (void)state;
    write_some(0, 3);
    seal();
    write_some(3, 3);
    seal();
    verify(NULL, &n);
    char head[65];
    memcpy(head, n.head, sizeof(head));
    assert_int_equal(verify(head, &n).n, 0);
    pgtest_run(super, 0, "DELETE FROM audit_segments WHERE segment = 2");
    struct findings f = verify(head, &n);
    assert_true(f.n > 0); /* with the head that was written down */
    assert_string_equal(f.kind, "head");
    pgtest_run(
        super, 0,
        "UPDATE audit_segments SET row_ids = ARRAY[row_ids[2], row_ids[1], row_ids[3]]");
    f = verify(NULL, &n);
    assert_string_equal(f.kind, "segment");
    assert_string_equal(f.what, "segment 1");
}

/* Sealed as it is, but its inputs do not give it. */
static void a_decision_that_its_inputs_do_not_give_is_named(void **state)
{
    (void)state;
    write_some(0, 3);
    char *id = id_of(1);
    pgtest_run(super, 0,
               "UPDATE decisions SET reason = CASE reason WHEN 0 THEN 201 ELSE 0 END "
               "WHERE phone "
               "= 251911000001");
    seal();
    expect_found("verdict", id);
    free(id);
}

/* What decisions share stands apart from them, and is held to its hash. */
static void an_altered_policy_is_found(void **state)
{
    (void)state;
    write_some(0, 2);
    char *id = id_of(0);
    seal();
    pgtest_run(super, 0, "UPDATE policy_bodies SET body = replace(body, '25', '26')");
    expect_found("unreadable", id);
    free(id);
    pgtest_run(super, 0, "DELETE FROM policy_bodies");
}

static void the_application_itself_cannot_change_what_is_written(void **state)
{
    (void)state;
    write_some(0, 1);
    seal();
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_not_equal(pg_run(db, NULL, "DELETE FROM decisions", NULL), 0);
    pg_rollback(db);
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_not_equal(pg_run(db, NULL, "UPDATE audit_segments SET segment = 9", NULL),
                         0);
    pg_rollback(db);
}

/* ---- bundles ---- */

static void count_wrong(void *arg, bool wrong, const char *text)
{
    (void)text;
    *(int *)arg += wrong;
}

static int wrongs(const json_t *bundle)
{
    int told = 0;
    int n = audit_bundle_check(bundle, count_wrong, &told);

    assert_int_equal(n, told);
    return n;
}

static void a_bundle_proves_itself_and_nothing_else(void **state)
{
    json_t *bundle = NULL;

    (void)state;
    assert_int_equal(packs_keep(db, packs_of_process()), 0);
    write_some(0, 5);
    assert_int_equal(audit_bundle(db, TENANT, FIRST + 2, &bundle), ENOENT);
    seal();
    assert_int_equal(audit_bundle(db, TENANT, FIRST + 2, &bundle), 0);
    assert_int_equal(wrongs(bundle), 0);
    /* Of other people there is nothing but hashes. */
    char *text = json_dumps(bundle, 0);
    assert_null(strstr(text, "251911000001"));
    assert_non_null(strstr(text, "251911000002"));
    free(text);

    json_t *decision = json_array_get(json_object_get(bundle, "decisions"), 0);
    json_t *segment = json_array_get(json_object_get(bundle, "segments"), 0);
    struct {
        json_t *object;
        const char *key;
    } parts[] = {{decision, "text"},
                 {segment, "hashes"},
                 {segment, "previous"},
                 {segment, "hash"}};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        char *whole =
            strdup(json_string_value(json_object_get(parts[i].object, parts[i].key)));
        size_t len = strlen(whole);
        for (size_t at = 0; at < len; at += 1 + len / 40) {
            char was = whole[at];
            whole[at] = was == '1' ? '2' : '1';
            json_object_set_new(parts[i].object, parts[i].key, json_string(whole));
            if (wrongs(bundle) == 0)
                fail_msg("%s at %zu was not missed", parts[i].key, at);
            whole[at] = was;
        }
        json_object_set_new(parts[i].object, parts[i].key, json_string(whole));
        free(whole);
    }
    assert_int_equal(wrongs(bundle), 0);
    json_object_set_new(bundle, "phone", json_integer(FIRST + 3));
    assert_int_equal(wrongs(bundle), 1);
    json_object_clear(json_object_get(bundle, "packs"));
    json_decref(bundle);
}

#define CASE(f) cmocka_unit_test_setup(f, empty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_honest_log_is_sound),
        CASE(a_late_commit_is_neither_lost_nor_sealed_twice),
        CASE(an_altered_row_is_named),
        CASE(altered_inputs_are_named),
        CASE(a_removed_row_is_named),
        CASE(a_row_put_among_sealed_ones_is_named),
        CASE(a_row_written_long_after_its_time_is_named),
        CASE(the_line_between_segments_cannot_be_moved),
        CASE(the_time_of_a_seal_cannot_be_moved),
        CASE(a_gap_between_segments_is_named_once),
        CASE(a_call_without_a_decision_is_named),
        CASE(a_row_moved_to_another_time_is_named),
        CASE(a_segment_that_was_changed_or_cut_off_is_named),
        CASE(a_decision_that_its_inputs_do_not_give_is_named),
        CASE(an_altered_policy_is_found),
        CASE(the_application_itself_cannot_change_what_is_written),
        CASE(a_bundle_proves_itself_and_nothing_else),
    };

    pgtest_start(PGTEST_POSTGRES);
    db = pgtest_open();
    super = pgtest_open_super();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(super);
    pg_close(db);
    return failed;
}
