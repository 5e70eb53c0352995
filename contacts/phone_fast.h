/*
 * phone_fast - the usual telephone number in a tenth of a microsecond.
 *
 * Not a second opinion: the patterns are libphonenumber's own, taken from the
 * library that is installed, as automata (contacts/phone_digits.h), and the steps
 * are the library's own. It answers only for valid numbers in plain writing, and
 * only where each step has one outcome; for everything else phone_parse asks the
 * library. tests/unit/test_phone_fast.c compares both over numbers of every region.
 *
 * Patterns of a country are compiled when its first number is met. Thread-safe.
 */
#ifndef CONTACTS_PHONE_FAST_H
#define CONTACTS_PHONE_FAST_H

#include "contacts/phone.h"

#ifdef __cplusplus
extern "C" {
#endif

enum phone_pattern { /* in the order in which the library asks them */
                     PHONE_PATTERN_GENERAL,
                     PHONE_PATTERN_PREMIUM,
                     PHONE_PATTERN_TOLL_FREE,
                     PHONE_PATTERN_SHARED_COST,
                     PHONE_PATTERN_VOIP,
                     PHONE_PATTERN_PERSONAL,
                     PHONE_PATTERN_PAGER,
                     PHONE_PATTERN_UAN,
                     PHONE_PATTERN_VOICEMAIL,
                     PHONE_PATTERN_FIXED,
                     PHONE_PATTERN_MOBILE,
                     PHONE_PATTERNS,
};

/* What the library knows of a region; everything borrowed for ever. */
struct phone_region {
    char id[PHONE_REGION_MAX];
    int country_code;
    bool is_main;               /* of several with one country code */
    bool same_mobile_and_fixed; /* one pattern for both */
    const char *leading_digits, *prefix, *prefix_rule, *international_prefix;
    const char *patterns[PHONE_PATTERNS];
    /* Bit n: n digits may be; 0: whatever the pattern says. Bit 31: never. */
    uint32_t lengths[PHONE_PATTERNS], local_lengths;
};

/* False: not sure, nothing said. True: the number is valid and *out is what
 * libphonenumber would say. text is trimmed of nothing; region as phone_parse. */
bool phone_fast_parse(const char *text, size_t len, const char *region,
                      struct phone *out);

/* Whether the installed library gave its patterns away; without them every number
 * takes the slow way. */
bool phone_fast_is_on(void);

/* The slow way, for comparison: libphonenumber alone. */
enum phone_error phone_parse_by_library(const char *text, size_t len,
                                        const char *default_region, struct phone *out);

/* All regions in the library's order; 0: none to be had. */
size_t phone_regions(const struct phone_region **out);

/* A number of the region that the library calls an example; false: none. */
bool phone_example(const char *region, enum phone_type type, int64_t *e164);

#ifdef __cplusplus
}
#endif

#endif
