/*
 * audit_store - seals decisions into segments, verifies the log against them, takes one
 * number's proof out. See audit.h for the chain.
 *
 * Sealing takes rows in the order of their transactions, only of those that are over
 * everywhere: no committed row is left out, none comes twice, however late it commits.
 */
#ifndef COMPLIANCE_AUDIT_STORE_H
#define COMPLIANCE_AUDIT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"

struct pg;

enum { AUDIT_SEGMENT_ROWS = 5000 };

/* Its own transaction, one process at a time (an advisory lock; another's seal is waited
 * for). *rows: how many were sealed now. */
NODISCARD int audit_seal(struct pg *pg, int tenant_id, int64_t now_ms, int64_t *rows);

struct audit_counts {
    int64_t segments, rows, unsealed, again, wrong;
    int64_t unsealed_since_ms; /* decided then, the oldest of them; 0 none */
    int64_t other_tzdata; /* no finding against the log: rules of zones changed since */
    char head[65];        /* hash of the newest segment, hex; "" none */
};
/* kind: altered, removed, inserted, reordered, segment, verdict, unreadable, unproved
 * (an attempt that no decision let go), pack, policy, head; tzdata is told and does not
 * count as wrong. what: the id of the decision or the attempt, the segment, the hash. */
typedef void(audit_finding_fn)(void *arg, const char *kind, const char *what,
                               const char *detail);
/* Computes the whole chain again, and every decision from its stored inputs when again is
 * set. head: the newest hash as it was written down elsewhere, hex; NULL none. each is
 * told of every finding; progress (may be NULL) of rows done. */
NODISCARD int audit_verify(struct pg *pg, int tenant_id, const char *head, bool again,
                           audit_finding_fn *each, void *arg,
                           void (*progress)(void *arg, int64_t rows),
                           struct audit_counts *out);
/* Every sealed decision of a number with its segments, packs, consents and recordings'
 * hashes; ENOENT: it has none. *out is the caller's. */
NODISCARD int audit_bundle(struct pg *pg, int tenant_id, int64_t phone, json_t **out);

#endif
