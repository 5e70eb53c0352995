/* `furrow facts`, `registration`, `emergency` and `consent import` as a compliance
 * officer runs them, and what the gate makes of it. */
#include "unit/cm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "compliance/decision_store.h"
#include "compliance/fact_store.h"
#include "compliance/facts_store.h"
#include "store/pgtest.h"

enum { TENANT = 1, OUTPUT_MAX = 16000, ARGS_MAX = 24 };

struct answer {
    int code; /* -1 when a signal ended it */
    char out[OUTPUT_MAX], err[OUTPUT_MAX];
};

static struct pg *db, *other;

static const char *path(const char *name)
{
    static char text[64][300];
    static int next;
    char *p = text[next++ % 64];

    snprintf(p, sizeof(text[0]), "%s/%s", pgtest_dir(), name);
    return p;
}

static const char *file(const char *name, const char *text)
{
    const char *p = path(name);

    assert_int_equal(files_write_atomic(p, text, strlen(text)), 0);
    return p;
}

static void read_file(const char *name, char out[OUTPUT_MAX])
{
    FILE *f = fopen(path(name), "r");

    assert_non_null(f);
    out[fread(out, 1, OUTPUT_MAX - 1, f)] = '\0';
    fclose(f);
}

static struct answer *run(const char *const *args)
{
    static struct answer o;
    const char *argv[ARGS_MAX] = {BUILD_DIR "/bin/furrow"};
    int status = 0;

    for (size_t n = 1; *args && n < ARGS_MAX - 1; n++)
        argv[n] = *args++;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(open("/dev/null", O_RDONLY), 0);
        dup2(open(path("stdout"), O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
        dup2(open(path("stderr"), O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    o.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    read_file("stdout", o.out);
    read_file("stderr", o.err);
    return &o;
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void says(const struct answer *o, int code, const char *out)
{
    if (o->code != code || !strstr(code ? o->err : o->out, out))
        fail_msg("wanted exit %d and '%s'\nexit %d\n%s\n%s", code, out, o->code, o->out,
                 o->err);
}

static int64_t count(const char *sql)
{
    return pgtest_i64(db, TENANT, sql);
}

static struct compliance_facts load(int64_t phone, int64_t campaign_id)
{
    static struct facts_set *kept;

    facts_free(kept);
    kept = NULL;
    assert_int_equal(
        facts_load_number(db, TENANT, phone, campaign_id, clock_now_ms(), &kept), 0);
    return facts_get(kept, 0);
}

/* ---- facts ---- */

static void a_wash_comes_in_with_its_bad_rows_said(void **state)
{
    const char *f = file("wash.csv", "Phone number;Result;Checked at\n"
                                     "+13055550123;yes;2026-11-01\n"
                                     "(305) 555-0124;CLEAR;2026-11-01\n"
                                     "\n"
                                     "=cmd();no;2026-11-01\n"
                                     "+13055550125;perhaps;2026-11-01\n"
                                     "+13055550126;no;2999-01-01\n"
                                     "+13055550127;no;yesterday\n"
                                     "+13055550128;no;\n");
    char rejects[OUTPUT_MAX];

    (void)state;
    says(RUN("facts", "import", f, "--kind", "wash", "--list", "us.wash", "--valid-days",
             "30", "--region", "US", "--dry-run"),
         0, "dry run, nothing kept: 7 rows of kind wash read: 2 good");
    assert_int_equal(count("SELECT count(*) FROM washes"), 0);
    says(RUN("facts", "import", f, "--kind", "wash", "--list", "us.wash", "--valid-days",
             "30", "--region", "US", "--rejects", path("bad.csv")),
         0, "7 rows of kind wash read: 2 written, 0 on file already, 5 rejected");
    read_file("bad.csv", rejects);
    assert_string_equal(
        rejects,
        "line,column,value,reason,hint\n"
        "5,phone,\"'=cmd()\",not_a_number,\"write digits only, e.g. +251911234567\"\n"
        "6,hit,perhaps,no_answer,write yes (the number is on the list) or no\n"
        "7,checked_at,2999-01-01,in_the_future,this date is still to come\n"
        "8,checked_at,yesterday,bad_date,write it as 2026-11-24 or 2026-11-24T08:00:00Z\n"
        "9,checked_at,,no_date,\"when was it asked? a column checked_at, or --checked "
        "TIME for all\"\n");
    struct compliance_facts facts = load(13055550123, 0);
    assert_int_equal(facts.wash_count, 1);
    assert_string_equal(facts.washes[0].name, "us.wash");
    assert_true(facts.washes[0].hit);
    assert_int_equal(facts.washes[0].expires_at_ms - facts.washes[0].checked_at_ms,
                     INT64_C(30) * 86400000);
    assert_false(load(13055550124, 0).washes[0].hit);
    says(RUN("facts", "import", f, "--kind", "wash", "--list", "us.wash", "--valid-days",
             "30", "--region", "US", "--json"),
         0, "\"known\": 2");
    says(RUN("facts", "show", "+13055550123"), 0, "IS on us.wash, asked 2026-11-01");
    says(RUN("facts", "changes", "--kind", "wash"), 0,
         "wash imported us.wash (wash.csv, by ");
}

static void an_older_answer_never_takes_the_place_of_a_newer_one(void **state)
{
    (void)state;
    says(RUN("facts", "import",
             file("new.csv", "phone,answer,checked_at\n+13055550131,yes,2026-11-10\n"
                             "+13055550132,no,2026-11-10\n+13055550132,yes,2026-11-10\n"),
             "--kind", "reassigned"),
         0, "2 written, 1 on file already");
    says(RUN("facts", "import",
             file("old.csv", "phone,answer,checked_at\n+13055550131,no,2026-11-09\n"),
             "--kind", "reassigned"),
         0, "0 written, 1 on file already");
    assert_int_equal(load(13055550131, 0).rnd, RND_YES);
    /* Of two answers of one day the one that forbids counts. */
    assert_int_equal(load(13055550132, 0).rnd, RND_YES);
    says(RUN("facts", "import",
             file("newer.csv", "phone,answer,checked_at\n+13055550131,no,2026-11-11\n"),
             "--kind", "reassigned"),
         0, "1 written");
    assert_int_equal(load(13055550131, 0).rnd, RND_NO);
}

static void lines_and_places_are_read_in_any_encoding(void **state)
{
    static const char utf16[] = "\xFF\xFEp\0h\0o\0n\0e\0\t\0l\0i\0n\0e\0\n\0"
                                "+\0001\0003\0000\0005\0005\0005\0005\0000\0001\0004\0"
                                "\061\0\t\0l\0a\0n\0d\0l\0i\0n\0e\0\n\0";
    const char *p = path("lines.csv");

    (void)state;
    assert_int_equal(files_write_atomic(p, utf16, sizeof(utf16) - 1), 0);
    says(RUN("facts", "import", p, "--kind", "line-type", "--checked", "2026-11-20"), 0,
         "read as CSV with tab between cells, UTF-16 LE; columns: phone=1 line=2");
    assert_int_equal(load(13055550141, 0).line, LINE_FACT_FIXED);
    says(RUN("facts", "import",
             file("places.csv",
                  "phone,state,time zone,confirmed,said at\n"
                  "+13055550142,US-CA,America/Los_Angeles,yes,2026-11-02T10:00:00Z\n"
                  "+13055550143,US-TX,America/Chicago America/Denver,,\n"
                  "+13055550144,US-TX,Mars/Olympus,,\n"
                  "+13055550145,Texas,,,\n"
                  "+13055550146,US-TX,,yes,2026-11-02\n"),
             "--kind", "place"),
         0, "2 written, 0 on file already, 3 rejected");
    struct compliance_facts f = load(13055550142, 0);
    assert_true(f.tz_confirmed);
    assert_string_equal(f.address_region, "US-CA");
    assert_string_equal(f.address_zones[0], "America/Los_Angeles");
    f = load(13055550143, 0);
    assert_false(f.tz_confirmed);
    assert_int_equal(f.address_zone_count, 2);
    /* An address of no date says nothing against what the person said. */
    says(RUN("facts", "import", file("address.csv", "phone,region\n+13055550142,US-NY\n"),
             "--kind", "place"),
         0, "0 written, 1 on file already");
    assert_string_equal(load(13055550142, 0).address_region, "US-CA");
}

static void a_file_that_lacks_a_column_changes_nothing(void **state)
{
    (void)state;
    says(RUN("facts", "import", file("odd.csv", "phone,colour\n+13055550150,red\n"),
             "--kind", "line-type"),
         1,
         "the first line names no column 'line'; known: phone, line, [checked_at]; "
         "nothing was imported");
    says(RUN("facts", "import", file("empty.csv", ""), "--kind", "line-type"), 1,
         "the file is empty");
    says(RUN("facts", "import", path("odd.csv")), 2, "what is in the file? --kind wash");
    assert_int_equal(count("SELECT count(*) FROM fact_changes WHERE source = 'odd.csv'"),
                     0);
}

/* A release that has begun holds the number: what forbids comes after it or before. */
static void a_hit_waits_for_a_release_of_the_number(void **state)
{
    struct fact_row row = {.phone = 13055550160,
                           .list = "us.wash",
                           .hit = true,
                           .checked_at_ms = clock_now_ms() - 1000,
                           .expires_at_ms = clock_now_ms() + 100000};
    struct fact_counts counts = {0};

    (void)state;
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_equal(facts_lock_parties(db, TENANT, &row.phone, 1), 0);
    pgtest_run(other, 0, "SET lock_timeout = '200ms'");
    assert_int_not_equal(fact_write(other, TENANT, FACT_WASH, &row, 1, 1, &counts), 0);
    assert_string_equal(pg_sqlstate(other), "55P03"); /* lock_not_available */
    assert_int_equal(pg_commit(db), 0);
    assert_int_equal(fact_write(other, TENANT, FACT_WASH, &row, 1, 1, &counts), 0);
    assert_int_equal(counts.written, 1);
}

/* ---- consents ---- */

static void consents_come_in_and_are_taken_back_at_once(void **state)
{
    const char *f =
        file("consents.csv", "phone,level,given at,seller,purpose,evidence,revoked\n"
                             "+13055550170,express written,2026-01-05,coop,,form 12,\n"
                             "+13055550171,express,2026-01-05,,,call of 5 January,\n"
                             "+13055550172,express,2026-01-05,,,,\n"
                             "+13055550173,,,,,letter,2026-02-01\n"
                             "+13055550174,express,2026-01-05,,weather,form 9,\n"
                             "+13055550175,express,2026-03-05,,,form 10,2026-04-01\n");
    struct answer *o = RUN("consent", "import", f);

    (void)state;
    says(o, 0, "6 rows of kind consent read: 3 written, 0 on file already, 2 rejected");
    says(o, 0, "2 consents are taken back");
    assert_non_null(strstr(o->err, "line 4, evidence: what proves it?"));
    assert_non_null(strstr(o->err, "write telemarketing, informational"));
    says(RUN("consent", "import", f), 0, "0 written, 3 on file already");
    assert_int_equal(load(13055550170, 0).consent, CONSENT_EXPRESS_WRITTEN);
    assert_string_equal(load(13055550170, 0).consent_seller, "coop");
    assert_true(load(13055550173, 0).consent_revoked);
    assert_true(load(13055550175, 0).consent_revoked);
    assert_int_equal(count("SELECT count(*) FROM consents WHERE phone = 13055550173"), 1);
    says(RUN("consent", "import",
             file("back.csv",
                  "phone,revoked_at\n+13055550170,yes\n+13055550171,2026-01-04\n")),
         0, "2 consents are taken back");
    assert_true(load(13055550170, 0).consent_revoked);
    /* It was given after the word that takes back. */
    assert_int_equal(load(13055550171, 0).consent, CONSENT_EXPRESS);
    assert_false(load(13055550171, 0).consent_revoked);
}

static void a_consent_for_one_purpose_is_none_for_another(void **state)
{
    int64_t survey = 0, sales = 0;

    (void)state;
    pgtest_run(
        db, TENANT,
        "INSERT INTO lists (tenant_id, name, created_at) VALUES (1, 'l', now()); ");
    pgtest_run(db, TENANT,
               "INSERT INTO flows (tenant_id, name, created_at) VALUES (1, 'f', now())");
    pgtest_run(
        db, TENANT,
        "INSERT INTO flow_revisions (tenant_id, flow_id, revision, sha256, source, "
        "published_at) SELECT 1, id, 1, 'x', '{}', now() FROM flows");
    pgtest_run(
        db, TENANT,
        "INSERT INTO trunks (tenant_id, name, kind, cps, max_channels, created_at) "
        "VALUES (1, 't', 'simulated', 1, 1, now())");
    pgtest_run(
        db, TENANT,
        "INSERT INTO campaigns (tenant_id, name, state, document, document_text, "
        "list_id, trunk_id, flow_revision_id, created_at, changed_at) SELECT 1, n, "
        "'draft', d::jsonb, d, l.id, t.id, r.id, now(), now() FROM lists l, trunks "
        "t, flow_revisions r, (VALUES ('survey', '{\"purpose\":\"survey\"}'), "
        "('sales', '{}')) v(n, d)");
    survey = count("SELECT id FROM campaigns WHERE name = 'survey'");
    sales = count("SELECT id FROM campaigns WHERE name = 'sales'");
    says(RUN("consent", "add", "+13055550180", "--purpose", "survey", "--evidence",
             "form 77"),
         0, "consent 'express' recorded");
    assert_int_equal(load(13055550180, survey).consent, CONSENT_EXPRESS);
    assert_true(load(13055550180, survey).consent_evidence);
    assert_int_equal(load(13055550180, sales).consent, CONSENT_NONE);
    assert_false(load(13055550180, sales).consent_evidence);
}

/* ---- why ---- */

static void decide(const struct uuid *attempt, enum decision_stage stage, int64_t at_ms,
                   char hash[65])
{
    struct compliance_facts f = load(13055550180, count("SELECT id FROM campaigns WHERE "
                                                        "name = 'sales'"));
    struct policy p;
    struct verdict v;

    policy_default(&p);
    f.zones_date_ms = at_ms;
    compliance_check(&p, &f, at_ms, &v);
    assert_true(v.allow);
    const struct decision d = {.stage = stage,
                               .campaign_id = f.campaign_id,
                               .contact_id = 7,
                               .phone = f.phone,
                               .attempt = attempt,
                               .at_ms = at_ms,
                               .verdict = &v,
                               .policy = &p,
                               .facts = &f,
                               .inputs_hash = hash};
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_equal(decision_write(db, TENANT, &d, 1), 0);
    assert_int_equal(pg_commit(db), 0);
}

static void a_call_is_explained_by_its_id(void **state)
{
    const int64_t at_ms = INT64_C(1795464000000); /* Monday 20:00 UTC, 15:00 in Miami */
    const struct uuid attempt = uuid_v7(at_ms);
    char id[UUID_TEXT_MAX], channel[80], sql[800], hash[65] = "";

    (void)state;
    uuid_text(&attempt, id);
    snprintf(
        sql, sizeof(sql),
        "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, "
        "trunk_id, slot, number, state, intent_at, released_at, ended_at, cause, "
        "disposition) SELECT '%s', 1, c.id, 7, 13055550180, c.trunk_id, 0, 2, "
        "'ended', furrow_ts(%lld), furrow_ts(%lld), furrow_ts(%lld), 17, 'busy' FROM "
        "campaigns c WHERE c.name = 'sales'",
        id, (long long)at_ms, (long long)at_ms + 5, (long long)at_ms + 9000);
    decide(&attempt, DECISION_CLAIM, at_ms, NULL);
    decide(&attempt, DECISION_RELEASE, at_ms + 5, hash);
    pgtest_run(db, TENANT, sql);
    const struct answer *o = RUN("why", id);
    says(o, 0, "to +13055550180: ended, busy\n  campaign sales, attempt 2 to contact 7");
    says(o, 0, "when it was picked: allowed");
    says(o, 0, "at its release: allowed");
    says(o, 0, "passes  tenant.internal");
    says(o, 0, hash); /* what the permit was bound to */
    says(RUN("why", "+13055550180"), 0, id);
    snprintf(channel, sizeof(channel), "fw01234567-%s", id);
    says(RUN("why", channel, "--json"), 0, "\"rules\"");
    says(RUN("why", "0195a000-0000-7000-8000-000000000000"), 1,
         "there is no such call; 'furrow why NUMBER' has the calls");
}

/* ---- registrations and orders ---- */

static void registrations_hold_until_they_end(void **state)
{
    (void)state;
    says(RUN("registration", "add", "US-FL", "--until", "2999-06-30", "--note",
             "licence TC-1"),
         0, "registered in US-FL until 2999-06-30");
    says(RUN("registration", "add", "US-FL", "--until", "2001-01-01", "--note", "x"), 2,
         "--until is over already");
    says(RUN("registration", "add", "Florida", "--note", "x"), 2,
         "'Florida' is no region; write it as US-FL");
    says(RUN("registration", "list"), 0, "US-FL    until 2999-06-30");
    assert_int_equal(load(13055550190, 0).registration_count, 1);
    says(RUN("registration", "remove", "US-FL", "--note", "not renewed"), 0,
         "not registered in US-FL any more");
    assert_int_equal(load(13055550190, 0).registration_count, 0);
    says(RUN("registration", "remove", "US-FL"), 1, "there is no registration in US-FL");
    says(RUN("facts", "changes", "--kind", "registration"), 0, ": not renewed");
}

static void an_emergency_order_holds_until_it_is_ended(void **state)
{
    (void)state;
    says(RUN("emergency", "add", "US-FL", "--note", "Governor, order 26-1"), 0,
         "emergency 1: no call into US-FL from ");
    assert_int_equal(load(13055550191, 0).block_count, 1);
    assert_int_equal(load(13055550191, 0).blocks[0].until_ms, 0);
    says(RUN("emergency", "list"), 0, "until it is ended: Governor, order 26-1");
    says(RUN("emergency", "end", "1", "--note", "lifted"), 0, "emergency 1 is over");
    says(RUN("emergency", "list"), 0, "none is in force");
    says(RUN("emergency", "list", "--all"), 0, "US-FL");
    says(RUN("emergency", "end", "1"), 1, "no emergency 1 is in force");
}

static void what_was_changed_cannot_be_unwritten(void **state)
{
    struct pg *pg = pgtest_open();

    (void)state;
    assert_int_equal(pg_begin(pg, TENANT), 0);
    assert_int_not_equal(pg_run(pg, NULL, "DELETE FROM fact_changes", NULL), 0);
    pg_rollback(pg);
    assert_int_equal(pg_begin(pg, TENANT), 0);
    assert_int_not_equal(pg_run(pg, NULL, "UPDATE fact_changes SET by_user = 'x'", NULL),
                         0);
    pg_rollback(pg);
    pg_close(pg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wash_comes_in_with_its_bad_rows_said),
        cmocka_unit_test(an_older_answer_never_takes_the_place_of_a_newer_one),
        cmocka_unit_test(lines_and_places_are_read_in_any_encoding),
        cmocka_unit_test(a_file_that_lacks_a_column_changes_nothing),
        cmocka_unit_test(a_hit_waits_for_a_release_of_the_number),
        cmocka_unit_test(consents_come_in_and_are_taken_back_at_once),
        cmocka_unit_test(a_consent_for_one_purpose_is_none_for_another),
        cmocka_unit_test(a_call_is_explained_by_its_id),
        cmocka_unit_test(registrations_hold_until_they_end),
        cmocka_unit_test(an_emergency_order_holds_until_it_is_ended),
        cmocka_unit_test(what_was_changed_cannot_be_unwritten),
    };

    pgtest_start(PGTEST_POSTGRES);
    db = pgtest_open();
    other = pgtest_open();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(other);
    pg_close(db);
    return failed;
}
