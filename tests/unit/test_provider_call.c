/* What providers' words mean, and that they may come twice, late and out of order. */
#include "unit/cm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/form.h"
#include "campaigns/disposition.h"
#include "campaigns/provider_call.h"

static int read_text(enum provider_kind kind, const char *text,
                     struct provider_call_news *out)
{
    CLEANUP(form_free) struct form form = {0};

    assert_int_equal(form_parse(&form, text, strlen(text)), 0);
    return provider_call_read_form(kind, &form, out);
}

static struct provider_call_news said(enum provider_kind kind, const char *text)
{
    struct provider_call_news n = PROVIDER_CALL_NEWS;

    if (read_text(kind, text, &n))
        fail_msg("not read: %s", text);
    return n;
}

static enum disposition disposition_of(const struct provider_call_news *n)
{
    const struct disposition_facts facts = {.was_up =
                                                n->status == PROVIDER_CALL_COMPLETED,
                                            .cause = n->cause,
                                            .tech_cause = n->tech_cause};

    return disposition_from(&facts);
}

static void twilio_words_become_a_disposition_and_the_code_is_kept(void **state)
{
    static const struct {
        const char *status, *sip;
        enum disposition disposition;
    } cases[] = {
        {"completed", "200", DISPOSITION_COMPLETED},
        {"busy", "486", DISPOSITION_BUSY},
        {"no-answer", "487", DISPOSITION_NO_ANSWER},
        {"no-answer", "", DISPOSITION_NO_ANSWER},
        {"canceled", "487", DISPOSITION_CANCELED},
        {"failed", "404", DISPOSITION_UNREACHABLE},
        {"failed", "604", DISPOSITION_BAD_NUMBER},
        {"failed", "503", DISPOSITION_CONGESTION},
        {"failed", "403", DISPOSITION_CONFIG},
        {"failed", "", DISPOSITION_FAILED},
        {"failed", "603", DISPOSITION_REJECTED},
        {"failed", "480", DISPOSITION_NO_ANSWER},
    };
    char text[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(text, sizeof(text), "CallSid=CA1&CallStatus=%s&SipResponseCode=%s",
                 cases[i].status, cases[i].sip);
        struct provider_call_news n = said(PROVIDER_TWILIO, text);
        if (disposition_of(&n) != cases[i].disposition)
            fail_msg("%s: %s", text, disposition_name(disposition_of(&n)));
        assert_string_equal(n.code, cases[i].sip);
    }
}

static void a_twilio_callback_is_read_whole(void **state)
{
    struct provider_call_news n = said(
        PROVIDER_TWILIO,
        "CallSid=CA0123&CallStatus=completed&SequenceNumber=3&CallDuration=41&Duration=1&"
        "SipResponseCode=200&AnsweredBy=machine_end_beep&To=%2B251911000001");

    (void)state;
    assert_string_equal(n.call_id, "CA0123");
    assert_int_equal(n.status, PROVIDER_CALL_COMPLETED);
    assert_int_equal(n.sequence, 3);
    assert_int_equal(n.duration_s, 41); /* seconds, not the billed minutes */
    assert_int_equal(n.answered_by, PROVIDER_ANSWERED_MACHINE);
    assert_int_equal(n.cause, 16);
    n = said(PROVIDER_TWILIO,
             "CallSid=CA0123&AnsweredBy=human&MachineDetectionDuration=3");
    assert_int_equal(n.status, PROVIDER_CALL_SILENT);
    assert_int_equal(n.answered_by, PROVIDER_ANSWERED_HUMAN);
    assert_int_equal(n.sequence, -1);
    assert_int_equal(n.duration_s, -1);
}

static void plivo_codes_become_a_disposition_and_the_code_is_kept(void **state)
{
    static const struct {
        const char *status, *code;
        enum disposition disposition;
    } cases[] = {
        {"busy", "3010", DISPOSITION_BUSY},
        {"failed", "2000", DISPOSITION_BAD_NUMBER},
        {"failed", "3050", DISPOSITION_BAD_NUMBER},
        {"failed", "3120", DISPOSITION_BAD_NUMBER},
        {"failed", "2010", DISPOSITION_UNREACHABLE},
        {"failed", "2030", DISPOSITION_CONFIG},
        {"no-answer", "3000", DISPOSITION_NO_ANSWER},
        {"timeout", "6010", DISPOSITION_NO_ANSWER},
        {"failed", "3110", DISPOSITION_REJECTED},
        {"failed", "3090", DISPOSITION_CONGESTION},
        {"failed", "3130", DISPOSITION_CONFIG},
        {"completed", "4000", DISPOSITION_COMPLETED},
        {"cancel", "1000", DISPOSITION_CANCELED},
        {"failed", "5010", DISPOSITION_CONGESTION},
        {"failed", "1010", DISPOSITION_CONFIG},
        {"failed", "7011", DISPOSITION_CONFIG},
        {"busy", "0", DISPOSITION_BUSY},
        {"failed", "", DISPOSITION_FAILED},
    };
    char text[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(text, sizeof(text), "CallUUID=c-1&CallStatus=%s&HangupCauseCode=%s",
                 cases[i].status, cases[i].code);
        struct provider_call_news n = said(PROVIDER_PLIVO, text);
        if (disposition_of(&n) != cases[i].disposition)
            fail_msg("%s: %s", text, disposition_name(disposition_of(&n)));
        assert_string_equal(n.code, cases[i].code);
    }
}

static void a_plivo_hangup_is_read_whole(void **state)
{
    struct provider_call_news n = said(
        PROVIDER_PLIVO,
        "CallUUID=9834029e-58b6-11e1-b8b7-a5bd0e4e126f&RequestUUID=9834029e-58b6&From="
        "12025550100&CallStatus=completed&Event=Hangup&HangupCauseName=Normal+Hangup&"
        "HangupCauseCode=4000&Duration=12&BillDuration=60&TotalCost=0.01200");

    (void)state;
    assert_string_equal(n.call_id, "9834029e-58b6-11e1-b8b7-a5bd0e4e126f");
    assert_string_equal(n.request_id, "9834029e-58b6");
    assert_string_equal(n.says, "Normal Hangup");
    assert_int_equal(n.duration_s, 12);
    assert_int_equal(n.price_micros, 12000);
    assert_string_equal(n.currency, "USD");
    n = said(PROVIDER_PLIVO, "CallUUID=a&CallStatus=completed&HangupCauseCode=9100");
    assert_int_equal(n.answered_by, PROVIDER_ANSWERED_MACHINE);
    n = said(PROVIDER_PLIVO, "CallUUID=a&CallStatus=in-progress&Machine=true");
    assert_int_equal(n.answered_by, PROVIDER_ANSWERED_MACHINE);
    assert_int_equal(n.status, PROVIDER_CALL_UP);
}

static void what_is_no_call_is_refused(void **state)
{
    struct provider_call_news n = PROVIDER_CALL_NEWS;

    (void)state;
    assert_int_equal(read_text(PROVIDER_TWILIO, "CallStatus=busy", &n), EBADMSG);
    assert_int_equal(read_text(PROVIDER_TWILIO, "CallSid=CA%2F..%2Fx", &n), EBADMSG);
    assert_int_equal(read_text(PROVIDER_TWILIO, "CallSid=CA1%00x", &n), EBADMSG);
    assert_int_equal(read_text(PROVIDER_PLIVO, "CallSid=CA1", &n), EBADMSG);
    assert_int_equal(read_text(PROVIDER_AFRICASTALKING, "CallSid=CA1", &n), EBADMSG);
}

static void amounts_are_micros(void **state)
{
    (void)state;
    assert_int_equal(provider_micros("-0.00750"), 7500);
    assert_int_equal(provider_micros("12"), 12000000);
    assert_int_equal(provider_micros("0.0000019"), 1);
    assert_int_equal(provider_micros(""), -1);
    assert_int_equal(provider_micros("-"), -1);
    assert_int_equal(provider_micros("1e3"), -1);
    assert_int_equal(provider_micros("12345678901234567890"), -1);
}

/* Every order in which four callbacks may come, some twice, ends the same. */
static void any_order_ends_the_same(void **state)
{
    static const char *const texts[] = {
        "CallSid=CA1&CallStatus=initiated&SequenceNumber=0",
        "CallSid=CA1&CallStatus=ringing&SequenceNumber=1",
        "CallSid=CA1&CallStatus=in-progress&SequenceNumber=2&AnsweredBy=unknown",
        "CallSid=CA1&CallStatus=completed&SequenceNumber=3&CallDuration=7&AnsweredBy="
        "human"};
    struct provider_call_news news[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        news[i] = said(PROVIDER_TWILIO, texts[i]);
    for (int order = 0; order < 4 * 4 * 4 * 4 * 4 * 4; order++) {
        struct provider_call call = {.known = PROVIDER_CALL_NEWS};
        enum provider_call_status last = PROVIDER_CALL_SILENT;
        unsigned seen = 0;

        for (int k = 0, o = order; k < 6; k++, o /= 4) {
            int64_t version = call.version;
            bool changed = provider_call_merge(&call, &news[o % 4]);
            assert_int_equal(call.version, version + changed);
            assert_true(call.known.status >= last);
            assert_false(provider_call_merge(&call, &news[o % 4])); /* twice */
            last = call.known.status;
            seen |= 1U << (o % 4);
        }
        if (!(seen & 8))
            continue;
        assert_int_equal(call.known.status, PROVIDER_CALL_COMPLETED);
        assert_int_equal(call.known.sequence, 3);
        assert_int_equal(call.known.duration_s, 7);
        assert_int_equal(call.known.answered_by, PROVIDER_ANSWERED_HUMAN);
    }
}

static void a_final_state_is_never_left(void **state)
{
    struct provider_call call = {.known = PROVIDER_CALL_NEWS};
    struct provider_call_news n =
        said(PROVIDER_TWILIO,
             "CallSid=CA1&CallStatus=busy&SequenceNumber=2&SipResponseCode=486");

    (void)state;
    assert_true(provider_call_merge(&call, &n));
    n = said(PROVIDER_TWILIO, "CallSid=CA1&CallStatus=failed&SequenceNumber=3");
    (void)provider_call_merge(&call, &n);
    assert_int_equal(call.known.status, PROVIDER_CALL_BUSY);
    assert_int_equal(call.known.cause, 17);
    /* The price comes days later. */
    n = PROVIDER_CALL_NEWS;
    n.price_micros = 7500;
    assert_true(provider_call_merge(&call, &n));
    assert_int_equal(call.known.price_micros, 7500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twilio_words_become_a_disposition_and_the_code_is_kept),
        cmocka_unit_test(a_twilio_callback_is_read_whole),
        cmocka_unit_test(plivo_codes_become_a_disposition_and_the_code_is_kept),
        cmocka_unit_test(a_plivo_hangup_is_read_whole),
        cmocka_unit_test(what_is_no_call_is_refused),
        cmocka_unit_test(amounts_are_micros),
        cmocka_unit_test(any_order_ends_the_same),
        cmocka_unit_test(a_final_state_is_never_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
