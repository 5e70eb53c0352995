/* The only C++ there is: libphonenumber behind contacts/phone.h. */
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include <phonenumbers/phonemetadata.pb.h>
#include <phonenumbers/phonenumber.pb.h>
#include <phonenumbers/phonenumberutil.h>

#include "base/attrs.h"
#include "contacts/phone_fast.h"

/* The metadata inside the library: exported, but declared in none of its headers. A
 * library that hides it leaves both NULL, and then there is no fast way. */
namespace i18n
{
namespace phonenumbers
{
WEAK int metadata_size();
WEAK const void *metadata_get();
} // namespace phonenumbers
} // namespace i18n

using i18n::phonenumbers::PhoneMetadata;
using i18n::phonenumbers::PhoneMetadataCollection;
using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberDesc;
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

extern "C" enum phone_error phone_parse_by_library(const char *text, size_t len,
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

/* ---- what the library knows ---- */

namespace
{

uint32_t length_bit(int length)
{
    return UINT32_C(1) << (length < 0 || length > 31 ? 31 : length);
}

void fill_pattern(const PhoneNumberDesc &desc, struct phone_region *out, phone_pattern at)
{
    out->patterns[at] = desc.national_number_pattern().c_str();
    for (int length : desc.possible_length())
        out->lengths[at] |= length_bit(length);
}

void fill_region(const PhoneMetadata &m, struct phone_region *out)
{
    std::snprintf(out->id, sizeof(out->id), "%s", m.id().c_str());
    out->country_code = m.country_code();
    out->is_main = m.main_country_for_code();
    out->same_mobile_and_fixed = m.same_mobile_and_fixed_line_pattern();
    out->leading_digits = m.leading_digits().c_str();
    out->prefix = m.national_prefix_for_parsing().c_str();
    out->prefix_rule = m.national_prefix_transform_rule().c_str();
    out->international_prefix = m.international_prefix().c_str();
    fill_pattern(m.general_desc(), out, PHONE_PATTERN_GENERAL);
    fill_pattern(m.premium_rate(), out, PHONE_PATTERN_PREMIUM);
    fill_pattern(m.toll_free(), out, PHONE_PATTERN_TOLL_FREE);
    fill_pattern(m.shared_cost(), out, PHONE_PATTERN_SHARED_COST);
    fill_pattern(m.voip(), out, PHONE_PATTERN_VOIP);
    fill_pattern(m.personal_number(), out, PHONE_PATTERN_PERSONAL);
    fill_pattern(m.pager(), out, PHONE_PATTERN_PAGER);
    fill_pattern(m.uan(), out, PHONE_PATTERN_UAN);
    fill_pattern(m.voicemail(), out, PHONE_PATTERN_VOICEMAIL);
    fill_pattern(m.fixed_line(), out, PHONE_PATTERN_FIXED);
    fill_pattern(m.mobile(), out, PHONE_PATTERN_MOBILE);
    for (int length : m.general_desc().possible_length_local_only())
        out->local_lengths |= length_bit(length);
}

} // namespace

extern "C" size_t phone_regions(const struct phone_region **out)
{
    static PhoneMetadataCollection all;
    static std::vector<struct phone_region> regions;

    try {
        if (regions.empty() && i18n::phonenumbers::metadata_get &&
            i18n::phonenumbers::metadata_size &&
            all.ParseFromArray(i18n::phonenumbers::metadata_get(),
                               i18n::phonenumbers::metadata_size())) {
            regions.resize(static_cast<size_t>(all.metadata_size()));
            for (size_t i = 0; i < regions.size(); i++)
                fill_region(all.metadata(static_cast<int>(i)), &regions[i]);
        }
    } catch (const std::exception &) {
        regions.clear();
    }
    *out = regions.data();
    return regions.size();
}

extern "C" bool phone_example(const char *region, enum phone_type type, int64_t *e164)
{
    try {
        const PhoneNumberUtil &util = *PhoneNumberUtil::GetInstance();
        PhoneNumber number;
        std::string digits;

        if (!util.GetExampleNumberForType(
                region, static_cast<PhoneNumberUtil::PhoneNumberType>(type), &number))
            return false;
        util.Format(number, PhoneNumberUtil::E164, &digits);
        *e164 = std::strtoll(digits.c_str(), nullptr, 10);
        return true;
    } catch (const std::exception &) {
        return false;
    }
}
