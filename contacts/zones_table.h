/*
 * zones_table - the generated table behind contacts/zones.h; see
 * contacts/zones_generate.py. Read-only data.
 */
#ifndef CONTACTS_ZONES_TABLE_H
#define CONTACTS_ZONES_TABLE_H

#include <stdint.h>

#include "contacts/zones.h"

enum { ZONES_PREFIX_DIGITS = 8 };

struct zones_prefix {
    uint32_t prefix;
    uint16_t set;
};

extern const int zones_table_date[3]; /* year, month, day it was generated */
extern const struct zone_set zones_table_sets[];
/* Sorted by number of digits, then value; those with n digits begin at
 * zones_table_starts[n - 1]. Of +1 only "1" itself. */
extern const struct zones_prefix zones_table_prefixes[];
extern const int zones_table_starts[ZONES_PREFIX_DIGITS + 1];
/* Area codes of +1, ascending. */
extern const struct zones_prefix zones_table_npas[];
extern const int zones_table_npa_count;
/* For each of them: the set without families and corrections; "US-FL", "CA-ON", "". */
extern const uint16_t zones_table_npas_raw[];
extern const char zones_table_npa_regions[][6];
/* Country codes; 0 ends each. */
extern const unsigned char zones_table_two_digit_codes[];
extern const unsigned char zones_table_geographic_mobiles[];
/* Area codes over the same ground, "416 437 647"; NULL ends. */
extern const char *const zones_table_families[];

#endif
