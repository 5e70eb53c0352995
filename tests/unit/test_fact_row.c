/* Rows of compliance facts: columns by their names, words as people write them, and
 * bytes that mean nothing. */
#include "unit/cm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "compliance/fact_row.h"

#define NOW_MS INT64_C(1795507200000) /* 2026-11-24T08:00:00Z */
#define DAY_MS INT64_C(86400000)

enum { CELLS = 8 };

static struct fact_columns columns;
static struct fact_row row;
static struct fact_reject why;
static const struct fact_defaults plain = {.now_ms = NOW_MS};

static struct csv_record record(const char *const *texts, struct csv_cell cells[CELLS])
{
    struct csv_record r = {.line = 2, .cells = cells};

    for (; r.n < CELLS && texts[r.n]; r.n++)
        cells[r.n] = (struct csv_cell){.text = texts[r.n], .len = strlen(texts[r.n])};
    return r;
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int head(enum fact_kind kind, const char *const *names)
{
    struct csv_cell cells[CELLS];
    struct csv_record r = record(names, cells);
    struct errtext e = {0};

    return fact_columns_find(kind, &r, &plain, &columns, &e);
}

static bool reads(enum fact_kind kind, const struct fact_defaults *defaults,
                  const char *const *texts)
{
    struct csv_cell cells[CELLS];
    struct csv_record r = record(texts, cells);

    return fact_row_read(kind, &columns, &r, defaults, &row, &why);
}

static void columns_are_found_by_any_of_their_names(void **state)
{
    (void)state;
    assert_int_equal(head(FACT_LINE_TYPE, TEXTS("Note", "Line Type", "Phone-Number")), 0);
    assert_int_equal(columns.at[FIELD_PHONE], 2);
    assert_int_equal(columns.at[FIELD_LINE], 1);
    assert_int_equal(columns.at[FIELD_CHECKED_AT], -1);
    assert_int_equal(head(FACT_LINE_TYPE, TEXTS("Note", "Phone")), EINVAL);
    /* One name may mean different columns in different files. */
    assert_int_equal(head(FACT_WASH, TEXTS("number", "result", "list")), 0);
    assert_int_equal(columns.at[FIELD_HIT], 1);
    assert_int_equal(head(FACT_REASSIGNED, TEXTS("number", "result")), 0);
    assert_int_equal(columns.at[FIELD_ANSWER], 1);
}

static void what_is_dated_ahead_or_not_at_all_is_no_fact(void **state)
{
    const struct fact_defaults dated = {.now_ms = NOW_MS, .checked_at_ms = NOW_MS - 5};

    (void)state;
    assert_int_equal(head(FACT_LINE_TYPE, TEXTS("phone", "line", "checked_at")), 0);
    assert_true(
        reads(FACT_LINE_TYPE, &plain, TEXTS("+13055550123", "Wireless", "2026-11-24")));
    assert_int_equal(row.line, LINE_FACT_MOBILE);
    assert_int_equal(row.checked_at_ms, NOW_MS - 8 * 3600000);
    assert_false(reads(FACT_LINE_TYPE, &plain,
                       TEXTS("+13055550123", "voip", "2026-11-24T08:00:01Z")));
    assert_string_equal(why.reason, "in_the_future");
    assert_false(reads(FACT_LINE_TYPE, &plain, TEXTS("+13055550123", "voip")));
    assert_string_equal(why.reason, "no_date");
    assert_true(reads(FACT_LINE_TYPE, &dated, TEXTS("+13055550123", "voip")));
    assert_int_equal(row.checked_at_ms, NOW_MS - 5);
    assert_false(reads(FACT_LINE_TYPE, &dated, TEXTS("+13055550123", "pigeon")));
    assert_string_equal(why.reason, "unknown_line");
}

static void a_wash_needs_an_end(void **state)
{
    struct fact_defaults d = {.now_ms = NOW_MS, .list = "us.wash"};

    (void)state;
    assert_int_equal(head(FACT_WASH, TEXTS("phone", "hit", "list", "date", "expires")),
                     0);
    assert_false(reads(FACT_WASH, &d, TEXTS("+13055550123", "no", "", "2026-11-20")));
    assert_string_equal(why.reason, "no_expiry");
    assert_false(reads(FACT_WASH, &d,
                       TEXTS("+13055550123", "no", "", "2026-11-20", "2026-11-19")));
    d.valid_days = 30;
    assert_true(reads(FACT_WASH, &d, TEXTS("+13055550123", "no", "", "2026-11-20")));
    assert_string_equal(row.list, "us.wash");
    assert_int_equal(row.expires_at_ms - row.checked_at_ms, 30 * DAY_MS);
    assert_true(reads(FACT_WASH, &d,
                      TEXTS("+13055550123", "LISTED", "x", "2026-11-20", "2026-12-01")));
    assert_true(row.hit);
    assert_string_equal(row.list, "x");
    assert_int_equal(row.expires_at_ms - row.checked_at_ms, 11 * DAY_MS);
}

static void what_was_confirmed_names_its_zone_and_day(void **state)
{
    (void)state;
    assert_int_equal(
        head(FACT_PLACE, TEXTS("phone", "region", "zones", "confirmed", "said_at")), 0);
    assert_true(reads(
        FACT_PLACE, &plain,
        TEXTS("+13055550123", "US-CA", "America/Los_Angeles;America/Denver", "no")));
    assert_string_equal(row.zones, "America/Los_Angeles America/Denver");
    assert_false(reads(FACT_PLACE, &plain, TEXTS("+13055550123", "US-CA", "", "yes")));
    assert_string_equal(why.reason, "no_zone");
    assert_false(
        reads(FACT_PLACE, &plain, TEXTS("+13055550123", "", "America/Denver", "yes")));
    assert_string_equal(why.reason, "no_date");
    assert_false(reads(FACT_PLACE, &plain, TEXTS("+13055550123", "us-ca", "", "")));
    assert_string_equal(why.reason, "unknown_region");
    assert_false(
        reads(FACT_PLACE, &plain, TEXTS("+13055550123", "", "../../etc/passwd")));
    assert_false(reads(FACT_PLACE, &plain, TEXTS("+13055550123")));
    assert_string_equal(why.reason, "empty");
}

static void a_word_that_takes_back_needs_no_more(void **state)
{
    (void)state;
    assert_int_equal(
        head(FACT_CONSENT, TEXTS("phone", "level", "given", "revoked", "evidence")), 0);
    assert_true(reads(FACT_CONSENT, &plain, TEXTS("+13055550123", "", "", "yes")));
    assert_int_equal(row.revoked_at_ms, NOW_MS);
    assert_int_equal(row.level, CONSENT_NONE);
    assert_false(reads(FACT_CONSENT, &plain, TEXTS("+13055550123", "", "", "no")));
    assert_string_equal(why.reason, "no_level");
    assert_false(
        reads(FACT_CONSENT, &plain,
              TEXTS("+13055550123", "written", "2026-02-01", "2026-01-01", "x")));
    assert_string_equal(why.reason, "revoked_before_given");
    assert_true(reads(FACT_CONSENT, &plain,
                      TEXTS("+13055550123", "written", "2026-01-01", "2026-02-01", "x")));
    assert_int_equal(row.level, CONSENT_EXPRESS_WRITTEN);
    assert_true(row.revoked_at_ms > row.given_at_ms);
}

/* Whatever is read has what its kind must have; nothing is read past its end. */
static void bytes_that_mean_nothing_are_refused(void **state)
{
    static const char *const names[FACT_KINDS][CELLS] = {
        {"phone", "hit", "list", "checked_at", "expires_at", NULL},
        {"phone", "line", "checked_at", NULL},
        {"phone", "answer", "checked_at", NULL},
        {"phone", "region", "zone", "confirmed", "said_at", NULL},
        {"phone", "level", "given_at", "seller", "purpose", "evidence", "revoked_at",
         NULL}};
    static const char *const good[FACT_KINDS][CELLS] = {
        {"+13055550123", "yes", "us.wash", "2026-01-02", "2026-12-02"},
        {"+13055550123", "mobile", "2026-01-02"},
        {"+13055550123", "no", "2026-01-02"},
        {"+13055550123", "US-CA", "America/Denver", "yes", "2026-01-02"},
        {"+13055550123", "express", "2026-01-02", "coop", "survey", "form", ""}};
    static const char *const bits[] = {
        "+13055550123", "yes",        "2026-01-02", "US-CA", "",         "\xff\xfe",
        "express",      "2999-01-01", "no",         "\"=1",  "\xe1\x88", "-1"};
    char text[CELLS][1200];
    unsigned seed = 7, taken = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        enum fact_kind kind = (enum fact_kind)(round % FACT_KINDS);
        const char *texts[CELLS] = {NULL};

        assert_int_equal(head(kind, names[kind]), 0);
        for (int i = 0; i < CELLS - 1; i++) {
            seed = seed * 1664525u + 1013904223u;
            if (seed >> 28 > 4) {
                str_cut(text[i], sizeof(text[i]), good[kind][i] ? good[kind][i] : "");
            } else if (seed >> 28) {
                str_cut(text[i], sizeof(text[i]), bits[(seed >> 16) % ARRAY_LEN(bits)]);
            } else { /* long */
                memset(text[i], 'a' + (int)(seed >> 16) % 26, 1000);
                text[i][1000] = '\0';
            }
            texts[i] = text[i];
        }
        if (!reads(kind, &plain, texts)) {
            assert_non_null(why.reason);
            assert_non_null(why.hint);
            continue;
        }
        taken++;
        assert_true(row.phone > 0);
        assert_true(row.checked_at_ms <= NOW_MS && row.given_at_ms <= NOW_MS &&
                    row.revoked_at_ms <= NOW_MS);
        assert_true(str_is_utf8(row.evidence, strlen(row.evidence)));
        if (kind == FACT_WASH)
            assert_true(row.expires_at_ms > row.checked_at_ms && row.list[0]);
        if (kind == FACT_CONSENT)
            assert_true(row.revoked_at_ms || (row.level && row.evidence[0]));
    }
    assert_true(taken > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_found_by_any_of_their_names),
        cmocka_unit_test(what_is_dated_ahead_or_not_at_all_is_no_fact),
        cmocka_unit_test(a_wash_needs_an_end),
        cmocka_unit_test(what_was_confirmed_names_its_zone_and_day),
        cmocka_unit_test(a_word_that_takes_back_needs_no_more),
        cmocka_unit_test(bytes_that_mean_nothing_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
