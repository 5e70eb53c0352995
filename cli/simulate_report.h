/*
 * simulate_report - what `furrow simulate` found: as text, as JSON, and as a page. No
 * clock is read and nothing of the machine is in it: the same simulation, the same bytes.
 */
#ifndef CLI_SIMULATE_REPORT_H
#define CLI_SIMULATE_REPORT_H

#include <stdio.h>

#include <jansson.h>

#include "base/sha256.h"
#include "simulate/holds.h"
#include "simulate/memory.h"
#include "simulate/pool.h"
#include "simulate/run.h"
#include "simulate/trial.h"

struct tz_zone;

enum { REPORT_FINALS_MAX = 64, REPORT_HOURS_MAX = 24 * 62 };

struct report_hour {
    int64_t at_ms;
    int64_t calls, answered, machines, refused, open;
};

struct simulate_report {
    const char *campaign;
    const struct scene *scene;
    const struct network *network;
    const struct run_counts *counts;
    const struct desk *desk;    /* NULL: no agents */
    const struct tz_zone *zone; /* whose wall clock is shown */
    uint64_t seed;
    /* Filled in by simulate_report_add_up(): */
    const struct trial *trial; /* its canary */
    const struct holds *holds; /* its quarantine */
    int64_t final, waiting, blocked, called;
    struct run_name finals[REPORT_FINALS_MAX]; /* most first */
    size_t final_count;
    struct run_reasons blocked_by;
    char fingerprint[SHA256_TEXT_MAX]; /* of every contact's last state */
    struct report_hour hours[REPORT_HOURS_MAX];
    size_t hour_count;
    int64_t *done_by_minute;     /* contacts that became final in each of counts->minutes;
                                    likewise owned */
    struct pool_result *numbers; /* of the pool; simulate_report_free() */
    size_t number_count;
    const char *left_out[SCENE_NOTES_MAX];
    size_t left_out_count;
};

void simulate_report_add_up(struct simulate_report *r, const struct memory *m);
void simulate_report_free(struct simulate_report *r); /* what it owns */

void simulate_report_print(const struct simulate_report *r, FILE *to);
json_t *simulate_report_json(const struct simulate_report *r); /* the caller's */
void simulate_report_html(const struct simulate_report *r, FILE *to);

/* "2026-11-24 08:00" on the report's wall clock; "-" for 0. */
enum { REPORT_TIME_MAX = 24, REPORT_SENTENCE_MAX = 240 };
const char *report_time(const struct simulate_report *r, int64_t at_ms,
                        char out[REPORT_TIME_MAX]);
int64_t report_table_requests(const struct run_counts *c);
double report_busy_percent(const struct simulate_report *r); /* r->desk is there */
/* How it ends, in one sentence. */
const char *report_sentence(const struct simulate_report *r,
                            char out[REPORT_SENTENCE_MAX]);

#endif
