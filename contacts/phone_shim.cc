/* The only C++ there is: libphonenumber behind contacts/phone.h. */
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include <phonenumbers/phonenumber.pb.h>
#include <phonenumbers/phonenumberutil.h>

#include "contacts/phone.h"

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

static_assert(static_cast<int>(PhoneNumberUtil::FIXED_LINE) == PHONE_FIXED, "");
static_assert(static_cast<int>(PhoneNumberUtil::MOBILE) == PHONE_MOBILE, "");
static_assert(static_cast<int>(PhoneNumberUtil::PREMIUM_RATE) == PHONE_PREMIUM, "");
static_assert(static_cast<int>(PhoneNumberUtil::VOICEMAIL) == PHONE_VOICEMAIL, "");
static_assert(static_cast<int>(PhoneNumberUtil::UNKNOWN) == PHONE_UNKNOWN, "");

namespace
{

phone_error from_parse(PhoneNumberUtil::ErrorType error)
{
    switch (error) {
    case PhoneNumberUtil::NO_PARSING_ERROR:
        return PHONE_VALID;
    case PhoneNumberUtil::INVALID_COUNTRY_CODE_ERROR:
        return PHONE_UNKNOWN_COUNTRY;
    case PhoneNumberUtil::NOT_A_NUMBER:
        return PHONE_NOT_A_NUMBER;
    case PhoneNumberUtil::TOO_SHORT_AFTER_IDD:
    case PhoneNumberUtil::TOO_SHORT_NSN:
        return PHONE_TOO_SHORT;
    case PhoneNumberUtil::TOO_LONG_NSN:
        return PHONE_TOO_LONG;
    }
    return PHONE_NOT_A_NUMBER;
}

phone_error from_length(PhoneNumberUtil::ValidationResult result)
{
    switch (result) {
    case PhoneNumberUtil::TOO_SHORT:
    case PhoneNumberUtil::IS_POSSIBLE_LOCAL_ONLY:
        return PHONE_TOO_SHORT;
    case PhoneNumberUtil::TOO_LONG:
        return PHONE_TOO_LONG;
    case PhoneNumberUtil::INVALID_COUNTRY_CODE:
        return PHONE_UNKNOWN_COUNTRY;
    case PhoneNumberUtil::IS_POSSIBLE:
    case PhoneNumberUtil::INVALID_LENGTH:
        return PHONE_INVALID;
    }
    return PHONE_INVALID;
}

void describe(const PhoneNumberUtil &util, const PhoneNumber &number, struct phone *out)
{
    std::string digits, region;

    util.Format(number, PhoneNumberUtil::E164, &digits);
    out->e164 = std::strtoll(digits.c_str(), nullptr, 10);
    util.GetRegionCodeForNumber(number, &region);
    std::snprintf(out->region, sizeof(out->region), "%s", region.c_str());
    /* The library calls a number valid exactly when it has a type. */
    out->type = static_cast<phone_type>(util.GetNumberType(number));
    out->valid = out->type != PHONE_UNKNOWN;
}

bool has_letter(const std::string &text)
{
    for (unsigned char c : text)
        if (c >= 0x80 || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
            return true;
    return false;
}

phone_error parse(const std::string &text, const std::string &region, struct phone *out)
{
    const PhoneNumberUtil &util = *PhoneNumberUtil::GetInstance();
    PhoneNumber number;

    /* Asked only when there is a letter at all: the question costs a regex. */
    if (has_letter(text) && util.IsAlphaNumber(text))
        return PHONE_NOT_A_NUMBER;
    phone_error error = from_parse(util.Parse(text, region, &number));
    if (error != PHONE_VALID)
        return error;
    describe(util, number, out);
    return out->valid ? PHONE_VALID : from_length(util.IsPossibleNumberWithReason(number));
}

} // namespace

extern "C" enum phone_error phone_parse(const char *text, size_t len,
                                        const char *default_region, struct phone *out)
{
    *out = {};
    out->type = PHONE_UNKNOWN;
    if (len == 0 || len > PHONE_TEXT_LIMIT)
        return len ? PHONE_TOO_LONG : PHONE_NOT_A_NUMBER;
    try {
        return parse(std::string(text, len),
                     default_region && *default_region ? default_region : "ZZ", out);
    } catch (const std::exception &) {
        *out = {};
        out->type = PHONE_UNKNOWN;
        return PHONE_NOT_A_NUMBER;
    }
}

extern "C" const char *phone_format(int64_t e164, char out[PHONE_FORMAT_MAX])
{
    std::snprintf(out, PHONE_FORMAT_MAX, "+%" PRId64, e164);
    try {
        const PhoneNumberUtil &util = *PhoneNumberUtil::GetInstance();
        PhoneNumber number;
        std::string text;

        if (util.Parse(out, "ZZ", &number) == PhoneNumberUtil::NO_PARSING_ERROR) {
            util.Format(number, PhoneNumberUtil::INTERNATIONAL, &text);
            if (text.size() < PHONE_FORMAT_MAX)
                std::memcpy(out, text.c_str(), text.size() + 1);
        }
    } catch (const std::exception &) {
        /* the plain digits stay */
    }
    return out;
}

extern "C" bool phone_region_is_known(const char *region)
{
    try {
        return PhoneNumberUtil::GetInstance()->GetCountryCodeForRegion(region) != 0;
    } catch (const std::exception &) {
        return false;
    }
}
