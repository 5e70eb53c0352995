/*
 * import_undo_store - an import taken back: it knows what campaigns have done with the
 * contacts since.
 */
#ifndef CAMPAIGNS_IMPORT_UNDO_STORE_H
#define CAMPAIGNS_IMPORT_UNDO_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"

struct pg;

enum { IMPORT_UNDO_SHOWN = 10 };

struct import_undone {
    int64_t removed;  /* contacts that the import had added */
    int64_t restored; /* contacts it had changed, as they were before */
    int64_t called;   /* contacts that were called, or are being called: they stay */
    int64_t phones[IMPORT_UNDO_SHOWN]; /* the first of those */
    size_t shown;
};

/* All in one transaction. ENOENT: no such import; EALREADY: it is undone; EAGAIN: an
 * import into its list is running. A text comes with every error. */
NODISCARD int import_undo(struct pg *pg, int tenant_id, int64_t import_id, int64_t now_ms,
                          struct import_undone *out, struct errtext *e);

#endif
