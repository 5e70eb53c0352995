/* A network as JSON, read and written by one table. */
#include <errno.h>
#include <string.h>

#include "base/json_position.h"
#include "base/str.h"
#include "simulate/network.h"

enum {
    SPAN_MAX_S = 3600,
    CHAR_MAX_MS = 10000,
    OUTAGE_MAX_H = 60 * 24,
    POINTER_MAX = 160
};

static int wrong(struct errtext *e, const char *key, const char *want)
{
    return errtext_set(e, EINVAL, 0, 0, "'%s' of the network: want %s", key, want);
}

static bool read_number(const json_t *v, double max, double *out)
{
    if (!json_is_number(v))
        return false;
    double d = json_number_value(v);
    if (!(d >= 0 && d <= max))
        return false;
    *out = d;
    return true;
}

static bool read_span(const json_t *v, struct network_span *out)
{
    struct network_span s = {0, 0};

    if (json_array_size(v) != 2 ||
        !read_number(json_array_get(v, 0), SPAN_MAX_S, &s.least) ||
        !read_number(json_array_get(v, 1), SPAN_MAX_S, &s.most) || s.most < s.least)
        return false;
    *out = s;
    return true;
}

static bool read_answer(const json_t *v, double out[NETWORK_HOURS])
{
    double all = 0;

    if (read_number(v, 1, &all)) {
        for (size_t h = 0; h < NETWORK_HOURS; h++)
            out[h] = all;
        return true;
    }
    if (json_array_size(v) != NETWORK_HOURS)
        return false;
    for (size_t h = 0; h < NETWORK_HOURS; h++)
        if (!read_number(json_array_get(v, h), 1, &out[h]))
            return false;
    return true;
}

/* NETWORK_KEYS: it is none. */
static size_t key_at(const char *key)
{
    size_t i = 0;

    while (i < NETWORK_KEYS && (key[0] != network_key(i) || key[1]))
        i++;
    return i;
}

static bool read_keys(json_t *v, double out[NETWORK_KEYS])
{
    const char *key = NULL;
    json_t *share = NULL;
    double sum = 0;

    if (!json_is_object(v))
        return false;
    memset(out, 0, NETWORK_KEYS * sizeof(*out));
    json_object_foreach(v, key, share)
    {
        size_t at = key_at(key);
        if (at == NETWORK_KEYS || !read_number(share, 1, &out[at]))
            return false;
        sum += out[at];
    }
    return sum <= 1.0001;
}

static bool read_outage(json_t *v, struct network_outage *out)
{
    const char *trunk = json_string_value(json_array_get(v, 0));

    *out = (struct network_outage){0};
    if (json_array_size(v) != 3 || !trunk || !trunk[0] ||
        strlen(trunk) >= NETWORK_TRUNK_MAX ||
        !read_number(json_array_get(v, 1), OUTAGE_MAX_H, &out->from_h) ||
        !read_number(json_array_get(v, 2), OUTAGE_MAX_H, &out->to_h) ||
        out->to_h <= out->from_h)
        return false;
    str_cut(out->trunk, sizeof(out->trunk), trunk);
    return true;
}

static bool read_outages(const json_t *v, struct network *n)
{
    if (!json_is_array(v) || json_array_size(v) > NETWORK_OUTAGES)
        return false;
    memset(n->outages, 0, sizeof(n->outages));
    n->outage_count = json_array_size(v);
    for (size_t i = 0; i < n->outage_count; i++)
        if (!read_outage(json_array_get(v, i), &n->outages[i]))
            return false;
    return true;
}

/* One table for reading and writing. */
enum kind { SHARE, SPAN, MS, SECONDS, ANSWER, KEYS, OUTAGES };
static const struct field {
    const char *key;
    enum kind kind;
    size_t offset;
} fields[] = {
    {"bad_number", SHARE, offsetof(struct network, bad_number)},
    {"never", SHARE, offsetof(struct network, never)},
    {"congestion", SHARE, offsetof(struct network, congestion)},
    {"unreachable", SHARE, offsetof(struct network, unreachable)},
    {"busy", SHARE, offsetof(struct network, busy)},
    {"rejected", SHARE, offsetof(struct network, rejected)},
    {"answer", ANSWER, offsetof(struct network, answer)},
    {"machine", SHARE, offsetof(struct network, machine)},
    {"ring_s", SPAN, offsetof(struct network, ring)},
    {"machine_ring_s", SPAN, offsetof(struct network, machine_ring)},
    {"machine_s", SPAN, offsetof(struct network, machine_listens)},
    {"keys", KEYS, offsetof(struct network, keys)},
    {"think_s", SPAN, offsetof(struct network, think)},
    {"speak", SHARE, offsetof(struct network, speak)},
    {"speech_s", SPAN, offsetof(struct network, speech)},
    {"hang_up", SHARE, offsetof(struct network, hang_up)},
    {"char_ms", MS, offsetof(struct network, char_ms)},
    {"asset_s", SECONDS, offsetof(struct network, asset_s)},
    {"talk_s", SPAN, offsetof(struct network, talk)},
    {"silent", SHARE, offsetof(struct network, silent)},
    {"hello_after_s", SPAN, offsetof(struct network, hello_after)},
    {"hello_s", SPAN, offsetof(struct network, hello)},
    {"greeting_s", SPAN, offsetof(struct network, greeting)},
    {"beep", SHARE, offsetof(struct network, beep)},
    {"agent_answers_s", SPAN, offsetof(struct network, agent_answers)},
    {"wrap_up_s", SPAN, offsetof(struct network, wrap_up)},
    {"patience_s", SPAN, offsetof(struct network, patience)},
    {"understood", SHARE, offsetof(struct network, understood)},
    {"call_in_s", SPAN, offsetof(struct network, call_in)},
    {"outages", OUTAGES, 0},
};

static int read_field(struct network *n, const struct field *f, json_t *v,
                      struct errtext *e)
{
    void *at = (char *)n + f->offset;

    switch (f->kind) {
    case SHARE:
        return read_number(v, 1, at) ? 0 : wrong(e, f->key, "a share from 0 to 1");
    case SPAN:
        return read_span(v, at)
                   ? 0
                   : wrong(e, f->key, "[least, most] seconds up to 3600, e.g. [4, 18]");
    case MS:
        return read_number(v, CHAR_MAX_MS, at)
                   ? 0
                   : wrong(e, f->key, "milliseconds, 0 to 10000");
    case SECONDS:
        return read_number(v, SPAN_MAX_S, at) ? 0
                                              : wrong(e, f->key, "seconds, 0 to 3600");
    case ANSWER:
        return read_answer(v, at)
                   ? 0
                   : wrong(e, f->key,
                           "a share from 0 to 1, or 24 of them, one an hour from 00:00");
    case OUTAGES:
        return read_outages(v, n)
                   ? 0
                   : wrong(e, f->key,
                           "a list of [\"trunk\", from, to], in hours from the "
                           "beginning, e.g. [[\"main\", 2, 4.5]]");
    case KEYS:
        break;
    }
    return read_keys(v, at)
               ? 0
               : wrong(e, f->key,
                       "an object of keys and shares that add up to at most 1, e.g. "
                       "{\"1\": 0.7, \"9\": 0.02}");
}

static const struct field *find_field(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (strcmp(fields[i].key, key) == 0)
            return &fields[i];
    return NULL;
}

/* Says where the field stands. */
static int at_field(const char *text, size_t len, const char *key, enum json_place place,
                    struct errtext *e)
{
    struct json_position at = {0};
    char pointer[POINTER_MAX] = "";

    json_pointer_add(pointer, sizeof(pointer), key);
    (void)!json_position_find(text, len, pointer, place, &at);
    e->line = at.line;
    e->column = at.column;
    return EINVAL;
}

int network_parse(struct network *out, const char *text, size_t len, struct errtext *e)
{
    json_error_t at;
    json_auto_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &at);
    struct network n = *out;
    const char *key = NULL;
    json_t *v = NULL;

    if (!json_is_object(o))
        return errtext_set(e, EINVAL, o ? 0 : at.line, o ? 0 : at.column,
                           "a network is a JSON object%s%s", o ? "" : ": ",
                           o ? "" : at.text);
    json_object_foreach(o, key, v)
    {
        const struct field *f = find_field(key);
        if (!f) {
            (void)!errtext_set(e, EINVAL, 0, 0,
                               "a network has no field '%.40s' ('furrow simulate "
                               "--show-pstn' prints all of them)",
                               key);
            return at_field(text, len, key, JSON_PLACE_KEY, e);
        }
        if (read_field(&n, f, v, e))
            return at_field(text, len, key, JSON_PLACE_VALUE, e);
    }
    if (n.congestion + n.unreachable + n.busy + n.rejected > 1.0001)
        return errtext_set(
            e, EINVAL, 0, 0,
            "congestion, unreachable, busy and rejected of the network add "
            "up to more than 1");
    *out = n;
    return 0;
}

static json_t *field_json(const struct network *n, const struct field *f)
{
    const void *at = (const char *)n + f->offset;
    const struct network_span *span = at;
    const double *d = at;
    json_t *out = NULL;

    switch (f->kind) {
    case SHARE:
    case MS:
    case SECONDS:
        return json_real(*d);
    case SPAN:
        return json_pack("[f, f]", span->least, span->most);
    case ANSWER:
        out = json_array();
        for (size_t h = 0; h < NETWORK_HOURS; h++)
            json_array_append_new(out, json_real(d[h]));
        return out;
    case OUTAGES:
        out = json_array();
        for (size_t i = 0; i < n->outage_count; i++)
            json_array_append_new(out,
                                  json_pack("[s, f, f]", n->outages[i].trunk,
                                            n->outages[i].from_h, n->outages[i].to_h));
        return out;
    case KEYS:
        break;
    }
    out = json_object();
    for (size_t k = 0; k < NETWORK_KEYS; k++)
        if (d[k] > 0)
            json_object_set_new(out, (const char[]){network_key(k), '\0'},
                                json_real(d[k]));
    return out;
}

json_t *network_to_json(const struct network *n)
{
    json_t *out = json_object();

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        json_object_set_new(out, fields[i].key, field_json(n, &fields[i]));
    return out;
}
