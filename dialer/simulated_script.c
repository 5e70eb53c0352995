#include "dialer/simulated_script.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "base/str.h"

enum { QUICK_MS = 800, BAD_NUMBER_MS = 300, KEYS = 6, KEYS_MAX = 10000 };

static int read_share(json_t *o, const char *key, double *out, struct errtext *e)
{
    json_t *v = json_object_get(o, key);

    *out = v ? json_number_value(v) : 0;
    if (v && (!json_is_number(v) || *out < 0 || *out > 1))
        return errtext_set(e, EINVAL, 0, 0, "%s: want a probability from 0 to 1", key);
    return 0;
}

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static int read_seed(json_t *o, uint64_t *out, struct errtext *e)
{
    json_t *v = json_object_get(o, "seed");

    *out = 1;
    if (json_is_integer(v))
        *out = (uint64_t)json_integer_value(v);
    else if (json_is_string(v))
        for (const char *c = json_string_value(v); *c; c++)
            *out = mix(*out ^ (unsigned char)*c);
    else if (v)
        return errtext_set(e, EINVAL, 0, 0, "seed: want a whole number or a text");
    return 0;
}

/* [least, most] seconds; what is not there keeps what it is. */
static int read_span(json_t *o, const char *key, double *least, double *most,
                     struct errtext *e)
{
    json_t *v = json_object_get(o, key);

    if (!v)
        return 0;
    *least = json_number_value(json_array_get(v, 0));
    *most = json_number_value(json_array_get(v, 1));
    if (json_array_size(v) != 2 || *least < 0 || *most < *least || *most > 600)
        return errtext_set(e, EINVAL, 0, 0,
                           "%s: want [least, most] seconds, e.g. [4, 18]", key);
    return 0;
}

static int read_spans(json_t *o, struct simulated_settings *s, struct errtext *e)
{
    s->ring_min_s = 4;
    s->ring_max_s = 18;
    s->greeting_min_s = 4;
    s->greeting_max_s = 10;
    s->think_min_s = s->think_max_s = 1;
    int err = read_span(o, "ring_s", &s->ring_min_s, &s->ring_max_s, e);
    if (!err)
        err = read_span(o, "greeting_s", &s->greeting_min_s, &s->greeting_max_s, e);
    return err ? err : read_span(o, "think_s", &s->think_min_s, &s->think_max_s, e);
}

static int read_keys(json_t *o, int *out, struct errtext *e)
{
    json_t *v = json_object_get(o, "keys");

    *out = v ? (int)json_integer_value(v) : KEYS;
    if (v && (!json_is_integer(v) || json_integer_value(v) < 1 ||
              json_integer_value(v) > KEYS_MAX))
        return errtext_set(e, EINVAL, 0, 0, "keys: want a whole number from 1 to %d",
                           KEYS_MAX);
    return 0;
}

static int read_all(json_t *o, struct simulated_settings *s, struct errtext *e)
{
    double no_answer = 0;
    const struct {
        const char *key;
        double *at;
    } shares[] = {
        {"answer", &s->answer},         {"busy", &s->busy},
        {"no_answer", &no_answer},      {"rejected", &s->rejected},
        {"congestion", &s->congestion}, {"bad_number", &s->bad_number},
        {"speak", &s->speak},           {"opt_out", &s->opt_out},
        {"hang_up", &s->hang_up},       {"machine", &s->machine},
    };

    int err = read_seed(o, &s->seed, e);
    if (!err)
        err = read_spans(o, s, e);
    if (!err)
        err = read_keys(o, &s->keys, e);
    for (size_t i = 0; !err && i < ARRAY_LEN(shares); i++)
        err = read_share(o, shares[i].key, shares[i].at, e);
    if (err)
        return err;
    if (s->answer + s->busy + no_answer + s->rejected + s->congestion + s->bad_number >
        1.0001)
        return errtext_set(e, EINVAL, 0, 0,
                           "answer, busy, no_answer, rejected, congestion and bad_number "
                           "add up to more than 1");
    if (s->speak + s->opt_out + s->hang_up > 1.0001)
        return errtext_set(e, EINVAL, 0, 0,
                           "speak, opt_out and hang_up add up to more than 1");
    const char *voices = json_string_value(json_object_get(o, "voices"));
    if (str_copy(s->voices, sizeof(s->voices), voices ? voices : ""))
        return errtext_set(e, EINVAL, 0, 0, "voices: the path is too long");
    return 0;
}

int simulated_settings_parse(struct simulated_settings *out, const char *json,
                             struct errtext *e)
{
    json_error_t at;
    json_auto_t *o = json_loads(json, JSON_REJECT_DUPLICATES, &at);

    *out = (struct simulated_settings){0};
    if (!json_is_object(o))
        return errtext_set(e, EINVAL, o ? 0 : at.line, o ? 0 : at.column,
                           "settings of a simulated trunk: want a JSON object%s%s",
                           o ? "" : ": ", o ? "" : at.text);
    return read_all(o, out, e);
}

int simulated_settings_check(const char *json, struct errtext *e)
{
    static const char *const fields[] = {
        "seed",    "answer", "busy",       "no_answer", "rejected", "congestion",
        "ring_s",  "speak",  "bad_number", "machine",   "opt_out",  "greeting_s",
        "think_s", "keys",   "voices",     "hang_up"};
    json_auto_t *o = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    struct simulated_settings settings;
    const char *key;
    json_t *value;

    json_object_foreach(o, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(fields) && !known; i++)
            known = str_is(key, fields[i]);
        if (!known)
            return errtext_set(e, EINVAL, 0, 0,
                               "'%.40s' is no setting of a simulated trunk; there are "
                               "answer, busy, no_answer, rejected, congestion, "
                               "bad_number, ring_s, machine, greeting_s, speak, opt_out, "
                               "hang_up, think_s, keys, voices, seed",
                               key);
    }
    return simulated_settings_parse(&settings, json, e);
}

static uint64_t draw(const struct simulated_settings *s, int64_t phone, int number,
                     uint64_t what)
{
    return mix(mix(mix(s->seed) ^ (uint64_t)phone) ^ ((uint64_t)number << 32) ^ what);
}

static double share(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

void simulated_script(const struct simulated_settings *s, int64_t phone, int number,
                      struct simulated_script *out)
{
    const struct {
        double part;
        enum simulated_outcome outcome;
    } outcomes[] = {{s->answer, SIMULATED_ANSWER},
                    {s->busy, SIMULATED_BUSY},
                    {s->rejected, SIMULATED_REJECTED},
                    {s->congestion, SIMULATED_CONGESTION},
                    {s->bad_number, SIMULATED_BAD_NUMBER}};
    double u = share(draw(s, phone, number, 1)), m = share(draw(s, phone, number, 2));
    double ring = share(draw(s, phone, number, 3));

    out->outcome = SIMULATED_NO_ANSWER;
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        if (u < outcomes[i].part) {
            out->outcome = outcomes[i].outcome;
            break;
        }
        u -= outcomes[i].part;
    }
    out->manner = m < s->speak                             ? SIMULATED_SPEAKS
                  : m < s->speak + s->opt_out              ? SIMULATED_OPTS_OUT
                  : m < s->speak + s->opt_out + s->hang_up ? SIMULATED_HANGS_UP
                                                           : SIMULATED_SILENT;
    out->ring_ms =
        (int64_t)((s->ring_min_s + ring * (s->ring_max_s - s->ring_min_s)) * 1000);
    if (out->outcome == SIMULATED_BUSY || out->outcome == SIMULATED_CONGESTION)
        out->ring_ms = QUICK_MS;
    if (out->outcome == SIMULATED_BAD_NUMBER)
        out->ring_ms = BAD_NUMBER_MS;
    out->voice = draw(s, phone, number, 4);
    double greeting = share(draw(s, phone, number, 6));
    double think = share(draw(s, phone, number, 7));
    out->think_ms =
        (int64_t)((s->think_min_s + think * (s->think_max_s - s->think_min_s)) * 1000);
    out->greeting_ms = 0;
    if (share(draw(s, phone, number, 5)) < s->machine) {
        out->manner = SIMULATED_SILENT;
        out->greeting_ms =
            (int64_t)((s->greeting_min_s +
                       greeting * (s->greeting_max_s - s->greeting_min_s)) *
                      1000);
    }
}
