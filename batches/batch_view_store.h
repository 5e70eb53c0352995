/*
 * batch_view_store - what people and programs read of the ledger. Changes nothing.
 *
 * In the caller's transaction of that tenant, or in one of their own. Errors are pg.h's,
 * and as stated. *out is the caller's.
 */
#ifndef BATCHES_BATCH_VIEW_STORE_H
#define BATCHES_BATCH_VIEW_STORE_H

#include <jansson.h>

#include "base/attrs.h"
#include "base/uuid.h"

struct pg;

/* [{"number", "batch_id", "gtin", "gln", "batch_number", "event", "quantity_kg",
 * "variety", "quality_grade", "origin", "farmer", "status", "container", "spent",
 * "created_at"}], the newest first. phone 0: of everybody. */
NODISCARD int batch_list(struct pg *pg, int tenant_id, int64_t phone, int limit,
                         json_t **out);
/* One, with where it came from and what became of it, and its events' hashes. named: id,
 * GTIN, batch number or number. ENOENT. Without its token. */
NODISCARD int batch_show(struct pg *pg, int tenant_id, const char *named, json_t **out);
/* [{"event_hash", "event"}], the oldest first; named NULL: of all batches, the newest
 * `limit` ones. ENOENT: no such batch. */
NODISCARD int batch_events(struct pg *pg, int tenant_id, const char *named, int limit,
                           json_t **out);

/* A command that was done, as a program is told: the batch's fields, the token of a new
 * one, "message" and "epcis_event". id: its own, or of the recording in which it was
 * said. ENOENT: it was not done. */
NODISCARD int command_answer(struct pg *pg, int tenant_id, const struct uuid *id,
                             json_t **out);

#endif
