/* What is asked of providers' REST APIs, byte by byte where it matters, and what their
 * answers mean: above all which of them say for sure that there is no call. */
#include "unit/cm.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/form.h"
#include "base/str.h"
#include "campaigns/provider_rest.h"

static const struct provider_rest_ops *const both[] = {&provider_rest_twilio,
                                                       &provider_rest_plivo};

static struct provider account(enum provider_kind kind)
{
    struct provider p = {.kind = kind};

    str_cut(p.account, sizeof(p.account), kind == PROVIDER_TWILIO ? "AC1" : "MA1");
    str_cut(p.settings.api_url, sizeof(p.settings.api_url), "https://api.example.test");
    return p;
}

static struct provider_order order(enum machine_action action)
{
    struct provider_order o = {.phone = INT64_C(251911000001),
                               .ring_timeout_s = 25,
                               .time_limit_s = 600,
                               .hook = "https://v.example.test/hooks/h"};

    str_cut(o.from, sizeof(o.from), "+12025550100");
    o.machine.action = action;
    o.machine.beep_wait_s = 20;
    assert_int_equal(uuid_parse("019abc00-0000-7000-8000-000000000001", &o.attempt), 0);
    return o;
}

#define HOOK(what)                                                                       \
    "https://v.example.test/hooks/h/" what "/019abc00-0000-7000-8000-000000000001"
#define TOLD(what) HOOK(what) "#rc=3&rp=5xx,ct,rt" /* again after a 503 */

static void twilio_has(const struct provider_order *o, const char *name, const char *want)
{
    CLEANUP(provider_request_free) struct provider_request r = {0};
    CLEANUP(form_free) struct form f = {0};
    struct provider p = account(PROVIDER_TWILIO);

    provider_rest_twilio.originate(&p, o, &r);
    assert_string_equal(r.method, "POST");
    assert_string_equal(r.url,
                        "https://api.example.test/2010-04-01/Accounts/AC1/Calls.json");
    assert_int_equal(form_parse(&f, r.body, strlen(r.body)), 0);
    const struct form_text *t = form_get(&f, name);
    if (!t && !want)
        return;
    assert_non_null(t);
    assert_string_equal(t->data, want);
}

static void twilio_is_told_everything(void **state)
{
    static const struct {
        const char *name, *value;
    } plain[] = {{"To", "+251911000001"},
                 {"From", "+12025550100"},
                 {"Url", HOOK("voice")},
                 {"Method", "POST"},
                 {"StatusCallback", TOLD("status")},
                 {"StatusCallbackMethod", "POST"},
                 {"StatusCallbackEvent", "initiated"},
                 {"Timeout", "25"},
                 {"TimeLimit", "600"},
                 {"Record", "false"},
                 {"MachineDetection", NULL}};
    struct provider_order o = order(MACHINE_NOT_ASKED);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        twilio_has(&o, plain[i].name, plain[i].value);
    o = order(MACHINE_HANG_UP);
    twilio_has(&o, "MachineDetection", "Enable");
    twilio_has(&o, "AsyncAmd", "true");
    twilio_has(&o, "AsyncAmdStatusCallback", TOLD("machine"));
    o = order(MACHINE_MESSAGE);
    twilio_has(&o, "MachineDetection", "DetectMessageEnd");
    twilio_has(&o, "MachineDetectionTimeout", "20");
    twilio_has(&o, "AsyncAmd", "false");
    o.ring_timeout_s = 0;
    twilio_has(&o, "Timeout", "60");
    o.ring_timeout_s = 900;
    twilio_has(&o, "Timeout", "600");
}

static json_t *plivo_body(const struct provider_order *o)
{
    CLEANUP(provider_request_free) struct provider_request r = {0};
    struct provider p = account(PROVIDER_PLIVO);

    provider_rest_plivo.originate(&p, o, &r);
    assert_string_equal(r.url, "https://api.example.test/v1/Account/MA1/Call/");
    assert_true(r.json);
    return json_loads(r.body, 0, NULL);
}

static const char *text(const json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

static void plivo_is_told_everything(void **state)
{
    struct provider_order o = order(MACHINE_NOT_ASKED);
    json_auto_t *plain = plivo_body(&o);

    (void)state;
    assert_string_equal(text(plain, "to"), "251911000001");
    assert_string_equal(text(plain, "from"), "12025550100");
    assert_string_equal(text(plain, "answer_url"), HOOK("voice"));
    assert_string_equal(text(plain, "answer_method"), "POST");
    assert_string_equal(text(plain, "hangup_url"), TOLD("status"));
    assert_string_equal(text(plain, "ring_url"), TOLD("status"));
    assert_int_equal(json_integer_value(json_object_get(plain, "ring_timeout")), 25);
    assert_int_equal(json_integer_value(json_object_get(plain, "time_limit")), 600);
    assert_null(json_object_get(plain, "machine_detection"));
    o = order(MACHINE_HANG_UP);
    json_auto_t *hangs = plivo_body(&o);
    assert_string_equal(text(hangs, "machine_detection"), "hangup");
    o = order(MACHINE_AS_HUMAN);
    json_auto_t *tells = plivo_body(&o);
    assert_string_equal(text(tells, "machine_detection_url"), TOLD("machine"));
    o = order(MACHINE_MESSAGE);
    json_auto_t *waits = plivo_body(&o);
    assert_string_equal(text(waits, "machine_detection"), "true");
    assert_null(json_object_get(waits, "machine_detection_url"));
}

static enum provider_judgement judged(const struct provider_rest_ops *ops, long status,
                                      const char *body, struct provider_call_news *news)
{
    return ops->judge(status, body, strlen(body), news);
}

/* The heart of it: what is not surely a refusal is never taken for one. */
static void only_a_definite_refusal_is_one(void **state)
{
    static const long maybes[] = {0,   200, 201, 202, 204, 301, 302, 408,
                                  409, 500, 502, 503, 504, 520, 599};
    static const long refusals[] = {400, 401, 402, 403, 404, 405, 413, 422, 429};
    static const char *const bodies[] = {"",
                                         "{",
                                         "[]",
                                         "null",
                                         "{\"sid\": 3}",
                                         "{\"sid\": \"\"}",
                                         "{\"sid\": \"../x\"}",
                                         "{\"request_uuid\": []}",
                                         "<html>"};
    struct provider_call_news news;

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(both); k++)
        for (size_t b = 0; b < ARRAY_LEN(bodies); b++) {
            for (size_t i = 0; i < ARRAY_LEN(maybes); i++)
                assert_int_equal(judged(both[k], maybes[i], bodies[b], &news),
                                 PROVIDER_MAYBE);
            for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
                assert_int_equal(judged(both[k], refusals[i], bodies[b], &news),
                                 PROVIDER_REFUSED);
                assert_int_equal(news.status, PROVIDER_CALL_FAILED);
                assert_true(news.cause > 0);
            }
        }
}

static void twilio_answers_are_judged(void **state)
{
    struct provider_call_news n;

    (void)state;
    assert_int_equal(judged(&provider_rest_twilio, 201,
                            "{\"sid\":\"CA5\",\"status\":\"queued\",\"price\":null}", &n),
                     PROVIDER_TOOK);
    assert_string_equal(n.call_id, "CA5");
    assert_int_equal(n.status, PROVIDER_CALL_QUEUED);
    (void)judged(&provider_rest_twilio, 400,
                 "{\"code\":21211,\"message\":\"The 'To' number +251911000001 is not a "
                 "valid phone number.\",\"status\":400}",
                 &n);
    assert_int_equal(n.cause, 1);
    assert_string_equal(n.code, "21211");
    assert_string_equal(n.says,
                        "The 'To' number +**********01 is not a valid phone number.");
    (void)judged(&provider_rest_twilio, 429, "{\"code\":20429}", &n);
    assert_int_equal(n.cause, 42);
    (void)judged(&provider_rest_twilio, 400, "{\"code\":21215}", &n);
    assert_int_equal(n.cause, 50);
    (void)judged(&provider_rest_twilio, 401, "", &n);
    assert_int_equal(n.cause, 50);
    assert_string_equal(n.code, "401");
}

static void plivo_answers_are_judged(void **state)
{
    struct provider_call_news n;

    (void)state;
    assert_int_equal(
        judged(
            &provider_rest_plivo, 201,
            "{\"message\":\"call fired\",\"request_uuid\":\"9834029e\",\"api_id\":\"1\"}",
            &n),
        PROVIDER_TOOK);
    assert_string_equal(n.request_id, "9834029e");
    assert_int_equal(
        judged(&provider_rest_plivo, 201, "{\"request_uuid\":[\"9834029e\"]}", &n),
        PROVIDER_TOOK);
    (void)judged(&provider_rest_plivo, 400, "{\"error\":{\"to\":\"wrong\"}}", &n);
    assert_string_equal(n.says, "{\"to\":\"wrong\"}");
    assert_string_equal(n.code, "400 to"); /* the number's fault */
    assert_int_equal(n.cause, 1);
    (void)judged(&provider_rest_plivo, 400, "{\"error\":{\"from\":\"wrong\"}}", &n);
    assert_string_equal(n.code, "400 from"); /* ours */
    assert_int_equal(n.cause, 50);
    (void)judged(&provider_rest_plivo, 400, "{\"error\":\"wrong\"}", &n);
    assert_string_equal(n.code, "400");
    (void)judged(&provider_rest_plivo, 429, "{\"error\":\"slow down\"}", &n);
    assert_int_equal(n.cause, 42);
}

static void a_listed_call_is_the_ordered_one_by_numbers_and_time(void **state)
{
    static const char body[] =
        "{\"calls\":[{\"sid\":\"CA2\",\"to\":\"+251911000001\",\"from\":\"+12025550100\","
        "\"status\":\"ringing\",\"date_created\":\"Tue, 24 Nov 2026 08:00:05 +0000\"},"
        "{\"sid\":\"CA1\",\"to\":\"+251911000001\",\"from\":\"+12025550100\",\"status\":"
        "\"completed\",\"duration\":\"9\",\"price\":\"-0.0075\",\"price_unit\":\"USD\","
        "\"date_created\":\"Mon, 23 Nov 2026 08:00:05 +0000\"}, {\"sid\": null}, 7]}";
    const int64_t sent = INT64_C(1795507200000); /* 2026-11-24T08:00:00Z */
    struct provider_order o = order(MACHINE_NOT_ASKED);
    static struct provider_seen seen[PROVIDER_SEEN_MAX];
    size_t n = 0;

    (void)state;
    assert_int_equal(provider_rest_twilio.list(0, 200, body, sizeof(body) - 1, seen, &n),
                     PROVIDER_SEEN);
    assert_int_equal(n, 2);
    assert_true(provider_seen_is(&seen[0], &o, sent - 15000, sent + 120000));
    assert_false(provider_seen_is(&seen[1], &o, sent - 15000, sent + 120000));
    assert_int_equal(seen[1].news.duration_s, 9);
    assert_int_equal(seen[1].news.price_micros, 7500);
    o.phone++;
    assert_false(provider_seen_is(&seen[0], &o, 0, 0));
    o = order(MACHINE_NOT_ASKED);
    str_cut(o.from, sizeof(o.from), "+12025550101");
    assert_false(provider_seen_is(&seen[0], &o, 0, 0));
    assert_int_equal(provider_rest_twilio.list(0, 500, "", 0, seen, &n),
                     PROVIDER_NO_ANSWER);
    assert_int_equal(provider_rest_twilio.list(0, 200, "{\"calls\":[]}", 12, seen, &n),
                     PROVIDER_ABSENT);
}

static void plivo_shows_a_call_in_three_places(void **state)
{
    static const char record[] =
        "{\"call_uuid\":\"u1\",\"to_number\":\"251911000001\",\"from_number\":"
        "\"+12025550100\",\"hangup_cause_code\":3010,\"hangup_cause_name\":\"Busy Line\","
        "\"call_duration\":0,\"answer_time\":null,\"total_amount\":\"0.00000\","
        "\"initiation_time\":\"2026-11-24 11:00:05+03:00\"}";
    struct provider p = account(PROVIDER_PLIVO);
    struct provider_call_news known = PROVIDER_CALL_NEWS;
    struct provider_request r = {0};
    struct provider_seen seen;

    (void)state;
    str_cut(known.request_id, sizeof(known.request_id), "r1");
    static const char *const urls[] = {"Call/r1/?status=live", "Call/r1/?status=queued",
                                       "Call/r1/"};
    for (int i = 0; i < 3; i++) {
        assert_true(provider_rest_plivo.look(&p, &known, i, &r));
        assert_non_null(strstr(r.url, urls[i]));
        provider_request_free(&r);
    }
    assert_false(provider_rest_plivo.look(&p, &known, 3, &r));
    assert_int_equal(provider_rest_plivo.see(2, 200, record, sizeof(record) - 1, &seen),
                     PROVIDER_SEEN);
    assert_int_equal(seen.news.status, PROVIDER_CALL_BUSY);
    assert_int_equal(seen.news.cause, 17);
    assert_string_equal(seen.news.code, "3010");
    assert_int_equal(seen.created_ms, INT64_C(1795507205000));
    assert_int_equal(provider_rest_plivo.see(0, 404, "", 0, &seen), PROVIDER_ABSENT);
    assert_int_equal(provider_rest_plivo.see(0, 503, "", 0, &seen), PROVIDER_NO_ANSWER);
}

static void a_call_is_ended_by_what_it_is(void **state)
{
    struct provider t = account(PROVIDER_TWILIO), p = account(PROVIDER_PLIVO);
    struct provider_call_news known = PROVIDER_CALL_NEWS;
    struct provider_request r = {0};

    (void)state;
    str_cut(known.call_id, sizeof(known.call_id), "c1");
    known.status = PROVIDER_CALL_QUEUED;
    provider_rest_twilio.end(&t, &known, false, &r);
    assert_string_equal(r.body, "Status=canceled");
    provider_request_free(&r);
    provider_rest_plivo.end(&p, &known, false, &r);
    assert_string_equal(r.url, "https://api.example.test/v1/Account/MA1/Request/c1/");
    assert_string_equal(r.method, "DELETE");
    provider_request_free(&r);
    known.status = PROVIDER_CALL_UP;
    provider_rest_twilio.end(&t, &known, false, &r);
    assert_string_equal(r.body, "Status=completed");
    provider_request_free(&r);
    provider_rest_plivo.end(&p, &known, false, &r);
    assert_string_equal(r.url, "https://api.example.test/v1/Account/MA1/Call/c1/");
    provider_request_free(&r);
}

static void a_call_that_is_up_is_sent_elsewhere(void **state)
{
    struct provider t = {.kind = PROVIDER_TWILIO, .account = "AC1"},
                    p = {.kind = PROVIDER_PLIVO, .account = "MA1"};
    struct provider_call_news known = {.call_id = "CA1"}, why;
    struct provider_request r;

    (void)state;
    str_cut(t.settings.api_url, sizeof(t.settings.api_url), "https://t");
    str_cut(p.settings.api_url, sizeof(p.settings.api_url), "https://p");
    provider_rest_twilio.redirect(&t, &known, "https://v/x?a=1&b", &r);
    assert_string_equal(r.url, "https://t/2010-04-01/Accounts/AC1/Calls/CA1.json");
    assert_string_equal(r.body, "Url=https%3A%2F%2Fv%2Fx%3Fa%3D1%26b&Method=POST");
    provider_request_free(&r);
    provider_rest_plivo.redirect(&p, &known, "https://v/x", &r);
    assert_string_equal(r.url, "https://p/v1/Account/MA1/Call/CA1/");
    assert_string_equal(
        r.body,
        "{\"aleg_method\":\"POST\",\"aleg_url\":\"https://v/x\",\"legs\":\"aleg\"}");
    provider_request_free(&r);

    static const struct {
        enum provider_kind kind;
        long status;
        const char *body;
        enum provider_control says;
    } answers[] = {
        {PROVIDER_TWILIO, 200, "{}", PROVIDER_CONTROL_DONE},
        {PROVIDER_PLIVO, 202, "", PROVIDER_CONTROL_DONE},
        {PROVIDER_PLIVO, 204, "", PROVIDER_CONTROL_DONE},
        {PROVIDER_PLIVO, 404, "", PROVIDER_CONTROL_OVER},
        {PROVIDER_TWILIO, 400, "{\"code\": 21220}", PROVIDER_CONTROL_OVER},
        {PROVIDER_TWILIO, 401, "{\"code\": 20003}", PROVIDER_CONTROL_REFUSED},
        {PROVIDER_TWILIO, 503, "", PROVIDER_CONTROL_MAYBE},
        {PROVIDER_HTTP, 400, "", PROVIDER_CONTROL_MAYBE},
    };
    for (size_t i = 0; i < ARRAY_LEN(answers); i++)
        assert_int_equal(provider_judge_control(answers[i].kind, answers[i].status,
                                                answers[i].body, strlen(answers[i].body),
                                                &why),
                         answers[i].says);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_is_up_is_sent_elsewhere),
        cmocka_unit_test(twilio_is_told_everything),
        cmocka_unit_test(plivo_is_told_everything),
        cmocka_unit_test(only_a_definite_refusal_is_one),
        cmocka_unit_test(twilio_answers_are_judged),
        cmocka_unit_test(plivo_answers_are_judged),
        cmocka_unit_test(a_listed_call_is_the_ordered_one_by_numbers_and_time),
        cmocka_unit_test(plivo_shows_a_call_in_three_places),
        cmocka_unit_test(a_call_is_ended_by_what_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
