/* Requests of API nodes: secrets in their places, and where they may lead. */
#include "unit/cm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/attrs.h"
#include "base/http.h"
#include "campaigns/flow_api.h"

static struct flow_secrets *secrets;

static int setup(void **state)
{
    char path[] = "/tmp/furrow-secrets-XXXXXX";
    static const char text[] = "# ours\nKEY = s3cret=x\n\nOTHER=two\nnonsense\n";

    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    close(fd);
    secrets = flow_secrets_read(path);
    unlink(path);
    return secrets ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    flow_secrets_free(secrets);
    return 0;
}

static int make(const char *hosts, const char *url, struct flow_request *out)
{
    static const struct ivr_header headers[] = {{"Authorization", "Bearer {secret:KEY}"},
                                                {"X", "plain"}};
    const struct flow_api api = {secrets, hosts};
    const struct ivr_http http = {.method = "POST",
                                  .url = url,
                                  .headers = headers,
                                  .header_count = ARRAY_LEN(headers),
                                  .body = "{}",
                                  .timeout_ms = 4000};
    char why[FLOW_SECRET_NAME_MAX];

    return flow_request_make(&api, &http, out, why);
}

static void secrets_stand_in_their_places(void **state)
{
    struct flow_request r;

    (void)state;
    assert_int_equal(make("", "https://h/{secret:OTHER}/a?k={secret:KEY}", &r), 0);
    assert_string_equal(r.url, "https://h/two/a?k=s3cret=x");
    assert_string_equal(r.headers[0], "Authorization: Bearer s3cret=x");
    assert_string_equal(r.headers[1], "X: plain");
    assert_null(r.headers[2]);
    assert_int_equal(r.body_len, 2);
    assert_int_equal(r.timeout_ms, 4000);
    flow_request_free(&r);
    assert_int_equal(make("", "https://h/{secret:NOBODY}", &r), ENOENT);
    assert_null(r.url);
}

static void only_listed_hosts_are_asked_and_private_ones_only_when_listed(void **state)
{
    static const struct {
        const char *hosts, *url;
        int err;
    } cases[] = {
        {"", "https://api.example.org/x", 0},
        {"example.org", "https://api.example.org/x", 0},
        {"example.org", "https://example.org:8443", 0},
        {"example.org", "https://badexample.org/", EACCES},
        {"example.org", "https://example.org.evil.net/", EACCES},
        {"example.org", "https://evil.net/?example.org", EACCES},
        {"example.org", "https://evil.net\\.example.org/", EACCES},
        {"example.org", "https://example.org@evil.net/", EACCES},
        {"example.org", "http://example.org\\@169.254.169.254/", EACCES},
        {"example.org", "http://evil.net%2f.example.org/", EACCES},
        {"", "http://example.org\\@evil.net/", EACCES},
        {"", "https://user:pw@example.org/", EACCES},
        {"a.net, 10.0.0.5:8080", "http://10.0.0.5:8080/x", 0},
        {"a.net, 10.0.0.5:8080", "http://10.0.0.5:22/x", EACCES},
        {"10.0.0.5", "http://10.0.0.5:22/x", 0},
        {"[::1]", "http://[::1]:80/x", 0},
        {"", "ftp://example.org/", EACCES},
        {"", "file:///etc/passwd", EACCES},
        {"", "", EACCES},
    };
    struct flow_request r;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(make(cases[i].hosts, cases[i].url, &r), cases[i].err);
        if (!cases[i].err)
            assert_int_equal(r.public_only, cases[i].hosts[0] == '\0');
        flow_request_free(&r);
    }
}

static void a_private_address_is_not_connected_to(void **state)
{
    struct http_resp resp;
    struct flow_request r;
    struct http *http;

    (void)state;
    assert_int_equal(make("", "http://127.0.0.1:1/", &r), 0);
    assert_int_equal(http_new(&http, NULL), 0);
    const struct http_req req = {
        .method = r.method, .url = r.url, .public_only = r.public_only};
    assert_int_equal(http_do(http, &req, &resp), ECONNREFUSED);
    http_resp_free(&resp);
    http_free(http);
    flow_request_free(&r);
}

static void what_went_wrong_is_an_exit_of_the_node(void **state)
{
    (void)state;
    assert_int_equal(flow_http_result(0), IVR_HTTP_ANSWERED);
    assert_int_equal(flow_http_result(ETIMEDOUT), IVR_HTTP_TIMEOUT);
    assert_int_equal(flow_http_result(ECONNREFUSED), IVR_HTTP_FAILED);
    assert_int_equal(flow_http_result(EMSGSIZE), IVR_HTTP_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_stand_in_their_places),
        cmocka_unit_test(only_listed_hosts_are_asked_and_private_ones_only_when_listed),
        cmocka_unit_test(a_private_address_is_not_connected_to),
        cmocka_unit_test(what_went_wrong_is_an_exit_of_the_node),
    };

    return cmocka_run_group_tests_name("flow_api", tests, setup, teardown);
}
