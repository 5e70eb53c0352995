/*
 * retention - audio that a tenant keeps no longer: it is deleted from the content store,
 * the recording's row and hash stay. Only what is processed to its end is deleted: what
 * waits for a person, has failed or has a job to come is kept and counted. Audio that
 * another recording has too, of whatever tenant, stays until that one's time is up.
 *
 * Who deletes and who stores the same bytes anew hold the same lock, so that no row is
 * left that names audio which is gone. Times are business time. Errors are pg.h's, or
 * content.h's with a text.
 */
#ifndef WORKERS_RETENTION_H
#define WORKERS_RETENTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/content.h"
#include "base/errors.h"

struct pg;

/* 0: for ever, which is what holds until something else is said. */
NODISCARD int retention_load(struct pg *pg, int tenant_id, int *days);
NODISCARD int retention_set(struct pg *pg, int tenant_id, int days, int64_t now_ms,
                            struct errtext *e);

struct retention_counts {
    int64_t expired; /* rows whose audio is theirs no longer */
    int64_t deleted; /* of them: audio that left the store */
    int64_t bytes;   /* of those */
    int64_t waiting; /* old enough, and kept: not processed yet */
};

struct retention_run {
    const struct content *content;
    struct http *http;       /* may be NULL */
    const atomic_bool *stop; /* may be NULL; raised: EINTR between two recordings */
    bool dry;                /* count only */
};

/* All that is due, one short transaction a recording; what was done before an error stays
 * done. counts is filled in any case. */
NODISCARD int retention_expire(struct pg *pg, int tenant_id,
                               const struct retention_run *run, int64_t now_ms,
                               struct retention_counts *counts, struct errtext *e);

/* For who stores audio, inside the transaction that writes the row: takes the lock of
 * that audio. *doubt: the same bytes were deleted once, so it should be looked whether
 * they are there. */
NODISCARD int retention_hold(struct pg *pg, const char *sha256, bool *doubt);

#endif
