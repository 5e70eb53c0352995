/*
 * Times in expressions, on the contact's clock, and what is known of a call.
 */
#include <inttypes.h>
#include <string.h>

#include "ivr/expr.h"

#define ARGS struct expr_env *e, const struct ivr_value *a, int n

enum { MS_PER_MIN = 60000, MS_PER_DAY = 86400000 };

/* ---- dates, on the contact's clock ---- */

struct day {
    int64_t year;
    int month, day, weekday; /* weekday 1: Monday */
    int hour, minute;
};

/* Days to a date by eras of 400 years that begin on the first of March. */
static struct day day_of(int64_t at_ms, int tz_min)
{
    int64_t local = at_ms + (int64_t)tz_min * MS_PER_MIN;
    int64_t days = local / MS_PER_DAY - (local % MS_PER_DAY < 0);
    int64_t rest = local - days * MS_PER_DAY;
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int month = (int)(mp < 10 ? mp + 3 : mp - 9);

    return (struct day){.year = yoe + era * 400 + (month <= 2),
                        .month = month,
                        .day = (int)(doy - (153 * mp + 2) / 5 + 1),
                        .weekday = (int)(((days + 3) % 7 + 7) % 7 + 1),
                        .hour = (int)(rest / 3600000),
                        .minute = (int)(rest / MS_PER_MIN % 60)};
}

enum day_part { PART_YEAR, PART_MONTH, PART_DAY, PART_WEEKDAY, PART_HOUR, PART_MINUTE };

static struct ivr_value day_part(struct expr_env *e, const struct ivr_value *v,
                                 enum day_part part)
{
    int64_t at_ms = 0;

    if (!expr_whole(v, 0, INT64_C(253402300799999), &at_ms))
        return expr_wants(e, "a time in milliseconds", v);
    struct day d = day_of(at_ms, e->env->tz_min);
    const int64_t parts[] = {d.year, d.month, d.day, d.weekday, d.hour, d.minute};
    return value_int(parts[part]);
}

#define DAY_PART(name, part)                                                             \
    static struct ivr_value name(ARGS)                                                   \
    {                                                                                    \
        (void)n;                                                                         \
        return day_part(e, &a[0], part);                                                 \
    }

DAY_PART(fn_year, PART_YEAR)
DAY_PART(fn_month, PART_MONTH)
DAY_PART(fn_day, PART_DAY)
DAY_PART(fn_weekday, PART_WEEKDAY)
DAY_PART(fn_hour, PART_HOUR)
DAY_PART(fn_minute, PART_MINUTE)

static struct ivr_value fn_date(ARGS)
{
    int64_t at_ms = 0;

    (void)n;
    if (!expr_whole(&a[0], 0, INT64_C(253402300799999), &at_ms))
        return expr_wants(e, "a time in milliseconds", &a[0]);
    struct day d = day_of(at_ms, e->env->tz_min);
    return expr_text(
        e, arena_printf(e->arena, "%04" PRId64 "-%02d-%02d", d.year, d.month, d.day));
}

static struct ivr_value fn_time(ARGS)
{
    int64_t at_ms = 0;

    (void)n;
    if (!expr_whole(&a[0], 0, INT64_C(253402300799999), &at_ms))
        return expr_wants(e, "a time in milliseconds", &a[0]);
    struct day d = day_of(at_ms, e->env->tz_min);
    return expr_text(e, arena_printf(e->arena, "%02d:%02d", d.hour, d.minute));
}

static struct ivr_value shifted(struct expr_env *e, const struct ivr_value *a,
                                int64_t unit_ms)
{
    int64_t at_ms = 0, count = 0;

    if (!expr_whole(&a[0], 0, INT64_C(253402300799999), &at_ms))
        return expr_wants(e, "a time in milliseconds", &a[0]);
    if (!expr_whole(&a[1], -1000000, 1000000, &count))
        return expr_wants(e, "a whole number", &a[1]);
    return value_int(at_ms + count * unit_ms);
}

static struct ivr_value fn_add_days(ARGS)
{
    (void)n;
    return shifted(e, a, MS_PER_DAY);
}

static struct ivr_value fn_add_minutes(ARGS)
{
    (void)n;
    return shifted(e, a, MS_PER_MIN);
}

static const struct expr_function functions[] = {
    {"add_days", 2, 2, false, fn_add_days}, {"add_minutes", 2, 2, false, fn_add_minutes},
    {"date", 1, 1, false, fn_date},         {"day", 1, 1, false, fn_day},
    {"hour", 1, 1, false, fn_hour},         {"minute", 1, 1, false, fn_minute},
    {"month", 1, 1, false, fn_month},       {"time", 1, 1, false, fn_time},
    {"weekday", 1, 1, false, fn_weekday},   {"year", 1, 1, false, fn_year},
};

const struct expr_function *expr_time_function_find(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (strlen(functions[i].name) == len && memcmp(functions[i].name, name, len) == 0)
            return &functions[i];
    return NULL;
}

/* ---- what is known of a call ---- */

enum fact {
    FACT_DATE,
    FACT_DAY,
    FACT_DIALLED,
    FACT_DIRECTION,
    FACT_HOUR,
    FACT_ID,
    FACT_LANGUAGE,
    FACT_MINUTE,
    FACT_MONTH,
    FACT_NOW,
    FACT_PHONE,
    FACT_SECONDS,
    FACT_TIME,
    FACT_WEEKDAY,
    FACT_YEAR,
    FACT_CAN_SMS,
    FACT_CAN_CALLBACK,
    FACT_CAN_TRANSFER,
    FACT_CAN_QUEUE,
    FACT_CAN_HTTP,
    FACT_CAN_RECORD,
};

static const char *const facts[] = {
    [FACT_DATE] = "date",
    [FACT_DAY] = "day",
    [FACT_DIALLED] = "dialled",
    [FACT_DIRECTION] = "direction",
    [FACT_HOUR] = "hour",
    [FACT_ID] = "id",
    [FACT_LANGUAGE] = "language",
    [FACT_MINUTE] = "minute",
    [FACT_MONTH] = "month",
    [FACT_NOW] = "now",
    [FACT_PHONE] = "phone",
    [FACT_SECONDS] = "seconds",
    [FACT_TIME] = "time",
    [FACT_WEEKDAY] = "weekday",
    [FACT_YEAR] = "year",
    [FACT_CAN_SMS] = "can_sms",
    [FACT_CAN_CALLBACK] = "can_callback",
    [FACT_CAN_TRANSFER] = "can_transfer",
    [FACT_CAN_QUEUE] = "can_queue",
    [FACT_CAN_HTTP] = "can_http",
    [FACT_CAN_RECORD] = "can_record",
};

int expr_fact_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(facts); i++)
        if (strcmp(facts[i], name) == 0)
            return (int)i;
    return -1;
}

static struct ivr_value given(const char *text)
{
    return value_text(text ? text : "");
}

struct ivr_value expr_fact(struct expr_env *e, int fact)
{
    const struct ivr_env *env = e->env;
    const struct ivr_value now = value_int(env->now_ms);

    switch ((enum fact)fact) {
    case FACT_DATE:
        return fn_date(e, &now, 1);
    case FACT_TIME:
        return fn_time(e, &now, 1);
    case FACT_DAY:
        return day_part(e, &now, PART_DAY);
    case FACT_HOUR:
        return day_part(e, &now, PART_HOUR);
    case FACT_MINUTE:
        return day_part(e, &now, PART_MINUTE);
    case FACT_MONTH:
        return day_part(e, &now, PART_MONTH);
    case FACT_WEEKDAY:
        return day_part(e, &now, PART_WEEKDAY);
    case FACT_YEAR:
        return day_part(e, &now, PART_YEAR);
    case FACT_DIALLED:
        return given(env->dialled);
    case FACT_DIRECTION:
        return value_text(env->inbound ? "inbound" : "outbound");
    case FACT_ID:
        return given(env->session);
    case FACT_LANGUAGE:
        return given(e->lang);
    case FACT_NOW:
        return now;
    case FACT_PHONE:
        return given(env->phone);
    case FACT_SECONDS:
        return value_int((env->now_ms - e->started_at_ms) / 1000);
    case FACT_CAN_SMS:
    case FACT_CAN_CALLBACK:
    case FACT_CAN_TRANSFER:
    case FACT_CAN_QUEUE:
    case FACT_CAN_HTTP:
    case FACT_CAN_RECORD:
        return value_bool(env->caps >> (fact - FACT_CAN_SMS) & 1);
    }
    return value_null();
}
