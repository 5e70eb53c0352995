/* calling_store - a tenant's kill switch: all calling off, at once, until somebody
 * switches it on again. */
#ifndef COMPLIANCE_CALLING_STORE_H
#define COMPLIANCE_CALLING_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

struct pg;

/* No permit is minted after this commit. note: why, for those who come after. */
NODISCARD int calling_stop(struct pg *pg, int tenant_id, const char *note,
                           int64_t now_ms);
NODISCARD int calling_resume(struct pg *pg, int tenant_id);
/* *stopped_at_ms 0: calling is on. note: at least 256 bytes. */
NODISCARD int calling_state(struct pg *pg, int tenant_id, int64_t *stopped_at_ms,
                            char *note, size_t size);

#endif
