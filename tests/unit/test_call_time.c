#include "unit/cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "contacts/tz.h"
#include "workers/call_time.h"

/* Tuesday 2026-11-24, 11:00 in Addis Ababa. */
#define SAID INT64_C(1795507200000)
#define HOUR INT64_C(3600000)
#define DAY  (24 * HOUR)

enum { SPANS = 32 };
static struct ivr_span open_hours[SPANS];
static const struct tz_zone *addis;

/* Every day from nine to eight in the evening, from the moment on. */
static int prepare(void **state)
{
    (void)state;
    if (tz_find("Africa/Addis_Ababa", &addis))
        return 1;
    open_hours[0] = (struct ivr_span){SAID, SAID + 9 * HOUR};
    for (int i = 1; i < SPANS; i++)
        open_hours[i] =
            (struct ivr_span){SAID - 2 * HOUR + i * DAY, SAID + 9 * HOUR + i * DAY};
    return 0;
}

static struct call_time_place place(void)
{
    return (struct call_time_place){.said_ms = SAID,
                                    .now_ms = SAID + 60000,
                                    .zone = addis,
                                    .open = open_hours,
                                    .open_count = SPANS};
}

/* "read 11-25 17:00" and where it was moved to, or what was wrong. */
static const char *told(const char *text)
{
    static const char *const whens[] = {"found", "either", "past", "far", "closed"};
    static char out[80];
    struct call_time_place p = place();
    struct call_time t;
    int64_t asked_ms = 0, at_ms = 0;

    switch (call_time_read(&t, text)) {
    case CALL_TIME_NONE:
        return "none";
    case CALL_TIME_VAGUE:
        return "vague";
    case CALL_TIME_READ:
        break;
    }
    enum call_time_when when = call_time_find(&t, &p, &asked_ms, &at_ms);
    if (when != CALL_TIME_FOUND)
        return whens[when];
    struct tz_local l = tz_local_at(addis, asked_ms);
    int n = snprintf(out, sizeof(out), "%02d-%02d %02d:%02d", l.month, l.day, l.hour,
                     l.minute);
    l = tz_local_at(addis, at_ms);
    if (at_ms != asked_ms)
        snprintf(out + n, sizeof(out) - (size_t)n, " at %02d-%02d %02d:%02d", l.month,
                 l.day, l.hour, l.minute);
    return out;
}

struct sentence {
    const char *text, *told;
};

static void check(const struct sentence *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!str_is(told(list[i].text), list[i].told))
            fail_msg("'%s' is '%s', not '%s'", list[i].text, told(list[i].text),
                     list[i].told);
}

static void times_as_people_say_them_are_read(void **state)
{
    static const struct sentence list[] = {
        {"call me tomorrow at five in the afternoon", "11-25 17:00"},
        {"Call me in two hours, please.", "11-24 13:00"},
        {"after two hours", "11-24 13:00"},
        {"half an hour later", "11-24 11:30"},
        {"in an hour and a half", "11-24 12:30"},
        {"in one hour and twenty minutes", "11-24 12:20"},
        {"in 45 minutes", "11-24 11:45"},
        {"two and a half hours from now", "11-24 13:30"},
        {"in two days", "11-26 11:00"},
        {"in two days at four pm", "11-26 16:00"},
        {"in a week", "12-01 11:00"},
        {"today at 5pm", "11-24 17:00"},
        {"today at 5:30 p.m.", "11-24 17:30"},
        {"at half past four in the afternoon", "11-24 16:30"},
        {"tomorrow at a quarter to six in the evening", "11-25 17:45"},
        {"tomorrow, ten past nine in the morning", "11-25 09:10"},
        {"the day after tomorrow at noon", "11-26 12:00"},
        {"on friday at ten o'clock", "11-27 10:00"},
        {"on tuesday at nine am", "12-01 09:00"},
        {"on tuesday at six pm", "11-24 18:00"},
        {"next tuesday at six pm", "12-01 18:00"},
        {"at 17:30", "11-24 17:30"},
        {"at 1730 hours", "11-24 17:30"},
        {"seventeen hundred hours tomorrow", "11-25 17:00"},
        {"at 0930", "11-25 09:30"},
        {"at 5.30 in the afternoon", "11-24 17:30"},
        {"tonight at seven", "11-24 19:00"},
        {"this evening at seven thirty", "11-24 19:30"},
        {"good morning, I am busy, call me at three pm", "11-24 15:00"},
        {"I can't talk right now, call me at three pm", "11-24 15:00"},
        {"not now, tomorrow at three pm", "11-25 15:00"},
        {"you may call me at three pm", "11-24 15:00"},
        {"at ten minutes to five pm", "11-24 16:50"},
        {"at ten past five pm", "11-24 17:10"},
        {"at three pm to talk", "11-24 15:00"},
        {"tomorrow at ten o'clock to talk", "11-25 10:00"},
        {"at 15:30 to talk", "11-24 15:30"},
    };

    (void)state;
    check(list, ARRAY_LEN(list));
}

static void an_hour_alone_is_the_half_of_the_day_with_calling_hours(void **state)
{
    static const struct sentence list[] = {
        {"at five", "11-24 17:00"},
        {"call me at ten", "11-25 10:00"},
        {"tomorrow at twelve", "11-25 12:00"},
        {"tomorrow five o'clock", "11-25 17:00"},
        {"tomorrow at five thirty", "11-25 17:30"},
        /* Eight in the morning and in the evening are closed. */
        {"tomorrow at eight", "either"},
    };
    struct call_time_place p = place();
    struct ivr_span whole[] = {{SAID, SAID + 3 * DAY}};
    struct call_time t;
    int64_t asked_ms = 0, at_ms = 0;

    (void)state;
    check(list, ARRAY_LEN(list));
    p.open = whole;
    p.open_count = 1;
    assert_int_equal(call_time_read(&t, "tomorrow at five"), CALL_TIME_READ);
    assert_int_equal(call_time_find(&t, &p, &asked_ms, &at_ms), CALL_TIME_EITHER);
}

static void what_is_not_one_instant_is_left_to_a_person(void **state)
{
    static const struct sentence list[] = {
        {"", "none"},
        {"please call me back", "none"},
        {"I am busy", "none"},
        {"tomorrow", "vague"},
        {"tomorrow morning", "vague"},
        {"in the evening", "vague"},
        {"at five or six", "vague"},
        {"at five to six", "vague"},
        {"between five and six pm", "vague"},
        {"from five to six pm", "vague"},
        {"before five pm", "vague"},
        {"not tomorrow at five pm but on friday", "vague"},
        {"don't call me at five pm", "vague"},
        {"tomorrow at five pm and friday at six pm", "vague"},
        {"at five on two five one nine one one", "vague"},
        {"on the 26th at five pm", "vague"},
        {"on the second at five pm", "vague"},
        {"every day at five pm", "vague"},
        {"give me two hours", "vague"},
        {"call me at two hours", "vague"},
        {"in two hours at five pm", "vague"},
        {"tomorrow in two hours", "vague"},
        {"at nine in the morning in the evening", "vague"},
        {"at fourteen in the morning", "vague"},
        {"at two in the evening", "vague"},
        {"at twelve in the morning", "vague"},
        {"at 25:00", "vague"},
        {"at 9999", "vague"},
        {"at midnight", "vague"},
        {"next week", "vague"},
        {"in zero minutes", "vague"},
        {"in a thousand weeks", "vague"},
        {"I can't at five pm", "vague"},
        {"I cannot talk at five pm", "vague"},
        {"I won\u2019t be there at five pm", "vague"},
        {"I am busy at five pm", "vague"},
        {"I am busy tomorrow at five pm", "vague"},
        {"you called me yesterday at five pm", "vague"},
        {"last friday at five pm", "vague"},
        {"stop calling me at five pm", "vague"},
        {"the day after friday at five pm", "vague"},
        {"in december at five pm", "vague"},
        {"in May at five pm", "vague"},
        {"at five pm GMT", "vague"},
        {"five pm eastern time", "vague"},
        {"at five pm your time", "vague"},
        {"half five in the afternoon", "vague"},
        {"at a quarter of five pm", "vague"},
        {"in two hours and a half", "vague"},
        {"today at nine in the morning", "past"},
        /* Ten o'clock is not what was meant, or not all of it was heard. */
        {"at ten to", "vague"},
        {"call me at ten to", "vague"},
        {"at 10 to", "vague"},
        {"at ten to five", "vague"},
        {"at ten to five pm", "vague"},
        {"at ten to five in the afternoon", "vague"},
        {"at ten to fife", "vague"},
        {"at ten to the hour", "vague"},
        {"tomorrow at ten past", "vague"},
        {"tomorrow at ten after", "vague"},
        {"at ten till", "vague"},
        {"at ten 'til", "vague"},
        {"at ten til", "vague"},
        {"at ten of", "vague"},
        {"at ten too", "vague"},
        {"at five to", "vague"},
        {"at twenty to", "vague"},
        {"at twenty to five pm", "vague"},
        {"ten to tomorrow", "vague"},
        {"tomorrow at quarter to", "vague"},
        {"tomorrow at half past", "vague"},
        {"at ten minutes to", "vague"},
        {"at ten minutes past", "vague"},
        {"at ten to, in the morning", "vague"},
    };

    (void)state;
    check(list, ARRAY_LEN(list));
}

/* Whatever the recogniser calls the language: a clock of another one is not guessed at,
 * of which the hours of Ethiopia begin at six. */
static void times_of_other_languages_are_left_to_a_person(void **state)
{
    static const char *const list[] = {
        "\u1208\u12a0\u1225\u122d \u12f0\u1242\u1243 \u1230\u12a0\u1275",
        "le asir dekika seat",
        "\u1290\u1308 \u12a0\u1235\u122d \u1230\u12d3\u1275 \u120b\u12ed "
        "\u12f0\u12cd\u1209\u120d\u129d",
        "\u1260 10 \u1230\u12d3\u1275",
        "\u12a810 \u12f0\u1242\u1243 \u1260\u1206\u120b",
        "bor sa'aatii kudhan irratti na bilbili",
        "sa'aatii kudhan ta'uuf daqiiqaa shan",
        "sa'aatii 10 irratti",
        "at sa'aatii kudhan",
        "at 10 sa'aatii",
        "tomorrow at sa'aatii kudhan",
        "at 10 pm sa'aatii Itoophiyaa",
        "at 10 \u1230\u12d3\u1275",
        "\u1290\u1308 at 10 pm",
        "at ten ethiopian time",
        "at ten o'clock local time",
        "at ten habesha time",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        if (!str_is(told(list[i]), "none") && !str_is(told(list[i]), "vague"))
            fail_msg("'%s' is '%s'", list[i], told(list[i]));
}

static void a_closed_time_is_moved_as_the_keypads_is(void **state)
{
    static const struct sentence list[] = {
        {"at ten pm", "11-24 22:00 at 11-25 09:00"},
        {"in twelve hours", "11-24 23:00 at 11-25 09:00"},
    };
    struct call_time_place p = place();
    struct call_time t;
    int64_t asked_ms = 0, at_ms = 0;

    (void)state;
    check(list, ARRAY_LEN(list));
    assert_int_equal(call_time_read(&t, "in one hour"), CALL_TIME_READ);
    p.min_gap_ms = 4 * HOUR;
    assert_int_equal(call_time_find(&t, &p, &asked_ms, &at_ms), CALL_TIME_FOUND);
    assert_int_equal(at_ms, SAID + 4 * HOUR);
    /* The recording was long on its way: late is better than never, but not too late. */
    p.min_gap_ms = 0;
    p.now_ms = SAID + 90 * 60000;
    assert_int_equal(call_time_find(&t, &p, &asked_ms, &at_ms), CALL_TIME_FOUND);
    assert_int_equal(at_ms, p.now_ms);
    p.now_ms = SAID + 3 * HOUR;
    assert_int_equal(call_time_find(&t, &p, &asked_ms, &at_ms), CALL_TIME_PAST);
    p.now_ms = SAID;
    p.open_count = 0;
    assert_int_equal(call_time_find(&t, &p, &asked_ms, &at_ms), CALL_TIME_CLOSED);
}

static void a_day_of_25_hours_keeps_the_clock_on_the_wall(void **state)
{
    struct call_time_place p = place();
    struct ivr_span whole[] = {{0, SAID + 60 * DAY}};
    struct call_time t;
    int64_t asked_ms = 0, at_ms = 0;

    (void)state;
    assert_int_equal(tz_find("America/New_York", &p.zone), 0);
    p.open = whole;
    p.open_count = 1;
    p.said_ms = p.now_ms = INT64_C(1793462400000); /* 2026-10-31 12:00 EDT */
    assert_int_equal(call_time_read(&t, "tomorrow at 3 pm"), CALL_TIME_READ);
    assert_int_equal(call_time_find(&t, &p, &asked_ms, &at_ms), CALL_TIME_FOUND);
    struct tz_local l = tz_local_at(p.zone, at_ms);
    assert_int_equal(l.day, 1);
    assert_int_equal(l.hour, 15);
    assert_int_equal(at_ms - p.said_ms, 28 * HOUR);
}

/* Whatever a recogniser writes: an instant that was meant, or none; never a crash. */
static void whatever_is_said_the_instant_lies_ahead_and_in_calling_hours(void **state)
{
    static const char *const words[] = {
        "at",    "in",      "five",     "5",     "17:30", "half",  "past",  "to",
        "an",    "hour",    "tomorrow", "pm",    "a",     "m",     "next",  "friday",
        "not",   "twenty",  "o'clock",  "night", "0",     "99",    "1.5",   "and",
        "two",   "hundred", "days",     "\xff",  ",",     "after", "later", "quarter",
        "weeks", "minutes", "today",    "5.30",  "0930",  "am",    "the",   "noon"};
    uint64_t seed = 7;
    size_t found = 0;

    (void)state;
    for (int round = 0; round < 6000; round++) {
        struct call_time_place p = place();
        char text[200] = "";
        struct call_time t;
        int64_t asked_ms = 0, at_ms = 0;
        size_t len = 0;

        for (int i = 0; i < 1 + round % 9; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s ",
                                    words[(seed >> 33) % ARRAY_LEN(words)]);
        }
        if (call_time_read(&t, text) != CALL_TIME_READ)
            continue;
        assert_true(t.minute >= 0 && t.minute < 1440 && t.in_ms >= 0);
        assert_true(t.exact || t.minute < 720 || t.in_ms > 0);
        if (call_time_find(&t, &p, &asked_ms, &at_ms) != CALL_TIME_FOUND)
            continue;
        found++;
        assert_true(asked_ms > SAID && at_ms >= asked_ms && at_ms >= p.now_ms);
        bool open = false;
        for (size_t i = 0; i < SPANS; i++)
            open |= at_ms >= open_hours[i].from_ms && at_ms < open_hours[i].until_ms;
        assert_true(open);
    }
    assert_true(found > 200);
}

static void a_long_text_is_not_read(void **state)
{
    char *text = calloc(1, 2000 * 6 + 40);

    (void)state;
    assert_non_null(text);
    strcpy(text, "call me at five pm ");
    for (size_t i = 0; i < 2000; i++)
        memcpy(text + 19 + i * 6, "and so", 6);
    for (size_t i = 0; i < 2000; i++)
        text[19 + i * 6 + 3] = ' ';
    assert_string_equal(told(text), "vague");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_as_people_say_them_are_read),
        cmocka_unit_test(an_hour_alone_is_the_half_of_the_day_with_calling_hours),
        cmocka_unit_test(what_is_not_one_instant_is_left_to_a_person),
        cmocka_unit_test(times_of_other_languages_are_left_to_a_person),
        cmocka_unit_test(a_closed_time_is_moved_as_the_keypads_is),
        cmocka_unit_test(a_day_of_25_hours_keeps_the_clock_on_the_wall),
        cmocka_unit_test(whatever_is_said_the_instant_lies_ahead_and_in_calling_hours),
        cmocka_unit_test(a_long_text_is_not_read),
    };

    return cmocka_run_group_tests_name("call_time", tests, prepare, NULL);
}
