/*
 * money - amounts of a currency as whole millionths ("micros"), from and to the text of a
 * decimal number. Pure; any thread.
 */
#ifndef BASE_MONEY_H
#define BASE_MONEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"

enum { MONEY_TEXT_MAX = 32 };

/* "0.0075", "-0.0075", "12". Digits after the sixth are left out. False: no number, or
 * more than 9,000,000,000. */
NODISCARD bool money_parse(const char *text, int64_t *micros);
/* At least two digits after the point, no more than needed: "0.80", "0.0075". */
const char *money_text(int64_t micros, char out[MONEY_TEXT_MAX]);
/* Three capital letters, e.g. ETB. */
bool money_is_currency(const char *text);

#endif
