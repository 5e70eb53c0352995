/*
 * extension_store - numbers that may be called in, and which flow answers. A
 * number belongs to one tenant of the installation. The dialer looks numbers up
 * with call_find_extension (call_store.h).
 */
#ifndef CAMPAIGNS_EXTENSION_STORE_H
#define CAMPAIGNS_EXTENSION_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"

struct pg;

struct extension_row {
    char number[32]; /* as dialled in, digits */
    char flow[128];
    bool missed_call;           /* hang up unanswered and call back */
    char callback_campaign[64]; /* whose rules the callback obeys; "" none */
};

/* ENOENT with a text: no such flow or campaign. EEXIST: the number is taken, here
 * or by another tenant. EINVAL: not digits; missed_call without a campaign. */
NODISCARD int extension_add(struct pg *pg, int tenant_id, const struct extension_row *row,
                            int64_t now_ms, struct errtext *e);
NODISCARD int extension_list(struct pg *pg, int tenant_id, struct extension_row **out,
                             size_t *n); /* *out: free() */
NODISCARD int extension_remove(struct pg *pg, int tenant_id, const char *number,
                               struct errtext *e);

#endif
