#include "ivr/number.h"

#include <inttypes.h>
#include <string.h>

__extension__ typedef __int128 wide; /* products of two int64_t */

static const int64_t powers[] = {1,      10,      100,      1000,      10000,
                                 100000, 1000000, 10000000, 100000000, 1000000000};
_Static_assert(ARRAY_LEN(powers) == NUMBER_SCALE_MAX + 1, "a power for each scale");

static const char too_large[] = "a number is too large";

static struct ivr_value narrow(wide i, int scale)
{
    while (scale > 0 && i % 10 == 0) {
        i /= 10;
        scale--;
    }
    if (i > INT64_MAX || i < -INT64_MAX)
        return value_fault(too_large);
    return (struct ivr_value){.type = scale > 0 ? IVR_DECIMAL : IVR_INT,
                              .scale = (uint8_t)scale,
                              .i = (int64_t)i,
                              .text = ""};
}

bool value_is_number(const struct ivr_value *v)
{
    return v->type == IVR_INT || v->type == IVR_DECIMAL;
}

bool value_parse_number(const char *text, struct ivr_value *out)
{
    bool minus = *text == '-';
    int64_t i = 0;
    int digits = 0, scale = -1;

    for (text += minus; *text; text++) {
        if (*text == '.' && scale < 0 && digits > 0) {
            scale = 0;
            continue;
        }
        if (*text < '0' || *text > '9' || ++digits > 18)
            return false;
        if (scale >= 0 && ++scale > NUMBER_SCALE_MAX)
            return false;
        i = i * 10 + (*text - '0');
    }
    if (digits == 0 || scale == 0)
        return false;
    *out = narrow(minus ? -i : i, scale < 0 ? 0 : scale);
    return true;
}

struct ivr_value number_of_real(double r)
{
    if (!(r > -9e12 && r < 9e12))
        return value_fault(too_large);
    return narrow((wide)(r * 1e6 + (r < 0 ? -0.5 : 0.5)), 6);
}

const char *number_to_text(const struct ivr_value *v, struct ivr_arena *arena)
{
    if (v->scale == 0 || v->scale > NUMBER_SCALE_MAX)
        return arena_printf(arena, "%" PRId64, v->i);
    int64_t whole = v->i / powers[v->scale], part = v->i % powers[v->scale];
    return arena_printf(arena, "%s%" PRId64 ".%0*" PRId64, v->i < 0 ? "-" : "",
                        whole < 0 ? -whole : whole, v->scale, part < 0 ? -part : part);
}

/* Both at the larger of the two scales. */
static int align(const struct ivr_value *a, const struct ivr_value *b, wide *x, wide *y)
{
    int scale = a->scale > b->scale ? a->scale : b->scale;

    *x = (wide)a->i * powers[scale - a->scale];
    *y = (wide)b->i * powers[scale - b->scale];
    return scale;
}

int number_compare(const struct ivr_value *a, const struct ivr_value *b)
{
    wide x = 0, y = 0;

    align(a, b, &x, &y);
    return (x > y) - (x < y);
}

struct ivr_value number_add(const struct ivr_value *a, const struct ivr_value *b)
{
    wide x = 0, y = 0;
    int scale = align(a, b, &x, &y);

    return narrow(x + y, scale);
}

struct ivr_value number_subtract(const struct ivr_value *a, const struct ivr_value *b)
{
    wide x = 0, y = 0;
    int scale = align(a, b, &x, &y);

    return narrow(x - y, scale);
}

static wide divide_rounded(wide x, wide y)
{
    wide q = x / y, rest = x % y;

    if (rest < 0)
        rest = -rest;
    if (rest * 2 >= (y < 0 ? -y : y))
        q += (x < 0) == (y < 0) ? 1 : -1;
    return q;
}

struct ivr_value number_multiply(const struct ivr_value *a, const struct ivr_value *b)
{
    wide product = (wide)a->i * b->i;
    int scale = a->scale + b->scale;

    if (scale > NUMBER_SCALE_MAX) {
        product = divide_rounded(product, powers[scale - NUMBER_SCALE_MAX]);
        scale = NUMBER_SCALE_MAX;
    }
    return narrow(product, scale);
}

struct ivr_value number_divide(const struct ivr_value *a, const struct ivr_value *b)
{
    wide x = 0, y = 0;

    align(a, b, &x, &y);
    if (y == 0)
        return value_fault("division by zero");
    return narrow(divide_rounded(x * powers[6], y), 6);
}

struct ivr_value number_modulo(const struct ivr_value *a, const struct ivr_value *b)
{
    wide x = 0, y = 0;
    int scale = align(a, b, &x, &y);

    if (y == 0)
        return value_fault("division by zero");
    return narrow(x % y, scale);
}

struct ivr_value number_round(const struct ivr_value *v, int places,
                              enum number_rounding how)
{
    if (places < 0 || places > NUMBER_SCALE_MAX)
        return value_fault("round() takes 0 to 9 decimals");
    if (v->scale <= places)
        return *v;
    int64_t unit = powers[v->scale - places];
    wide q = v->i / unit, rest = v->i % unit;
    if (how == NUMBER_NEAREST)
        q = divide_rounded(v->i, unit);
    else if (how == NUMBER_DOWN && rest < 0)
        q--;
    else if (how == NUMBER_UP && rest > 0)
        q++;
    return narrow(q, places);
}
