/*
 * network - an invented telephone network: who picks up, after how long, and what people
 * then do. Everything it answers is a pure function of the seed, the number called and
 * the attempt's number, so neither the order nor the time of other calls matters.
 *
 * A network is a JSON object. Every field may be left out; network_default() has the
 * rest. Shares are from 0 to 1, times in seconds, [least, most] evenly spread.
 *
 *   bad_number       share of the numbers that are none (the same at every attempt)
 *   never            share of the people who never pick up
 *   congestion unreachable busy rejected
 *                    shares of the calls to good numbers that end so
 *   answer           of the calls that ring, those that a person answers: a share, or 24
 *                    shares by the hour of the called party's clock
 *   machine          of those that nobody answers, the ones that a machine takes
 *   ring_s           until a person answers or declines; machine_ring_s likewise
 *   machine_s        how long a machine stays on the line, its greeting included
 *   silent           share of the people who say nothing when they answer
 *   hello_after_s hello_s
 *                    until a person says the first word, and how long it takes
 *   greeting_s beep  how long a machine's greeting takes; share of those that beep after
 *                    it (heard where the campaign asks for machines)
 *   keys             what people press when a key is wanted, {"1": 0.7, "9": 0.02};
 *                    the others press nothing
 *   think_s          from the end of a prompt to the first key
 *   speak speech_s   share of recordings in which somebody speaks, and for how long
 *   understood       share of what is recorded that speech recognition understands, where
 *                    the flow has it recognised
 *   call_in_s        where a time to call is said: how far from now
 *   hang_up          share of the prompts in the middle of which people hang up
 *   char_ms asset_s  how long prompts take: a character of text, a recorded prompt
 *   talk_s           of a call that was passed on to a person
 *   agent_answers_s wrap_up_s patience_s
 *                    until an agent's phone is answered; what is written down after a
 *                    call; how long somebody waits in a queue
 *   outages          [["trunk", from, to], …]: trunks that cannot be used, in hours from
 *                    the simulation's beginning
 */
#ifndef SIMULATE_NETWORK_H
#define SIMULATE_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "campaigns/disposition.h"

enum {
    NETWORK_HOURS = 24,
    NETWORK_KEYS = 12,
    NETWORK_OUTAGES = 32,
    NETWORK_TRUNK_MAX = 128,
    NETWORK_TEXT_LIMIT = 1 << 20
};

struct network_span {
    double least, most; /* seconds */
};

struct network_outage {
    char trunk[NETWORK_TRUNK_MAX];
    double from_h, to_h;
};

struct network {
    double bad_number, never;
    double congestion, unreachable, busy, rejected;
    double answer[NETWORK_HOURS];
    double machine;
    struct network_span ring, machine_ring, machine_listens, think, speech, talk;
    double keys[NETWORK_KEYS]; /* of network_key() */
    double speak, hang_up;
    double char_ms, asset_s;
    double silent, beep, understood;
    struct network_span hello_after, hello, greeting;
    struct network_span agent_answers, wrap_up, patience, call_in;
    struct network_outage outages[NETWORK_OUTAGES];
    size_t outage_count;
};

void network_default(struct network *out);
/* Fields that are stated replace those of *out. EINVAL with a text that names the field,
 * and where the JSON itself is wrong its line and column. */
NODISCARD int network_parse(struct network *out, const char *text, size_t len,
                            struct errtext *e);
/* All of it, as network_parse() reads it; the caller's. */
json_t *network_to_json(const struct network *n);

char network_key(size_t i); /* 1 2 … 9 0 * # */

/* One attempt, as the network sees it. */
struct network_call {
    enum disposition disposition;
    bool machine;    /* it answered */
    int64_t ring_ms; /* until the answer or the end */
};

/* hour: on the called party's clock, when it rings. */
void network_dial(const struct network *n, uint64_t seed, int64_t phone, int attempt,
                  int hour, int ring_timeout_s, struct network_call *out);

/* What whoever answered draws next: each question has its own number in the call. */
struct network_party {
    const struct network *network;
    uint64_t key; /* of seed, number and attempt */
    uint32_t asked;
    bool machine;
};
struct network_party network_party(const struct network *n, uint64_t seed, int64_t phone,
                                   int attempt, bool machine);
/* When a machine hangs up by itself; INT64_MAX: it is a person. */
int64_t party_leaves_ms(const struct network_party *p, int64_t answered_ms);

/* What is heard of whoever answered, before anything was said to them; INT64_MAX: not. */
struct network_voice {
    int64_t speaks_ms, silent_ms, beeps_ms;
};
struct network_voice party_voice(const struct network_party *p, int64_t answered_ms);

bool party_draw(struct network_party *p, double share);
int64_t party_span_ms(struct network_party *p, const struct network_span *span);
char party_key(struct network_party *p); /* '\0': presses nothing */
char party_digit(struct network_party *p);

#endif
