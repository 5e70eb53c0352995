/*
 * command_do_store - the seven commands, each as one change of the ledger: checks first,
 * then batches, packing and the event. Part of command_store.
 *
 * In the transaction in which the ledger was opened. Errors are pg.h's, and ERANGE: the
 * company prefix has no numbers left. After an error or a refusal the caller undoes what
 * was written.
 */
#ifndef BATCHES_COMMAND_DO_STORE_H
#define BATCHES_COMMAND_DO_STORE_H

#include "base/attrs.h"
#include "batches/command_store.h"
#include "batches/ledger_store.h"

struct command_deed {
    const struct ledger *ledger;
    const struct understanding *u;
    struct uuid command_id;
    const struct uuid *recording_id, *call_id; /* NULL none */
    int64_t phone, caller_id, said_ms;
};

/* out->state, batch, why and the token; *batch_row is the batch's row, zero for none. */
NODISCARD int command_do(struct pg *pg, const struct command_deed *d,
                         struct command_result *out, struct uuid *batch_row);

#endif
