/* server/hook_url: the URL that a provider asked, as it signed it. */
#include "unit/cm.h"

#include <string.h>

#include "server/hook_url.h"

static char url[256];

static const char *asked(struct hook_asked a)
{
    if (!a.public_url)
        a.public_url = "";
    if (!a.trusted_proxies)
        a.trusted_proxies = "";
    if (!a.peer)
        a.peer = "198.51.100.7";
    a.url = "/hooks/x?a=%2B1";
    return hook_url(&a, url, sizeof(url)) ? url : "no";
}

static void a_configured_url_is_it_whatever_is_said(void **state)
{
    (void)state;
    assert_string_equal(
        asked((struct hook_asked){.public_url = "https://voice.example.org/",
                                  .trusted_proxies = "0.0.0.0/0",
                                  .host = "evil.example",
                                  .forwarded_host = "evil.example"}),
        "https://voice.example.org/hooks/x?a=%2B1");
}

static void without_one_it_is_what_was_asked_here(void **state)
{
    (void)state;
    assert_string_equal(asked((struct hook_asked){.host = "voice.example.org:8085"}),
                        "http://voice.example.org:8085/hooks/x?a=%2B1");
    assert_string_equal(asked((struct hook_asked){.host = "[2001:db8::1]:80"}),
                        "http://[2001:db8::1]:80/hooks/x?a=%2B1");
    assert_string_equal(asked((struct hook_asked){.host = NULL}), "no");
    assert_string_equal(asked((struct hook_asked){.host = "a@b"}), "no");
    assert_string_equal(asked((struct hook_asked){.host = "a/b"}), "no");
}

static void a_proxy_is_believed_when_it_is_trusted(void **state)
{
    struct hook_asked a = {.peer = "10.1.2.3",
                           .host = "inner:8085",
                           .forwarded_proto = "https, http",
                           .forwarded_host = "voice.example.org"};

    (void)state;
    assert_string_equal(asked(a), "http://inner:8085/hooks/x?a=%2B1");
    a.trusted_proxies = "192.0.2.1, 10.0.0.0/8";
    assert_string_equal(asked(a), "https://voice.example.org/hooks/x?a=%2B1");
    a.trusted_proxies = "10.1.2.4,10.1.2.3";
    assert_string_equal(asked(a), "https://voice.example.org/hooks/x?a=%2B1");
    a.trusted_proxies = "10.1.2.2/32";
    assert_string_equal(asked(a), "http://inner:8085/hooks/x?a=%2B1");
    a.trusted_proxies = "10.0.0.0/8";
    a.forwarded_proto = "gopher";
    a.forwarded_host = NULL;
    assert_string_equal(asked(a), "http://inner:8085/hooks/x?a=%2B1");
}

static void a_list_of_proxies_is_sound_or_not(void **state)
{
    (void)state;
    assert_true(hook_proxies_are_sound(""));
    assert_true(hook_proxies_are_sound("127.0.0.1"));
    assert_true(hook_proxies_are_sound(" 10.0.0.0/8, 192.168.1.0/24,"));
    assert_false(hook_proxies_are_sound("localhost"));
    assert_false(hook_proxies_are_sound("10.0.0.0/33"));
    assert_false(hook_proxies_are_sound("10.0.0.0/x"));
    assert_false(hook_proxies_are_sound("127.0.0.1, 10.0.0"));
}

static void what_does_not_fit_is_no_url(void **state)
{
    char small[16];
    const struct hook_asked a = {.public_url = "https://voice.example.org",
                                 .trusted_proxies = "",
                                 .peer = "",
                                 .url = "/x"};

    (void)state;
    assert_false(hook_url(&a, small, sizeof(small)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_configured_url_is_it_whatever_is_said),
        cmocka_unit_test(without_one_it_is_what_was_asked_here),
        cmocka_unit_test(a_proxy_is_believed_when_it_is_trusted),
        cmocka_unit_test(a_list_of_proxies_is_sound_or_not),
        cmocka_unit_test(what_does_not_fit_is_no_url),
    };

    return cmocka_run_group_tests_name("hook_url", tests, NULL, NULL);
}
