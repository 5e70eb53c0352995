#include "unit/cm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "contacts/tz.h"
#include "contacts/tz_file.h"

static int64_t ms(const char *text)
{
    int64_t at_ms = 0;

    assert_int_equal(clock_parse(text, &at_ms), 0);
    return at_ms;
}

static const struct tz_zone *zone(const char *name)
{
    const struct tz_zone *z = NULL;

    assert_int_equal(tz_find(name, &z), 0);
    return z;
}

static const char *wall(const char *name, const char *utc)
{
    static char text[80];
    struct tz_local l = tz_local_at(zone(name), ms(utc));

    snprintf(text, sizeof(text), "%04d-%02d-%02d %02d:%02d:%02d %d %+d", l.year, l.month,
             l.day, l.hour, l.minute, l.second, l.weekday, l.offset_s);
    return text;
}

static void shows_the_wall_clock_of_any_zone_and_year(void **state)
{
    static const struct {
        const char *zone, *utc, *wall;
    } cases[] = {
        {"Africa/Addis_Ababa", "2026-11-24T06:00:00Z", "2026-11-24 09:00:00 2 +10800"},
        {"America/New_York", "2026-11-24T06:00:00Z", "2026-11-24 01:00:00 2 -18000"},
        {"America/New_York", "2026-11-22T04:59:59Z", "2026-11-21 23:59:59 6 -18000"},
        {"America/New_York", "1970-01-01T00:00:00Z", "1969-12-31 19:00:00 3 -18000"},
        /* Beyond the table: the footer EST5EDT,M3.2.0,M11.1.0 holds. */
        {"America/New_York", "2040-07-01T12:00:00Z", "2040-07-01 08:00:00 7 -14400"},
        {"America/New_York", "2040-12-01T12:00:00Z", "2040-12-01 07:00:00 6 -18000"},
        {"America/New_York", "2100-03-14T06:59:59Z", "2100-03-14 01:59:59 7 -18000"},
        {"America/New_York", "2100-03-14T07:00:00Z", "2100-03-14 03:00:00 7 -14400"},
        {"Australia/Lord_Howe", "2050-01-01T00:00:00Z", "2050-01-01 11:00:00 6 +39600"},
        {"Australia/Lord_Howe", "2050-07-01T00:00:00Z", "2050-07-01 10:30:00 5 +37800"},
        {"Asia/Kathmandu", "2026-01-01T00:00:00Z", "2026-01-01 05:45:00 4 +20700"},
        /* Winter time is the one that is "saved" here, and negative. */
        {"Europe/Dublin", "2045-01-15T12:00:00Z", "2045-01-15 12:00:00 7 +0"},
        {"Europe/Dublin", "2045-07-15T12:00:00Z", "2045-07-15 13:00:00 6 +3600"},
        /* A footer whose change is stated before its own midnight. */
        {"America/Nuuk", "2045-03-26T00:59:59Z", "2045-03-25 22:59:59 6 -7200"},
        {"America/Nuuk", "2045-03-26T01:00:00Z", "2045-03-26 00:00:00 7 -3600"},
        /* And one of 50 hours after it. */
        {"Asia/Gaza", "2095-07-01T00:00:00Z", "2095-07-01 03:00:00 5 +10800"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(wall(cases[i].zone, cases[i].utc), cases[i].wall);
}

static void knows_the_changes_of_tzdata_2026f(void **state)
{
    (void)state;
    assert_string_equal(wall("America/Vancouver", "2026-11-21T16:00:00Z"),
                        "2026-11-21 09:00:00 6 -25200");
    assert_string_equal(wall("America/Edmonton", "2026-11-21T16:00:00Z"),
                        "2026-11-21 10:00:00 6 -21600");
    assert_string_equal(wall("America/Winnipeg", "2026-11-21T16:00:00Z"),
                        "2026-11-21 11:00:00 6 -18000");
    assert_string_equal(wall("Africa/Casablanca", "2026-11-21T16:00:00Z"),
                        "2026-11-21 16:00:00 6 +0");
}

static void agrees_with_the_c_library_on_every_zone(void **state)
{
    static const char *const names[] = {
        "America/New_York", "America/Sao_Paulo",   "Europe/London",
        "Asia/Tehran",      "Australia/Lord_Howe", "Africa/Cairo",
        "Antarctica/Troll", "Asia/Gaza",           "Pacific/Apia",
        "America/Winnipeg", "Africa/Casablanca",   "America/Nuuk",
        "Asia/Jerusalem",   "Europe/Dublin",       "America/Santiago",
        "Pacific/Chatham",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct tz_zone *z = zone(names[i]);

        setenv("TZ", names[i], 1);
        tzset();
        for (int64_t s = 0; s < INT64_C(4102444800); s += 499979) {
            struct tm tm;
            time_t t = (time_t)s;

            assert_non_null(localtime_r(&t, &tm));
            assert_int_equal(tz_offset_s(z, s * 1000), (int32_t)tm.tm_gmtoff);
        }
    }
    unsetenv("TZ");
    tzset();
}

static void finds_the_next_change(void **state)
{
    int64_t at_ms = 0;

    (void)state;
    assert_int_equal(
        tz_next_change(zone("America/New_York"), ms("2026-11-24T00:00:00Z"), &at_ms), 0);
    assert_int_equal(at_ms, ms("2027-03-14T07:00:00Z"));
    assert_int_equal(tz_next_change(zone("America/New_York"), at_ms, &at_ms), 0);
    assert_int_equal(at_ms, ms("2027-11-07T06:00:00Z"));
    assert_int_equal(
        tz_next_change(zone("America/New_York"), ms("2060-06-01T00:00:00Z"), &at_ms), 0);
    assert_int_equal(at_ms, ms("2060-11-07T06:00:00Z"));
    assert_int_equal(
        tz_next_change(zone("Africa/Addis_Ababa"), ms("2026-01-01T00:00:00Z"), &at_ms),
        ENODATA);
}

static void a_change_is_one_of_the_offset_not_of_the_name(void **state)
{
    static const char *const names[] = {"America/Vancouver", "America/Winnipeg",
                                        "Europe/Lisbon", "America/Anchorage",
                                        "Asia/Tashkent"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int64_t at_ms = INT64_MIN / 4000;

        while (tz_next_change(zone(names[i]), at_ms, &at_ms) == 0 &&
               at_ms < ms("2100-01-01T00:00:00Z"))
            assert_int_not_equal(tz_offset_s(zone(names[i]), at_ms - 1000),
                                 tz_offset_s(zone(names[i]), at_ms));
    }
}

static size_t instants(const char *name, struct tz_local l, int64_t out[TZ_INSTANTS_MAX])
{
    return tz_instants(zone(name), &l, out);
}

static void a_local_time_is_none_one_or_two_instants(void **state)
{
    int64_t at[TZ_INSTANTS_MAX];
    struct tz_local l = {.year = 2026, .month = 11, .day = 24, .hour = 9};

    (void)state;
    assert_int_equal(instants("Africa/Addis_Ababa", l, at), 1);
    assert_int_equal(at[0], ms("2026-11-24T06:00:00Z"));
    l = (struct tz_local){.year = 2027, .month = 3, .day = 14, .hour = 2, .minute = 30};
    assert_int_equal(instants("America/New_York", l, at), 0);
    l = (struct tz_local){.year = 2026, .month = 11, .day = 1, .hour = 1, .minute = 30};
    assert_int_equal(instants("America/New_York", l, at), 2);
    assert_int_equal(at[0], ms("2026-11-01T05:30:00Z"));
    assert_int_equal(at[1], ms("2026-11-01T06:30:00Z"));
    /* Half an hour is skipped and repeated on Lord Howe. */
    l = (struct tz_local){.year = 2050, .month = 4, .day = 3, .hour = 1, .minute = 45};
    assert_int_equal(instants("Australia/Lord_Howe", l, at), 2);
    assert_int_equal(at[1] - at[0], 30 * 60 * 1000);
    /* Samoa left out a whole day, 30 December 2011. */
    l = (struct tz_local){.year = 2011, .month = 12, .day = 30, .hour = 12};
    assert_int_equal(instants("Pacific/Apia", l, at), 0);
    l.day = 31;
    assert_int_equal(instants("Pacific/Apia", l, at), 1);
}

static void refuses_names_that_are_no_zones(void **state)
{
    static const char *const bad[] = {
        "",
        "Africa/Nowhere",
        "../../../etc/passwd",
        "/etc/passwd",
        "Africa",
        "A",
        "Africa/../Africa/Cairo",
        "tzdata.zi",
        "America/New_York ",
        "EST5EDT4,M1",
    };
    const struct tz_zone *z = NULL;

    (void)state;
    assert_int_equal(tz_find(NULL, &z), ENOENT);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(tz_find(bad[i], &z), ENOENT);
    assert_null(z);
    assert_ptr_equal(zone("Africa/Cairo"), zone("Africa/Cairo"));
    assert_string_equal(tz_name(zone("Africa/Cairo")), "Africa/Cairo");
}

static void copy_zone(const char *from, const char *to)
{
    char *data = NULL;
    size_t len = 0;

    assert_int_equal(files_read(from, 1 << 20, &data, &len), 0);
    assert_int_equal(files_write_atomic(to, data, len), 0);
    free(data);
}

static void a_replaced_file_changes_the_rules_behind_a_handle(void **state)
{
    char dir[] = "/tmp/test-tz-XXXXXX", path[64], marker[64], version[TZ_VERSION_MAX];
    const struct tz_zone *z = NULL;

    (void)state;
    zone("Asia/Kathmandu");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/Test", dir);
    snprintf(marker, sizeof(marker), "%s/tzdata.zi", dir);
    setenv("TZDIR", dir, 1);
    copy_zone("/usr/share/zoneinfo/Asia/Tokyo", path);
    const struct tz_zone *test = zone("Test");
    assert_int_equal(tz_refresh(version), ENOENT);
    assert_string_equal(version, "");
    assert_int_equal(tz_offset_s(test, 0), 9 * 3600);
    /* A zone that is not in this directory is not found; its handle keeps its rules. */
    assert_int_equal(tz_find("Asia/Kathmandu", &z), ENOENT);

    assert_int_equal(files_write_atomic(marker, "# version 2027a\n", 16), 0);
    copy_zone("/usr/share/zoneinfo/Africa/Addis_Ababa", path);
    assert_int_equal(tz_offset_s(test, 0), 9 * 3600);
    assert_int_equal(tz_refresh(version), 0);
    assert_string_equal(version, "2027a");
    assert_ptr_equal(zone("Test"), test);
    assert_int_equal(tz_offset_s(test, 0), 3 * 3600);

    assert_int_equal(files_write_atomic(path, "TZif2junk", 9), 0);
    assert_int_equal(tz_refresh(version), 0);
    assert_int_equal(tz_find("Test", &z), EBADMSG);
    assert_int_equal(tz_offset_s(test, 0), 3 * 3600);
    copy_zone("/usr/share/zoneinfo/Asia/Tokyo", path);
    assert_int_equal(tz_refresh(version), 0);
    assert_int_equal(tz_offset_s(zone("Test"), 0), 9 * 3600);

    unsetenv("TZDIR");
    unlink(path);
    unlink(marker);
    rmdir(dir);
    assert_int_equal(tz_refresh(version), 0);
    assert_true(strlen(version) >= 5 && strcmp(version, "2026") > 0);
    assert_int_equal(tz_find("Test", &z), ENOENT);
    assert_int_equal(tz_offset_s(zone("Asia/Kathmandu"), 0), 19800);
}

static void a_damaged_file_is_refused_at_every_length(void **state)
{
    char *data = NULL;
    size_t len = 0;
    struct tz_rules *r = NULL;

    (void)state;
    assert_int_equal(
        files_read("/usr/share/zoneinfo/America/New_York", 1 << 20, &data, &len), 0);
    for (size_t n = 0; n < len; n++) {
        /* A copy of its own, so that the sanitizer sees one byte too far. */
        unsigned char *cut = malloc(n ? n : 1);

        memcpy(cut, data, n);
        assert_int_equal(tz_rules_parse(&r, cut, n), EBADMSG);
        free(cut);
    }
    assert_int_equal(tz_rules_parse(&r, (unsigned char *)data, len), 0);
    free(r);
    for (size_t i = 0; i < len; i++) {
        char kept = data[i];

        data[i] = (char)~kept;
        if (tz_rules_parse(&r, (unsigned char *)data, len) == 0) {
            (void)tz_rules_offset_s(r, INT64_C(1) << 33);
            free(r);
        }
        data[i] = kept;
    }
    free(data);
}

static void reads_every_form_of_footer(void **state)
{
    static const char *const good[] = {
        "EST5EDT,M3.2.0,M11.1.0",
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
        "UTC0",
        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
        "AAA1BBB,J60/2,300",
        "AAA-9:30:15",
    };
    static const char *const bad[] = {
        "",
        "EST",
        "5",
        "EST5EDT",
        "EST5EDT,M3.2.0",
        "EST5EDT,M13.2.0,M11.1.0",
        "<",
        "<+1",
        "E5",
        "EST5EDT,M3.2.0,M11.1.0x",
        "EST25",
        "EST5EDT,J0,J1",
        "EST5EDT,M3.2.0/168,M11.1.0",
    };
    struct tz_footer f;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(tz_footer_parse(&f, good[i]), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(tz_footer_parse(&f, bad[i]), EBADMSG);
    assert_int_equal(tz_footer_parse(&f, "AAA-9:30:15"), 0);
    assert_int_equal(f.std_s, 9 * 3600 + 30 * 60 + 15);
}

static void days_and_dates_are_each_others_inverse(void **state)
{
    int y = 0, m = 0, d = 0;

    (void)state;
    assert_int_equal(tz_day_number(1970, 1, 1), 0);
    assert_int_equal(tz_day_weekday(0), 4);
    for (int64_t day = -800000; day < 800000; day += 7) {
        tz_day_date(day, &y, &m, &d);
        assert_int_equal(tz_day_number(y, m, d), day);
    }
    tz_day_date(tz_day_number(2028, 2, 29), &y, &m, &d);
    assert_int_equal(y * 10000 + m * 100 + d, 20280229);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_the_wall_clock_of_any_zone_and_year),
        cmocka_unit_test(knows_the_changes_of_tzdata_2026f),
        cmocka_unit_test(agrees_with_the_c_library_on_every_zone),
        cmocka_unit_test(finds_the_next_change),
        cmocka_unit_test(a_change_is_one_of_the_offset_not_of_the_name),
        cmocka_unit_test(a_local_time_is_none_one_or_two_instants),
        cmocka_unit_test(refuses_names_that_are_no_zones),
        cmocka_unit_test(a_replaced_file_changes_the_rules_behind_a_handle),
        cmocka_unit_test(a_damaged_file_is_refused_at_every_length),
        cmocka_unit_test(reads_every_form_of_footer),
        cmocka_unit_test(days_and_dates_are_each_others_inverse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
