/*
 * notify - what a person is told by SMS about their recording or command: one message
 * each and purpose, written in the caller's transaction.
 */
#ifndef WORKERS_NOTIFY_H
#define WORKERS_NOTIFY_H

#include <stdint.h>

#include "base/attrs.h"
#include "batches/news_store.h"
#include "workers/recording.h"
#include "workers/sms_text.h"
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
/* One of those whom the news concern. */
NODISCARD int notify_news(struct pg *pg, const struct worker_config *c, int tenant_id,
                          const struct notify_to *to, enum news_kind kind,
                          const struct news *news, int64_t now_ms);
/* That no command was heard in it. */
NODISCARD int notify_misunderstood(struct pg *pg, const struct worker_config *c,
                                   int tenant_id, const struct recording *r,
                                   int64_t now_ms);
/* How it ended where no answer to a command says so: SMS_WAITS, SMS_FAILED, SMS_COMPLETE;
 * each once, however often it ends so. */
NODISCARD int notify_ended(struct pg *pg, const struct worker_config *c, int tenant_id,
                           const struct recording *r, enum sms_notice notice,
                           int64_t now_ms);

#endif
