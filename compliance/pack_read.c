/*
 * A pack from JSON: {"title", "courtesy", "review_by", "holidays": {"dates", "until", …},
 * "eve_week", "extra_clocks", "rows": [{"id", "kind", "cite", "checked_on", "grade",
 * "from", "until", "purposes", "voices", …}]}. The short form of the rule cases (week,
 * versions, freq, cooldowns, consent_from, mobile at the top) is read too: each becomes a
 * row.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/errors.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "compliance/pack.h"

enum { ROWS_MAX = 64, HOLIDAYS_MAX = 4096, RING_MAX_S = 120, AGE_MAX_DAYS = 3660 };

struct reader {
    struct pack *pack;
    struct errtext *e;
    const char *at; /* what is being read, for messages */
};

static int bad(struct reader *r, const char *what)
{
    return errtext_set(r->e, EINVAL, 0, 0, "%s: %s", r->at, what);
}

static const char *text_of(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

/* ---- weeks ---- */

static int read_day(struct reader *r, const json_t *list, struct policy_day *out)
{
    *out = (struct policy_day){0};
    if (!json_is_array(list) || json_array_size(list) > POLICY_INTERVALS_MAX)
        return bad(r, "a day is a list of at most six [\"09:00\", \"20:00\"]");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *w = json_array_get(list, i);
        struct policy_interval *in = &out->at[out->n++];
        if (json_array_size(w) != 2 ||
            !rule_time_parse(json_string_value(json_array_get(w, 0)), &in->from_min) ||
            !rule_time_parse(json_string_value(json_array_get(w, 1)), &in->until_min) ||
            in->from_min >= in->until_min)
            return bad(r,
                       "hours are [\"HH:MM\", \"HH:MM\"], the second later, up to 24:00");
        if (i > 0 && in->from_min < out->at[i - 1].until_min)
            return bad(r, "the hours of a day overlap or are out of order");
    }
    return 0;
}

static int read_week(struct reader *r, const json_t *week, struct policy_day out[7])
{
    static const char *const days[] = {"1", "2", "3", "4", "5", "6", "7"};

    if (!json_is_object(week) || json_object_size(week) != 7)
        return bad(r, "'week' has the days \"1\" (Monday) to \"7\", [] for none");
    for (size_t d = 0; d < ARRAY_LEN(days); d++) {
        int err = read_day(r, json_object_get(week, days[d]), &out[d]);
        if (err)
            return err;
    }
    return 0;
}

/* ---- rows ---- */

static int read_mask(struct reader *r, const json_t *list, bool voices, uint32_t *out)
{
    *out = 0;
    if (!list) {
        *out = UINT32_MAX;
        return 0;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        enum purpose p = 0;
        enum voice v = 0;
        if (!(voices ? voice_parse(name, &v) : purpose_parse(name, &p)))
            return bad(
                r, voices
                       ? "'voices' are live, prerecorded, ai"
                       : "'purposes' are telemarketing, informational, debt_collection, "
                         "healthcare, survey, charity, political, emergency");
        *out |= 1U << (voices ? (unsigned)v : (unsigned)p);
    }
    return *out
               ? 0
               : bad(r,
                     "'purposes' and 'voices' must not be empty; leave them out for all");
}

static int read_date(struct reader *r, const json_t *row, const char *key, int64_t *out)
{
    const json_t *value = json_object_get(row, key);

    if (value && !json_is_null(value) && !rule_date_parse(json_string_value(value), out))
        return bad(r, "dates are \"YYYY-MM-DD\"");
    return 0;
}

static int read_consent(struct reader *r, const json_t *json, struct pack_row *row)
{
    const char *lines = text_of(json, "lines"), *level = text_of(json, "level");

    if (!level || !consent_level_parse(level, &row->level) || row->level == CONSENT_NONE)
        return bad(r, "'level' is express or express_written");
    row->lines = LINE_ANY;
    if (lines && strcmp(lines, "mobile") == 0)
        row->lines = LINE_MOBILE;
    else if (lines && strcmp(lines, "fixed") == 0)
        row->lines = LINE_FIXED;
    else if (lines && strcmp(lines, "any") != 0)
        return bad(r, "'lines' is any, mobile or fixed");
    return 0;
}

static int read_list(struct reader *r, const json_t *json, struct pack_row *row)
{
    const char *list = text_of(json, "list");
    json_int_t age = json_integer_value(json_object_get(json, "max_age_days"));

    if (!list || !*list || strlen(list) >= sizeof(row->list))
        return bad(r, "'list' names a do-not-call list, e.g. us.ftc");
    if (age < 0 || age > AGE_MAX_DAYS)
        return bad(r, "'max_age_days' is a number of days");
    str_cut(row->list, sizeof(row->list), list);
    row->max_age_days = (int)age;
    return 0;
}

static int read_abandon(struct reader *r, const json_t *json, struct pack_row *row)
{
    double limit = json_number_value(json_object_get(json, "limit"));
    const char *anchor = text_of(json, "anchor");

    if (limit < 0 || limit >= 1 || !json_is_number(json_object_get(json, "limit")))
        return bad(r, "'limit' is a share below 1, e.g. 0.03");
    if (!anchor ||
        (strcmp(anchor, "campaign30d") != 0 && strcmp(anchor, "calendar_day") != 0 &&
         strcmp(anchor, "calendar_month") != 0))
        return bad(r, "'anchor' is campaign30d, calendar_day or calendar_month");
    row->limit_ppm = (int)(limit * 1e6 + 0.5);
    str_cut(row->anchor, sizeof(row->anchor), anchor);
    return 0;
}

static int read_kind(struct reader *r, const json_t *json, struct pack_row *row)
{
    const char *wrong = NULL;
    json_int_t min_s = json_integer_value(json_object_get(json, "min_s"));

    switch (row->kind) {
    case PACK_WINDOWS:
        return read_week(r, json_object_get(json, "week"), row->week);
    case PACK_FREQUENCY:
        wrong = frequency_from_json(&row->frequency, json);
        return wrong ? bad(r, wrong) : 0;
    case PACK_COOLDOWN:
        wrong = cooldown_from_json(&row->cooldown, json);
        return wrong ? bad(r, wrong) : 0;
    case PACK_CONSENT:
        return read_consent(r, json, row);
    case PACK_MOBILE:
        row->level =
            text_of(json, "mobile") && strcmp(text_of(json, "mobile"), "forbid") == 0
                ? CONSENT_NONE
                : CONSENT_EXPRESS;
        return 0;
    case PACK_DNC:
    case PACK_WASH:
        return read_list(r, json, row);
    case PACK_RING:
        row->min_s = (int)min_s;
        return min_s > 0 && min_s <= RING_MAX_S
                   ? 0
                   : bad(r, "'min_s' is a number of seconds");
    case PACK_ABANDON:
        return read_abandon(r, json, row);
    case PACK_REGISTRATION:
    case PACK_VOICE:
    case PACK_KINDS:
        break;
    }
    return 0;
}

static int kind_of(const char *name)
{
    for (int i = 0; name && i < PACK_KINDS; i++)
        if (strcmp(pack_kind_name((enum pack_kind)i), name) == 0)
            return i;
    return -1;
}

/* purposes: what holds for the whole pack. */
static int add_row(struct reader *r, enum pack_kind kind, const char *id,
                   const json_t *json, const json_t *pack)
{
    struct pack *p = r->pack;
    const char *cite = text_of(json, "cite"), *grade = text_of(json, "grade");
    const json_t *purposes = json_object_get(json, "purposes");
    struct pack_row row = {.kind = kind, .from_day = INT64_MIN, .until_day = INT64_MAX};

    if (p->row_count == ROWS_MAX)
        return bad(r, "a pack has at most 64 rows");
    str_cut(row.id, sizeof(row.id), id);
    row.grade = grade && strlen(grade) == 1 && strchr("ABCM", *grade) ? *grade : '?';
    if (!cite)
        cite = text_of(pack, "cite");
    int err = read_mask(r, purposes ? purposes : json_object_get(pack, "purposes"), false,
                        &row.purposes);
    if (!err)
        err = read_mask(r, json_object_get(json, "voices"), true, &row.voices);
    if (!err)
        err = read_date(r, json, "from", &row.from_day);
    if (!err)
        err = read_date(r, json, "until", &row.until_day);
    if (!err)
        err = read_date(r, json, "checked_on", &row.checked_day);
    if (!err)
        err = read_kind(r, json, &row);
    if (err)
        return err;
    row.cite = xstrdup(cite ? cite : "");
    row.note = text_of(json, "note") ? xstrdup(text_of(json, "note")) : NULL;
    p->rows = xrealloc(p->rows, (p->row_count + 1) * sizeof(*p->rows));
    p->rows[p->row_count++] = row;
    return 0;
}

static int read_rows(struct reader *r, const json_t *pack)
{
    const json_t *rows = json_object_get(pack, "rows");
    const char *outside = r->at;
    char at[128];

    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *id = text_of(row, "id");
        int kind = kind_of(text_of(row, "kind"));
        snprintf(at, sizeof(at), "%s /rows/%zu (%.40s)", r->pack->name, i,
                 id ? id : "no id");
        r->at = at;
        if (!id || !*id)
            return bad(r, "'id' names the row, e.g. \"hours\"");
        if (kind < 0)
            return bad(
                r, "'kind' is windows, frequency, cooldown, consent, mobile, dnc, wash, "
                   "registration, ring, abandon or voice");
        int err = add_row(r, (enum pack_kind)kind, id, row, pack);
        if (err)
            return err;
    }
    r->at = outside;
    return 0;
}

/* ---- the short form ---- */

static int read_short(struct reader *r, const json_t *pack)
{
    const json_t *versions = json_object_get(pack, "versions");
    const json_t *lists[] = {json_object_get(pack, "freq"),
                             json_object_get(pack, "cooldowns")};
    int err = 0;

    if (json_is_object(json_object_get(pack, "week")))
        err = add_row(r, PACK_WINDOWS, "hours", pack, pack);
    for (size_t i = 0; !err && i < json_array_size(versions); i++)
        err = add_row(r, PACK_WINDOWS, "hours", json_array_get(versions, i), pack);
    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        for (size_t i = 0; !err && i < json_array_size(lists[k]); i++)
            err =
                add_row(r, k == 0 ? PACK_FREQUENCY : PACK_COOLDOWN,
                        k == 0 ? "freq" : "cooldown", json_array_get(lists[k], i), pack);
    if (!err && text_of(pack, "consent_from")) {
        json_t *row = json_pack("{s:s, s:s}", "level", "express", "from",
                                text_of(pack, "consent_from"));
        err = add_row(r, PACK_CONSENT, "consent", row, pack);
        json_decref(row);
    }
    if (!err && text_of(pack, "mobile"))
        err = add_row(r, PACK_MOBILE, "mobile", pack, pack);
    return err;
}

/* ---- the pack ---- */

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int read_holidays(struct reader *r, const json_t *pack)
{
    const json_t *holidays = json_object_get(pack, "holidays");
    const json_t *dates =
        json_is_object(holidays) ? json_object_get(holidays, "dates") : holidays;
    size_t n = json_array_size(dates);
    struct pack *p = r->pack;

    if (n > HOLIDAYS_MAX)
        return bad(r, "too many holidays");
    p->holidays = xcalloc(n + 1, sizeof(*p->holidays));
    for (; p->holiday_count < n; p->holiday_count++) {
        const json_t *item = json_array_get(dates, p->holiday_count);
        const char *text =
            json_string_value(json_is_array(item) ? json_array_get(item, 0) : item);
        if (!rule_date_parse(text, &p->holidays[p->holiday_count]))
            return bad(r, "'holidays' are dates \"YYYY-MM-DD\"");
    }
    if (n > 0)
        qsort(p->holidays, n, sizeof(*p->holidays), by_value);
    p->holidays_until_day = INT64_MAX;
    return json_is_object(holidays)
               ? read_date(r, holidays, "until", &p->holidays_until_day)
               : 0;
}

static int read_clocks(struct reader *r, const json_t *list)
{
    struct pack *p = r->pack;

    if (json_array_size(list) > ARRAY_LEN(p->clocks_s))
        return bad(r, "at most four 'extra_clocks'");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        int minutes = 0;
        if (!text || (*text != '+' && *text != '-') ||
            !rule_time_parse(text + 1, &minutes))
            return bad(r, "'extra_clocks' are offsets from UTC, e.g. \"-06:00\"");
        p->clocks_s[p->clock_count++] = (*text == '-' ? -60 : 60) * minutes;
    }
    return 0;
}

static int hash(struct pack *p)
{
    CLEANUP(free_cleanup) char *text = json_dumps(p->json, JSON_COMPACT | JSON_SORT_KEYS);
    uint8_t bytes[SHA256_BYTES];

    if (!text)
        return ENOMEM;
    sha256_of(text, strlen(text), bytes);
    sha256_text(bytes, p->hash);
    return 0;
}

int pack_read(struct pack *out, const char *name, json_t *json, struct errtext *e)
{
    struct reader r = {out, e, name};

    *out = (struct pack){.review_by_day = INT64_MAX};
    str_cut(out->name, sizeof(out->name), name);
    out->json = json_incref(json);
    int err = json_is_object(json) && strlen(name) < sizeof(out->name) && *name
                  ? 0
                  : bad(&r, "a pack is an object, named like US or US-FL");
    if (!err) {
        const char *title = text_of(json, "title");
        out->title = xstrdup(title ? title : name);
        out->courtesy = json_is_true(json_object_get(json, "courtesy"));
        err = read_date(&r, json, "review_by", &out->review_by_day);
    }
    if (!err)
        err = read_holidays(&r, json);
    if (!err && json_object_get(json, "eve_week")) {
        out->has_eve = true;
        err = read_day(&r, json_object_get(json, "eve_week"), &out->eve);
    }
    if (!err)
        err = read_clocks(&r, json_object_get(json, "extra_clocks"));
    if (!err)
        err = read_short(&r, json);
    if (!err)
        err = read_rows(&r, json);
    if (!err)
        err = hash(out);
    if (err)
        pack_free(out);
    return err;
}
