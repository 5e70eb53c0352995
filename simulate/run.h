/*
 * run - one simulation: a virtual clock, the pace of the trunk, calls into an invented
 * network, and whatever store keeps the contacts. Single-threaded; reads no clock of the
 * machine: the same scene, seed and network give the same run.
 *
 * As a dialer does it: a batch of at most 0.8 s of the pace is claimed and released when
 * the pace of a trunk is due and channels are free; its calls go out evenly spaced
 * (GCRA). Nobody due: the clock goes to when somebody is, or to the next call's end.
 */
#ifndef SIMULATE_RUN_H
#define SIMULATE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "simulate/counts.h"
#include "simulate/desk.h"
#include "simulate/network.h"
#include "simulate/scene.h"
#include "simulate/store.h"

struct memory;

/* The virtual clock is about to move to next_ms. */
typedef void(run_progress_fn)(void *arg, int64_t next_ms, const struct run_counts *counts,
                              size_t open);

struct run_options {
    uint64_t seed;
    const struct network *network;
    const struct sim_store_ops *store;
    void *store_arg;
    /* In a campaign without a mode who enters a queue waits here for an agent; NULL:
     * there are none, queues are full. */
    struct desk *desk;
    bool books; /* in one with a mode the store has agents, and books them for calls */
    const struct talk_tables *tables; /* NULL: data nodes answer with their mocks */
    int64_t look_ms; /* at least between two looks when nobody was due; 0: as a dialer */
    run_progress_fn *progress; /* NULL none; before every move of the clock */
    void *progress_arg;
};

/* *counts is initialised, the caller's to run_counts_free(), and may have refusals
 * counted into it (run_count_refusal) by the store. Errors are the store's, and
 * talk_run()'s. */
NODISCARD int run_simulation(const struct scene *scene, const struct run_options *options,
                             struct run_counts *counts);

#endif
