/*
 * campaign_rules - the parts of a campaign's document that become its policy.
 */
#include "campaigns/campaign_rules.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "campaigns/doc_reader.h"
#include "compliance/policy.h"
#include "contacts/phone.h"

enum { ATTEMPTS_LIMIT = 1000, GAP_LIMIT_S = 366 * 86400 };

#define IN(type, member) .offset = offsetof(type, member)

/* ---- windows ---- */

static const char *const day_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
enum { DAYS = 7, DAY_TEXT = 3 };

static int day_index(const char *text, size_t len)
{
    for (int i = 0; i < DAYS; i++)
        if (len == DAY_TEXT && strncmp(text, day_names[i], DAY_TEXT) == 0)
            return i;
    return -1;
}

/* "mon" or "mon-fri"; a range may run over Sunday. */
static bool read_days(const char *key, int *from, int *count)
{
    const char *dash = strchr(key, '-');
    size_t len = strlen(key);

    *from = day_index(key, dash ? (size_t)(dash - key) : len);
    int until = dash ? day_index(dash + 1, strlen(dash + 1)) : *from;
    *count = (until - *from + DAYS) % DAYS + 1;
    return *from >= 0 && until >= 0;
}

/* "HH:MM" at text; the rest must follow it. -1: no time of day. */
static int read_time(const char *text)
{
    for (int i = 0; i < 5; i++)
        if (i == 2 ? text[i] != ':' : !isdigit((unsigned char)text[i]))
            return -1;
    int hour = (text[0] - '0') * 10 + text[1] - '0';
    int minute = (text[3] - '0') * 10 + text[4] - '0';
    int of_day = hour * 60 + minute;
    return minute < 60 && of_day <= POLICY_MINUTES ? of_day : -1;
}

#define WINDOW_HINT "write hours as \"09:00-12:30\", from 00:00 to 24:00"

static bool read_interval(struct doc_reader *r, json_t *value, const char *pointer,
                          struct policy_interval *out)
{
    const char *text = json_string_value(value);

    if (!text) {
        doc_issue(r, pointer, JSON_PLACE_VALUE, WINDOW_HINT,
                  "a window must be text, not %s", doc_type_name(value));
        return false;
    }
    if (strlen(text) != 11 || text[5] != '-' || read_time(text) < 0 ||
        read_time(text + 6) < 0) {
        doc_issue(r, pointer, JSON_PLACE_VALUE, WINDOW_HINT, "'%.40s' is no window",
                  text);
        return false;
    }
    *out = (struct policy_interval){read_time(text), read_time(text + 6)};
    if (out->from_min < out->until_min)
        return true;
    doc_issue(r, pointer, JSON_PLACE_VALUE,
              "a window over midnight is two: to 24:00, and from 00:00 of the next day",
              "the window '%s' ends before it begins", text);
    return false;
}

static int by_start(const void *a, const void *b)
{
    const struct policy_interval *x = a, *y = b;

    return x->from_min - y->from_min;
}

static void read_day(struct doc_reader *r, json_t *list, const char *pointer,
                     struct policy_day *out)
{
    struct policy_day day = {0};
    char at[DOC_POINTER_MAX];
    size_t i = 0;
    json_t *item = NULL;

    if (!json_is_array(list)) {
        doc_issue(r, pointer, JSON_PLACE_VALUE, WINDOW_HINT,
                  "the windows of a day must be a list, not %s", doc_type_name(list));
        return;
    }
    if (json_array_size(list) > POLICY_INTERVALS_MAX) {
        doc_issue(r, pointer, JSON_PLACE_VALUE, NULL, "a day has at most %d windows",
                  POLICY_INTERVALS_MAX);
        return;
    }
    json_array_foreach(list, i, item)
    {
        str_cut(at, sizeof(at), pointer);
        json_pointer_add_index(at, sizeof(at), i);
        if (read_interval(r, item, at, &day.at[day.n]))
            day.n++;
    }
    qsort(day.at, day.n, sizeof(day.at[0]), by_start);
    for (i = 1; i < day.n; i++)
        if (day.at[i].from_min < day.at[i - 1].until_min)
            doc_issue(r, pointer, JSON_PLACE_VALUE, "join them to one, or part them",
                      "windows of a day overlap");
    *out = day;
}

void campaign_read_windows(struct doc_reader *r, json_t *value, const char *pointer,
                           void *policy)
{
    struct policy *p = policy;
    const char *key = NULL;
    json_t *item = NULL;
    bool seen[DAYS] = {false};
    char at[DOC_POINTER_MAX];

    if (!json_is_object(value)) {
        doc_issue(r, pointer, JSON_PLACE_VALUE,
                  "e.g. {\"mon-fri\": [\"09:00-18:00\"], \"sat\": [\"10:00-14:00\"]}",
                  "'windows' must be an object, not %s", doc_type_name(value));
        return;
    }
    memset(p->week, 0, sizeof(p->week));
    if (json_object_size(value) == 0)
        doc_issue(r, pointer, JSON_PLACE_VALUE,
                  "name a day, or leave 'windows' out for Monday to Saturday 09:00-20:00",
                  "'windows' is empty: nobody could ever be called");
    size_t closed = 0;
    json_object_foreach(value, key, item)
    {
        struct policy_day day = {0};
        int from = 0, count = 0;

        str_cut(at, sizeof(at), pointer);
        json_pointer_add(at, sizeof(at), key);
        if (!read_days(key, &from, &count)) {
            doc_issue(r, at, JSON_PLACE_KEY,
                      "write mon, tue, wed, thu, fri, sat, sun or a range like mon-fri",
                      "'%.40s' is no day", key);
            continue;
        }
        closed += json_is_array(item) && json_array_size(item) == 0;
        read_day(r, item, at, &day);
        for (int i = 0; i < count; i++) {
            int which = (from + i) % DAYS;

            if (seen[which])
                doc_issue(r, at, JSON_PLACE_KEY, "put all windows of a day in one list",
                          "'%s' is stated twice", day_names[which]);
            seen[which] = true;
            p->week[which] = day;
        }
    }
    if (closed > 0 && closed == json_object_size(value))
        doc_issue(r, pointer, JSON_PLACE_VALUE, "e.g. {\"mon-fri\": [\"09:00-18:00\"]}",
                  "no day of 'windows' is open: nobody could ever be called");
}

/* ---- limits, regions ---- */

void campaign_read_limits(struct doc_reader *r, json_t *value, const char *pointer,
                          void *policy)
{
    static const struct doc_field fields[] = {
        {.key = "per_24h",
         .kind = DOC_INT,
         IN(struct policy, max_24h),
         .max = ATTEMPTS_LIMIT,
         .hint = "calls to a number in any 24 hours; 0 is no limit"},
        {.key = "per_7d",
         .kind = DOC_INT,
         IN(struct policy, max_7d),
         .max = ATTEMPTS_LIMIT,
         .hint = "calls to a number in any 7 days; 0 is no limit"},
        {.key = "total",
         .kind = DOC_INT,
         IN(struct policy, max_total),
         .max = ATTEMPTS_LIMIT,
         .hint = "calls to a number in this campaign; 0 is no limit"},
        {.key = "min_gap_s",
         .kind = DOC_INT64,
         IN(struct policy, min_gap_s),
         .max = GAP_LIMIT_S,
         .hint = "seconds between two calls to a number, e.g. 14400 for 4 h"},
    };
    struct policy *p = policy;

    doc_read_object(r, value, pointer, fields, ARRAY_LEN(fields), p);
}

static void read_region(struct doc_reader *r, json_t *value, const char *pointer,
                        struct policy *p)
{
    const char *text = json_string_value(value);

    if (!text || strlen(text) != 2 || !phone_region_is_known(text)) {
        doc_issue(r, pointer, JSON_PLACE_VALUE,
                  "a country's two capital letters, e.g. \"ET\"", "'%.20s' is no region",
                  text ? text : doc_type_name(value));
        return;
    }
    for (size_t i = 0; i < p->region_count; i++) {
        if (strcmp(p->regions[i], text) == 0) {
            doc_issue(r, pointer, JSON_PLACE_VALUE, NULL, "region '%s' is stated twice",
                      text);
            return;
        }
    }
    memcpy(p->regions[p->region_count++], text, 3);
}

void campaign_read_regions(struct doc_reader *r, json_t *value, const char *pointer,
                           void *policy)
{
    struct policy *p = policy;
    char at[DOC_POINTER_MAX];
    size_t i = 0;
    json_t *item = NULL;

    if (!json_is_array(value) || json_array_size(value) == 0 ||
        json_array_size(value) > POLICY_REGIONS_MAX) {
        doc_issue(r, pointer, JSON_PLACE_VALUE,
                  "e.g. [\"ET\", \"KE\"]; leave it out for every region",
                  "'regions' must be a list of 1 to %d regions", POLICY_REGIONS_MAX);
        return;
    }
    p->region_count = 0;
    json_array_foreach(value, i, item)
    {
        str_cut(at, sizeof(at), pointer);
        json_pointer_add_index(at, sizeof(at), i);
        read_region(r, item, at, p);
    }
}
