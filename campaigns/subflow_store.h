/*
 * subflow_store - the sub-flows of published flows. A revision holds which revision of
 * each it was published with, of the sub-flows within sub-flows too
 * (flow_revisions.subflows): what it runs never changes, whatever is published later. A
 * subflow node's own sha256 goes before that. A revision from before there was such a
 * column takes the newest.
 *
 * Errors are pg.h's. Inside the caller's transaction, or each statement in its own
 * outside of one. A flow_texts belongs to one thread.
 */
#ifndef CAMPAIGNS_SUBFLOW_STORE_H
#define CAMPAIGNS_SUBFLOW_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"

struct buf;
struct pg;

/* Texts that a program is compiled from: they live until it is. */
struct flow_texts {
    struct pg *pg;
    int tenant_id;
    json_t *held;  /* owned; what the revision holds; NULL: the newest of all */
    json_t *taken; /* owned; likewise, what was taken for want of a pin of the node's */
    bool newest;   /* of one the newest was taken, which may be another tomorrow */
    int err;       /* of the database, which to the compiler is ENOENT */
    char **at;     /* owned */
    size_t n;
};

/* From now on the sub-flows of this revision are resolved; texts are kept. */
NODISCARD int flow_texts_hold(struct flow_texts *t, int64_t revision_id);
/* The compiler's ivr_resolve_fn, arg a struct flow_texts. */
NODISCARD int flow_resolve(const char *name, const char *sha256, const char **text,
                           size_t *len, void *arg);
void flow_texts_add(struct flow_texts *t, char *text); /* takes it over */
void flow_texts_free(struct flow_texts *t);            /* for CLEANUP too */

/* What a text published now would hold: *out is the caller's. */
NODISCARD int subflows_now(struct pg *pg, int tenant_id, const char *source,
                           json_t **out);
/* "'a', 'b'": the flows whose newest revision holds another revision of it than this. */
NODISCARD int subflow_held_older(struct pg *pg, int tenant_id, const char *name,
                                 int64_t revision_id, struct buf *out);

#endif
