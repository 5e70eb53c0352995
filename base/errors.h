/*
 * errors - text for people beside the errno that code decides by.
 *
 * Functions at a text edge (config, CSV, flow JSON, API bodies) take a struct
 * errtext and fill it once: the first error wins, later ones are dropped.
 * Thread: the caller's; no globals.
 */
#ifndef BASE_ERRORS_H
#define BASE_ERRORS_H

#include "base/attrs.h"

struct errtext {
    int line, column; /* 1-based; 0 when there is no position */
    char text[320];
};

/* Keep the first message; line and column may be 0. Always returns err, so that
 * `return errtext_set(e, EINVAL, 0, 0, "...")` reads as one thought. e may be NULL. */
int errtext_set(struct errtext *e, int err, int line, int column, const char *fmt, ...)
    PRINTF_LIKE(5, 6);

#endif
