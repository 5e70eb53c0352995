#include "batches/nlu_grammar.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "base/xalloc.h"

#include "batches/spoken.h"

/* --- what shows an intent ------------------------------------------------------------
 */

struct cue {
    const char *phrase;
    enum intent intent;
    double confidence;
};

/* The surest cue in a sentence decides; of equals the first one said. */
static const struct cue cues[] = {
    {"record commission", INTENT_COMMISSION, 0.97},
    {"commission", INTENT_COMMISSION, 0.95},
    {"new batch", INTENT_COMMISSION, 0.9},
    {"harvested", INTENT_COMMISSION, 0.85},
    {"picked", INTENT_COMMISSION, 0.85},
    {"produced", INTENT_COMMISSION, 0.85},
    {"i have", INTENT_COMMISSION, 0.7},
    {"we have", INTENT_COMMISSION, 0.7},
    {"from my farm", INTENT_COMMISSION, 0.7},
    {"record receipt", INTENT_RECEIPT, 0.97},
    {"receipt", INTENT_RECEIPT, 0.95},
    {"received", INTENT_RECEIPT, 0.9},
    {"accepted", INTENT_RECEIPT, 0.85},
    {"arrived from", INTENT_RECEIPT, 0.85},
    {"delivery from", INTENT_RECEIPT, 0.85},
    {"arrived", INTENT_RECEIPT, 0.7},
    {"got", INTENT_RECEIPT, 0.7},
    {"record shipment", INTENT_SHIPMENT, 0.97},
    {"shipment", INTENT_SHIPMENT, 0.95},
    {"shipped", INTENT_SHIPMENT, 0.9},
    {"dispatched", INTENT_SHIPMENT, 0.9},
    {"sent", INTENT_SHIPMENT, 0.85},
    {"sending", INTENT_SHIPMENT, 0.85},
    {"ship", INTENT_SHIPMENT, 0.85},
    {"delivered", INTENT_SHIPMENT, 0.8},
    {"record transformation", INTENT_TRANSFORMATION, 0.97},
    {"transformation", INTENT_TRANSFORMATION, 0.95},
    {"roasted", INTENT_TRANSFORMATION, 0.85},
    {"roast", INTENT_TRANSFORMATION, 0.8},
    {"mill", INTENT_TRANSFORMATION, 0.7},
    {"milled", INTENT_TRANSFORMATION, 0.85},
    {"hulled", INTENT_TRANSFORMATION, 0.85},
    {"dried", INTENT_TRANSFORMATION, 0.85},
    {"processed", INTENT_TRANSFORMATION, 0.8},
    /* Mostly said of the coffee, not of what was done today. */
    {"washed", INTENT_TRANSFORMATION, 0.6},
    {"pack", INTENT_PACK, 0.95},
    {"packed", INTENT_PACK, 0.92},
    {"aggregate", INTENT_PACK, 0.95},
    {"consolidate", INTENT_PACK, 0.95},
    {"combine", INTENT_PACK, 0.92},
    {"combined", INTENT_PACK, 0.92},
    {"load", INTENT_PACK, 0.8},
    {"loaded", INTENT_PACK, 0.8},
    {"unpack", INTENT_UNPACK, 0.96},
    {"unpacked", INTENT_UNPACK, 0.96},
    {"disaggregate", INTENT_UNPACK, 0.96},
    {"unload", INTENT_UNPACK, 0.92},
    {"unloaded", INTENT_UNPACK, 0.92},
    {"open", INTENT_UNPACK, 0.6},
    {"opened", INTENT_UNPACK, 0.6},
    {"split", INTENT_SPLIT, 0.95},
    {"divide", INTENT_SPLIT, 0.95},
    {"divided", INTENT_SPLIT, 0.95},
    {"separate", INTENT_SPLIT, 0.8},
    {"separated", INTENT_SPLIT, 0.8},
    {"portion", INTENT_SPLIT, 0.8},
};

/* What batches are packed into; without a number of its own one is made. */
static const char *const containers[] = {"pallet", "container", "truck", "crate"};

/* Wide on purpose: a call too few is a loss, a call to one who said no a wrong. */
static const char *const opt_outs[] = {
    "stop calling",
    "do not call",
    "don't call",
    "dont call",
    "never call",
    "no more calls",
    "remove my number",
    "remove me",
    "take me off",
    "unsubscribe",
    "አትደውሉ",
    "አትደውሉልኝ",
    "hin bilbilinaa",
    "na hin bilbilinaa",
};

static const char *const processes[] = {"roasted", "milled", "hulled",
                                        "washed",  "dried",  "processed"};

static const struct {
    const char *said, *name;
} varieties[] = {
    {"yirgacheffe", "Yirgacheffe"},
    {"yirgachefe", "Yirgacheffe"},
    {"yirga chefe", "Yirgacheffe"},
    {"yirga cheffe", "Yirgacheffe"},
    {"sidamo", "Sidamo"},
    {"sidama", "Sidamo"},
    {"guji", "Guji"},
    {"harar", "Harar"},
    {"harrar", "Harar"},
    {"limu", "Limu"},
    {"limmu", "Limu"},
    {"jimma", "Jimma"},
    {"djimmah", "Jimma"},
    {"lekempti", "Lekempti"},
    {"bebeka", "Bebeka"},
    {"kaffa", "Kaffa"},
    {"keffa", "Kaffa"},
    {"teppi", "Teppi"},
    {"tepi", "Teppi"},
    {"arabica", "Arabica"},
};

/* Where a name or place ends. */
static const char *const stops[] = {
    "of",        "from",  "to",    "in",     "at",      "on",     "with",   "for",
    "and",       "the",   "grade", "farmer", "farm",    "batch",  "number", "condition",
    "into",      "good",  "fair",  "poor",   "bad",     "coffee", "today",  "yesterday",
    "please",    "i",     "we",    "my",     "our",     "is",     "was",    "a",
    "record",    "stop",  "this",  "that",   "quality", "are",    "new",    "pallet",
    "container", "truck", "crate",
};

enum { ANSWER_MAX = 1000 }; /* bytes of an answer that are read */

struct reading {
    struct spoken said;
    struct understanding *u;
};

static bool listed(const char *const *list, size_t count, const char *w)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(list[i], w))
            return true;
    return false;
}

static void read_intent(struct reading *r)
{
    for (size_t i = 0; i < r->said.count; i++) {
        for (size_t c = 0; c < ARRAY_LEN(cues); c++) {
            if (cues[c].confidence <= r->u->confidence ||
                !spoken_phrase(&r->said, i, cues[c].phrase))
                continue;
            r->u->intent = cues[c].intent;
            r->u->confidence = cues[c].confidence;
        }
        for (size_t o = 0; o < ARRAY_LEN(opt_outs); o++)
            if (spoken_phrase(&r->said, i, opt_outs[o]))
                r->u->opt_out = true;
    }
    if (r->said.count == 1 && spoken_is(&r->said, 0, "stop"))
        r->u->opt_out = true;
}

/* --- names
 * ------------------------------------------------------------------------------ */

static bool is_name_word(const struct reading *r, size_t i)
{
    double number = 0;

    if (i >= r->said.count)
        return false;
    const char *w = r->said.words[i].lower;
    return !listed(stops, ARRAY_LEN(stops), w) && !unit_canonical(w) &&
           !listed(processes, ARRAY_LEN(processes), w) &&
           !spoken_number(&r->said, i, &number);
}

static void capitalise(char *out, size_t size, const char *word)
{
    size_t n = strlen(out);

    if (n > 0 && n + 1 < size) {
        out[n++] = ' ';
        out[n] = 0;
    }
    str_cut(out + n, size - n, word);
    if (isascii((unsigned char)out[n]))
        out[n] = (char)toupper((unsigned char)out[n]);
}

/* Up to three words of a name or place into out, unless something is there. */
static size_t read_name(const struct reading *r, size_t i, char out[ENTITY_MAX])
{
    enum { NAME_WORDS_MAX = 3 };
    char name[ENTITY_MAX] = "";
    size_t n = 0;

    while (n < NAME_WORDS_MAX && is_name_word(r, i + n)) {
        capitalise(name, sizeof(name), r->said.words[i + n].text);
        n++;
        if (r->said.words[i + n - 1].ends)
            break;
    }
    if (n > 0 && !*out)
        str_cut(out, ENTITY_MAX, name);
    return n;
}

/* --- the parts of a command: each returns how many words it took, 0 for not mine
 * ---------- */

static size_t read_grade(struct reading *r, size_t i)
{
    char *grade = r->u->entities.grade;
    double number = 0;

    if (!spoken_is(&r->said, i, "grade") || i + 1 >= r->said.count)
        return 0;
    size_t n = spoken_number(&r->said, i + 1, &number);
    if (n) {
        /* "grade one five bags": a grade is one word, whatever number follows it. */
        struct spoken one = {.count = 1};
        one.words[0] = r->said.words[i + 1];
        n = spoken_number(&one, 0, &number);
    }
    if (n) {
        snprintf(grade, sizeof(r->u->entities.grade), "%g", number);
        return 2;
    }
    const char *w = r->said.words[i + 1].text;
    if (strlen(w) > 3 || listed(stops + 1, ARRAY_LEN(stops) - 1, w))
        w = str_is(w, "a") ? w : "";
    if (!*w || str_is(w, "of"))
        return 1;
    str_cut(grade, sizeof(r->u->entities.grade), w);
    for (char *c = grade; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return 2;
}

static bool is_written_id(const char *w)
{
    return strchr(w, '_') && strpbrk(w, "0123456789");
}

/* What follows the word "batch" may be shorter: ABC123, B-7, a GTIN. */
static bool is_short_id(const char *w)
{
    size_t digits = strspn(w, "0123456789");
    enum { GTIN_DIGITS_LEAST = 8 };

    return w[digits] ? strpbrk(w, "0123456789") != NULL && digits < strlen(w)
                     : digits >= GTIN_DIGITS_LEAST;
}

/* An id as written, or a number that was said; returns how many words it took. */
static size_t read_id(const struct reading *r, size_t i, char out[ENTITY_MAX])
{
    double number = 0;

    if (i >= r->said.count)
        return 0;
    if (is_short_id(r->said.words[i].lower)) {
        str_cut(out, ENTITY_MAX, r->said.words[i].text);
        return 1;
    }
    size_t n = spoken_number(&r->said, i, &number);
    /* The number of a quantity is not of the id. */
    if (!n || (i + n < r->said.count && unit_canonical(r->said.words[i + n].lower)))
        return 0;
    snprintf(out, ENTITY_MAX, "%.15g", number);
    return n;
}

/* "batches 4, 7 and ABC123" */
static size_t read_batches(struct reading *r, size_t i)
{
    char id[ENTITY_MAX];
    size_t at = i + 1;

    if (!spoken_is(&r->said, i, "batches"))
        return 0;
    for (size_t n;; at += n) {
        n = spoken_is(&r->said, at, "and") || spoken_is(&r->said, at, "batch") ||
                    spoken_is(&r->said, at, "with")
                ? 1
                : 0;
        if (n)
            continue;
        n = read_id(r, at, id);
        if (!n)
            return at - i;
        (void)entities_add_packed(&r->u->entities, id);
    }
}

/* "pallet seven" is PALLET-7, "container C-12" is C-12, "a pallet" PALLET. */
static size_t read_container(struct reading *r, size_t i)
{
    static const char *const labels[] = {"number", "id", "no"};
    char *container = r->u->entities.container, id[ENTITY_MAX] = "";
    const char *w = r->said.words[i].lower;
    size_t at = i + 1;
    bool packing = r->u->intent == INTENT_PACK || r->u->intent == INTENT_UNPACK;

    if (!packing || *container)
        return 0;
    if (strchr(w, '-') && is_short_id(w)) {
        str_cut(container, ENTITY_MAX, r->said.words[i].text);
        return 1;
    }
    if (!listed(containers, ARRAY_LEN(containers), w))
        return 0;
    if (at < r->said.count && listed(labels, ARRAY_LEN(labels), r->said.words[at].lower))
        at++;
    size_t n = read_id(r, at, id);
    bool written = n && is_short_id(r->said.words[at].lower);
    if (written)
        str_cut(container, ENTITY_MAX, id);
    else
        snprintf(container, ENTITY_MAX, "%.16s%s%.32s", w, n ? "-" : "", id);
    for (char *c = container; !written && *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return at + n - i;
}

/* Every batch that is named when something is packed goes along. */
static void note_packed(struct reading *r, const char *id)
{
    if (r->u->intent == INTENT_PACK)
        (void)entities_add_packed(&r->u->entities, id);
}

/* "batch number forty one", "batch four one two", "batch ABEBE_GUJI_20261120_181500" */
static size_t read_batch(struct reading *r, size_t i)
{
    static const char *const labels[] = {"number", "id", "no"};
    char id[ENTITY_MAX] = "";
    size_t at = i + 1;
    double number = 0;

    if (i < r->said.count && is_written_id(r->said.words[i].lower)) {
        str_cut(r->u->entities.batch_id, ENTITY_MAX, r->said.words[i].text);
        note_packed(r, r->said.words[i].text);
        return 1;
    }
    if (!spoken_is(&r->said, i, "batch"))
        return 0;
    if (at < r->said.count && listed(labels, ARRAY_LEN(labels), r->said.words[at].lower))
        at++;
    if (at < r->said.count && is_short_id(r->said.words[at].lower)) {
        str_cut(id, sizeof(id), r->said.words[at++].text);
        str_cut(r->u->entities.batch_id, ENTITY_MAX, id);
        return note_packed(r, id), at - i;
    }
    for (size_t n; (n = spoken_number(&r->said, at, &number)) > 0; at += n) {
        size_t used = strlen(id);
        /* The number of a quantity is not of the id. */
        if (at + n < r->said.count && unit_canonical(r->said.words[at + n].lower))
            break;
        snprintf(id + used, sizeof(id) - used, "%.15g", number);
    }
    if (*id) {
        str_cut(r->u->entities.batch_id, ENTITY_MAX, id);
        note_packed(r, id);
    }
    return at - i;
}

static bool is_output(const struct reading *r, size_t i)
{
    static const char *const before[] = {"into", "to",     "leaving",  "output",
                                         "gave", "giving", "yielding", "got"};
    const struct entities *e = &r->u->entities;

    if (r->u->intent != INTENT_TRANSFORMATION || e->output_kg >= 0)
        return false;
    return *e->batch_id || e->quantity >= 0 ||
           (i > 0 && listed(before, ARRAY_LEN(before), r->said.words[i - 1].lower));
}

static size_t read_amount(struct reading *r, size_t i)
{
    struct entities *e = &r->u->entities;
    double number = 0;
    size_t n = spoken_number(&r->said, i, &number);
    const char *unit =
        i + n < r->said.count ? unit_canonical(r->said.words[i + n].lower) : NULL;

    if (!n || (!unit && !spoken_is(&r->said, i + n, "of")))
        return 0;
    if (r->u->intent == INTENT_SPLIT) {
        (void)entities_add_part(e, number * unit_kg(unit ? unit : ""), "");
    } else if (is_output(r, i)) {
        e->output_kg = number * unit_kg(unit ? unit : "");
    } else if (e->quantity < 0) {
        e->quantity = number;
        str_cut(e->unit, sizeof(e->unit), unit ? unit : "");
    }
    return n + (unit ? 1 : 0);
}

static size_t read_variety(struct reading *r, size_t i)
{
    for (size_t v = 0; v < ARRAY_LEN(varieties); v++) {
        size_t n = spoken_phrase(&r->said, i, varieties[v].said);
        if (n && !*r->u->entities.product)
            str_cut(r->u->entities.product, ENTITY_MAX, varieties[v].name);
        if (n)
            return n;
    }
    return 0;
}

/* "bags of X": a product we have no name for is still a product. */
static size_t read_product(struct reading *r, size_t i)
{
    if (!spoken_is(&r->said, i, "of") || i == 0 ||
        !unit_canonical(r->said.words[i - 1].lower))
        return 0;
    size_t n = read_variety(r, i + 1);
    return 1 + (n ? n : read_name(r, i + 1, r->u->entities.product));
}

static size_t read_farmer(struct reading *r, size_t i)
{
    if (!spoken_is(&r->said, i, "farmer"))
        return 0;
    return 1 + read_name(r, i + 1, r->u->entities.farmer);
}

static size_t read_from(struct reading *r, size_t i)
{
    if (!spoken_is(&r->said, i, "from"))
        return 0;
    size_t skip = spoken_is(&r->said, i + 1, "the") ? 2 : 1;
    size_t n = read_farmer(r, i + skip);
    return skip + (n ? n : read_name(r, i + skip, r->u->entities.origin));
}

static size_t read_to(struct reading *r, size_t i)
{
    if (!spoken_is(&r->said, i, "to") || r->u->intent != INTENT_SHIPMENT)
        return 0;
    size_t skip = spoken_is(&r->said, i + 1, "the") ? 2 : 1;
    return skip + read_name(r, i + skip, r->u->entities.destination);
}

/* "600 kilos for hamburg and 400 for bremen" */
static size_t read_part_end(struct reading *r, size_t i)
{
    struct entities *e = &r->u->entities;

    if (r->u->intent != INTENT_SPLIT || !e->part_count ||
        (!spoken_is(&r->said, i, "for") && !spoken_is(&r->said, i, "to")))
        return 0;
    size_t skip = spoken_is(&r->said, i + 1, "the") ? 2 : 1;
    return skip + read_name(r, i + skip, e->parts[e->part_count - 1].destination);
}

static size_t read_condition(struct reading *r, size_t i)
{
    if (!spoken_is(&r->said, i + 1, "condition") || spoken_is(&r->said, i, "in"))
        return 0;
    str_cut(r->u->entities.condition, ENTITY_MAX, r->said.words[i].lower);
    return 2;
}

static size_t read_process(struct reading *r, size_t i)
{
    if (!listed(processes, ARRAY_LEN(processes), r->said.words[i].lower))
        return 0;
    if (!*r->u->entities.process)
        str_cut(r->u->entities.process, ENTITY_MAX, r->said.words[i].lower);
    return 1;
}

typedef size_t(part_fn)(struct reading *r, size_t i);

static part_fn *const parts[] = {
    read_grade,   read_container, read_batches, read_batch, read_amount,
    read_product, read_farmer,    read_from,    read_to,    read_part_end,
    read_variety, read_condition, read_process};

static void read_entities(struct reading *r)
{
    for (size_t i = 0, n = 0; i < r->said.count; i += n ? n : 1) {
        n = 0;
        for (size_t p = 0; p < ARRAY_LEN(parts) && !n; p++)
            n = parts[p](r, i);
    }
}

void nlu_grammar_understand(struct understanding *out, const char *text)
{
    CLEANUP(free_cleanup) struct reading *r = xcalloc(1, sizeof(*r));

    understanding_init(out);
    r->u = out;
    spoken_split(&r->said, text);
    read_intent(r);
    if (out->intent != INTENT_NONE)
        read_entities(r);
    else if (out->opt_out)
        out->confidence = 0.9;
}

/* --- answers ----------------------------------------------------------------------- */

/* A sentence in which the grammar finds the answer where it stands. */
static const struct {
    const char *before;
    enum intent intent;
} frames[MISSING_COUNT] = {
    [MISSING_QUANTITY] = {"commission ", INTENT_COMMISSION},
    [MISSING_ORIGIN] = {"commission from ", INTENT_COMMISSION},
    [MISSING_BATCH] = {"shipment batch ", INTENT_SHIPMENT},
    [MISSING_OUTPUT] = {"transformation into ", INTENT_TRANSFORMATION},
    [MISSING_BATCHES] = {"pack batches ", INTENT_PACK},
    [MISSING_CONTAINER] = {"unpack container ", INTENT_UNPACK},
    [MISSING_PARTS] = {"split ", INTENT_SPLIT},
};

/* "five", without a unit, after the question how much: as the question was put. */
static double bare_number(const char *text)
{
    CLEANUP(free_cleanup) struct spoken *s = xcalloc(1, sizeof(*s));
    double number = -1;

    spoken_split(s, text);
    return s->count && spoken_number(s, 0, &number) == s->count ? number : -1;
}

static const char *skip_word(const char *text, const char *word)
{
    size_t n = strlen(word);

    return strncasecmp(text, word, n) == 0 && text[n] == ' ' ? text + n + 1 : text;
}

static bool take_quantity(struct entities *e, const struct entities *a, const char *text)
{
    double bare = bare_number(text);

    if (a->quantity < 0 && bare < 0)
        return false;
    e->quantity = a->quantity >= 0 ? a->quantity : bare;
    str_cut(e->unit, sizeof(e->unit), a->quantity >= 0 ? a->unit : e->unit);
    return true;
}

static bool take_text(char out[ENTITY_MAX], const char *found)
{
    if (*found)
        str_cut(out, ENTITY_MAX, found);
    return *found != 0;
}

static bool take(struct entities *e, enum missing asked, const struct entities *a,
                 const char *text)
{
    switch (asked) {
    case MISSING_NOTHING:
        return false;
    case MISSING_QUANTITY:
        return take_quantity(e, a, text);
    case MISSING_ORIGIN:
        return *a->farmer ? take_text(e->farmer, a->farmer)
                          : take_text(e->origin, a->origin);
    case MISSING_BATCH:
        return take_text(e->batch_id, a->batch_id);
    case MISSING_OUTPUT:
        e->output_kg = a->output_kg >= 0 ? a->output_kg : bare_number(text);
        return e->output_kg >= 0;
    case MISSING_BATCHES:
        for (size_t i = 0; i < a->packed_count; i++)
            (void)entities_add_packed(e, a->packed[i]);
        return a->packed_count > 0;
    case MISSING_CONTAINER:
        return take_text(e->container, a->container);
    case MISSING_PARTS:
        memcpy(e->parts, a->parts, sizeof(e->parts));
        e->part_count = a->part_count;
        return a->part_count > 0;
    }
    return false;
}

bool nlu_grammar_answer(struct entities *e, enum missing asked, const char *text)
{
    CLEANUP(free_cleanup) struct understanding *u = xcalloc(1, sizeof(*u));
    CLEANUP(free_cleanup) struct reading *r = xcalloc(1, sizeof(*r));

    text = skip_word(skip_word(skip_word(text, "from"), "batches"), "batch");
    text = skip_word(text, "into");
    CLEANUP(free_cleanup)
    char *sentence = xasprintf("%s%.*s", frames[asked].before, ANSWER_MAX, text);
    understanding_init(u);
    u->intent = frames[asked].intent;
    r->u = u;
    spoken_split(&r->said, sentence);
    read_entities(r);
    return asked != MISSING_NOTHING && take(e, asked, &u->entities, text);
}
