/* Functions of expressions that read what was said (ivr/words.h). */
#include <string.h>

#include "ivr/expr.h"
#include "ivr/words.h"

#define ARGS struct expr_env *e, const struct ivr_value *a, int n

static const char *said_of(struct expr_env *e, const struct ivr_value *v)
{
    const char *text = value_to_text(v, e->arena);

    if (!text)
        e->no_memory = true;
    return text ? text : "";
}

static struct ivr_value fn_hears(ARGS)
{
    (void)n;
    return value_bool(words_have(said_of(e, &a[0]), said_of(e, &a[1])));
}

static struct ivr_value fn_without(ARGS)
{
    char out[WORDS_BYTES];

    (void)n;
    words_without(said_of(e, &a[0]), said_of(e, &a[1]), out, sizeof(out));
    return expr_text(e, arena_text(e->arena, out));
}

static struct ivr_value spoken(struct expr_env *e, const struct ivr_value *v,
                               bool letters)
{
    char out[WORDS_CODE_MAX + 1];

    words_code(said_of(e, v), letters, out);
    return expr_text(e, arena_text(e->arena, out));
}

static struct ivr_value fn_spoken_digits(ARGS)
{
    (void)n;
    return spoken(e, &a[0], false);
}

static struct ivr_value fn_spoken_code(ARGS)
{
    (void)n;
    return spoken(e, &a[0], true);
}

/* Nothing when no number is said. */
static struct ivr_value fn_spoken_number(ARGS)
{
    enum { DIGITS = 15 };
    struct ivr_value text = spoken(e, &a[0], false), number;

    (void)n;
    if (text.type != IVR_TEXT || !*text.text || strlen(text.text) > DIGITS ||
        !value_parse_number(text.text, &number))
        return value_null();
    return number;
}

static struct ivr_value fn_spoken_name(ARGS)
{
    char out[WORDS_BYTES];

    (void)n;
    words_name(said_of(e, &a[0]), out, sizeof(out));
    return expr_text(e, arena_text(e->arena, out));
}

static struct ivr_value fn_keypad(ARGS)
{
    char out[WORDS_BYTES];

    (void)n;
    words_keypad(said_of(e, &a[0]), out, sizeof(out));
    return expr_text(e, arena_text(e->arena, out));
}

static const struct expr_function functions[] = {
    {"hears", 2, 2, false, fn_hears},
    {"keypad", 1, 1, false, fn_keypad},
    {"spoken_code", 1, 1, false, fn_spoken_code},
    {"spoken_digits", 1, 1, false, fn_spoken_digits},
    {"spoken_name", 1, 1, false, fn_spoken_name},
    {"spoken_number", 1, 1, false, fn_spoken_number},
    {"without", 2, 2, false, fn_without},
};

const struct expr_function *expr_said_function_find(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (strlen(functions[i].name) == len && memcmp(functions[i].name, name, len) == 0)
            return &functions[i];
    return NULL;
}
