/*
 * fact_store - what is on file about numbers beside lists and consents, and the tenant's
 * registrations and emergency orders: bringing it in and looking at it.
 *
 * Every change leaves a row in fact_changes: what, from where, by whom. What restricts
 * (a wash that hit, a reassigned number, a consent taken back, an emergency order, a
 * registration that ended) takes the locks that releases take: no permit is minted
 * against it after its commit.
 */
#ifndef COMPLIANCE_FACT_STORE_H
#define COMPLIANCE_FACT_STORE_H

#include <jansson.h>

#include "base/attrs.h"
#include "compliance/fact_row.h"

struct pg;

struct fact_change {
    const char *kind, *what, *subject, *source, *by_user, *note; /* NULL "" */
};

/* *id is what rows are written under. */
NODISCARD int fact_change_add(struct pg *pg, int tenant_id, const struct fact_change *c,
                              int64_t now_ms, int64_t *id);
NODISCARD int fact_change_end(struct pg *pg, int tenant_id, int64_t id, int64_t rows,
                              int64_t rejected, int64_t now_ms);
/* Newest first, an array of objects; kind NULL: all. */
NODISCARD int fact_change_list(struct pg *pg, int tenant_id, const char *kind, int max,
                               json_t **out);

enum { FACT_BATCH = 1000 }; /* rows of one transaction: that many locks at most */

struct fact_counts {
    int64_t written;
    int64_t known;   /* the same or something newer is on file */
    int64_t revoked; /* consents that were in force */
};

/* At most FACT_BATCH rows in one transaction; added to *counts. An older answer never
 * takes the place of a newer one. Rows that were written before are known. */
NODISCARD int fact_write(struct pg *pg, int tenant_id, enum fact_kind kind,
                         const struct fact_row *rows, size_t n, int64_t change_id,
                         struct fact_counts *counts);

/* {"line_types", "reassigned", "places", "washes", "consents"}: all that is on file of
 * the number, arrays of objects, with the change each came with. Times are epoch ms. */
NODISCARD int fact_of_number(struct pg *pg, int tenant_id, int64_t phone, json_t **out);

/* ---- of the whole tenant ---- */

/* until_ms 0: for ever. One region has one registration; a later one takes its place. */
NODISCARD int registration_add(struct pg *pg, int tenant_id, const char *region,
                               int64_t until_ms, const char *note, const char *by_user,
                               int64_t now_ms);
/* ENOENT: there is none. */
NODISCARD int registration_remove(struct pg *pg, int tenant_id, const char *region,
                                  const char *note, const char *by_user, int64_t now_ms);
NODISCARD int registration_list(struct pg *pg, int tenant_id, json_t **out);

/* No call into the region from from_ms on; until_ms 0: until it is ended. */
NODISCARD int emergency_add(struct pg *pg, int tenant_id, const char *region,
                            int64_t from_ms, int64_t until_ms, const char *note,
                            const char *by_user, int64_t now_ms, int64_t *id);
/* It ends now. ENOENT: there is none, or it is over. */
NODISCARD int emergency_end(struct pg *pg, int tenant_id, int64_t id, const char *note,
                            const char *by_user, int64_t now_ms);
/* past: those that are over too. */
NODISCARD int emergency_list(struct pg *pg, int tenant_id, bool past, int64_t now_ms,
                             json_t **out);

#endif
