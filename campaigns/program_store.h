/*
 * program_store - compiled flows, shared by the calls that run them.
 *
 * A flow is compiled once and kept: without sub-flows under the hash of its text, with
 * sub-flows for its revision, which holds theirs (subflow_store.h). One that was
 * published before revisions held them is compiled for each call. A program is counted:
 * calls on the loop and works on database threads hold it, and either may be the last.
 *
 * Thread-safe.
 */
#ifndef CAMPAIGNS_PROGRAM_STORE_H
#define CAMPAIGNS_PROGRAM_STORE_H

#include <stdint.h>

#include "base/attrs.h"
#include "ivr/ivr.h"

struct pg;
struct program;
struct programs;

struct programs *programs_new(void);
void programs_free(struct programs *ps); /* programs still held live on */

/* A published revision: its text, the hash of that, and its id. */
struct program_source {
    const char *text, *sha256;
    int64_t revision_id;
};

/* One that is kept, as programs_get; NULL: there is none. */
struct program *programs_find(struct programs *ps, const char *sha256,
                              int64_t revision_id);
/* On a database thread, inside or outside of a transaction. *out is the caller's to
 * program_release(). EBADMSG: the flow does not compile (logged). */
NODISCARD int programs_get(struct programs *ps, struct pg *pg, int tenant_id,
                           const struct program_source *source, struct program **out);
const struct ivr_prog *program_of(const struct program *p);
void program_release(struct program *p); /* NULL is allowed */

#endif
