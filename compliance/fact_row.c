#include "compliance/fact_row.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/str.h"
#include "contacts/columns.h"
#include "contacts/tz.h"

enum { NAMES_MAX = 6 };
#define DAY_MS ((int64_t)86400 * 1000)

static const char *const kinds[FACT_KINDS] = {"wash", "line-type", "reassigned", "place",
                                              "consent"};

/* The first name is the one that is said; all are column keys (contacts/columns.h). */
static const struct {
    const char *names[NAMES_MAX];
} fields[FACT_FIELDS] = {
    [FIELD_PHONE] = {{"phone", "number", "phone_number", "telephone", "mobile",
                      "msisdn"}},
    [FIELD_LIST] = {{"list", "register", "registry"}},
    [FIELD_HIT] = {{"hit", "listed", "result", "match", "on_list"}},
    [FIELD_LINE] = {{"line", "line_type", "type", "phone_type"}},
    [FIELD_ANSWER] = {{"answer", "reassigned", "result", "disconnected"}},
    [FIELD_REGION] = {{"region", "state", "jurisdiction"}},
    [FIELD_ZONES] = {{"zone", "zones", "time_zone", "timezone", "tz"}},
    [FIELD_CONFIRMED] = {{"confirmed", "said_so"}},
    [FIELD_CHECKED_AT] = {{"checked_at", "checked", "date", "said_at", "asked_at"}},
    [FIELD_EXPIRES_AT] = {{"expires_at", "expires", "valid_until"}},
    [FIELD_LEVEL] = {{"level", "consent", "consent_level"}},
    [FIELD_GIVEN_AT] = {{"given_at", "given", "date", "consent_date"}},
    [FIELD_SELLER] = {{"seller", "given_to", "company"}},
    [FIELD_PURPOSE] = {{"purpose"}},
    [FIELD_EVIDENCE] = {{"evidence", "proof", "reference"}},
    [FIELD_REVOKED_AT] = {{"revoked_at", "revoked", "withdrawn_at"}},
};

#define BIT(x) (1U << (x))

static const struct {
    uint32_t needed, known;
} of_kind[FACT_KINDS] = {
    [FACT_WASH] = {BIT(FIELD_PHONE) | BIT(FIELD_HIT) | BIT(FIELD_LIST),
                   BIT(FIELD_CHECKED_AT) | BIT(FIELD_EXPIRES_AT)},
    [FACT_LINE_TYPE] = {BIT(FIELD_PHONE) | BIT(FIELD_LINE), BIT(FIELD_CHECKED_AT)},
    [FACT_REASSIGNED] = {BIT(FIELD_PHONE) | BIT(FIELD_ANSWER), BIT(FIELD_CHECKED_AT)},
    [FACT_PLACE] = {BIT(FIELD_PHONE), BIT(FIELD_REGION) | BIT(FIELD_ZONES) |
                                          BIT(FIELD_CONFIRMED) | BIT(FIELD_CHECKED_AT)},
    [FACT_CONSENT] = {BIT(FIELD_PHONE), BIT(FIELD_LEVEL) | BIT(FIELD_GIVEN_AT) |
                                            BIT(FIELD_SELLER) | BIT(FIELD_PURPOSE) |
                                            BIT(FIELD_EVIDENCE) | BIT(FIELD_REVOKED_AT)},
};

const char *fact_kind_name(enum fact_kind kind)
{
    return kinds[kind];
}

bool fact_kind_parse(const char *name, enum fact_kind *out)
{
    for (size_t i = 0; i < FACT_KINDS; i++)
        if (str_is(name, kinds[i])) {
            *out = (enum fact_kind)i;
            return true;
        }
    return false;
}

const char *fact_field_name(enum fact_field field)
{
    return fields[field].names[0];
}

void fact_columns_text(enum fact_kind kind, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (int needed = 1; needed >= 0; needed--)
        for (size_t f = 0; f < FACT_FIELDS && len < size; f++)
            if ((needed ? of_kind[kind].needed : of_kind[kind].known) & BIT(f))
                len += (size_t)snprintf(out + len, size - len, needed ? "%s%s" : "%s[%s]",
                                        len ? ", " : "", fields[f].names[0]);
}

/* ---- columns ---- */

static bool is_named(enum fact_field field, const char *key)
{
    for (size_t i = 0; i < NAMES_MAX && fields[field].names[i]; i++)
        if (strcmp(key, fields[field].names[i]) == 0)
            return true;
    return false;
}

static bool stands_in(enum fact_field field, const struct fact_defaults *defaults)
{
    return field == FIELD_LIST && defaults->list;
}

int fact_columns_find(enum fact_kind kind, const struct csv_record *header,
                      const struct fact_defaults *defaults, struct fact_columns *out,
                      struct errtext *e)
{
    uint32_t wanted = of_kind[kind].needed | of_kind[kind].known;
    char known[160];

    for (size_t f = 0; f < FACT_FIELDS; f++)
        out->at[f] = -1;
    for (size_t i = 0; i < header->n; i++) {
        char *key = column_key(header->cells[i].text);
        for (size_t f = 0; f < FACT_FIELDS; f++)
            if ((wanted & BIT(f)) && out->at[f] < 0 &&
                is_named((enum fact_field)f, key)) {
                out->at[f] = (int)i;
                break;
            }
        free(key);
    }
    fact_columns_text(kind, known, sizeof(known));
    for (size_t f = 0; f < FACT_FIELDS; f++)
        if ((of_kind[kind].needed & BIT(f)) && out->at[f] < 0 &&
            !stands_in((enum fact_field)f, defaults))
            return errtext_set(e, EINVAL, (int)header->line, 0,
                               "the first line names no column '%s'; known: %s",
                               fields[f].names[0], known);
    return 0;
}

/* ---- words ---- */

struct word {
    const char *text;
    int value;
};

static bool find_word(const struct word *words, size_t n, const char *text, int *out)
{
    char *key = column_key(text); /* lower case, one _ for what lies between words */
    bool found = false;

    for (size_t i = 0; i < n && !found; i++)
        if (strcmp(key, words[i].text) == 0) {
            *out = words[i].value;
            found = true;
        }
    free(key);
    return found;
}

static bool read_bool(const char *text, int *out)
{
    static const struct word words[] = {
        {"yes", 1},    {"y", 1},     {"true", 1}, {"1", 1},          {"hit", 1},
        {"listed", 1}, {"no", 0},    {"n", 0},    {"false", 0},      {"0", 0},
        {"clear", 0},  {"clean", 0}, {"miss", 0}, {"not_listed", 0}, {"ok", 0}};

    return find_word(words, ARRAY_LEN(words), text, out);
}

static bool read_line(const char *text, int *out)
{
    static const struct word words[] = {
        {"mobile", LINE_FACT_MOBILE},     {"wireless", LINE_FACT_MOBILE},
        {"cell", LINE_FACT_MOBILE},       {"cellular", LINE_FACT_MOBILE},
        {"fixed", LINE_FACT_FIXED},       {"landline", LINE_FACT_FIXED},
        {"wireline", LINE_FACT_FIXED},    {"fixed_line", LINE_FACT_FIXED},
        {"voip", LINE_FACT_VOIP},         {"fixed_voip", LINE_FACT_VOIP},
        {"nonfixed_voip", LINE_FACT_VOIP}};

    return find_word(words, ARRAY_LEN(words), text, out);
}

static bool read_answer(const char *text, int *out)
{
    static const struct word words[] = {
        {"yes", RND_YES},         {"y", RND_YES},          {"reassigned", RND_YES},
        {"no", RND_NO},           {"n", RND_NO},           {"not_reassigned", RND_NO},
        {"no_data", RND_NO_DATA}, {"nodata", RND_NO_DATA}, {"unknown", RND_NO_DATA}};

    return find_word(words, ARRAY_LEN(words), text, out);
}

static bool read_level(const char *text, int *out)
{
    static const struct word words[] = {
        {"express", CONSENT_EXPRESS},
        {"prior_express", CONSENT_EXPRESS},
        {"oral", CONSENT_EXPRESS},
        {"express_written", CONSENT_EXPRESS_WRITTEN},
        {"prior_express_written", CONSENT_EXPRESS_WRITTEN},
        {"written", CONSENT_EXPRESS_WRITTEN},
        {"none", CONSENT_NONE}};

    return find_word(words, ARRAY_LEN(words), text, out);
}

bool fact_time_parse(const char *text, int64_t *out_ms)
{
    int64_t day = 0;

    if (!clock_parse(text, out_ms))
        return true;
    if (!rule_date_parse(text, &day))
        return false;
    *out_ms = day * DAY_MS;
    return true;
}

bool fact_region_is_known(const char *text)
{
    char country[3] = "";
    size_t len = strlen(text);

    if (len < 2 || len > 6)
        return false;
    memcpy(country, text, 2);
    if (!phone_region_is_known(country))
        return false;
    if (len == 2)
        return true;
    if (text[2] != '-' || len < 4)
        return false;
    for (const char *p = text + 3; *p; p++)
        if (!isupper((unsigned char)*p) && !isdigit((unsigned char)*p))
            return false;
    return true;
}

/* ---- rows ---- */

struct reading {
    const struct fact_columns *columns;
    const struct csv_record *record;
    const struct fact_defaults *defaults;
    struct fact_row *out;
    struct fact_reject *why;
};

static bool refuse(struct reading *r, enum fact_field field, const char *reason,
                   const char *hint)
{
    *r->why = (struct fact_reject){.field = field, .reason = reason, .hint = hint};
    return false;
}

static const char *cell(const struct reading *r, enum fact_field field)
{
    int at = r->columns->at[field];

    return at < 0 || (size_t)at >= r->record->n ? "" : r->record->cells[at].text;
}

static bool read_phone(struct reading *r)
{
    const char *text = cell(r, FIELD_PHONE);
    struct phone phone;

    enum phone_error error = phone_parse(text, strlen(text), r->defaults->region, &phone);
    if (error != PHONE_VALID && error != PHONE_INVALID)
        return refuse(r, FIELD_PHONE, phone_error_reason(error), phone_error_hint(error));
    r->out->phone = phone.e164;
    return true;
}

/* What is dated ahead would be fresh for longer than it is. */
static bool read_past(struct reading *r, enum fact_field field, int64_t stated_ms,
                      int64_t *out_ms)
{
    const char *text = cell(r, field);

    *out_ms = stated_ms;
    if (*text && !fact_time_parse(text, out_ms))
        return refuse(r, field, "bad_date",
                      "write it as 2026-11-24 or 2026-11-24T08:00:00Z");
    if (*out_ms > r->defaults->now_ms)
        return refuse(r, field, "in_the_future", "this date is still to come");
    return true;
}

static bool read_checked(struct reading *r)
{
    if (!read_past(r, FIELD_CHECKED_AT, r->defaults->checked_at_ms,
                   &r->out->checked_at_ms))
        return false;
    return r->out->checked_at_ms > 0 ||
           refuse(r, FIELD_CHECKED_AT, "no_date",
                  "when was it asked? a column checked_at, or --checked TIME for all");
}

static bool read_text(struct reading *r, enum fact_field field, const char *stated,
                      char *out, size_t size)
{
    const char *text = cell(r, field);

    if (!*text && stated)
        text = stated;
    if (!str_is_utf8(text, strlen(text)))
        return refuse(r, field, "bad_encoding", "this is no UTF-8; see --encoding");
    return !str_copy(out, size, text) || refuse(r, field, "too_long", "it is too long");
}

static bool read_wash(struct reading *r)
{
    const char *expires = cell(r, FIELD_EXPIRES_AT);
    int hit = 0;

    if (!read_bool(cell(r, FIELD_HIT), &hit))
        return refuse(r, FIELD_HIT, "no_answer",
                      "write yes (the number is on the list) or no");
    r->out->hit = hit;
    if (!read_text(r, FIELD_LIST, r->defaults->list, r->out->list,
                   sizeof(r->out->list)) ||
        !read_checked(r))
        return false;
    if (!r->out->list[0])
        return refuse(r, FIELD_LIST, "no_list", "of which list? or --list NAME for all");
    r->out->expires_at_ms = r->defaults->valid_days
                                ? r->out->checked_at_ms + r->defaults->valid_days * DAY_MS
                                : 0;
    if (*expires && !fact_time_parse(expires, &r->out->expires_at_ms))
        return refuse(r, FIELD_EXPIRES_AT, "bad_date",
                      "write it as 2026-11-24 or 2026-11-24T08:00:00Z");
    return r->out->expires_at_ms > r->out->checked_at_ms ||
           refuse(r, FIELD_EXPIRES_AT, "no_expiry",
                  "until when does the answer hold? a column expires_at, or --valid-days "
                  "N for all");
}

static bool read_line_type(struct reading *r)
{
    int line = 0;

    if (!read_line(cell(r, FIELD_LINE), &line))
        return refuse(r, FIELD_LINE, "unknown_line", "write mobile, fixed or voip");
    r->out->line = (enum line_class_fact)line;
    return read_checked(r);
}

static bool read_reassigned(struct reading *r)
{
    int answer = 0;

    if (!read_answer(cell(r, FIELD_ANSWER), &answer))
        return refuse(r, FIELD_ANSWER, "unknown_answer", "write yes, no or no_data");
    r->out->answer = (enum rnd_answer)answer;
    return read_checked(r);
}

/* Names between spaces, commas or semicolons. */
static bool read_zones(struct reading *r)
{
    const char *p = cell(r, FIELD_ZONES);
    size_t len = 0;

    while (*(p += strspn(p, " ,;"))) {
        const struct tz_zone *zone = NULL;
        char name[TZ_NAME_MAX];
        size_t n = strcspn(p, " ,;");
        if (n >= sizeof(name) || len + n + 2 > sizeof(r->out->zones))
            return refuse(r, FIELD_ZONES, "too_long", "it is too long");
        memcpy(name, p, n);
        name[n] = '\0';
        if (tz_find(name, &zone))
            return refuse(r, FIELD_ZONES, "unknown_zone",
                          "write zones by their names, e.g. Africa/Addis_Ababa");
        if (len)
            r->out->zones[len++] = ' ';
        memcpy(r->out->zones + len, name, n + 1);
        len += n;
        p += n;
    }
    return true;
}

static bool read_place(struct reading *r)
{
    int confirmed = 0;

    if (!read_text(r, FIELD_REGION, NULL, r->out->region, sizeof(r->out->region)) ||
        !read_zones(r))
        return false;
    if (*r->out->region && !fact_region_is_known(r->out->region))
        return refuse(r, FIELD_REGION, "unknown_region", "write it as US-CA, or as ET");
    if (*cell(r, FIELD_CONFIRMED) && !read_bool(cell(r, FIELD_CONFIRMED), &confirmed))
        return refuse(r, FIELD_CONFIRMED, "no_answer", "write yes or no");
    r->out->confirmed = confirmed;
    if (!*r->out->region && !*r->out->zones)
        return refuse(r, FIELD_ZONES, "empty", "neither region nor zone is given");
    /* Only its zones will count: there must be some. */
    if (confirmed && !*r->out->zones)
        return refuse(r, FIELD_ZONES, "no_zone", "what was confirmed? name the zone");
    if (!read_past(r, FIELD_CHECKED_AT, r->defaults->checked_at_ms,
                   &r->out->checked_at_ms))
        return false;
    return !confirmed || r->out->checked_at_ms > 0 ||
           refuse(r, FIELD_CHECKED_AT, "no_date",
                  "when did the person say so? a column said_at, or --checked TIME");
}

/* "yes" is now; a date is that day. */
static bool read_revoked(struct reading *r)
{
    const char *text = cell(r, FIELD_REVOKED_AT);
    int yes = 0;

    if (read_bool(text, &yes)) {
        r->out->revoked_at_ms = yes ? r->defaults->now_ms : 0;
        return true;
    }
    return read_past(r, FIELD_REVOKED_AT, 0, &r->out->revoked_at_ms);
}

static bool read_consent(struct reading *r)
{
    const char *word = cell(r, FIELD_LEVEL);
    int level = r->defaults->level;
    enum purpose purpose;

    if (*word && !read_level(word, &level))
        return refuse(r, FIELD_LEVEL, "unknown_level",
                      "write express or express_written");
    r->out->level = (enum consent_level)level;
    if (!read_revoked(r) ||
        !read_text(r, FIELD_SELLER, r->defaults->seller, r->out->seller,
                   sizeof(r->out->seller)) ||
        !read_text(r, FIELD_PURPOSE, r->defaults->purpose, r->out->purpose,
                   sizeof(r->out->purpose)) ||
        !read_text(r, FIELD_EVIDENCE, r->defaults->evidence, r->out->evidence,
                   sizeof(r->out->evidence)) ||
        !read_past(r, FIELD_GIVEN_AT, r->defaults->given_at_ms, &r->out->given_at_ms))
        return false;
    if (*r->out->purpose && !purpose_parse(r->out->purpose, &purpose))
        return refuse(r, FIELD_PURPOSE, "unknown_purpose",
                      "write telemarketing, informational, debt_collection, healthcare, "
                      "survey, charity, political or emergency; empty is any");
    if (r->out->revoked_at_ms && (!level || !r->out->given_at_ms)) {
        r->out->level = CONSENT_NONE;
        return true;
    }
    if (!level)
        return refuse(r, FIELD_LEVEL, "no_level",
                      "write express or express_written; or --level for all");
    if (!*r->out->evidence)
        return refuse(r, FIELD_EVIDENCE, "no_evidence",
                      "what proves it? a column evidence, or --evidence TEXT for all");
    if (r->out->revoked_at_ms && r->out->revoked_at_ms < r->out->given_at_ms)
        return refuse(r, FIELD_REVOKED_AT, "revoked_before_given",
                      "it was taken back before it was given");
    return r->out->given_at_ms > 0 ||
           refuse(r, FIELD_GIVEN_AT, "no_date",
                  "when was it given? a column given_at, or --given TIME for all");
}

bool fact_row_read(enum fact_kind kind, const struct fact_columns *columns,
                   const struct csv_record *record, const struct fact_defaults *defaults,
                   struct fact_row *out, struct fact_reject *why)
{
    struct reading r = {.columns = columns,
                        .record = record,
                        .defaults = defaults,
                        .out = out,
                        .why = why};

    memset(out, 0, sizeof(*out));
    if (record->fault != RECORD_SOUND)
        return refuse(&r, FIELD_PHONE, "unreadable",
                      "the line cannot be read: a quote is open or a cell too long");
    if (!read_phone(&r))
        return false;
    switch (kind) {
    case FACT_WASH:
        return read_wash(&r);
    case FACT_LINE_TYPE:
        return read_line_type(&r);
    case FACT_REASSIGNED:
        return read_reassigned(&r);
    case FACT_PLACE:
        return read_place(&r);
    case FACT_CONSENT:
        return read_consent(&r);
    case FACT_KINDS:
        break;
    }
    return false;
}
