/*
 * phone - telephone numbers as people write them, made E.164.
 *
 * libphonenumber behind one C face; its exceptions stop here. It never guesses a
 * country: without a leading + the default region is needed. Letters are never
 * turned into digits (a cell that says "call my wife" is not a number). An
 * extension after the number is dropped. Thread-safe; a valid number in plain writing
 * takes a tenth of a microsecond (contacts/phone_fast.h), anything else about 10 µs.
 */
#ifndef CONTACTS_PHONE_H
#define CONTACTS_PHONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Stored in rows: never renumber. */
enum phone_type {
    PHONE_FIXED = 0,
    PHONE_MOBILE = 1,
    PHONE_FIXED_OR_MOBILE = 2,
    PHONE_TOLL_FREE = 3,
    PHONE_PREMIUM = 4,
    PHONE_SHARED_COST = 5,
    PHONE_VOIP = 6,
    PHONE_PERSONAL = 7,
    PHONE_PAGER = 8,
    PHONE_UAN = 9,
    PHONE_VOICEMAIL = 10,
    PHONE_UNKNOWN = 11,
};

enum phone_error {
    PHONE_VALID,
    PHONE_NOT_A_NUMBER,
    PHONE_TOO_SHORT,
    PHONE_TOO_LONG,
    PHONE_UNKNOWN_COUNTRY, /* no + and no default region, or no such code */
    PHONE_INVALID,         /* the right shape, but no such number is given out */
};

enum { PHONE_REGION_MAX = 4, PHONE_FORMAT_MAX = 40, PHONE_TEXT_LIMIT = 250 };

struct phone {
    int64_t e164;                  /* 251911234567 */
    char region[PHONE_REGION_MAX]; /* "ET"; "001" for international services */
    enum phone_type type;
    bool valid;
};

/* text need not be NUL-terminated. default_region: two capital letters, NULL or ""
 * for none. When the answer is PHONE_VALID, PHONE_INVALID or a length that cannot
 * be, *out has what was understood; otherwise it is all zero. */
enum phone_error phone_parse(const char *text, size_t len, const char *default_region,
                             struct phone *out);

/* The same for a number that is E.164 already. */
enum phone_error phone_from_e164(int64_t e164, struct phone *out);

/* "+251 91 123 4567", as people of any country can read it. */
const char *phone_format(int64_t e164, char out[PHONE_FORMAT_MAX]);

bool phone_region_is_known(const char *region);

const char *phone_type_name(enum phone_type type);      /* "fixed_or_mobile" */
const char *phone_error_reason(enum phone_error error); /* "too_short"; stable */
const char *phone_error_hint(enum phone_error error);   /* one sentence for a person */

#ifdef __cplusplus
}
#endif

#endif
