#include "unit/cm.h"

#include <errno.h>
#include <string.h>

#include "contacts/columns.h"

enum { CELLS = 8 };

static struct csv_record record(struct csv_cell cells[CELLS], const char *const *texts)
{
    struct csv_record r = {.line = 1, .cells = cells};

    for (; texts[r.n]; r.n++)
        cells[r.n] = (struct csv_cell){texts[r.n], strlen(texts[r.n])};
    return r;
}

static struct columns *columns(const char *const *texts, const char *region)
{
    struct csv_cell cells[CELLS];
    struct csv_record r = record(cells, texts);
    struct errtext e = {0};
    struct columns *c = NULL;

    if (columns_new(&c, &r, region, NULL, 0, &e))
        fail_msg("%s", e.text);
    return c;
}

static const char *error(const char *const *texts, const struct column_map *maps,
                         size_t n, int expected)
{
    static struct errtext e;
    struct csv_cell cells[CELLS];
    struct csv_record r = record(cells, texts);
    struct columns *c = NULL;

    e = (struct errtext){0};
    assert_int_equal(columns_new(&c, &r, "ET", maps, n, &e), expected);
    assert_null(c);
    return e.text;
}

static void finds_the_phone_column_by_its_usual_names(void **state)
{
    static const char *const names[] = {"phone", "Phone Number", "MOBILE",  "Mobile No.",
                                        " tel ", "msisdn",       "ስልክ ቁጥር", "Cell-Phone"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct columns *c = columns((const char *[]){"Name", names[i], NULL}, NULL);

        assert_true(c->has_header);
        assert_int_equal(c->phone, 1);
        columns_free(c);
    }
}

static void keys_are_usable_in_flows(void **state)
{
    struct columns *c = columns((const char *[]){"First Name", "phone", "Größe (ha)",
                                                 "first-name", "", "ስም", NULL},
                                NULL);

    (void)state;
    assert_string_equal(c->at[0].key, "first_name");
    assert_string_equal(c->at[0].json, "\"first_name\":");
    assert_string_equal(c->at[2].key, "größe_ha");
    assert_string_equal(c->at[3].key, "first_name_2");
    assert_string_equal(c->at[4].key, "column_5");
    assert_string_equal(c->at[5].key, "ስም");
    columns_free(c);
}

static void a_first_row_with_a_number_is_no_header(void **state)
{
    struct columns *c = columns((const char *[]){"Abebe", "0911234567", NULL}, "ET");

    (void)state;
    assert_false(c->has_header);
    assert_int_equal(c->phone, 1);
    assert_string_equal(c->at[0].key, "column_1");
    columns_free(c);
}

static void maps_name_columns_by_name_or_number(void **state)
{
    static const struct column_map maps[] = {
        {"phone", "nummer"}, {"first_name", "Vorname"}, {"town", "3"}};
    struct csv_cell cells[CELLS];
    struct csv_record r =
        record(cells, (const char *[]){"Vorname", "Nummer", "Ort", "Phone", NULL});
    struct columns *c = NULL;

    (void)state;
    assert_int_equal(columns_new(&c, &r, NULL, maps, 3, NULL), 0);
    assert_int_equal(c->phone, 1);
    assert_string_equal(c->at[0].key, "first_name");
    assert_string_equal(c->at[2].key, "town");
    columns_free(c);
}

static void a_missing_column_is_answered_with_those_there_are(void **state)
{
    static const struct column_map wrong = {"phone", "Mobil"}, high = {"phone", "9"};
    static const char *const header[] = {"Name", "Mobilnummer", "Ort", NULL};

    (void)state;
    assert_string_equal(error(header, NULL, 0, EINVAL),
                        "line 1 has no phone column (it has: Name, Mobilnummer, Ort); "
                        "name it with --map phone=COLUMN");
    assert_string_equal(error(header, &wrong, 1, EINVAL),
                        "no column 'Mobil'; the file has: Name, Mobilnummer, Ort");
    assert_string_equal(error(header, &high, 1, EINVAL),
                        "no column '9'; the file has: Name, Mobilnummer, Ort");
    assert_non_null(
        strstr(error((const char *[]){"Jos\xE9", "phone", NULL}, NULL, 0, EBADMSG),
               "column 1 of line 1 is not UTF-8"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_phone_column_by_its_usual_names),
        cmocka_unit_test(keys_are_usable_in_flows),
        cmocka_unit_test(a_first_row_with_a_number_is_no_header),
        cmocka_unit_test(maps_name_columns_by_name_or_number),
        cmocka_unit_test(a_missing_column_is_answered_with_those_there_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
