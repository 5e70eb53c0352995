/* What live calls write, on a real Postgres. */
#include "unit/cm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "campaigns/attempt_store.h"
#include "campaigns/call_effects.h"
#include "campaigns/call_store.h"
#include "campaigns/sample_store.h"
#include "campaigns/table_store.h"
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

static void calls_out_that_begin_together_begin_as_each_alone(void **state)
{
    struct call_start s[4];
    const struct call_start *list[ARRAY_LEN(s)];
    struct call_context many[ARRAY_LEN(s)], one = {0};
    int errs[ARRAY_LEN(s)];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(s); i++) {
        s[i] = a_call(false);
        s[i].campaign_id = campaign;
        s[i].contact_id = ledger_contact(pg, campaign, addis, s[i].phone, 0);
        list[i] = &s[i];
    }
    s[1].flow_revision_id = INT64_C(1) << 40; /* there is none */
    s[2].contact_id = INT64_C(1) << 40;
    ledger_run(pg,
               "INSERT INTO caller_history (tenant_id, phone, language, last_call_at) "
               "VALUES (1, %" PRId64 ", 'am', now())",
               s[3].phone);
    for (int round = 0; round < 2; round++) { /* again: nothing more is written */
        assert_int_equal(calls_begin(pg, list, ARRAY_LEN(s), many, errs), 0);
        for (size_t i = 0; i < ARRAY_LEN(s); i++) {
            assert_int_equal(errs[i], i == 1 ? ENOENT : 0);
            assert_int_equal(call_begin(pg, &s[i], &one), errs[i]);
            if (errs[i])
                continue;
            assert_true(json_equal(one.contact, many[i].contact));
            assert_string_equal(one.language, many[i].language);
            assert_string_equal(one.flow_source, many[i].flow_source);
            assert_string_equal(one.flow_sha256, many[i].flow_sha256);
            assert_int_equal(one.tz_min, many[i].tz_min);
            call_context_free(&one);
            call_context_free(&many[i]);
        }
    }
    char id[UUID_TEXT_MAX];
    assert_true(
        ledger_is(pg, "out 2 true",
                  "SELECT direction || ' ' || slot || ' ' || (campaign_id > 0 AND "
                  "contact_id > 0 AND started_at IS NOT NULL) FROM calls WHERE id "
                  "= '%s'",
                  uuid_text(&s[3].id, id)));
    assert_int_equal(calls_begin(pg, list, 0, many, errs), 0);
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
    char id[UUID_TEXT_MAX];
    assert_int_equal(ledger_i64(pg, "SELECT count(*) FROM calls WHERE id = '%s'",
                                uuid_text(&withheld.id, id)),
                     0);
}

/* What many begin with at once is what each would by itself; those that want more are
 * left alone. */
static void many_calls_begin_and_end_at_once(void **state)
{
    struct call_start known = a_call(true), unknown = a_call(true), kept = a_call(true);
    struct call_ask asks[5];
    struct call_context one = {0};

    (void)state;
    ledger_run(pg, "INSERT INTO extensions (tenant_id, number, flow_id, created_at) "
                   "SELECT 1, '711', flow_id, now() FROM flow_revisions WHERE id = "
                   "(SELECT max(id) FROM flow_revisions)");
    ledger_run(pg, "INSERT INTO extensions (tenant_id, number, flow_id, missed_call, "
                   "created_at) SELECT 1, '712', flow_id, true, now() FROM "
                   "flow_revisions WHERE id = (SELECT max(id) FROM flow_revisions)");
    int64_t newest = ledger_i64(
        pg, "SELECT r.id FROM flow_revisions r JOIN extensions x USING (flow_id) WHERE "
            "x.number = '711' ORDER BY r.revision DESC LIMIT 1");
    ledger_contact(pg, campaign, addis, known.phone, 0);
    ledger_run(pg,
               "INSERT INTO kept_calls (tenant_id, phone, flow_revision_id, call_id, "
               "state, at) VALUES (1, %" PRId64 ", %" PRId64
               ", gen_random_uuid(), '', now())",
               kept.phone, newest);
    const int64_t phones[] = {known.phone, unknown.phone, kept.phone, 0, unknown.phone};
    const char *const dialled[] = {"+711", "711", "711", "712", "999"};
    for (size_t i = 0; i < ARRAY_LEN(asks); i++)
        asks[i] = (struct call_ask){.account_id = 1,
                                    .phone = phones[i],
                                    .at_ms = T0,
                                    .provider_call_id = "CA1",
                                    .dialled = dialled[i]};
    assert_int_equal(pg_begin(pg, TENANT), 0);
    assert_int_equal(calls_ask(pg, asks, ARRAY_LEN(asks)), 0);
    assert_int_equal(calls_answer(pg, asks, ARRAY_LEN(asks)), 0);
    for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
        assert_int_equal(asks[i].alone, i >= 2);
        if (i >= 2)
            continue;
        assert_int_equal(asks[i].flow_revision_id, newest);
        struct call_start *s = i == 0 ? &known : &unknown;
        s->flow_revision_id = newest;
        s->slot = -1;
        assert_int_equal(call_begin(pg, s, &one), 0);
        assert_true(json_equal(one.contact, asks[i].context.contact));
        assert_string_equal(one.language, asks[i].context.language);
        assert_string_equal(one.flow_sha256, asks[i].context.flow_sha256);
        assert_int_equal(one.tz_min, asks[i].context.tz_min);
        call_context_free(&one);
        call_context_free(&asks[i].context);
    }
    known.id = uuid_v7(T0);
    known.extension = unknown.extension = "711";
    unknown.id = uuid_v7(T0);
    const struct call_start *const starts[] = {&known, &unknown};
    json_auto_t *results = json_pack("{s:{s:s}}", "m", "value", "1");
    const struct call_end ends[] = {
        {.id = known.id, .at_ms = T0 + 5, .outcome = "completed", .results = results},
        {.id = unknown.id, .at_ms = T0 + 6, .outcome = "hung_up"}};
    const struct call_end *const both[] = {&ends[0], &ends[1]};
    const struct call_end late = {.id = known.id, .at_ms = T0 + 9, .outcome = "failed"};
    const struct call_end *const again[] = {&late};
    assert_int_equal(calls_add(pg, starts, 2), 0);
    assert_int_equal(calls_finish(pg, both, 2), 0);
    assert_int_equal(calls_finish(pg, again, 1), 0);
    assert_int_equal(pg_commit(pg), 0);
    char id[UUID_TEXT_MAX];
    assert_true(
        ledger_is(pg, "in 711 -1 completed 1",
                  "SELECT direction || ' ' || extension || ' ' || slot || ' ' || outcome "
                  "|| ' ' || (results->'m'->>'value') FROM calls WHERE id = '%s'",
                  uuid_text(&known.id, id)));
    assert_true(ledger_is(pg, "hung_up {}",
                          "SELECT outcome || ' ' || results FROM calls WHERE id = '%s'",
                          uuid_text(&unknown.id, id)));
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

static void steps_of_many_calls_are_one_transaction(void **state)
{
    enum { N = 5, LATE = 2 };
    const struct call_event events[] = {{.kind = "a", .node = "n"},
                                        {.kind = "b", .node = "n"},
                                        {.kind = "c", .node = "n"}};
    struct call_start starts[N];
    struct call_step steps[N];
    const struct call_step *list[N];
    int errs[N];
    char id[UUID_TEXT_MAX];

    (void)state;
    for (int i = 0; i < N; i++) {
        starts[i] = a_call(true);
        begin(&starts[i]);
        steps[i] = a_step(&starts[i], i == LATE ? 1 : 2);
        list[i] = &steps[i];
        struct call_step first = a_step(&starts[i], 1);
        assert_int_equal(call_commit_step(pg, &first), 0);
        steps[i].state = &"\x01\xff\"\\\x00"[i];
        steps[i].state_len = (size_t)(5 - i);
        steps[i].events = events;
        steps[i].event_count = (size_t)(i % 4);
        assert_true(call_step_is_plain(&steps[i]));
    }
    assert_int_equal(call_commit_steps(pg, list, N, errs), 0);
    for (int i = 0; i < N; i++) {
        bool late = i == LATE; /* a duplicate: the others are none the worse */
        assert_int_equal(errs[i], late ? EEXIST : 0);
        assert_int_equal(count("call_events", &starts[i], ""), late ? 0 : i % 4);
        assert_int_equal(count("ivr_sessions", &starts[i], "AND seq = 2"), !late);
    }
    /* Sent with others, one that is not the next undoes all of it. */
    for (int i = 0; i < N; i++)
        steps[i].seq = i == LATE ? 1 : 3;
    assert_int_equal(pg_begin(pg, TENANT), 0);
    assert_int_equal(call_steps_write(pg, list, N), 0);
    assert_int_equal(pg_end(pg, 0), EPROTO);
    assert_int_equal(count("ivr_sessions", &starts[0], "AND seq = 2"), 1);
    steps[LATE].seq = 2;
    assert_int_equal(pg_begin(pg, TENANT), 0);
    assert_int_equal(call_steps_write(pg, list, N), 0);
    assert_int_equal(pg_end(pg, 0), 0);
    assert_int_equal(count("ivr_sessions", &starts[0], "AND seq = 3"), 1);
    assert_int_equal(count("ivr_sessions", &starts[LATE], "AND seq = 2"), 1);
    assert_true(ledger_is(pg, "01ff225c00",
                          "SELECT encode(state, 'hex') FROM ivr_sessions WHERE call_id = "
                          "'%s'",
                          uuid_text(&starts[0].id, id)));
    assert_true(ledger_is(pg, "abc",
                          "SELECT string_agg(kind, '' ORDER BY id) FROM call_events "
                          "WHERE seq = 2 AND call_id = '%s'",
                          uuid_text(&starts[3].id, id)));
    steps[0].opt_out = "tenant";
    assert_false(call_step_is_plain(&steps[0]));
}

/* One row a step; those of before are one each. */
static void events_are_read_one_by_one(void **state)
{
    json_auto_t *data = json_pack("{s:s}", "value", "\\ \"\xe1\x88\xb0\"\t");
    const struct call_event events[] = {{.kind = "entered", .node = "n\"1\\"},
                                        {.kind = "result", .node = "m", .data = data},
                                        {.kind = "ended"}};
    struct call_start s = a_call(true);
    char id[UUID_TEXT_MAX], sql[512];

    (void)state;
    begin(&s);
    struct call_step step = a_step(&s, 1);
    step.events = events;
    step.event_count = 3;
    assert_int_equal(call_commit_step(pg, &step), 0);
    snprintf(sql, sizeof(sql),
             "INSERT INTO call_steps (id, tenant_id, call_id, seq, kind, node, data, at) "
             "VALUES (gen_random_uuid(), 1, '%s', 0, 'older', 'o', '{\"a\": 1}', now())",
             uuid_text(&s.id, id));
    pgtest_run(pg, TENANT, sql);
    assert_int_equal(count("call_steps", &s, ""), 2);
    assert_true(ledger_is(pg, "older o 1, entered n\"1\\ -, result m -, ended  -",
                          "SELECT string_agg(format('%%s %%s %%s', kind, node, "
                          "coalesce(data->>'a', '-')), ', ' ORDER BY seq, id) FROM "
                          "call_events WHERE call_id = '%s'",
                          id));
    assert_true(ledger_is(pg, "\\ \"\xe1\x88\xb0\"\t",
                          "SELECT data->>'value' FROM call_events WHERE kind = 'result' "
                          "AND at = furrow_ts(%" PRId64 ") AND call_id = '%s'",
                          step.at_ms, id));
    assert_int_equal(count("call_events", &s, "AND data = '{}'"), 2);
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM call_events WHERE call_id = '%s'",
             id);
    assert_int_equal(pgtest_i64(pg, TENANT, sql), 4);
    assert_int_equal(pgtest_i64(pg, TENANT + 1, sql), 0);
    /* The months' parts go by the table's name. */
    assert_int_equal(ledger_i64(pg,
                                "SELECT count(*) FROM pg_inherits i JOIN pg_class c ON "
                                "c.oid = i.inhrelid WHERE i.inhparent = "
                                "'call_steps'::regclass AND c.relname NOT LIKE "
                                "'call_steps_%%'"),
                     0);
    pgtest_run(pg, TENANT,
               "SELECT furrow_make_partition('call_steps', timestamptz '2041-05-01')");
    assert_int_equal(
        pgtest_i64(pg, TENANT,
                   "SELECT (to_regclass('call_steps_204105') IS NOT NULL)::int"),
        1);
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
    /* Another number: it is asked for, and the caller's own is left as it is. */
    step.seq = 2;
    step.callback_at_ms = T0 + 9000;
    step.callback_to = 251911999777;
    assert_int_equal(call_commit_step(pg, &step), 0);
    assert_true(ledger_is(pg, "pending 0 10000 1795507209000", WAITS, step.callback_to));
    assert_true(ledger_is(pg, "pending 0 10000 1795507205000", WAITS, in.phone));
}

/* What a flow's callback node says reaches the step: to whom, and by which campaign. */
static void a_callback_to_another_number_is_that_numbers(void **state)
{
    struct ivr_state s = {0};
    struct ivr_effect fx = {.kind = IVR_FX_CALLBACK,
                            .callback = {.at_ms = T0 + 9000, .to = "+251911999778"}};
    const struct ivr_out out = {.state = &s, .effects = &fx, .effect_count = 1};
    struct call_start from = a_call(false);

    (void)state;
    for (int own = 0; own < 2; own++) {
        struct call_effects e = {.call = "c", .source = "simulated"};
        struct call_step step = a_step(&from, 1);
        char number[24];
        snprintf(number, sizeof(number), "+%" PRId64, step.phone);
        if (own)
            fx.callback.to = number;
        call_effects_fill(&e, &out, &step);
        assert_int_equal(step.callback_at_ms, T0 + 9000);
        assert_int_equal(step.callback_to, own ? 0 : 251911999778);
        call_effects_free(&e);
    }
}

/* ---- understood after the call ---- */

static enum call_promise promise(const struct call_start *s, int64_t at_ms)
{
    enum call_promise how = CALL_PROMISE_NOBODY;
    struct call_party party = {0};

    assert_int_equal(pg_begin(pg, TENANT), 0);
    assert_int_equal(call_find_party(pg, &s->id, &party), 0);
    assert_int_equal(call_promise(pg, TENANT, &party, at_ms, T0, &how), 0);
    assert_int_equal(pg_commit(pg), 0);
    return how;
}

static void a_promise_understood_later_is_kept_like_one_of_the_call(void **state)
{
    struct attempt_claim_result r;
    struct attempt_row row;
    struct permit *p = NULL;
    int64_t own = ledger_campaign(pg, "promises", "");
    struct call_start s = a_call(false);

    (void)state;
    ledger_contact(pg, own, addis, s.phone, 0);
    assert_int_equal(attempt_claim(pg, TENANT, own, 2, T0, 1, &row, &r), 0);
    assert_int_equal(attempt_release(pg, TENANT, &row, 1, T0, &p), 0);
    permit_free(p);
    s.id = row.id;
    s.campaign_id = own;
    s.contact_id = row.contact_id;
    begin(&s);
    /* While the call lives, and a second time. */
    assert_int_equal(promise(&s, T0 + 3600000), CALL_PROMISED);
    assert_int_equal(promise(&s, T0 + 7200000), CALL_PROMISE_DUPLICATE);
    struct attempt_move m = {.id = row.id, .to = ATTEMPT_ANSWERED, .at_ms = T0 + 1};
    assert_int_equal(attempt_move(pg, TENANT, &m, 1, NULL), 0);
    m = (struct attempt_move){.id = row.id, .to = ATTEMPT_ENDED, .at_ms = T0 + 60000};
    assert_int_equal(attempt_move(pg, TENANT, &m, 1, NULL), 0);
    assert_true(ledger_is(pg, "pending 1 10000 1795510800000", WAITS, s.phone));
    assert_int_equal(promise(&s, T0 + 7200000), CALL_PROMISE_DUPLICATE);
    /* Once it is final. */
    ledger_run(pg,
               "UPDATE campaign_contacts SET state = 'final', final = 'completed', "
               "priority = 0 WHERE phone = %" PRId64,
               s.phone);
    assert_int_equal(promise(&s, T0 + 7200000), CALL_PROMISED);
    assert_true(ledger_is(pg, "pending 0 10000 1795514400000", WAITS, s.phone));
    ledger_run(pg,
               "UPDATE campaign_contacts SET state = 'final', final = 'opted_out' WHERE "
               "phone = %" PRId64,
               s.phone);
    assert_int_equal(promise(&s, T0 + 7200000), CALL_PROMISE_OPTED_OUT);
    ledger_run(pg, "UPDATE campaigns SET state = 'done' WHERE id = %" PRId64, own);
    assert_int_equal(promise(&s, T0 + 7200000), CALL_PROMISE_NOT_RUNNING);
}

static void a_promise_in_a_call_in_is_of_the_campaign_of_its_number(void **state)
{
    struct call_start in = a_call(true), none = a_call(true), withheld = a_call(true);

    (void)state;
    in.extension = "251115550199"; /* of a test above */
    withheld.extension = "251115550199";
    withheld.phone = 0;
    begin(&in);
    begin(&none);
    begin(&withheld);
    assert_int_equal(promise(&in, T0 + 5000), CALL_PROMISED);
    assert_true(ledger_is(pg, "pending 0 10000 1795507205000", WAITS, in.phone));
    assert_int_equal(promise(&none, T0 + 5000), CALL_PROMISE_NOBODY);
    assert_int_equal(promise(&withheld, T0 + 5000), CALL_PROMISE_NOBODY);
}

/* ---- tables ---- */

static void load_airline(void)
{
    struct sample_loaded done;
    struct errtext e = {0};

    assert_int_equal(sample_load(pg, TENANT, sample_find("airline"), true, T0, &done, &e),
                     0);
    assert_int_equal(done.tables_new, 3);
}

static struct table_result ask_table(struct pg *by, int64_t at_ms, enum ivr_data_op op,
                                     const char *table, const char *where,
                                     const char *change)
{
    const struct ivr_data d = {
        .op = op, .table = table, .where = where, .change = change};
    struct table_result r = {0};
    bool own = false;

    assert_int_equal(pg_begin_own(by, TENANT, &own), 0);
    assert_int_equal(pg_end_own(by, own, table_run(by, TENANT, &d, at_ms, &r)), 0);
    return r;
}

#define SEATS "{\"flight\": \"AI101\", \"seats_available\": {\"at_least\": 1}}"

static void a_row_is_found_changed_and_added_by_a_flow(void **state)
{
    struct table_result r;

    (void)state;
    load_airline();
    r = ask_table(pg, T0, IVR_DATA_FIND, "bookings", "{\"pnr_key\": \"241234\"}", "{}");
    assert_int_equal(r.result, IVR_DATA_DONE);
    assert_non_null(strstr(r.row, "\"passenger_name\":\"R. Kumar\""));
    table_result_free(&r);
    r = ask_table(pg, T0, IVR_DATA_FIND, "bookings", "{\"pnr_key\": 241235}", "{}");
    assert_int_equal(r.result, IVR_DATA_NONE);
    r = ask_table(pg, T0, IVR_DATA_UPDATE, "flights", SEATS,
                  "{\"seats_available\": {\"add\": -1}}");
    assert_int_equal(r.result, IVR_DATA_DONE);
    assert_non_null(strstr(r.row, "\"seats_available\":29"));
    table_result_free(&r);
    r = ask_table(pg, T0, IVR_DATA_INSERT, "bookings", "{}",
                  "{\"pnr_key\": \"249999\", \"passenger_age\": \"7\"}");
    assert_int_equal(r.result, IVR_DATA_DONE);
    assert_non_null(strstr(r.row, "\"passenger_age\":7"));
    table_result_free(&r);
    r = ask_table(pg, T0, IVR_DATA_INSERT, "bookings", "{}", "{\"pnr_key\": \"249999\"}");
    assert_int_equal(r.result, IVR_DATA_NONE);
    r = ask_table(pg, T0, IVR_DATA_DELETE, "bookings", "{\"pnr_key\": \"249999\"}", "{}");
    assert_int_equal(r.result, IVR_DATA_DONE);
    table_result_free(&r);
    r = ask_table(pg, T0, IVR_DATA_FIND, "nothing", "{}", "{}");
    assert_int_equal(r.result, IVR_DATA_FAILED);
    r = ask_table(pg, T0, IVR_DATA_FIND, "flights", "{\"seat\": 1}", "{}");
    assert_int_equal(r.result, IVR_DATA_FAILED);
}

static void the_last_seat_is_sold_once(void **state)
{
    struct pg *other = pgtest_open();
    struct table_result r;
    const struct ivr_data d = {.op = IVR_DATA_UPDATE,
                               .table = "flights",
                               .where = SEATS,
                               .change = "{\"seats_available\": {\"add\": -1}}"};

    (void)state;
    load_airline();
    r = ask_table(pg, T0, IVR_DATA_UPDATE, "flights", "{\"flight\": \"AI101\"}",
                  "{\"seats_available\": 1}");
    table_result_free(&r);
    /* One has taken it and not yet committed: the other waits, and finds none. */
    assert_int_equal(pg_begin(pg, TENANT), 0);
    assert_int_equal(table_run(pg, TENANT, &d, T0, &r), 0);
    assert_int_equal(r.result, IVR_DATA_DONE);
    table_result_free(&r);
    assert_int_equal(pg_begin(other, TENANT), 0);
    assert_int_equal(pg_run(other, NULL, "SET LOCAL lock_timeout = '50ms'", NULL), 0);
    r = (struct table_result){0};
    assert_int_not_equal(table_run(other, TENANT, &d, T0, &r), 0);
    assert_string_equal(pg_sqlstate(other), "55P03"); /* lock_not_available */
    pg_rollback(other);
    assert_int_equal(pg_commit(pg), 0);
    r = ask_table(other, T0, IVR_DATA_UPDATE, "flights", SEATS, d.change);
    assert_int_equal(r.result, IVR_DATA_NONE);
    pg_close(other);
}

static void a_pin_is_hashed_and_guessed_a_few_times_only(void **state)
{
    static const char wrong[] = "{\"ff_number\": \"111222333\", \"pin\": \"9999\"}";
    static const char right[] = "{\"ff_number\": \"111222333\", \"pin\": \"1234\"}";
    struct table_result r;

    (void)state;
    load_airline();
    assert_int_equal(ledger_i64(pg, "SELECT count(*) FROM data_rows WHERE key = "
                                    "'111222333' AND cells->>'pin' LIKE '$argon2id$%%'"),
                     1);
    r = ask_table(pg, T0, IVR_DATA_FIND, "frequent_flyers", right, "{}");
    assert_int_equal(r.result, IVR_DATA_DONE);
    assert_null(strstr(r.row, "pin"));
    table_result_free(&r);
    for (int i = 0; i < TABLE_TRIES; i++) {
        r = ask_table(pg, T0 + i, IVR_DATA_FIND, "frequent_flyers", wrong, "{}");
        assert_int_equal(r.result, IVR_DATA_NONE);
    }
    r = ask_table(pg, T0 + TABLE_TRIES, IVR_DATA_FIND, "frequent_flyers", right, "{}");
    assert_int_equal(r.result, IVR_DATA_LOCKED);
    r = ask_table(pg, T0 + TABLE_TRIES + TABLE_LOCKED_MS, IVR_DATA_FIND,
                  "frequent_flyers", right, "{}");
    assert_int_equal(r.result, IVR_DATA_DONE);
    table_result_free(&r);
}

static void a_step_and_its_table_are_one(void **state)
{
    struct call_start s = a_call(true);
    struct table_result r = {.result = IVR_DATA_FAILED};
    const struct ivr_data d = {.op = IVR_DATA_UPDATE,
                               .table = "flights",
                               .where = SEATS,
                               .change = "{\"seats_available\": {\"add\": -1}}"};
    struct call_step step = a_step(&s, 1);

    (void)state;
    load_airline();
    begin(&s);
    step.data = &d;
    step.data_result = &r;
    assert_false(call_step_is_plain(&step));
    assert_int_equal(call_commit_step(pg, &step), 0);
    assert_int_equal(r.result, IVR_DATA_DONE);
    table_result_free(&r);
    /* The same step again takes no second seat. */
    r.result = IVR_DATA_FAILED;
    assert_int_equal(call_commit_step(pg, &step), EEXIST);
    assert_int_equal(r.result, IVR_DATA_FAILED);
    assert_int_equal(ledger_i64(pg, "SELECT (cells->>'seats_available')::int FROM "
                                    "data_rows WHERE key = 'AI101'"),
                     29);
}

static void every_sample_can_be_loaded(void **state)
{
    struct sample_loaded done;
    struct errtext e = {0};
    const struct sample *s = NULL;

    (void)state;
    for (size_t i = 0; (s = sample_at(i)); i++) {
        assert_int_equal(sample_load(pg, TENANT, s, true, T0, &done, &e), 0);
        assert_int_equal(done.tables_new, s->table_count);
        assert_ptr_equal(sample_find(s->name), s);
    }
    assert_null(sample_find("nothing"));
    assert_int_equal(table_remove(pg, TENANT, "accounts", &e), 0);
    assert_int_equal(table_remove(pg, TENANT, "payments", &e), 0);
}

static void a_sample_leaves_what_is_there_as_it_is(void **state)
{
    struct sample_loaded done;
    struct errtext e = {0};
    struct table_result r;
    json_t *list = NULL;

    (void)state;
    load_airline();
    r = ask_table(pg, T0, IVR_DATA_DELETE, "flights", "{\"flight\": \"UK822\"}", "{}");
    table_result_free(&r);
    assert_int_equal(
        sample_load(pg, TENANT, sample_find("airline"), false, T0, &done, &e), 0);
    assert_int_equal(done.tables_new, 0);
    assert_false(done.published);
    assert_int_equal(table_list(pg, TENANT, &list), 0);
    assert_int_equal(json_array_size(list), 3);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 1), "rows")),
                     6);
    json_decref(list);
    assert_int_equal(table_remove(pg, TENANT, "flights", &e), 0);
    assert_int_equal(table_remove(pg, TENANT, "flights", &e), ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_begins_with_what_is_known_of_the_number),
        cmocka_unit_test(calls_out_that_begin_together_begin_as_each_alone),
        cmocka_unit_test(many_calls_begin_and_end_at_once),
        cmocka_unit_test(a_step_writes_everything_or_nothing),
        cmocka_unit_test(steps_of_many_calls_are_one_transaction),
        cmocka_unit_test(events_are_read_one_by_one),
        cmocka_unit_test(an_opt_out_acts_in_its_scope),
        cmocka_unit_test(a_recording_ends_once_and_is_fetched),
        cmocka_unit_test(the_first_end_of_a_call_wins),
        cmocka_unit_test(an_extension_leads_to_the_newest_revision),
        cmocka_unit_test(a_callback_makes_a_contact_and_one_open_request),
        cmocka_unit_test(a_callback_in_a_step_outlives_a_crash),
        cmocka_unit_test(a_callback_to_another_number_is_that_numbers),
        cmocka_unit_test(a_promise_understood_later_is_kept_like_one_of_the_call),
        cmocka_unit_test(a_promise_in_a_call_in_is_of_the_campaign_of_its_number),
        cmocka_unit_test(a_row_is_found_changed_and_added_by_a_flow),
        cmocka_unit_test(the_last_seat_is_sold_once),
        cmocka_unit_test(a_pin_is_hashed_and_guessed_a_few_times_only),
        cmocka_unit_test(a_step_and_its_table_are_one),
        cmocka_unit_test(every_sample_can_be_loaded),
        cmocka_unit_test(a_sample_leaves_what_is_there_as_it_is),
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
