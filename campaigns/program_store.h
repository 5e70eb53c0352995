/*
 * program_store - compiled flows, shared by the calls that run them.
 *
 * A flow without sub-flows is compiled once and kept under the hash of its text. With
 * sub-flows it is compiled for each call, because a newer revision of one may be out.
 * A program is counted: calls on the loop and works on database threads hold it, and
 * either may be the last.
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

/* One that is kept, as programs_get; NULL: there is none. */
struct program *programs_find(struct programs *ps, const char *sha256);
/* On a database thread, inside or outside of a transaction. *out is the caller's to
 * program_release(). EBADMSG: the flow does not compile (logged). */
NODISCARD int programs_get(struct programs *ps, struct pg *pg, int tenant_id,
                           const char *source, const char *sha256, struct program **out);
const struct ivr_prog *program_of(const struct program *p);
void program_release(struct program *p); /* NULL is allowed */

#endif
