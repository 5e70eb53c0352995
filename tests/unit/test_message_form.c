/* campaigns/message_form: what each kind of provider says of messages. */
#include "unit/cm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/message_form.h"
#include "campaigns/provider_http.h"

static bool reported(enum provider_kind kind, const char *body, struct message_news *out)
{
    struct form f = {0};

    assert_int_equal(form_parse(&f, body, strlen(body)), 0);
    const struct message_told t = {.kind = kind, .body = &f};
    bool news = message_read_report(&t, out);
    form_free(&f);
    return news;
}

static void reports_of_each_provider_are_read(void **state)
{
    static const struct {
        enum provider_kind kind;
        const char *body, *id, *error;
        enum message_state state;
        int64_t micros;
        bool opted_out;
    } cases[] = {
        {PROVIDER_TWILIO, "MessageSid=SM1&MessageStatus=delivered", "SM1", "",
         MESSAGE_DELIVERED, 0, false},
        {PROVIDER_TWILIO, "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30003",
         "SM1", "30003", MESSAGE_UNDELIVERED, 0, false},
        {PROVIDER_TWILIO, "MessageSid=SM1&MessageStatus=failed&ErrorCode=21610", "SM1",
         "21610", MESSAGE_FAILED, 0, true},
        {PROVIDER_PLIVO,
         "MessageUUID=u2&ParentMessageUUID=u1&Status=delivered&ErrorCode=000&Units=2&"
         "TotalRate=0.0065&TotalAmount=0.0130",
         "u1", "", MESSAGE_DELIVERED, 13000, false},
        {PROVIDER_PLIVO, "MessageUUID=u1&Status=failed&ErrorCode=200", "u1", "200",
         MESSAGE_FAILED, 0, true},
        {PROVIDER_PLIVO, "MessageUUID=u1&Status=rejected&ErrorCode=50", "u1", "50",
         MESSAGE_FAILED, 0, false},
        {PROVIDER_AFRICASTALKING, "id=ATXid_1&status=Success", "ATXid_1", "",
         MESSAGE_DELIVERED, 0, false},
        {PROVIDER_AFRICASTALKING,
         "id=ATXid_1&status=Rejected&failureReason=UserInBlackList", "ATXid_1",
         "UserInBlackList", MESSAGE_FAILED, 0, true},
        {PROVIDER_AFRICASTALKING, "id=ATXid_1&status=AbsentSubscriber", "ATXid_1", "",
         MESSAGE_UNDELIVERED, 0, false},
    };
    struct message_news n;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (!reported(cases[i].kind, cases[i].body, &n))
            fail_msg("no news: %s", cases[i].body);
        assert_string_equal(n.provider_id, cases[i].id);
        assert_string_equal(n.error, cases[i].error);
        assert_int_equal(n.state, cases[i].state);
        assert_int_equal(n.price_micros, cases[i].micros);
        assert_string_equal(n.currency, cases[i].micros ? "USD" : "");
        assert_int_equal(n.opted_out, cases[i].opted_out);
    }
    assert_false(reported(PROVIDER_TWILIO, "MessageSid=SM1&MessageStatus=queued", &n));
    assert_false(reported(PROVIDER_TWILIO, "MessageSid=SM1", &n));
    assert_false(reported(PROVIDER_TWILIO, "MessageStatus=delivered%00", &n));
    assert_false(reported(PROVIDER_PLIVO, "MessageStatus=delivered", &n));
    assert_false(reported(PROVIDER_HTTP, "status=delivered", &n)); /* it says not how */
}

static void a_gateways_reports_are_read_as_its_settings_say(void **state)
{
    static const char settings[] =
        "{\"send\": {\"url\": \"https://x/\", \"error\": \"/e\", \"opted_out\": "
        "[\"blocked\"]}, \"report\": {\"id\": \"/m/id\", \"status\": \"/m/st\", "
        "\"error\": \"why\", \"price\": \"/cost\", \"currency\": \"ETB\", \"states\": "
        "{\"UNDELIV\": \"undelivered\"}}, \"inbound\": {\"from\": \"/msg/0/from\", "
        "\"text\": \"body\"}}";
    CLEANUP(provider_http_free) struct provider_http h = {0};
    json_auto_t *json = json_loads("{\"m\": {\"id\": 7, \"st\": \"undeliv\"}, \"cost\": "
                                   "\"0.35\", \"msg\": [{\"from\": \"251911234567\"}]}",
                                   0, NULL);
    struct form query = {0};
    struct message_news n;
    struct message_letter letter;
    struct errtext e = {0};

    (void)state;
    assert_int_equal(provider_http_read(settings, &h, &e), 0);
    assert_int_equal(form_parse(&query, "why=Blocked&body=STOP", 21), 0);
    const struct message_told t = {
        .kind = PROVIDER_HTTP, .http = &h, .query = &query, .json = json};
    assert_true(message_read_report(&t, &n));
    assert_string_equal(n.provider_id, "7");
    assert_int_equal(n.state, MESSAGE_UNDELIVERED);
    assert_int_equal(n.price_micros, 350000);
    assert_string_equal(n.currency, "ETB");
    assert_true(n.opted_out);
    assert_true(message_read_letter(&t, &letter));
    assert_int_equal(letter.from, 251911234567);
    assert_string_equal(letter.text, "STOP");
    form_free(&query);
}

static bool wrote(enum provider_kind kind, const char *body, struct message_letter *out)
{
    struct form f = {0};

    assert_int_equal(form_parse(&f, body, strlen(body)), 0);
    const struct message_told t = {.kind = kind, .body = &f};
    bool any = message_read_letter(&t, out);
    form_free(&f);
    return any;
}

static void a_number_is_read_however_it_is_written(void **state)
{
    static const struct {
        const char *region, *from;
        int64_t number;
    } cases[] = {
        {"", "+251911234567", 251911234567},
        {"", "251911234567", 251911234567},
        {"", " 251911234567", 251911234567},
        {"", "00251911234567", 251911234567},
        {"", "+251 91 123 4567", 251911234567},
        {"", "0911234567", 0},
        {"ET", "0911234567", 251911234567},
        {"ET", "911234567", 251911234567},
        {"ET", "251911234567", 251911234567},
        {"ET", "+254711000111", 254711000111},
        {"ET", "254711000111", 254711000111},
        {"ET", "8042", 0},
        {"ET", "Ethiotel", 0},
    };
    struct errtext e = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(provider_http_free) struct provider_http h = {0};
        json_auto_t *json = json_pack("{s:s, s:s}", "f", cases[i].from, "t", "STOP");
        char settings[200];
        struct message_letter l;
        snprintf(
            settings, sizeof(settings),
            "{\"inbound\": {\"from\": \"/f\", \"text\": \"/t\", \"region\": \"%s\"}}",
            cases[i].region);
        assert_int_equal(provider_http_read(settings, &h, &e), 0);
        const struct message_told t = {.kind = PROVIDER_HTTP, .http = &h, .json = json};
        bool any = message_read_letter(&t, &l);
        if (any != (cases[i].number > 0) || l.from != cases[i].number)
            fail_msg("'%s' in '%s': %lld", cases[i].from, cases[i].region,
                     (long long)l.from);
    }
    CLEANUP(provider_http_free) struct provider_http h = {0};
    assert_int_equal(
        provider_http_read("{\"inbound\": {\"from\": \"f\", \"text\": \"t\", "
                           "\"region\": \"XX\"}}",
                           &h, &e),
        EINVAL);
}

static void letters_of_each_provider_are_read(void **state)
{
    struct message_letter l;

    (void)state;
    assert_true(wrote(PROVIDER_TWILIO,
                      "From=%2B251911234567&Body=arret&MessageSid=SM1&OptOutType=STOP",
                      &l));
    assert_int_equal(l.from, 251911234567);
    assert_string_equal(l.text, "arret");
    assert_string_equal(l.provider_id, "SM1");
    assert_int_equal(l.provider_word, MESSAGE_WORD_STOP);
    /* Without its plus, as Plivo writes it; OptOutType is Twilio's word alone. */
    assert_true(wrote(PROVIDER_PLIVO,
                      "From=251911234567&Text=%E1%8A%A0%E1%89%81%E1%88%9D&MessageUUID=u1&"
                      "OptOutType=STOP",
                      &l));
    assert_int_equal(l.from, 251911234567);
    assert_string_equal(l.text, "አቁም");
    assert_int_equal(l.provider_word, MESSAGE_WORD_NONE);
    assert_true(
        wrote(PROVIDER_AFRICASTALKING, "from=%2B254711000111&text=help&id=a", &l));
    assert_string_equal(l.text, "help");
    assert_false(wrote(PROVIDER_TWILIO, "From=Ethiotel&Body=offer", &l)); /* no number */
    assert_false(wrote(PROVIDER_TWILIO, "Body=STOP", &l));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_of_each_provider_are_read),
        cmocka_unit_test(a_gateways_reports_are_read_as_its_settings_say),
        cmocka_unit_test(letters_of_each_provider_are_read),
        cmocka_unit_test(a_number_is_read_however_it_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
