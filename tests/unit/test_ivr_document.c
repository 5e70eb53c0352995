/* Documents: the XML writer, and requests of the providers read. */
#include "unit/cm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/attrs.h"
#include "ivr/document.h"
#include "ivr/xml.h"

static struct ivr_arena *arena;

static int setup(void **state)
{
    (void)state;
    return ivr_arena_new(&arena, NULL);
}

static int teardown(void **state)
{
    (void)state;
    ivr_arena_free(arena);
    return 0;
}

/* ---- the writer ---- */

static const char *element(const char *attribute, const char *text)
{
    struct xml x;

    xml_begin(&x, arena, 1000);
    xml_open(&x, "E");
    xml_attr(&x, "a", attribute);
    xml_text(&x, text);
    const char *out = xml_end(&x);
    assert_non_null(out);
    return strchr(out, '\n') + 1;
}

static void markup_in_texts_is_text(void **state)
{
    (void)state;
    assert_string_equal(element("<\"&'>", "<\"&']]>"),
                        "<E a=\"&lt;&quot;&amp;'&gt;\">&lt;\"&amp;']]&gt;</E>\n");
    assert_string_equal(element("a\tb\nc\r", "a\tb\nc\r"),
                        "<E a=\"a&#9;b&#10;c&#13;\">a\tb\nc&#13;</E>\n");
}

static void what_xml_cannot_hold_is_left_out_or_replaced(void **state)
{
    static const char bad[][8] = {
        "\x80",         "\xC3",         "\xC0\x80",         "\xE0\x80\x80",
        "\xED\xA0\x80", "\xFF",         "\xF5\x80\x80\x80", "\xF4\x90\x80\x80",
        "\xE1\x88",     "\xEF\xBF\xBE",
    };

    (void)state;
    assert_string_equal(element("", "a\x01\x1F\x0B"
                                    "b\x7F"),
                        "<E a=\"\">ab\x7F</E>\n");
    assert_string_equal(element("", "ለአማርኛ \xF0\x9F\x98\x80"),
                        "<E a=\"\">ለአማርኛ \xF0\x9F\x98\x80</E>\n");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *out = element("", bad[i]);
        assert_int_equal(strncmp(out, "<E a=\"\">\xEF\xBF\xBD", 11), 0);
    }
}

static void what_would_not_be_well_formed_is_no_document(void **state)
{
    struct xml x;

    (void)state;
    xml_begin(&x, arena, 1000);
    xml_open(&x, "E");
    xml_attr(&x, "a", "1");
    xml_attr(&x, "a", "2");
    assert_null(xml_end(&x));
    assert_int_equal(x.g.err, EINVAL);
    xml_begin(&x, arena, 1000);
    xml_open(&x, "E");
    xml_text(&x, "t");
    xml_attr(&x, "a", "1");
    assert_null(xml_end(&x));
    xml_begin(&x, arena, 1000);
    xml_open(&x, "E");
    xml_close(&x);
    xml_open(&x, "F");
    assert_null(xml_end(&x));
    xml_begin(&x, arena, 1000);
    assert_null(xml_end(&x));
    xml_begin(&x, arena, 60);
    xml_open(&x, "E");
    xml_text(&x, "more than there is room for, by far");
    assert_null(xml_end(&x));
    assert_int_equal(x.g.err, EMSGSIZE);
}

/* ---- requests ---- */

#define NOW_S 1790000100

struct asked {
    const char *backend, *token, *wait;
    struct ivr_field fields[6];
};

static int request(const struct asked *a, const struct ivr_state *state,
                   struct ivr_parsed *out)
{
    static const struct ivr_document_ctx document = {
        .action_prefix = "https://voice.example/v", .now_ms = NOW_S * 1000LL};
    const struct ivr_call_ctx ctx = {.channel = "CA1", .document = &document};
    struct ivr_request req = {a->token, a->wait, a->fields, 0};

    while (req.n < ARRAY_LEN(a->fields) && a->fields[req.n].name)
        req.n++;
    return ivr_backend_find(a->backend)->document->request(&req, &ctx, state, arena, out);
}

static struct ivr_parsed read_(enum ivr_wait_kind wait, struct asked a)
{
    const struct ivr_state state = {
        .seq = 9, .status = IVR_WAITING, .wait = {.kind = wait}};
    struct ivr_parsed p;

    assert_int_equal(request(&a, &state, &p), 0);
    return p;
}

static void twilios_keys_become_inputs(void **state)
{
    struct ivr_parsed p;

    (void)state;
    p = read_(IVR_WAIT_KEYS, (struct asked){"twiml", "9", "keys", {{"Digits", "0042"}}});
    assert_int_equal(p.kind, IVR_PARSED_INPUT);
    assert_int_equal(p.input.kind, IVR_IN_DIGITS);
    assert_int_equal(p.input.token, 9);
    assert_string_equal(p.input.keys.digits, "0042");
    assert_int_equal(p.input.keys.finish, 0);
    p = read_(
        IVR_WAIT_KEYS,
        (struct asked){"twiml", "9", "keys", {{"FinishedOnKey", "#"}, {"Digits", "1"}}});
    assert_int_equal(p.input.keys.finish, '#');
    p = read_(IVR_WAIT_KEYS, (struct asked){"twiml", "9", "keys", {{"Digits", ""}}});
    assert_int_equal(p.input.kind, IVR_IN_NO_INPUT);
    p = read_(IVR_WAIT_KEYS, (struct asked){"twiml",
                                            "9",
                                            "keys",
                                            {{"SpeechResult", "Flight status."},
                                             {"Confidence", "0.9"}}});
    assert_int_equal(p.input.kind, IVR_IN_SAID);
    assert_string_equal(p.input.said.text, "Flight status.");
    p = read_(
        IVR_WAIT_KEYS,
        (struct asked){"twiml", "9", "keys", {{"SpeechResult", "one"}, {"Digits", "1"}}});
    assert_int_equal(p.input.kind, IVR_IN_DIGITS);
    p = read_(IVR_WAIT_KEYS, (struct asked){"plivo",
                                            "9",
                                            "keys",
                                            {{"InputType", "speech"},
                                             {"Speech", "boarding pass"},
                                             {"Digits", ""}}});
    assert_int_equal(p.input.kind, IVR_IN_SAID);
    assert_string_equal(p.input.said.text, "boarding pass");
    p = read_(IVR_WAIT_KEYS, (struct asked){"twiml", "8", "no_input", {{0}}});
    assert_int_equal(p.input.kind, IVR_IN_NO_INPUT);
    assert_int_equal(p.input.token, 8); /* late: the engine's to say */
    p = read_(IVR_WAIT_KEYS, (struct asked){"twiml", "9", "media_gone", {{0}}});
    assert_int_equal(p.input.kind, IVR_IN_MEDIA_FAILED);
}

static void twilios_recordings_become_inputs(void **state)
{
    struct ivr_parsed p;

    (void)state;
    p = read_(IVR_WAIT_RECORDING, (struct asked){"twiml",
                                                 "9",
                                                 "recorded-4-120",
                                                 {{"RecordingUrl", "https://t/RE1"},
                                                  {"RecordingSid", "RE1"},
                                                  {"RecordingDuration", "12"},
                                                  {"Digits", "#"}}});
    assert_int_equal(p.input.kind, IVR_IN_RECORDED);
    assert_int_equal(p.input.recorded.result, IVR_RECORDED_OK);
    assert_string_equal(p.input.recorded.ref, "CA1-4");
    assert_int_equal(p.input.recorded.duration_ms, 12000);
    assert_string_equal(p.input.recorded.reason, "key");
    assert_string_equal(p.recording_url, "https://t/RE1");
    assert_string_equal(p.recording_id, "RE1");
    p = read_(IVR_WAIT_RECORDING, (struct asked){"twiml",
                                                 "9",
                                                 "recorded-4-120",
                                                 {{"RecordingUrl", "https://t/RE1"},
                                                  {"RecordingDuration", "120"}}});
    assert_string_equal(p.input.recorded.reason, "max");
    p = read_(IVR_WAIT_RECORDING, (struct asked){"twiml",
                                                 "9",
                                                 "recorded-4-120",
                                                 {{"RecordingUrl", "https://t/RE1"},
                                                  {"RecordingDuration", "3"},
                                                  {"Digits", "hangup"}}});
    assert_string_equal(p.input.recorded.reason, "hangup");
    p = read_(IVR_WAIT_RECORDING, (struct asked){"twiml", "9", "silent-4", {{0}}});
    assert_int_equal(p.input.recorded.result, IVR_RECORDED_EMPTY);
    p = read_(IVR_WAIT_KEYS, (struct asked){"twiml",
                                            "9",
                                            "recording-4",
                                            {{"RecordingStatus", "completed"},
                                             {"RecordingDuration", "12"},
                                             {"RecordingUrl", "https://t/RE1"}}});
    assert_int_equal(p.kind, IVR_PARSED_NOTHING); /* the flow has gone on */
    assert_string_equal(p.recording_url, "https://t/RE1");
    assert_int_equal(p.input.kind, IVR_IN_RECORDED);
    assert_int_equal(p.input.recorded.result, IVR_RECORDED_OK);
    assert_string_equal(p.input.recorded.ref, "CA1-4");
    assert_int_equal(p.input.recorded.duration_ms, 12000);
    p = read_(
        IVR_WAIT_KEYS,
        (struct asked){"twiml", "9", "recording-4", {{"RecordingStatus", "absent"}}});
    assert_int_equal(p.kind, IVR_PARSED_NOTHING);
    assert_int_equal(p.input.recorded.result, IVR_RECORDED_EMPTY);
}

static void twilios_transfers_become_inputs(void **state)
{
    static const struct {
        const char *status, *bridged;
        enum ivr_dialled result;
        int talked_ms, cause;
    } ends[] = {
        {"completed", "true", IVR_DIALLED_COMPLETED, 30000, 16},
        {"answered", "", IVR_DIALLED_COMPLETED, 30000, 16},
        {"completed", "false", IVR_DIALLED_NO_ANSWER, 0, 19},
        {"busy", "", IVR_DIALLED_BUSY, 0, 17},
        {"no-answer", "", IVR_DIALLED_NO_ANSWER, 0, 19},
        {"canceled", "", IVR_DIALLED_NO_ANSWER, 0, 0},
        {"failed", "", IVR_DIALLED_FAILED, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct ivr_parsed p =
            read_(IVR_WAIT_DIAL, (struct asked){"twiml",
                                                "9",
                                                "dialled",
                                                {{"DialCallStatus", ends[i].status},
                                                 {"DialBridged", ends[i].bridged},
                                                 {"DialCallDuration", "30"}}});
        assert_int_equal(p.input.kind, IVR_IN_DIAL_ENDED);
        assert_int_equal(p.input.dialled.result, ends[i].result);
        assert_int_equal(p.input.dialled.talked_ms, ends[i].talked_ms);
        assert_int_equal(p.input.dialled.cause, ends[i].cause);
    }
}

static void who_answers_on_twilio_presses_the_key_first(void **state)
{
    struct ivr_parsed p;

    (void)state;
    p = read_(IVR_WAIT_DIAL, (struct asked){"twiml", "9", "confirm-h", {{0}}});
    assert_int_equal(p.kind, IVR_PARSED_DOCUMENT);
    assert_non_null(strstr(p.document, "https://voice.example/v/9/confirmed-h"));
    assert_non_null(strstr(p.document, "Press hash to take this call."));
    p = read_(IVR_WAIT_DIAL,
              (struct asked){"twiml", "9", "confirmed-h", {{"Digits", "#"}}});
    assert_null(strstr(p.document, "Hangup"));
    p = read_(IVR_WAIT_DIAL,
              (struct asked){"twiml", "9", "confirmed-h", {{"Digits", "1"}}});
    assert_non_null(strstr(p.document, "<Hangup/>"));
}

static const char *const providers[] = {"twiml", "plivo"};

static void who_waits_in_a_queue_asks_again_and_again(void **state)
{
    struct ivr_parsed p;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(providers); i++) {
        const char *b = providers[i];
        /* It is 100 s in. */
        p = read_(IVR_WAIT_QUEUE,
                  (struct asked){b, "9", "hold-1790000000-300-0-0-4-s", {{0}}});
        assert_int_equal(p.kind, IVR_PARSED_DOCUMENT);
        assert_int_equal(p.queued_at_ms, 1790000000000);
        assert_false(p.aside);
        assert_non_null(
            strstr(p.document, "https://voice.example/v/9/hold-1790000000-300-0-0-5-s"));
        p = read_(
            IVR_WAIT_QUEUE,
            (struct asked){b, "9", "hold-1790000000-300-0-0-4-s", {{"Digits", "*"}}});
        assert_int_equal(p.input.kind, IVR_IN_QUEUE_LEFT);
        assert_int_equal(p.input.left.result, IVR_LEFT_BY_KEY);
        assert_int_equal(p.input.left.waited_ms, 100000);
        p = read_(IVR_WAIT_QUEUE,
                  (struct asked){b, "9", "hold-1790000000-100-0-0-4-n", {{0}}});
        assert_int_equal(p.input.left.result, IVR_LEFT_TIMEOUT);
        p = read_(IVR_WAIT_QUEUE,
                  (struct asked){b, "9", "hold-1790000000-300-60-1790000090-4-n", {{0}}});
        assert_int_equal(p.input.kind, IVR_IN_QUEUE_NEWS);
        assert_int_equal(p.input.token, 9);
        /* Asked again after it has been said: no second time. */
        p = read_(IVR_WAIT_QUEUE,
                  (struct asked){b, "8", "hold-1790000000-300-60-1790000090-4-n", {{0}}});
        assert_int_equal(p.kind, IVR_PARSED_DOCUMENT);
        assert_non_null(strstr(p.document, "hold-1790000000-300-60-1790000160-5-n"));
        p = read_(IVR_WAIT_KEYS,
                  (struct asked){b, "8", "hold-1790000000-300-0-0-4-n", {{0}}});
        assert_int_equal(p.kind, IVR_PARSED_NOTHING); /* the flow has gone on */
        assert_int_equal(p.queued_at_ms, 0);
    }
}

static void the_end_of_an_agents_part_ends_the_wait_or_lets_it_go_on(void **state)
{
    static const struct {
        struct asked asked;
        bool served;
    } ends[] = {
        {{"twiml",
          "9",
          "rung-1790000000-300-0-0-4-s",
          {{"DialCallStatus", "completed"},
           {"DialBridged", "true"},
           {"DialCallDuration", "40"}}},
         true},
        {{"twiml",
          "9",
          "rung-1790000000-300-0-0-4-s",
          {{"DialCallStatus", "completed"}, {"DialBridged", "false"}}},
         false},
        {{"twiml", "9", "rung-1790000000-300-0-0-4-s", {{"DialCallStatus", "no-answer"}}},
         false},
        {{"twiml", "9", "rung-1790000000-300-0-0-4-s", {{0}}}, false},
        {{"plivo",
          "9",
          "rung-1790000000-300-0-0-4-s",
          {{"DialStatus", "completed"}, {"DialBLegDuration", "40"}}},
         true},
        {{"plivo", "9", "rung-1790000000-300-0-0-4-s", {{"DialStatus", "busy"}}}, false},
        {{"plivo", "9", "rung-1790000000-300-0-0-4-s", {{0}}}, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct ivr_parsed p = read_(IVR_WAIT_QUEUE, ends[i].asked);
        if (ends[i].served) {
            assert_int_equal(p.kind, IVR_PARSED_INPUT);
            assert_int_equal(p.input.left.result, IVR_LEFT_SERVED);
            assert_int_equal(p.input.left.waited_ms, 60000);
        } else {
            assert_int_equal(p.kind, IVR_PARSED_DOCUMENT);
            assert_int_equal(p.agent, IVR_AGENT_NO_ANSWER);
            assert_non_null(strstr(p.document, "hold-1790000000-300-0-0-5-s"));
        }
    }
}

static void an_agents_phone_tells_that_they_talk(void **state)
{
    static const struct {
        struct asked asked;
        enum ivr_agent_news news;
        const char *says;
    } cases[] = {
        {{"twiml", "9", "agent-n", {{0}}}, IVR_AGENT_CONNECTED, "<Response/>"},
        {{"twiml", "9", "agent-1", {{0}}}, IVR_AGENT_NO_NEWS, "/9/agent_ok-1"},
        {{"twiml", "9", "agent_ok-1", {{"Digits", "1"}}},
         IVR_AGENT_CONNECTED,
         "<Response/>"},
        {{"twiml", "9", "agent_ok-1", {{"Digits", "2"}}}, IVR_AGENT_NO_NEWS, "<Hangup/>"},
        {{"plivo", "9", "agent-n", {{"DialAction", "answer"}}}, IVR_AGENT_CONNECTED, ""},
        {{"plivo", "9", "agent-1", {{"DialAction", "answer"}}}, IVR_AGENT_NO_NEWS, ""},
        {{"plivo", "9", "agent-1", {{"DialAction", "connected"}}},
         IVR_AGENT_CONNECTED,
         ""},
        {{"plivo", "9", "agent-1", {{"DialAction", "hangup"}}}, IVR_AGENT_NO_NEWS, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ivr_parsed p = read_(IVR_WAIT_QUEUE, cases[i].asked);
        assert_int_equal(p.kind, IVR_PARSED_DOCUMENT);
        assert_true(p.aside);
        assert_int_equal(p.agent, cases[i].news);
        assert_non_null(strstr(p.document, cases[i].says));
    }
}

static void while_a_request_is_out_the_provider_asks_again(void **state)
{
    struct ivr_parsed p;

    (void)state;
    p = read_(IVR_WAIT_HTTP, (struct asked){"twiml", "9", "http-3", {{0}}});
    assert_int_equal(p.kind, IVR_PARSED_DOCUMENT);
    assert_non_null(strstr(p.document, "https://voice.example/v/9/http-4"));
    p = read_(IVR_WAIT_KEYS, (struct asked){"twiml", "8", "http", {{0}}});
    assert_int_equal(p.kind, IVR_PARSED_NOTHING);
}

static void the_end_of_a_call_is_told_by_its_status(void **state)
{
    struct ivr_parsed p;

    (void)state;
    p = read_(IVR_WAIT_KEYS,
              (struct asked){"twiml", "0", "status", {{"CallStatus", "in-progress"}}});
    assert_int_equal(p.kind, IVR_PARSED_NOTHING);
    p = read_(IVR_WAIT_KEYS,
              (struct asked){"twiml", "0", "status", {{"CallStatus", "completed"}}});
    assert_int_equal(p.input.kind, IVR_IN_HANGUP);
    assert_int_equal(p.input.hangup.cause, 16);
}

static void plivos_answers_become_inputs(void **state)
{
    struct ivr_parsed p;

    (void)state;
    p = read_(
        IVR_WAIT_KEYS,
        (struct asked){"plivo", "9", "keys", {{"InputType", "dtmf"}, {"Digits", "007"}}});
    assert_int_equal(p.input.kind, IVR_IN_DIGITS);
    assert_string_equal(p.input.keys.digits, "007");
    p = read_(IVR_WAIT_KEYS, (struct asked){"plivo", "9", "no_input", {{0}}});
    assert_int_equal(p.input.kind, IVR_IN_NO_INPUT);
    p = read_(IVR_WAIT_RECORDING, (struct asked){"plivo",
                                                 "9",
                                                 "recorded-4-120",
                                                 {{"RecordUrl", "https://m/r.wav"},
                                                  {"RecordingID", "r-1"},
                                                  {"RecordingDuration", "12"},
                                                  {"Digits", "#"}}});
    assert_int_equal(p.input.recorded.result, IVR_RECORDED_OK);
    assert_string_equal(p.input.recorded.ref, "CA1-4");
    assert_int_equal(p.input.recorded.duration_ms, 12000);
    assert_string_equal(p.recording_url, "https://m/r.wav");
    assert_string_equal(p.recording_id, "r-1");
    p = read_(IVR_WAIT_DIAL,
              (struct asked){"plivo", "9", "dialled", {{"DialStatus", "timeout"}}});
    assert_int_equal(p.input.dialled.result, IVR_DIALLED_NO_ANSWER);
    p = read_(IVR_WAIT_DIAL, (struct asked){"plivo", "9", "undialled", {{0}}});
    assert_int_equal(p.input.dialled.result, IVR_DIALLED_FAILED);
    p = read_(IVR_WAIT_DIAL, (struct asked){"plivo", "9", "confirm-1", {{0}}});
    assert_non_null(strstr(p.document, "Press 1 to take this call."));
    p = read_(IVR_WAIT_KEYS,
              (struct asked){"plivo", "0", "status", {{"CallStatus", "busy"}}});
    assert_int_equal(p.input.hangup.cause, 17);
}

static void what_no_document_leads_to_is_refused(void **state)
{
    static char long_digits[5000];
    static const struct asked bad[] = {
        {"twiml", "9", "", {{0}}},
        {"twiml", "9", "nonsense", {{0}}},
        {"twiml", "9", "keys", {{"Digits", "12x"}}},
        {"twiml", "9", "keys", {{"Digits", long_digits}}},
        {"twiml", "", "keys", {{0}}},
        {"twiml", "-1", "keys", {{0}}},
        {"twiml", "4294967296", "keys", {{0}}},
        {"twiml", "9", "recorded-4-1", {{"RecordingDuration", "-4"}}},
        {"twiml", "9", "recorded-4-1", {{"RecordingDuration", "99999999999999"}}},
        {"twiml", "9", "recorded-99999999999999-1", {{"RecordingUrl", "u"}}},
        {"twiml", "9", "dialled", {{"DialCallStatus", "eaten"}}},
        {"twiml", "9", "queue-1-2-3-4-5-6", {{"QueueResult", "leave"}}},
        {"twiml", "9", "confirm", {{0}}},
        {"twiml", "9", "confirm-x", {{0}}},
        {"twiml", "9", "status", {{0}}},
        {"twiml", "9", "talked-1-2", {{0}}},
        {"plivo", "9", "queue-1-2-n", {{"QueueResult", "leave"}}},
        {"plivo", "9", "keys", {{"Digits", long_digits}}},
        {"plivo", "9", "recorded-4-1", {{"RecordingDuration", "1e9"}}},
        {"plivo", "9", "dialled", {{0}}},
    };
    const struct ivr_state waiting = {.seq = 9, .status = IVR_WAITING};
    struct ivr_parsed p;

    (void)state;
    memset(long_digits, '1', sizeof(long_digits) - 1);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (request(&bad[i], &waiting, &p) != EBADMSG) {
            print_error("%s/%s was taken\n", bad[i].token, bad[i].wait);
            fail();
        }
}

static void an_apology_is_there_whatever_happens(void **state)
{
    static const char *const backends[] = {"twiml", "plivo"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
        const struct ivr_document_ops *ops = ivr_backend_find(backends[i])->document;
        assert_non_null(strstr(ops->apology("en"), "We are sorry"));
        assert_ptr_equal(ops->apology("om"), ops->apology("en"));
        assert_ptr_equal(ops->apology(NULL), ops->apology("en"));
        assert_non_null(strstr(ops->apology("fr"), "<Hangup/>"));
    }
    assert_non_null(strstr(ivr_backend_find("twiml")->document->apology("am"), "ይቅርታ"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markup_in_texts_is_text),
        cmocka_unit_test(what_xml_cannot_hold_is_left_out_or_replaced),
        cmocka_unit_test(what_would_not_be_well_formed_is_no_document),
        cmocka_unit_test(twilios_keys_become_inputs),
        cmocka_unit_test(twilios_recordings_become_inputs),
        cmocka_unit_test(twilios_transfers_become_inputs),
        cmocka_unit_test(who_answers_on_twilio_presses_the_key_first),
        cmocka_unit_test(who_waits_in_a_queue_asks_again_and_again),
        cmocka_unit_test(the_end_of_an_agents_part_ends_the_wait_or_lets_it_go_on),
        cmocka_unit_test(an_agents_phone_tells_that_they_talk),
        cmocka_unit_test(while_a_request_is_out_the_provider_asks_again),
        cmocka_unit_test(the_end_of_a_call_is_told_by_its_status),
        cmocka_unit_test(plivos_answers_become_inputs),
        cmocka_unit_test(what_no_document_leads_to_is_refused),
        cmocka_unit_test(an_apology_is_there_whatever_happens),
    };

    return cmocka_run_group_tests_name("ivr_document", tests, setup, teardown);
}
