/*
 * gs1 - identifiers of traded things, places and containers: GTIN-14, GLN-13 and SSCC-18
 * with their check digits, and the EPC URNs made of them (GS1 General Specifications 7.9;
 * EPC Tag Data Standard 6.3 and 6.4).
 *
 * A company prefix of 6 to 12 digits leaves 12 minus its length for items and places and
 * 16 minus its length for containers; numbers that do not fit are refused, never cut.
 * Pure; any thread.
 */
#ifndef BATCHES_GS1_H
#define BATCHES_GS1_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"

enum {
    GS1_PREFIX_MAX = 13, /* each with its NUL */
    GTIN_MAX = 15,
    GLN_MAX = 14,
    SSCC_MAX = 19,
    EPC_URN_MAX = 128,
    GS1_LOT_LEN = 20, /* characters of a lot or serial number */
};

enum sscc_extension { SSCC_PALLET = 3, SSCC_OTHER = 9 };

bool gs1_prefix_is_sound(const char *prefix);
/* The digit that completes a row of digits: weights 3 and 1 from the right. */
char gs1_check_digit(const char *digits);
/* Whether it is a GTIN-8, -12, -13 (or GLN), -14 or SSCC with the right check digit. */
bool gs1_is_valid(const char *code);

/* number counts items, places or containers, from 0. ERANGE: the prefix has no more. The
 * indicator digit of a GTIN counts on where the item numbers end, up to 8. */
NODISCARD int gs1_gtin(const char *prefix, int64_t number, char out[GTIN_MAX]);
NODISCARD int gs1_gln(const char *prefix, int64_t number, char out[GLN_MAX]);
NODISCARD int gs1_sscc(const char *prefix, enum sscc_extension extension, int64_t number,
                       char out[SSCC_MAX]);

/* URNs carry no check digit; the indicator or extension digit stands before the rest.
 * EINVAL: the code is not of that prefix, its check digit is wrong, or the serial, lot or
 * extension is empty or longer than GS1_LOT_LEN. */
NODISCARD int gs1_sgtin_urn(const char *prefix, const char *gtin, const char *serial,
                            char out[EPC_URN_MAX]);
NODISCARD int gs1_lgtin_urn(const char *prefix, const char *gtin, const char *lot,
                            char out[EPC_URN_MAX]);
/* extension "0": the place itself. */
NODISCARD int gs1_sgln_urn(const char *prefix, const char *gln, const char *extension,
                           char out[EPC_URN_MAX]);
NODISCARD int gs1_sscc_urn(const char *prefix, const char *sscc, char out[EPC_URN_MAX]);

#endif
