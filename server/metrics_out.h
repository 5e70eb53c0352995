/*
 * metrics_out - series of Prometheus' text format that are counted tenant by tenant: each
 * tenant's own, or, for who may not see tenants, all of them together without their
 * names.
 *
 * Thread: its owner's.
 */
#ifndef SERVER_METRICS_OUT_H
#define SERVER_METRICS_OUT_H

#include <stdbool.h>

#include <jansson.h>

#include "base/str.h"

struct metrics_out {
    struct buf *b;
    bool by_tenant;
    json_t *together; /* series -> value, of this family; owned */
};

struct metrics_value {
    double value;
    int decimals;
    bool largest; /* of all tenants' the largest one counts, not the sum */
};

/* "# HELP name help.", "# TYPE name type"; ends the family before. */
void metrics_family(struct metrics_out *m, const char *name, const char *help,
                    const char *type);
/* labels: `,kind="asr"`…, each with its comma. */
void metrics_row(struct metrics_out *m, const char *series, const char *tenant,
                 const char *labels, const struct metrics_value *v);
/* Ends the last family. */
void metrics_end(struct metrics_out *m);
/* `,name="value"`, backslash, quote and newline escaped. */
void metrics_label(struct buf *b, const char *name, size_t name_len, const char *value);

#endif
