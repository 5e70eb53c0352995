/*
 * history - the calls of a simulation, by contact, for the gate and the retry rules; with
 * those that the ledger knew before. Pure; not thread-safe.
 */
#ifndef SIMULATE_HISTORY_H
#define SIMULATE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "campaigns/retry.h"
#include "simulate/scene.h"

struct history_call {
    int64_t at_ms;
    uint32_t before; /* + 1, of the same contact; 0 none */
    uint32_t intent; /* its place in the batch + 1; 0: released */
    uint32_t use;    /* of the number it shows (pool.h) */
    uint8_t outcome; /* enum outcome */
    bool open;
};

struct history {
    const struct scene *scene;
    struct history_call *at; /* owned */
    size_t n, size;
    uint32_t *newest;              /* of each contact, + 1; 0 none; owned */
    struct compliance_call *calls; /* of the one that is judged; owned */
    size_t calls_size;
};

void history_init(struct history *h, const struct scene *scene);
void history_deinit(struct history *h);

/* An open call. */
void history_add(struct history *h, uint32_t person, int64_t at_ms, uint32_t intent,
                 uint32_t use);
/* The contact's latest; it must have one. Borrowed until the next history_add(). */
struct history_call *history_newest(struct history *h, uint32_t person);
void history_drop_newest(struct history *h, uint32_t person); /* it was never placed */

/* The calls of *facts become all that there were to the person, over any number. own: the
 * place + 1 of the attempt at hand in its batch, whose elders count as open; 0: every one
 * does. Borrowed until the next call. */
void history_tell(struct history *h, uint32_t person, uint32_t own,
                  struct compliance_facts *facts);
/* When calls to the contact were answered, the newest first. */
size_t history_answers(const struct history *h, uint32_t person,
                       int64_t out[RETRY_ANSWERS_MAX]);

#endif
