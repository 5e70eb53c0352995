/* server/signature against tests/data/signatures.json: what the providers' own SDKs say.
 */
#include "unit/cm.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/http.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "server/signature.h"

static json_t *vectors;

static const char *text_of(const json_t *v, const char *key)
{
    const char *text = json_string_value(json_object_get(v, key));

    return text ? text : "";
}

/* Of a GET whose parameters are listed beside the URL: they travel in its query. */
static char *url_of(const json_t *v, const char *key)
{
    struct buf url = {0};
    json_t *pair = NULL;
    size_t i = 0;

    buf_puts(&url, text_of(v, key));
    if (strcmp(text_of(v, "method"), "GET") == 0)
        json_array_foreach(json_object_get(v, "params"), i, pair)
        {
            char *name = http_escape(json_string_value(json_array_get(pair, 0)));
            char *value = http_escape(json_string_value(json_array_get(pair, 1)));
            buf_printf(&url, "%s%s=%s", strchr(url.data, '?') ? "&" : "?", name, value);
            free(name);
            free(value);
        }
    return buf_take(&url);
}

typedef bool(verify_fn)(const char *token, const struct signed_request *r);

static bool verify(const json_t *v, const char *url, const char *body,
                   const char *signature, const char *token, verify_fn *fn)
{
    const char *method = text_of(v, "method");
    const struct signed_request r = {.method = *method ? method : "POST",
                                     .url = url,
                                     .content_type = text_of(v, "content_type"),
                                     .body = body,
                                     .body_len = strlen(body),
                                     .signature = signature,
                                     .nonce = text_of(v, "nonce")};

    return fn(token, &r);
}

/* As stated; and no other token, signature or URL does. */
static void try_all(const char *family, const char *url_key, verify_fn *fn,
                    size_t at_least)
{
    json_t *v = NULL;
    size_t i = 0, valid = 0;

    json_array_foreach(json_object_get(vectors, family), i, v)
    {
        char *url = url_of(v, url_key);
        const char *body = text_of(v, "body"), *signature = text_of(v, "header_value");
        const char *token = text_of(v, "auth_token");
        bool expected = strcmp(text_of(v, "expect"), "valid") == 0;
        char *other = xasprintf("%sx", url);

        if (verify(v, url, body, signature, token, fn) != expected)
            fail_msg("%s: expected %s", text_of(v, "id"), text_of(v, "expect"));
        assert_false(verify(v, url, body, signature, "another token", fn));
        assert_false(verify(v, url, body, signature, "", fn));
        assert_false(verify(v, url, body, "", token, fn));
        assert_false(verify(v, url, body, NULL, token, fn));
        assert_false(verify(v, url, body, "AAAA", token, fn));
        if (!strchr(url, '?') || fn != signature_is_plivo_v2)
            assert_false(verify(v, other, body, signature, token, fn));
        valid += expected;
        free(other);
        free(url);
    }
    assert_true(valid >= at_least);
}

static void twilios_signatures_are_known_and_no_others(void **state)
{
    (void)state;
    try_all("twilio", "url_received", signature_is_twilio, 11);
}

static void plivos_voice_signatures_are_known_and_no_others(void **state)
{
    (void)state;
    try_all("plivo_v3", "url", signature_is_plivo_v3, 9);
}

static void plivos_message_signatures_are_known_and_no_others(void **state)
{
    (void)state;
    try_all("plivo_v2", "url", signature_is_plivo_v2, 5);
}

static void a_body_that_nothing_covers_is_refused(void **state)
{
    json_t *v = json_array_get(json_object_get(vectors, "twilio"), 2); /* tw-03, a GET */
    struct signed_request r = {.method = "GET",
                               .url = text_of(v, "url_received"),
                               .signature = text_of(v, "header_value"),
                               .body = ""};

    (void)state;
    assert_true(signature_is_twilio(text_of(v, "auth_token"), &r));
    r.body = "{}";
    r.body_len = 2;
    assert_false(signature_is_twilio(text_of(v, "auth_token"), &r));
    r.method = "POST";
    r.content_type = "application/json";
    assert_false(signature_is_twilio(text_of(v, "auth_token"), &r));
    r.content_type = "application/x-www-form-urlencodedx";
    assert_false(signature_is_twilio(text_of(v, "auth_token"), &r));
    v = json_array_get(json_object_get(vectors, "plivo_v3"), 4); /* pl3-05, no body */
    r = (struct signed_request){.method = "POST",
                                .url = text_of(v, "url"),
                                .signature = text_of(v, "header_value"),
                                .nonce = text_of(v, "nonce"),
                                .body = "",
                                .content_type = "application/json"};
    assert_true(signature_is_plivo_v3(text_of(v, "auth_token"), &r));
    r.body = "{}";
    r.body_len = 2;
    assert_false(signature_is_plivo_v3(text_of(v, "auth_token"), &r));
}

static void urls_that_are_none_are_refused(void **state)
{
    static const char *const urls[] = {"",
                                       "https:",
                                       "https://",
                                       "/path",
                                       "https:///x",
                                       "https://user:pw@host/x",
                                       "https://h/x#f",
                                       "://"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        const struct signed_request r = {.method = "POST",
                                         .url = urls[i],
                                         .body = "",
                                         .signature = "AAAA",
                                         .nonce = "1"};
        assert_false(signature_is_twilio("t", &r));
        assert_false(signature_is_plivo_v3("t", &r));
        assert_false(signature_is_plivo_v2("t", &r));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twilios_signatures_are_known_and_no_others),
        cmocka_unit_test(plivos_voice_signatures_are_known_and_no_others),
        cmocka_unit_test(plivos_message_signatures_are_known_and_no_others),
        cmocka_unit_test(a_body_that_nothing_covers_is_refused),
        cmocka_unit_test(urls_that_are_none_are_refused),
    };

    vectors = json_load_file(SOURCE_DIR "/tests/data/signatures.json", 0, NULL);
    if (!vectors)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(vectors);
    return failed;
}
