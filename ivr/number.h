/*
 * number - whole and decimal numbers that never round behind one's back and never
 * overflow: the result is then a fault. Inside ivr/ only; pure.
 */
#ifndef IVR_NUMBER_H
#define IVR_NUMBER_H

#include "ivr/expr.h"

enum { NUMBER_SCALE_MAX = 9 };

bool value_is_number(const struct ivr_value *v);
struct ivr_value number_of_real(double r);
/* "12.5"; NULL: ENOMEM. */
const char *number_to_text(const struct ivr_value *v, struct ivr_arena *arena);
int number_compare(const struct ivr_value *a, const struct ivr_value *b);

struct ivr_value number_add(const struct ivr_value *a, const struct ivr_value *b);
struct ivr_value number_subtract(const struct ivr_value *a, const struct ivr_value *b);
struct ivr_value number_multiply(const struct ivr_value *a, const struct ivr_value *b);
/* Up to six decimals, rounded half away from zero. */
struct ivr_value number_divide(const struct ivr_value *a, const struct ivr_value *b);
struct ivr_value number_modulo(const struct ivr_value *a, const struct ivr_value *b);

enum number_rounding { NUMBER_NEAREST, NUMBER_DOWN, NUMBER_UP };
struct ivr_value number_round(const struct ivr_value *v, int places,
                              enum number_rounding how);

#endif
