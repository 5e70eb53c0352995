/*
 * plot - a plot over time on a page: bars of equal width, drawn as steps, one series on
 * top of the other. Shapes stretch with the window, labels do not; the numbers follow as
 * a table for those who cannot see it. No script.
 */
#ifndef CLI_PLOT_H
#define CLI_PLOT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct tz_zone;

struct plot {
    const char *title;
    const char *about; /* a sentence below it; NULL none */
    const char *unit;  /* of the values: "calls" */
    const struct tz_zone *zone;
    int64_t from_ms, width_ms; /* of the first bar; of each */
    size_t n;
    int64_t limit; /* a line that the values stay below; 0 none */
    const char *limit_name;
};

/* Of bar i. */
typedef int64_t(plot_value_fn)(const void *arg, size_t i);

struct plot_series {
    const char *name;
    const char *colour; /* a custom property of page.c: "--a" */
    plot_value_fn *value;
    const void *arg;
};

/* The first series lies behind the others. */
void plot_print(FILE *to, const struct plot *p, const struct plot_series *series,
                size_t n);

/* "hour", "2 hours", "15 minutes", "day": the width of a bar. */
enum { PLOT_WIDTH_MAX = 32 };
const char *plot_width_name(int64_t width_ms, char out[PLOT_WIDTH_MAX]);

#endif
