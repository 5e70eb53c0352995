/*
 * notify - what a person is told by SMS about their recording or command: one message
 * each and purpose, written in the caller's transaction.
 */
#ifndef WORKERS_NOTIFY_H
#define WORKERS_NOTIFY_H

#include <stdint.h>

#include "base/attrs.h"
#include "workers/recording.h"
#include "workers/worker.h"

struct command_result;
struct pg;

struct notify_to {
    int64_t phone;        /* 0: nobody to tell */
    const char *language; /* "" English */
    const char *key;      /* of what they are told about; one message each and purpose */
    const struct uuid *call_id, *recording_id; /* NULL of none */
};
/* What became of a command: a receipt, a question or why not. */
NODISCARD int notify_command(struct pg *pg, const struct worker_config *c, int tenant_id,
                             const struct notify_to *to, const struct command_result *r,
                             int64_t now_ms);
/* details: what is wrong, in plain words. */
NODISCARD int notify_error(struct pg *pg, const struct worker_config *c, int tenant_id,
                           const struct recording *r, const char *details,
                           int64_t now_ms);
/* That a person will listen to it, once. */
NODISCARD int notify_waits(struct pg *pg, const struct worker_config *c, int tenant_id,
                           const struct recording *r, int64_t now_ms);

#endif
