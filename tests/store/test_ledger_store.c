/* The ledger of batches on a real Postgres: the seven commands, what they refuse,
 * questions and answers, identifiers, events, and who may. */
#include "unit/cm.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "batches/caller_store.h"
#include "batches/command_store.h"
#include "batches/nlu_grammar.h"
#include "batches/token.h"
#include "store/pgtest.h"

#define NOW_MS INT64_C(1795198500000) /* 2026-11-20T18:15:00Z */
#define PHONE  INT64_C(251911234567)

enum { TENANT = 1 };

static struct pg *db;
static struct command_result r;
static int64_t now_ms;
static int next_key;

static int64_t is(const char *table_and_condition)
{
    CLEANUP(free_cleanup)
    char *sql = xasprintf("SELECT count(*) FROM %s", table_and_condition);

    return pgtest_i64(db, TENANT, sql);
}

static int clean(void **state)
{
    struct pg *super = pgtest_open_super();

    (void)state;
    pgtest_run(
        super, 0,
        "WITH a AS (DELETE FROM aggregations), b AS (DELETE FROM containers), c AS "
        "(DELETE FROM epcis_event_batches), d AS (DELETE FROM epcis_events), e AS "
        "(DELETE FROM batch_parents), f AS (DELETE FROM commands), g AS (DELETE "
        "FROM batches), h AS (DELETE FROM places), i AS (DELETE FROM callers), j "
        "AS (DELETE FROM ledger_settings) DELETE FROM jobs");
    pg_close(super);
    now_ms = NOW_MS;
    next_key = 0;
    return 0;
}

static void run_as(struct pg *pg, const char *source, const char *key, int64_t phone,
                   const char *text, struct command_result *out)
{
    struct understanding u;

    nlu_grammar_understand(&u, text);
    const struct command_in in = {.source = source,
                                  .key = key,
                                  .phone = phone,
                                  .language = "en",
                                  .text = text,
                                  .u = &u,
                                  .said_ms = now_ms};
    int err = command_run(pg, TENANT, &in, now_ms, out);
    if (err)
        fail_msg("%s: err %d, %s", text, err, pg_error(pg));
}

/* As the command line does it, each a second after the other. */
static enum command_state say(const char *text)
{
    char key[16];

    now_ms += 1000;
    snprintf(key, sizeof(key), "k%d", next_key++);
    run_as(db, "cli", key, PHONE, text, &r);
    assert_true(r.fresh);
    return r.state;
}

static void done(const char *text)
{
    if (say(text) != COMMAND_DONE)
        fail_msg("%s: refused for reason %d", text, r.why.reason);
}

static void refused(const char *text, enum refusal_reason reason)
{
    say(text);
    assert_int_equal(r.state, COMMAND_REFUSED);
    assert_int_equal(r.why.reason, reason);
}

static void commissions(char id[BATCH_ID_MAX], const char *text)
{
    done(text);
    str_cut(id, BATCH_ID_MAX, r.batch.batch_id);
}

static enum command_state sayf(const char *form, ...) PRINTF_LIKE(1, 2);
static enum command_state sayf(const char *form, ...)
{
    char text[512];
    va_list args;

    va_start(args, form);
    vsnprintf(text, sizeof(text), form, args);
    va_end(args);
    return say(text);
}

/* ---- commission ---- */

static void a_commission_is_a_batch_with_all_its_names(void **state)
{
    (void)state;
    done("New batch of 5 bags of Yirgacheffe from Abebe farm");
    assert_string_equal(r.batch.batch_id, "ABEBE_YIRGACHEFFE_20261120_181501");
    assert_true(token_is_sound(r.token));
    assert_int_equal(r.token_until_ms, now_ms + 48 * 3600 * 1000);
    assert_int_equal(
        is("batches WHERE batch_number = 'BATCH-20261120-181501' AND quantity_kg = 300 "
           "AND status = 'PENDING_VERIFICATION' AND processing_method = 'Washed' AND "
           "grade "
           "= 'A' AND gtin = '00614141000012' AND epc = "
           "'urn:epc:id:sgtin:0614141.000001.1' "
           "AND epc_class = 'urn:epc:class:lgtin:0614141.000001.1' AND phone = "
           "251911234567 AND verification_expires_at = created_at + interval '48 hours'"),
        1);
    assert_int_equal(is("places WHERE kind = 'farm' AND name = 'Abebe' AND gln = "
                        "'0614141000012'"),
                     1);
    assert_int_equal(is("epcis_events e JOIN commands c ON c.id = e.command_id JOIN "
                        "epcis_event_batches x ON x.event_id = e.id WHERE e.event_type = "
                        "'ObjectEvent' AND e.action = 'ADD' AND e.biz_step = "
                        "'commissioning' AND e.event->'epcList'->>0 = "
                        "'urn:epc:id:sgtin:0614141.000001.1' AND x.batch = c.batch"),
                     1);
}

static void the_hash_is_that_of_the_canonical_form(void **state)
{
    (void)state;
    done("new batch of 5 bags of guji from dilla");
    assert_int_equal(is("epcis_events WHERE canonical::jsonb = event"), 1);
    assert_int_equal(is("epcis_events WHERE position(' ' IN canonical) = 0"), 1);
    assert_int_equal(is("epcis_events WHERE event_hash = encode(sha256(convert_to("
                        "canonical, 'UTF8')), 'hex')"),
                     1);
}

static void two_batches_of_one_second_both_live(void **state)
{
    struct command_result *second = xcalloc(1, sizeof(*second));

    (void)state;
    run_as(db, "voice", "a", PHONE, "new batch of 5 bags of guji from dilla", &r);
    run_as(db, "voice", "b", PHONE, "new batch of 5 bags of guji from dilla", second);
    assert_int_equal(r.state, COMMAND_DONE);
    assert_int_equal(second->state, COMMAND_DONE);
    assert_string_equal(r.batch.batch_id, "DILLA_GUJI_20261120_181500");
    assert_string_equal(second->batch.batch_id, "DILLA_GUJI_20261120_181500_2");
    free(second);
    assert_int_equal(
        pgtest_i64(db, TENANT,
                   "SELECT count(DISTINCT batch_number) + count(DISTINCT gtin) "
                   "FROM batches"),
        4);
}

enum { THREADS = 4, EACH = 5 };

static void *commission_some(void *arg)
{
    struct command_result *out = xcalloc(1, sizeof(*out));
    struct pg *pg = pgtest_open();
    char key[16];

    for (int i = 0; i < EACH; i++) {
        snprintf(key, sizeof(key), "t%d-%d", *(int *)arg, i);
        run_as(pg, "voice", key, PHONE, "new batch of 5 bags of guji from dilla", out);
    }
    pg_close(pg);
    free(out);
    return NULL;
}

static void many_at_once_get_numbers_of_their_own(void **state)
{
    pthread_t threads[THREADS];
    int ids[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        ids[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, commission_some, &ids[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(is("batches"), THREADS * EACH);
    assert_int_equal(pgtest_i64(db, TENANT, "SELECT count(DISTINCT gtin) FROM batches"),
                     THREADS * EACH);
    assert_int_equal(pgtest_i64(db, TENANT, "SELECT max(number) FROM batches"),
                     THREADS * EACH);
    assert_int_equal(is("places"), 1);
}

static void the_same_command_again_changes_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        run_as(db, "voice", "one", PHONE, "new batch of 5 bags of guji from dilla", &r);
        assert_int_equal(r.fresh, i == 0);
    }
    assert_int_equal(is("batches"), 1);
    assert_int_equal(is("epcis_events"), 1);
}

static void where_the_farm_must_be_known_an_unknown_one_is_refused(void **state)
{
    (void)state;
    pgtest_run(
        db, TENANT,
        "INSERT INTO ledger_settings (tenant_id, location_needed) VALUES (1, true)");
    refused("new batch of 5 bags of guji from dilla", REFUSED_LOCATION);
    assert_string_equal(r.why.what, "Dilla");
    assert_int_equal(is("places"), 0);
    pgtest_run(
        db, TENANT,
        "INSERT INTO places (tenant_id, kind, name, gln, urn, latitude, longitude, "
        "created_at) VALUES (1, 'farm', 'DILLA', '0614141000104', "
        "'urn:epc:id:sgln:0614141.00010.0', 6.41, 38.31, timestamptz 'epoch')");
    done("new batch of 5 bags of guji from dilla");
    assert_int_equal(is("epcis_events WHERE biz_location = "
                        "'urn:epc:id:sgln:0614141.00010.0'"),
                     1);
}

static void a_used_up_company_prefix_is_said_and_nothing_written(void **state)
{
    (void)state;
    pgtest_run(
        db, TENANT,
        "INSERT INTO ledger_settings (tenant_id, gs1_prefix, next_item) VALUES (1, "
        "'061414112345', 9)");
    refused("new batch of 5 bags of guji from dilla", REFUSED_NUMBERS_USED_UP);
    assert_int_equal(is("batches"), 0);
    assert_int_equal(is("places"), 0);
    assert_int_equal(is("epcis_events"), 0);
    assert_int_equal(is("commands WHERE state = 'refused' AND why <> ''"), 1);
}

/* ---- on its way ---- */

static void a_shipment_and_a_receipt_are_events_of_the_batch(void **state)
{
    char id[BATCH_ID_MAX];

    (void)state;
    commissions(id, "new batch of 5 bags of guji from dilla");
    assert_int_equal(sayf("/ship %s Addis Ababa", id), COMMAND_DONE);
    assert_string_equal(r.batch.batch_id, id);
    assert_string_equal(r.batch.destination, "Addis Ababa");
    assert_string_equal(r.batch.variety, "Guji");
    assert_false(r.new_batch);
    done("/receive 00614141000012 good"); /* by its GTIN */
    done("received batch number 1 in good condition");
    assert_int_equal(is("batches"), 1);
    assert_int_equal(
        is("epcis_events WHERE action = 'OBSERVE' AND biz_step = 'shipping' AND "
           "event->>'disposition' = 'in_transit' AND "
           "event->'sourceList'->0->>'source' = 'urn:epc:id:sgln:0614141.00001.0' AND "
           "event->'destinationList'->0->>'destination' = "
           "'urn:epc:id:sgln:0614141.00002.0'"),
        1);
    assert_int_equal(is("epcis_events WHERE biz_step = 'receiving' AND "
                        "event->>'furrow:condition' = 'good'"),
                     2);
}

static void a_batch_that_is_not_there_is_refused(void **state)
{
    (void)state;
    refused("/ship NOWHERE_1 Hamburg", REFUSED_NO_BATCH);
    assert_string_equal(r.why.what, "NOWHERE_1");
    refused("/receive 00614141000012", REFUSED_NO_BATCH);
    refused("/transform NOWHERE_1 roasting 5", REFUSED_NO_BATCH);
    refused("/pack A_1 B_2 P-1", REFUSED_NO_BATCH);
    refused("/split A_1 5 6", REFUSED_NO_BATCH);
    refused("/unpack P-1", REFUSED_NO_CONTAINER);
    refused("/dance", REFUSED_FORM);
    refused("good morning", REFUSED_NOT_UNDERSTOOD);
    assert_int_equal(is("batches") + is("epcis_events") + is("containers"), 0);
}

static void what_arrives_unrecorded_becomes_a_batch_by_its_weight(void **state)
{
    (void)state;
    done("received twenty bags of harar from addis ababa in good condition");
    assert_int_equal(is("batches WHERE event = 'receipt' AND quantity_kg = 1200"), 1);
    assert_int_equal(is("epcis_events WHERE biz_step = 'receiving'"), 1);
}

static void the_callers_newest_batch_is_not_anothers(void **state)
{
    (void)state;
    run_as(db, "voice", "x", PHONE + 1, "new batch of 5 bags of guji from dilla", &r);
    assert_int_equal(say("shipped to hamburg"), COMMAND_ASKS);
    assert_int_equal(r.why.lacks[0], MISSING_BATCH);
    now_ms += 10 * 60 * 1000; /* the question is over */
    done("new batch of 7 bags of guji from bonga");
    now_ms += 10 * 60 * 1000;
    done("shipped to hamburg");
    assert_memory_equal(r.batch.batch_id, "BONGA", 5);
    now_ms += INT64_C(25) * 3600 * 1000;
    assert_int_equal(say("shipped to bremen"), COMMAND_ASKS);
}

/* ---- changes ---- */

static void what_is_transformed_is_there_no_more(void **state)
{
    char id[BATCH_ID_MAX], roasted[BATCH_ID_MAX];

    (void)state;
    commissions(id, "commission five bags of guji from farmer john");
    assert_int_equal(sayf("/transform %s roasting 301", id), COMMAND_REFUSED);
    assert_int_equal(r.why.reason, REFUSED_GAIN);
    assert_int_equal(sayf("/transform %s roasting 179", id), COMMAND_REFUSED);
    assert_int_equal(r.why.reason, REFUSED_LOSS);
    assert_int_equal(sayf("/transform %s roasting 180", id), COMMAND_DONE);
    str_cut(roasted, sizeof(roasted), r.batch.batch_id);
    assert_true(r.new_batch);
    assert_int_equal(is("batches WHERE event = 'transformation' AND farmer = 'John' AND "
                        "farm IS NOT NULL AND variety = 'Guji' AND quantity_kg = 180"),
                     1);
    assert_int_equal(is("batch_parents p JOIN batches c ON c.id = p.child AND c.event = "
                        "'transformation' JOIN batches b ON b.id = p.parent AND "
                        "b.spent_at IS NOT NULL"),
                     1);
    assert_int_equal(is("epcis_events WHERE event_type = 'TransformationEvent' AND "
                        "event->'inputQuantityList'->0->>'quantity' = '300.0' AND "
                        "event->'outputQuantityList'->0->>'quantity' = '180.0'"),
                     1);
    assert_int_equal(sayf("/ship %s Hamburg", id), COMMAND_REFUSED);
    assert_int_equal(r.why.reason, REFUSED_SPENT);
    assert_int_equal(sayf("/ship %s Hamburg", roasted), COMMAND_DONE);
}

static void the_parts_of_a_split_inherit_the_farmer(void **state)
{
    char id[BATCH_ID_MAX];

    (void)state;
    commissions(id, "commission 1000 kilos of guji from farmer john");
    assert_int_equal(sayf("/split %s 600 402", id), COMMAND_REFUSED);
    assert_int_equal(r.why.reason, REFUSED_PARTS);
    assert_int_equal(is("batches"), 1);
    assert_int_equal(sayf("/split %s 600", id), COMMAND_ASKS);
    assert_int_equal(sayf("/split %s 600 400.5 Hamburg Bremen", id), COMMAND_DONE);
    assert_int_equal(r.batch.lot_count, 2);
    assert_true(r.batch.lots[1].kg == 400.5);
    assert_int_equal(
        is("batches WHERE event = 'split' AND farmer = 'John' AND farm IS NOT "
           "NULL AND verification_token IS NOT NULL"),
        2);
    assert_int_equal(is("batch_parents"), 2);
    assert_int_equal(is("epcis_event_batches WHERE made"), 2);
    assert_int_equal(sayf("/split %s 500 500", id), COMMAND_REFUSED);
    assert_int_equal(r.why.reason, REFUSED_SPENT);
}

/* ---- packing ---- */

static void a_batch_is_packed_once(void **state)
{
    char a[BATCH_ID_MAX], b[BATCH_ID_MAX], c[BATCH_ID_MAX], text[600];

    (void)state;
    commissions(a, "commission 100 kilos of guji from dilla");
    commissions(b, "commission 200 kilos of guji from bonga");
    commissions(c, "commission 300 kilos of guji from jimma");
    assert_int_equal(sayf("/pack %s %s PALLET-001", a, b), COMMAND_DONE);
    assert_string_equal(r.batch.container, "PALLET-001");
    assert_string_equal(r.batch.sscc, "306141410000000013");
    assert_true(r.batch.quantity_kg == 300);
    assert_int_equal(is("epcis_events WHERE event_type = 'AggregationEvent' AND action = "
                        "'ADD' AND event->>'parentID' = "
                        "'urn:epc:id:sscc:0614141.3000000001' AND "
                        "jsonb_array_length(event->'childEPCs') = 2"),
                     1);
    assert_int_equal(sayf("/pack %s %s", b, c), COMMAND_REFUSED);
    assert_int_equal(r.why.reason, REFUSED_PACKED);
    assert_string_equal(r.why.other, "PALLET-001");
    assert_int_equal(sayf("/split %s 100 100", b), COMMAND_REFUSED);
    assert_int_equal(r.why.reason, REFUSED_PACKED);
    assert_int_equal(sayf("/pack %s %s X-1", c, c), COMMAND_ASKS); /* that is one batch */
    assert_int_equal(r.why.lacks[0], MISSING_BATCHES);
    done("/unpack pallet-001");
    assert_int_equal(r.batch.lot_count, 2);
    assert_int_equal(is("aggregations WHERE is_active"), 0);
    assert_int_equal(is("aggregations WHERE unpacked_event IS NOT NULL"), 2);
    refused("/unpack PALLET-001", REFUSED_NO_CONTAINER);
    snprintf(text, sizeof(text), "pack batches %s and %s into a container", b, c);
    done(text);
    assert_int_equal(r.batch.sscc[0], '9');
}

static void a_container_may_be_named_by_its_sscc(void **state)
{
    (void)state;
    done("commission 100 kilos of guji from dilla");
    done("commission 200 kilos of guji from bonga");
    refused("/pack 1 2 306141411234567890", REFUSED_CONTAINER); /* a wrong check digit */
    refused("/pack 1 2 340123450000000008", REFUSED_CONTAINER); /* of another company */
    done("/pack 1 2 306141411234567891");
    assert_int_equal(is("aggregations WHERE parent_sscc = '306141411234567891' AND "
                        "contribution_kg IN (100, 200)"),
                     2);
}

/* ---- questions ---- */

static void the_answer_completes_the_command(void **state)
{
    (void)state;
    assert_int_equal(say("commission five bags of guji"), COMMAND_ASKS);
    assert_int_equal(r.why.lacks[0], MISSING_ORIGIN);
    done("farmer Abebe Kebede");
    assert_int_equal(is("batches WHERE farmer = 'Abebe Kebede' AND quantity_kg = 300"),
                     1);
    assert_int_equal(is("commands WHERE state = 'answered'"), 1);
    /* One question after the other. */
    assert_int_equal(say("commission guji"), COMMAND_ASKS);
    assert_int_equal(r.why.lacks[0], MISSING_QUANTITY);
    assert_int_equal(r.why.lacks[1], MISSING_ORIGIN);
    assert_int_equal(say("7 bags"), COMMAND_ASKS);
    assert_int_equal(r.why.lacks[0], MISSING_ORIGIN);
    done("dilla");
    assert_int_equal(
        is("batches WHERE origin = 'Dilla' AND quantity_kg = 420 AND variety = "
           "'Guji'"),
        1);
}

static void an_answer_after_five_minutes_is_none(void **state)
{
    (void)state;
    assert_int_equal(say("commission five bags of guji"), COMMAND_ASKS);
    now_ms += 5 * 60 * 1000;
    refused("dilla", REFUSED_NOT_UNDERSTOOD);
    assert_int_equal(is("batches"), 0);
}

static void another_persons_answer_is_none(void **state)
{
    (void)state;
    assert_int_equal(say("commission five bags of guji"), COMMAND_ASKS);
    run_as(db, "cli", "other", PHONE + 1, "dilla", &r);
    assert_int_equal(r.why.reason, REFUSED_NOT_UNDERSTOOD);
    assert_int_equal(is("batches"), 0);
}

/* ---- people ---- */

static int64_t registers(int64_t phone, const char *name, enum caller_role role)
{
    const struct caller_new n = {.phone = phone,
                                 .name = name,
                                 .role = role,
                                 .organization = "Guji union",
                                 .location = "Dilla",
                                 .language = "am",
                                 .reason = "",
                                 .telegram_user_id = ""};
    int64_t id = 0;

    assert_int_equal(caller_register(db, TENANT, &n, NOW_MS, &id), 0);
    return id;
}

static int decide(int64_t id, bool approve, const char *note)
{
    const struct caller_decision d = {
        .approve = approve, .by = "admin", .note = note, .at_ms = NOW_MS};

    return caller_decide(db, TENANT, id, &d);
}

static void who_types_must_be_registered_and_approved(void **state)
{
    (void)state;
    run_as(db, "sms", "1", PHONE, "/commission 5 bags Guji Dilla", &r);
    assert_int_equal(r.why.reason, REFUSED_NOT_REGISTERED);
    int64_t id = registers(PHONE, "Abebe", ROLE_FARMER);
    run_as(db, "sms", "2", PHONE, "/commission 5 bags Guji Dilla", &r);
    assert_int_equal(r.why.reason, REFUSED_NOT_APPROVED);
    assert_int_equal(decide(id, true, ""), 0);
    run_as(db, "sms", "3", PHONE, "/commission 5 bags Guji Dilla", &r);
    assert_int_equal(r.state, COMMAND_DONE);
    assert_int_equal(is("batches b JOIN callers c ON c.id = b.created_by"), 1);
    assert_int_equal(is("epcis_events WHERE submitter IS NOT NULL"), 1);
    /* Who speaks is asked where the tenant says so. */
    run_as(db, "voice", "4", PHONE + 1, "new batch of 5 bags of guji from dilla", &r);
    assert_int_equal(r.state, COMMAND_DONE);
    pgtest_run(db, TENANT, "UPDATE ledger_settings SET registered_only = true");
    run_as(db, "voice", "5", PHONE + 1, "new batch of 5 bags of guji from dilla", &r);
    assert_int_equal(r.why.reason, REFUSED_NOT_REGISTERED);
    run_as(db, "voice", "6", 0, "new batch of 5 bags of guji from dilla", &r);
    assert_int_equal(r.why.reason, REFUSED_NOT_REGISTERED);
}

static void who_is_refused_again_and_again_is_told_no_more(void **state)
{
    char key[16];

    (void)state;
    for (int i = 0; i < 7; i++) {
        snprintf(key, sizeof(key), "q%d", i);
        run_as(db, "sms", key, PHONE, "/ship 1 Hamburg", &r);
        assert_int_equal(r.why.reason, REFUSED_NOT_REGISTERED);
        assert_int_equal(r.quiet, i >= 5);
    }
    run_as(db, "sms", "other", PHONE + 1, "/ship 1 Hamburg", &r);
    assert_false(r.quiet);
    now_ms += 11 * 60 * 1000;
    run_as(db, "sms", "later", PHONE, "/ship 1 Hamburg", &r);
    assert_false(r.quiet);
}

static void a_batch_is_found_by_an_index_among_many(void **state)
{
    struct pg *super = pgtest_open_super();
    PGresult *res = NULL;
    struct buf plan = {0};

    (void)state;
    pgtest_run(
        super, 0,
        "INSERT INTO batches (id, tenant_id, batch_id, event, created_at, number, "
        "gtin, batch_number) SELECT gen_random_uuid(), 1, 'B_' || n, 'commission', "
        "now(), n, 'g' || n, 'BATCH-' || n FROM generate_series(1, 5000) n");
    pgtest_run(super, 0, "ANALYZE batches");
    pg_close(super);
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_equal(
        pg_run(db, &res,
               "EXPLAIN SELECT id FROM batches WHERE batch_id = upper('x') OR gtin = 'x' "
               "OR batch_number = upper('x') OR number = 1",
               NULL),
        0);
    buf_puts(&plan, "");
    for (int i = 0; i < PQntuples(res); i++)
        buf_printf(&plan, "%s\n", pg_text(res, i, 0));
    PQclear(res);
    pg_rollback(db);
    bool all = strstr(plan.data, "batches_tenant_id_batch_id_key") &&
               strstr(plan.data, "batches_gtin") && strstr(plan.data, "batches_number") &&
               strstr(plan.data, "batches_batch_number");
    if (!all)
        print_error("%s", plan.data);
    buf_free(&plan);
    assert_true(all); /* each way to name it by its own one, behind row security too */
}

static void a_registration_is_reviewed_once(void **state)
{
    const struct caller_new again = {.phone = PHONE,
                                     .name = "Abebe K.",
                                     .role = ROLE_EXPORTER,
                                     .organization = "",
                                     .location = "",
                                     .language = "",
                                     .reason = "",
                                     .telegram_user_id = ""};
    struct caller c;

    (void)state;
    assert_int_equal(caller_find(db, TENANT, PHONE, &c), 0);
    assert_false(c.registered);
    int64_t id = registers(PHONE, "Abebe", ROLE_FARMER), other = 0;
    assert_int_equal(caller_find(db, TENANT, PHONE, &c), 0);
    assert_true(c.registered);
    assert_false(c.approved);
    assert_string_equal(c.name, "Abebe");
    assert_string_equal(c.language, "am");
    assert_int_equal(caller_register(db, TENANT, &again, NOW_MS, &other), EEXIST);
    assert_int_equal(decide(id, false, "no farm"), 0);
    assert_int_equal(decide(id, false, ""), EALREADY);
    assert_int_equal(caller_find(db, TENANT, PHONE, &c), 0);
    assert_false(c.registered);
    assert_int_equal(caller_register(db, TENANT, &again, NOW_MS, &other), 0);
    assert_int_equal(other, id);
    assert_int_equal(decide(id, true, ""), 0);
    assert_int_equal(caller_find_user(db, TENANT, "+251911234567", &c), 0);
    assert_true(c.approved);
    assert_int_equal(c.role, ROLE_EXPORTER);
    assert_int_equal(decide(id + 1, true, ""), ENOENT);
    json_auto_t *list = NULL;
    assert_int_equal(caller_list(db, TENANT, "pending", &list), 0);
    assert_int_equal(json_array_size(list), 0);
}

static void one_tenant_sees_nothing_of_anothers_ledger(void **state)
{
    struct caller c;

    (void)state;
    registers(PHONE, "Abebe", ROLE_FARMER);
    done("new batch of 5 bags of guji from dilla");
    assert_int_equal(
        pgtest_i64(db, 2,
                   "SELECT (SELECT count(*) FROM batches) + (SELECT count(*) "
                   "FROM epcis_events) + (SELECT count(*) FROM commands) + "
                   "(SELECT count(*) FROM places) + (SELECT count(*) FROM "
                   "callers)"),
        0);
    assert_int_equal(caller_find(db, 2, PHONE, &c), 0);
    assert_false(c.registered);
}

static void what_happened_is_not_changed(void **state)
{
    (void)state;
    done("new batch of 5 bags of guji from dilla");
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_not_equal(pg_run(db, NULL, "DELETE FROM epcis_events", NULL), 0);
    pg_rollback(db);
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_not_equal(pg_run(db, NULL, "UPDATE epcis_events SET canonical = ''", NULL),
                         0);
    pg_rollback(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_commission_is_a_batch_with_all_its_names, clean),
        cmocka_unit_test_setup(the_hash_is_that_of_the_canonical_form, clean),
        cmocka_unit_test_setup(two_batches_of_one_second_both_live, clean),
        cmocka_unit_test_setup(many_at_once_get_numbers_of_their_own, clean),
        cmocka_unit_test_setup(the_same_command_again_changes_nothing, clean),
        cmocka_unit_test_setup(where_the_farm_must_be_known_an_unknown_one_is_refused,
                               clean),
        cmocka_unit_test_setup(a_used_up_company_prefix_is_said_and_nothing_written,
                               clean),
        cmocka_unit_test_setup(a_shipment_and_a_receipt_are_events_of_the_batch, clean),
        cmocka_unit_test_setup(a_batch_that_is_not_there_is_refused, clean),
        cmocka_unit_test_setup(what_arrives_unrecorded_becomes_a_batch_by_its_weight,
                               clean),
        cmocka_unit_test_setup(the_callers_newest_batch_is_not_anothers, clean),
        cmocka_unit_test_setup(what_is_transformed_is_there_no_more, clean),
        cmocka_unit_test_setup(the_parts_of_a_split_inherit_the_farmer, clean),
        cmocka_unit_test_setup(a_batch_is_packed_once, clean),
        cmocka_unit_test_setup(a_container_may_be_named_by_its_sscc, clean),
        cmocka_unit_test_setup(the_answer_completes_the_command, clean),
        cmocka_unit_test_setup(an_answer_after_five_minutes_is_none, clean),
        cmocka_unit_test_setup(another_persons_answer_is_none, clean),
        cmocka_unit_test_setup(who_types_must_be_registered_and_approved, clean),
        cmocka_unit_test_setup(who_is_refused_again_and_again_is_told_no_more, clean),
        cmocka_unit_test_setup(a_batch_is_found_by_an_index_among_many, clean),
        cmocka_unit_test_setup(a_registration_is_reviewed_once, clean),
        cmocka_unit_test_setup(one_tenant_sees_nothing_of_anothers_ledger, clean),
        cmocka_unit_test_setup(what_happened_is_not_changed, clean),
    };

    pgtest_start(PGTEST_POSTGRES);
    struct pg *super = pgtest_open_super();
    pgtest_run(super, 0, "INSERT INTO tenants (name) VALUES ('other')");
    pg_close(super);
    db = pgtest_open();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(db);
    return failed;
}
