/* Expressions: what they come to, and what they refuse. */
#include "unit/cm.h"

#include <string.h>

#include "ivr/expr.h"

struct fixture {
    struct ivr_arena *arena;
    json_t *contact;
    struct ivr_env env;
    struct expr_env e;
};

static const struct ivr_var vars[] = {
    {"crop", {.type = IVR_TEXT, .text = "Coffee"}},
    {"n", {.type = IVR_INT, .i = 3, .text = ""}},
    {"price", {.type = IVR_DECIMAL, .i = 1250, .scale = 2, .text = ""}},
};

static int begin(void **state)
{
    static struct fixture f;

    f = (struct fixture){.arena = NULL};
    assert_int_equal(ivr_arena_new(&f.arena, NULL), 0);
    f.contact = json_loads("{\"name\": \"Abebe Bikila\", \"zip\": \"0070\", \"kg\": 2.5,"
                           " \"tags\": [\"a\", 2, true], \"deep\": {\"x\": 1},"
                           " \"am\": \"\\u1230\\u120b\\u121d\"}",
                           0, NULL);
    f.env = (struct ivr_env){.now_ms = INT64_C(1795600800000), /* 2026-11-25 10:00 UTC */
                             .seed = 7,
                             .tz_min = 180,
                             .session = "call-1",
                             .phone = "+251911234567",
                             .contact = f.contact,
                             .caps = IVR_CAP_SMS};
    *state = &f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    ivr_arena_free(f->arena);
    json_decref(f->contact);
    return 0;
}

/* The text, or "!" and the fault, or "?" and what the parser says. */
static const char *eval(struct fixture *f, const char *text)
{
    const struct expr_scope scope = {.digits = true};
    struct expr_error err = {"", ""};
    const struct expr *x = NULL;

    if (expr_parse(&x, text, strlen(text), &scope, f->arena, &err))
        return arena_printf(f->arena, "?%s", err.text);
    f->e = (struct expr_env){.env = &f->env,
                             .vars = vars,
                             .var_count = ARRAY_LEN(vars),
                             .lang = "am",
                             .digits = "007",
                             .started_at_ms = f->env.now_ms - 61500,
                             .random = 7,
                             .fuel = 500,
                             .arena = f->arena};
    struct ivr_value v = expr_eval(&f->e, x);
    if (v.type == IVR_FAULT)
        return arena_printf(f->arena, "!%s", v.text);
    return value_to_text(&v, f->arena);
}

struct row {
    const char *text, *expected;
};

static void check(void **state, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *found = eval(*state, rows[i].text);
        if (strcmp(found, rows[i].expected) != 0)
            fail_msg("%s is '%s', not '%s'", rows[i].text, found, rows[i].expected);
    }
}

#define CHECK(...)                                                                       \
    const struct row rows[] = {__VA_ARGS__};                                             \
    check(state, rows, ARRAY_LEN(rows))

static void numbers_neither_round_nor_overflow_unseen(void **state)
{
    CHECK({"1 + 2 * 3", "7"}, {"(1 + 2) * 3", "9"}, {"0.1 + 0.2", "0.3"},
          {"7 / 2", "3.5"}, {"1 / 3", "0.333333"}, {"2 / 3", "0.666667"},
          {"-7 % 3", "-1"}, {"10 - 2 - 3", "5"}, {"vars.price * 2", "25"},
          {"vars.price / 0", "!division by zero"},
          {"999999999999999999 * 999999999", "!a number is too large"},
          {"round(2.5)", "3"}, {"round(-2.5)", "-3"}, {"2.345 | round(2)", "2.35"},
          {"floor(-1.2)", "-2"}, {"ceil(1.2)", "2"}, {"abs(-3.5)", "3.5"},
          {"min(3, 1.5, 2)", "1.5"}, {"max(3, 1.5, 2)", "3"}, {"-vars.n", "-3"},
          {"contact.kg * 2", "5"}, {"1.10", "1.1"}, {"0.000000001 * 0.5", "0.000000001"},
          {"random(1)", "1"}, {"random(6) > 0", "true"});
}

static void digits_stay_text_until_someone_asks_for_a_number(void **state)
{
    CHECK({"digits", "007"}, {"contact.zip", "0070"}, {"number(digits)", "7"},
          {"digits | number + 1", "8"}, {"digits == \"007\"", "true"},
          {"digits == 7",
           "!a text cannot be compared with a whole number; number() or text()"},
          {"digits + 1", "!a number is needed, not a text"},
          {"number(\"seven\")", "!a text that reads as a number is needed, not a text"},
          {"number(\"1e5\")", "!a text that reads as a number is needed, not a text"},
          {"number(\"-12.50\")", "-12.5"}, {"is_number(\"12\")", "true"},
          {"is_number(\"12a\")", "false"}, {"text(7) == \"7\"", "true"},
          {"pad(7, 3)", "007"}, {"digits | spell", "0 0 7"},
          {"digits(\"+251 911-23\")", "25191123"});
}

static void what_was_said_is_read(void **state)
{
    static const char *const cases[][2] = {
        {"hears(\"I have LOST my bags\", \"allowance, lost\")", "true"},
        {"hears(\"my bags\", \"bag\")", "false"}, /* whole words */
        {"hears(\"my bags\", \"bag*\")", "true"},
        {"hears(\"please check-in now\", \"check in\")", "true"},
        {"hears(\"female\", \"male\")", "false"},
        {"hears(\"\", \"male\")", "false"},
        {"spoken_digits(\"my pnr is 8 5 5 6 7 8\")", "855678"},
        {"spoken_digits(\"six three one one one one\")", "631111"},
        {"spoken_digits(\"one oh one\")", "101"},
        {"spoken_digits(\"double seven oh triple two\")", "770222"},
        {"spoken_digits(\"8.5-5, uh 6 dash seven 8\")", "855678"},
        {"spoken_digits(\"eight fifty five six seventy eight\")", "855678"},
        {"spoken_digits(\"one to three for five\")", "12345"},
        {"spoken_digits(\"I want to go for a walk\")", ""},
        {"spoken_digits(\"I have 2 bags, number 111 222 333\")", "111222333"},
        {"spoken_code(\"a i 1 2 3 4\")", "AI1234"},
        {"spoken_code(\"I want to book a i one oh one please\")", "AI101"},
        {"spoken_code(\"flight SG 445 to Goa\")", "SG445"},
        {"spoken_code(\"six e 204\")", "6E204"},
        {"spoken_code(\"one zero one\")", "101"},
        {"keypad(spoken_code(\"u k five six seven eight\"))", "855678"},
        {"keypad(\"O'Neil\")", "66345"},
        {"spoken_number(\"thirty five years old\")", "35"},
        {"spoken_number(\"I am 35\")", "35"},
        {"spoken_number(\"a hundred and five\")", "105"},
        {"spoken_number(\"nineteen\")", "19"},
        {"spoken_number(\"three five\")", "35"},
        {"default(spoken_number(\"old enough\"), \"?\")", "?"},
        {"spoken_name(\"chris tomas o'neil-ray\")", "Chris Tomas O'Neil-Ray"},
        {"spoken_name(\"JOHN McDonald 3rd\")", "John McDonald Rd"},
        {"without(\"My name is Ismy Toto, please\", \"my name is, please\")",
         "Ismy Toto"},
        {"without(\"uh um\", \"uh, um\")", ""},
        {"thousands(12500)", "12,500"},
        {"thousands(800)", "800"},
        {"thousands(-1234567)", "-1,234,567"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(eval(*state, cases[i][0]), cases[i][1]);
}

static void faults_travel_until_a_default(void **state)
{
    CHECK({"1 / 0 + 1", "!division by zero"}, {"1 / 0 | default(5)", "!division by zero"},
          {"(1 / 0) | default(5)", "5"}, {"upper(1 / 0)", "!division by zero"},
          {"contact.none", ""}, {"contact.none | default(\"x\")", "x"},
          {"contact.deep.x.y.z | default(\"x\")", "x"}, {"vars.none | default(1)", "1"},
          {"\"\" | default(\"empty\")", "empty"}, {"if(true, 1, 1 / 0)", "1"},
          {"false and 1 / 0", "false"}, {"true or 1 / 0", "true"},
          {"true and 1 / 0", "!division by zero"}, {"is_empty(1 / 0)", "true"},
          {"contact.none == null", "true"}, {"contact.none == \"x\"", "false"});
}

static void texts_count_characters(void **state)
{
    CHECK({"vars.crop | upper", "COFFEE"}, {"vars.crop | lower", "coffee"},
          {"capitalize(\"maize\")", "Maize"}, {"length(contact.am)", "3"},
          {"left(contact.am, 1) | length", "1"}, {"right(\"abcdef\", 2)", "ef"},
          {"substring(\"abcdef\", 2, 3)", "bcd"}, {"substring(\"abc\", 9)", ""},
          {"trim(\"  a b \")", "a b"}, {"word(contact.name, 2)", "Bikila"},
          {"word(contact.name, 3)", ""}, {"replace(\"a-b-c\", \"-\", \"+\")", "a+b+c"},
          {"concat(\"a\", 1, true)", "a1true"}, {"contains(\"abc\", \"bc\")", "true"},
          {"starts_with(\"abc\", \"b\")", "false"},
          {"ends_with(\"abc\", \"bc\")", "true"}, {"mask(call.phone)", "**********567"},
          {"\"it\\\"s\"", "it\"s"}, {"'single'", "single"}, {"\"a\" < \"b\"", "true"},
          {"upper(contact.am) == contact.am", "true"});
}

static void lists_and_maps_can_be_looked_into(void **state)
{
    CHECK({"get(contact.tags, 1)", "a"}, {"get(contact.tags, 9)", ""},
          {"get(contact.deep, \"x\")", "1"}, {"contact.deep.x", "1"},
          {"join(contact.tags)", "a, 2, true"}, {"length(contact.tags)", "3"},
          {"contact.deep", "{\"x\":1}"},
          {"join(contact.name)", "!a list is needed, not a text"},
          {"in(vars.n, 1, 2, 3)", "true"}, {"in(\"3\", 1, 2, 3)", "false"});
}

static void times_are_on_the_contacts_clock(void **state)
{
    CHECK({"call.hour", "13"}, {"call.minute", "0"}, {"call.weekday", "3"},
          {"call.date", "2026-11-25"}, {"call.time", "13:00"}, {"call.year", "2026"},
          {"date(add_days(call.now, 6))", "2026-12-01"},
          {"time(add_minutes(call.now, -61))", "11:59"}, {"date(0)", "1970-01-01"},
          {"weekday(0)", "4"}, {"date(951782400000)", "2000-02-29"},
          {"call.seconds", "61"}, {"call.direction", "outbound"}, {"call.language", "am"},
          {"call.can_sms", "true"}, {"call.can_queue", "false"}, {"call.id", "call-1"},
          {"hour(\"now\")", "!a time in milliseconds is needed, not a text"});
}

static void logic_and_comparison_bind_as_one_reads_them(void **state)
{
    CHECK({"1 < 2 and 2 < 3", "true"}, {"not 1 == 2", "true"},
          {"1 == 1 or 1 / 0 == 1", "true"}, {"vars.n >= 3", "true"},
          {"vars.n != 3", "false"}, {"1.50 == 1.5", "true"}, {"2 <= 1", "false"},
          {"true == true", "true"}, {"vars.crop | lower == \"coffee\"", "true"},
          {"-1 < 0", "true"});
}

static void nonsense_is_told_when_it_is_written(void **state)
{
    CHECK({"", "?the expression ends too early"}, {"1 2", "?'2' is not expected here"},
          {"vars.Crop", "?'Crop' cannot be a variable's name"},
          {"call.weather", "?there is no call.weather"},
          {"shout(1)", "?there is no function 'shout'"},
          {"\"a", "?a text in the expression has no closing quote"},
          {"upper(1, 2)", "?upper() takes 1 arguments, not 2"},
          {"1.2.3", "?'1.2.3' is not a number"}, {"crop", "?nothing is called 'crop'"},
          {"env.x", "?nothing is called 'env'"}, {"#", "?'#' is not expected here"});
}

static const char *repeated(struct fixture *f, const char *piece, int n, const char *tail)
{
    struct growing g = {.arena = f->arena};

    while (n-- > 0)
        growing_puts(&g, piece);
    growing_puts(&g, tail);
    return growing_text(&g);
}

static void work_depth_and_length_are_bounded(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(eval(f, repeated(f, "(", 1000, "1")),
                        "?the expression is nested too deeply");
    assert_string_equal(eval(f, repeated(f, "1+", 1000, "1")),
                        "?too many operators in a row");
    assert_string_equal(eval(f, repeated(f, "abs(", 200, "1")),
                        "?the expression is nested too deeply");
    assert_string_equal(eval(f, "pad(\"\", 100) | concat(pad(1, 100), pad(1, 100))"
                                " | replace(\"0\", \"0123456789012345678901234567890\")"
                                " | length"),
                        "!a text is too long");
    /* 24 x 24 x 2 parts are more than the fuel of 500. */
    const char *inner = repeated(f, "1*", 23, "1");
    const char *sum = arena_printf(f->arena, "%s+", inner);
    assert_string_equal(eval(f, repeated(f, sum, 20, "1")),
                        "!the expressions take too much work");
    assert_true(f->e.fuel < 0);
}

static const char *fill(struct fixture *f, const char *text, enum template_kind kind)
{
    const struct expr_scope scope = {.digits = false};
    struct expr_error err = {"", ""};
    struct template_ t;
    const char *fault = NULL;

    if (template_parse(&t, text, &scope, f->arena, &err))
        return err.text;
    eval(f, "1"); /* fresh fuel */
    return template_eval(&f->e, &t, kind, &fault);
}

static void templates_escape_for_where_they_stand(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(fill(f, "Hi {{contact.name}}!", TEMPLATE_TEXT),
                        "Hi Abebe Bikila!");
    assert_string_equal(fill(f, "?q={{contact.name}}&k={{\"{secret:X}\"}}", TEMPLATE_URL),
                        "?q=Abebe%20Bikila&k=%7Bsecret%3AX%7D");
    assert_string_equal(fill(f, "{{\"}}\"}}", TEMPLATE_TEXT), "}}");
    assert_string_equal(fill(f, "{{contact.none}}{{1/0}}|", TEMPLATE_TEXT), "|");
    assert_string_equal(fill(f, "{{1", TEMPLATE_TEXT), "'{{' has no closing '}}'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_neither_round_nor_overflow_unseen),
        cmocka_unit_test(digits_stay_text_until_someone_asks_for_a_number),
        cmocka_unit_test(faults_travel_until_a_default),
        cmocka_unit_test(texts_count_characters),
        cmocka_unit_test(what_was_said_is_read),
        cmocka_unit_test(lists_and_maps_can_be_looked_into),
        cmocka_unit_test(times_are_on_the_contacts_clock),
        cmocka_unit_test(logic_and_comparison_bind_as_one_reads_them),
        cmocka_unit_test(nonsense_is_told_when_it_is_written),
        cmocka_unit_test(work_depth_and_length_are_bounded),
        cmocka_unit_test(templates_escape_for_where_they_stand),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
