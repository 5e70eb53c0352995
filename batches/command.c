#include "batches/command.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

enum { WORDS_MAX = 64 };

struct words {
    char text[COMMAND_TEXT_MAX + 1]; /* cut by NULs */
    char *at[WORDS_MAX];
    size_t n;
};

typedef bool(read_fn)(struct entities *e, const struct words *w);

/* --- words ------------------------------------------------------------------------- */

static bool split(struct words *w, const char *text)
{
    w->n = 0;
    if (str_copy(w->text, sizeof(w->text), text))
        return false;
    for (char *at = w->text; *at;) {
        at += strspn(at, " \t\r\n");
        if (!*at)
            break;
        if (w->n == WORDS_MAX)
            return false;
        w->at[w->n++] = at;
        at += strcspn(at, " \t\r\n");
        if (*at)
            *at++ = 0;
    }
    return true;
}

/* "Addis_Ababa" is written so that it is one word; ids keep theirs. */
static bool set_name(char out[ENTITY_MAX], const char *word)
{
    if (str_copy(out, ENTITY_MAX, word))
        return false;
    for (char *c = out; *c; c++)
        if (*c == '_')
            *c = ' ';
    return true;
}

/* All words from i on, with single spaces. */
static bool set_rest(char out[ENTITY_MAX], const struct words *w, size_t i)
{
    struct buf b = {0};

    for (size_t k = i; k < w->n; k++)
        buf_printf(&b, "%s%s", k > i ? " " : "", w->at[k]);
    bool fits = set_name(out, b.data ? b.data : "");
    buf_free(&b);
    return fits;
}

static bool set_id(char out[ENTITY_MAX], const char *word)
{
    return !str_copy(out, ENTITY_MAX, word);
}

/* "5", "2.5", "1,800", "300kg", "5bags"; the unit is "" when there is none. */
static bool read_amount(const char *word, double *number, const char **unit)
{
    char digits[32];
    size_t n = 0;

    for (; *word && strchr("0123456789.,", *word); word++) {
        if (*word == ',')
            continue;
        if (n + 1 >= sizeof(digits))
            return false;
        digits[n++] = *word;
    }
    digits[n] = 0;
    char *end = NULL;
    *number = strtod(digits, &end);
    *unit = *word ? unit_canonical(word) : "";
    return n > 0 && !*end && isfinite(*number) && *unit;
}

/* A weight in kilograms, and nothing else. */
static bool read_kg(const char *word, double *kg)
{
    const char *unit = NULL;

    if (!read_amount(word, kg, &unit))
        return false;
    *kg *= unit_kg(unit);
    return true;
}

/* --- commands: what is left out is missing, what cannot be read is wrong -------------
 */

static bool read_commission(struct entities *e, const struct words *w)
{
    const char *unit = NULL;
    size_t i = 2;

    if (w->n < 2)
        return true;
    if (!read_amount(w->at[1], &e->quantity, &unit))
        return false;
    if (!*unit && w->n > 2 && unit_canonical(w->at[2]))
        unit = unit_canonical(w->at[i++]);
    str_cut(e->unit, sizeof(e->unit), *unit ? unit : "kg");
    if (i < w->n && !set_name(e->product, w->at[i++]))
        return false;
    return i >= w->n || set_rest(e->origin, w, i);
}

static bool read_ship(struct entities *e, const struct words *w)
{
    size_t to = w->n > 3 && !strcasecmp(w->at[2], "to") ? 3 : 2;

    if (w->n > 1 && !set_id(e->batch_id, w->at[1]))
        return false;
    return w->n <= 2 || set_rest(e->destination, w, to);
}

static bool read_receive(struct entities *e, const struct words *w)
{
    if (w->n > 1 && !set_id(e->batch_id, w->at[1]))
        return false;
    return w->n <= 2 || set_rest(e->condition, w, 2);
}

static bool read_transform(struct entities *e, const struct words *w)
{
    if (w->n > 1 && !set_id(e->batch_id, w->at[1]))
        return false;
    if (w->n > 2 && !set_name(e->process, w->at[2]))
        return false;
    if (w->n > 5 || (w->n > 4 && !unit_canonical(w->at[4])))
        return false;
    if (w->n > 3 && !read_kg(w->at[3], &e->output_kg))
        return false;
    if (w->n > 4)
        e->output_kg *= unit_kg(unit_canonical(w->at[4]));
    return true;
}

/* Two or more batches, then the container; of two words both are batches, and the
 * container is made. */
static bool read_pack(struct entities *e, const struct words *w)
{
    size_t batches = w->n > 3 ? w->n - 1 : w->n;

    for (size_t i = 1; i < batches; i++)
        if (!entities_add_packed(e, w->at[i]))
            return false;
    return batches == w->n || set_id(e->container, w->at[w->n - 1]);
}

static bool read_unpack(struct entities *e, const struct words *w)
{
    return w->n <= 1 || (w->n == 2 && set_id(e->container, w->at[1]));
}

static bool read_split(struct entities *e, const struct words *w)
{
    size_t i = 2, named = 0;
    double kg = 0;

    if (w->n > 1 && !set_id(e->batch_id, w->at[1]))
        return false;
    for (; i < w->n && read_kg(w->at[i], &kg); i++)
        if (!entities_add_part(e, kg, ""))
            return false;
    for (; i < w->n; i++, named++)
        if (named == e->part_count || !set_name(e->parts[named].destination, w->at[i]))
            return false;
    return true;
}

static const struct {
    const char *name;
    enum intent intent;
    read_fn *read;
    const char *usage;
} commands[] = {
    {"/commission", INTENT_COMMISSION, read_commission,
     "/commission <quantity> <variety> <origin>"},
    {"/ship", INTENT_SHIPMENT, read_ship, "/ship <batch> <destination>"},
    {"/receive", INTENT_RECEIPT, read_receive, "/receive <batch> [condition]"},
    {"/transform", INTENT_TRANSFORMATION, read_transform,
     "/transform <batch> <type> <kg>"},
    {"/pack", INTENT_PACK, read_pack, "/pack <batch> <batch> <container>"},
    {"/unpack", INTENT_UNPACK, read_unpack, "/unpack <container>"},
    {"/split", INTENT_SPLIT, read_split, "/split <batch> <kg> <kg> [destinations]"},
};

static const char all_usages[] = "/commission /ship /receive /transform /pack /unpack "
                                 "/split";

const char *command_usage(enum intent intent)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (commands[i].intent == intent)
            return commands[i].usage;
    return all_usages;
}

enum command_verdict command_read(struct understanding *out, const char *text,
                                  const char **usage)
{
    const char *unused = NULL;
    struct words w;

    usage = usage ? usage : &unused;
    text += strspn(text, " \t\r\n");
    if (*text != '/')
        return COMMAND_OTHER;
    *usage = all_usages;
    if (!split(&w, text))
        return COMMAND_INVALID;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcasecmp(w.at[0], commands[i].name) != 0)
            continue;
        *usage = commands[i].usage;
        understanding_init(out);
        out->intent = commands[i].intent;
        out->confidence = 1;
        return commands[i].read(&out->entities, &w) ? COMMAND_READ : COMMAND_INVALID;
    }
    return COMMAND_UNKNOWN;
}
