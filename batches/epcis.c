#include "batches/epcis.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

#define CONTEXT "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
#define FURROW  "https://furrow.example/epcis/"

/* Ethiopia's; a batch is recorded where it is grown. */
#define ZONE_OFFSET "+03:00"

static const struct {
    const char *type, *action, *step, *disposition;
} words[EPCIS_KINDS] = {
    [EPCIS_COMMISSION] = {"ObjectEvent", "ADD", "commissioning", "active"},
    [EPCIS_SHIPMENT] = {"ObjectEvent", "OBSERVE", "shipping", "in_transit"},
    [EPCIS_RECEIPT] = {"ObjectEvent", "OBSERVE", "receiving", "in_progress"},
    [EPCIS_VERIFICATION] = {"ObjectEvent", "OBSERVE", "inspecting", "conformant"},
    [EPCIS_PACK] = {"AggregationEvent", "ADD", "packing", "in_progress"},
    [EPCIS_UNPACK] = {"AggregationEvent", "DELETE", "unpacking", "in_progress"},
    [EPCIS_SPLIT] = {"TransformationEvent", NULL, "commissioning", "active"},
    [EPCIS_TRANSFORMATION] = {"TransformationEvent", NULL, "commissioning", "active"},
};

const char *epcis_type(enum epcis_kind kind)
{
    return words[kind].type;
}

const char *epcis_action(enum epcis_kind kind)
{
    return words[kind].action;
}

const char *epcis_biz_step(enum epcis_kind kind)
{
    return words[kind].step;
}

const char *epcis_disposition(enum epcis_kind kind)
{
    return words[kind].disposition;
}

static void set(json_t *o, const char *name, const char *text)
{
    if (text)
        json_object_set_new(o, name, json_string(text));
}

static void set_time(json_t *o, int64_t at_ms)
{
    time_t s = (time_t)(at_ms / 1000);
    char second[32], text[64];
    struct tm tm = {0};

    gmtime_r(&s, &tm);
    strftime(second, sizeof(second), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, sizeof(text), "%s.%03" PRId64 "Z", second, at_ms % 1000);
    set(o, "eventTime", text);
    set(o, "eventTimeZoneOffset", ZONE_OFFSET);
}

static void set_place(json_t *o, const char *name, const char *urn)
{
    if (urn)
        json_object_set_new(o, name, json_pack("{s:s}", "id", urn));
}

static void set_epcs(json_t *o, const char *name, const struct epcis_item *items,
                     size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(items[i].epc));
    json_object_set_new(o, name, list);
}

static void set_quantities(json_t *o, const char *name, const struct epcis_item *items,
                           size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        if (items[i].kg > 0)
            json_array_append_new(list, json_pack("{s:s, s:f, s:s}", "epcClass",
                                                  items[i].epc_class, "quantity",
                                                  round(items[i].kg * 1000) / 1000, "uom",
                                                  "KGM"));
    if (json_array_size(list) > 0)
        json_object_set(o, name, list);
    json_decref(list);
}

static void set_end(json_t *o, const char *list, const char *name, const char *urn)
{
    if (urn)
        json_object_set_new(o, list,
                            json_pack("[{s:s, s:s}]", "type", "location", name, urn));
}

static void set_things(json_t *o, const struct epcis_event *e)
{
    switch (e->kind) {
    case EPCIS_COMMISSION:
    case EPCIS_SHIPMENT:
    case EPCIS_RECEIPT:
    case EPCIS_VERIFICATION:
        set_epcs(o, "epcList", e->items, e->item_count);
        set_quantities(o, "quantityList", e->items, e->item_count);
        return;
    case EPCIS_PACK:
    case EPCIS_UNPACK:
        set(o, "parentID", e->parent);
        set_epcs(o, "childEPCs", e->items, e->item_count);
        set_quantities(o, "childQuantityList", e->items, e->item_count);
        return;
    case EPCIS_SPLIT:
    case EPCIS_TRANSFORMATION:
        set_epcs(o, "inputEPCList", e->items, e->item_count);
        set_quantities(o, "inputQuantityList", e->items, e->item_count);
        set_epcs(o, "outputEPCList", e->made, e->made_count);
        set_quantities(o, "outputQuantityList", e->made, e->made_count);
        return;
    }
}

json_t *epcis_event_json(const struct epcis_event *e)
{
    char id[UUID_TEXT_MAX], text[64], name[64];
    const char *key = NULL;
    json_t *value = NULL;
    json_t *o = json_pack("{s:[s, {s:s}], s:s}", "@context", CONTEXT, "furrow", FURROW,
                          "type", epcis_type(e->kind));

    snprintf(text, sizeof(text), "urn:uuid:%s", uuid_text(&e->id, id));
    set(o, "eventID", text);
    set_time(o, e->at_ms);
    set(o, "action", epcis_action(e->kind));
    set(o, "bizStep", epcis_biz_step(e->kind));
    set(o, "disposition", epcis_disposition(e->kind));
    if (e->kind == EPCIS_SPLIT || e->kind == EPCIS_TRANSFORMATION)
        set(o, "transformationID", text);
    set_things(o, e);
    set_place(o, "readPoint", e->place);
    set_place(o, "bizLocation", e->place);
    set_end(o, "sourceList", "source", e->source);
    set_end(o, "destinationList", "destination", e->destination);
    json_t *extension = json_deep_copy(e->extension);
    json_object_foreach(extension, key, value)
    {
        if (json_is_null(value) ||
            snprintf(name, sizeof(name), "furrow:%s", key) >= (int)sizeof(name))
            continue;
        json_object_set(o, name, value);
    }
    json_decref(extension);
    return o;
}

char *epcis_canonical(const json_t *event)
{
    /* Twelve digits write a weight in grams as people do, and never a rounding error. */
    return json_dumps(event, JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(12));
}

const char *epcis_hash(const char *canonical, char out[SHA256_TEXT_MAX])
{
    uint8_t hash[SHA256_BYTES];

    sha256_of(canonical, strlen(canonical), hash);
    return sha256_text(hash, out);
}
