#include "contacts/phone.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "contacts/phone_fast.h"

static const char *const type_names[] = {
    [PHONE_FIXED] = "fixed",
    [PHONE_MOBILE] = "mobile",
    [PHONE_FIXED_OR_MOBILE] = "fixed_or_mobile",
    [PHONE_TOLL_FREE] = "toll_free",
    [PHONE_PREMIUM] = "premium",
    [PHONE_SHARED_COST] = "shared_cost",
    [PHONE_VOIP] = "voip",
    [PHONE_PERSONAL] = "personal",
    [PHONE_PAGER] = "pager",
    [PHONE_UAN] = "uan",
    [PHONE_VOICEMAIL] = "voicemail",
    [PHONE_UNKNOWN] = "unknown",
};

static const struct {
    const char *reason, *hint;
} errors[] = {
    [PHONE_VALID] = {"valid", ""},
    [PHONE_NOT_A_NUMBER] = {"not_a_number", "write digits only, e.g. +251911234567"},
    [PHONE_TOO_SHORT] = {"too_short", "digits are missing for this country"},
    [PHONE_TOO_LONG] = {"too_long", "too many digits: one number to a cell"},
    [PHONE_UNKNOWN_COUNTRY] = {"unknown_country",
                               "write it with + and the country code, or name the "
                               "country with --region"},
    [PHONE_INVALID] = {"invalid_number", "no such number is given out in this country"},
};

_Static_assert(ARRAY_LEN(type_names) == PHONE_UNKNOWN + 1, "every type has a name");
_Static_assert(ARRAY_LEN(errors) == PHONE_INVALID + 1, "every error has a reason");

const char *phone_type_name(enum phone_type type)
{
    return type_names[(unsigned)type < ARRAY_LEN(type_names) ? type : PHONE_UNKNOWN];
}

const char *phone_error_reason(enum phone_error error)
{
    return errors[error].reason;
}

const char *phone_error_hint(enum phone_error error)
{
    return errors[error].hint;
}

enum phone_error phone_parse(const char *text, size_t len, const char *default_region,
                             struct phone *out)
{
    if (phone_fast_parse(text, len, default_region, out))
        return PHONE_VALID;
    return phone_parse_by_library(text, len, default_region, out);
}

enum phone_error phone_from_e164(int64_t e164, struct phone *out)
{
    char text[PHONE_TEXT_MAX];

    if (e164 <= 0) {
        *out = (struct phone){.type = PHONE_UNKNOWN};
        return PHONE_NOT_A_NUMBER;
    }
    phone_text(e164, text);
    return phone_parse(text, strlen(text), NULL, out);
}
