/* secret: only who has the key reads it, and only where it was sealed for. */
#include "unit/cm.h"

#include <errno.h>
#include <string.h>

#include "base/secret.h"
#include "base/str.h"

static const char context[] = "accounts/1/main", plain[] = "tok_not_a_real_one";

static struct secret_keys keys_of(const char *now, const char *old)
{
    struct secret_keys keys;
    struct errtext e = {0};

    assert_int_equal(secret_keys_read(&keys, now, old, &e), 0);
    return keys;
}

static void what_is_sealed_opens_with_its_key_alone(void **state)
{
    char one[SECRET_KEY_TEXT_MAX], other[SECRET_KEY_TEXT_MAX];
    struct buf sealed = {0}, again = {0}, opened = {0};

    (void)state;
    secret_key_new(one);
    secret_key_new(other);
    assert_string_not_equal(one, other);
    struct secret_keys keys = keys_of(one, ""), wrong = keys_of(other, ""),
                       both = keys_of(other, one);
    secret_seal(&keys, context, plain, strlen(plain), &sealed);
    secret_seal(&keys, context, plain, strlen(plain), &again);
    assert_int_equal(sealed.len, again.len);
    assert_memory_not_equal(sealed.data, again.data, sealed.len);
    for (size_t i = 0; i + strlen(plain) <= sealed.len; i++)
        assert_memory_not_equal(sealed.data + i, plain, strlen(plain));
    const uint8_t *bytes = (const uint8_t *)sealed.data;
    assert_int_equal(secret_open(&keys, context, bytes, sealed.len, &opened), 0);
    assert_string_equal(opened.data, plain);
    assert_int_equal(secret_open(&wrong, context, bytes, sealed.len, &opened), EACCES);
    assert_int_equal(secret_open(&keys, "accounts/2/main", bytes, sealed.len, &opened),
                     EBADMSG);
    assert_string_equal(opened.data, plain); /* nothing was added */
    buf_free(&opened);
    assert_int_equal(secret_open(&both, context, bytes, sealed.len, &opened), 0);
    assert_string_equal(opened.data, plain);
    buf_free(&opened);
    buf_free(&sealed);
    buf_free(&again);
}

/* Every bit of it, and every length short of it. */
static void what_was_altered_does_not_open(void **state)
{
    char text[SECRET_KEY_TEXT_MAX];
    struct buf sealed = {0}, opened = {0};

    (void)state;
    secret_key_new(text);
    struct secret_keys keys = keys_of(text, "");
    secret_seal(&keys, context, plain, strlen(plain), &sealed);
    uint8_t *bytes = (uint8_t *)sealed.data;
    for (size_t i = 0; i < 8 * sealed.len; i++) {
        bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_not_equal(secret_open(&keys, context, bytes, sealed.len, &opened), 0);
        bytes[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t len = 0; len < sealed.len; len++)
        assert_int_not_equal(secret_open(&keys, context, bytes, len, &opened), 0);
    assert_int_equal(opened.len, 0);
    assert_int_equal(secret_open(&keys, context, bytes, sealed.len, &opened), 0);
    buf_free(&opened);
    buf_free(&sealed);
}

static void what_is_no_key_is_said(void **state)
{
    struct secret_keys keys;
    struct errtext e = {0};
    char text[SECRET_KEY_TEXT_MAX];

    (void)state;
    assert_int_equal(secret_keys_read(&keys, "", "", &e), ENOENT);
    assert_non_null(strstr(e.text, "FURROW_SECRET_KEY is not set"));
    e = (struct errtext){0};
    assert_int_equal(secret_keys_read(&keys, "c2hvcnQ=", "", &e), EINVAL);
    assert_non_null(strstr(e.text, "FURROW_SECRET_KEY is no key"));
    e = (struct errtext){0};
    secret_key_new(text);
    assert_int_equal(secret_keys_read(&keys, text, "???", &e), EINVAL);
    assert_non_null(strstr(e.text, "FURROW_SECRET_KEY_OLD"));
    assert_int_equal(keys.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens_with_its_key_alone),
        cmocka_unit_test(what_was_altered_does_not_open),
        cmocka_unit_test(what_is_no_key_is_said),
    };

    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
