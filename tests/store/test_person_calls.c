/* Several numbers of one person, on a real Postgres: who is called first, and that two
 * dialers never call one person twice at once. */
#include "unit/cm.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "campaigns/attempt_store.h"
#include "campaigns/attempt_store_person.h"
#include "campaigns/campaign_change.h"
#include "campaigns/campaign_store.h"
#include "compliance/facts_store.h"
#include "store/ledger_fixture.h"
#include "store/pgtest.h"

enum { PERSONS = 40 };

static struct pg *pg, *other;
static int64_t addis, next_phone = 251911000000;
static int campaigns;

static int64_t new_campaign(const char *rules)
{
    char name[32];

    snprintf(name, sizeof(name), "p%d", ++campaigns);
    return ledger_campaign(pg, name, rules);
}

/* A contact of the campaign; its phone. */
static int64_t number_of(int64_t campaign, const char *person, int rank)
{
    int64_t phone = next_phone++;
    int64_t id = ledger_contact(pg, campaign, addis, phone, -rank);

    ledger_run(pg,
               "UPDATE contacts SET person = '%s', person_rank = %d WHERE id = %" PRId64,
               person, rank, id);
    return phone;
}

static size_t claim(struct pg *db, int64_t campaign, int64_t at_ms, size_t max,
                    struct attempt_row *rows)
{
    struct attempt_claim_result r = {0};

    assert_int_equal(attempt_claim(db, TENANT, campaign, 3, at_ms, max, rows, &r), 0);
    return r.intents;
}

static int64_t released(int64_t campaign)
{
    return ledger_i64(pg,
                      "SELECT count(*) FROM attempts WHERE state = 'released' AND "
                      "campaign_id = %" PRId64,
                      campaign);
}

/* ---- the lock ---- */

static void a_release_waits_for_whoever_holds_the_persons_other_number(void **state)
{
    int64_t c = new_campaign("");
    int64_t second = number_of(c, "abebe", 1);
    struct attempt_row row = {0};
    struct permit *p = NULL;

    (void)state;
    number_of(c, "abebe", 0);
    assert_int_equal(claim(pg, c, T0, 1, &row), 1);
    assert_int_not_equal(row.phone, second); /* the preferred one */
    assert_int_equal(pg_begin(other, TENANT), 0);
    assert_int_equal(facts_lock_parties(other, TENANT, &second, 1), 0);
    pgtest_run(pg, 0, "SET lock_timeout = '200ms'");
    assert_int_not_equal(attempt_release(pg, TENANT, &row, 1, T0, &p), 0);
    assert_string_equal(pg_sqlstate(pg), "55P03"); /* lock_not_available */
    pgtest_run(pg, 0, "SET lock_timeout = 0");
    assert_int_equal(pg_commit(other), 0);
    assert_int_equal(attempt_release(pg, TENANT, &row, 1, T0, &p), 0);
    assert_non_null(p);
    permit_free(p);
}

struct dialer {
    struct pg *pg;
    int64_t campaign;
    pthread_barrier_t *go;
    struct attempt_row rows[PERSONS];
    size_t permits;
    int err;
};

static void *release_all(void *arg)
{
    struct dialer *d = arg;
    struct permit *permits[PERSONS] = {NULL};

    pthread_barrier_wait(d->go);
    d->err = attempt_release(d->pg, TENANT, d->rows, PERSONS, T0 + 100, permits);
    for (size_t i = 0; i < PERSONS; i++)
        if (permits[i]) {
            d->permits++;
            permit_free(permits[i]);
        }
    return NULL;
}

/* Each dialer has one number of every person, in opposite order; which of the two
 * attempts is the older is left to chance. */
static void of_a_persons_two_numbers_two_dialers_release_exactly_one(void **state)
{
    pthread_barrier_t go;
    struct dialer d[2] = {{.pg = pg, .campaign = new_campaign(""), .go = &go},
                          {.pg = other, .campaign = new_campaign(""), .go = &go}};
    pthread_t threads[2];

    (void)state;
    for (int i = 0; i < PERSONS; i++) {
        number_of(d[0].campaign, "", 0);
        number_of(d[1].campaign, "", 0);
    }
    ledger_run(pg, "UPDATE contacts SET person = NULL WHERE person = ''");
    for (int i = 0; i < 2; i++)
        assert_int_equal(claim(pg, d[i].campaign, T0, PERSONS, d[i].rows), PERSONS);
    /* Only now it becomes known who they are. */
    for (int i = 0; i < 2; i++)
        ledger_run(pg,
                   "UPDATE contacts c SET person = 'person ' || CASE WHEN %d = 0 THEN n "
                   "ELSE %d - n END FROM (SELECT contact_id, row_number() OVER (ORDER BY "
                   "phone) AS n FROM campaign_contacts WHERE campaign_id = %" PRId64
                   ") q WHERE q.contact_id = c.id",
                   i, PERSONS + 1, d[i].campaign);
    pthread_barrier_init(&go, NULL, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, release_all, &d[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&go);
    for (int i = 0; i < 2; i++)
        assert_int_equal(d[i].err, 0); /* no deadlock */
    assert_int_equal(d[0].permits + d[1].permits, PERSONS);
    assert_int_equal(released(d[0].campaign) + released(d[1].campaign), PERSONS);
    assert_int_equal(
        ledger_i64(pg, "SELECT count(DISTINCT c.person) FROM attempts a JOIN contacts c "
                       "ON c.id = a.contact_id WHERE a.state = 'released' AND c.person "
                       "LIKE 'person %%'"),
        PERSONS);
    assert_int_equal(
        ledger_i64(pg,
                   "SELECT count(*) FROM campaign_contacts WHERE last_refusal = 511 "
                   "AND campaign_id IN (%" PRId64 ", %" PRId64 ")",
                   d[0].campaign, d[1].campaign),
        PERSONS); /* PARTY_IN_FLIGHT */
}

/* ---- limits ---- */

static void a_limit_of_the_person_holds_for_every_number(void **state)
{
    int64_t c = new_campaign(",\"frequency\":[{\"code\":\"FREQ_24H\",\"kind\":"
                             "\"rolling\",\"seconds\":86400,\"max\":1,\"scope\":"
                             "\"person\"}]");
    struct attempt_row row = {0}, none = {0};
    struct permit *p = NULL;
    char id[UUID_TEXT_MAX];

    (void)state;
    number_of(c, "tirunesh", 0);
    assert_int_equal(claim(pg, c, T0, 1, &row), 1);
    assert_int_equal(attempt_release(pg, TENANT, &row, 1, T0, &p), 0);
    assert_non_null(p);
    permit_free(p);
    ledger_run(
        pg, "UPDATE attempts SET state = 'ended', disposition = 'busy' WHERE id = '%s'",
        uuid_text(&row.id, id));
    int64_t second = number_of(c, "tirunesh", 1);
    assert_int_equal(claim(pg, c, T0 + 60000, 1, &none), 0);
    assert_int_equal(ledger_i64(pg,
                                "SELECT last_refusal FROM campaign_contacts WHERE phone "
                                "= %" PRId64,
                                second),
                     502); /* FREQ_24H */
    assert_int_equal(ledger_i64(pg,
                                "SELECT furrow_ms(next_attempt_at) FROM "
                                "campaign_contacts WHERE phone = %" PRId64,
                                second),
                     T0 + INT64_C(86400000));
}

/* Tired by one campaign, spared by the other, whichever number it has. */
static void a_limit_of_the_person_holds_in_every_campaign(void **state)
{
    int64_t mine = new_campaign("");
    int64_t theirs = new_campaign(",\"limits\":{\"min_gap_s\":0},\"frequency\":[{"
                                  "\"code\":\"FREQ_7D\",\"kind\":\"rolling\","
                                  "\"seconds\":604800,\"max\":2,\"scope\":\"person\"}]");
    struct attempt_row row = {0};
    struct permit *p = NULL;
    char id[UUID_TEXT_MAX];

    (void)state;
    for (int i = 0; i < 2; i++) {
        int64_t phone = number_of(mine, "worknesh", i);
        assert_int_equal(claim(pg, mine, T0, 1, &row), 1);
        assert_int_equal(row.phone, phone);
        assert_int_equal(attempt_release(pg, TENANT, &row, 1, T0, &p), 0);
        assert_non_null(p);
        permit_free(p);
        ledger_run(
            pg,
            "UPDATE attempts SET state = 'ended', disposition = 'busy' WHERE id = '%s'",
            uuid_text(&row.id, id));
    }
    int64_t third = number_of(theirs, "worknesh", 0),
            other_one = number_of(theirs, "x", 0);
    assert_int_equal(claim(pg, theirs, T0 + 60000, 2, &row), 1);
    assert_int_equal(row.phone, other_one);
    assert_int_equal(ledger_i64(pg,
                                "SELECT last_refusal FROM campaign_contacts WHERE phone "
                                "= %" PRId64,
                                third),
                     503); /* FREQ_7D */
}

static void the_preferred_number_comes_first(void **state)
{
    int64_t c = new_campaign(""), ranks[3];
    size_t added = 0;
    bool loading = false;

    (void)state;
    for (int i = 0; i < 3; i++)
        ranks[i] = number_of(c, "derartu", 2 - i);
    ledger_run(pg, "DELETE FROM campaign_contacts WHERE campaign_id = %" PRId64, c);
    ledger_run(pg, "DELETE FROM contacts WHERE phone < %" PRId64, ranks[0]);
    assert_int_equal(campaign_populate(pg, TENANT, c, 100, T0, &added, &loading), 0);
    assert_int_equal(added, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ledger_i64(pg,
                                    "SELECT priority FROM campaign_contacts WHERE "
                                    "campaign_id = %" PRId64 " AND phone = %" PRId64,
                                    c, ranks[i]),
                         i - 2);
}

static void call(const struct attempt_row *row, int64_t at_ms, enum disposition how,
                 int cause)
{
    struct permit *p = NULL;
    size_t illegal = 9;
    const struct attempt_move m[] = {
        {.id = row->id, .to = ATTEMPT_RINGING, .at_ms = at_ms + 1000},
        {.id = row->id,
         .to = ATTEMPT_ENDED,
         .at_ms = at_ms + 2000,
         .cause = cause,
         .disposition = how},
    };

    assert_int_equal(attempt_release(pg, TENANT, row, 1, at_ms, &p), 0);
    assert_non_null(p);
    permit_free(p);
    assert_int_equal(attempt_move(pg, TENANT, m, 2, &illegal), 0);
    assert_int_equal(illegal, 0);
}

static int is(int64_t campaign, int64_t phone, const char *state, const char *final)
{
    return ledger_is(pg, "1",
                     "SELECT count(*) FROM campaign_contacts WHERE campaign_id = "
                     "%" PRId64 " AND phone = %" PRId64
                     " AND state = '%s' AND coalesce(final, '') = '%s'",
                     campaign, phone, state, final);
}

static void the_other_number_is_for_when_the_preferred_one_fails(void **state)
{
    int64_t c = new_campaign(""), elsewhere = new_campaign("");
    int64_t second = number_of(c, "kenenisa", 1), first = number_of(c, "kenenisa", 0);
    int64_t stranger = number_of(c, "haile", 1);
    int64_t survey = number_of(elsewhere, "kenenisa", 2);
    struct attempt_row row = {0};

    (void)state;
    assert_int_equal(claim(pg, c, T0, 1, &row), 1);
    assert_int_equal(row.phone, first);
    call(&row, T0, DISPOSITION_BUSY, 17);
    assert_true(is(c, first, "pending", ""));
    assert_int_equal(claim(pg, c, T0 + 10000, 1, &row), 1);
    assert_int_equal(row.phone, second);
    call(&row, T0 + 10000, DISPOSITION_COMPLETED, 16);
    /* They were talked to: the preferred number is not called again, by this campaign. */
    assert_true(is(c, second, "final", "completed"));
    assert_true(is(c, first, "final", "other_number"));
    assert_true(is(c, stranger, "pending", ""));
    assert_true(is(elsewhere, survey, "pending", ""));
}

/* The contact of another campaign waits in this one too. */
static void join(int64_t campaign, int64_t phone)
{
    ledger_run(pg,
               "INSERT INTO campaign_contacts (tenant_id, campaign_id, contact_id, "
               "phone, zone_group, next_attempt_at) SELECT tenant_id, %" PRId64
               ", id, phone, zone_group, furrow_ts(%" PRId64
               ") FROM contacts WHERE phone = %" PRId64,
               campaign, T0, phone);
}

/* What rules can name of a call's end is what the ledger says of it. */
static void rules_know_who_declined_and_where_a_machine_was(void **state)
{
    static const struct {
        enum disposition how;
        int cause;
        const char *after;
    } ends[] = {{DISPOSITION_REJECTED, 21, "refused"},
                {DISPOSITION_MACHINE, 16, "machine"},
                {DISPOSITION_MESSAGE, 16, "voicemail"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        char rules[200];
        struct attempt_row row = {0};
        snprintf(rules, sizeof(rules),
                 ",\"limits\":{\"per_24h\":0,\"min_gap_s\":0},\"cooldowns\":[{\"code\":"
                 "\"COOLDOWN_REFUSAL\",\"after\":\"%s\",\"calendar_days\":60}]",
                 ends[i].after);
        int64_t before = new_campaign(""), c = new_campaign(rules);
        int64_t phone = number_of(before, "worku", 0);
        assert_int_equal(claim(pg, before, T0, 1, &row), 1);
        call(&row, T0, ends[i].how, ends[i].cause);
        join(c, phone);
        assert_int_equal(claim(pg, c, T0 + 60000, 1, &row), 0);
        assert_int_equal(ledger_i64(pg,
                                    "SELECT last_refusal FROM campaign_contacts WHERE "
                                    "campaign_id = %" PRId64,
                                    c),
                         REASON_COOLDOWN_REFUSAL);
    }
}

/* Who leaves one campaign has refused: what a rule says of that holds in the others. */
static void who_opted_out_of_one_campaign_has_refused(void **state)
{
    int64_t before = new_campaign(""), phone = number_of(before, "chaltu", 0);
    struct attempt_row row = {0};
    char id[UUID_TEXT_MAX];

    (void)state;
    assert_int_equal(claim(pg, before, T0, 1, &row), 1);
    call(&row, T0, DISPOSITION_COMPLETED, 16);
    ledger_run(pg,
               "INSERT INTO dnc_entries (tenant_id, phone, campaign_id, source, call_id, "
               "added_at) VALUES (1, %" PRId64 ", %" PRId64
               ", 'keypress', '%s', furrow_ts(%" PRId64 "))",
               phone, before, uuid_text(&row.id, id), T0);
    for (int i = 0; i < 3; i++) {
        static const char *const after[] = {"refused", "conversation", "machine"};
        char rules[200];
        snprintf(rules, sizeof(rules),
                 ",\"limits\":{\"per_24h\":0,\"min_gap_s\":0},\"cooldowns\":[{\"code\":"
                 "\"COOLDOWN_REFUSAL\",\"after\":\"%s\",\"calendar_days\":60}]",
                 after[i]);
        int64_t c = new_campaign(rules);
        join(c, phone);
        assert_int_equal(claim(pg, c, T0 + 60000, 1, &row), i == 2);
    }
}

/* ---- one by one ---- */

static int64_t due(int64_t campaign, int64_t phone)
{
    return ledger_i64(pg,
                      "SELECT furrow_ms(next_attempt_at) FROM campaign_contacts WHERE "
                      "campaign_id = %" PRId64 " AND phone = %" PRId64,
                      campaign, phone);
}

/* As an import leaves them: the campaign takes them from its list. */
static void enrol(int64_t campaign)
{
    size_t added = 0;
    bool loading = false;

    ledger_run(pg, "DELETE FROM campaign_contacts WHERE campaign_id = %" PRId64,
               campaign);
    ledger_run(pg,
               "UPDATE campaigns SET last_contact_id = (SELECT max(id) - %d FROM "
               "contacts) WHERE id = %" PRId64,
               4, campaign);
    assert_int_equal(campaign_populate(pg, TENANT, campaign, 100, T0, &added, &loading),
                     0);
    assert_int_equal(added, 4);
}

#define BUSY_TWICE                                                                       \
    ",\"limits\":{\"per_24h\":0,\"min_gap_s\":0},\"retry\":{\"busy\":{"                  \
    "\"max_attempts\":2,\"delay_s\":60}}"

static void one_by_one_the_next_number_waits_until_the_one_before_is_final(void **state)
{
    int64_t c = new_campaign(",\"numbers\":\"one_by_one\"" BUSY_TWICE);
    int64_t third = number_of(c, "meseret", 2), first = number_of(c, "meseret", 0);
    int64_t second = number_of(c, "meseret", 1), alone = number_of(c, "almaz", 1);
    struct attempt_row rows[4];

    (void)state;
    enrol(c);
    assert_int_equal(due(c, second), ATTEMPT_HELD_MS);
    assert_int_equal(due(c, third), ATTEMPT_HELD_MS);
    /* Who has no number before waits for none. */
    assert_int_equal(claim(pg, c, T0, 4, rows), 2);
    assert_int_equal(rows[0].phone, first);
    assert_int_equal(rows[1].phone, alone);
    call(&rows[1], T0, DISPOSITION_COMPLETED, 16);
    call(&rows[0], T0, DISPOSITION_BUSY, 17);
    assert_int_equal(claim(pg, c, T0 + 10000, 4, rows), 0); /* its retry comes first */
    assert_int_equal(claim(pg, c, T0 + 70000, 4, rows), 1);
    assert_int_equal(rows[0].phone, first);
    call(&rows[0], T0 + 70000, DISPOSITION_BUSY, 17);
    assert_true(is(c, first, "final", "busy"));
    assert_int_equal(claim(pg, c, T0 + 80000, 4, rows), 1);
    assert_int_equal(rows[0].phone, second);
    assert_int_equal(due(c, third), ATTEMPT_HELD_MS);
    /* A number that may never be called makes room as well. */
    call(&rows[0], T0 + 80000, DISPOSITION_BUSY, 17);
    ledger_run(
        pg,
        "INSERT INTO dnc_entries (tenant_id, phone, campaign_id, source, added_at) "
        "VALUES (1, %" PRId64 ", 0, 'cli', now())",
        second);
    assert_int_equal(claim(pg, c, T0 + 200000, 4, rows), 0);
    assert_int_equal(claim(pg, c, T0 + 200000, 4, rows), 1);
    assert_int_equal(rows[0].phone, third);
    call(&rows[0], T0 + 200000, DISPOSITION_COMPLETED, 16);
}

static void a_conversation_ends_the_held_numbers_too(void **state)
{
    int64_t c = new_campaign(",\"numbers\":\"one_by_one\"" BUSY_TWICE);
    int64_t first = number_of(c, "sintayehu", 0), second = number_of(c, "sintayehu", 1);
    struct attempt_row rows[4];

    (void)state;
    number_of(c, "", 0);
    number_of(c, "", 0);
    ledger_run(pg, "UPDATE contacts SET person = NULL WHERE person = ''");
    enrol(c);
    assert_int_equal(claim(pg, c, T0, 1, rows), 1);
    assert_int_equal(rows[0].phone, first);
    call(&rows[0], T0, DISPOSITION_COMPLETED, 16);
    assert_true(is(c, second, "final", "other_number"));
}

/* The number before is taken out: nobody would ever let go of the next one. */
static void a_held_number_whose_other_is_gone_is_mended_and_a_change_lets_go(void **state)
{
    int64_t c = new_campaign(",\"numbers\":\"one_by_one\"" BUSY_TWICE);
    int64_t first = number_of(c, "tola", 0), second = number_of(c, "tola", 1);
    int64_t a = number_of(c, "lemma", 0), b = number_of(c, "lemma", 1);
    struct campaign_row row = {0};
    struct campaign_issues issues = {0};
    size_t completed = 0;
    struct errtext e = {0};
    char name[32];
    char *text = NULL, *other_text = NULL;
    const char *setting = "numbers=in_turn";

    (void)state;
    enrol(c);
    ledger_run(pg,
               "DELETE FROM campaign_contacts WHERE campaign_id = %" PRId64
               " AND phone IN (%" PRId64 ", %" PRId64 ")",
               c, first, a);
    ledger_run(pg,
               "UPDATE campaigns SET last_contact_id = (SELECT max(id) FROM contacts) "
               "WHERE id = %" PRId64,
               c);
    assert_int_equal(campaign_complete_due(pg, TENANT, T0, &completed), 0);
    assert_int_equal(due(c, second), T0);
    assert_int_equal(due(c, b), T0);
    ledger_run(pg,
               "UPDATE campaign_contacts SET next_attempt_at = furrow_ts(%" PRId64
               ") WHERE campaign_id = %" PRId64 " AND phone = %" PRId64,
               ATTEMPT_HELD_MS, c, b);
    snprintf(name, sizeof(name), "p%d", campaigns);
    assert_int_equal(campaign_find(pg, TENANT, name, &row, &e), 0);
    assert_int_equal(campaign_text(pg, TENANT, c, &text), 0);
    assert_int_equal(campaign_text_with(text, &setting, 1, &other_text, &e), 0);
    assert_int_equal(
        campaign_change(pg, &row, other_text, strlen(other_text), T0 + 5000, &issues), 0);
    assert_int_equal(due(c, b), T0 + 5000);
    free(text);
    free(other_text);
}

/* While an import runs nobody has counted the table: an index that leads with the tenant
 * would then be taken, and all of it read for each number. */
static void no_index_of_contacts_leads_with_the_tenant(void **state)
{
    CLEANUP(pg_result_free) PGresult *plan = NULL;
    char text[4000] = "";

    (void)state;
    assert_int_equal(ledger_i64(pg, "SELECT count(*) FROM pg_indexes WHERE tablename = "
                                    "'contacts' AND indexdef LIKE '%%(tenant_id%%' AND "
                                    "indexdef NOT LIKE '%%INCLUDE (tenant_id%%'"),
                     0);
    assert_int_equal(ledger_i64(pg, "SELECT count(*) FROM pg_indexes WHERE indexname IN "
                                    "('contacts_person', 'contacts_phone_person')"),
                     2);
    /* Nor that of answers on their way, which row security leaves to the sweep. */
    assert_int_equal(ledger_i64(pg, "SELECT count(*) FROM pg_indexes WHERE indexname = "
                                    "'recordings_callback' AND indexdef LIKE "
                                    "'%%(call_id)%%'"),
                     1);
    assert_int_equal(pg_begin(pg, TENANT), 0);
    assert_int_equal(pg_run(pg, NULL, "SET LOCAL enable_seqscan = off", NULL), 0);
    assert_int_equal(
        pg_run(pg, &plan,
               "EXPLAIN SELECT FROM recordings r JOIN calls c ON c.id = r.call_id WHERE "
               "r.pipeline = 'callback' AND r.state IN ('live', 'finished', 'stored', "
               "'transcribed') AND c.campaign_id = 1",
               NULL),
        0);
    for (int i = 0; i < PQntuples(plan); i++)
        strncat(text, pg_text(plan, i, 0), sizeof(text) - strlen(text) - 1);
    assert_int_equal(pg_commit(pg), 0);
    assert_non_null(strstr(text, "recordings_callback"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_release_waits_for_whoever_holds_the_persons_other_number),
        cmocka_unit_test(of_a_persons_two_numbers_two_dialers_release_exactly_one),
        cmocka_unit_test(a_limit_of_the_person_holds_for_every_number),
        cmocka_unit_test(a_limit_of_the_person_holds_in_every_campaign),
        cmocka_unit_test(the_preferred_number_comes_first),
        cmocka_unit_test(no_index_of_contacts_leads_with_the_tenant),
        cmocka_unit_test(the_other_number_is_for_when_the_preferred_one_fails),
        cmocka_unit_test(rules_know_who_declined_and_where_a_machine_was),
        cmocka_unit_test(who_opted_out_of_one_campaign_has_refused),
        cmocka_unit_test(one_by_one_the_next_number_waits_until_the_one_before_is_final),
        cmocka_unit_test(a_conversation_ends_the_held_numbers_too),
        cmocka_unit_test(
            a_held_number_whose_other_is_gone_is_mended_and_a_change_lets_go),
    };

    pgtest_start(PGTEST_POSTGRES);
    pg = pgtest_open();
    other = pgtest_open();
    ledger_fixture_start(pg);
    addis = ledger_zone(pg, "ET", "Africa/Addis_Ababa");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(other);
    pg_close(pg);
    return failed;
}
