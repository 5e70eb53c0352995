#include "batches/batch_rules.h"

#include <ctype.h>
#include <math.h>
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

static enum batch_verdict refuse(struct refusal *why, enum refusal_reason reason,
                                 double a, double b)
{
    *why = (struct refusal){.reason = reason, .a = a, .b = b};
    return BATCH_REFUSED;
}

/* Whether it can be known which batch is meant, or a weight stands for one. */
static bool is_there(const struct entities *e, enum missing lack, const char *source)
{
    switch (lack) {
    case MISSING_QUANTITY:
        return e->quantity >= 0;
    case MISSING_ORIGIN:
        return *e->origin || *e->farmer;
    case MISSING_BATCH:
        return *source || e->quantity >= 0;
    case MISSING_OUTPUT:
        return e->output_kg >= 0;
    case MISSING_BATCHES:
        return e->packed_count >= 2;
    case MISSING_CONTAINER:
        return *e->container != 0;
    case MISSING_PARTS:
        return e->part_count >= 2;
    case MISSING_NOTHING:
        break;
    }
    return true;
}

/* What each command cannot do without. */
static const enum missing needs[INTENT_COUNT][2] = {
    [INTENT_COMMISSION] = {MISSING_QUANTITY, MISSING_ORIGIN},
    [INTENT_RECEIPT] = {MISSING_BATCH},
    [INTENT_SHIPMENT] = {MISSING_BATCH},
    [INTENT_TRANSFORMATION] = {MISSING_BATCH, MISSING_OUTPUT},
    [INTENT_PACK] = {MISSING_BATCHES},
    [INTENT_UNPACK] = {MISSING_CONTAINER},
    [INTENT_SPLIT] = {MISSING_BATCH, MISSING_PARTS},
};

static bool has_all(const struct understanding *u, const char *source,
                    struct refusal *why)
{
    size_t n = 0;

    *why = (struct refusal){.reason = REFUSED_INCOMPLETE};
    for (size_t i = 0; i < ARRAY_LEN(needs[0]); i++) {
        enum missing lack = needs[u->intent][i];
        /* A batch is split by its name: a weight alone says of which. */
        bool nameless = u->intent == INTENT_SPLIT && lack == MISSING_BATCH && !*source;
        if (nameless || !is_there(&u->entities, lack, source))
            why->lacks[n++] = lack;
    }
    return n == 0;
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

void batch_make_id(struct batch *b, const struct batch_context *ctx)
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

static enum batch_verdict weigh(struct batch *b, const struct entities *e,
                                struct refusal *why)
{
    if (e->quantity < 0)
        return BATCH_OK;
    double kg = e->quantity * unit_kg(e->unit);
    if (kg <= 0 || kg > most_kg) {
        (void)refuse(why, REFUSED_QUANTITY, e->quantity, 0);
        str_cut(why->what, sizeof(why->what), *e->unit ? e->unit : "kg");
        return BATCH_REFUSED;
    }
    b->quantity = e->quantity;
    b->quantity_kg = kg;
    str_cut(b->unit, sizeof(b->unit), *e->unit ? e->unit : "kg");
    return BATCH_OK;
}

/* Coffee loses weight when it is worked on, never gains, and not by half. */
static enum batch_verdict transform(struct batch *b, const struct entities *e,
                                    const struct batch_context *ctx, struct refusal *why)
{
    /* What was weighed when the batch was made counts more than what is said now. */
    double in_kg = ctx->source_kg >= 0 ? ctx->source_kg : b->quantity_kg;
    double out_kg = e->output_kg;

    if (out_kg <= 0 || out_kg > most_kg)
        return refuse(why, REFUSED_OUTPUT, out_kg, 0);
    b->quantity = out_kg;
    b->quantity_kg = out_kg;
    str_cut(b->unit, sizeof(b->unit), "kg");
    if (in_kg < 0)
        return BATCH_OK;
    if (out_kg > in_kg)
        return refuse(why, REFUSED_GAIN, out_kg, in_kg);
    b->loss_percent = 100 * (in_kg - out_kg) / in_kg;
    if (b->loss_percent > BATCH_LOSS_MAX_PERCENT + 1e-9)
        return refuse(why, REFUSED_LOSS, out_kg, in_kg);
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
                              const struct batch_context *ctx, struct refusal *why)
{
    const struct entities *e = &u->entities;
    const char *source = source_of(u, ctx);

    memset(out, 0, sizeof(*out));
    out->event = u->intent;
    out->quantity = out->quantity_kg = out->loss_percent = -1;
    if (u->intent == INTENT_NONE) {
        (void)refuse(why, REFUSED_NOT_UNDERSTOOD, 0, 0);
        return BATCH_NOT_UNDERSTOOD;
    }
    if (!has_all(u, source, why))
        return BATCH_INCOMPLETE;
    copy_words(out, e, source);
    enum batch_verdict v = weigh(out, e, why);
    if (v == BATCH_OK && u->intent == INTENT_TRANSFORMATION)
        v = transform(out, e, ctx, why);
    if (v != BATCH_OK)
        return v;
    batch_make_id(out, ctx);
    *why = (struct refusal){0};
    return BATCH_OK;
}

bool batch_parts_balance(const struct entities *e, double batch_kg, struct refusal *why)
{
    double sum = 0;

    for (size_t i = 0; i < e->part_count; i++) {
        if (e->parts[i].kg <= 0 || e->parts[i].kg > most_kg) {
            (void)refuse(why, REFUSED_QUANTITY, e->parts[i].kg, 0);
            str_cut(why->what, sizeof(why->what), "kg");
            return false;
        }
        sum += e->parts[i].kg;
    }
    if (fabs(sum - batch_kg) <= batch_kg * BATCH_BALANCE_TOLERANCE + 1e-9)
        return true;
    (void)refuse(why, REFUSED_PARTS, sum, batch_kg);
    return false;
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
