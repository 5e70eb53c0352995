/*
 * The functions of expressions, each a row in a table (those of time in expr_time.c).
 * Operators are functions with names of their own.
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "ivr/expr.h"
#include "ivr/number.h"

#define ARGS struct expr_env *e, const struct ivr_value *a, int n

struct ivr_value expr_wants(struct expr_env *e, const char *what,
                            const struct ivr_value *got)
{
    const char *text =
        arena_printf(e->arena, "%s is needed, not %s", what, value_type_name(got->type));

    if (!text)
        return expr_text(e, NULL);
    return value_fault(text);
}

/* The argument as a text; numbers and truths read as they are written. */
static const char *text_of(struct expr_env *e, const struct ivr_value *v)
{
    const char *text = value_to_text(v, e->arena);

    if (!text)
        e->no_memory = true;
    return text ? text : "";
}

bool expr_whole(const struct ivr_value *v, int64_t low, int64_t high, int64_t *out)
{
    *out = v->i;
    return v->type == IVR_INT && v->i >= low && v->i <= high;
}

/* ---- logic ---- */

static struct ivr_value fn_both(ARGS)
{
    (void)e, (void)n;
    if (a[0].type == IVR_FAULT || !value_is_true(&a[0]))
        return a[0].type == IVR_FAULT ? a[0] : value_bool(false);
    return a[1].type == IVR_FAULT ? a[1] : value_bool(value_is_true(&a[1]));
}

static struct ivr_value fn_either(ARGS)
{
    (void)e, (void)n;
    if (a[0].type == IVR_FAULT || value_is_true(&a[0]))
        return a[0].type == IVR_FAULT ? a[0] : value_bool(true);
    return a[1].type == IVR_FAULT ? a[1] : value_bool(value_is_true(&a[1]));
}

static struct ivr_value fn_invert(ARGS)
{
    (void)e, (void)n;
    return value_bool(!value_is_true(&a[0]));
}

/* 2 becomes a fault: what is compared must be made alike first. */
static int compare(struct expr_env *e, const struct ivr_value *a, struct ivr_value *fault)
{
    int order = value_compare(&a[0], &a[1]);

    if (order == 2) {
        const char *text =
            arena_printf(e->arena, "%s cannot be compared with %s; number() or text()",
                         value_type_name(a[0].type), value_type_name(a[1].type));
        *fault = text ? value_fault(text) : expr_text(e, NULL);
    }
    return order;
}

#define COMPARISON(name, test)                                                           \
    static struct ivr_value name(ARGS)                                                   \
    {                                                                                    \
        struct ivr_value fault;                                                          \
        int order = compare(e, a, &fault);                                               \
                                                                                         \
        (void)n;                                                                         \
        return order == 2 ? fault : value_bool(test);                                    \
    }

COMPARISON(fn_equal, order == 0)
COMPARISON(fn_not_equal, order != 0)
COMPARISON(fn_less, order < 0)
COMPARISON(fn_more, order > 0)
COMPARISON(fn_at_most, order <= 0)
COMPARISON(fn_at_least, order >= 0)

static struct ivr_value fn_default(ARGS)
{
    bool empty = a[0].type == IVR_NULL || a[0].type == IVR_FAULT ||
                 (a[0].type == IVR_TEXT && !*a[0].text);

    (void)e, (void)n;
    return empty ? a[1] : a[0];
}

static struct ivr_value fn_if(ARGS)
{
    (void)e, (void)n;
    if (a[0].type == IVR_FAULT)
        return a[0];
    return value_is_true(&a[0]) ? a[1] : a[2];
}

static struct ivr_value fn_in(ARGS)
{
    (void)e;
    for (int i = 1; i < n; i++)
        if (value_compare(&a[0], &a[i]) == 0)
            return value_bool(true);
    return value_bool(false);
}

static struct ivr_value fn_is_empty(ARGS)
{
    (void)e, (void)n;
    return value_bool(a[0].type == IVR_NULL || a[0].type == IVR_FAULT ||
                      (a[0].type == IVR_TEXT && !*a[0].text));
}

static struct ivr_value fn_is_number(ARGS)
{
    struct ivr_value v;

    (void)e, (void)n;
    return value_bool(value_is_number(&a[0]) ||
                      (a[0].type == IVR_TEXT && value_parse_number(a[0].text, &v)));
}

/* ---- numbers ---- */

#define ARITHMETIC(name, run)                                                            \
    static struct ivr_value name(ARGS)                                                   \
    {                                                                                    \
        (void)n;                                                                         \
        for (int i = 0; i < 2; i++)                                                      \
            if (!value_is_number(&a[i]))                                                 \
                return expr_wants(e, "a number", &a[i]);                                 \
        return run(&a[0], &a[1]);                                                        \
    }

ARITHMETIC(fn_add, number_add)
ARITHMETIC(fn_subtract, number_subtract)
ARITHMETIC(fn_multiply, number_multiply)
ARITHMETIC(fn_divide, number_divide)
ARITHMETIC(fn_modulo, number_modulo)

static struct ivr_value fn_negate(ARGS)
{
    const struct ivr_value zero = value_int(0);

    (void)n;
    return value_is_number(&a[0]) ? number_subtract(&zero, &a[0])
                                  : expr_wants(e, "a number", &a[0]);
}

static struct ivr_value fn_number(ARGS)
{
    struct ivr_value v;

    (void)n;
    if (value_is_number(&a[0]))
        return a[0];
    if (a[0].type == IVR_NULL)
        return a[0];
    if (a[0].type == IVR_TEXT && value_parse_number(a[0].text, &v))
        return v;
    return expr_wants(e, "a text that reads as a number", &a[0]);
}

static struct ivr_value rounding(struct expr_env *e, const struct ivr_value *a, int n,
                                 enum number_rounding how)
{
    int64_t places = 0;

    if (!value_is_number(&a[0]))
        return expr_wants(e, "a number", &a[0]);
    if (n > 1 && !expr_whole(&a[1], 0, NUMBER_SCALE_MAX, &places))
        return expr_wants(e, "a whole number from 0 to 9", &a[1]);
    return number_round(&a[0], (int)places, how);
}

static struct ivr_value fn_round(ARGS)
{
    return rounding(e, a, n, NUMBER_NEAREST);
}

static struct ivr_value fn_floor(ARGS)
{
    return rounding(e, a, n, NUMBER_DOWN);
}

static struct ivr_value fn_ceil(ARGS)
{
    return rounding(e, a, n, NUMBER_UP);
}

static struct ivr_value fn_abs(ARGS)
{
    const struct ivr_value zero = value_int(0);

    if (!value_is_number(&a[0]))
        return expr_wants(e, "a number", &a[0]);
    return number_compare(&a[0], &zero) < 0 ? fn_negate(e, a, n) : a[0];
}

static struct ivr_value extreme(struct expr_env *e, const struct ivr_value *a, int n,
                                int sign)
{
    const struct ivr_value *best = &a[0];

    for (int i = 0; i < n; i++) {
        if (!value_is_number(&a[i]))
            return expr_wants(e, "a number", &a[i]);
        if (number_compare(&a[i], best) * sign > 0)
            best = &a[i];
    }
    return *best;
}

static struct ivr_value fn_min(ARGS)
{
    return extreme(e, a, n, -1);
}

static struct ivr_value fn_max(ARGS)
{
    return extreme(e, a, n, 1);
}

static struct ivr_value fn_random(ARGS)
{
    int64_t limit = 0;

    (void)n;
    if (!expr_whole(&a[0], 1, 1000000000, &limit))
        return expr_wants(e, "a whole number from 1", &a[0]);
    /* splitmix64 */
    uint64_t z = (e->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return value_int((int64_t)(z % (uint64_t)limit) + 1);
}

/* ---- texts; positions count characters, not bytes ---- */

static bool starts_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

static int64_t characters(const char *text)
{
    int64_t n = 0;

    for (; *text; text++)
        n += starts_character(*text);
    return n;
}

static const char *skip(const char *text, int64_t n)
{
    while (*text && n > 0) {
        for (text++; *text && !starts_character(*text);)
            text++;
        n--;
    }
    return text;
}

static struct ivr_value slice(struct expr_env *e, const char *text, int64_t from,
                              int64_t count)
{
    const char *begin = skip(text, from), *end = skip(begin, count);

    return expr_text(e, arena_copy(e->arena, begin, (size_t)(end - begin)));
}

static struct ivr_value fn_text(ARGS)
{
    (void)n;
    return expr_text(e, text_of(e, &a[0]));
}

static struct ivr_value mapped(struct expr_env *e, const struct ivr_value *v,
                               int (*map)(int), bool first_only)
{
    const char *text = text_of(e, v);
    char *copy = arena_text(e->arena, text);

    for (char *p = copy; p && *p; p++) {
        if ((unsigned char)*p < 0x80) /* other scripts stay as they are */
            *p = (char)map(*p);
        if (first_only)
            break;
    }
    return expr_text(e, copy);
}

/* Not the locale's: a flow reads alike everywhere. */
static int up(int c)
{
    return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
}

static int down(int c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static struct ivr_value fn_upper(ARGS)
{
    (void)n;
    return mapped(e, &a[0], up, false);
}

static struct ivr_value fn_lower(ARGS)
{
    (void)n;
    return mapped(e, &a[0], down, false);
}

static struct ivr_value fn_capitalize(ARGS)
{
    (void)n;
    return mapped(e, &a[0], up, true);
}

static struct ivr_value fn_trim(ARGS)
{
    const char *text = text_of(e, &a[0]);
    size_t len = strlen(text), lead = strspn(text, " \t\r\n");

    (void)n;
    while (len > lead && strchr(" \t\r\n", text[len - 1]))
        len--;
    return expr_text(e, arena_copy(e->arena, text + lead, len - lead));
}

static struct ivr_value fn_length(ARGS)
{
    (void)n;
    if (a[0].type == IVR_JSON)
        return value_int(
            (int64_t)(json_array_size(a[0].json) + json_object_size(a[0].json)));
    return value_int(characters(text_of(e, &a[0])));
}

static struct ivr_value fn_digits(ARGS)
{
    struct growing g = {.arena = e->arena};

    (void)n;
    for (const char *p = text_of(e, &a[0]); *p; p++)
        if (*p >= '0' && *p <= '9')
            growing_putc(&g, *p);
    return expr_text(e, growing_text(&g));
}

/* "0911" as "0 9 1 1", to be read out one by one. */
static struct ivr_value fn_spell(ARGS)
{
    struct growing g = {.arena = e->arena};
    const char *text = text_of(e, &a[0]);

    (void)n;
    for (const char *p = text; *p; p++) {
        if (p > text && starts_character(*p))
            growing_putc(&g, ' ');
        growing_putc(&g, *p);
    }
    return expr_text(e, growing_text(&g));
}

static struct ivr_value fn_concat(ARGS)
{
    struct growing g = {.arena = e->arena};

    for (int i = 0; i < n; i++)
        growing_puts(&g, text_of(e, &a[i]));
    return expr_text(e, growing_text(&g));
}

static struct ivr_value fn_replace(ARGS)
{
    struct growing g = {.arena = e->arena};
    const char *text = text_of(e, &a[0]), *old = text_of(e, &a[1]);
    const char *new = text_of(e, &a[2]);
    size_t len = strlen(old);

    (void)n;
    for (const char *at; len > 0 && (at = strstr(text, old)); text = at + len) {
        growing_add(&g, text, (size_t)(at - text));
        growing_puts(&g, new);
        if (g.len > EXPR_TEXT_MAX)
            return value_fault("a text is too long");
    }
    growing_puts(&g, text);
    return expr_text(e, growing_text(&g));
}

static struct ivr_value fn_left(ARGS)
{
    int64_t count = 0;

    (void)n;
    if (!expr_whole(&a[1], 0, EXPR_TEXT_MAX, &count))
        return expr_wants(e, "a number of characters", &a[1]);
    return slice(e, text_of(e, &a[0]), 0, count);
}

static struct ivr_value fn_right(ARGS)
{
    const char *text = text_of(e, &a[0]);
    int64_t count = 0, all = characters(text);

    (void)n;
    if (!expr_whole(&a[1], 0, EXPR_TEXT_MAX, &count))
        return expr_wants(e, "a number of characters", &a[1]);
    return slice(e, text, all > count ? all - count : 0, count);
}

static struct ivr_value fn_substring(ARGS)
{
    int64_t from = 0, count = EXPR_TEXT_MAX;

    if (!expr_whole(&a[1], 1, EXPR_TEXT_MAX, &from))
        return expr_wants(e, "a position from 1", &a[1]);
    if (n > 2 && !expr_whole(&a[2], 0, EXPR_TEXT_MAX, &count))
        return expr_wants(e, "a number of characters", &a[2]);
    return slice(e, text_of(e, &a[0]), from - 1, count);
}

static struct ivr_value fn_contains(ARGS)
{
    (void)n;
    return value_bool(strstr(text_of(e, &a[0]), text_of(e, &a[1])) != NULL);
}

static struct ivr_value fn_starts_with(ARGS)
{
    const char *start = text_of(e, &a[1]);

    (void)n;
    return value_bool(strncmp(text_of(e, &a[0]), start, strlen(start)) == 0);
}

static struct ivr_value fn_ends_with(ARGS)
{
    const char *text = text_of(e, &a[0]), *end = text_of(e, &a[1]);
    size_t len = strlen(text), end_len = strlen(end);

    (void)n;
    return value_bool(len >= end_len && strcmp(text + len - end_len, end) == 0);
}

/* word("a b c", 2) is "b". */
static struct ivr_value fn_word(ARGS)
{
    static const char blanks[] = " \t\r\n";
    const char *text = text_of(e, &a[0]);
    int64_t index = 0;

    (void)n;
    if (!expr_whole(&a[1], 1, 1000, &index))
        return expr_wants(e, "a position from 1", &a[1]);
    for (text += strspn(text, blanks); index > 1 && *text; index--) {
        text += strcspn(text, blanks);
        text += strspn(text, blanks);
    }
    return expr_text(e, arena_copy(e->arena, text, strcspn(text, blanks)));
}

static struct ivr_value fn_pad(ARGS)
{
    struct growing g = {.arena = e->arena};
    const char *text = text_of(e, &a[0]), *fill = n > 2 ? text_of(e, &a[2]) : "0";
    int64_t width = 0;

    if (!expr_whole(&a[1], 0, 100, &width))
        return expr_wants(e, "a width up to 100", &a[1]);
    for (int64_t len = characters(text); len < width && *fill; len++)
        growing_add(&g, fill, (size_t)(skip(fill, 1) - fill));
    growing_puts(&g, text);
    return expr_text(e, growing_text(&g));
}

/* All but the last three characters become *. */
static struct ivr_value fn_mask(ARGS)
{
    struct growing g = {.arena = e->arena};
    const char *text = text_of(e, &a[0]);
    int64_t hidden = characters(text) - 3;

    (void)n;
    for (int64_t i = 0; i < hidden; i++)
        growing_putc(&g, '*');
    growing_puts(&g, skip(text, hidden));
    return expr_text(e, growing_text(&g));
}

/* 12500 as "12,500". */
static struct ivr_value fn_thousands(ARGS)
{
    struct growing g = {.arena = e->arena};
    const char *text = text_of(e, &a[0]);
    size_t whole = strcspn(text, "."), sign = *text == '-';

    (void)n;
    if (!value_is_number(&a[0]))
        return expr_wants(e, "a number", &a[0]);
    for (size_t i = 0; i < whole; i++) {
        if (i > sign && (whole - i) % 3 == 0)
            growing_putc(&g, ',');
        growing_putc(&g, text[i]);
    }
    growing_puts(&g, text + whole);
    return expr_text(e, growing_text(&g));
}

/* ---- lists and maps ---- */

static struct ivr_value fn_get(ARGS)
{
    (void)n;
    if (a[0].type == IVR_NULL)
        return a[0];
    if (a[0].type != IVR_JSON)
        return expr_wants(e, "a list or map", &a[0]);
    const json_t *j = a[1].type == IVR_INT
                          ? json_array_get(a[0].json, (size_t)(a[1].i - 1))
                          : json_object_get(a[0].json, text_of(e, &a[1]));
    return j ? value_of_json(j, e->arena) : value_null();
}

static struct ivr_value fn_join(ARGS)
{
    struct growing g = {.arena = e->arena};
    const char *between = n > 1 ? text_of(e, &a[1]) : ", ";
    json_t *item = NULL;
    size_t i = 0;

    if (!json_is_array(a[0].json))
        return expr_wants(e, "a list", &a[0]);
    json_array_foreach(a[0].json, i, item)
    {
        struct ivr_value v = value_of_json(item, e->arena);
        growing_puts(&g, i > 0 ? between : "");
        growing_puts(&g, text_of(e, &v));
        if (g.len > EXPR_TEXT_MAX)
            return value_fault("a text is too long");
    }
    return expr_text(e, growing_text(&g));
}

static const struct expr_function functions[] = {
    {"abs", 1, 1, false, fn_abs},
    {"add", 2, 2, false, fn_add},
    {"at_least", 2, 2, false, fn_at_least},
    {"at_most", 2, 2, false, fn_at_most},
    {"both", 2, 2, true, fn_both},
    {"capitalize", 1, 1, false, fn_capitalize},
    {"ceil", 1, 2, false, fn_ceil},
    {"concat", 1, EXPR_ARGS_MAX, false, fn_concat},
    {"contains", 2, 2, false, fn_contains},
    {"default", 2, 2, true, fn_default},
    {"digits", 1, 1, false, fn_digits},
    {"divide", 2, 2, false, fn_divide},
    {"either", 2, 2, true, fn_either},
    {"ends_with", 2, 2, false, fn_ends_with},
    {"equal", 2, 2, false, fn_equal},
    {"floor", 1, 2, false, fn_floor},
    {"get", 2, 2, false, fn_get},
    {"if", 3, 3, true, fn_if},
    {"in", 2, EXPR_ARGS_MAX, false, fn_in},
    {"invert", 1, 1, false, fn_invert},
    {"is_empty", 1, 1, true, fn_is_empty},
    {"is_number", 1, 1, false, fn_is_number},
    {"join", 1, 2, false, fn_join},
    {"left", 2, 2, false, fn_left},
    {"length", 1, 1, false, fn_length},
    {"less_than", 2, 2, false, fn_less},
    {"lower", 1, 1, false, fn_lower},
    {"mask", 1, 1, false, fn_mask},
    {"max", 1, EXPR_ARGS_MAX, false, fn_max},
    {"min", 1, EXPR_ARGS_MAX, false, fn_min},
    {"modulo", 2, 2, false, fn_modulo},
    {"more_than", 2, 2, false, fn_more},
    {"multiply", 2, 2, false, fn_multiply},
    {"negate", 1, 1, false, fn_negate},
    {"not_equal", 2, 2, false, fn_not_equal},
    {"number", 1, 1, false, fn_number},
    {"pad", 2, 3, false, fn_pad},
    {"random", 1, 1, false, fn_random},
    {"replace", 3, 3, false, fn_replace},
    {"right", 2, 2, false, fn_right},
    {"round", 1, 2, false, fn_round},
    {"spell", 1, 1, false, fn_spell},
    {"starts_with", 2, 2, false, fn_starts_with},
    {"substring", 2, 3, false, fn_substring},
    {"subtract", 2, 2, false, fn_subtract},
    {"text", 1, 1, false, fn_text},
    {"thousands", 1, 1, false, fn_thousands},
    {"trim", 1, 1, false, fn_trim},
    {"upper", 1, 1, false, fn_upper},
    {"word", 2, 2, false, fn_word},
};

const struct expr_function *expr_function_find(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (strlen(functions[i].name) == len && memcmp(functions[i].name, name, len) == 0)
            return &functions[i];
    const struct expr_function *f = expr_said_function_find(name, len);
    return f ? f : expr_time_function_find(name, len);
}
