#include "batches/understanding.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

static const char *const intent_names[INTENT_COUNT] = {
    [INTENT_NONE] = "none",
    [INTENT_COMMISSION] = "record_commission",
    [INTENT_RECEIPT] = "record_receipt",
    [INTENT_SHIPMENT] = "record_shipment",
    [INTENT_TRANSFORMATION] = "record_transformation",
    [INTENT_PACK] = "pack_batches",
    [INTENT_UNPACK] = "unpack_batches",
    [INTENT_SPLIT] = "split_batch",
};

static const char *const intent_events[INTENT_COUNT] = {
    [INTENT_NONE] = "",
    [INTENT_COMMISSION] = "commission",
    [INTENT_RECEIPT] = "receipt",
    [INTENT_SHIPMENT] = "shipment",
    [INTENT_TRANSFORMATION] = "transformation",
    [INTENT_PACK] = "pack",
    [INTENT_UNPACK] = "unpack",
    [INTENT_SPLIT] = "split",
};

static const char *const missing_names[MISSING_COUNT] = {
    [MISSING_NOTHING] = "",
    [MISSING_QUANTITY] = "quantity",
    [MISSING_ORIGIN] = "origin",
    [MISSING_BATCH] = "batch",
    [MISSING_OUTPUT] = "output quantity",
    [MISSING_BATCHES] = "batches",
    [MISSING_CONTAINER] = "container",
    [MISSING_PARTS] = "parts",
};

static const struct {
    const char *word, *unit;
} unit_words[] = {
    {"bag", "bags"},
    {"bags", "bags"},
    {"sack", "bags"},
    {"sacks", "bags"},
    {"kg", "kg"},
    {"kgs", "kg"},
    {"kilo", "kg"},
    {"kilos", "kg"},
    {"kilogram", "kg"},
    {"kilograms", "kg"},
    {"kilogramme", "kg"},
    {"kilogrammes", "kg"},
    {"quintal", "quintals"},
    {"quintals", "quintals"},
    {"ton", "tonnes"},
    {"tons", "tonnes"},
    {"tonne", "tonnes"},
    {"tonnes", "tonnes"},
};

void understanding_init(struct understanding *u)
{
    memset(u, 0, sizeof(*u));
    u->entities.quantity = -1;
    u->entities.output_kg = -1;
}

const char *intent_name(enum intent i)
{
    return intent_names[i];
}

const char *intent_event(enum intent i)
{
    return intent_events[i];
}

bool intent_parse(const char *name, enum intent *out)
{
    for (int i = 0; i < INTENT_COUNT; i++) {
        if (!*name || (!str_is(name, intent_names[i]) && !str_is(name, intent_events[i])))
            continue;
        *out = i;
        return true;
    }
    return false;
}

const char *missing_name(enum missing m)
{
    return missing_names[m];
}

bool missing_parse(const char *name, enum missing *out)
{
    for (int i = 0; i < MISSING_COUNT; i++) {
        if (!str_is(name, missing_names[i]))
            continue;
        *out = i;
        return true;
    }
    return false;
}

const char *unit_canonical(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(unit_words); i++)
        if (!strcasecmp(word, unit_words[i].word))
            return unit_words[i].unit;
    return NULL;
}

double unit_kg(const char *unit)
{
    static const struct {
        const char *unit;
        double kg;
    } weights[] = {{"bags", 60}, {"kg", 1}, {"", 1}, {"quintals", 100}, {"tonnes", 1000}};

    for (size_t i = 0; i < ARRAY_LEN(weights); i++)
        if (str_is(unit, weights[i].unit))
            return weights[i].kg;
    return -1;
}

/* --- JSON ------------------------------------------------------------------------ */

enum slot_type { SLOT_TEXT, SLOT_NUMBER, SLOT_UNIT };

struct slot {
    const char *name;
    enum slot_type type;
    size_t offset, size;
};

#define SLOT(name, type, field)                                                          \
    {                                                                                    \
        name, type, offsetof(struct entities, field),                                    \
            sizeof(((struct entities *)0)->field)                                        \
    }

/* The first name of a field is the one we write; the others are what models say.
 * "location" is where a thing was received, which is its origin to us. */
static const struct slot slots[] = {
    SLOT("quantity", SLOT_NUMBER, quantity),
    SLOT("unit", SLOT_UNIT, unit),
    SLOT("product", SLOT_TEXT, product),
    SLOT("grade", SLOT_TEXT, grade),
    SLOT("origin", SLOT_TEXT, origin),
    SLOT("farmer", SLOT_TEXT, farmer),
    SLOT("destination", SLOT_TEXT, destination),
    SLOT("condition", SLOT_TEXT, condition),
    SLOT("batch_id", SLOT_TEXT, batch_id),
    SLOT("transformation_type", SLOT_TEXT, process),
    SLOT("output_quantity_kg", SLOT_NUMBER, output_kg),
    SLOT("container_id", SLOT_TEXT, container),
};

static const struct slot aliases[] = {
    SLOT("amount", SLOT_NUMBER, quantity),
    SLOT("variety", SLOT_TEXT, product),
    SLOT("coffee_type", SLOT_TEXT, product),
    SLOT("quality_grade", SLOT_TEXT, grade),
    SLOT("location", SLOT_TEXT, origin),
    SLOT("farmer_name", SLOT_TEXT, farmer),
    SLOT("parent_batch_id", SLOT_TEXT, batch_id),
    SLOT("process", SLOT_TEXT, process),
    SLOT("output_quantity", SLOT_NUMBER, output_kg),
    SLOT("container", SLOT_TEXT, container),
    SLOT("parent_sscc", SLOT_TEXT, container),
};

static char *slot_text(struct entities *e, const struct slot *s)
{
    return (char *)e + s->offset;
}

static json_t *packed_json(const struct entities *e)
{
    json_t *list = e->packed_count ? json_array() : json_null();

    for (size_t i = 0; i < e->packed_count; i++)
        json_array_append_new(list, json_string(e->packed[i]));
    return list;
}

static json_t *parts_json(const struct entities *e)
{
    json_t *list = e->part_count ? json_array() : json_null();

    for (size_t i = 0; i < e->part_count; i++)
        json_array_append_new(
            list, json_pack("{s:f, s:s*}", "quantity_kg", e->parts[i].kg, "destination",
                            *e->parts[i].destination ? e->parts[i].destination : NULL));
    return list;
}

json_t *entities_to_json(const struct entities *e)
{
    json_t *o = json_object();

    for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
        const char *at = (const char *)e + slots[i].offset;
        json_t *v = NULL;
        if (slots[i].type == SLOT_NUMBER) {
            double n = 0;
            memcpy(&n, at, sizeof(n));
            if (n >= 0)
                v = n == floor(n) && n < 1e15 ? json_integer((json_int_t)n)
                                              : json_real(n);
        } else if (*at) {
            v = json_string(at);
        }
        json_object_set_new(o, slots[i].name, v ? v : json_null());
    }
    json_object_set_new(o, "batch_ids", packed_json(e));
    json_object_set_new(o, "splits", parts_json(e));
    return o;
}

/* "300", "300 kg" and 300 are all said by models. */
static bool number_of(const json_t *v, double *out)
{
    if (json_is_number(v)) {
        *out = json_number_value(v);
    } else if (json_is_string(v)) {
        char *end = NULL;
        *out = strtod(json_string_value(v), &end);
        if (end == json_string_value(v))
            return false;
    } else {
        return false;
    }
    return isfinite(*out) && *out >= 0;
}

static bool set_slot(struct entities *e, const struct slot *s, const json_t *v)
{
    char number[32];
    const char *text = json_string_value(v);
    double n = 0;

    if (json_is_array(v))
        return set_slot(e, s, json_array_get(v, 0));
    if (s->type == SLOT_NUMBER) {
        if (!number_of(v, &n))
            return false;
        memcpy(slot_text(e, s), &n, sizeof(n));
        return true;
    }
    if (json_is_integer(v)) {
        snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        text = number;
    }
    if (s->type == SLOT_UNIT && text)
        text = unit_canonical(text);
    if (!text || !*text || strlen(text) >= s->size)
        return false;
    str_cut(slot_text(e, s), s->size, text);
    return true;
}

bool entities_add_packed(struct entities *e, const char *batch_id)
{
    if (!*batch_id || strlen(batch_id) >= ENTITY_MAX)
        return false;
    for (size_t i = 0; i < e->packed_count; i++)
        if (!strcasecmp(e->packed[i], batch_id))
            return true;
    if (e->packed_count == PACKED_MAX)
        return false;
    str_cut(e->packed[e->packed_count++], ENTITY_MAX, batch_id);
    return true;
}

bool entities_add_part(struct entities *e, double kg, const char *destination)
{
    if (e->part_count == PARTS_MAX || strlen(destination) >= ENTITY_MAX)
        return false;
    struct part *p = &e->parts[e->part_count++];
    p->kg = kg;
    str_cut(p->destination, sizeof(p->destination), destination);
    return true;
}

/* Text, or a list of it. */
static bool add_packed(struct entities *e, const json_t *v)
{
    const json_t *item = NULL;
    bool any = false;
    size_t i = 0;

    if (json_is_string(v))
        return entities_add_packed(e, json_string_value(v));
    json_array_foreach(v, i, item) if (json_is_string(item)) any |=
        entities_add_packed(e, json_string_value(item));
    return any;
}

/* [{"quantity_kg": 300, "destination": "Hamburg"}]; a bare number is a weight. */
static bool add_parts(struct entities *e, const json_t *v)
{
    const json_t *item = NULL;
    size_t i = 0;

    if (!json_is_array(v))
        return false;
    json_array_foreach(v, i, item)
    {
        const json_t *kg = json_object_get(item, "quantity_kg");
        const char *to = json_string_value(json_object_get(item, "destination"));
        double n = 0;
        if (!kg)
            kg = json_object_get(item, "quantity");
        if (number_of(kg ? kg : item, &n))
            (void)entities_add_part(e, n, to ? to : "");
    }
    return e->part_count > 0;
}

/* What stands in a list, under any of its names; *mine: it is one of them. */
static bool set_list(struct entities *e, const char *name, const json_t *v, bool *mine)
{
    double n = 0;

    *mine = true;
    if (str_is(name, "batch_ids") || str_is(name, "child_batches") ||
        str_is(name, "batches"))
        return add_packed(e, v);
    if (str_is(name, "batch_id") && json_is_array(v))
        return add_packed(e, v);
    if (str_is(name, "splits"))
        return add_parts(e, v);
    /* In a flat list of names and values the parts come one by one. */
    if (str_is(name, "split_quantity_kg"))
        return number_of(v, &n) && entities_add_part(e, n, "");
    if (str_is(name, "split_destination")) {
        if (!e->part_count || !json_is_string(v))
            return false;
        struct part *last = &e->parts[e->part_count - 1];
        str_cut(last->destination, sizeof(last->destination), json_string_value(v));
        return true;
    }
    *mine = false;
    return false;
}

bool entities_set(struct entities *e, const char *name, const json_t *value)
{
    bool mine = false, done = set_list(e, name, value, &mine);

    if (mine)
        return done;
    for (size_t i = 0; i < ARRAY_LEN(slots); i++)
        if (str_is(name, slots[i].name))
            return set_slot(e, &slots[i], value);
    for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
        if (str_is(name, aliases[i].name))
            return set_slot(e, &aliases[i], value);
    if (str_is(name, "quantity_kg")) {
        if (!set_slot(e, &slots[0], value))
            return false;
        str_cut(e->unit, sizeof(e->unit), "kg");
        return true;
    }
    return false;
}

void entities_from_json(struct entities *e, const json_t *object)
{
    const char *name = NULL;
    json_t *copy = json_is_object(object) ? json_deep_copy(object) : NULL, *v = NULL;

    /* All names first, then the exact ones once more: they have the last word. */
    json_object_foreach(copy, name, v) entities_set(e, name, v);
    for (size_t i = 0; i < ARRAY_LEN(slots); i++)
        if (!json_is_array(json_object_get(copy, slots[i].name)))
            entities_set(e, slots[i].name, json_object_get(copy, slots[i].name));
    json_decref(copy);
    /* One batch named where a list was asked for is the batch spoken about. */
    if (e->packed_count > 0 && !*e->batch_id)
        str_cut(e->batch_id, sizeof(e->batch_id), e->packed[0]);
}
