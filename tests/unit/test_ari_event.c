#include "unit/cm.h"

#include <errno.h>
#include <string.h>

#include "dialer/ari_event.h"

static int parse(const char *text, struct ari_event *ev)
{
    return ari_event_parse(text, strlen(text), ev);
}

static void a_call_in_names_its_caller_and_the_number_dialled(void **state)
{
    CLEANUP(ari_event_free) struct ari_event ev = {0};

    (void)state;
    assert_int_equal(
        parse("{\"type\":\"StasisStart\",\"application\":\"furrow-0a1b2c3d-in\","
              "\"args\":[\"800\",\"x\"],\"channel\":{\"id\":\"17.4\",\"state\":\"Ring\","
              "\"caller\":{\"name\":\"\",\"number\":\"251911234567\"}}}",
              &ev),
        0);
    assert_int_equal(ev.kind, ARI_STASIS_START);
    assert_string_equal(ev.application, "furrow-0a1b2c3d-in");
    assert_string_equal(ev.channel, "17.4");
    assert_string_equal(ev.channel_state, "Ring");
    assert_string_equal(ev.caller, "251911234567");
    assert_string_equal(ev.arg, "800");
}

static void an_end_has_both_causes(void **state)
{
    CLEANUP(ari_event_free) struct ari_event ev = {0};

    (void)state;
    assert_int_equal(parse("{\"type\":\"ChannelDestroyed\",\"cause\":17,\"tech_cause\":"
                           "486,\"channel\":{\"id\":\"c\"}}",
                           &ev),
                     0);
    assert_int_equal(ev.kind, ARI_DESTROYED);
    assert_int_equal(ev.cause, 17);
    assert_int_equal(ev.tech_cause, 486);
}

static void the_number_of_a_soft_request_is_no_cause(void **state)
{
    CLEANUP(ari_event_free) struct ari_event ev = {0};

    (void)state;
    assert_int_equal(parse("{\"type\":\"ChannelHangupRequest\",\"cause\":32,\"soft\":"
                           "true,\"channel\":{\"id\":\"c\"}}",
                           &ev),
                     0);
    assert_int_equal(ev.kind, ARI_HANGUP_REQUEST);
    assert_int_equal(ev.cause, 0);
}

static void a_dial_event_is_about_the_called_channel(void **state)
{
    CLEANUP(ari_event_free) struct ari_event ev = {0};

    (void)state;
    assert_int_equal(parse("{\"type\":\"Dial\",\"dialstatus\":\"RINGING\",\"peer\":{"
                           "\"id\":\"b\"},\"caller\":{\"id\":\"a\"}}",
                           &ev),
                     0);
    assert_int_equal(ev.kind, ARI_DIAL);
    assert_string_equal(ev.channel, "b");
    assert_string_equal(ev.dial_status, "RINGING");
}

static void a_recording_tells_its_seconds_and_says_when_it_does_not_know(void **state)
{
    CLEANUP(ari_event_free) struct ari_event a = {0};
    CLEANUP(ari_event_free) struct ari_event b = {0};

    (void)state;
    assert_int_equal(parse("{\"type\":\"RecordingFinished\",\"recording\":{\"name\":\"c-"
                           "3\",\"duration\":4,\"talking_duration\":0}}",
                           &a),
                     0);
    assert_int_equal(a.duration_s, 4);
    assert_int_equal(a.talking_s, 0);
    assert_int_equal(
        parse("{\"type\":\"RecordingFailed\",\"recording\":{\"name\":\"c-3\"}}", &b), 0);
    assert_int_equal(b.kind, ARI_RECORDING_FAILED);
    assert_int_equal(b.talking_s, -1);
}

static void unknown_events_are_let_through_and_broken_ones_refused(void **state)
{
    static const char *const broken[] = {
        "",
        "[]",
        "{\"type\":\"Dial\"}",
        "{\"type\":\"ChannelDestroyed\",\"channel\":{\"id\":5}}",
        "{\"type\":\"ChannelDtmfReceived\",\"digit\":\"12\",\"channel\":{\"id\":\"c\"}}",
        "{\"type\":\"PlaybackFinished\",\"playback\":{}}",
        "{\"type\":\"Dial\",\"peer\":{\"id\":\"x\"}",
    };
    CLEANUP(ari_event_free) struct ari_event ev = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(broken); i++)
        assert_int_equal(parse(broken[i], &ev), EBADMSG);
    assert_int_equal(parse("{\"type\":\"CallBroadcast\"}", &ev), 0);
    assert_int_equal(ev.kind, ARI_OTHER);
    assert_string_equal(ev.channel, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_in_names_its_caller_and_the_number_dialled),
        cmocka_unit_test(an_end_has_both_causes),
        cmocka_unit_test(the_number_of_a_soft_request_is_no_cause),
        cmocka_unit_test(a_dial_event_is_about_the_called_channel),
        cmocka_unit_test(a_recording_tells_its_seconds_and_says_when_it_does_not_know),
        cmocka_unit_test(unknown_events_are_let_through_and_broken_ones_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
