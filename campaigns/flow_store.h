/*
 * flow_store - published flows. A revision's text never changes, nor do its
 * sub-flows; calls and campaigns pin revisions by id and hash.
 */
#ifndef CAMPAIGNS_FLOW_STORE_H
#define CAMPAIGNS_FLOW_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "base/sha256.h"

struct pg;

struct flow_row {
    int64_t flow_id, revision_id;
    char name[128];
    int revision; /* 1, 2, … */
    char sha256[SHA256_TEXT_MAX];
    int64_t published_at_ms;
};

/* Stores a new revision when the text differs from the newest one, or a sub-flow of it
 * was published since (*fresh); the revision holds the sub-flows as they are now
 * (subflow_store.h). The caller has compiled it. Inside the caller's transaction, or its
 * own outside of one. */
NODISCARD int flow_publish(struct pg *pg, int tenant_id, const char *name,
                           const char *source, int64_t now_ms, struct flow_row *out,
                           bool *fresh);
/* The newest revision, or that of "name@3"; ENOENT names the flows there are. */
NODISCARD int flow_find(struct pg *pg, int tenant_id, const char *name,
                        struct flow_row *out, struct errtext *e);
NODISCARD int flow_list(struct pg *pg, int tenant_id, struct flow_row **out, /* free() */
                        size_t *n);
/* *source: free(). Inside the caller's transaction, or its own outside of one. */
NODISCARD int flow_load(struct pg *pg, int tenant_id, int64_t revision_id,
                        struct flow_row *out, char **source);
/* The newest revision's text by name; the newest of those with this hash. Likewise. */
NODISCARD int flow_load_by_name(struct pg *pg, int tenant_id, const char *name,
                                struct flow_row *out, char **source);
NODISCARD int flow_load_by_hash(struct pg *pg, int tenant_id, const char *name,
                                const char *sha256, struct flow_row *out, char **source);

#endif
