/*
 * limit_store - how fast and how many at once over all campaigns: of the tenant, and of
 * each caller ID. Pacing (dialer/pacing.h) holds them for all dialers together.
 */
#ifndef CAMPAIGNS_LIMIT_STORE_H
#define CAMPAIGNS_LIMIT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"

struct pg;

struct limit_row {
    int64_t id;         /* 0: none is set */
    char caller_id[64]; /* "": the tenant as a whole */
    double cps;         /* 0: no limit */
    int max_concurrent; /* 0: no limit */
};

/* Sets or replaces; EINVAL with a text: a limit of neither. */
NODISCARD int limit_set(struct pg *pg, int tenant_id, const struct limit_row *row,
                        int64_t now_ms, struct errtext *e);
/* ENOENT with a text. */
NODISCARD int limit_remove(struct pg *pg, int tenant_id, const char *caller_id,
                           struct errtext *e);
/* *out: free(). The tenant's own is the first. */
NODISCARD int limit_list(struct pg *pg, int tenant_id, struct limit_row **out, size_t *n);
/* Of one caller ID, or of the tenant (""); out->id is 0 when none is set. */
NODISCARD int limit_load(struct pg *pg, int tenant_id, const char *caller_id,
                         struct limit_row *out);
/* Whether any campaign shows that number, written just so. */
NODISCARD int limit_number_is_shown(struct pg *pg, int tenant_id, const char *caller_id,
                                    bool *out);

#endif
