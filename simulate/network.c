#include "simulate/network.h"

#include <string.h>

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
                            .asset_s = 4,
                            .silent = 0.03,
                            .beep = 0.9,
                            .hello_after = {0.2, 1},
                            .hello = {0.4, 1.2},
                            .greeting = {3, 12},
                            .agent_answers = {0.3, 1.2},
                            .wrap_up = {5, 30},
                            .patience = {30, 240},
                            .understood = 0.85,
                            .call_in = {1800, 3600}};
    memcpy(out->answer, usual_answer, sizeof(out->answer));
    out->keys[0] = 0.62;  /* 1 */
    out->keys[1] = 0.12;  /* 2 */
    out->keys[2] = 0.05;  /* 3 */
    out->keys[8] = 0.03;  /* 9 */
    out->keys[9] = 0.02;  /* 0 */
    out->keys[10] = 0.01; /* * */
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
    ASK_RING,
    ASK_LEAVES, /* of whoever answered: */
    ASK_SILENT,
    ASK_HELLO_AFTER,
    ASK_HELLO,
    ASK_BEEP
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

enum { QUICK_MS = 800, BAD_NUMBER_MS = 300, BEEP_AFTER_MS = 500 };

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

int64_t party_leaves_ms(const struct network_party *p, int64_t answered_ms)
{
    return p->machine ? answered_ms +
                            span_ms(&p->network->machine_listens, ask(p->key, ASK_LEAVES))
                      : INT64_MAX;
}

struct network_voice party_voice(const struct network_party *p, int64_t answered_ms)
{
    const struct network *n = p->network;
    struct network_voice v = {INT64_MAX, INT64_MAX, INT64_MAX};

    if (!p->machine && ask(p->key, ASK_SILENT) < n->silent)
        return v;
    v.speaks_ms = answered_ms + span_ms(&n->hello_after, ask(p->key, ASK_HELLO_AFTER));
    v.silent_ms = v.speaks_ms +
                  span_ms(p->machine ? &n->greeting : &n->hello, ask(p->key, ASK_HELLO));
    if (p->machine && ask(p->key, ASK_BEEP) < n->beep)
        v.beeps_ms = v.silent_ms + BEEP_AFTER_MS;
    return v;
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
