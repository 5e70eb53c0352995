/* epcis: every kind of event with the words of the standard, its canonical form, its
 * hash. */
#include "unit/cm.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "batches/epcis.h"

static const struct epcis_item lot = {
    .epc = "urn:epc:id:sgtin:0614141.064732.17",
    .epc_class = "urn:epc:class:lgtin:0614141.064732.20261120-181500",
    .kg = 300};
static const struct epcis_item halves[] = {
    {.epc = "urn:epc:id:sgtin:0614141.000001.1",
     .epc_class = "urn:epc:class:lgtin:0614141.000001.a",
     .kg = 200},
    {.epc = "urn:epc:id:sgtin:0614141.000002.2",
     .epc_class = "urn:epc:class:lgtin:0614141.000002.a",
     .kg = 100.25}};

/* 2026-11-20T18:15:00.123Z */
static struct epcis_event event(enum epcis_kind kind)
{
    struct epcis_event e = {.kind = kind,
                            .at_ms = INT64_C(1795198500123),
                            .items = &lot,
                            .item_count = 1,
                            .place = "urn:epc:id:sgln:0614141.00010.0"};

    assert_int_equal(uuid_parse("01a20ce3-9180-7fbf-bc88-ac61e6bf20f1", &e.id), 0);
    return e;
}

static const char *text_at(const json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

static void a_commission_is_written_as_the_standard_says(void **state)
{
    json_auto_t *more = json_pack("{s:s, s:n}", "variety", "Yirgacheffe", "farmer");
    struct epcis_event e = event(EPCIS_COMMISSION);
    char hash[SHA256_TEXT_MAX];

    (void)state;
    e.extension = more;
    json_auto_t *o = epcis_event_json(&e);
    CLEANUP(free_cleanup) char *canonical = epcis_canonical(o);
    assert_string_equal(
        canonical,
        "{\"@context\":[\"https://ref.gs1.org/standards/epcis/2.0.0/"
        "epcis-context.jsonld\",{\"furrow\":\"https://furrow.example/epcis/\"}],"
        "\"action\":\"ADD\",\"bizLocation\":{\"id\":\"urn:epc:id:sgln:0614141.00010.0\"},"
        "\"bizStep\":\"commissioning\",\"disposition\":\"active\","
        "\"epcList\":[\"urn:epc:id:sgtin:0614141.064732.17\"],"
        "\"eventID\":\"urn:uuid:01a20ce3-9180-7fbf-bc88-ac61e6bf20f1\","
        "\"eventTime\":\"2026-11-20T18:15:00.123Z\",\"eventTimeZoneOffset\":\"+03:00\","
        "\"furrow:variety\":\"Yirgacheffe\","
        "\"quantityList\":[{\"epcClass\":\"urn:epc:class:lgtin:0614141.064732."
        "20261120-181500\",\"quantity\":300.0,\"uom\":\"KGM\"}],"
        "\"readPoint\":{\"id\":\"urn:epc:id:sgln:0614141.00010.0\"},"
        "\"type\":\"ObjectEvent\"}");
    /* python3: hashlib.sha256(json.dumps(e, sort_keys=True, separators=(',', ':'))) */
    assert_string_equal(
        epcis_hash(canonical, hash),
        "ba739a49c6b26f9b0e0ae5f50f161d2fb3367343dcdb5443613e5b175ee61fc6");
}

static void the_order_of_fields_does_not_change_the_hash(void **state)
{
    json_auto_t *one = json_pack("{s:i, s:{s:s, s:s}}", "b", 1, "a", "y", "2", "x", "1");
    json_auto_t *other =
        json_pack("{s:{s:s, s:s}, s:i}", "a", "x", "1", "y", "2", "b", 1);
    CLEANUP(free_cleanup) char *first = epcis_canonical(one);
    CLEANUP(free_cleanup) char *second = epcis_canonical(other);

    (void)state;
    assert_string_equal(first, "{\"a\":{\"x\":\"1\",\"y\":\"2\"},\"b\":1}");
    assert_string_equal(first, second);
}

static void every_kind_has_its_words(void **state)
{
    static const struct {
        enum epcis_kind kind;
        const char *type, *action, *step, *disposition;
    } cases[] = {
        {EPCIS_SHIPMENT, "ObjectEvent", "OBSERVE", "shipping", "in_transit"},
        {EPCIS_RECEIPT, "ObjectEvent", "OBSERVE", "receiving", "in_progress"},
        {EPCIS_VERIFICATION, "ObjectEvent", "OBSERVE", "inspecting", "conformant"},
        {EPCIS_PACK, "AggregationEvent", "ADD", "packing", "in_progress"},
        {EPCIS_UNPACK, "AggregationEvent", "DELETE", "unpacking", "in_progress"},
        {EPCIS_SPLIT, "TransformationEvent", NULL, "commissioning", "active"},
        {EPCIS_TRANSFORMATION, "TransformationEvent", NULL, "commissioning", "active"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct epcis_event e = event(cases[i].kind);
        json_auto_t *o = epcis_event_json(&e);
        assert_string_equal(text_at(o, "type"), cases[i].type);
        assert_string_equal(text_at(o, "bizStep"), cases[i].step);
        assert_string_equal(text_at(o, "disposition"), cases[i].disposition);
        if (cases[i].action)
            assert_string_equal(text_at(o, "action"), cases[i].action);
        else
            assert_null(json_object_get(o, "action"));
    }
}

static void a_shipment_says_from_where_to_where(void **state)
{
    struct epcis_event e = event(EPCIS_SHIPMENT);

    (void)state;
    e.source = "urn:epc:id:sgln:0614141.00010.0";
    e.destination = "urn:epc:id:sgln:0614141.00011.0";
    json_auto_t *o = epcis_event_json(&e);
    const json_t *to = json_array_get(json_object_get(o, "destinationList"), 0);
    const json_t *from = json_array_get(json_object_get(o, "sourceList"), 0);
    assert_string_equal(text_at(from, "source"), e.source);
    assert_string_equal(text_at(to, "destination"), e.destination);
    assert_string_equal(text_at(to, "type"), "location");
}

static void what_is_packed_has_a_parent(void **state)
{
    struct epcis_event e = event(EPCIS_PACK);

    (void)state;
    e.items = halves;
    e.item_count = 2;
    e.parent = "urn:epc:id:sscc:0614141.3123456789";
    json_auto_t *o = epcis_event_json(&e);
    assert_string_equal(text_at(o, "parentID"), e.parent);
    assert_int_equal(json_array_size(json_object_get(o, "childEPCs")), 2);
    assert_int_equal(json_array_size(json_object_get(o, "childQuantityList")), 2);
    assert_null(json_object_get(o, "epcList"));
}

static void a_change_has_what_went_in_and_what_came_out(void **state)
{
    struct epcis_event e = event(EPCIS_SPLIT);

    (void)state;
    e.made = halves;
    e.made_count = 2;
    json_auto_t *o = epcis_event_json(&e);
    assert_int_equal(json_array_size(json_object_get(o, "inputEPCList")), 1);
    assert_int_equal(json_array_size(json_object_get(o, "outputEPCList")), 2);
    const json_t *second = json_array_get(json_object_get(o, "outputQuantityList"), 1);
    assert_true(json_number_value(json_object_get(second, "quantity")) == 100.25);
    assert_string_equal(text_at(o, "transformationID"), text_at(o, "eventID"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_commission_is_written_as_the_standard_says),
        cmocka_unit_test(the_order_of_fields_does_not_change_the_hash),
        cmocka_unit_test(every_kind_has_its_words),
        cmocka_unit_test(a_shipment_says_from_where_to_where),
        cmocka_unit_test(what_is_packed_has_a_parent),
        cmocka_unit_test(a_change_has_what_went_in_and_what_came_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
