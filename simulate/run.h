/*
 * run - one simulation: a virtual clock, the pace of the trunk, calls into an invented
 * network, and whatever store keeps the contacts. Single-threaded; reads no clock of the
 * machine: the same scene, seed and network give the same run.
 *
 * As a dialer does it: a batch of at most 0.8 s of the pace is claimed and released when
 * the pace is due and channels are free; its calls go out evenly spaced (GCRA). Nobody
 * due: the clock goes to when somebody is, or to the next call's end.
 */
#ifndef SIMULATE_RUN_H
#define SIMULATE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "compliance/reason.h"
#include "simulate/network.h"
#include "simulate/scene.h"
#include "simulate/store.h"

struct memory;

enum { RUN_OUTCOMES_MAX = 24, RUN_REASONS_MAX = 64 };

struct run_minute {
    uint32_t calls, answered, machines, refused;
    uint32_t open; /* most at once */
};

struct run_name { /* how often something of that name */
    char name[32];
    int64_t n;
};

struct run_reason {
    enum reason reason;
    int64_t n;
};

struct run_reasons { /* in the order of severity */
    size_t n;
    struct run_reason at[RUN_REASONS_MAX];
};

struct run_counts {
    struct run_minute *minutes; /* owned; from first_ms on */
    size_t minute_count;        /* up to the last call's end */
    int64_t first_minute_ms;
    int64_t calls, ends[DISPOSITIONS], machines;
    int64_t opt_outs, callbacks, recordings, messages, transfers;
    int64_t talk_ms;
    struct run_name
        outcomes[RUN_OUTCOMES_MAX]; /* of flows, in the order of their first */
    size_t outcome_count;
    struct run_reasons refusals;                      /* verdicts */
    int64_t first_call_ms, last_call_ms, last_end_ms; /* 0 none */
    int64_t peak_open, peak_ms;
    int64_t budget_ms; /* the budget had no room for a call; 0 always */
};

/* now_ms: the virtual clock. */
typedef void(run_progress_fn)(void *arg, int64_t now_ms, const struct run_counts *counts,
                              size_t open);

struct run_options {
    uint64_t seed;
    const struct network *network;
    const struct sim_store_ops *store;
    void *store_arg;
    int64_t look_ms; /* at least between two looks when nobody was due; 0: as a dialer */
    run_progress_fn *progress; /* NULL none; at every event that moves the clock */
    void *progress_arg;
};

/* *counts is the caller's to run_counts_free(), and may have refusals counted into it
 * (run_count_refusal) by the store. Errors are the store's, and talk_run()'s. */
NODISCARD int run_simulation(const struct scene *scene, const struct run_options *options,
                             struct run_counts *counts);
void run_counts_init(struct run_counts *counts, const struct scene *scene);
void run_counts_free(struct run_counts *counts);
/* A memory_refused_fn; arg: the struct run_counts. */
void run_count_refusal(void *arg, int64_t at_ms, enum reason reason);

#endif
