#include "batch_rules.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

static const char *const verdict_names[] = {
    [BATCH_OK] = "ok",
    [BATCH_NOT_UNDERSTOOD] = "not_understood",
    [BATCH_INCOMPLETE] = "incomplete",
    [BATCH_REFUSED] = "refused",
};

/* More than a lorry carries in a day is a mishearing. */
static const double most_kg = 1000000;

const char *batch_verdict_name(enum batch_verdict v)
{
    return verdict_names[v];
}

/* What each event cannot do without. */
enum need {
    NEED_QUANTITY = 1,
    NEED_ORIGIN = 2, /* or a farmer */
    NEED_SOURCE_OR_QUANTITY = 4,
    NEED_SOURCE = 8,
    NEED_OUTPUT = 16,
};

static const unsigned needs[INTENT_COUNT] = {
    [INTENT_COMMISSION] = NEED_QUANTITY | NEED_ORIGIN,
    [INTENT_RECEIPT] = NEED_SOURCE_OR_QUANTITY,
    [INTENT_SHIPMENT] = NEED_SOURCE_OR_QUANTITY,
    [INTENT_TRANSFORMATION] = NEED_SOURCE | NEED_OUTPUT,
};

static bool has_all(const struct entities *e, unsigned need, const char *source,
                    char *why)
{
    const struct {
        unsigned need;
        bool there;
        const char *name;
    } checks[] = {
        {NEED_QUANTITY, e->quantity >= 0, "quantity"},
        {NEED_ORIGIN, *e->origin || *e->farmer, "origin"},
        {NEED_SOURCE_OR_QUANTITY, *source || e->quantity >= 0, "batch or quantity"},
        {NEED_SOURCE, *source != 0 || e->quantity >= 0, "batch"},
        {NEED_OUTPUT, e->output_kg >= 0, "output quantity"},
    };
    size_t used = (size_t)snprintf(why, BATCH_WHY_MAX, "Missing required information:");
    bool complete = true;

    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        if (!(need & checks[i].need) || checks[i].there)
            continue;
        used += (size_t)snprintf(why + used, BATCH_WHY_MAX - used, "%s %s",
                                 complete ? "" : ",", checks[i].name);
        complete = false;
    }
    return complete;
}

/* Letters and digits in capitals, the rest dropped: "Addis Ababa" is ADDISABABA. */
static void id_part(char *out, size_t size, const char *text, const char *fallback)
{
    size_t n = 0;

    for (; *text && n + 1 < size; text++)
        if (isascii((unsigned char)*text) && isalnum((unsigned char)*text))
            out[n++] = (char)toupper((unsigned char)*text);
    out[n] = 0;
    if (n == 0)
        str_cut(out, size, fallback);
}

static const char *first_said(const char *a, const char *b, const char *c)
{
    return *a ? a : *b ? b : c;
}

static void make_id(struct batch *b, const struct batch_context *ctx)
{
    char from[48], what[48], at[24];
    time_t s = (time_t)(ctx->at_ms / 1000);
    struct tm tm = {0};

    gmtime_r(&s, &tm);
    strftime(at, sizeof(at), "%Y%m%d_%H%M%S", &tm);
    id_part(from, sizeof(from), first_said(b->origin, b->farmer, b->destination),
            b->event == INTENT_COMMISSION ? "FARM" : intent_event(b->event));
    for (char *c = from; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    id_part(what, sizeof(what), b->variety, "COFFEE");
    int n = snprintf(b->batch_id, sizeof(b->batch_id), "%s_%s_%s", from, what, at);
    if (ctx->sequence > 0)
        snprintf(b->batch_id + n, sizeof(b->batch_id) - (size_t)n, "_%lld",
                 (long long)ctx->sequence);
}

static enum batch_verdict weigh(struct batch *b, const struct entities *e, char *why)
{
    if (e->quantity < 0)
        return BATCH_OK;
    double kg = e->quantity * unit_kg(e->unit);
    if (kg <= 0 || kg > most_kg) {
        snprintf(why, BATCH_WHY_MAX, "The quantity %g %s cannot be right.", e->quantity,
                 e->unit);
        return BATCH_REFUSED;
    }
    b->quantity = e->quantity;
    b->quantity_kg = kg;
    str_cut(b->unit, sizeof(b->unit), *e->unit ? e->unit : "kg");
    return BATCH_OK;
}

/* Coffee loses weight when it is worked on, never gains, and not by half. */
static enum batch_verdict transform(struct batch *b, const struct entities *e,
                                    const struct batch_context *ctx, char *why)
{
    double in_kg = b->quantity_kg >= 0 ? b->quantity_kg : ctx->source_kg;
    double out_kg = e->output_kg;

    if (out_kg <= 0 || out_kg > most_kg) {
        snprintf(why, BATCH_WHY_MAX, "The output of %g kg cannot be right.", out_kg);
        return BATCH_REFUSED;
    }
    b->quantity = out_kg;
    b->quantity_kg = out_kg;
    str_cut(b->unit, sizeof(b->unit), "kg");
    if (in_kg < 0)
        return BATCH_OK;
    if (out_kg > in_kg) {
        snprintf(why, BATCH_WHY_MAX,
                 "The output of %g kg is more than the input of %g kg.", out_kg, in_kg);
        return BATCH_REFUSED;
    }
    b->loss_percent = 100 * (in_kg - out_kg) / in_kg;
    if (b->loss_percent > BATCH_LOSS_MAX_PERCENT + 1e-9) {
        snprintf(why, BATCH_WHY_MAX,
                 "A loss of %.0f percent, from %g kg to %g kg, is more than %d percent.",
                 b->loss_percent, in_kg, out_kg, BATCH_LOSS_MAX_PERCENT);
        return BATCH_REFUSED;
    }
    return BATCH_OK;
}

static void copy_words(struct batch *b, const struct entities *e, const char *source)
{
    const char *variety = *e->product ? e->product : "Arabica Coffee";
    const char *grade = *e->grade ? e->grade : "A";

    str_cut(b->source_batch_id, sizeof(b->source_batch_id), source);
    str_cut(b->farmer, sizeof(b->farmer), e->farmer);
    str_cut(b->origin, sizeof(b->origin), first_said(e->origin, e->farmer, ""));
    str_cut(b->destination, sizeof(b->destination), e->destination);
    str_cut(b->condition, sizeof(b->condition), e->condition);
    str_cut(b->process, sizeof(b->process), e->process);
    /* Only a new batch is given what was not said: of another one it may be wrong. */
    bool fresh = b->event == INTENT_COMMISSION;
    str_cut(b->variety, sizeof(b->variety), fresh ? variety : e->product);
    str_cut(b->grade, sizeof(b->grade), fresh ? grade : e->grade);
}

/* A commission makes its batch, and what arrived must be named by who received it. */
static const char *source_of(const struct understanding *u,
                             const struct batch_context *ctx)
{
    if (u->intent == INTENT_COMMISSION)
        return "";
    if (*u->entities.batch_id)
        return u->entities.batch_id;
    return ctx->source_batch_id && u->intent != INTENT_RECEIPT ? ctx->source_batch_id
                                                               : "";
}

enum batch_verdict batch_make(struct batch *out, const struct understanding *u,
                              const struct batch_context *ctx, char why[BATCH_WHY_MAX])
{
    const struct entities *e = &u->entities;
    const char *source = source_of(u, ctx);

    memset(out, 0, sizeof(*out));
    out->event = u->intent;
    out->quantity = out->quantity_kg = out->loss_percent = -1;
    if (u->intent == INTENT_NONE) {
        snprintf(why, BATCH_WHY_MAX,
                 "Could not understand your command. Please say what you did, how much, "
                 "and from where.");
        return BATCH_NOT_UNDERSTOOD;
    }
    if (!has_all(e, needs[u->intent], source, why))
        return BATCH_INCOMPLETE;
    copy_words(out, e, source);
    enum batch_verdict v = weigh(out, e, why);
    if (v == BATCH_OK && u->intent == INTENT_TRANSFORMATION)
        v = transform(out, e, ctx, why);
    if (v != BATCH_OK)
        return v;
    make_id(out, ctx);
    *why = 0;
    return BATCH_OK;
}

json_t *batch_details_json(const struct batch *b)
{
    const struct {
        const char *name, *value;
    } texts[] = {{"destination", b->destination},
                 {"condition", b->condition},
                 {"transformation_type", b->process},
                 {"source_batch_id", b->source_batch_id}};
    json_t *o = json_object();

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (*texts[i].value)
            json_object_set_new(o, texts[i].name, json_string(texts[i].value));
    if (b->loss_percent >= 0)
        json_object_set_new(o, "loss_percent", json_real(b->loss_percent));
    return o;
}
