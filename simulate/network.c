#include "simulate/network.h"

#include <errno.h>
#include <string.h>

enum { SPAN_MAX_S = 3600, CHAR_MAX_MS = 10000 };

static const char keys[NETWORK_KEYS + 1] = "1234567890*#";

char network_key(size_t i)
{
    return keys[i];
}

/* ---- what is not stated ---- */

/* More people pick up at noon and in the evening: 30 % of the ringing calls by day. */
static const double usual_answer[NETWORK_HOURS] = {
    .05, .04, .03, .03, .04, .08, .15, .22, .27, .29, .30, .31,
    .34, .32, .29, .28, .29, .32, .36, .38, .35, .28, .16, .08};

void network_default(struct network *out)
{
    *out = (struct network){.bad_number = 0.04,
                            .never = 0.08,
                            .congestion = 0.01,
                            .unreachable = 0.05,
                            .busy = 0.06,
                            .rejected = 0.03,
                            .machine = 0.12,
                            .ring = {4, 18},
                            .machine_ring = {15, 22},
                            .machine_listens = {10, 40},
                            .think = {0.5, 4},
                            .speech = {3, 20},
                            .talk = {20, 180},
                            .speak = 0.8,
                            .hang_up = 0.04,
                            .char_ms = 65,
                            .asset_s = 4};
    memcpy(out->answer, usual_answer, sizeof(out->answer));
    out->keys[0] = 0.62;  /* 1 */
    out->keys[1] = 0.12;  /* 2 */
    out->keys[2] = 0.05;  /* 3 */
    out->keys[8] = 0.03;  /* 9 */
    out->keys[9] = 0.02;  /* 0 */
    out->keys[10] = 0.01; /* * */
}

/* ---- JSON ---- */

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
        const char *at = strlen(key) == 1 ? strchr(keys, key[0]) : NULL;
        if (!at || !read_number(share, 1, &out[at - keys]))
            return false;
        sum += out[at - keys];
    }
    return sum <= 1.0001;
}

/* One table for reading and writing. */
enum kind { SHARE, SPAN, MS, SECONDS, ANSWER, KEYS };
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
        if (!f)
            return errtext_set(e, EINVAL, 0, 0,
                               "a network has no field '%.40s' ('furrow simulate --help' "
                               "lists them)",
                               key);
        int err = read_field(&n, f, v, e);
        if (err)
            return err;
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
    case KEYS:
        break;
    }
    out = json_object();
    for (size_t k = 0; k < NETWORK_KEYS; k++)
        if (d[k] > 0)
            json_object_set_new(out, (const char[]){keys[k], '\0'}, json_real(d[k]));
    return out;
}

json_t *network_to_json(const struct network *n)
{
    json_t *out = json_object();

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        json_object_set_new(out, fields[i].key, field_json(n, &fields[i]));
    return out;
}

/* ---- drawing ---- */

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static double share_of(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

enum question {
    ASK_NUMBER = 1,
    ASK_NEVER,
    ASK_OUTCOME,
    ASK_ANSWER,
    ASK_MACHINE,
    ASK_RING
};

static uint64_t key_of(uint64_t seed, int64_t phone, int attempt)
{
    return mix(mix(mix(seed) ^ (uint64_t)phone) ^ (uint64_t)attempt);
}

static double ask(uint64_t key, enum question what)
{
    return share_of(mix(key ^ ((uint64_t)what << 56)));
}

static int64_t span_ms(const struct network_span *s, double share)
{
    return (int64_t)((s->least + share * (s->most - s->least)) * 1000);
}

enum { QUICK_MS = 800, BAD_NUMBER_MS = 300 };

/* A call that does not get as far as ringing for long; false: it rings. */
static bool fails(const struct network *n, double u, double ring,
                  struct network_call *out)
{
    const struct {
        double share;
        enum disposition disposition;
        int64_t ms;
    } ends[] = {{n->congestion, DISPOSITION_CONGESTION, QUICK_MS},
                {n->unreachable, DISPOSITION_UNREACHABLE, QUICK_MS},
                {n->busy, DISPOSITION_BUSY, QUICK_MS},
                {n->rejected, DISPOSITION_REJECTED, span_ms(&n->ring, ring)}};

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (u < ends[i].share) {
            *out = (struct network_call){.disposition = ends[i].disposition,
                                         .ring_ms = ends[i].ms};
            return true;
        }
        u -= ends[i].share;
    }
    return false;
}

void network_dial(const struct network *n, uint64_t seed, int64_t phone, int attempt,
                  int hour, int ring_timeout_s, struct network_call *out)
{
    uint64_t person = key_of(seed, phone, 0), call = key_of(seed, phone, attempt);
    int64_t timeout_ms = (int64_t)ring_timeout_s * 1000;
    double ring = ask(call, ASK_RING);

    *out = (struct network_call){.disposition = DISPOSITION_BAD_NUMBER,
                                 .ring_ms = BAD_NUMBER_MS};
    if (ask(person, ASK_NUMBER) < n->bad_number ||
        fails(n, ask(call, ASK_OUTCOME), ring, out))
        return;
    bool answers = ask(person, ASK_NEVER) >= n->never &&
                   ask(call, ASK_ANSWER) < n->answer[hour % NETWORK_HOURS];
    bool machine = !answers && ask(call, ASK_MACHINE) < n->machine;
    *out = (struct network_call){.disposition = DISPOSITION_NO_ANSWER,
                                 .ring_ms = timeout_ms};
    int64_t ring_ms = span_ms(machine ? &n->machine_ring : &n->ring, ring);
    if ((answers || machine) && ring_ms < timeout_ms)
        *out = (struct network_call){
            .disposition = DISPOSITION_COMPLETED, .machine = machine, .ring_ms = ring_ms};
}

struct network_party network_party(const struct network *n, uint64_t seed, int64_t phone,
                                   int attempt, bool machine)
{
    return (struct network_party){.network = n,
                                  .key = mix(key_of(seed, phone, attempt) ^ 0x5ca1ab1eU),
                                  .machine = machine};
}

static double next_share(struct network_party *p)
{
    return share_of(mix(p->key + p->asked++));
}

bool party_draw(struct network_party *p, double share)
{
    return next_share(p) < share;
}

int64_t party_span_ms(struct network_party *p, const struct network_span *span)
{
    return span_ms(span, next_share(p));
}

char party_key(struct network_party *p)
{
    double u = next_share(p);

    for (size_t k = 0; !p->machine && k < NETWORK_KEYS; k++) {
        if (u < p->network->keys[k])
            return keys[k];
        u -= p->network->keys[k];
    }
    return '\0';
}

char party_digit(struct network_party *p)
{
    return (char)('0' + (int)(next_share(p) * 10));
}
