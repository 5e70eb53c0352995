/* Tables: their files, what a request of a flow means, and what it makes of a row. */
#include "unit/cm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/attrs.h"
#include "campaigns/table_memory.h"

struct source {
    const char *text;
    size_t at;
};

static ssize_t give(void *arg, void *buf, size_t size)
{
    struct source *s = arg;
    size_t n = strlen(s->text + s->at);

    n = n < size ? n : size;
    memcpy(buf, s->text + s->at, n);
    s->at += n;
    return (ssize_t)n;
}

static int read_file(const char *text, struct table_def *def, json_t **rows,
                     struct errtext *e)
{
    struct source s = {text, 0};

    *def = (struct table_def){.key = -1};
    return table_file_read(give, &s, def, rows, e);
}

static const char flights[] =
    "flight:key,route,seats:int,fare:number,open:bool,pin:secret\n"
    "AI101,\"Mumbai, to Delhi\",30,12.5,yes,1234\n"
    "UK822,,,,no,\n";

static void a_file_is_a_table(void **state)
{
    struct table_def def, again;
    struct errtext e = {0};
    json_t *rows = NULL;

    (void)state;
    assert_int_equal(read_file(flights, &def, &rows, &e), 0);
    assert_int_equal(def.n, 6);
    assert_int_equal(def.key, 0);
    assert_int_equal(def.columns[5].type, TABLE_SECRET);
    json_t *wanted =
        json_loads("[{\"flight\": \"AI101\", \"route\": \"Mumbai, to Delhi\", \"seats\": "
                   "30, \"fare\": 12.5, \"open\": true, \"pin\": \"1234\"}, {\"flight\": "
                   "\"UK822\", \"route\": \"\", \"seats\": null, \"fare\": null, "
                   "\"open\": false, \"pin\": null}]",
                   0, NULL);
    assert_true(json_equal(rows, wanted));
    json_t *columns = table_def_json(&def);
    assert_int_equal(table_def_read(&again, columns), 0);
    assert_memory_equal(&again.columns, &def.columns, sizeof(def.columns[0]) * def.n);
    assert_int_equal(again.key, def.key);
    json_decref(columns);
    json_decref(wanted);
    json_decref(rows);
}

static void a_file_that_is_wrong_says_where(void **state)
{
    static const char *const cases[][2] = {
        {"Flight\n", "'Flight' cannot be a column's name: up to 31 letters a-z, digits "
                     "and _, a letter first"},
        {"a:date\n", "column 'a': there is no type 'date'; known: text, int, number, "
                     "bool, secret, and key for the one that tells rows apart"},
        {"a,a\n", "two columns are called 'a'"},
        {"a:key,b:key\n", "two columns are the key: 'a' and 'b'"},
        {"a:key,n:int\nx,1\ny,many\n",
         "line 3, column 'n': 'many' is not a whole number"},
        {"a:key,n:int\n,1\n", "line 2, column 'a': '' is not a key"},
        {"a,b\nx\n", "line 2: 1 cells, not 2"},
        {"a,pin:secret\nx,\xff\n",
         "line 2, column 'pin': '…' is not a text of up to 2000 bytes of UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct errtext e = {0};
        struct table_def def;
        json_t *rows = NULL;
        assert_int_not_equal(read_file(cases[i][0], &def, &rows, &e), 0);
        assert_null(rows);
        assert_string_equal(e.text, cases[i][1]);
    }
}

/* "fits", "not", or the fault. */
static const char *ask(const char *where, const char *row_text)
{
    static struct errtext e;
    struct table_request r;
    struct errtext ignored = {0};
    struct table_def def;
    json_t *rows = NULL, *row = json_loads(row_text, 0, NULL);
    const struct ivr_data d = {.table = "t", .where = where, .change = "{}"};

    e = (struct errtext){0};
    assert_int_equal(read_file(flights, &def, &rows, &ignored), 0);
    int err = table_request_read(&r, &def, &d, &e);
    bool fits = !err && table_row_fits(&r, row);
    table_request_free(&r);
    json_decref(rows);
    json_decref(row);
    return err ? e.text : fits ? "fits" : "not";
}

static void all_conditions_must_hold(void **state)
{
    static const char row[] = "{\"flight\": \"AI101\", \"route\": \"\", \"seats\": 1, "
                              "\"fare\": 12.5, \"open\": true}";
    static const char *const cases[][2] = {
        {"{}", "fits"},
        {"{\"flight\": \"AI101\"}", "fits"},
        {"{\"flight\": \"AI101\", \"seats\": {\"at_least\": 1}}", "fits"},
        {"{\"flight\": \"AI101\", \"seats\": {\"more\": 1}}", "not"},
        {"{\"seats\": \"1\"}", "fits"}, /* keyed digits are text */
        {"{\"seats\": {\"less\": \"2\"}, \"open\": true}", "fits"},
        {"{\"fare\": {\"at_most\": 12}}", "not"},
        {"{\"fare\": {\"more\": 12}}", "fits"},
        {"{\"flight\": {\"not\": \"UK822\"}}", "fits"},
        {"{\"flight\": {\"not\": \"AI101\"}}", "not"},
        {"{\"seats\": null}", "not"},
        {"{\"flight\": 101}", "not"},
        {"{\"seats\": \"one\"}", "column 'seats': not a value of type int"},
        {"{\"seat\": 1}", "there is no column 'seat'"},
        {"{\"pin\": {\"not\": \"1\"}}", "column 'pin': not a value of type secret"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(ask(cases[i][0], row), cases[i][1]);
}

static void a_change_adds_sets_and_hides_secrets(void **state)
{
    struct table_def def;
    struct table_request r;
    struct errtext e = {0};
    json_t *rows = NULL;
    struct ivr_data d = {.op = IVR_DATA_UPDATE,
                         .table = "t",
                         .where = "{\"pin\": \"1234\"}",
                         .change = "{\"seats\": {\"add\": -1}, \"route\": \"x\", "
                                   "\"pin\": \"0007\"}"};

    (void)state;
    assert_int_equal(read_file(flights, &def, &rows, &e), 0);
    json_t *row = json_array_get(rows, 0);
    assert_int_equal(table_request_read(&r, &def, &d, &e), 0);
    assert_string_equal(r.secret->name, "pin");
    assert_string_equal(r.guess, "1234");
    assert_int_equal(table_row_change(&r, &def, row), 0);
    table_request_free(&r);
    assert_int_equal(json_integer_value(json_object_get(row, "seats")), 29);
    const char *hash = json_string_value(json_object_get(row, "pin"));
    assert_null(strstr(hash, "0007"));
    assert_true(table_secret_is(hash, "0007"));
    assert_false(table_secret_is(hash, "1234"));
    char *shown = table_row_shown(&def, row);
    assert_null(strstr(shown, "pin"));
    free(shown);
    d.change = "{\"flight\": \"AI102\"}";
    assert_int_equal(table_request_read(&r, &def, &d, &e), EINVAL);
    assert_string_equal(e.text, "column 'flight' is the key: it stays as it is");
    table_request_free(&r);
    d = (struct ivr_data){.op = IVR_DATA_INSERT,
                          .table = "t",
                          .where = "{}",
                          .change = "{\"flight\": \"AI9\", \"seats\": {\"add\": 1}}"};
    assert_int_equal(table_request_read(&r, &def, &d, &e), EINVAL);
    table_request_free(&r);
    json_decref(rows);
}

static void a_number_does_not_run_over(void **state)
{
    struct table_def def;
    struct table_request r;
    struct errtext e = {0};
    json_t *rows = NULL;
    const struct ivr_data d = {.op = IVR_DATA_UPDATE,
                               .table = "t",
                               .where = "{}",
                               .change = "{\"seats\": {\"add\": 9223372036854775807}}"};

    (void)state;
    assert_int_equal(read_file(flights, &def, &rows, &e), 0);
    assert_int_equal(table_request_read(&r, &def, &d, &e), 0);
    assert_int_equal(table_row_change(&r, &def, json_array_get(rows, 0)), ERANGE);
    table_request_free(&r);
    json_decref(rows);
}

/* ---- in memory ---- */

static struct table_memory memory;

/* "done {row}", "none", "locked", "failed". */
static const char *asked(enum ivr_data_op op, const char *where, const char *change,
                         int64_t now_ms)
{
    static const char *const results[] = {"done", "none", "locked", "failed"};
    static char out[200];
    const struct ivr_data d = {
        .op = op, .table = "flights", .where = where, .change = change};
    CLEANUP(table_result_free) struct table_result r = {0};
    struct errtext e = {0};

    table_memory_run(&memory, &d, now_ms, &r, &e);
    snprintf(out, sizeof(out), "%s%s%s", results[r.result], r.row ? " " : "",
             r.row ? r.row : "");
    return out;
}

static void a_row_is_found_by_its_key_whatever_happened_to_the_table(void **state)
{
    static const char text[] = "flight:key,seats:int\nA,1\nB,2\nC,3\nA,9\n";
    struct table_memory before;
    struct errtext e = {0};
    struct table_def def;
    json_t *rows = NULL;

    (void)state;
    assert_int_equal(read_file(text, &def, &rows, &e), 0);
    assert_int_equal(table_memory_add(&memory, "flights", &def, rows, &e), 0);
    table_memory_copy(&memory, &before);
    /* The later row of a key counts, as after an import. */
    assert_string_equal(asked(IVR_DATA_FIND, "{\"flight\": \"A\"}", "{}", 1),
                        "done {\"flight\":\"A\",\"seats\":9}");
    assert_string_equal(
        asked(IVR_DATA_FIND, "{\"flight\": \"A\", \"seats\": 1}", "{}", 1), "none");
    assert_string_equal(asked(IVR_DATA_DELETE, "{\"flight\": \"B\"}", "{}", 1),
                        "done {\"flight\":\"B\",\"seats\":2}");
    assert_string_equal(asked(IVR_DATA_FIND, "{\"flight\": \"B\"}", "{}", 1), "none");
    assert_string_equal(
        asked(IVR_DATA_INSERT, "{}", "{\"flight\": \"C\", \"seats\": 5}", 1), "none");
    assert_string_equal(
        asked(IVR_DATA_INSERT, "{}", "{\"flight\": \"B\", \"seats\": 5}", 1),
        "done {\"flight\":\"B\",\"seats\":5}");
    assert_string_equal(
        asked(IVR_DATA_UPDATE, "{\"flight\": \"B\"}", "{\"seats\": {\"add\": 1}}", 1),
        "done {\"flight\":\"B\",\"seats\":6}");
    /* Without its key: all that fit, in the order in which they came. */
    assert_string_equal(asked(IVR_DATA_DELETE, "{\"seats\": {\"more\": 5}}", "{}", 1),
                        "done {\"flight\":\"A\",\"seats\":9}");
    assert_int_equal(json_array_size(memory.tables[0].rows), 1);
    assert_int_equal(json_object_size(memory.tables[0].keys), 1);
    assert_int_equal(json_array_size(before.tables[0].rows), 3);
    table_memory_free(&before);
    table_memory_free(&memory);
}

static void a_secret_is_locked_after_five_wrong_guesses(void **state)
{
    static const char text[] = "flight:key,pin:secret\nA,1234\nB,9999\n";
    struct errtext e = {0};
    struct table_def def;
    json_t *rows = NULL;

    (void)state;
    assert_int_equal(read_file(text, &def, &rows, &e), 0);
    assert_int_equal(table_memory_add(&memory, "flights", &def, rows, &e), 0);
    assert_string_equal(
        asked(IVR_DATA_FIND, "{\"flight\": \"A\", \"pin\": \"1234\"}", "{}", 1),
        "done {\"flight\":\"A\"}");
    for (int i = 0; i < TABLE_TRIES; i++)
        assert_string_equal(
            asked(IVR_DATA_FIND, "{\"flight\": \"A\", \"pin\": \"1\"}", "{}", 2), "none");
    /* Also where another row would come after it. */
    assert_string_equal(asked(IVR_DATA_FIND, "{\"pin\": \"9999\"}", "{}", 3), "locked");
    assert_string_equal(asked(IVR_DATA_FIND, "{\"flight\": \"A\", \"pin\": \"1234\"}",
                              "{}", 3 + TABLE_LOCKED_MS),
                        "done {\"flight\":\"A\"}");
    table_memory_free(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_a_table),
        cmocka_unit_test(a_file_that_is_wrong_says_where),
        cmocka_unit_test(all_conditions_must_hold),
        cmocka_unit_test(a_change_adds_sets_and_hides_secrets),
        cmocka_unit_test(a_number_does_not_run_over),
        cmocka_unit_test(a_row_is_found_by_its_key_whatever_happened_to_the_table),
        cmocka_unit_test(a_secret_is_locked_after_five_wrong_guesses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
