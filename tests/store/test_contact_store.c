#include "unit/cm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "campaigns/import_undo_store.h"
#include "contacts/contact_store.h"
#include "store/pgtest.h"

enum { NOW_S = 1795500000 };

/* Of the import that was last: contacts that a failed one left, the line at which it
 * went on, its number. */
static int64_t kept, resumed_at, last_import;

struct stream {
    const char *data;
    size_t len, at;
};

struct sink_state {
    struct contact_import *ci;
    void (*before_rows)(void); /* something happens to the database meanwhile */
    int blocks, die_after;
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

static int reached(void *arg, const struct record_position *at, int64_t records,
                   struct errtext *e)
{
    struct sink_state *s = arg;
    int err = contact_import_reached(s->ci, at, records, e);

    s->blocks++;
    if (!err && s->die_after && s->blocks == s->die_after)
        return errtext_set(e, ECANCELED, 0, 0, "stopped");
    return err;
}

/* Writes the rejects down, as the reject file would. */
static int note_rejects(void *arg, const struct import_reject *r, size_t n, bool last,
                        struct errtext *e)
{
    struct buf *seen = arg;

    (void)last;
    (void)e;
    for (size_t i = 0; i < n && seen->len < 4000; i++)
        buf_printf(seen, "%" PRId64 " %s %s\n", r[i].line, r[i].value,
                   import_reason_name(r[i].reason));
    return 0;
}

struct job {
    int tenant_id;
    const char *list;
    bool dry_run, update, restart;
    void (*before_rows)(void);
    size_t batch_rows;
    int die_after; /* blocks; 0: never */
    struct buf *rejects;
    const struct column_map *maps;
    size_t map_count;
};

/* A whole import, as the command does it. */
static int import_text(const struct job *job, const char *data,
                       struct import_counts *counts, struct errtext *e)
{
    static const struct import_sink sink = {
        .rows = rows, .rejects = rejects, .reached = reached};
    const struct import_options options = {
        .region = "ET", .threads = 2, .maps = job->maps, .map_count = job->map_count};
    struct stream stream = {.data = data, .len = strlen(data)};
    struct sink_state state = {.before_rows = job->before_rows,
                               .die_after = job->die_after};
    struct record_position at;
    struct import *im = NULL;

    *e = (struct errtext){0};
    assert_int_equal(import_open(&im, take, &stream, &options, e), 0);
    const struct contact_import_options o = {
        .database_url = pgtest_url(),
        .tenant_id = job->tenant_id,
        .list = job->list,
        .file_name = "test.csv",
        .now_ms = INT64_C(1000) * NOW_S,
        .dry_run = job->dry_run,
        .update = job->update,
        .restart = job->restart,
        .batch_rows = job->batch_rows,
        .rejects = job->rejects ? note_rejects : NULL,
        .rejects_arg = job->rejects,
    };
    kept = 0;
    resumed_at = 0;
    int err = contact_import_begin(&state.ci, &o, import_columns(im), e);
    if (!err) {
        if (contact_import_resumes(state.ci, &at)) {
            resumed_at = at.line;
            err = import_skip_to(im, &at, e);
            if (!err)
                err = contact_import_earlier_rejects(state.ci, e);
        }
        if (!err)
            err = import_run(im, &sink, &state, NULL, counts, e);
        if (!err)
            err = contact_import_commit(state.ci, counts, o.now_ms, e);
        if (err)
            kept = contact_import_fail(state.ci, e->text, o.now_ms);
    }
    last_import = state.ci ? contact_import_id(state.ci) : 0;
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

/* ---- large files ---- */

static int64_t in_list(const char *list)
{
    char sql[300];

    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM contacts c JOIN lists l ON l.id = c.list_id WHERE "
             "l.name = '%s'",
             list);
    return count(1, sql);
}

/* Cut off in the middle, by hand or by a lost connection, it goes on; nothing is twice
 * and nothing is missing; the order of the file is the order of the ids. */
static void a_large_file_that_was_cut_off_goes_on(void **state)
{
    struct buf rejected = {0};
    const struct job cut = {
        .tenant_id = 1, .list = "large", .batch_rows = 4000, .die_after = 5};
    const struct job on = {
        .tenant_id = 1, .list = "large", .batch_rows = 4000, .rejects = &rejected};
    struct import_counts n;
    struct errtext e;
    struct buf text = {0};

    (void)state;
    buf_puts(&text, "phone,name\nbad,first\n");
    for (int i = 0; i < 15000; i++)
        buf_printf(&text, "09%08d,P %d\n", 30000000 + (i * 7919) % 15000, i);
    buf_puts(&text, "0930000001,again\nworse,last\n");
    assert_int_equal(import_text(&cut, text.data, &n, &e), ECANCELED);
    assert_true(kept >= 4000 && kept < 15000);
    assert_int_equal(in_list("large"), kept);
    int64_t first = last_import, before = kept;
    assert_int_equal(import_text(&on, text.data, &n, &e), 0);
    assert_int_equal(last_import, first);
    assert_true(resumed_at > 4000);
    assert_int_equal(n.rows_read, 15003);
    assert_int_equal(n.imported, 15000);
    assert_int_equal(n.rejected, 3);
    assert_int_equal(n.by_reason[IMPORT_NOT_A_NUMBER], 2);
    assert_true(before < n.imported);
    assert_int_equal(in_list("large"), 15000);
    assert_string_equal(rejected.data, "2 bad not_a_number\n15003 0930000001 duplicate\n"
                                       "15004 worse not_a_number\n");
    assert_int_equal(count(1, "SELECT count(*) FROM (SELECT attrs->>'name' AS name, 'P ' "
                              "|| row_number() OVER (ORDER BY c.id) - 1 AS expected FROM "
                              "contacts c JOIN lists l ON l.id = c.list_id WHERE l.name "
                              "= 'large') q WHERE name <> expected"),
                     0);
    assert_int_equal(count(1, "SELECT count(*) FROM imports i JOIN lists l ON l.id = "
                              "i.list_id WHERE l.name = 'large' AND state = 'done' AND "
                              "rows_read = 15003 AND imported = 15000 AND rejected = 3"),
                     1);
    /* Once it is done, the same file is another import. */
    assert_int_equal(import_text(&on, text.data, &n, &e), 0);
    assert_true(last_import > first);
    assert_int_equal(n.imported, 0);
    assert_int_equal(n.by_reason[IMPORT_DUPLICATE], 15001);
    buf_free(&rejected);
    buf_free(&text);
}

static void another_file_of_the_same_name_does_not_go_on(void **state)
{
    const struct job cut = {
        .tenant_id = 1, .list = "changed", .batch_rows = 2000, .die_after = 4};
    const struct job on = {.tenant_id = 1, .list = "changed"};
    const struct job anew = {.tenant_id = 1, .list = "changed", .restart = true};
    struct import_counts n;
    struct errtext e;
    char *text = people(40000, 50000);

    (void)state;
    assert_int_equal(import_text(&cut, text, &n, &e), ECANCELED);
    text[40] ^= 1;
    assert_int_equal(import_text(&on, text, &n, &e), ESTALE);
    text[40] ^= 1;
    assert_int_equal(import_text(&anew, text, &n, &e), 0);
    assert_int_equal(resumed_at, 0);
    assert_int_equal(n.rows_read, 10000);
    assert_int_equal(in_list("changed"), 10000);
    free(text);
}

/* Somebody puts a number of the file into the list while it is on its way. */
static void put_a_number_in(void)
{
    struct pg *pg = pgtest_open();

    pgtest_run(
        pg, 1,
        "INSERT INTO contacts (tenant_id, list_id, phone, number_type, zone_group, "
        "region) SELECT 1, l.id, 251960000005, 1, z.id, 'ET' FROM lists l, "
        "zone_groups z WHERE l.name = 'race' AND z.region = 'ET' ON CONFLICT DO "
        "NOTHING");
    pg_close(pg);
}

static void a_number_that_somebody_else_puts_in_is_a_duplicate(void **state)
{
    const struct job job = {
        .tenant_id = 1, .list = "race", .before_rows = put_a_number_in};
    struct import_counts n;
    struct errtext e;
    char *text = people(49000000, 49000010);

    (void)state;
    /* A new list is not asked: the index says it, and the rows go by staging. */
    assert_int_equal(import_text(&job, text, &n, &e), 0);
    assert_int_equal(n.imported, 9);
    assert_int_equal(n.by_reason[IMPORT_DUPLICATE], 1);
    assert_int_equal(in_list("race"), 10);
    assert_int_equal(count(1, "SELECT count(*) FROM import_rejects WHERE value = "
                              "'0960000005' AND line = 7 AND reason = 'duplicate'"),
                     1);
    free(text);
}

static void existing_contacts_are_updated_when_asked(void **state)
{
    const struct job first = {.tenant_id = 1, .list = "updated"};
    const struct job update = {.tenant_id = 1, .list = "updated", .update = true};
    struct import_counts n;
    struct errtext e;

    (void)state;
    assert_int_equal(import_text(&first,
                                 "phone,name,crop\n0977000001,A,tea\n0977000002,B,oil\n",
                                 &n, &e),
                     0);
    assert_int_equal(import_text(&update,
                                 "phone,name\n0977000001,A2\n0977000003,C\n"
                                 "0977000001,again\n",
                                 &n, &e),
                     0);
    assert_int_equal(n.imported, 1);
    assert_int_equal(n.updated, 1);
    assert_int_equal(n.by_reason[IMPORT_DUPLICATE], 1);
    assert_int_equal(count(1, "SELECT count(*) FROM contacts WHERE (phone, attrs) IN "
                              "((251977000001, '{\"name\": \"A2\", \"crop\": \"tea\"}'), "
                              "(251977000002, '{\"name\": \"B\", \"crop\": \"oil\"}'), "
                              "(251977000003, '{\"name\": \"C\"}'))"),
                     3);
    assert_int_equal(count(1, "SELECT count(*) FROM import_updates WHERE attrs->>'name' "
                              "= 'A'"),
                     1);
}

static void persons_have_a_key_and_their_numbers_an_order(void **state)
{
    static const struct column_map maps[] = {{"phone", "mobile"}, {"phone2", "home"}};
    static const struct column_map keyed[] = {{COLUMN_PERSON, "id"}};
    const struct job rows_job = {
        .tenant_id = 1, .list = "persons", .maps = maps, .map_count = 2};
    const struct job keyed_job = {
        .tenant_id = 1, .list = "persons", .maps = keyed, .map_count = 1};
    struct import_counts n;
    struct errtext e;

    (void)state;
    assert_int_equal(import_text(&rows_job,
                                 "mobile,home\n0978000001,0978000002\n0978000003,\n", &n,
                                 &e),
                     0);
    assert_int_equal(n.rows_read, 2);
    assert_int_equal(n.imported, 3);
    assert_int_equal(count(1, "SELECT count(*) FROM contacts a JOIN contacts b ON "
                              "a.person = b.person WHERE a.phone = 251978000001 AND "
                              "a.person_rank = 0 AND b.phone = 251978000002 AND "
                              "b.person_rank = 1"),
                     1);
    assert_int_equal(count(1, "SELECT count(*) FROM contacts WHERE phone = 251978000003 "
                              "AND person IS NULL"),
                     1);
    assert_int_equal(import_text(&keyed_job,
                                 "id,phone\nK1,0978000011\nK1,0978000012\n,0978000013\n",
                                 &n, &e),
                     0);
    assert_int_equal(count(1, "SELECT count(*) FROM contacts WHERE person = 'K1'"), 2);
}

/* ---- undo ---- */

static void undo_import(int64_t id, struct import_undone *u, int expected)
{
    struct pg *pg = pgtest_open();
    struct errtext e = {0};

    assert_int_equal(import_undo(pg, 1, id, INT64_C(1000) * NOW_S, u, &e), expected);
    if (expected)
        assert_true(e.text[0] != '\0');
    pg_close(pg);
}

static void an_import_is_taken_back_but_for_who_was_called(void **state)
{
    const struct job base = {.tenant_id = 1, .list = "undo"};
    const struct job update = {.tenant_id = 1, .list = "undo", .update = true};
    struct import_undone u;
    struct import_counts n;
    struct errtext e;
    struct pg *pg = pgtest_open();

    (void)state;
    assert_int_equal(import_text(&base, "phone,name\n0979000001,old\n", &n, &e), 0);
    assert_int_equal(import_text(&update,
                                 "phone,name\n0979000001,new\n0979000002,b\n"
                                 "0979000003,c\n0979000004,d\n",
                                 &n, &e),
                     0);
    int64_t id = last_import;
    /* One was called, one is being called, one waits. */
    pgtest_run(
        pg, 1,
        "INSERT INTO campaign_contacts (tenant_id, campaign_id, contact_id, phone, "
        "zone_group, state, attempts, next_attempt_at) SELECT 1, 77, id, phone, "
        "zone_group, CASE phone % 10 WHEN 3 THEN 'calling' ELSE 'pending' END, "
        "CASE phone % 10 WHEN 2 THEN 1 ELSE 0 END, timestamptz 'epoch' FROM "
        "contacts WHERE phone BETWEEN 251979000001 AND 251979000004");
    undo_import(id, &u, 0);
    assert_int_equal(u.removed, 1);
    assert_int_equal(u.restored, 1);
    assert_int_equal(u.called, 2);
    assert_int_equal(u.shown, 2);
    assert_int_equal(u.phones[0], 251979000002);
    assert_int_equal(count(1, "SELECT count(*) FROM contacts WHERE phone = 251979000001 "
                              "AND attrs->>'name' = 'old'"),
                     1);
    assert_int_equal(count(1, "SELECT count(*) FROM contacts WHERE phone = 251979000004"),
                     0);
    assert_int_equal(count(1,
                           "SELECT count(*) FROM campaign_contacts WHERE campaign_id = "
                           "77"),
                     3);
    undo_import(id, &u, EALREADY);
    undo_import(999999, &u, ENOENT);
    pgtest_run(pg, 1, "DELETE FROM campaign_contacts WHERE campaign_id = 77");
    pg_close(pg);
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
        cmocka_unit_test(a_large_file_that_was_cut_off_goes_on),
        cmocka_unit_test(another_file_of_the_same_name_does_not_go_on),
        cmocka_unit_test(a_number_that_somebody_else_puts_in_is_a_duplicate),
        cmocka_unit_test(existing_contacts_are_updated_when_asked),
        cmocka_unit_test(persons_have_a_key_and_their_numbers_an_order),
        cmocka_unit_test(an_import_is_taken_back_but_for_who_was_called),
        cmocka_unit_test(lists_contacts_and_rejects_can_be_looked_at),
    };

    pgtest_start(PGTEST_POSTGRES);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
