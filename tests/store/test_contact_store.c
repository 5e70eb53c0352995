#include "unit/cm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "contacts/contact_store.h"
#include "store/pgtest.h"

enum { NOW_S = 1795500000 };

struct stream {
    const char *data;
    size_t len, at;
};

struct sink_state {
    struct contact_import *ci;
    void (*before_rows)(void); /* something happens to the database meanwhile */
};

static ssize_t take(void *arg, void *buf, size_t size)
{
    struct stream *s = arg;
    size_t n = s->len - s->at < size ? s->len - s->at : size;

    memcpy(buf, s->data + s->at, n);
    s->at += n;
    return (ssize_t)n;
}

static int rows(void *arg, struct import_row *r, size_t n, struct errtext *e)
{
    struct sink_state *s = arg;

    if (s->before_rows)
        s->before_rows();
    return contact_import_rows(s->ci, r, n, e);
}

static int rejects(void *arg, const struct import_reject *r, size_t n, struct errtext *e)
{
    struct sink_state *s = arg;

    return contact_import_rejects(s->ci, r, n, e);
}

struct job {
    int tenant_id;
    const char *list;
    bool dry_run;
    void (*before_rows)(void);
};

/* A whole import, as the command does it. */
static int import_text(const struct job *job, const char *data,
                       struct import_counts *counts, struct errtext *e)
{
    static const struct import_sink sink = {.rows = rows, .rejects = rejects};
    static const struct import_options options = {.region = "ET", .threads = 2};
    struct stream stream = {.data = data, .len = strlen(data)};
    struct sink_state state = {.before_rows = job->before_rows};
    struct import *im = NULL;

    *e = (struct errtext){0};
    assert_int_equal(import_open(&im, take, &stream, &options, e), 0);
    const struct contact_import_options o = {.database_url = pgtest_url(),
                                             .tenant_id = job->tenant_id,
                                             .list = job->list,
                                             .file_name = "test.csv",
                                             .now_ms = INT64_C(1000) * NOW_S,
                                             .dry_run = job->dry_run};
    int err = contact_import_begin(&state.ci, &o, import_columns(im), e);
    if (!err) {
        err = import_run(im, &sink, &state, NULL, counts, e);
        if (!err)
            err = contact_import_commit(state.ci, counts, o.now_ms, e);
        if (err)
            contact_import_fail(state.ci, e->text, o.now_ms);
    }
    contact_import_free(state.ci);
    import_free(im);
    return err;
}

static const struct job farmers = {.tenant_id = 1, .list = "farmers"};

static int64_t count(int tenant_id, const char *sql)
{
    struct pg *pg = pgtest_open();
    int64_t n = pgtest_i64(pg, tenant_id, sql);

    pg_close(pg);
    return n;
}

static char *people(int from, int to)
{
    struct buf b = {0};

    buf_puts(&b, "phone,name\n");
    for (int i = from; i < to; i++)
        buf_printf(&b, "09%08d,\"P %d\"\n", 11000000 + i, i);
    return buf_take(&b);
}

static void keeps_rows_rejects_and_counts(void **state)
{
    struct import_counts n;
    struct errtext e;

    (void)state;
    assert_int_equal(import_text(&farmers,
                                 "Name,Phone,Village\n"
                                 "A \\ B,0911234567,\"tab\there\nand line\"\n"
                                 "B,+1 850 555 0123,x\n"
                                 "C,+1 800 555 0199,x\n"
                                 "D,0911,x\n"
                                 "E,+251 911 234567,again\n",
                                 &n, &e),
                     0);
    assert_int_equal(n.rows_read, 5);
    assert_int_equal(n.imported, 3);
    assert_int_equal(count(1, "SELECT count(*) FROM contacts c JOIN lists l ON l.id = "
                              "c.list_id WHERE l.name = 'farmers'"),
                     3);
    assert_int_equal(
        count(1, "SELECT count(*) FROM contacts WHERE phone = 251911234567 AND region = "
                 "'ET' AND number_type = 1 AND attrs = '{\"name\": \"A \\\\ B\", "
                 "\"village\": \"tab\\there\\nand line\"}'"),
        1);
    assert_int_equal(
        count(1, "SELECT count(*) FROM contacts c JOIN zone_groups z ON z.id = "
                 "c.zone_group WHERE c.phone = 18505550123 AND z.region = 'US' AND "
                 "z.zones = '{America/Chicago,America/New_York}'"),
        1);
    /* 42 zones say nothing about the hour: kept as unknown. */
    assert_int_equal(count(1, "SELECT count(*) FROM contacts c JOIN zone_groups z ON "
                              "z.id = c.zone_group WHERE c.phone = 18005550199 AND "
                              "z.zones = '{}'"),
                     1);
    assert_int_equal(count(1, "SELECT count(*) FROM import_rejects WHERE (line, reason) "
                              "IN ((6, 'too_short'), (7, 'duplicate')) AND column_name "
                              "= 'Phone'"),
                     2);
    assert_int_equal(count(1, "SELECT count(*) FROM imports WHERE state = 'done' AND "
                              "rows_read = 5 AND imported = 3 AND rejected = 2 AND "
                              "mapping->>'phone' = 'Phone'"),
                     1);
}

static void the_first_of_a_number_wins_across_blocks_and_imports(void **state)
{
    const struct job job = {.tenant_id = 1, .list = "dedupe"};
    struct import_counts n;
    struct errtext e;
    char *first = people(0, 9000), *more = people(8000, 12000);
    char *twice = malloc(strlen(first) * 2 + 1);

    (void)state;
    /* The file's second half repeats its first, several blocks later. */
    memcpy(twice, first, strlen(first));
    memcpy(twice + strlen(first), first + strlen("phone,name\n"),
           strlen(first) - strlen("phone,name\n") + 1);
    assert_int_equal(import_text(&job, twice, &n, &e), 0);
    assert_int_equal(n.imported, 9000);
    assert_int_equal(n.by_reason[IMPORT_DUPLICATE], 9000);
    assert_int_equal(count(1, "SELECT max(line) FROM import_rejects r JOIN imports i ON "
                              "i.id = r.import_id WHERE i.rejected = 9000"),
                     18001);
    assert_int_equal(import_text(&job, more, &n, &e), 0);
    assert_int_equal(n.imported, 3000);
    assert_int_equal(n.by_reason[IMPORT_DUPLICATE], 1000);
    assert_int_equal(count(1, "SELECT count(DISTINCT phone) FROM contacts c JOIN lists l "
                              "ON l.id = c.list_id WHERE l.name = 'dedupe'"),
                     12000);
    assert_int_equal(count(1, "SELECT count(*) FROM zone_groups WHERE region = 'ET'"), 1);
    free(first);
    free(more);
    free(twice);
}

static void a_bad_line_late_in_the_file_keeps_nothing(void **state)
{
    const struct job job = {.tenant_id = 1, .list = "late"};
    struct import_counts n;
    struct errtext e;
    struct buf b = {0};
    char *good = people(0, 9000);

    (void)state;
    buf_puts(&b, good);
    buf_puts(&b, "\"0911999999,never closed\n0911999998,x\n");
    assert_int_equal(import_text(&job, b.data, &n, &e), EBADMSG);
    assert_string_equal(e.text, "the quote opened on line 9002 is never closed; the file "
                                "ends inside it");
    assert_int_equal(count(1, "SELECT count(*) FROM contacts c JOIN lists l ON l.id = "
                              "c.list_id WHERE l.name = 'late'"),
                     0);
    assert_int_equal(count(1, "SELECT count(*) FROM imports i JOIN lists l ON l.id = "
                              "i.list_id WHERE l.name = 'late' AND i.state = 'failed' "
                              "AND i.error LIKE '%line 9002%'"),
                     1);
    /* Mended, it goes in. */
    assert_int_equal(import_text(&job, good, &n, &e), 0);
    assert_int_equal(n.imported, 9000);
    buf_free(&b);
    free(good);
}

static void a_dry_run_counts_the_same_and_keeps_nothing(void **state)
{
    const struct job dry = {.tenant_id = 1, .list = "dry", .dry_run = true};
    const struct job again = {.tenant_id = 1, .list = "dedupe", .dry_run = true};
    struct import_counts n;
    struct errtext e;
    char *text = people(11000, 13000);
    int64_t before = count(1, "SELECT count(*) FROM contacts");

    (void)state;
    assert_int_equal(import_text(&dry, text, &n, &e), 0);
    assert_int_equal(n.imported, 2000);
    assert_int_equal(import_text(&again, text, &n, &e), 0);
    assert_int_equal(n.imported, 1000);
    assert_int_equal(n.by_reason[IMPORT_DUPLICATE], 1000);
    assert_int_equal(count(1, "SELECT count(*) FROM contacts"), before);
    assert_int_equal(count(1, "SELECT count(*) FROM lists WHERE name = 'dry'"), 0);
    free(text);
}

static void tenants_do_not_meet(void **state)
{
    const struct job theirs = {.tenant_id = 2, .list = "farmers"};
    struct pg *super = pgtest_open_super();
    struct import_counts n;
    struct errtext e;

    (void)state;
    pgtest_run(super, 0, "INSERT INTO tenants (name) VALUES ('other')");
    pg_close(super);
    assert_int_equal(import_text(&theirs, "phone\n0911234567\n", &n, &e), 0);
    assert_int_equal(n.imported, 1);
    assert_int_equal(count(2, "SELECT count(*) FROM contacts"), 1);
    assert_int_equal(count(2, "SELECT count(*) FROM lists"), 1);
    assert_int_equal(count(1, "SELECT count(*) FROM contacts c JOIN lists l ON l.id = "
                              "c.list_id WHERE l.name = 'farmers'"),
                     3);
}

static void one_import_into_a_list_at_a_time(void **state)
{
    struct pg *other = pgtest_open();
    struct import_counts n;
    struct errtext e;

    (void)state;
    /* Somebody else's import: the same lock, in a transaction that stays open. */
    int64_t list = pgtest_i64(other, 1, "SELECT id FROM lists WHERE name = 'farmers'");
    assert_int_equal(pg_begin(other, 1), 0);
    struct pg_args a = {0};
    pg_arg_i64(&a, list);
    assert_int_equal(pg_run(other, NULL,
                            "SELECT pg_advisory_xact_lock(x'4655524d'::int, $1::int)",
                            &a),
                     0);
    assert_int_equal(import_text(&farmers, "phone\n0911234568\n", &n, &e), EAGAIN);
    assert_non_null(strstr(e.text, "another import into the list 'farmers' is running"));
    pg_rollback(other);
    pg_close(other);
    assert_int_equal(import_text(&farmers, "phone\n0911234568\n", &n, &e), 0);
}

static void an_import_that_died_is_noted_by_the_next(void **state)
{
    struct pg *pg = pgtest_open();
    struct import_counts n;
    struct errtext e;

    (void)state;
    pgtest_run(pg, 1,
               "INSERT INTO imports (tenant_id, list_id, file_name, state, started_at) "
               "SELECT 1, id, 'killed.csv', 'running', timestamptz 'epoch' FROM lists "
               "WHERE name = 'farmers'");
    pg_close(pg);
    assert_int_equal(import_text(&farmers, "phone\n0911234569\n", &n, &e), 0);
    assert_int_equal(count(1, "SELECT count(*) FROM imports WHERE file_name = "
                              "'killed.csv' AND state = 'failed' AND error = "
                              "'interrupted'"),
                     1);
}

static void a_full_disk_keeps_nothing_and_says_so(void **state)
{
    struct pg *super = pgtest_open_super();
    struct import_counts n;
    struct errtext e;
    char *text = people(20000, 25000);
    int64_t before = count(1, "SELECT count(*) FROM contacts");

    (void)state;
    pgtest_run(super, 0,
               "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
               "IF NEW.phone > 251911024000 THEN RAISE EXCEPTION USING ERRCODE = "
               "'53100', MESSAGE = 'could not extend file: No space left on device'; "
               "END IF; RETURN NEW; END $$");
    pgtest_run(super, 0,
               "CREATE TRIGGER full_disk BEFORE INSERT ON contacts FOR EACH ROW EXECUTE "
               "FUNCTION full_disk()");
    assert_int_equal(import_text(&farmers, text, &n, &e), ENOSPC);
    assert_non_null(strstr(e.text, "the database's disk is full"));
    pgtest_run(super, 0, "DROP TRIGGER full_disk ON contacts");
    pg_close(super);
    assert_int_equal(count(1, "SELECT count(*) FROM contacts"), before);
    assert_int_equal(count(1, "SELECT count(*) FROM imports WHERE error LIKE '%disk%'"),
                     1);
    free(text);
}

static void cut_connections(void)
{
    struct pg *super = pgtest_open_super();

    pgtest_run(super, 0,
               "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE "
               "application_name LIKE 'furrow-import%'");
    pg_close(super);
}

static void a_lost_connection_keeps_nothing_and_says_so(void **state)
{
    const struct job job = {
        .tenant_id = 1, .list = "farmers", .before_rows = cut_connections};
    struct import_counts n;
    struct errtext e;
    int64_t before = count(1, "SELECT count(*) FROM contacts");

    (void)state;
    assert_int_equal(import_text(&job, "phone\n0911500000\n0911500001\n", &n, &e),
                     ECONNRESET);
    assert_non_null(strstr(e.text, "connection"));
    assert_int_equal(count(1, "SELECT count(*) FROM contacts"), before);
}

struct found {
    int n;
    char text[400];
};

static int note_entry(const struct contact_entry *c, void *arg)
{
    struct found *f = arg;

    f->n++;
    snprintf(f->text, sizeof(f->text), "%s %s %s", c->list, c->region, c->zones);
    return 0;
}

static int note_list(const struct contact_list *l, void *arg)
{
    struct found *f = arg;

    f->n++;
    snprintf(f->text, sizeof(f->text), "%s %" PRId64, l->name, l->contacts);
    return 0;
}

static int note_reject(const struct contact_reject *r, void *arg)
{
    struct found *f = arg;

    f->n++;
    snprintf(f->text, sizeof(f->text), "%" PRId64 " %s %s", r->line, r->reason, r->value);
    return 0;
}

static void lists_contacts_and_rejects_can_be_looked_at(void **state)
{
    struct pg *pg = pgtest_open();
    struct found f = {0};

    (void)state;
    assert_int_equal(contact_find(pg, 2, 251911234567, note_entry, &f), 0);
    assert_int_equal(f.n, 1);
    assert_string_equal(f.text, "farmers ET Africa/Addis_Ababa");
    f.n = 0;
    assert_int_equal(contact_find(pg, 2, 251911234568, note_entry, &f), 0);
    assert_int_equal(f.n, 0);
    assert_int_equal(contact_lists(pg, 2, note_list, &f), 0);
    assert_int_equal(f.n, 1);
    assert_string_equal(f.text, "farmers 1");
    f.n = 0;
    assert_int_equal(contact_rejects(pg, 1, 1, note_reject, &f), 0);
    assert_int_equal(f.n, 2);
    assert_string_equal(f.text, "7 duplicate +251 911 234567");
    assert_int_equal(contact_rejects(pg, 1, 999, note_reject, &f), ENOENT);
    assert_int_equal(contact_rejects(pg, 2, 1, note_reject, &f), ENOENT);
    pg_close(pg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_rows_rejects_and_counts),
        cmocka_unit_test(the_first_of_a_number_wins_across_blocks_and_imports),
        cmocka_unit_test(a_bad_line_late_in_the_file_keeps_nothing),
        cmocka_unit_test(a_dry_run_counts_the_same_and_keeps_nothing),
        cmocka_unit_test(tenants_do_not_meet),
        cmocka_unit_test(one_import_into_a_list_at_a_time),
        cmocka_unit_test(an_import_that_died_is_noted_by_the_next),
        cmocka_unit_test(a_full_disk_keeps_nothing_and_says_so),
        cmocka_unit_test(a_lost_connection_keeps_nothing_and_says_so),
        cmocka_unit_test(lists_contacts_and_rejects_can_be_looked_at),
    };

    pgtest_start(PGTEST_POSTGRES);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
