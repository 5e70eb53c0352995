/*
 * ivr_drive - what the tests of the flow engine share: flows and inputs from JSON,
 * sprints as lines of text, and a call whose state is written and read back between
 * every two inputs and whose every sprint runs twice and must give the same bytes.
 */
#ifndef TESTS_UNIT_IVR_DRIVE_H
#define TESTS_UNIT_IVR_DRIVE_H

#include <jansson.h>

#include "ivr/ivr.h"

enum { DRIVE_TENANT = 1 };
#define DRIVE_NOW_MS INT64_C(1795600800000) /* 2026-11-25 10:00 UTC, a Wednesday */

struct drive {
    struct ivr_arena *arena;
    const struct ivr_prog *prog;
    struct ivr_env env;
    const char *voices[16];
    struct ivr_span open[8];
    const struct ivr_state *state; /* NULL before the start */
    struct ivr_out out;            /* of the last input */
};

struct drive_flows {
    json_t *named;               /* name: flow, or NULL */
    const char *dir;             /* then <dir>/<name>.json, or NULL */
    const char *const *backends; /* it must also run on; or NULL */
    char *texts[16];
    size_t n;
};

int drive_compile(struct ivr_prog **out, const char *text, size_t len,
                  struct drive_flows *flows, struct ivr_arena *arena,
                  struct ivr_issues *issues);
void drive_flows_free(struct drive_flows *flows);

void drive_begin(struct drive *d, const struct ivr_prog *prog, struct ivr_arena *arena);
void drive_env(struct drive *d, json_t *env); /* overrides, borrowed */
/* "start", "digits 12", "recorded ref", "http 200 {…}"; false: no such input. */
bool drive_parse(const char *text, uint32_t token, struct ivr_input *in);
/* Fails the test when a sprint is not the same twice, or a state not after reading. */
void drive_step(struct drive *d, const struct ivr_input *in);
/* The last sprint as a JSON list of lines: effects, then where it stands, then events. */
json_t *drive_lines(const struct drive *d);

#endif
