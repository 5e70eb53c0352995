/* campaigns/provider_media and base/http: where a recording may be downloaded from. */
#include "unit/cm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/http.h"
#include "base/str.h"
#include "campaigns/provider_media.h"

static struct provider account(enum provider_kind kind, const char *settings)
{
    struct provider p = {.kind = kind, .account = "AC1", .token = "t"};
    struct errtext e = {0};

    str_cut(p.settings_json, sizeof(p.settings_json), settings);
    if (provider_read_settings(&p, &e))
        fail_msg("%s", e.text);
    return p;
}

static void only_the_providers_places_are_asked(void **state)
{
    static const struct {
        const char *url;
        enum provider_media may;
    } cases[] = {
        {"https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1",
         PROVIDER_MEDIA_API},
        {"HTTPS://API.TWILIO.COM/x", PROVIDER_MEDIA_API},
        {"https://media.twilio.com/x", PROVIDER_MEDIA_TOKEN},
        {"https://bucket.s3.amazonaws.com/x?sig=1", PROVIDER_MEDIA_PLAIN},
        {"https://files.example.org/x", PROVIDER_MEDIA_PLAIN},
        {"https://deep.files.example.org/x", PROVIDER_MEDIA_PLAIN},
        {"http://media.twilio.com/x", PROVIDER_MEDIA_REFUSED},
        {"https://eviltwilio.com/x", PROVIDER_MEDIA_REFUSED},
        {"https://twilio.com.evil.org/x", PROVIDER_MEDIA_REFUSED},
        {"https://evil.org/api.twilio.com", PROVIDER_MEDIA_REFUSED},
        {"https://api.twilio.com@evil.org/x", PROVIDER_MEDIA_REFUSED},
        {"https://evil.org\\@api.twilio.com/x", PROVIDER_MEDIA_REFUSED},
        {"https://api.twilio.com\\@evil.org/x", PROVIDER_MEDIA_REFUSED},
        {"https://api.twilio.com\\.evil.org/x", PROVIDER_MEDIA_REFUSED},
        {"https://evil.org%2f.twilio.com/x", PROVIDER_MEDIA_REFUSED},
        {"https://evil.org\uff0f.twilio.com/x", PROVIDER_MEDIA_REFUSED},
        {"https://evil.org \t.twilio.com/x", PROVIDER_MEDIA_REFUSED},
        {"https://api.twilio.com:8443/x", PROVIDER_MEDIA_REFUSED},
        {"https://127.0.0.1/x", PROVIDER_MEDIA_REFUSED},
        {"file:///etc/passwd", PROVIDER_MEDIA_REFUSED},
        {"/2010-04-01/x", PROVIDER_MEDIA_REFUSED},
        {"", PROVIDER_MEDIA_REFUSED},
    };
    struct provider p =
        account(PROVIDER_TWILIO, "{\"media_hosts\": \"a.org, files.example.org\"}");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (provider_media_may(&p, cases[i].url) != cases[i].may)
            fail_msg("%s: %d", cases[i].url, provider_media_may(&p, cases[i].url));
    p = account(PROVIDER_AFRICASTALKING, "{}");
    assert_int_equal(provider_media_may(&p, "https://api.africastalking.com/x"),
                     PROVIDER_MEDIA_REFUSED);
}

static void files_and_deletions_are_named(void **state)
{
    struct provider tw = account(PROVIDER_TWILIO, "{}");
    struct provider pl = account(PROVIDER_PLIVO, "{\"api_url\": \"http://127.0.0.1:9\"}");
    char url[256];

    (void)state;
    assert_true(
        provider_media_file(&tw, "https://api.twilio.com/R/RE1", url, sizeof(url)));
    assert_string_equal(url, "https://api.twilio.com/R/RE1.wav");
    assert_true(
        provider_media_file(&tw, "https://api.twilio.com/R/RE1.mp3", url, sizeof(url)));
    assert_string_equal(url, "https://api.twilio.com/R/RE1.mp3");
    assert_false(provider_media_file(&tw, "https://api.twilio.com/R/RE1", url, 16));
    assert_true(
        provider_media_delete(&tw, "https://api.twilio.com/R/RE1", url, sizeof(url)));
    assert_string_equal(
        url, "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1.json");
    assert_true(provider_media_delete(&pl, "https://media.plivo.com/v1/ab-12.mp3?x=/y",
                                      url, sizeof(url)));
    assert_string_equal(url, "http://127.0.0.1:9/v1/Account/AC1/Recording/ab-12/");
    assert_false(
        provider_media_delete(&pl, "https://media.plivo.com/", url, sizeof(url)));
    assert_false(
        provider_media_delete(&pl, "https://media.plivo.com/%2e%2e", url, sizeof(url)));
}

static bool is_public(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return http_address_is_public((const struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return http_address_is_public((const struct sockaddr *)&v6);
}

static void inner_addresses_are_told_from_public_ones(void **state)
{
    static const char *const inner[] = {
        "127.0.0.1",       "10.1.2.3",        "172.16.0.1", "172.31.255.255",
        "192.168.1.1",     "169.254.1.1",     "100.64.0.1", "0.0.0.0",
        "224.0.0.1",       "255.255.255.255", "198.18.0.1", "::1",
        "::ffff:10.0.0.1", "fe80::1",         "fd00::1",    "::",
        "2002:a00:1::",    "ff02::1"};
    static const char *const outer[] = {"54.172.60.1", "172.32.0.1", "100.128.0.1",
                                        "193.0.0.1", "2600:1f18::1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(inner); i++)
        if (is_public(inner[i]))
            fail_msg("%s is called public", inner[i]);
    for (size_t i = 0; i < ARRAY_LEN(outer); i++)
        if (!is_public(outer[i]))
            fail_msg("%s is called private", outer[i]);
}

static void a_private_address_is_not_connected_to(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    struct http *h;
    struct http_resp resp;
    char url[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    snprintf(url, sizeof(url), "http://localhost:%d/", ntohs(at.sin_port));
    struct http_req req = {.url = url, .public_only = true, .timeout_ms = 300};
    assert_int_equal(http_new(&h, NULL), 0);
    struct pollfd came = {.fd = fd, .events = POLLIN};
    assert_int_equal(http_do(h, &req, &resp), ECONNREFUSED);
    http_resp_free(&resp);
    assert_int_equal(poll(&came, 1, 0), 0);
    req.public_only = false; /* the same, allowed */
    assert_int_equal(http_do(h, &req, &resp), ETIMEDOUT);
    http_resp_free(&resp);
    assert_int_equal(poll(&came, 1, 0), 1);
    http_free(h);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_providers_places_are_asked),
        cmocka_unit_test(files_and_deletions_are_named),
        cmocka_unit_test(inner_addresses_are_told_from_public_ones),
        cmocka_unit_test(a_private_address_is_not_connected_to),
    };

    return cmocka_run_group_tests_name("provider_media", tests, NULL, NULL);
}
