/*
 * audit - the hash chain over decisions, and the proof of one that a stranger can check.
 * Pure.
 *
 * A row's hash is the sha256 of its text (furrow_decision_text in
 * migrations/0013_audit.sql). A segment's is the sha256 of: the previous segment's hash,
 * the segment number and the number of rows (both 8 bytes, big-endian), every row's id
 * (16 bytes), every row's hash.
 */
#ifndef COMPLIANCE_AUDIT_H
#define COMPLIANCE_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/sha256.h"
#include "base/uuid.h"
#include "compliance/check.h"

struct audit_segment {
    int number;
    size_t n;
    const struct uuid *ids;
    const uint8_t *hashes; /* n times 32 bytes */
    uint8_t previous[SHA256_BYTES], hash[SHA256_BYTES];
};

void audit_segment_hash(const struct audit_segment *s, uint8_t out[SHA256_BYTES]);

struct audit_row { /* out of a row's text; borrowed from it */
    struct uuid id;
    int tenant_id, stage;
    int64_t campaign_id, contact_id, phone, at_ms;
    enum reason reason;
    const char *inputs; /* JSON */
};
/* EBADMSG: no text of a decision. */
NODISCARD int audit_row_read(const char *text, struct audit_row *out);
/* Runs the row again from its own inputs. 0: the same reason; EBADMSG: inputs that cannot
 * be read; ENOENT: a pack is missing; EILSEQ: another reason, *v says which; ESTALE: the
 * same, and it was decided by another tzdata than this machine's, which may be why. Stage
 * 3 (the send instant) has no inputs: 0. */
NODISCARD int audit_row_again(const struct audit_row *row, inputs_blob_fn *blob,
                              void *arg, struct verdict *v);

NODISCARD int audit_hex_parse(const char *hex, uint8_t *out, size_t bytes);
void audit_hex_text(const uint8_t *bytes, size_t n, char *out); /* 2 * n + 1 */

typedef void(audit_said_fn)(void *arg, bool wrong, const char *text);
/* A bundle of `furrow audit bundle`: says every finding, wrong or right; the number of
 * wrong ones. */
int audit_bundle_check(const json_t *bundle, audit_said_fn *say, void *arg);

#endif
