/* What live calls write, on a real Postgres. */
#include "unit/cm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "campaigns/attempt_store.h"
#include "campaigns/call_store.h"
#include "store/ledger_fixture.h"
#include "store/pgtest.h"

static struct pg *pg;
static int64_t addis, campaign, revision, next_phone = 251911500000;

static struct call_start a_call(bool inbound)
{
    return (struct call_start){.id = uuid_v7(T0),
                               .tenant_id = TENANT,
                               .inbound = inbound,
                               .phone = next_phone++,
                               .extension = inbound ? "700" : NULL,
                               .flow_revision_id = revision,
                               .slot = 2,
                               .at_ms = T0};
}

static void begin(const struct call_start *s)
{
    struct call_context c = {0};

    assert_int_equal(call_begin(pg, s, &c), 0);
    call_context_free(&c);
}

static struct call_step a_step(const struct call_start *s, int seq)
{
    return (struct call_step){.call_id = s->id,
                              .tenant_id = TENANT,
                              .at_ms = T0 + seq,
                              .phone = s->phone,
                              .campaign_id = s->campaign_id,
                              .seq = seq,
                              .status = "waiting",
                              .state = "s\0t",
                              .state_len = 3};
}

static int64_t count(const char *table, const struct call_start *s, const char *more)
{
    char id[UUID_TEXT_MAX];

    return ledger_i64(pg, "SELECT count(*) FROM %s WHERE call_id = '%s' %s", table,
                      uuid_text(&s->id, id), more);
}

static void a_call_begins_with_what_is_known_of_the_number(void **state)
{
    struct call_start s = a_call(true);
    struct call_context c = {0};
    char number[24];

    (void)state;
    ledger_contact(pg, campaign, addis, s.phone, 0);
    assert_int_equal(call_begin(pg, &s, &c), 0);
    snprintf(number, sizeof(number), "+%" PRId64, s.phone);
    assert_string_equal(json_string_value(json_object_get(c.contact, "name")), "John");
    assert_string_equal(json_string_value(json_object_get(c.contact, "phone")), number);
    assert_string_equal(json_string_value(json_object_get(c.contact, "region")), "ET");
    assert_string_equal(c.flow_source, "{\"v\":1}");
    assert_string_equal(c.flow_sha256, "abc");
    assert_string_equal(c.language, "");
    call_context_free(&c);

    struct call_step step = a_step(&s, 1);
    step.language = "am";
    assert_int_equal(call_commit_step(pg, &step), 0);
    s.id = uuid_v7(T0);
    assert_int_equal(call_begin(pg, &s, &c), 0);
    assert_string_equal(c.language, "am");
    call_context_free(&c);

    struct call_start withheld = a_call(true);
    withheld.phone = 0;
    assert_int_equal(call_begin(pg, &withheld, &c), 0);
    assert_string_equal(json_string_value(json_object_get(c.contact, "phone")), "");
    call_context_free(&c);
    withheld.id = uuid_v7(T0);
    withheld.flow_revision_id = 12345;
    assert_int_equal(call_begin(pg, &withheld, &c), ENOENT);
}

static void a_step_writes_everything_or_nothing(void **state)
{
    struct call_start s = a_call(false);
    struct call_event events[] = {
        {.kind = "a", .node = "n\"1"}, {.kind = "b"}, {.kind = "c"}};
    struct call_sms sms = {
        .phone = s.phone, .text = "thanks, \"John\"", .dedupe_key = "k1"};
    struct call_recording rec = {.id = uuid_v7(T0),
                                 .name = "fwx-1",
                                 .source = "simulated",
                                 .location = "f.wav",
                                 .node = "speak",
                                 .pipeline = "command"};
    char id[UUID_TEXT_MAX];
    json_auto_t *data = json_pack("{s:s}", "k", "a \\ \"b\"");

    (void)state;
    begin(&s);
    events[1].data = data;
    struct call_step step = a_step(&s, 1);
    step.events = events;
    step.event_count = 3;
    step.sms = &sms;
    step.sms_count = 1;
    step.recording = &rec;
    assert_int_equal(call_commit_step(pg, &step), 0);
    assert_int_equal(count("call_events", &s, "AND seq = 1"), 3);
    assert_true(ledger_is(pg, "abc",
                          "SELECT string_agg(kind, '' ORDER BY id) FROM call_events "
                          "WHERE call_id = '%s'",
                          uuid_text(&s.id, id)));
    assert_int_equal(count("call_events", &s, "AND data->>'k' = 'a \\ \"b\"'"), 1);
    assert_int_equal(
        count("messages", &s, "AND body = 'thanks, \"John\"' AND kind = 'flow'"), 1);
    assert_int_equal(ledger_i64(pg, "SELECT count(*) FROM jobs j JOIN messages m ON "
                                    "j.payload->>'message_id' = m.id::text AND "
                                    "j.unique_key = m.id::text WHERE j.kind = 'sms' AND "
                                    "m.dedupe_key = 'k1'"),
                     1);
    assert_int_equal(count("recordings", &s, "AND state = 'live'"), 1);
    assert_int_equal(count("ivr_sessions", &s, "AND seq = 1 AND length(state) = 3"), 1);

    /* Behind a duplicate nothing is written, whatever it asks for. */
    step.recording = NULL;
    step.opt_out = "tenant";
    sms.dedupe_key = "k2";
    assert_int_equal(call_commit_step(pg, &step), EEXIST);
    step.seq = 3;
    assert_int_equal(call_commit_step(pg, &step), EEXIST);
    assert_int_equal(count("call_events", &s, ""), 3);
    assert_int_equal(count("messages", &s, ""), 1);
    assert_int_equal(ledger_i64(pg,
                                "SELECT count(*) FROM dnc_entries WHERE phone = %" PRId64,
                                s.phone),
                     0);

    /* The next one is good; the same SMS is not sent again. */
    step.seq = 2;
    sms.dedupe_key = "k1";
    assert_int_equal(call_commit_step(pg, &step), 0);
    assert_int_equal(count("messages", &s, ""), 1);
    step.seq = 3;
    step.opt_out = "everybody";
    assert_int_equal(call_commit_step(pg, &step), EINVAL);
    assert_int_equal(count("ivr_sessions", &s, "AND seq = 2"), 1);
}

static void an_opt_out_acts_in_its_scope(void **state)
{
    static const struct {
        const char *scope;
        bool outbound, narrow;
    } cases[] = {
        {"tenant", true, false}, {"campaign", true, true}, {"campaign", false, false}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct call_start s = a_call(!cases[i].outbound);
        if (cases[i].outbound)
            s.campaign_id = campaign;
        begin(&s);
        struct call_step step = a_step(&s, 1);
        step.opt_out = cases[i].scope;
        step.opt_out_source = "speech";
        assert_int_equal(call_commit_step(pg, &step), 0);
        char id[UUID_TEXT_MAX];
        assert_int_equal(
            ledger_i64(pg,
                       "SELECT count(*) FROM dnc_entries WHERE phone = %" PRId64
                       " AND campaign_id = %" PRId64
                       " AND source = 'speech' AND call_id = '%s'",
                       s.phone, cases[i].narrow ? campaign : 0, uuid_text(&s.id, id)),
            1);
    }
}

static void a_recording_ends_once_and_is_fetched(void **state)
{
    static const char *const ends[] = {"finished", "empty", "lost_media", "failed"};
    struct call_start s = a_call(true);
    struct call_live_recording *live = NULL;
    size_t n = 0;

    (void)state;
    begin(&s);
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof(name), "fwend-%d", i);
        struct call_step step = a_step(&s, i + 1);
        struct call_recording rec = {.id = uuid_v7(T0),
                                     .name = name,
                                     .source = "ari",
                                     .location = "http://x",
                                     .node = "n",
                                     .pipeline = "command"};
        step.recording = &rec;
        assert_int_equal(call_commit_step(pg, &step), 0);
    }
    assert_int_equal(call_list_live_recordings(pg, TENANT, &s.id, &live, &n), 0);
    assert_int_equal(n, 4);
    assert_string_equal(live[0].name, "fwend-0");
    assert_memory_equal(&live[0].call_id, &s.id, sizeof(s.id));
    free(live);
    assert_int_equal(call_list_live_recordings(pg, TENANT, NULL, &live, &n), 0);
    for (size_t i = 0; i < n; i++)
        assert_memory_not_equal(&live[i].call_id, &s.id, sizeof(s.id));
    free(live);
    assert_int_equal(call_finish(pg, &(struct call_end){.id = s.id,
                                                        .tenant_id = TENANT,
                                                        .at_ms = T0 + 9,
                                                        .outcome = "interrupted"}),
                     0);
    assert_int_equal(call_list_live_recordings(pg, TENANT, NULL, &live, &n), 0);
    assert_true(n >= 4);
    free(live);
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof(name), "fwend-%d", i);
        for (int twice = 0; twice < 2; twice++)
            assert_int_equal(
                call_recording_end(pg, TENANT, name, ends[i], 1500, "why", T0 + 10), 0);
        assert_int_equal(call_recording_end(pg, TENANT, name, "failed", 1, "no", T0), 0);
        assert_true(ledger_is(pg, ends[i],
                              "SELECT state FROM recordings WHERE name = '%s'", name));
        assert_int_equal(
            ledger_i64(pg,
                       "SELECT count(*) FROM jobs j JOIN recordings r ON "
                       "j.payload->>'recording_id' = r.id::text WHERE j.kind = "
                       "'recording.fetch' AND r.name = '%s'",
                       name),
            i <= 1); /* what is empty is deleted at the switch */
    }
    assert_int_equal(call_list_live_recordings(pg, TENANT, &s.id, &live, &n), 0);
    assert_int_equal(n, 0);
    free(live);
    /* Found after all. */
    assert_int_equal(call_recording_end(pg, TENANT, "fwend-2", "finished", 5, NULL, T0),
                     0);
    assert_true(
        ledger_is(pg, "finished", "SELECT state FROM recordings WHERE name = 'fwend-2'"));
    assert_int_equal(call_recording_end(pg, TENANT, "none", "finished", 5, NULL, T0),
                     ENOENT);
    assert_int_equal(call_recording_end(pg, TENANT, "fwend-1", "live", 5, NULL, T0),
                     EINVAL);
}

static void the_first_end_of_a_call_wins(void **state)
{
    struct call_start s = a_call(true);
    json_auto_t *results = json_pack("{s:{s:s}}", "bags", "value", "5");
    struct call_open *open = NULL;
    char id[UUID_TEXT_MAX];
    size_t n = 0;

    (void)state;
    s.slot = 44;
    begin(&s);
    begin(&s); /* tried again: one row */
    assert_int_equal(call_list_open(pg, TENANT, 44, &open, &n), 0);
    assert_int_equal(n, 1);
    assert_true(open[0].inbound);
    assert_memory_equal(&open[0].id, &s.id, sizeof(s.id));
    free(open);
    struct call_end end = {.id = s.id,
                           .tenant_id = TENANT,
                           .at_ms = T0 + 5,
                           .outcome = "completed",
                           .results = results};
    assert_int_equal(call_finish(pg, &end), 0);
    end.outcome = "interrupted";
    end.results = NULL;
    assert_int_equal(call_finish(pg, &end), 0);
    assert_true(
        ledger_is(pg, "completed 5",
                  "SELECT outcome || ' ' || (results->'bags'->>'value') FROM calls "
                  "WHERE id = '%s'",
                  uuid_text(&s.id, id)));
    assert_int_equal(call_list_open(pg, TENANT, 44, &open, &n), 0);
    assert_int_equal(n, 0);
    free(open);
    end.id = uuid_v7(T0);
    assert_int_equal(call_finish(pg, &end), ENOENT);
}

static void an_extension_leads_to_the_newest_revision(void **state)
{
    struct call_extension x = {0};

    (void)state;
    ledger_run(
        pg,
        "INSERT INTO extensions (tenant_id, number, flow_id, missed_call, "
        "callback_campaign_id, created_at) SELECT 1, '251115550199', flow_id, true, "
        "%" PRId64 ", now() FROM flow_revisions WHERE id = %" PRId64,
        campaign, revision);
    assert_int_equal(call_find_extension(pg, "251115550199", &x), 0);
    assert_int_equal(x.tenant_id, TENANT);
    assert_int_equal(x.flow_revision_id, revision);
    assert_int_equal(x.callback_campaign_id, campaign);
    assert_true(x.missed_call);
    int64_t newer =
        ledger_i64(pg,
                   "INSERT INTO flow_revisions (tenant_id, flow_id, revision, "
                   "sha256, source, published_at) SELECT 1, flow_id, 2, 'd', "
                   "'{}', now() FROM flow_revisions WHERE id = %" PRId64 " RETURNING id",
                   revision);
    assert_int_equal(call_find_extension(pg, "+251115550199", &x), 0);
    assert_int_equal(x.flow_revision_id, newer);
    assert_int_equal(call_find_extension(pg, "999", &x), ENOENT);
}

static void a_callback_makes_a_contact_and_one_open_request(void **state)
{
    int64_t phone = 251911999001;
    bool duplicate = true;

    (void)state;
#define WAITS                                                                            \
    "SELECT state || ' ' || attempts || ' ' || priority || ' ' || "                      \
    "furrow_ms(next_attempt_at) FROM campaign_contacts WHERE phone = %" PRId64
    assert_int_equal(
        call_request_callback(pg, TENANT, campaign, phone, T0 + 1000, T0, &duplicate), 0);
    assert_false(duplicate);
    assert_true(ledger_is(pg, "pending 0 10000 1795507201000", WAITS, phone));
    assert_true(ledger_is(pg, "ET {Africa/Addis_Ababa}",
                          "SELECT z.region || ' ' || z.zones::text FROM contacts c JOIN "
                          "zone_groups z ON z.id = c.zone_group WHERE c.phone = %" PRId64,
                          phone));
    assert_int_equal(
        call_request_callback(pg, TENANT, campaign, phone, T0 + 2000, T0, &duplicate), 0);
    assert_true(duplicate);
    assert_true(ledger_is(pg, "pending 0 10000 1795507201000", WAITS, phone));
    ledger_run(pg,
               "UPDATE campaign_contacts SET state = 'calling' WHERE phone = %" PRId64,
               phone);
    assert_int_equal(
        call_request_callback(pg, TENANT, campaign, phone, T0 + 3000, T0, &duplicate), 0);
    assert_true(duplicate);
    ledger_run(
        pg,
        "UPDATE campaign_contacts SET state = 'final', final = 'completed', attempts "
        "= 4 WHERE phone = %" PRId64,
        phone);
    assert_int_equal(
        call_request_callback(pg, TENANT, campaign, phone, T0 + 4000, T0, &duplicate), 0);
    assert_false(duplicate);
    assert_true(ledger_is(pg, "pending 0 10000 1795507204000", WAITS, phone));
    assert_int_equal(call_request_callback(pg, TENANT, 99999, phone, T0, T0, NULL),
                     ENOENT);
    assert_int_equal(call_request_callback(pg, TENANT, campaign, 0, T0, T0, NULL),
                     EINVAL);
}

static void a_callback_in_a_step_outlives_a_crash(void **state)
{
    struct attempt_claim_result r;
    struct attempt_row row;
    struct permit *p = NULL;
    int64_t own = ledger_campaign(pg, "calls-back", "");
    struct call_start s = a_call(false);

    (void)state;
    ledger_contact(pg, own, addis, s.phone, 0);
    assert_int_equal(attempt_claim(pg, TENANT, own, 2, T0, 1, &row, &r), 0);
    assert_int_equal(r.intents, 1);
    assert_int_equal(attempt_release(pg, TENANT, &row, 1, T0, &p), 0);
    assert_non_null(p);
    permit_free(p);
    s.id = row.id;
    s.campaign_id = own;
    s.contact_id = row.contact_id;
    begin(&s);
    struct call_step step = a_step(&s, 1);
    step.callback_at_ms = T0 + 3600000;
    assert_int_equal(call_commit_step(pg, &step), 0);
    struct attempt_move m = {.id = row.id, .to = ATTEMPT_ANSWERED, .at_ms = T0 + 1};
    assert_int_equal(attempt_move(pg, TENANT, &m, 1, NULL), 0);
    m = (struct attempt_move){.id = row.id, .to = ATTEMPT_ENDED, .at_ms = T0 + 60000};
    assert_int_equal(attempt_move(pg, TENANT, &m, 1, NULL), 0);
    assert_true(ledger_is(pg, "pending 1 10000 1795510800000", WAITS, s.phone));

    struct call_start in = a_call(true);
    begin(&in);
    step = a_step(&in, 1);
    step.callback_at_ms = T0 + 5000;
    step.callback_campaign_id = own;
    assert_int_equal(call_commit_step(pg, &step), 0);
    assert_true(ledger_is(pg, "pending 0 10000 1795507205000", WAITS, in.phone));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_begins_with_what_is_known_of_the_number),
        cmocka_unit_test(a_step_writes_everything_or_nothing),
        cmocka_unit_test(an_opt_out_acts_in_its_scope),
        cmocka_unit_test(a_recording_ends_once_and_is_fetched),
        cmocka_unit_test(the_first_end_of_a_call_wins),
        cmocka_unit_test(an_extension_leads_to_the_newest_revision),
        cmocka_unit_test(a_callback_makes_a_contact_and_one_open_request),
        cmocka_unit_test(a_callback_in_a_step_outlives_a_crash),
    };

    pgtest_start(PGTEST_POSTGRES);
    pg = pgtest_open();
    ledger_fixture_start(pg);
    addis = ledger_zone(pg, "ET", "Africa/Addis_Ababa");
    campaign = ledger_campaign(pg, "calls", "");
    revision = ledger_i64(pg, "SELECT id FROM flow_revisions");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(pg);
    return failed;
}
