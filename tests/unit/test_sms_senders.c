/* workers/sms_*: the request each kind of provider gets, what its answers mean, and that
 * no text breaks out of where it is put. campaigns/provider_http, base/money besides. */
#include "unit/cm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/form.h"
#include "base/money.h"
#include "base/xalloc.h"
#include "campaigns/provider_http.h"
#include "workers/sms_sender.h"
#include "workers/sms_text.h"
#include "workers/sms_translit.h"

#define HOSTILE "Hi & bye=1+1\r\nX: y \"quoted\" \\ {to} </a> ünï አቁም 100%"

static struct provider account(enum provider_kind kind, const char *settings)
{
    struct provider p = {.kind = kind};
    struct errtext e = {0};

    str_cut(p.name, sizeof(p.name), "main");
    str_cut(p.account, sizeof(p.account), kind == PROVIDER_PLIVO ? "MA1" : "AC1");
    str_cut(p.token, sizeof(p.token), "tok");
    str_cut(p.settings_json, sizeof(p.settings_json), settings);
    if (provider_check(&p, &e))
        fail_msg("%s", e.text);
    return p;
}

static struct sms_out message(const struct provider *p, const char *body)
{
    struct sms_out m = {.account = p,
                        .sender = "+15550100",
                        .phone = 251911234567,
                        .body = body,
                        .report_url = "https://x.test/hooks/h/message/m"};

    assert_int_equal(uuid_parse("01940000-0000-7000-8000-000000000001", &m.id), 0);
    return m;
}

static struct sms_request built(const struct sms_out *m)
{
    struct sms_request r = {0};
    struct errtext e = {0};

    if (sms_sender_of(m->account->kind)->build(m, &r, &e))
        fail_msg("%s", e.text);
    return r;
}

static void has_pair(const struct sms_request *r, const char *name, const char *value)
{
    struct form f = {0};

    assert_int_equal(form_parse(&f, r->body.data, r->body.len), 0);
    const struct form_text *found = form_get(&f, name);
    assert_non_null(found);
    assert_string_equal(found->data, value);
    assert_int_equal(found->len, strlen(value));
    form_free(&f);
}

static bool has_header(const struct sms_request *r, const char *line)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (strcmp(r->headers[i], line) == 0)
            return true;
    return false;
}

static struct sms_answer judged(const struct sms_out *m, long status, const char *body)
{
    struct http_resp resp = {.status = status, .body = (char *)xstrdup(body)};
    struct sms_answer a = {.verdict = SMS_SET_RIGHT};

    resp.len = strlen(body);
    sms_sender_of(m->account->kind)->judge(m, &resp, &a);
    free(resp.body);
    return a;
}

static void twilio_gets_a_form_with_our_number_and_address(void **state)
{
    struct provider p = account(PROVIDER_TWILIO, "{\"user\": \"SK1\"}");
    struct sms_out m = message(&p, HOSTILE);
    CLEANUP(sms_request_free) struct sms_request r = built(&m);

    (void)state;
    assert_string_equal(r.url,
                        "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json");
    assert_string_equal(r.user, "SK1");
    has_pair(&r, "To", "+251911234567");
    has_pair(&r, "From", "+15550100");
    has_pair(&r, "Body", HOSTILE);
    CLEANUP(free_cleanup) char *told = xasprintf("%s#rc=3&rp=5xx,ct,rt", m.report_url);
    has_pair(&r, "StatusCallback", told);
    m.sender = "MG0123456789abcdef0123456789abcdef";
    m.report_url = "";
    CLEANUP(sms_request_free) struct sms_request pool = built(&m);
    has_pair(&pool, "MessagingServiceSid", m.sender);
    assert_null(strstr(pool.body.data, "StatusCallback"));
}

struct answer_case {
    long status;
    const char *body;
    enum sms_verdict verdict;
};

static void are_judged(const struct sms_out *m, const struct answer_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sms_answer a = judged(m, cases[i].status, cases[i].body);
        if (a.verdict != cases[i].verdict)
            fail_msg("%s: %ld %s: verdict %d, not %d", m->account->name, cases[i].status,
                     cases[i].body, a.verdict, cases[i].verdict);
        if ((a.verdict == SMS_TAKEN) != !a.why[0])
            fail_msg("%ld %s: '%s'", cases[i].status, cases[i].body, a.why);
    }
}

static void twilios_answers_are_understood(void **state)
{
    static const struct answer_case cases[] = {
        {201, "{\"sid\":\"SM1\",\"status\":\"queued\"}", SMS_TAKEN},
        {201, "{\"sid\":\"SM1\",\"status\":\"failed\",\"error_code\":30006}",
         SMS_REFUSED},
        {201, "{\"sid\":\"SM1\",\"status\":\"undelivered\",\"error_code\":21610}",
         SMS_STOPPED},
        {201, "not json", SMS_TAKEN}, /* it was created; twice would be worse */
        {400, "{\"code\":21610,\"message\":\"unsubscribed\"}", SMS_STOPPED},
        {400, "{\"code\":21211,\"message\":\"invalid To\"}", SMS_REFUSED},
        {400, "{\"code\":21617}", SMS_REFUSED},
        {400, "{\"code\":21606}", SMS_SET_RIGHT},
        {400, "{\"code\":21408}", SMS_SET_RIGHT},
        {401, "{\"code\":20003}", SMS_SET_RIGHT},
        {403, "", SMS_SET_RIGHT},
        {404, "{\"code\":20404}", SMS_SET_RIGHT},
        {409, "", SMS_AGAIN},
        {429, "{\"code\":20429}", SMS_AGAIN},
        {500, "<html>", SMS_AGAIN},
        {503, "", SMS_AGAIN},
        {301, "", SMS_SET_RIGHT},
    };
    struct provider p = account(PROVIDER_TWILIO, "{}");
    struct sms_out m = message(&p, "hi");

    (void)state;
    are_judged(&m, cases, ARRAY_LEN(cases));
    struct sms_answer a = judged(&m, 201,
                                 "{\"sid\":\"SM1\",\"status\":\"queued\",\"price\":"
                                 "\"-0.00750\",\"price_unit\":\"USD\"}");
    assert_string_equal(a.provider_id, "SM1");
    assert_int_equal(a.price_micros, 7500);
    assert_string_equal(a.currency, "USD");
}

static void plivo_gets_json_and_its_answers_are_understood(void **state)
{
    static const struct answer_case cases[] = {
        {202, "{\"message_uuid\":[\"u1\"],\"api_id\":\"a\"}", SMS_TAKEN},
        {202, "{\"message_uuid\":[],\"invalid_number\":[\"1\"]}", SMS_REFUSED},
        {202, "{\"message_uuid\":[],\"error\":{\"dst\":[\"bad\"]}}", SMS_REFUSED},
        {400, "{\"error\":\"dst parameter not valid\"}", SMS_REFUSED},
        {400, "{\"error\":{\"src\":[\"missing\"]}}", SMS_REFUSED},
        {401, "{\"error\":\"auth\"}", SMS_SET_RIGHT},
        {402, "", SMS_SET_RIGHT},
        {405, "", SMS_SET_RIGHT},
        {422, "", SMS_REFUSED},
        {429, "", SMS_AGAIN},
        {502, "", SMS_AGAIN},
    };
    struct provider p = account(PROVIDER_PLIVO, "{}");
    struct sms_out m = message(&p, HOSTILE);
    CLEANUP(sms_request_free) struct sms_request r = built(&m);
    json_auto_t *body = json_loads(r.body.data, 0, NULL);

    (void)state;
    assert_string_equal(r.url, "https://api.plivo.com/v1/Account/MA1/Message/");
    assert_string_equal(json_string_value(json_object_get(body, "text")), HOSTILE);
    assert_string_equal(json_string_value(json_object_get(body, "dst")), "251911234567");
    assert_string_equal(json_string_value(json_object_get(body, "url")), m.report_url);
    are_judged(&m, cases, ARRAY_LEN(cases));
    assert_string_equal(judged(&m, 202, "{\"message_uuid\":[\"u1\"]}").provider_id, "u1");
}

#define AT_ANSWER(code, status)                                                          \
    "{\"SMSMessageData\":{\"Message\":\"Sent to "                                        \
    "1/1\",\"Recipients\":[{\"statusCode\":" #code                                       \
    ",\"number\":\"+251911234567\",\"status\":\"" status                                 \
    "\",\"cost\":\"KES 0.8000\",\"messageId\":\"ATXid_1\"}]}}"

static void africas_talking_tells_of_each_recipient(void **state)
{
    static const struct answer_case cases[] = {
        {201, AT_ANSWER(101, "Success"), SMS_TAKEN},
        {201, AT_ANSWER(102, "Queued"), SMS_TAKEN},
        {201, AT_ANSWER(401, "RiskHold"), SMS_SET_RIGHT},
        {201, AT_ANSWER(402, "InvalidSenderId"), SMS_SET_RIGHT},
        {201, AT_ANSWER(403, "InvalidPhoneNumber"), SMS_REFUSED},
        {201, AT_ANSWER(405, "InsufficientBalance"), SMS_SET_RIGHT},
        {201, AT_ANSWER(406, "UserInBlacklist"), SMS_STOPPED},
        {201, AT_ANSWER(407, "CouldNotRoute"), SMS_AGAIN},
        {201, AT_ANSWER(409, "DoNotDisturbRejection"), SMS_REFUSED},
        {201, AT_ANSWER(501, "GatewayError"), SMS_AGAIN},
        {201, "{\"SMSMessageData\":{\"Message\":\"InvalidSenderId\",\"Recipients\":[]}}",
         SMS_SET_RIGHT},
        {201, "{\"SMSMessageData\":{\"Message\":\"Sent to 0/1\",\"Recipients\":[]}}",
         SMS_REFUSED},
        {401, "The supplied authentication is invalid", SMS_SET_RIGHT},
        {500, "", SMS_AGAIN},
    };
    struct provider p = account(PROVIDER_AFRICASTALKING, "{}");
    struct sms_out m = message(&p, HOSTILE);
    CLEANUP(sms_request_free) struct sms_request r = built(&m);

    (void)state;
    assert_string_equal(r.url, "https://api.africastalking.com/version1/messaging");
    assert_true(has_header(&r, "apiKey: tok"));
    assert_true(has_header(&r, "Accept: application/json"));
    assert_string_equal(r.user, "");
    has_pair(&r, "username", "AC1");
    has_pair(&r, "to", "+251911234567");
    has_pair(&r, "message", HOSTILE);
    are_judged(&m, cases, ARRAY_LEN(cases));
    struct sms_answer a = judged(&m, 201, AT_ANSWER(101, "Success"));
    assert_string_equal(a.provider_id, "ATXid_1");
    assert_int_equal(a.price_micros, 800000);
    assert_string_equal(a.currency, "KES");
}

/* ---- the described gateway ---- */

static const char gateway[] =
    "{\"send\": {\"url\": "
    "\"https://sms.example.et/{account}/send?to={to_digits}&t={text}\","
    " \"content\": \"json\", \"headers\": {\"Authorization\": \"Bearer {token}\"}, "
    "\"body\": {\"to\": \"{to}\", \"msg\": {\"text\": \"{text}\", \"from\": \"{from}\"}, "
    "\"n\": 1, \"cb\": [\"{report_url}\"], \"ref\": \"{id}\"}, \"id\": \"/data/0/id\", "
    "\"error\": \"/errors/0\", \"ok_at\": \"/acknowledge\", \"ok_is\": [\"success\"], "
    "\"opted_out\": [\"blocked by user\"]}, "
    "\"report\": {\"id\": \"mid\", \"status\": \"st\", \"states\": {\"DELIVRD\": "
    "\"delivered\", \"UNDELIV\": \"undelivered\"}}, \"inbound\": {\"from\": \"msisdn\", "
    "\"text\": \"/message/text\"}}";

static void a_gateway_gets_what_its_settings_say(void **state)
{
    struct provider p = account(PROVIDER_HTTP, gateway);
    struct sms_out m = message(&p, HOSTILE);
    CLEANUP(sms_request_free) struct sms_request r = built(&m);
    json_auto_t *body = json_loads(r.body.data, 0, NULL);
    struct form query = {0};

    (void)state;
    assert_string_equal(r.method, "POST");
    assert_true(has_header(&r, "Authorization: Bearer tok"));
    assert_true(has_header(&r, "Content-Type: application/json"));
    const json_t *msg = json_object_get(body, "msg");
    /* As it was written: its own {to} is text, its quotes and line ends too. */
    assert_string_equal(json_string_value(json_object_get(msg, "text")), HOSTILE);
    assert_string_equal(json_string_value(json_object_get(body, "to")), "+251911234567");
    assert_int_equal(json_integer_value(json_object_get(body, "n")), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(body, "cb"), 0)),
                        m.report_url);
    assert_int_equal(
        strncmp(r.url, "https://sms.example.et/AC1/send?to=251911234567&t=", 50), 0);
    assert_null(strpbrk(r.url, " \r\n\"<#"));
    assert_int_equal(
        form_parse(&query, strchr(r.url, '?') + 1, strlen(strchr(r.url, '?') + 1)), 0);
    assert_int_equal(query.n, 2);
    assert_string_equal(form_get(&query, "t")->data, HOSTILE);
    form_free(&query);
}

static void a_gateways_answers_are_understood(void **state)
{
    static const struct answer_case cases[] = {
        {200, "{\"acknowledge\":\"success\",\"data\":[{\"id\":77}]}", SMS_TAKEN},
        {200, "{\"acknowledge\":\"error\",\"errors\":[\"bad number\"]}", SMS_REFUSED},
        {200, "{\"acknowledge\":\"error\",\"errors\":[\"Blocked by user\"]}",
         SMS_STOPPED},
        {200, "OK", SMS_REFUSED},
        {401, "", SMS_SET_RIGHT},
        {429, "", SMS_AGAIN},
        {500, "", SMS_AGAIN},
        {400, "{\"errors\":[\"blocked by user\"]}", SMS_STOPPED},
    };
    struct provider p = account(PROVIDER_HTTP, gateway);
    struct sms_out m = message(&p, "hi");
    CLEANUP(provider_http_free) struct provider_http h = {0};
    enum message_state s = MESSAGE_SENT;
    struct errtext e = {0};

    (void)state;
    are_judged(&m, cases, ARRAY_LEN(cases));
    assert_string_equal(judged(&m, 200, cases[0].body).provider_id, "77");
    assert_int_equal(provider_http_read(gateway, &h, &e), 0);
    assert_true(provider_http_state(&h, "delivrd", &s));
    assert_int_equal(s, MESSAGE_DELIVERED);
    assert_false(provider_http_state(&h, "toString", &s));
    /* A form, of an account that says no more than where. */
    p = account(PROVIDER_HTTP, "{\"send\": {\"url\": \"http://gw.test/s\", \"body\": "
                               "{\"to\": \"{to}\", \"text\": \"{text}\"}}}");
    m = message(&p, HOSTILE);
    CLEANUP(sms_request_free) struct sms_request r = built(&m);
    has_pair(&r, "text", HOSTILE);
    assert_int_equal(judged(&m, 200, "OK").verdict, SMS_TAKEN);
}

static void settings_that_cannot_work_are_refused(void **state)
{
    static const struct {
        const char *settings, *said;
    } cases[] = {
        {"{\"send\": {}}", "'url' is missing"},
        {"{\"send\": {\"url\": \"ftp://x\"}}", "/send/url"},
        {"{\"send\": {\"url\": \"https://{to}.x/\"}}", "host"},
        {"{\"send\": {\"url\": \"https://u@x/\"}}", "host"},
        {"{\"send\": {\"url\": \"https://x/{text}\"}}", "cannot stand here"},
        {"{\"send\": {\"url\": \"https://x/?a={txt}\"}}", "no place '{txt}'"},
        {"{\"send\": {\"url\": \"https://x/\", \"metod\": \"GET\"}}",
         "did you mean 'method'"},
        {"{\"send\": {\"url\": \"https://x/\", \"method\": \"DELETE\"}}",
         "POST, PUT or GET"},
        {"{\"send\": {\"url\": \"https://x/\", \"method\": \"GET\", \"body\": {}}}",
         "no body"},
        {"{\"send\": {\"url\": \"https://x/\", \"headers\": {\"A\": \"{text}\"}}}",
         "cannot stand here"},
        {"{\"send\": {\"url\": \"https://x/\", \"headers\": {\"A\": \"b\\r\\nC: d\"}}}",
         "one line"},
        {"{\"send\": {\"url\": \"https://x/\", \"body\": {\"a\": [\"{nix}\"]}}}",
         "{nix}"},
        {"{\"send\": {\"url\": \"https://x/\", \"id\": \"id\"}}", "JSON pointer"},
        {"{\"send\": {\"url\": \"https://x/\", \"ok_at\": \"/a\"}}", "belong together"},
        {"{\"report\": {\"id\": \"a\", \"status\": \"b\", \"states\": {\"X\": "
         "\"gone\"}}}",
         "undelivered"},
        {"{\"inbound\": {\"from\": \"a\"}}", "'text' is missing"},
        {"{\"sent\": {}}", "unknown key 'sent'"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct provider p = {.kind = PROVIDER_HTTP};
        struct errtext e = {0};
        str_cut(p.settings_json, sizeof(p.settings_json), cases[i].settings);
        if (provider_read_settings(&p, &e) != EINVAL || !strstr(e.text, cases[i].said))
            fail_msg("%s: '%s'", cases[i].settings, e.text);
    }
    struct provider p = {.kind = PROVIDER_TWILIO};
    struct errtext e = {0};
    str_cut(p.settings_json, sizeof(p.settings_json), gateway);
    assert_int_equal(provider_read_settings(&p, &e), EINVAL);
}

/* ---- look-alikes, money ---- */

static void look_alikes_are_taken_only_when_the_whole_text_fits(void **state)
{
    static const struct {
        const char *text, *plain; /* NULL: as it is */
    } cases[] = {
        {"plain", NULL},
        {"“Galmaa’eera” – 5 kg… naïve ção", "\"Galmaa'eera\" - 5 kg... naive cao"},
        {"a\xc2\xa0"
         "b\xe2\x80\xaf"
         "c\td",
         "a b c d"},
        {"zero\xe2\x80\x8bwidth\xef\xbb\xbf", "zerowidth"},
        {"è stays è, á does not", "è stays è, a does not"},
        {"’ ተመዝግቧል", NULL}, /* Amharic is never touched */
        {"’ ✅", NULL},
        {"’ \xff", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(free_cleanup) char *plain = sms_transliterate(cases[i].text);
        if (!plain != !cases[i].plain)
            fail_msg("%s: %s", cases[i].text, plain ? plain : "left");
        if (plain)
            assert_string_equal(plain, cases[i].plain);
    }
    /* 67 dots of three: dearer in GSM-7. */
    struct buf dots = {0};
    for (int i = 0; i < 67; i++)
        buf_puts(&dots, "…");
    assert_null(sms_transliterate(dots.data));
    buf_free(&dots);
}

static void money_is_read_and_written_whole(void **state)
{
    static const struct {
        const char *text;
        int64_t micros;
    } good[] = {{"0.0075", 7500},
                {"-0.00750", -7500},
                {"12", 12000000},
                {"0.0000019", 1},
                {".5", 500000},
                {"3.", 3000000},
                {"9000000000", INT64_C(9000000000000000)}};
    static const char *const bad[] = {
        "",      "-", ".", "1e3", "1,5", "0x1", "9000000001", "99999999999999999999",
        "1.2.3", " 1"};
    char text[MONEY_TEXT_MAX];
    int64_t micros = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(money_parse(good[i].text, &micros));
        assert_int_equal(micros, good[i].micros);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (money_parse(bad[i], &micros))
            fail_msg("'%s' was read as money", bad[i]);
    assert_string_equal(money_text(800000, text), "0.80");
    assert_string_equal(money_text(-7500, text), "-0.0075");
    assert_string_equal(money_text(0, text), "0.00");
    assert_true(money_is_currency("ETB"));
    assert_false(money_is_currency("birr"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twilio_gets_a_form_with_our_number_and_address),
        cmocka_unit_test(twilios_answers_are_understood),
        cmocka_unit_test(plivo_gets_json_and_its_answers_are_understood),
        cmocka_unit_test(africas_talking_tells_of_each_recipient),
        cmocka_unit_test(a_gateway_gets_what_its_settings_say),
        cmocka_unit_test(a_gateways_answers_are_understood),
        cmocka_unit_test(settings_that_cannot_work_are_refused),
        cmocka_unit_test(look_alikes_are_taken_only_when_the_whole_text_fits),
        cmocka_unit_test(money_is_read_and_written_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
