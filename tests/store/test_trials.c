/* Variants, topics and the hours of callbacks on a real Postgres. */
#include "unit/cm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/attempt_store.h"
#include "campaigns/call_hours_store.h"
#include "campaigns/call_store.h"
#include "campaigns/campaign_store.h"
#include "campaigns/flow_store.h"
#include "campaigns/variant_store.h"
#include "compliance/dnc_store.h"
#include "store/ledger_fixture.h"
#include "store/pgtest.h"

enum { PEOPLE = 60 };
#define HOUR INT64_C(3600000)

static struct pg *pg;
static int64_t addis, next_phone = 251911000000;

static int64_t publish(const char *source)
{
    struct flow_row row;
    bool fresh = false;

    assert_int_equal(flow_publish(pg, TENANT, "survey", source, T0, &row, &fresh), 0);
    return row.revision_id;
}

static int64_t create(const char *name, const char *more)
{
    struct campaign_issues issues = {0};
    struct campaign_row row;
    char text[1000];

    snprintf(text, sizeof(text),
             "{\"name\": \"%s\", \"list\": \"farmers\", \"flow\": \"survey\", \"trunk\": "
             "\"sim\", \"limits\": {\"min_gap_s\": 0, \"per_24h\": 0, \"per_7d\": 0}%s}",
             name, more);
    if (campaign_create(pg, TENANT, text, strlen(text), T0, &row, &issues))
        fail_msg("%s: %s", issues.at[0].pointer, issues.at[0].text);
    ledger_run(pg, "UPDATE campaigns SET state = 'running' WHERE id = %" PRId64, row.id);
    return row.id;
}

static size_t claim(int64_t campaign, int64_t at_ms, struct attempt_row *out, size_t max)
{
    struct attempt_claim_result r = {0};

    assert_int_equal(attempt_claim(pg, TENANT, campaign, 3, at_ms, max, out, &r), 0);
    return r.intents;
}

static const struct attempt_row *row_of(const struct attempt_row *rows, size_t n,
                                        int64_t contact)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].contact_id == contact)
            return &rows[i];
    fail_msg("contact %" PRId64 " was not claimed", contact);
    return NULL;
}

/* ---- variants ---- */

#define TWO                                                                              \
    ", \"variants\": [{\"name\": \"a\", \"flow\": \"survey@1\", \"weight\": 50}, "       \
    "{\"name\": \"b\", \"weight\": 50}]"

static void
a_person_gets_one_variant_with_its_pinned_revision_on_every_retry(void **state)
{
    static struct attempt_row first[PEOPLE], again[PEOPLE];
    int64_t r1 = publish("{\"v\": 1}"), r2 = publish("{\"v\": 2}");
    int64_t c = create("ab", TWO);
    int64_t r3 = publish("{\"v\": 3}");
    size_t of_a = 0;
    char id[UUID_TEXT_MAX];

    (void)state;
    assert_true(r3 > r2);
    for (int i = 0; i < PEOPLE; i++)
        ledger_contact(pg, c, addis, next_phone++, 0);
    assert_int_equal(claim(c, T0, first, PEOPLE), PEOPLE);
    for (size_t i = 0; i < PEOPLE; i++) {
        bool a = str_is(first[i].variant, "a");
        of_a += a;
        assert_true(a || str_is(first[i].variant, "b"));
        assert_int_equal(first[i].flow_revision_id, a ? r1 : r2);
        const struct attempt_move back = {
            .id = first[i].id, .to = ATTEMPT_WITHDRAWN, .at_ms = T0};
        assert_int_equal(attempt_move(pg, TENANT, &back, 1, NULL), 0);
    }
    assert_in_range(of_a, PEOPLE / 4, PEOPLE * 3 / 4);
    assert_true(ledger_is(pg, first[7].variant,
                          "SELECT variant FROM attempts WHERE id = '%s'",
                          uuid_text(&first[7].id, id)));
    assert_int_equal(claim(c, T0 + HOUR, again, PEOPLE), PEOPLE);
    for (size_t i = 0; i < PEOPLE; i++)
        assert_string_equal(again[i].variant,
                            row_of(first, PEOPLE, again[i].contact_id)->variant);
}

static void the_numbers_of_one_person_get_one_variant(void **state)
{
    struct attempt_row rows[8];
    int64_t c = create("person", TWO);
    const char *variant = NULL;

    (void)state;
    for (int i = 0; i < 8; i++) {
        int64_t contact = ledger_contact(pg, c, addis, next_phone++, 0);
        ledger_run(pg, "UPDATE contacts SET person = 'Abebe' WHERE id = %" PRId64,
                   contact);
        /* One of a person's numbers is called at a time. */
        assert_int_equal(claim(c, T0 + i * HOUR, &rows[i], 1), 1);
        variant = variant ? variant : rows[i].variant;
        assert_string_equal(rows[i].variant, variant);
        const struct attempt_move back = {
            .id = rows[i].id, .to = ATTEMPT_WITHDRAWN, .at_ms = T0 + i * HOUR};
        assert_int_equal(attempt_move(pg, TENANT, &back, 1, NULL), 0);
        ledger_run(pg,
                   "UPDATE campaign_contacts SET state = 'final' WHERE campaign_id = "
                   "%" PRId64 " AND contact_id = %" PRId64,
                   c, contact);
    }
}

static void a_flow_and_a_revision_that_are_not_there_are_said(void **state)
{
    static const char text[] =
        "{\"name\": \"odd\", \"list\": \"farmers\", \"flow\": \"survey@2\", \"trunk\": "
        "\"sim\", \"variants\": [{\"name\": \"a\", \"flow\": \"survey@77\", \"weight\": "
        "1}, {\"name\": \"b\", \"flow\": \"servey\", \"weight\": 1}]}";
    struct campaign_issues issues = {0};
    struct campaign_row row;

    (void)state;
    assert_int_equal(campaign_create(pg, TENANT, text, strlen(text), T0, &row, &issues),
                     EINVAL);
    assert_int_equal(issues.found, 2);
    assert_string_equal(issues.at[0].pointer, "/variants/0/flow");
    assert_string_equal(issues.at[0].text,
                        "flow 'survey' has no revision 77; its newest is 3");
    assert_string_equal(issues.at[1].pointer, "/variants/1/flow");
    assert_non_null(strstr(issues.at[1].text, "did you mean 'survey'?"));
}

static void variants_stay_while_a_campaign_runs(void **state)
{
    CLEANUP(free_cleanup) char *text = NULL;
    struct campaign_issues issues = {0};
    struct campaign_row row;
    struct errtext e = {0};

    (void)state;
    assert_int_equal(campaign_find(pg, TENANT, "ab", &row, &e), 0);
    assert_int_equal(campaign_text(pg, TENANT, row.id, &text), 0);
    memcpy(strstr(text, "\"weight\": 50"), "\"weight\": 90", 12);
    assert_int_equal(campaign_change(pg, &row, text, strlen(text), T0, &issues), EINVAL);
    assert_string_equal(issues.at[0].pointer, "/variants");
    assert_non_null(strstr(issues.at[0].text, "stay as they are"));
}

static void end_call(const struct attempt_row *row, int talk_s, const char *outcome)
{
    struct permit *p = NULL;
    struct attempt_move moves[] = {{.id = row->id, .to = ATTEMPT_RINGING, .at_ms = T0},
                                   {.id = row->id, .to = ATTEMPT_ANSWERED, .at_ms = T0},
                                   {.id = row->id,
                                    .to = ATTEMPT_ENDED,
                                    .at_ms = T0 + talk_s * 1000,
                                    .disposition = DISPOSITION_COMPLETED}};
    const struct call_start start = {.id = row->id,
                                     .tenant_id = TENANT,
                                     .campaign_id = row->campaign_id,
                                     .contact_id = row->contact_id,
                                     .phone = row->phone,
                                     .flow_revision_id = row->flow_revision_id,
                                     .at_ms = T0};
    struct call_context context = {0};

    assert_int_equal(attempt_release(pg, TENANT, row, 1, T0, &p), 0);
    assert_non_null(p);
    permit_free(p);
    assert_int_equal(call_begin(pg, &start, &context), 0);
    /* A flow may speak of it: prompts are tried so. */
    assert_string_equal(json_string_value(json_object_get(context.contact, "variant")),
                        row->variant);
    assert_int_equal(context.tz_min, 180);
    call_context_free(&context);
    assert_int_equal(call_finish(pg, &(struct call_end){.id = row->id,
                                                        .tenant_id = TENANT,
                                                        .at_ms = T0 + talk_s * 1000,
                                                        .outcome = outcome}),
                     0);
    assert_int_equal(attempt_move(pg, TENANT, moves, 3, NULL), 0);
}

static void a_report_counts_by_variant(void **state)
{
    struct attempt_row rows[20];
    struct variant_result r[VARIANTS_MAX];
    int64_t c = create("counted", TWO);
    size_t n = 0, calls[2] = {0};

    (void)state;
    for (int i = 0; i < 20; i++)
        ledger_contact(pg, c, addis, next_phone++, 0);
    assert_int_equal(claim(c, T0, rows, 20), 20);
    for (int i = 0; i < 20; i++) {
        bool b = str_is(rows[i].variant, "b");
        calls[b]++;
        end_call(&rows[i], b ? 2 : 60, b ? "opted_out" : "completed");
    }
    assert_int_equal(variant_report(pg, TENANT, c, r, &n), 0);
    assert_int_equal(n, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(r[i].calls, calls[i]);
        assert_int_equal(r[i].contacts, calls[i]);
        assert_int_equal(r[i].answered, calls[i]);
        assert_int_equal(r[i].completed, i == 0 ? calls[i] : 0);
        assert_int_equal(r[i].opt_outs, i == 1 ? calls[i] : 0);
        assert_int_equal(r[i].shorts, i == 1 ? calls[i] : 0);
    }
    assert_int_equal(variant_report(pg, TENANT, create("none", ""), r, &n), 0);
    assert_int_equal(n, 0);
}

/* ---- topics ---- */

/* One contact of each campaign with that number; how it ended when it was claimed. */
static bool is_called(int64_t campaign, int64_t phone)
{
    struct attempt_row row;

    ledger_contact(pg, campaign, addis, phone, 0);
    return claim(campaign, T0, &row, 1) == 1;
}

static void say_stop(int64_t campaign, int64_t phone, const char *scope)
{
    struct call_step step = {.call_id = uuid_v7(T0),
                             .tenant_id = TENANT,
                             .at_ms = T0,
                             .phone = phone,
                             .campaign_id = campaign,
                             .seq = 1,
                             .status = "ended",
                             .state = "s",
                             .state_len = 1,
                             .opt_out = scope};
    struct call_start start = {.id = step.call_id,
                               .tenant_id = TENANT,
                               .campaign_id = campaign,
                               .phone = phone,
                               .flow_revision_id = 1,
                               .at_ms = T0};
    struct call_context context = {0};

    assert_int_equal(call_begin(pg, &start, &context), 0);
    call_context_free(&context);
    assert_int_equal(call_commit_step(pg, &step), 0);
}

static void who_leaves_a_topic_is_called_by_no_campaign_of_it(void **state)
{
    int64_t harvest = create("harvest", ", \"topic\": \"harvest\"");
    int64_t prices = create("prices", ", \"topic\": \"harvest\"");
    int64_t health = create("health", ", \"topic\": \"health\"");
    int64_t plain = create("plain", "");
    int64_t phone = next_phone++;

    (void)state;
    say_stop(harvest, phone, "topic");
    assert_false(is_called(prices, phone));
    assert_false(is_called(harvest, phone));
    assert_true(ledger_is(pg, "DNC_CAMPAIGN",
                          "SELECT final FROM campaign_contacts WHERE campaign_id = "
                          "%" PRId64,
                          prices));
    assert_true(is_called(health, phone));
    phone = next_phone++;
    say_stop(harvest, phone, "topic");
    assert_true(is_called(plain, phone));
    /* And one that is made tomorrow. */
    assert_false(is_called(create("later", ", \"topic\": \"harvest\""), phone));
}

static void
a_topic_that_is_none_leaves_everything_and_a_campaign_only_itself(void **state)
{
    int64_t plain = create("plain2", ""), topic = create("t2", ", \"topic\": \"t2\"");
    int64_t twin = create("t2twin", ", \"topic\": \"t2\"");
    int64_t phone = next_phone++;

    (void)state;
    say_stop(plain, phone, "topic");
    assert_false(is_called(topic, phone));
    phone = next_phone++;
    say_stop(topic, phone, "campaign");
    assert_false(is_called(topic, phone));
    assert_true(is_called(twin, phone));
}

static void a_topic_is_left_and_entered_by_hand(void **state)
{
    int64_t c = create("byhand", ", \"topic\": \"byhand\""), phone = next_phone++;
    struct dnc_entry entry = {.phone = phone, .source = "cli", .topic = "byhand"};
    bool added = false;

    (void)state;
    assert_int_equal(dnc_add(pg, TENANT, &entry, T0, &added), 0);
    assert_true(added);
    assert_int_equal(dnc_add(pg, TENANT, &entry, T0, &added), 0);
    assert_false(added);
    /* The tenant's own entry is another one. */
    assert_int_equal(dnc_remove(pg, TENANT, phone, 0, NULL, T0), ENOENT);
    assert_int_equal(dnc_remove_topic(pg, TENANT, phone, "other", NULL, T0), ENOENT);
    assert_int_equal(dnc_remove_topic(pg, TENANT, phone, "byhand", NULL, T0), 0);
    assert_true(is_called(c, phone));
}

/* ---- callbacks ---- */

static void a_flow_knows_when_the_party_may_be_called(void **state)
{
    int64_t c = ledger_campaign(pg, "hours",
                                ",\"limits\":{\"min_gap_s\":14400},\"windows\":{\"mon-"
                                "fri\":[\"09:00-12:00\",\"14:00-18:00\"]},\"regions\":["
                                "\"ET\"]");
    int64_t contact = ledger_contact(pg, c, addis, next_phone++, 0);
    struct ivr_span *open = NULL;
    size_t n = 0;

    (void)state;
    /* 11:00 on Tuesday; four hours later the afternoon has begun. */
    assert_int_equal(
        call_hours_load(pg, TENANT, c, contact, next_phone - 1, T0, &open, &n), 0);
    assert_true(n > 40);
    assert_int_equal(open[0].from_ms, T0 + 4 * HOUR);
    assert_in_range(open[0].until_ms, T0 + 7 * HOUR - 60000, T0 + 7 * HOUR);
    assert_int_equal(open[1].from_ms, T0 + 22 * HOUR);
    assert_in_range(open[1].until_ms, T0 + 25 * HOUR - 60000, T0 + 25 * HOUR);
    assert_int_equal(open[2].from_ms, T0 + 27 * HOUR);
    free(open);
    /* Of a number that is no contact, by the zones of the number. */
    assert_int_equal(call_hours_load(pg, TENANT, c, 0, next_phone, T0, &open, &n), 0);
    assert_int_equal(open[1].from_ms, T0 + 22 * HOUR);
    free(open);
    assert_int_equal(call_hours_load(pg, TENANT, 999999, 0, next_phone, T0, &open, &n),
                     ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_person_gets_one_variant_with_its_pinned_revision_on_every_retry),
        cmocka_unit_test(the_numbers_of_one_person_get_one_variant),
        cmocka_unit_test(a_flow_and_a_revision_that_are_not_there_are_said),
        cmocka_unit_test(variants_stay_while_a_campaign_runs),
        cmocka_unit_test(a_report_counts_by_variant),
        cmocka_unit_test(who_leaves_a_topic_is_called_by_no_campaign_of_it),
        cmocka_unit_test(
            a_topic_that_is_none_leaves_everything_and_a_campaign_only_itself),
        cmocka_unit_test(a_topic_is_left_and_entered_by_hand),
        cmocka_unit_test(a_flow_knows_when_the_party_may_be_called),
    };

    pgtest_start(PGTEST_POSTGRES);
    pg = pgtest_open();
    ledger_fixture_start(pg);
    addis = ledger_zone(pg, "ET", "Africa/Addis_Ababa");
    int failed = cmocka_run_group_tests_name("trials", tests, NULL, NULL);
    pg_close(pg);
    return failed;
}
