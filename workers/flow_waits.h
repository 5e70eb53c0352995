/*
 * flow_waits - asks the flow engine whether a call still waits for a recording:
 * the session's stored state, read with the program of its pinned revision. A
 * recording the switch does not know (yet) is lost only when nobody waits for it.
 */
#ifndef WORKERS_FLOW_WAITS_H
#define WORKERS_FLOW_WAITS_H

#include <stdbool.h>

#include "base/attrs.h"
#include "workers/recording.h"

struct pg;

/* *waits is false also when there is no session, or its state does not fit its
 * program. Inside the caller's transaction. Errors are pg.h's, ENOMEM. */
NODISCARD int flow_waits_for(struct pg *pg, int tenant_id, const struct recording *r,
                             bool *waits);

#endif
