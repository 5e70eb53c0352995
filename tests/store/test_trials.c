/* Canaries, quarantine, variants, topics and the hours of callbacks on a real Postgres.
 */
#include "unit/cm.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/attempt_store.h"
#include "campaigns/call_hours_store.h"
#include "campaigns/call_store.h"
#include "campaigns/campaign_change.h"
#include "campaigns/campaign_check_store.h"
#include "campaigns/campaign_event_store.h"
#include "campaigns/campaign_store.h"
#include "campaigns/canary_store.h"
#include "campaigns/flow_store.h"
#include "campaigns/quarantine_store.h"
#include "campaigns/variant_store.h"
#include "compliance/dnc_store.h"
#include "store/campaign_fixture.h"
#include "store/ledger_fixture.h"
#include "store/pgtest.h"

enum { PEOPLE = 60 };
#define HOUR INT64_C(3600000)

static struct pg *pg, *other;
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

/* ---- canaries ---- */

static void contacts(int64_t campaign, int n)
{
    for (int i = 0; i < n; i++)
        ledger_contact(pg, campaign, addis, next_phone++, 0);
}

/* talk_s 0: nobody answered, how says why. */
static void finish(const struct attempt_row *row, int talk_s, enum disposition how)
{
    struct permit *p = NULL;
    const struct attempt_move moves[] = {
        {.id = row->id, .to = ATTEMPT_ANSWERED, .at_ms = T0},
        {.id = row->id,
         .to = how == DISPOSITION_UNKNOWN ? ATTEMPT_UNKNOWN : ATTEMPT_ENDED,
         .at_ms = T0 + talk_s * 1000,
         .disposition = how}};

    assert_int_equal(attempt_release(pg, TENANT, row, 1, T0, &p), 0);
    assert_non_null(p);
    permit_free(p);
    assert_int_equal(
        attempt_move(pg, TENANT, talk_s ? moves : moves + 1, talk_s ? 2 : 1, NULL), 0);
}

static enum canary_state canary_state_of(int64_t campaign)
{
    struct canary_row row;

    assert_int_equal(canary_load(pg, TENANT, campaign, &row), 0);
    return row.state;
}

#define CANARY(rules) ", \"canary\": {" rules "}"

static void a_bad_canary_pauses_the_campaign_and_resume_is_a_persons_word(void **state)
{
    struct attempt_row rows[30];
    struct campaign_event *events = NULL;
    int64_t c = create("sick", CANARY("\"calls\": 5, \"min_answer_rate\": 0.4"));
    size_t n = 0;

    (void)state;
    contacts(c, 12);
    assert_int_equal(claim(c, T0, rows, 30), 5);
    assert_int_equal(claim(c, T0, rows + 5, 30), 0);
    assert_int_equal(campaign_check(pg, TENANT, c, T0), 0);
    assert_int_equal(campaign_of(pg, c).state, CAMPAIGN_RUNNING);
    for (int i = 0; i < 5; i++)
        finish(&rows[i], i == 0 ? 60 : 0,
               i == 0 ? DISPOSITION_COMPLETED : DISPOSITION_NO_ANSWER);
    /* Judged or not, nobody goes out before it is. */
    assert_int_equal(claim(c, T0, rows + 5, 30), 0);
    assert_int_equal(campaign_check(pg, TENANT, c, T0 + 1000), 0);
    struct campaign_row row = campaign_of(pg, c);
    assert_int_equal(row.state, CAMPAIGN_PAUSED);
    assert_string_equal(row.stop_reason,
                        "the canary failed: 1 of 5 calls were answered, less than 40 % "
                        "of 5; 'resume' goes on all the same");
    assert_int_equal(campaign_check(pg, TENANT, c, T0 + 2000), 0);
    assert_int_equal(
        campaign_command(pg, TENANT, c, CAMPAIGN_RESUME, NULL, T0 + 3000, &row, NULL), 0);
    assert_int_equal(canary_state_of(c), CANARY_OVERRULED);
    assert_int_equal(claim(c, T0 + 4000, rows + 5, 30), 7);
    assert_int_equal(campaign_event_list(pg, TENANT, c, &events, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(events[0].at_ms, T0 + 1000);
    assert_non_null(strstr(events[0].text, "the campaign was paused: 1 of 5 calls"));
    assert_string_equal(events[1].text, "resumed although the canary had failed");
    free(events);
}

static void a_good_canary_lets_the_rest_go(void **state)
{
    struct attempt_row rows[30];
    int64_t c = create("fit", CANARY("\"calls\": 4"));

    (void)state;
    contacts(c, 12);
    assert_int_equal(claim(c, T0, rows, 3), 3);
    assert_int_equal(claim(c, T0, rows + 3, 30), 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(campaign_check(pg, TENANT, c, T0), 0);
        assert_int_equal(canary_state_of(c), CANARY_TRIAL);
        finish(&rows[i], 60, DISPOSITION_COMPLETED);
    }
    assert_int_equal(campaign_check(pg, TENANT, c, T0), 0);
    assert_int_equal(canary_state_of(c), CANARY_PASSED);
    assert_int_equal(claim(c, T0 + 60000, rows + 4, 30), 8);
}

/* After a crash: what provably was not sent makes room, what is lost counts as failed. */
static void what_a_crash_left_is_counted_as_it_was(void **state)
{
    struct attempt_row rows[12];
    struct canary_row canary;
    int64_t c = create("crashed", CANARY("\"calls\": 3, \"max_failed_rate\": 0.5"));
    const struct attempt_move back = {.to = ATTEMPT_WITHDRAWN, .at_ms = T0};
    struct attempt_move unsent = back;

    (void)state;
    contacts(c, 8);
    assert_int_equal(claim(c, T0, rows, 12), 3);
    unsent.id = rows[0].id;
    assert_int_equal(attempt_move(pg, TENANT, &unsent, 1, NULL), 0);
    assert_int_equal(claim(c, T0, rows + 3, 12), 1);
    assert_int_equal(claim(c, T0, rows + 4, 12), 0);
    finish(&rows[1], 0, DISPOSITION_UNKNOWN);
    assert_int_equal(canary_load(pg, TENANT, c, &canary), 0);
    assert_int_equal(canary.count.placed, 3);
    assert_int_equal(canary.count.failed, 1);
    assert_int_equal(campaign_check(pg, TENANT, c, T0), 0);
    assert_int_equal(campaign_of(pg, c).state, CAMPAIGN_RUNNING);
    finish(&rows[2], 0, DISPOSITION_CONGESTION);
    assert_int_equal(campaign_check(pg, TENANT, c, T0), 0);
    assert_int_equal(campaign_of(pg, c).state,
                     CAMPAIGN_PAUSED); /* one call still lives */
}

struct taker {
    struct pg *pg;
    int64_t campaign;
    pthread_barrier_t *go;
    size_t taken;
};

static void *take_all(void *arg)
{
    struct taker *t = arg;
    struct attempt_claim_result r;
    struct attempt_row rows[3];

    pthread_barrier_wait(t->go);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(attempt_claim(t->pg, TENANT, t->campaign, 3, T0, 3, rows, &r),
                         0);
        t->taken += r.intents;
    }
    return NULL;
}

static void two_dialers_never_place_more_than_the_canary_together(void **state)
{
    int64_t c = create("pair", CANARY("\"calls\": 11"));
    pthread_barrier_t go;
    struct taker t[2] = {{pg, c, &go, 0}, {other, c, &go, 0}};
    pthread_t threads[2];

    (void)state;
    contacts(c, 40);
    pthread_barrier_init(&go, NULL, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_all, &t[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&go);
    assert_int_equal(t[0].taken + t[1].taken, 11);
}

static void a_changed_rule_and_a_new_start_begin_it_anew(void **state)
{
    struct attempt_row rows[30];
    struct campaign_row row;
    int64_t c = create("anew", CANARY("\"calls\": 2"));

    (void)state;
    contacts(c, 12);
    assert_int_equal(claim(c, T0, rows, 30), 2);
    campaign_set(pg, c, "canary.calls=3");
    /* Those of before are not of the new one. */
    assert_int_equal(claim(c, T0 + 1000, rows + 2, 30), 3);
    campaign_set(pg, c, "priority=1");
    assert_int_equal(claim(c, T0 + 1000, rows + 5, 30), 0);
    for (int i = 0; i < 5; i++)
        finish(&rows[i], 0, DISPOSITION_CONGESTION);
    assert_int_equal(campaign_check(pg, TENANT, c, T0 + 1000), 0);
    assert_int_equal(canary_state_of(c), CANARY_FAILED);
    /* Stopped and started, perhaps by a schedule: nobody has said that it may go on. */
    assert_int_equal(
        campaign_command(pg, TENANT, c, CAMPAIGN_STOP, NULL, T0 + 1000, &row, NULL), 0);
    assert_int_equal(
        campaign_command(pg, TENANT, c, CAMPAIGN_START, NULL, T0 + 2000, &row, NULL), 0);
    assert_int_equal(claim(c, T0 + 2000, rows + 5, 30), 3);
    /* A campaign without one is asked for none. */
    campaign_set(pg, c, "canary=");
    assert_int_equal(claim(c, T0 + 2000, rows + 8, 30), 4);
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
    /* What a machine was left is no answer to the variant. */
    ledger_run(pg,
               "UPDATE attempts SET disposition = CASE n WHEN 1 THEN 'message' ELSE "
               "'machine' END FROM (SELECT id AS which, row_number() OVER () AS n FROM "
               "attempts WHERE campaign_id = %" PRId64
               " AND variant = 'a' LIMIT 2) w WHERE id = which",
               c);
    assert_int_equal(variant_report(pg, TENANT, c, r, &n), 0);
    assert_int_equal(r[0].calls, calls[0]);
    assert_int_equal(r[0].answered, calls[0] - 2);
    assert_int_equal(r[0].completed, calls[0] - 2);
    assert_int_equal(variant_report(pg, TENANT, create("none", ""), r, &n), 0);
    assert_int_equal(n, 0);
}

/* ---- quarantine ---- */

/* n calls of a variant that were answered and talked for so long. */
static void past_calls(int64_t campaign, const char *variant, int n, int talk_s)
{
    ledger_run(pg,
               "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, "
               "trunk_id, slot, number, state, intent_at, answered_at, ended_at, "
               "disposition, variant) SELECT gen_random_uuid(), 1, %" PRId64
               ", 0, 1, 1, 0, 1, 'ended', furrow_ts(%" PRId64 "), furrow_ts(%" PRId64
               "), furrow_ts(%" PRId64 "), 'completed', '%s' FROM generate_series(1, %d)",
               campaign, T0, T0, T0 + talk_s * 1000, variant, n);
    /* Their ids hold their time. */
    ledger_run(pg,
               "UPDATE attempts SET id = overlay(id::text placing "
               "substr(furrow_uuid_floor(furrow_ts(%" PRId64
               "))::text, 1, 13) from 1 for 13)::uuid WHERE campaign_id = %" PRId64
               " AND contact_id = 0",
               T0, campaign);
}

static size_t holds(int64_t campaign, struct quarantine_hold *first)
{
    struct quarantine_hold *all = NULL;
    size_t n = 0;

    assert_int_equal(quarantine_list(pg, TENANT, campaign, &all, &n), 0);
    *first = all[0];
    free(all);
    return n;
}

static size_t release(int64_t campaign, enum quarantine_kind kind, const char *name,
                      int64_t at_ms)
{
    const struct campaign_doc *doc = NULL;
    size_t n = 0;

    assert_int_equal(campaign_doc_get(pg, TENANT, campaign, &doc), 0);
    assert_int_equal(pg_begin(pg, TENANT), 0);
    assert_int_equal(
        quarantine_release(pg, campaign, doc, kind, name, "by hand", at_ms, &n), 0);
    assert_int_equal(pg_commit(pg), 0);
    return n;
}

#define BOTH                                                                             \
    ", \"variants\": [{\"name\": \"a\", \"weight\": 50}, {\"name\": \"b\", \"weight\": " \
    "50}], \"quarantine\": {\"variants\": {}}"

/* Claims everybody and gives them back: how many got the variant b. */
static size_t given_b(int64_t campaign, int64_t at_ms)
{
    static struct attempt_row rows[PEOPLE];
    size_t n = claim(campaign, at_ms, rows, PEOPLE), b = 0;

    assert_int_equal(n, PEOPLE);
    for (size_t i = 0; i < n; i++) {
        const struct attempt_move back = {
            .id = rows[i].id, .to = ATTEMPT_WITHDRAWN, .at_ms = at_ms};

        b += str_is(rows[i].variant, "b");
        assert_int_equal(attempt_move(pg, TENANT, &back, 1, NULL), 0);
    }
    return b;
}

static void a_variant_that_people_hang_up_on_is_given_to_nobody(void **state)
{
    struct quarantine_hold hold;
    int64_t c = create("prompts", BOTH);

    (void)state;
    contacts(c, PEOPLE);
    past_calls(c, "a", 100, 60);
    past_calls(c, "b", 40, 60);
    past_calls(c, "b", 60, 2);
    size_t before = given_b(c, T0 + HOUR);
    assert_in_range(before, PEOPLE / 4, PEOPLE * 3 / 4);
    assert_int_equal(campaign_check(pg, TENANT, c, T0 + HOUR), 0);
    assert_int_equal(holds(c, &hold), 1);
    assert_int_equal(hold.kind, QUARANTINE_VARIANT);
    assert_string_equal(hold.name, "b");
    assert_string_equal(hold.why, "60 of 100 answered calls were over within 6 s, "
                                  "against 0 of 100 of the other variants");
    assert_int_equal(given_b(c, T0 + 2 * HOUR), 0);
    /* The last one is never held, however bad it is. */
    past_calls(c, "a", 500, 2);
    assert_int_equal(campaign_check(pg, TENANT, c, T0 + 2 * HOUR), 0);
    assert_int_equal(holds(c, &hold), 1);
    /* What led to it is not counted again. */
    assert_int_equal(release(c, QUARANTINE_VARIANT, "b", T0 + 3 * HOUR), 1);
    assert_int_equal(release(c, QUARANTINE_VARIANT, "b", T0 + 3 * HOUR), 0);
    assert_int_equal(campaign_check(pg, TENANT, c, T0 + 4 * HOUR), 0);
    assert_int_equal(given_b(c, T0 + 4 * HOUR), before);
    assert_true(ledger_is(pg, "variant ''b'' was released from quarantine by hand",
                          "SELECT text FROM campaign_events WHERE campaign_id = %" PRId64
                          " ORDER BY id DESC LIMIT 1",
                          c));
}

static void without_being_asked_nothing_is_held(void **state)
{
    struct quarantine_hold hold;
    int64_t c = create("unasked", TWO);

    (void)state;
    past_calls(c, "a", 100, 60);
    past_calls(c, "b", 100, 2);
    assert_int_equal(campaign_check(pg, TENANT, c, T0 + HOUR), 0);
    assert_int_equal(holds(c, &hold), 0);
}

/* ---- quarantine of a list ---- */

static void list_of(const char *name, int people, int64_t first_phone)
{
    int64_t list = ledger_i64(pg,
                              "INSERT INTO lists (tenant_id, name, created_at) VALUES "
                              "(1, '%s', now()) RETURNING id",
                              name);

    ledger_run(pg,
               "INSERT INTO contacts (tenant_id, list_id, phone, number_type, "
               "zone_group, region) SELECT 1, %" PRId64 ", %" PRId64 " + n, 1, %" PRId64
               ", 'ET' FROM generate_series(0, %d - 1) n",
               list, first_phone, addis, people);
}

static void enrol(int64_t campaign)
{
    size_t added = 100;
    bool loading = false;

    while (added == 100)
        assert_int_equal(
            campaign_populate(pg, TENANT, campaign, 100, T0, &added, &loading), 0);
}

static int64_t waiting_of(int64_t campaign, const char *list, const char *when)
{
    return ledger_i64(pg,
                      "SELECT count(*) FROM campaign_contacts k JOIN contacts c ON c.id "
                      "= k.contact_id JOIN lists l ON l.id = c.list_id WHERE "
                      "k.campaign_id = %" PRId64
                      " AND k.state = 'pending' AND l.name = '%s' AND %s",
                      campaign, list, when);
}

static void bought_and_own(int64_t *campaign, const char *name, const char *numbers)
{
    static const char text[] =
        "{\"name\": \"%s\", \"lists\": [{\"name\": \"own-%s\"}, {\"name\": "
        "\"bought-%s\"}], \"flow\": \"survey\", \"trunk\": \"sim\", \"limits\": "
        "{\"min_gap_s\": 0, \"per_24h\": 0, \"per_7d\": 0}, \"quarantine\": "
        "{\"lists\": {\"min_numbers\": 12}}, \"retry\": {\"unreachable\": "
        "{\"delay_s\": 60}}}";
    struct campaign_issues issues = {0};
    struct campaign_row row;
    char document[1000], list[64];

    snprintf(list, sizeof(list), "own-%s", name);
    list_of(list, 20, strtoll(numbers, NULL, 10));
    snprintf(list, sizeof(list), "bought-%s", name);
    list_of(list, 20, strtoll(numbers, NULL, 10) + 1000);
    snprintf(document, sizeof(document), text, name, name, name);
    if (campaign_create(pg, TENANT, document, strlen(document), T0, &row, &issues))
        fail_msg("%s: %s", issues.at[0].pointer, issues.at[0].text);
    ledger_run(pg, "UPDATE campaigns SET state = 'running' WHERE id = %" PRId64, row.id);
    *campaign = row.id;
    enrol(row.id);
}

/* Those of 251961001000 on are bad numbers. */
static void call_all(const struct attempt_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].phone % 10000 >= 1000)
            finish(&rows[i], 0, DISPOSITION_UNREACHABLE);
        else
            finish(&rows[i], 30, DISPOSITION_COMPLETED);
}

static void a_list_of_bad_numbers_is_called_no_more(void **state)
{
    struct attempt_row rows[64];
    struct quarantine_hold hold;
    int64_t c = 0;

    (void)state;
    bought_and_own(&c, "bad", "251961000000");
    size_t n = claim(c, T0, rows, 30);
    assert_int_equal(n, 30); /* fifteen of each */
    call_all(rows, n - 2);
    assert_int_equal(campaign_check(pg, TENANT, c, T0 + 1000), 0);
    assert_int_equal(holds(c, &hold), 1);
    assert_int_equal(hold.kind, QUARANTINE_LIST);
    assert_string_equal(hold.name, "bought-bad");
    assert_non_null(strstr(hold.why, "14 of 14 numbers that were called do not exist"));
    /* Who waits is set aside, retries too; the other list goes on. */
    assert_int_equal(waiting_of(c, "bought-bad", "next_attempt_at < '9999-12-31'"), 0);
    assert_int_equal(waiting_of(c, "bought-bad", "next_attempt_at >= '9999-12-31'"), 19);
    /* Who was in a call comes back and is met by a claim; who joins is set aside. */
    call_all(rows + n - 2, 2);
    assert_int_equal(waiting_of(c, "bought-bad", "next_attempt_at < '9999-12-31'"), 1);
    ledger_run(pg,
               "INSERT INTO contacts (tenant_id, list_id, phone, number_type, "
               "zone_group, region) SELECT 1, id, 251961001900, 1, (SELECT zone_group "
               "FROM contacts WHERE phone = 251961001000), 'ET' FROM lists WHERE name "
               "= 'bought-bad'");
    enrol(c);
    n = claim(c, T0 + HOUR, rows, 64);
    assert_int_equal(n, 5);
    for (size_t i = 0; i < n; i++)
        assert_true(rows[i].phone % 10000 < 1000);
    assert_int_equal(waiting_of(c, "bought-bad", "next_attempt_at >= '9999-12-31'"), 21);
    /* A promise is kept. */
    ledger_run(pg,
               "UPDATE campaign_contacts SET priority = 10000, next_attempt_at = "
               "furrow_ts(%" PRId64 ") WHERE campaign_id = %" PRId64
               " AND phone = 251961001019",
               T0, c);
    assert_int_equal(claim(c, T0 + HOUR, rows, 64), 1);
    assert_int_equal(rows[0].phone, INT64_C(251961001019));
    /* Released, they are due; what led to it counts no more. */
    assert_int_equal(release(c, QUARANTINE_LIST, NULL, T0 + 2 * HOUR), 1);
    assert_int_equal(waiting_of(c, "bought-bad", "next_attempt_at >= '9999-12-31'"), 0);
    assert_int_equal(campaign_check(pg, TENANT, c, T0 + 2 * HOUR), 0);
    assert_int_equal(holds(c, &hold), 0);
    assert_int_equal(claim(c, T0 + 2 * HOUR, rows, 64), 20);
}

static void a_document_that_asks_no_more_releases_what_is_held(void **state)
{
    struct attempt_row rows[64];
    struct quarantine_hold hold;
    int64_t c = 0;

    (void)state;
    bought_and_own(&c, "ended", "251962000000");
    size_t n = claim(c, T0, rows, 30);
    call_all(rows, n);
    assert_int_equal(campaign_check(pg, TENANT, c, T0 + 1000), 0);
    assert_int_equal(holds(c, &hold), 1);
    campaign_set(pg, c, "priority=3");
    assert_int_equal(holds(c, &hold), 1);
    campaign_set(pg, c, "quarantine=");
    assert_int_equal(holds(c, &hold), 0);
    assert_int_equal(waiting_of(c, "bought-ended", "next_attempt_at >= '9999-12-31'"), 0);
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

/* Somebody said when to be called, and it is not understood yet. */
static void a_campaign_is_not_done_while_a_promise_may_come_of_its_calls(void **state)
{
    struct attempt_row row;
    int64_t c = create("spoken", "");
    size_t completed = 0;
    char id[UUID_TEXT_MAX];

    (void)state;
    contacts(c, 1);
    ledger_run(pg,
               "UPDATE campaigns SET last_contact_id = (SELECT max(id) FROM contacts) "
               "WHERE id = %" PRId64,
               c);
    ledger_run(pg,
               "INSERT INTO campaign_contacts (tenant_id, campaign_id, contact_id, "
               "phone, zone_group, state, final, next_attempt_at) SELECT 1, %" PRId64
               ", k.id, k.phone, k.zone_group, 'final', 'completed', now() FROM contacts "
               "k JOIN campaigns c ON c.id = %" PRId64 " AND c.list_id = k.list_id ON "
               "CONFLICT DO NOTHING",
               c, c);
    assert_int_equal(claim(c, T0, &row, 1), 1);
    finish(&row, 30, DISPOSITION_COMPLETED);
    ledger_run(pg,
               "INSERT INTO calls (id, tenant_id, direction, campaign_id, phone, "
               "flow_revision_id, slot, started_at, ended_at) VALUES ('%s', 1, 'out', "
               "%" PRId64 ", 1, 1, 0, now(), now())",
               uuid_text(&row.id, id), c);
    ledger_run(pg,
               "INSERT INTO recordings (id, tenant_id, call_id, name, source, location, "
               "node, pipeline, state, created_at, updated_at) VALUES "
               "(gen_random_uuid(), 1, '%s', 'fw-spoken', 'simulated', 'x', 'say', "
               "'callback', 'transcribed', now(), now())",
               uuid_text(&row.id, id));
    assert_int_equal(campaign_complete_due(pg, TENANT, T0 + HOUR, &completed), 0);
    assert_int_equal(campaign_of(pg, c).state, CAMPAIGN_RUNNING);
    ledger_run(pg,
               "UPDATE recordings SET state = 'needs_person' WHERE name = 'fw-spoken'");
    assert_int_equal(campaign_complete_due(pg, TENANT, T0 + HOUR, &completed), 0);
    assert_int_equal(campaign_of(pg, c).state, CAMPAIGN_DONE);
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
        cmocka_unit_test(a_bad_canary_pauses_the_campaign_and_resume_is_a_persons_word),
        cmocka_unit_test(a_good_canary_lets_the_rest_go),
        cmocka_unit_test(what_a_crash_left_is_counted_as_it_was),
        cmocka_unit_test(two_dialers_never_place_more_than_the_canary_together),
        cmocka_unit_test(a_changed_rule_and_a_new_start_begin_it_anew),
        cmocka_unit_test(a_variant_that_people_hang_up_on_is_given_to_nobody),
        cmocka_unit_test(without_being_asked_nothing_is_held),
        cmocka_unit_test(a_list_of_bad_numbers_is_called_no_more),
        cmocka_unit_test(a_document_that_asks_no_more_releases_what_is_held),
        cmocka_unit_test(a_campaign_is_not_done_while_a_promise_may_come_of_its_calls),
    };

    pgtest_start(PGTEST_POSTGRES);
    pg = pgtest_open();
    other = pgtest_open();
    ledger_fixture_start(pg);
    addis = ledger_zone(pg, "ET", "Africa/Addis_Ababa");
    int failed = cmocka_run_group_tests_name("trials", tests, NULL, NULL);
    pg_close(other);
    pg_close(pg);
    return failed;
}
