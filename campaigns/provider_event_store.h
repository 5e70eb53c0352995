/*
 * provider_event_store - what a provider has told us, and what it was answered. In the
 * caller's transaction of the account's tenant; errors are pg.h's.
 */
#ifndef CAMPAIGNS_PROVIDER_EVENT_STORE_H
#define CAMPAIGNS_PROVIDER_EVENT_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/sha256.h"
#include "base/str.h"

struct pg;

struct provider_event {
    int64_t account_id;
    uint8_t key[SHA256_BYTES];     /* of the nonce, or as request */
    uint8_t request[SHA256_BYTES]; /* of method, URL and body */
};

struct provider_answer {
    int status;
    char content_type[64];
    struct buf body; /* buf_free() */
};

/* *known: it was said before, and *out is what it was answered then. EACCES: the key was
 * used for another request. */
NODISCARD int provider_event_find(struct pg *pg, const struct provider_event *ev,
                                  bool *known, struct provider_answer *out);
/* EEXIST: somebody else has just answered it: roll back and find it. */
NODISCARD int provider_event_keep(struct pg *pg, int tenant_id,
                                  const struct provider_event *ev,
                                  const struct provider_answer *answer, int64_t now_ms);
/* The same of many at once: asked with pg_ask() and answered when its turn comes.
 * known[i], out[i] and, EACCES, errs[i] are as above. */
NODISCARD int provider_events_ask(struct pg *pg, const struct provider_event *const *evs,
                                  size_t n);
NODISCARD int provider_events_answer(struct pg *pg,
                                     const struct provider_event *const *evs, size_t n,
                                     bool *known, struct provider_answer *out, int *errs);
/* Sent with the next statement, which returns the error. */
NODISCARD int provider_events_keep(struct pg *pg, int tenant_id,
                                   const struct provider_event *const *evs,
                                   const struct provider_answer *answers, size_t n,
                                   int64_t now_ms);
/* Of every tenant: those older than before_ms, at most max. *n is how many went. */
NODISCARD int provider_event_forget(struct pg *pg, int64_t before_ms, int max, int *n);

#endif
