/*
 * lines - the trunks of a simulation: how many calls each carries, how fast, and which
 * of them takes the next ones (campaign_trunk_may). What all of them together may do is
 * the campaign's, the tenant's and the caller ID's. Pure; not thread-safe.
 */
#ifndef SIMULATE_LINES_H
#define SIMULATE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simulate/network.h"
#include "simulate/scene.h"

struct line {
    const struct scene_trunk *trunk;
    double tat_ms; /* of the next call: GCRA */
    int64_t open;  /* calls under way */
    double sent;   /* for the shares of several */
    bool usable;   /* as it was last */
    int64_t calls, peak;
};

struct lines {
    const struct scene *scene;
    const struct network *network;
    struct line at[CAMPAIGN_TRUNKS_MAX];
    size_t n;
    double tat_ms;
    int64_t open;
};

enum { LINES_BATCH_MAX = 256 };
#define LINES_NEVER INT64_MAX

/* scene and network must outlive it. */
void lines_init(struct lines *l, const struct scene *scene,
                const struct network *network);
/* The first instant from now_ms on at which one of them can take calls; LINES_NEVER: not
 * before a call ends. */
int64_t lines_ready_ms(const struct lines *l, int64_t now_ms);
/* Which of them takes calls now, and how many at most; -1: none. */
int lines_next(struct lines *l, int64_t now_ms, size_t *wanted);
/* So many were picked for it. */
void lines_claimed(struct lines *l, int which, size_t picked);
/* One goes out; when. */
int64_t lines_send(struct lines *l, int which, int64_t now_ms);
void lines_end(struct lines *l, int which);

#endif
