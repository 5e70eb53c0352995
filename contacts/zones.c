#include "contacts/zones.h"

#include <stdlib.h>

#include "contacts/tz.h"
#include "contacts/zones_table.h"

static const struct zone_set unknown;

static bool has_code(const unsigned char *codes, int code)
{
    for (; *codes; codes++)
        if (*codes == code)
            return true;
    return false;
}

static const struct zone_set *search(const struct zones_prefix *at, int n,
                                     uint32_t prefix)
{
    int low = 0, high = n;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (at[middle].prefix < prefix)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && at[low].prefix == prefix ? &zones_table_sets[at[low].set] : NULL;
}

/* The first digits of a number whose decimal length is known. */
static int64_t first_digits(int64_t e164, int digits, int keep)
{
    for (; digits > keep; digits--)
        e164 /= 10;
    return e164;
}

static int digits_of(int64_t v)
{
    int n = 0;

    for (; v > 0; v /= 10)
        n++;
    return n;
}

/* Country codes are prefix-free: 1 and 7, a list of two digits, else three. */
static int country_digits(int64_t e164, int digits)
{
    int64_t one = first_digits(e164, digits, 1);

    if (one == 1 || one == 7)
        return 1;
    return has_code(zones_table_two_digit_codes, (int)first_digits(e164, digits, 2)) ? 2
                                                                                     : 3;
}

int zones_country_digits(int64_t e164)
{
    return country_digits(e164, digits_of(e164));
}

static bool is_geographic(int64_t country, enum phone_type type)
{
    if (type == PHONE_FIXED || type == PHONE_FIXED_OR_MOBILE)
        return true;
    if (type != PHONE_MOBILE)
        return false;
    /* A mobile of +1 keeps its area code's ground: an island's is the island. */
    return country == 1 ||
           (country < 100 && has_code(zones_table_geographic_mobiles, (int)country));
}

static const struct zone_set *longest_prefix(int64_t e164, int digits, int longest)
{
    for (int n = longest < ZONES_PREFIX_DIGITS ? longest : ZONES_PREFIX_DIGITS; n > 0;
         n--) {
        int from = zones_table_starts[n - 1];
        const struct zone_set *set =
            search(zones_table_prefixes + from, zones_table_starts[n] - from,
                   (uint32_t)first_digits(e164, digits, n));
        if (set)
            return set;
    }
    return &unknown;
}

const struct zone_set *zones_of(int64_t e164, enum phone_type type)
{
    int digits = digits_of(e164);

    if (type == PHONE_UNKNOWN || digits < 5)
        return &unknown;
    int code = country_digits(e164, digits);
    int64_t country = first_digits(e164, digits, code);
    if (!is_geographic(country, type))
        return longest_prefix(e164, digits, code);
    if (country != 1)
        return longest_prefix(e164, digits, digits);
    const struct zone_set *set = search(zones_table_npas, zones_table_npa_count,
                                        (uint32_t)(first_digits(e164, digits, 4) % 1000));
    return set ? set : &unknown;
}

/* Its index in the tables of area codes; -1 none. */
static int npa_index(uint32_t npa)
{
    for (int low = 0, high = zones_table_npa_count; low < high;) {
        int middle = low + (high - low) / 2;

        if (zones_table_npas[middle].prefix == npa)
            return middle;
        if (zones_table_npas[middle].prefix < npa)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

const char *zones_state_of(int64_t e164)
{
    int digits = digits_of(e164);

    if (digits != 11 || first_digits(e164, digits, 1) != 1)
        return "";
    int at = npa_index((uint32_t)(first_digits(e164, digits, 4) % 1000));
    return at < 0 ? "" : zones_table_npa_regions[at];
}

const struct zone_set *zones_of_npa_raw(const char *npa)
{
    int at = npa_index((uint32_t)strtoul(npa, NULL, 10));

    return at < 0 ? &unknown : &zones_table_sets[zones_table_npas_raw[at]];
}

bool zones_are_unknown(const char *const *names, size_t n, int64_t at_ms)
{
    int32_t least_s = INT32_MAX, most_s = INT32_MIN;

    for (size_t i = 0; i < n; i++) {
        const struct tz_zone *zone = NULL;

        if (tz_find(names[i], &zone))
            return true;
        int32_t offset_s = tz_offset_s(zone, at_ms);
        least_s = offset_s < least_s ? offset_s : least_s;
        most_s = offset_s > most_s ? offset_s : most_s;
    }
    return n == 0 || most_s - least_s > ZONES_SPREAD_LIMIT_S;
}

int64_t zones_date_ms(void)
{
    return tz_day_number(zones_table_date[0], zones_table_date[1], zones_table_date[2]) *
           86400000;
}
